"""sidetail try, as a user calls it: lines in, what became of them out, and no sink, checkpoint or port."""

import json
import os
import pty
import select
import socket
import subprocess

import pytest
from lib.system import REPO, run

EXAMPLES = sorted((REPO / "config" / "try").glob("*.json"))
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("SIDETAIL_", "NO_COLOR"))}


@pytest.fixture
def attempt(binary, tmp_path):
    """attempt(lines, *arguments, config={…}): the finished `sidetail try`."""

    def call(lines, *arguments, config=None, check=True):
        path = tmp_path / "try.json"
        path.write_text(json.dumps(config or {}))
        lines = lines if isinstance(lines, bytes) else lines.encode()
        done = run(binary, "try", "-c", path, *arguments, check=False, input=lines, text=False, env=CLEAN)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return call


@pytest.fixture
def outcomes(attempt):
    def call(lines, *arguments, config=None):
        return [json.loads(line) for line in attempt(lines, "--json", *arguments, config=config).stdout.splitlines()]

    return call


def entry(text, stream="stdout", time="2026-11-24T05:00:00Z"):
    return json.dumps({"log": text, "stream": stream, "time": time}) + "\n"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_have_tests_that_pass(binary, path):
    lines, expected = path.with_suffix(".lines").read_bytes(), path.with_suffix(".expected")
    command = [binary, "try", "-c", path, "--service", "shop", "--expect", expected]
    done = run(*command, input=lines, text=False, env=CLEAN)
    count = sum(line.startswith("{") for line in expected.read_text().splitlines())
    assert count > 2
    assert done.stdout.decode() == f"{count} of {count} as expected\n"
    # … and would not without their rules.
    without = [binary, "try", "--service", "shop", "--expect", expected]
    assert run(*without, check=False, input=lines, text=False, env=CLEAN).returncode == 1


def test_there_are_two_examples():
    assert len(EXAMPLES) == 2


def test_tells_decoding_rules_and_encoding(outcomes):
    config = {"drop": ["^skip", "^GET /healthz"], "redact": ["card=\\d+", "pw=\\S+"], "detect_level": True}
    dropped, plain = outcomes("GET /healthz 200\nWARN é pw=a pw=b\n", "--service", "web", "--time", "2026-01-02T03:04:05Z",
                              config=config)  # fmt: skip
    assert dropped == {"lines": [1], "format": "plain", "stream": "stdout", "dropped": "drop[1]",
                       "pattern": "^GET /healthz", "text": "GET /healthz 200"}  # fmt: skip
    assert plain["lines"] == [2]
    assert plain["level"] == "warn"
    # Places are bytes of the text as it came.
    assert plain["redacted"] == [{"from": 8, "to": 12, "rule": "redact[1]", "pattern": "pw=\\S+"},
                                 {"from": 13, "to": 17, "rule": "redact[1]", "pattern": "pw=\\S+"}]  # fmt: skip
    host = plain["encoded"].pop("host")
    assert host
    assert plain["encoded"] == {"time": "2026-01-02T03:04:05Z", "service": "web", "stream": "stdout", "level": "warn",
                                "log": "WARN é [redacted] [redacted]"}  # fmt: skip


def test_topics_of_kafka(attempt, outcomes):
    """By the template, an override's or a label's; a line that is dropped goes to none."""
    config = {"sink": "kafka", "kafka": {"brokers": "localhost:9"}, "drop": ["^skip"],
              "overrides": [{"match": {"services": ["audit"]}, "set": {"kafka": {"topic": "audit.{stream}"}}}]}  # fmt: skip
    skipped, shown = outcomes("skip\nline\n", "--service", "web shop", config=config)
    assert "topic" not in skipped
    assert shown["topic"] == "logs.web-shop"
    config["kafka"]["topic"] = "logs.{service}.{container}"
    assert outcomes("line\n", "--service", "web", "--container", "web_1", config=config)[0]["topic"] == "logs.web.web_1"
    (audit,) = outcomes("2026-11-24T05:00:00Z stderr F line\n", "--service", "audit", config=config)
    assert audit["topic"] == "audit.stderr"
    assert "\n      to topic audit.stdout\n" in attempt("line\n", "--service", "audit", config=config).stdout
    assert "topic" not in outcomes("line\n")[0]


def test_keep_and_the_whole_text_redacted(outcomes):
    kept, left = outcomes("yes\nno\n", config={"keep": ["^y"]})
    assert kept["encoded"]["log"] == "yes"
    assert (left["dropped"], left["text"], "pattern" in left) == ("keep", "no", False)
    slow = {"redact": ["(a+)+$"]}
    (given_up,) = outcomes("a" * 40 + "b\n", config=slow)
    assert given_up["redacted"].startswith("all")
    assert given_up["encoded"]["log"] == "[redacted]"


def test_joins_parts_and_groups_of_each_stream(outcomes):
    lines = (
        "2026-11-24T05:00:00.1Z stderr P Traceback (most recent \n"
        "2026-11-24T05:00:00.2Z stdout F between\n"
        "2026-11-24T05:00:00.3Z stderr F call last):\n"
        '2026-11-24T05:00:00.4Z stderr F   File "x.py", line 3, in <module>\n'
        "2026-11-24T05:00:00.5Z stderr F ValueError: x\n"
        "not CRI\n"
        "2026-11-24T05:00:00.6Z stderr F after\n"
    )
    config = {"multiline": {"rule": "python"}}
    between, stray, trace, after = outcomes(lines, config=config)
    assert (between["lines"], between["encoded"]["log"], "joined" in between) == ([2], "between", False)
    assert (stray["lines"], stray["malformed"]) == ([6], True)
    assert trace["lines"] == [1, 3, 4, 5]
    assert (trace["joined"], trace["format"], trace["stream"], trace["time"]) == ("multiline", "cri", "stderr", "2026-11-24T05:00:00.1Z")
    assert trace["encoded"]["log"].startswith("Traceback (most recent call last):\n")
    assert after["lines"] == [7]
    parts = outcomes(lines, "--format", "cri")
    assert [(part["lines"], part.get("joined")) for part in parts][:2] == [([2], None), ([1, 3], "parts")]


def test_long_lines_are_cut(outcomes):
    pieces = outcomes("a" * 100000 + "\nb\n", config={"line_max": "32KiB"})
    assert [(piece["lines"], piece.get("partial", False)) for piece in pieces] == [([1], True)] * 3 + [([1], False), ([2], False)]
    assert sum(len(piece["encoded"]["log"]) for piece in pieces) == 100001
    shaped = outcomes("x" * 40000 + "\nb\n", config={"line_max": "32KiB", "drop": ["^x"]})
    assert [(piece["lines"], piece.get("dropped")) for piece in shaped] == [([1], "drop[0]")] * 2 + [([2], None)]
    parts = "".join(f"2026-11-24T05:00:00Z stdout P {'p' * 15000}\n" for _ in range(5)) + "2026-11-24T05:00:00Z stdout F q\n"
    for config in ({}, {"detect_level": True}):
        cut = outcomes(parts, config={"line_max": "32KiB", **config})
        assert [len(piece["encoded"]["log"]) for piece in cut] == [30000, 30000, 15001]
        assert cut[0]["lines"] == [1, 2]
        assert cut[-1]["lines"][-1] == 6


def test_rate_limit_and_its_notice(outcomes):
    told = outcomes("".join(entry(f"{i}\n") for i in range(4)), config={"rate_limit": 2})
    assert [one.get("dropped") for one in told] == [None, None, "rate_limit", "rate_limit", None]
    assert told[-1]["notice"] is True
    assert told[-1]["lines"] == []
    assert "2 lines dropped" in told[-1]["encoded"]["log"]


def test_is_what_the_collector_writes(attempt, sidetail, tmp_path):
    config = {
        "multiline": {"rule": "auto"}, "detect_level": True, "redact": ["secret\\d"], "drop": ["^DEBUG"], "host": "here",
        "parse_json": "message", "labels": ["team"],
    }  # fmt: skip
    lines = "".join(entry(text + "\n", stream, f"2026-11-24T05:00:{i:02}Z") for i, (text, stream) in enumerate([
        ("INFO one secret1", "stdout"), ("DEBUG two", "stderr"), ('{"level":"warn","k":"secret2"}', "stderr"),
        ("Traceback (most recent call last):", "stderr"), ('  File "x", line 1', "stderr"), ("E: x", "stderr"), ("last", "stderr"),
    ]))  # fmt: skip
    for form in ("json", "logfmt", "raw", "pretty"):
        log = tmp_path / form / "web" / "a.log"
        log.parent.mkdir(parents=True)
        log.write_text(lines)
        collector = sidetail({"source": "files", "files": {"include": [f"{tmp_path}/{form}/{{service}}/*.log"]},
                              "format": form, **config}, name=form).start()  # fmt: skip
        collector.wait_lines(6 if form in ("raw", "pretty") else 4)
        collector.stop_cleanly()
        told = attempt(lines, "--service", "web", config={"format": form, **config}).stdout.replace("      > ", " " * 8)
        shown = [line[8:] for line in told.splitlines() if line.startswith(" " * 8) and line[8:] != "DEBUG two"]
        assert shown == collector.stdout_path.read_text().splitlines(), form


def test_expectation_that_is_not_met(attempt, tmp_path):
    wanted = tmp_path / "wanted"
    wanted.write_text(
        "# comment\n\n"
        '{"lines":[1],"level":"info","encoded":{"log":"INFO a","stream":"stderr"}}\n'
        '{"lines":[2],"dropped":"drop[0]"}\n'
        '{"lines":[4],"encoded":{"log":"never"}}\n'
    )
    done = attempt("INFO a\nb\nc\n", "--expect", wanted, config={"detect_level": True}, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == 'line 1: encoded.stream: expected "stderr", found "stdout"'
    assert done.stdout.splitlines()[1] == 'line 2: dropped: expected "drop[0]", found nothing'
    assert done.stdout.splitlines()[2].startswith("line 3: expected no record that begins here, found {")
    assert done.stdout.splitlines()[3] == 'line 4: expected {"log":"never"}, found no record that begins here'
    assert done.stdout.splitlines()[4:] == ["0 of 3 as expected"]


def test_expectation_that_nothing_is_there(attempt, tmp_path):
    wanted = tmp_path / "wanted"
    wanted.write_text('{"redacted":null,"dropped":null}\n' * 2)
    done = attempt("plain\npw=1\n", "--expect", wanted, config={"redact": ["pw=\\d"]}, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith("line 2: redacted: expected null, found [{")
    assert done.stdout.splitlines()[1:] == ["1 of 2 as expected"]


def test_its_own_output_is_as_expected(attempt, tmp_path):
    """… and a rule that is missing is seen."""
    lines = "a pw=1\nDEBUG\n" + entry("x\n") + "c\n"
    config = {"drop": ["DEBUG"], "redact": ["pw=\\d"]}
    wanted = tmp_path / "wanted"
    wanted.write_text(attempt(lines, "--json", "--time", "2026-01-01T00:00:00Z", config=config).stdout)
    assert attempt(lines, "--expect", wanted, "--time", "2026-01-01T00:00:00Z", config=config).stdout == "4 of 4 as expected\n"
    done = attempt(lines, "--expect", wanted, "--time", "2026-01-01T00:00:00Z", config={"drop": ["DEBUG"]}, check=False)
    assert done.returncode == 1
    assert 'line 1: encoded.log: expected "a [redacted]", found "a pw=1"' in done.stdout


@pytest.mark.parametrize("content, said", [
    ('{"lines":[1]}\n{"lines":\n', "wanted:2:"),
    ("[1]\n", "wanted:1: found an array; expected an object"),
    (None, "cannot be read"),
])  # fmt: skip
def test_expectation_that_is_none(attempt, tmp_path, content, said):
    wanted = tmp_path / "wanted"
    if content:
        wanted.write_text(content)
    done = attempt("a\n", "--expect", wanted, check=False)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("arguments, said", [
    (["--label", "x"], '--label: found "x"; expected KEY=VALUE'),
    (["--format", "xml"], '--format: found "xml"; expected plain, json-file or cri'),
    (["--time", "noon"], '--time: found "noon"; expected a time'),
    (["file.log"], 'found "file.log"; expected options only'),
    (["--json", "--expect", "x"], "expected one of them"),
    (["--nonsense"], 'the option "--nonsense" is unknown'),
])  # fmt: skip
def test_wrong_arguments(attempt, arguments, said):
    done = attempt("a\n", *arguments, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_wrong_configuration(attempt):
    done = attempt("a\n", config={"drop": ["("]}, check=False)
    assert done.returncode == 2
    assert "try.json:1:" in done.stderr


def test_whose_lines_they_are(outcomes, attempt):
    config = {"labels": ["team"], "exclude": {"labels": ["team=b"]}}
    (line,) = outcomes("a\n", "--label", "team=a", "--label", "sidetail.service=api", "--container", "api-1", config=config)
    assert (line["encoded"]["service"], line["encoded"]["container"], line["encoded"]["labels"]) == ("api", "api-1", {"team": "a"})
    done = attempt("a\n", "--label", "team=b", config=config)
    assert "not collected" in done.stderr
    assert done.stdout.endswith("1 line: 1 record, 0 dropped\n")


def test_nothing_is_touched(attempt, tmp_path):
    """A configuration of a real collector: no broker is asked, no file is written, and no port is taken."""
    with socket.create_server(("127.0.0.1", 0)) as broker, socket.create_server(("127.0.0.1", 0)) as taken:
        broker.setblocking(False)
        config = {
            "sink": "kafka", "kafka": {"brokers": f"127.0.0.1:{broker.getsockname()[1]}"},
            "checkpoint": {"path": str(tmp_path / "checkpoint.json")},
            "metrics": {"listen": f"127.0.0.1:{taken.getsockname()[1]}"},
        }  # fmt: skip
        done = attempt("a\n", config=config)
        assert (done.stderr, done.stdout.splitlines()[-1]) == ("", "1 line: 1 record, 0 dropped")
        with pytest.raises(BlockingIOError):
            broker.accept()
    assert [path.name for path in tmp_path.iterdir()] == ["try.json"]


def test_any_bytes_and_no_newline_at_the_end(outcomes, attempt):
    told = outcomes(b"\xef\xbb\xbfa\0b\n\xff\xfe\x1b[31m\n\nlast", config={"drop": ["^$"]})
    assert [one["lines"] for one in told] == [[1], [2], [3], [4]]
    assert told[0]["encoded"]["log"] == "a\0b"
    assert told[1]["encoded"]["log"] == "\ufffd\ufffd\x1b[31m"
    assert told[3]["encoded"]["log"] == "last"
    raw = attempt(b"\xff\x1b]0;title\x07\n", config={"format": "raw"})
    assert "\x1b" not in raw.stdout and "\x07" not in raw.stdout
    programs = attempt("\x9b31m \u202e\n", "--json")
    assert "\x9b" not in programs.stdout and "\u202e" not in programs.stdout
    assert json.loads(programs.stdout)["encoded"]["log"] == "\x9b31m \u202e"
    assert attempt("").stdout == "0 lines: 0 records, 0 dropped\n"


def on_terminal(binary, environment):
    leader, follower = pty.openpty()
    process = subprocess.Popen([binary, "try"], stdin=subprocess.PIPE, stdout=follower, env=environment)
    os.close(follower)
    process.communicate(b"a\n", timeout=20)
    shown = b""
    while select.select([leader], [], [], 5)[0]:
        try:
            shown += os.read(leader, 4096)
        except OSError:
            break
    os.close(leader)
    return shown


def test_colours_on_a_terminal_only(binary, attempt):
    assert b"\x1b[1m1" in on_terminal(binary, {**CLEAN, "TERM": "xterm"})
    assert b"\x1b" not in on_terminal(binary, {**CLEAN, "TERM": "xterm", "NO_COLOR": "1"})
    assert "\x1b" not in attempt("a\n").stdout


def test_a_terminal_is_told_that_lines_are_waited_for(binary, attempt):
    leader, follower = pty.openpty()
    process = subprocess.Popen([binary, "try"], stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=CLEAN)
    os.close(follower)
    os.write(leader, b"a\n\x04")
    shown, said = process.communicate(timeout=20)
    os.close(leader)
    assert said == b"sidetail try: type or paste lines; Ctrl-D ends\n"
    assert shown.endswith(b"1 line: 1 record, 0 dropped\n")
    assert attempt("a\n").stderr == ""


def test_a_group_is_let_go_while_nothing_comes(binary, tmp_path):
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"multiline": {"rule": "python", "wait": "100ms"}}))
    process = subprocess.Popen([binary, "try", "-c", config, "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=CLEAN)
    try:
        process.stdin.write(b"Traceback (most recent call last):\n")
        process.stdin.flush()
        assert select.select([process.stdout], [], [], 20)[0]
        assert json.loads(process.stdout.readline())["lines"] == [1]
    finally:
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_an_expectation_waits_for_slow_lines(binary, tmp_path):
    config, wanted = tmp_path / "c.json", tmp_path / "wanted"
    config.write_text(json.dumps({"multiline": {"rule": "python", "wait": "1ms"}}))
    wanted.write_text('{"lines":[1,2]}\n')
    script = 'printf "Traceback (most recent call last):\\n"; sleep 0.3; printf "  File \\"x\\", line 1\\n"'
    done = run("bash", "-c", f"({script}) | '{binary}' try -c '{config}' --expect '{wanted}'", env=CLEAN)
    assert done.stdout == "1 of 1 as expected\n"


def test_output_that_cannot_be_written(binary):
    with open("/dev/full", "w") as full:
        done = run(binary, "try", input="a\n", stdout=full, check=False, env=CLEAN)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
