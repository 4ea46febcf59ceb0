"""`overrides`: settings for some containers, in the running collector, by `sidetail check`, and into Kafka's topics."""

import json

import pytest
from lib.kafka_sink import committed
from lib.system import run, wait_until

TRACE = ["java.lang.IllegalStateException: no more seats", "\tat shop.Cart.add(Cart.java:42)"]


class Containers:
    """Docker's directory of them, made by hand."""

    def __init__(self, path):
        self.path = path
        self.logs, self.count = {}, 0
        path.mkdir()

    def add(self, name, **labels):
        self.count += 1
        ident = f"{self.count:064x}"
        directory = self.path.parent / ident
        directory.mkdir()
        config = {"ID": ident, "Name": f"/{name}", "Config": {"Image": "x", "Labels": labels}}
        (directory / "config.v2.json").write_text(json.dumps(config))
        (directory / f"{ident}-json.log").touch()
        directory.rename(self.path / ident)  # never seen half made
        self.logs[name] = self.path / ident / f"{ident}-json.log"

    def write(self, name, *texts, second=0):
        entries = [{"log": text + "\n", "stream": "stdout", "time": f"2026-11-24T05:00:{second:02}Z"} for text in texts]
        with open(self.logs[name], "a") as log:
            log.write("".join(json.dumps(entry) + "\n" for entry in entries))


@pytest.fixture
def containers(tmp_path):
    return Containers(tmp_path / "containers")


@pytest.fixture
def collector(sidetail, containers):
    def make(overrides, **config):
        return sidetail({"json_file": {"path": str(containers.path)}, "overrides": overrides, **config})

    return make


def logs(collector, service):
    return [record["log"] for record in collector.records() if record["service"] == service]


def test_rules_for_some(collector, containers):
    for name in ("cart", "mail", "web"):
        containers.add(name, tier="back" if name == "mail" else "front")
    one = collector(
        [
            {"match": {"services": ["c*"]}, "set": {"multiline": {"rule": "java"}, "drop": []}},
            {"match": {"labels": ["tier=back"], "containers": ["mail", "post"]}, "set": {"redact": ["\\d+"], "detect_level": False}},
        ],
        drop=["^GET "], detect_level=True,
    ).start()  # fmt: skip
    for name in ("cart", "mail", "web"):
        containers.write(name, *TRACE, "GET /healthz", "WARN card 4711")
    one.wait_lines(3 + 3 + 3)
    assert logs(one, "cart") == ["\n".join(TRACE), "GET /healthz", "WARN card 4711"]
    assert logs(one, "web") == [*TRACE, "WARN card 4711"]
    assert logs(one, "mail") == [TRACE[0], TRACE[1].replace("42", "[redacted]"), "WARN card [redacted]"]
    assert [record.get("level") for record in one.records() if record["log"].startswith("WARN")].count("warn") == 2
    assert one.metrics()['sidetail_dropped_lines_total{reason="rule"}'] == 2
    one.stop_cleanly()


def test_later_ones_go_over_earlier_ones(collector, containers):
    containers.add("web", team="a")
    one = collector([
        {"match": {"services": ["*"]}, "set": {"parse_json": "first", "redact": ["a+"], "redact_with": "1"}},
        {"match": {"labels": ["team"]}, "set": {"parse_json": "second", "redact": ["b+"]}},
        {"match": {"services": ["*"], "labels": ["other"]}, "set": {"parse_json": "third"}},
    ]).start()  # fmt: skip
    containers.write("web", '{"k":"aabb"}')
    one.wait_lines(1)
    (record,) = one.records()
    assert record["second"] == {"k": "aa1"}
    assert record["log"] == '{"k":"aa1"}'
    assert not {"first", "third"} & set(record)
    one.stop_cleanly()


def test_formats_of_some(collector, containers):
    for name in ("a", "b", "c"):
        containers.add(name)
    one = collector(
        [{"match": {"services": ["a"]}, "set": {"format": "raw"}}, {"match": {"services": ["b"]}, "set": {"format": "logfmt"}}],
        host="here",
    ).start()  # fmt: skip
    for name in ("a", "b", "c"):
        containers.write(name, f"I am {name}")
    one.wait_lines(3)
    raw, logfmt, as_json = sorted(one.lines(), key=lambda line: {b"I": 0, b"t": 1, b"{": 2}[line[:1]])
    assert raw == b"I am a"
    assert b' service=b stream=stdout msg="I am b"' in logfmt
    assert json.loads(as_json)["log"] == "I am c"
    one.stop_cleanly()


def test_a_limit_for_one(collector, containers):
    for name in ("loud", "calm"):
        containers.add(name)
    one = collector([{"match": {"services": ["loud"]}, "set": {"rate_limit": 10}}], rate_limit=1000, rate_burst=1000).start()
    for name in ("loud", "calm"):
        containers.write(name, *map(str, range(100)))
        containers.write(name, "late", second=30)
    one.wait_for(lambda records: len([r for r in records if r["log"] == "late"]) == 2)
    assert logs(one, "calm") == [*map(str, range(100)), "late"]
    told = logs(one, "loud")
    assert told[:10] == [str(i) for i in range(10)]
    assert told[-2:] == ["sidetail: 90 lines dropped by rate_limit in 1 s", "late"]
    one.stop_cleanly()


def test_a_reload_holds_for_lines_to_come(collector, containers):
    """What an old rule holds is let go by it. A new match, another set for the same match, and none any more."""
    containers.add("web", team="a")
    containers.add("db", team="b")
    one = collector([{"match": {"labels": ["team=a"]}, "set": {"multiline": {"rule": "java", "wait": "1m"}, "format": "logfmt"}}]).start()
    containers.write("web", *TRACE)
    containers.write("db", *TRACE)
    one.wait_lines(2)  # web's is held
    for step, overrides in enumerate([
        [{"match": {"labels": ["team=a"]}, "set": {"redact": ["[a-z]"]}}],
        [{"match": {"labels": ["team=b"]}, "set": {"redact": ["[0-9]"]}}, {"match": {"labels": ["team=a"]}, "set": {"drop": ["x"]}}],
        [],
    ]):  # fmt: skip
        one.config["overrides"] = overrides
        one.reload()
        wait_until(lambda: one.stderr().count("the configuration was reloaded") == step + 1)
        for name in ("web", "db"):
            containers.write(name, f"x{step}", f"y{step}")
        one.wait_lines([7, 10, 14][step])
    lines = [line.decode() for line in one.lines()]
    assert 'msg="java.lang.IllegalStateException: no more seats\\n\\tat shop.Cart.add(Cart.java:42)"' in lines[2]
    records = [json.loads(line) for line in lines[:2] + lines[3:]]
    told = lambda service: [record["log"] for record in records if record["service"] == service]
    assert told("web") == ["[redacted]0", "[redacted]0", "y1", "x2", "y2"]
    assert told("db") == [*TRACE, "x0", "y0", "x[redacted]", "y[redacted]", "x2", "y2"]
    one.stop_cleanly()


def test_a_mistake_in_a_reload_changes_nothing(collector, containers):
    containers.add("web")
    one = collector([{"match": {"services": ["web"]}, "set": {"drop": ["^x"]}}]).start()
    one.wait_stderr("collecting")
    one.config["overrides"] = [{"match": {"services": ["web"]}, "set": {"drop": ["("]}}]
    one.reload()
    one.wait_stderr(r"not reloaded.*overrides\[0\]\.set\.drop\[0\]")
    containers.write("web", "x", "y")
    one.wait_lines(1)
    assert logs(one, "web") == ["y"]
    one.stop_cleanly()


def test_changed_labels_of_a_container_made_anew(collector, containers):
    """Compose makes a new container of the same name when a label changes."""
    containers.add("web", noisy="yes")
    one = collector([{"match": {"labels": ["noisy=yes"]}, "set": {"drop": ["DEBUG"]}}]).start()
    containers.write("web", "DEBUG 1", "INFO 1")
    one.wait_lines(1)
    containers.add("web", noisy="no")
    containers.write("web", "DEBUG 2", "INFO 2")
    one.wait_lines(3)
    assert logs(one, "web") == ["INFO 1", "DEBUG 2", "INFO 2"]
    one.stop_cleanly()


def test_kafka_topics_of_some(collector, containers, kafka, tmp_path):
    for name in ("web", "audit"):
        containers.add(name)
    name = f"overrides-{tmp_path.name.replace('_', '-')}"
    one = collector(
        [{"match": {"services": ["audit"]}, "set": {"kafka": {"topic": f"{name}.kept"}, "format": "raw"}}],
        sink="kafka", kafka={"brokers": kafka.bootstrap, "topic": f"{name}.{{service}}", "identity": name, "positions_topic": f"{name}-positions"},
    ).start()  # fmt: skip
    for service in ("web", "audit"):
        containers.write(service, *[f"{service} {i}" for i in range(50)])
    messages = committed(kafka, name + r"\..*", 100)
    kept = [message.value for message in messages if message.topic == f"{name}.kept"]
    assert kept == [f"audit {i}" for i in range(50)]
    rest = [message for message in messages if message.topic != f"{name}.kept"]
    assert {message.topic for message in rest} == {f"{name}.web"}
    assert [json.loads(message.value)["log"] for message in rest] == [f"web {i}" for i in range(50)]
    told = run(one.binary, "check", "--connect", "-c", one.config_path).stdout
    assert f"topic {name}.kept: " in told and f"topics {name}.{{service}}: " in told
    # Another topic takes no restart, as the one of all does.
    one.config["overrides"][0]["set"] = {"kafka": {"topic": f"{name}.other"}}
    one.reload()
    one.wait_stderr("the configuration was reloaded")
    containers.write("audit", "new")
    (message,) = committed(kafka, name + r"\.other", 1)
    assert json.loads(message.value)["log"] == "new"
    one.stop_cleanly()


def test_labels_by_the_engine(engine, sidetail, tmp_path):
    overrides = [{"match": {"labels": ["sidetail.test.kind=loud"]}, "set": {"drop": ["^a"]}}]
    one = sidetail({"source": "docker-api", "include": {"labels": [f"sidetail.test={engine.session}"]}, "overrides": overrides,
                    "sink": "file", "file": {"path": str(tmp_path / "out.json")}}).start()  # fmt: skip
    for name, labels in (("loud", {"sidetail.test.kind": "loud"}), ("calm", {})):
        engine.run("sh", "-c", "echo a; echo b", image="debian:bookworm-slim", name=name, labels=labels)
    one.wait_lines(3)
    assert sorted(record["log"] for record in one.records()) == ["a", "b", "b"]
    one.stop_cleanly()


def hint(**labels):
    return {f"sidetail.{key}": value for key, value in labels.items()}


def test_containers_ask_for_themselves(collector, containers):
    containers.add("shop", **hint(multiline="java", redact="card=\\d+", drop="^DEBUG", parse_json="message"))
    containers.add("mail", **{"sidetail.drop.one": "^MORE", "sidetail.rate_limit": "3"})
    containers.add("web")
    one = collector([{"match": {"services": ["shop"]}, "set": {"detect_level": True}}], drop=["^GET /healthz"], redact=["secret"]).start()
    for name in ("shop", "mail", "web"):
        containers.write(name, *TRACE, "DEBUG", "GET /healthz", "MORE", '{"k":"secret card=4711"}')
    one.wait_lines(3 + 3 + 5)
    assert logs(one, "shop") == ["\n".join(TRACE), "MORE", '{"k":"[redacted] [redacted]"}']
    assert logs(one, "mail") == [*TRACE, "DEBUG"]  # … which is the third line, and no more may come
    assert logs(one, "web") == [*TRACE, "DEBUG", "MORE", '{"k":"[redacted] card=4711"}']
    records = [record for record in one.records() if record["service"] == "shop"]
    assert (records[0]["level"], records[2]["message"]) == ("error", {"k": "[redacted] [redacted]"})
    assert one.metrics()["sidetail_refused_hints_total"] == 0
    one.stop_cleanly()


def test_wrong_labels_are_told_once(collector, containers):
    containers.add("web", **hint(drop="(", redact="a+", keep="x", rate_limit="much"), **{"sidetail.mutliline": "go", "sidetail.own": "1"})
    one = collector([], redact=["b+"]).start()
    containers.write("web", "aabb")
    one.wait_lines(1)
    assert logs(one, "web") == ["[redacted][redacted]"]
    for turn in range(2):
        one.reload()
        wait_until(lambda turn=turn: one.stderr().count("the configuration was reloaded") == turn + 1)
    told = [line for line in one.stderr().splitlines() if "a container's label is wrong" in line]
    assert len(told) == one.metrics()["sidetail_refused_hints_total"] == 4
    assert all(" container=web " in line for line in told)
    assert [line for line in told if " label=sidetail.rate_limit " in line and "expected a whole number" in line]
    assert [line for line in told if " label=sidetail.mutliline " in line and "expected sidetail.multiline" in line]
    one.stop_cleanly()


def test_what_labels_may_set_is_the_operators(collector, containers):
    containers.add("web", **hint(drop="^x", format="raw"))
    one = collector([], hints={"allow": []}).start()
    containers.write("web", "x1")
    one.wait_lines(1)
    for step, allow in enumerate((["drop"], ["format"])):
        one.config["hints"] = {"allow": allow}
        one.reload()
        wait_until(lambda step=step: one.stderr().count("the configuration was reloaded") == step + 1)
        containers.write("web", f"x{step + 2}", f"y{step + 2}")
        one.wait_lines([2, 4][step])
    lines = one.lines()
    assert [json.loads(line)["log"] for line in lines[:2]] == ["x1", "y2"]
    assert lines[2:] == [b"x3", b"y3"]
    one.stop_cleanly()


@pytest.mark.parametrize("source", ["docker-api", "json-file"])
def test_labels_of_real_containers(engine, sidetail, tmp_path, source):
    """Made anew with another label, the container's lines to come go by that."""
    config = {"source": source, "include": {"labels": [f"sidetail.test={engine.session}"]}}
    config.update(sink="file", file={"path": str(tmp_path / "out.json")})
    if source == "json-file":
        config["json_file"] = {"path": str(engine.containers_dir)}
    one = sidetail(config).start()
    one.wait_stderr("collecting")
    for count, (name, labels) in enumerate((("one", hint(drop="^a")), ("two", hint(drop="^b", redact="c")), ("three", {}))):
        engine.run("sh", "-c", "echo a; echo b; echo c", image="debian:bookworm-slim", name=name, labels=labels)
        one.wait_lines([2, 4, 7][count])
    assert [record["log"] for record in one.records()] == ["b", "c", "a", "[redacted]", "a", "b", "c"]
    one.stop_cleanly()


def test_check_tells_what_each_does(binary, tmp_path):
    path = tmp_path / "c.json"
    overrides = [
        {"match": {"services": ["web-*", "api"], "labels": ["a=b"]}, "set": {"drop": ["^D"], "multiline": {"rule": "go"}}},
        {"match": {"containers": ["x"]}, "set": {"rate_limit": 5}},
    ]
    path.write_text(json.dumps({"drop": ["x"], "overrides": overrides}))
    done = run(binary, "check", "-c", path)
    assert json.loads(done.stdout)["overrides"] == overrides
    assert done.stderr.splitlines() == [
        'overrides[0] for services web-*, api with labels a=b: multiline.rule is "go" in place of "", drop is ["^D"] in place of ["x"]',
        "overrides[1] for containers x: rate_limit is 5 in place of 0",
    ]


FINE = {"match": {"services": ["a"]}, "set": {"drop": ["x"]}}


@pytest.mark.parametrize("overrides, said", [
    ([{**FINE, "set": {"drop": ["x", "("]}}], 'overrides[0].set.drop[1]: found "("'),
    ([FINE, {**FINE, "set": {"multiline": {"rul": "go"}}}], "overrides[1].set.multiline.rul: found an unknown key; expected format"),
    ([{**FINE, "set": {"kafka": {"brokers": "a:1"}}}], "overrides[0].set.kafka.brokers: found a key that holds for all containers"),
    ([{**FINE, "set": {"batch": 5}}], "overrides[0].set.batch: found a number; expected an object"),
    ([{**FINE, "set": {}}], "overrides[0].set: found an empty object"),
    ([{**FINE, "match": {"service": ["a"]}}], "overrides[0].match.service: found an unknown key; expected services,"),
    ([{**FINE, "match": {"services": []}}], "overrides[0].match.services: found an empty array"),
    ([{**FINE, "match": {"services": ["a", ""]}}], "overrides[0].match.services[1]: found"),
    ([{**FINE, "more": 1}], "overrides[0].more: found an unknown key; expected match or set"),
    ([{"set": {"drop": ["x"]}}], "overrides[0]: found one of them only; expected an object with match and set"),
    ([FINE, 3], "overrides[1]: found a number; expected"),
    ([{**FINE, "set": {"rate_burst": 3}}], "overrides[0].set: rate_burst is set but rate_limit is 0"),
    ([{**FINE, "set": {"multiline": {"rule": "regex"}}}], "overrides[0].set: multiline.rule is"),
    ([{**FINE, "set": {"redact": ["a*"]}}], "overrides[0].set: "),
    ([FINE] * 65, "expected an array of up to 64 objects"),
])  # fmt: skip
def test_mistakes_are_named(binary, tmp_path, overrides, said):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"overrides": overrides}))
    done = run(binary, "check", "-c", path, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"sidetail: {path}:1:")
    assert said in done.stderr, done.stderr
    # The environment's are told with the variable.
    done = run(binary, "check", check=False, env={"SIDETAIL_OVERRIDES": json.dumps(overrides)})
    assert done.returncode == 2
    assert done.stderr.startswith("sidetail: SIDETAIL_OVERRIDES: ")
    assert said in done.stderr


def test_places_of_mistakes(binary, tmp_path):
    path = tmp_path / "c.json"
    path.write_text('{\n "overrides": [\n  {"match": {"services": ["a"]},\n   "set": {"drop": ["a",\n    "("]}}]}\n')
    assert f"{path}:5:5: overrides[0].set.drop[1]: " in run(binary, "check", "-c", path, check=False).stderr


def test_tried(binary, tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"overrides": [{"match": {"services": ["web"], "labels": ["a=b"]}, "set": {"drop": ["x"]}}]}))
    command = [binary, "try", "-c", path, "--json", "--service", "web", "--label"]
    assert json.loads(run(*command, "a=b", input="x\n").stdout)["dropped"] == "drop[0]"
    assert "encoded" in json.loads(run(*command, "a=c", input="x\n").stdout)
