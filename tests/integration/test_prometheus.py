"""The metrics, alert rules and dashboard as a real Prometheus takes them: it scrapes collectors, and evaluates what deploy/ has."""

import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest
import yaml
from lib.system import REPO, append, free_port, run, unavailable, wait_until
from test_monitor import ALERTS, dashboard_expressions

TESTS = ALERTS.with_name("alerts.test.yaml")


@pytest.fixture(scope="module", autouse=True)
def packages():
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        unavailable("prometheus is missing: tests/setup/install.sh monitor")


class Prometheus:
    """Asks a collector each second."""

    def __init__(self, directory, collector, rules):
        self.directory, self.port = directory, free_port()
        (directory / "alerts.yaml").write_text(rules)
        job = {"job_name": "sidetail", "static_configs": [{"targets": [f"127.0.0.1:{collector.port}"]}]}
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
        return {rule["name"] for rule in self.rules() if any(alert["state"] == "firing" for alert in rule["alerts"])}

    def wait_firing(self, name, is_so=True):
        wait_until(lambda: (name in self.firing()) == is_so, 60, lambda: f"{name} {is_so}, firing are {self.firing()}", every=0.2)

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def prometheus(tmp_path):
    started = []

    def start(collector, rules=None):
        directory = tmp_path / "prometheus"
        directory.mkdir()
        started.append(Prometheus(directory, collector, rules or ALERTS.read_text()))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_rules():
    """By their own tests, which an operator can run as well."""
    run("promtool", "check", "rules", ALERTS)
    run("promtool", "test", "rules", TESTS.name, cwd=TESTS.parent)


def test_each_alert_has_a_test():
    """There is one that wants it to fire."""
    alerts = {rule["alert"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]}
    wanted = {labels for test in yaml.safe_load(TESTS.read_text())["tests"] for one in test.get("promql_expr_test", [])
              for sample in one["exp_samples"] for labels in re.findall(r'alertname="(\w+)"', sample["labels"])}  # fmt: skip
    assert wanted == alerts


def test_metrics_by_promtool(files):
    """By the rules of Prometheus' naming guide."""
    collector = files().start()
    append(collector.logs / "web" / "a.log", "x\n")
    collector.wait_lines(1)
    run("promtool", "check", "metrics", input=collector.http("/metrics"))


def test_scrape(files, prometheus):
    """What a collector serves comes in whole; nothing fires of a collector that is well; the dashboard finds what it asks for."""
    collector = files().start()
    append(collector.logs / "web" / "a.log", "one\ntwo\n")
    collector.wait_lines(2)
    server = prometheus(collector)
    wait_until(lambda: server.query("sum_over_time(up[1m]) >= 5"), 30, every=0.2)
    served = {key.split("{")[0] for key in collector.metrics()}
    there = {labels["__name__"] for labels, _ in server.query('{job="sidetail"}')}
    assert served <= there, served - there
    assert [value for _, value in server.query('sidetail_lines_out_total{service="web",stream="stdout"}')] == [2]
    assert all(rule["health"] == "ok" for rule in server.rules()) and len(server.rules()) > 20
    assert server.firing() == set()
    empty = []
    for expression in dashboard_expressions():
        expression = re.sub(r"\$(instance|service|job)", ".*", re.sub(r"\$__(rate_)?interval", "1m", expression))
        if not server.query(expression) and not re.search(r"[<>]", expression):
            empty.append(expression)
    assert empty == []


def quick(rules):
    """The same alerts, with seconds in place of minutes, so that a test can wait for them to fire and to be over."""
    rules = re.sub(r"\bfor: \d+m", "for: 1s", re.sub(r"\[(5|15)m\]", "[20s]", rules))
    return re.sub(r"process_start_time_seconds < 900", "process_start_time_seconds < 20", rules)


def start_time(collector):
    try:
        return collector.metrics()["process_start_time_seconds"]
    except OSError:
        return None  # it does not listen yet


@pytest.mark.slow
def test_alerts_fire_and_are_over(files, prometheus, tmp_path):
    """By the real fault of each, which is then mended."""
    collector = files(checkpoint={"path": str(tmp_path / "positions" / "c.json"), "interval": "100ms"})
    (tmp_path / "positions").mkdir()
    collector.config["files"]["include"].append(f"{tmp_path}/missing/{{service}}/*.log")
    link = collector.logs / "web" / "secret.log"
    link.symlink_to("/etc/shadow")
    log = collector.logs / "web" / "a.log"
    append(log, "x\n")
    collector.start()
    collector.wait_lines(1)
    server = prometheus(collector, quick(ALERTS.read_text()))
    server.wait_firing("SidetailSourceFailing")
    server.wait_firing("SidetailRefusedLinks", False)  # some time after the start
    (tmp_path / "missing").mkdir()
    server.wait_firing("SidetailSourceFailing", False)
    link.unlink()
    (collector.logs / "web" / "other.log").symlink_to("/etc/shadow")
    server.wait_firing("SidetailRefusedLinks")
    # The directory of the checkpoint is gone, and comes back.
    shutil.rmtree(tmp_path / "positions")
    append(log, "y\n")
    server.wait_firing("SidetailCheckpointFailing")
    (tmp_path / "positions").mkdir()
    append(log, "z\n")
    server.wait_firing("SidetailCheckpointFailing", False)
    collector.kill()
    server.wait_firing("SidetailDown")
    collector.start()
    server.wait_firing("SidetailDown", False)
    server.wait_firing("SidetailRefusedLinks")  # of what the start finds
    for _ in range(3):
        started = wait_until(lambda: start_time(collector), 20)
        seen = lambda: [value for _, value in server.query("process_start_time_seconds")] == [started]
        wait_until(seen, 20, "the start is seen", every=0.1)
        collector.kill()
        collector.start()
    server.wait_firing("SidetailRestarting")
    server.wait_firing("SidetailRestarting", False)
    server.wait_firing("SidetailRefusedLinks", False)
    wait_until(lambda: server.firing() == set(), 60, server.firing)
