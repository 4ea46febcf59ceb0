"""Shaping in the running program: what a user configures is what comes out, through kills as well."""

import json
import random
import signal
import time

import pytest
from lib.system import REPO, append, run, wait_until

TRACES = REPO / "tests" / "data" / "traces"


@pytest.fixture
def files(files):
    """As elsewhere; .log is PATH/web/a.log."""

    def make(**config):
        collector = files(**config)
        collector.log = collector.logs / "web" / "a.log"
        return collector

    return make


def texts(collector):
    return [record["log"] for record in collector.records()]


def entry(text, stream="stdout", second=0):
    return json.dumps({"log": text + "\n", "stream": stream, "time": f"2026-11-24T05:{second // 60:02}:{second % 60:02}Z"}) + "\n"


def test_everything_at_once(files):
    collector = files(
        multiline={"rule": "auto", "wait": "200ms"},
        parse_json="message",
        detect_level=True,
        redact=["password=\\S+", "(?<=\"token\":\")[^\"]*"],
        redact_with="***",
        drop=["^GET /healthz"],
    ).start()
    collector.wait_stderr("collecting")
    trace = (TRACES / "java-cause.txt").read_text().rstrip("\n")
    append(collector.log, "GET /healthz 200\n")
    append(collector.log, '{"level":"warn","user":"é","token":"abc","n":1.10}\n')
    append(collector.log, trace + "\n")
    append(collector.log, "login with password=hunter2 done\n")
    collector.wait_lines(3)
    json_record, trace_record, login = collector.records()
    assert json_record["level"] == "warn"
    assert json_record["message"] == {"level": "warn", "user": "é", "token": "***", "n": 1.1}
    assert json_record["log"] == '{"level":"warn","user":"é","token":"***","n":1.10}'
    assert trace_record["log"] == trace and trace_record["level"] == "error"
    assert login["log"] == "login with *** done" and "message" not in login and "level" not in login
    raw = collector.stdout_path.read_bytes()
    assert b"hunter2" not in raw and b"abc" not in raw and b"healthz" not in raw
    metrics = collector.metrics()
    assert metrics['sidetail_dropped_lines_total{reason="rule"}'] == 1
    assert metrics["sidetail_redactions_total"] == 2


def test_group_waits_and_goes(files):
    """The last group of all comes out after multiline.wait, without a further line."""
    collector = files(multiline={"rule": "python", "wait": "300ms"}).start()
    collector.wait_stderr("collecting")
    trace = (TRACES / "python-chained.txt").read_text().rstrip("\n")
    append(collector.log, trace + "\n")
    began = time.monotonic()
    collector.wait_lines(1)
    assert 0.2 < time.monotonic() - began < 2
    assert texts(collector) == [trace]


def test_graceful_end_delivers_the_group(files):
    collector = files(multiline={"rule": "go", "wait": "1m"}).start()
    collector.wait_stderr("collecting")
    append(collector.log, "panic: x\n\ngoroutine 1 [running]:\n")
    wait_until(lambda: 'sidetail_lines_in_total{service="web",stream="stdout"}' in collector.metrics())
    wait_until(lambda: collector.metrics()['sidetail_lines_in_total{service="web",stream="stdout"}'] == 3)
    assert texts(collector) == []
    collector.process.terminate()
    assert collector.process.wait(15) == 0
    assert texts(collector) == ["panic: x\n\ngoroutine 1 [running]:"]


def test_groups_survive_kills(files, tmp_path):
    """Two streams that interleave, groups on both, killed again and again: each group once and whole, order kept."""
    out = tmp_path / "out.log"
    collector = files(
        files={"include": [str(tmp_path / "logs" / "{service}" / "*.log")], "format": "json-file"},
        sink="file", file={"path": str(out)}, checkpoint={"path": str(tmp_path / "cp.json"), "interval": "20ms"},
        multiline={"rule": "regex", "first": "^#", "next": "^ ", "wait": "1m"},
    )  # fmt: skip
    chance = random.Random(11)
    expected = {"stdout": [], "stderr": []}
    pending = {"stdout": [], "stderr": []}
    for number in range(60):
        stream = chance.choice(["stdout", "stderr"])
        pending[stream] += [f"#{number}"] + [f" {number}.{part}" for part in range(chance.randrange(4))]
        expected[stream].append("\n".join(line for line in pending[stream] if line[1:].split(".")[0] == str(number)))
    for stream in pending:
        pending[stream].append("end")
        expected[stream].append("end")
    collector.start()
    kills = 0
    while pending["stdout"] or pending["stderr"]:
        for _ in range(chance.randrange(1, 6)):
            stream = chance.choice([name for name in pending if pending[name]] or ["stdout"])
            if pending[stream]:
                append(collector.log, entry(pending[stream].pop(0), stream))
        time.sleep(chance.random() * 0.08)
        collector.process.send_signal(signal.SIGKILL)
        collector.process.wait()
        kills += 1
        collector.start()
    assert kills > 20

    def found(stream):
        if not out.exists():
            return []
        return [r["log"] for r in map(json.loads, out.read_bytes().splitlines()) if r["stream"] == stream]

    wait_until(lambda: all(found(stream)[-1:] == ["end"] for stream in expected), 20, lambda: found("stdout")[-3:])
    for stream in expected:
        assert found(stream) == expected[stream]


def test_rate_limit_tells(files, tmp_path):
    collector = files(
        files={"include": [str(tmp_path / "logs" / "{service}" / "*.log")], "format": "json-file"}, rate_limit=10
    )
    append(collector.log, "".join(entry(f"line {number}", second=number // 100) for number in range(1000)))
    append(collector.log, "".join(entry(f"slow {number}", second=60 + number) for number in range(20)))
    collector.start()
    wait_until(lambda: texts(collector)[-1:] == ["slow 19"])
    found = texts(collector)
    notices = [text for text in found if text.startswith("sidetail: ")]
    kept = [text for text in found if text.startswith("line ")]
    assert len(kept) == 100 and len([text for text in found if text.startswith("slow ")]) == 20
    assert sum(int(text.split()[1]) for text in notices) == 900
    assert all(record["service"] == "web" for record in collector.records())
    assert collector.metrics()['sidetail_dropped_lines_total{reason="rate_limit"}'] == 900


def test_catastrophic_regex_does_not_stop_it(files):
    collector = files(redact=["(a+)+$"], drop=["(b|bb)+$"]).start()
    collector.wait_stderr("collecting")
    began = time.monotonic()
    append(collector.log, "a" * 5000 + "!\n" + "b" * 5000 + "!\n" + "fine\n")
    collector.wait_lines(3)
    assert time.monotonic() - began < 5
    assert texts(collector) == ["[redacted]", "b" * 5000 + "!", "fine"]
    metrics = collector.metrics()
    assert metrics["sidetail_redaction_failures_total"] == 1
    assert metrics["sidetail_regex_limits_total"] == 1


def test_reload_changes_the_rules(files):
    collector = files(drop=["one"]).start()
    collector.wait_stderr("collecting")
    append(collector.log, "one\ntwo\n")
    collector.wait_lines(1)
    collector.config["drop"] = ["two"]
    collector.write_config()
    collector.process.send_signal(signal.SIGHUP)
    collector.wait_stderr("the configuration was reloaded")
    append(collector.log, "one\ntwo\nthree\n")
    collector.wait_lines(3)
    assert texts(collector) == ["two", "one", "three"]


@pytest.mark.parametrize(
    "config, said",
    [
        ({"redact": ["a", "b("]}, "missing closing parenthesis"),
        ({"drop": ["["]}, "missing terminating ]"),
        ({"multiline": {"rule": "regex", "first": "(?<n"}}, "regular expression"),
        ({"redact": ["x*"]}, "empty text"),
        ({"parse_json": "log"}, "parse_json"),
    ],
)
def test_check_finds_wrong_rules(binary, tmp_path, config, said):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(config))
    done = run(binary, "check", "-c", path, check=False, env={})
    assert done.returncode == 2 and said in done.stderr and f"{path}:1:" in done.stderr
