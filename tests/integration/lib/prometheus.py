"""A real Prometheus, of Debian's package."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request

import yaml

from .system import free_port, run, unavailable, wait_until


def instance(collector):
    """Its label `instance`."""
    return f"127.0.0.1:{collector.port}"


class Prometheus:
    """Asks collectors each second, and evaluates alert rules as often."""

    def __init__(self, directory, collectors, rules):
        if not shutil.which("prometheus") or not shutil.which("promtool"):
            unavailable("prometheus is missing: tests/setup/install.sh monitor")
        self.port = free_port()
        (directory / "alerts.yaml").write_text(rules)
        targets = [instance(collector) for collector in collectors]
        job = {"job_name": "sidetail", "static_configs": [{"targets": targets}]}
        every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config = directory / "prometheus.yml"
        config.write_text(yaml.safe_dump({"global": every, "rule_files": ["alerts.yaml"], "scrape_configs": [job]}))
        run("promtool", "check", "config", config)
        with open(directory / "prometheus.log", "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(self.ready, 30, lambda: (directory / "prometheus.log").read_text()[-2000:])

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def ready(self):
        try:
            return "Ready" in self.get("/-/ready")
        except OSError:
            return False

    def query(self, expression):
        """[(labels, value)]"""
        told = json.loads(self.get("/api/v1/query?" + urllib.parse.urlencode({"query": expression})))
        return [(one["metric"], float(one["value"][1])) for one in told["data"]["result"]]

    def rules(self):
        return json.loads(self.get("/api/v1/rules"))["data"]["groups"][0]["rules"]

    def firing(self):
        """{(name of the alert, instance)}"""
        return {(rule["name"], alert["labels"]["instance"]) for rule in self.rules() for alert in rule["alerts"]
                if alert["state"] == "firing"}  # fmt: skip

    def close(self):
        self.process.kill()
        self.process.wait()
