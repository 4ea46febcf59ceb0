"""Source docker-api while the Engine's follower cannot be trusted: it skips whole files of a log that rotates faster than it reads."""

import collections
import json
import os
import subprocess
import time

import pytest
from lib.system import wait_until
from lib.verify import Verifier, assert_collected

SHELL = "debian:bookworm-slim"
PAD = "x" * 160


@pytest.fixture
def collect(engine, sidetail, tmp_path):
    def make(**more):
        config = {"source": "docker-api", "include": {"labels": [f"sidetail.test={engine.session}"]}, "sink": "file",
                  "file": {"path": str(tmp_path / "out.json")}}  # fmt: skip
        config.update(more)
        return sidetail(config)

    return make


def burst(count):
    """Lines as fast as they can be written."""
    return f'seq -f "line %.0f {PAD}" 1 {count}', [f"line {number} {PAD}" for number in range(1, count + 1)]


def steady(rounds):
    """A hundred lines at once, a little pause, and so on."""
    shell = f'i=0; while [ $i -lt {rounds} ]; do i=$((i+1)); seq -f "$i.%.0f {PAD}" 1 100; sleep 0.004; done'
    return shell, [f"{one}.{number} {PAD}" for one in range(1, rounds + 1) for number in range(1, 101)]


def pieces(count, length):
    """Short lines, and each third one in pieces of 16 KiB."""
    shell = (f'L=$(head -c {length} /dev/zero | tr "\\0" x); i=0; while [ $i -lt {count} ]; do i=$((i+1)); '
             f'if [ $((i%3)) = 0 ]; then echo "$i $L"; else echo "$i short"; fi; [ $((i%10)) = 0 ] && sleep 0.1; done; true')  # fmt: skip
    return shell, [f"{number} short" if number % 3 else f"{number} " + "x" * length for number in range(1, count + 1)]


def slow(count, parts, length):
    """Lines of many pieces, a part of that length at a time: files are rotated, and streams opened, while a line is written."""
    shell = (f'L=$(head -c {length} /dev/zero | tr "\\0" x); i=0; while [ $i -lt {count} ]; do i=$((i+1)); echo -n "$i "; '
             f'j=0; while [ $j -lt {parts} ]; do j=$((j+1)); echo -n "$L"; sleep 0.02; done; echo; done; true')  # fmt: skip
    return shell, [f"{number} " + "x" * parts * length for number in range(1, count + 1)]


# What is written, into how many containers, with which max-size. All of it is kept.
SCENARIOS = {
    "burst": (burst(60000), 1, "2m"),
    "bursts": (burst(30000), 3, "1m"),
    "steady": (steady(300), 1, "1m"),
    "pieces": (pieces(90, 60000), 3, "100k"),
    "longer than a file": (pieces(60, 300000), 1, "100k"),
    "slow": (slow(5, 20, 15000), 1, "100k"),
}


def assert_all_collected(s, containers, lines):
    s.wait_lines(len(lines) * len(containers), 120)
    s.wait_quiet()
    got = collections.defaultdict(list)
    for record in s.records():
        got[record["id"]].append(record["log"])
    for one in containers:
        assert got[one.id[:12]] == lines, "lost, doubled, reordered or made of two"
    assert s.metrics()["sidetail_gaps_total"] == 0


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_rotated_faster_than_it_is_read(engine, collect, driver, scenario):
    (shell, lines), count, size = SCENARIOS[scenario]
    s = collect().start()
    s.wait_stderr("the Engine answers")
    options = {"max-size": size, "max-file": "200"}
    containers = [
        engine.run("sh", "-c", shell, image=SHELL, log_driver=driver, log_opts=options, options=["--network", "none"])
        for _ in range(count)
    ]
    assert_all_collected(s, containers, lines)
    s.stop_cleanly()


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_tail_of_a_burst(engine, binary, tmp_path, driver):
    """`sidetail tail` shows all of it as well."""
    shell, lines = burst(60000)
    one = engine.run("sh", "-c", "sleep 2; " + shell, image=SHELL, log_driver=driver,
                     log_opts={"max-size": "2m", "max-file": "200"}, options=["--network", "none"])  # fmt: skip
    out = tmp_path / "out"
    with open(out, "wb") as stdout:
        tail = subprocess.Popen([binary, "tail", "--json", one.name], stdout=stdout, stderr=subprocess.DEVNULL)
    seen = lambda: out.read_bytes().count(b"\n")
    wait_until(lambda: seen() >= len(lines), 120, lambda: f"{seen()} of {len(lines)}")
    tail.terminate()
    tail.wait(20)
    shown = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [line["log"] for line in shown if "log" in line] == lines


def test_a_long_log_is_gone_through_again(engine, collect):
    """An Engine before 23.0 that is asked for what follows a time leaves out rotated files of `local`. It is asked for all then, which
    takes it longer than a stream may be silent."""
    first, lines = burst(250000)
    shell = f"[ -e /twice ] && exec seq 1 20000; touch /twice; {first}"
    one = engine.run("sh", "-c", shell, image=SHELL, log_driver="local", log_opts={"max-size": "300k", "max-file": "500"},
                     options=["--network", "none"])  # fmt: skip
    one.wait()
    s = collect().start()
    s.wait_lines(len(lines), 120)
    s.stop_cleanly()
    one.start()
    one.wait()
    s.start()
    assert_all_collected(s, [one], lines + [str(number) for number in range(1, 20001)])
    s.stop_cleanly()


@pytest.mark.parametrize("size", ["20k", "10m"], ids=["each is checked", "taken on credit"])
def test_lines_skipped_in_a_trickle(engine, proxy, collect, size):
    """The proxy does what an Engine does in a bad moment. Each line is far from the one before; where they are taken on credit
    what was skipped comes later than it was written."""
    s = collect(docker={"host": proxy.host}).start()
    s.wait_stderr("the Engine answers")
    options = {"max-size": size, "max-file": "50"}
    engine.write("a", count=400, rate=20, container={"log_driver": "local", "log_opts": options})
    for seen in (40, 120, 300):
        s.wait_lines(seen)
        proxy.skip = 3
    wait_until(lambda: proxy.skip == 0, 20, "the last ones were skipped")
    s.wait_lines(400)
    s.wait_quiet()
    check = Verifier()
    check.expect("a", total=400)
    check.add_records(s.records())
    late_ok = lambda fault: size == "10m" and "order" in fault
    assert not [fault for fault in check.faults() if not late_ok(fault)]
    assert proxy.skipped == 9
    s.stop_cleanly()


@pytest.mark.parametrize("size", ["300k", "10m"])
@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_lines_that_come_again(engine, proxy, collect, driver, size):
    """A follower of the Engine that opens a new file in the moment of a rotation reads it twice. The proxy does so in any moment."""
    s = collect(docker={"host": proxy.host}).start()
    s.wait_stderr("the Engine answers")
    # An Engine before 23.0 is asked anew at each long line. Between two of them a stream brings more lines than come again.
    engine.write("a", count=600, rate=40, stderr=30, long_every=50, long_length=60000,
                 container={"log_driver": driver, "log_opts": {"max-size": size, "max-file": "500"}})  # fmt: skip
    for seen, frames in ((30, 1), (80, 2), (160, 3), (260, 5)):
        s.wait_lines(seen)
        proxy.again = frames
        wait_until(lambda: proxy.again == 0, 60, "the last ones came again")
    assert_collected(s, timeout=120, a={"total": 600})
    assert proxy.repeated == 11
    s.stop_cleanly()


def test_tail_of_lines_that_come_again(engine, proxy, binary, tmp_path):
    one = engine.write("a", count=400, rate=40, stderr=30, container={"log_opts": {"max-size": "20k", "max-file": "500"}})
    out = tmp_path / "out"
    with open(out, "wb") as stdout:
        tail = subprocess.Popen([binary, "tail", "--json", one.name], stdout=stdout, stderr=subprocess.DEVNULL,
                                env={**os.environ, "DOCKER_HOST": proxy.host})  # fmt: skip
    shown = lambda: [json.loads(line) for line in out.read_bytes().splitlines(True) if line.endswith(b"\n")]
    lines = lambda: [record["log"] for record in shown() if "log" in record]
    for seen, frames in ((30, 1), (80, 3), (160, 8)):
        wait_until(lambda: len(lines()) >= seen, 60)  # noqa: B023
        proxy.again = frames
        wait_until(lambda: proxy.again == 0, 60, "the last ones came again")
    wait_until(lambda: len(lines()) >= 400, 60, lambda: f"{len(lines())} of 400")
    one.wait()
    time.sleep(1)
    tail.terminate()
    tail.wait(20)
    assert len(lines()) == len(set(lines())) == 400
    assert proxy.repeated == 12


def test_a_trickle_is_not_checked_line_by_line(engine, proxy, collect):
    s = collect(docker={"host": proxy.host}).start()
    s.wait_stderr("the Engine answers")
    engine.write("a", count=600, rate=30, container={"log_opts": {"max-size": "10m", "max-file": "3"}})
    assert_collected(s, a=600)
    assert proxy.checks < 40
    s.stop_cleanly()
