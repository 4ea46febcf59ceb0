"""The metrics, alert rules and dashboard as a real Prometheus takes them: it scrapes collectors, and evaluates what deploy/ has."""

import re
import shutil

import pytest
import yaml
from lib.prometheus import Prometheus
from lib.system import append, run, unavailable, wait_until
from test_monitor import ALERTS, dashboard_expressions

TESTS = ALERTS.with_name("alerts.test.yaml")


@pytest.fixture(scope="module", autouse=True)
def packages():
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        unavailable("prometheus is missing: tests/setup/install.sh monitor")


@pytest.fixture
def prometheus(tmp_path):
    started = []

    def start(collector):
        directory = tmp_path / "prometheus"
        directory.mkdir()
        started.append(Prometheus(directory, [collector], ALERTS.read_text()))
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
