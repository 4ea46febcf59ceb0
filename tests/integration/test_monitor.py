"""Metrics, health and readiness of a running collector, the command health, and the dashboard and alerts that go with them."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import yaml
from lib.system import REPO, append, free_port, run, wait_until
from prometheus_client.parser import text_string_to_metric_families

DASHBOARD = REPO / "deploy" / "grafana" / "sidetail.json"
ALERTS = REPO / "deploy" / "prometheus" / "alerts.yaml"


def fetch(collector, path, method="GET", data=None):
    request = urllib.request.Request(f"http://127.0.0.1:{collector.port}{path}", method=method, data=data)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as fault:
        return fault.code, fault.headers, fault.read().decode()


def health(binary, *arguments, env=None):
    environment = {"PATH": os.environ["PATH"], **(env or {})}
    return run(binary, "health", *arguments, check=False, env=environment)


def test_metrics_count_what_went_through(files):
    collector = files().start()
    collector.wait_stderr("collecting")
    append(collector.logs / "web" / "a.log", "one\ntwo\nthree\n")
    collector.wait_lines(3)
    found = wait_until(lambda: (m := collector.metrics()) and m.get('sidetail_lines_out_total{service="web",stream="stdout"}') == 3 and m)
    assert found['sidetail_lines_in_total{service="web",stream="stdout"}'] == 3
    assert found['sidetail_bytes_in_total{service="web",stream="stdout"}'] == len("onetwothree")
    assert found['sidetail_bytes_out_total{service="web",stream="stdout"}'] == collector.stdout_path.stat().st_size
    assert found['sidetail_behind_seconds{service="web"}'] == 0
    assert found["sidetail_batches_total"] == found["sidetail_batches_acked_total"] >= 1
    assert found["sidetail_feeds"] == 1
    assert found["process_resident_memory_bytes"] == pytest.approx(collector.rss(), rel=0.3)
    assert found["process_open_fds"] == pytest.approx(len(os.listdir(f"/proc/{collector.pid}/fd")), abs=2)
    assert abs(found["process_start_time_seconds"] - time.time()) < 60


def test_metrics_are_well_formed(files):
    """By Prometheus' own parser, and by the names that it wants; promtool looks at them in test_prometheus.py."""
    collector = files().start()
    strange = 'a "strange"\\ näme'
    (collector.logs / strange).mkdir()
    append(collector.logs / strange / "a.log", "x\n")
    collector.wait_lines(1)
    status, headers, text = fetch(collector, "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(text))
    assert len(families) > 30
    seen = set()
    for family in families:
        assert re.fullmatch(r"(sidetail|process)_[a-z_]+", family.name)
        assert family.type in ("counter", "gauge", "histogram") and family.documentation
        assert family.name not in seen
        seen.add(family.name)
        assert family.samples, family.name
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
            assert sample.value >= 0
    assert strange in {sample.labels.get("service") for family in families for sample in family.samples}
    series = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))


def test_paths_and_methods(files):
    collector = files().start()
    collector.wait_stderr("collecting")
    assert fetch(collector, "/healthz")[::2] == (200, "ok\n")
    assert fetch(collector, "/readyz")[::2] == (200, "ready\n")
    assert fetch(collector, "/healthz", "HEAD")[::2] == (200, "")
    assert fetch(collector, "/")[0] == 200
    assert fetch(collector, "/page.js")[0] == 404
    assert fetch(collector, "/metrics/x")[0] == 404
    status, headers, _ = fetch(collector, "/metrics", "POST", b"")
    assert status == 405 and headers["Allow"] == "GET, HEAD"
    assert fetch(collector, "/metrics", "PUT", b"x" * 100000)[0] in (405, 413)
    assert fetch(collector, "/healthz")[0] == 200


def test_slow_clients_do_not_hold_it(files):
    collector = files().start()
    collector.wait_stderr("collecting")
    slow = []
    # More than a short queue of connections holds: what finds it full waits for a second.
    for _ in range(60):
        slow.append(socket.create_connection(("127.0.0.1", collector.port)))
        slow[-1].send(b"GET /metrics HT")
    began = time.monotonic()
    assert fetch(collector, "/healthz")[0] == 200
    assert time.monotonic() - began < 1
    for client in slow:
        client.settimeout(15)
        while client.recv(4096):
            pass
        client.close()
    assert time.monotonic() - began < 12
    assert collector.metrics()["process_open_fds"] < 40


def test_port_in_use(files):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        collector = files(metrics={"listen": address}).start()
        assert collector.process.wait(10) == 1
        said = collector.stderr()
        assert address in said and "in use" in said and "metrics.listen" in said


def test_readiness_follows_the_sink(files):
    """A sink that takes nothing: alive, but not ready; then ready again. Memory and lines are kept."""
    collector = files(batch={"bytes": "64KiB"}, memory_max="8MiB")
    reader, writer = os.pipe()
    collector.write_config()
    with open(collector.stderr_path, "wb") as stderr:
        collector.process = subprocess.Popen(
            [collector.binary, "run", "-c", collector.config_path],
            stdout=writer, stderr=stderr, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
    os.close(writer)
    collector.wait_stderr("collecting")
    lines = 200_000
    append(collector.logs / "web" / "a.log", "".join(f"line {number:060}\n" for number in range(lines)))
    wait_until(lambda: fetch(collector, "/readyz")[0] == 503, 20)
    status, _, why = fetch(collector, "/readyz")
    assert status == 503 and re.search(r"not ready: the sink has acknowledged nothing for 1\d s", why)
    assert fetch(collector, "/healthz")[0] == 200
    assert health(collector.binary, f"127.0.0.1:{collector.port}").returncode == 0
    asked = health(collector.binary, "--ready", f"127.0.0.1:{collector.port}")
    assert asked.returncode == 1 and "acknowledged nothing" in asked.stderr
    found = collector.metrics()
    assert found["sidetail_sink_waiting_seconds"] > 9
    assert found["sidetail_lag_bytes"] > 1_000_000
    assert found['sidetail_service_lag_bytes{service="web"}'] == found["sidetail_lag_bytes"]
    assert 0 < found["sidetail_batch_bytes_held"] <= 8 << 20  # memory_max
    got = 0
    with os.fdopen(reader, "rb") as pipe:
        for line in pipe:
            assert f"line {got:060}".encode() in line
            got += 1
            if got == lines:
                break
        assert wait_until(lambda: fetch(collector, "/readyz")[0] == 200)
        collector.process.terminate()
        assert collector.process.wait(15) == 0


def test_checkpoint_failing_is_told(files, tmp_path):
    """Its directory is gone: the collector delivers on, and says that it is not ready."""
    directory = tmp_path / "positions"
    directory.mkdir()
    collector = files(checkpoint={"path": str(directory / "c.json"), "interval": "100ms"}).start()
    collector.wait_stderr("collecting")
    wait_until(lambda: fetch(collector, "/readyz")[0] == 200)
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
    append(collector.logs / "web" / "a.log", "x\n")
    collector.wait_lines(1)
    wait_until(lambda: "checkpoint" in fetch(collector, "/readyz")[2])
    assert collector.metrics()["sidetail_checkpoint_failing"] == 1
    directory.mkdir()
    append(collector.logs / "web" / "a.log", "y\n")
    wait_until(lambda: fetch(collector, "/readyz")[0] == 200)
    assert collector.metrics()["sidetail_commit_errors_total"] >= 1


@pytest.mark.parametrize("source", ["json-file", "files"])
def test_unreadable_source_is_told(sidetail, tmp_path, source):
    """What is to be followed is not there: running, but not ready, until it is."""
    missing = tmp_path / "missing"
    where = {"json_file": {"path": str(missing)}, "files": {"include": [f"{missing}/{{service}}/*.log"]}}
    collector = sidetail({"source": source, **where}).start()
    collector.wait_stderr("is not there|cannot follow the containers directory")
    status, _, text = fetch(collector, "/readyz")
    assert status == 503 and "the source cannot be read" in text and fetch(collector, "/healthz")[0] == 200
    assert collector.metrics()["sidetail_source_failing"] == 1
    missing.mkdir()
    wait_until(lambda: fetch(collector, "/readyz")[0] == 200)
    assert collector.metrics()["sidetail_source_failing"] == 0
    collector.stop_cleanly()


def test_missing_engine_is_told(sidetail, tmp_path):
    collector = sidetail({"source": "docker-api", "docker": {"host": f"unix://{tmp_path}/none.sock"}}).start()
    collector.wait_stderr("cannot follow the Engine")
    assert "the source cannot be read" in fetch(collector, "/readyz")[2]
    collector.stop_cleanly()


def test_health_command(files, binary, tmp_path):
    collector = files().start()
    collector.wait_stderr("collecting")
    address = f"127.0.0.1:{collector.port}"
    assert health(binary, address).stdout == "healthy\n"
    assert health(binary, "--ready", address).stdout == "ready\n"
    assert health(binary, "-c", collector.config_path).returncode == 0
    assert health(binary, env={"SIDETAIL_METRICS_LISTEN": address}).returncode == 0
    assert health(binary, env={"SIDETAIL_CONFIG": str(collector.config_path)}).returncode == 0
    collector.process.send_signal(signal.SIGSTOP)  # a loop that does not turn
    began = time.monotonic()
    stuck = health(binary, address)
    assert stuck.returncode == 1 and "within 2 s" in stuck.stderr and time.monotonic() - began < 3
    collector.process.send_signal(signal.SIGCONT)
    assert health(binary, address).returncode == 0
    collector.process.terminate()
    collector.process.wait(15)
    gone = health(binary, address)
    assert gone.returncode == 1 and "is sidetail running" in gone.stderr
    nothing = health(binary, env={"SIDETAIL_METRICS_LISTEN": ""})
    assert nothing.returncode == 1 and "nothing to ask" in nothing.stderr
    assert health(binary, "not an address").returncode == 1
    assert health(binary, "--wrong").returncode == 2
    assert health(binary, "a:1", "b:2").returncode == 2
    assert health(binary, "-c", tmp_path / "missing.json").returncode == 2


def names_in(expression):
    """The names of metrics in a PromQL expression."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without)\s*\([^)]*\)', "", expression)
    return set(re.findall(r"\b(?:sidetail|process)_[a-z_]+\b", bare))


def dashboard_expressions():
    board = json.loads(DASHBOARD.read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"^label_values\((.*), \w+\)$", r"\1", variable["definition"])
    for annotation in board["annotations"]["list"]:
        yield annotation["expr"]


def test_dashboard_and_alerts_name_what_there_is(files):
    collector = files().start()
    append(collector.logs / "web" / "a.log", "x\n")
    collector.wait_lines(1)
    there = {key.split("{")[0] for key in collector.metrics()}
    alerts = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    shown = set().union(*map(names_in, dashboard_expressions()))
    alerted = set().union(*(names_in(rule["expr"]) for rule in alerts))
    assert len(shown) > 30 and len(alerted) >= 8
    assert shown <= there and alerted <= there, (shown | alerted) - there
    # And nothing that is counted goes unseen. Of a histogram the buckets tell.
    unseen = {name for name in there - shown if not re.fullmatch(r"(\w+)_(sum|count)", name)}
    assert unseen <= {"process_start_time_seconds"}


def test_alerts_are_whole():
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert re.fullmatch(r"Sidetail[A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_dashboard_is_whole():
    board = json.loads(DASHBOARD.read_text())
    idents = [panel["id"] for panel in board["panels"]]
    assert len(set(idents)) == len(idents) and board["uid"] and board["title"]
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24 and not taken & cells, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert "$instance" in target["expr"], panel["title"]


def test_idle_port_of_nobody(binary):
    assert health(binary, f"127.0.0.1:{free_port()}").returncode == 1
