"""Source docker-api on a real Engine: what containers write comes out, once and in order."""

import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from lib.system import wait_until
from lib.verify import Verifier, assert_collected

DRIVERS = ["json-file", "local"]


def settings(session, **more):
    """Collects the containers of one test only."""
    config = {"source": "docker-api", "include": {"labels": [f"sidetail.test={session}"]}}
    config.update(more)
    return config


@pytest.fixture
def collector(engine, sidetail, tmp_path):
    """collector(...): a Sidetail over the API into a file, for the containers of this test's engine."""

    def make(engine=engine, env=None, **more):
        more.setdefault("sink", "file")
        more.setdefault("file", {"path": str(tmp_path / "out.json")})
        return sidetail(settings(engine.session, **more), env=env or {})

    return make


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "tty"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_lines_of_all_kinds(engine, collector, driver, tty):
    """Long lines (pieces of 16 KiB), no final newline, both streams, and a container that was there before."""
    kinds = "ascii,utf8,escape,ansi" if tty else "ascii,utf8,nul,invalid,escape,ansi"
    common = dict(
        count=800, bytes=kinds, long_every=40, long_length=70000, no_final_newline=True, stderr=0 if tty else 30,
        piece=16384 if driver == "json-file" else 0,
    )  # fmt: skip
    options = {"log_driver": driver, "tty": tty}
    before = engine.write("before", service="before", container=options, **common)
    before.wait()
    s = collector().start()
    engine.write("after", service="after", container=options, **common)
    tags = lambda name: {"total": 800, "tags": {"service": name}}
    assert_collected(s, before=tags("before"), after=tags("after"))
    s.stop_cleanly()


# Nothing is deleted before a busy machine comes to look. The Engine unpacks all compressed files for whoever asks, so they
# are few.
ROTATIONS = [
    ("json-file", {"max-size": "20k", "max-file": 200}),
    ("json-file", {"max-size": "60k", "max-file": 20, "compress": "true"}),
    ("local", {"max-size": "20k", "max-file": 200}),
]


@pytest.mark.parametrize("driver,log_opts", ROTATIONS, ids=["json-file", "json-file-gz", "local"])
def test_rotation(engine, collector, driver, log_opts):
    """The Engine's own follower doubles and loses lines when files rotate (20.10); the collector does neither."""
    s = collector().start()
    s.wait_stderr("the Engine answers")
    container = {"log_driver": driver, "log_opts": log_opts}
    engine.write("web", count=2000, rate=300, stderr=20, service="web", container=container)
    assert_collected(s, timeout=120, web={"total": 2000, "tags": {"service": "web"}})
    s.stop_cleanly()


@pytest.mark.parametrize("driver,log_opts", ROTATIONS, ids=["json-file", "json-file-gz", "local"])
def test_rotation_inside_long_lines(engine, collector, driver, log_opts):
    """The pieces of a line lie in two files, and are told twice as well."""
    s = collector().start()
    s.wait_stderr("the Engine answers")
    container = {"log_driver": driver, "log_opts": {**log_opts, "max-size": "100k", "max-file": 200}}
    engine.write("web", count=600, rate=100, long_every=3, long_length=60000, stderr=20, container=container)
    assert_collected(s, timeout=120, web={"total": 600})
    s.stop_cleanly()


@pytest.mark.slow
@pytest.mark.parametrize("driver", DRIVERS)
def test_kill_exactly_once(engine, collector, driver):
    """kill -9 at random instants, while containers write, rotate their logs, end and start again."""
    dice = random.Random(5)
    s = collector(checkpoint={"interval": "50ms"}).start()
    log_opts = {"max-size": "200k", "max-file": 20, "compress": "false"}
    options = {"log_driver": driver, "log_opts": log_opts}
    plan = {
        "a": dict(count=24000, rate=800, stderr=30, long_every=300, long_length=40000),
        "b": dict(count=9000, rate=300, torn=True, bytes="utf8,escape"),
        "c": dict(count=1500, rate=50, no_final_newline=True),
    }
    for name, how in plan.items():
        engine.write(name, service=name, container=options, **how)
    for number in range(110):
        time.sleep(dice.uniform(0.02, 0.35))
        s.kill()
        s.start()
        if number % 10 == 0:  # short-lived ones come and go meanwhile
            engine.write(f"s{number}", count=50, service="s", container=options)
    expected = {name: {"total": how["count"], "tags": {"service": name}} for name, how in plan.items()}
    expected.update({f"s{number}": {"total": 50} for number in range(0, 110, 10)})
    assert_collected(s, timeout=90, **expected)
    s.stop_cleanly()


def test_many_containers(engine, collector):
    """60 containers that are there at the start, opened a few at a time; none is missed, all are followed."""
    for number in range(60):
        engine.docker("create", "--network", "none", "--label", f"sidetail.test={engine.session}", "sidetail-test/app",
                      "--id", f"m{number}", "--count", "20", "--linger", "600")  # fmt: skip
    created = engine.docker("ps", "-aq", "--filter", f"label=sidetail.test={engine.session}").stdout.split()
    for at in range(0, 60, 20):
        engine.docker("start", *created[at : at + 20])
    s = collector(docker={"max_opening": 4}).start()
    assert_collected(s, **{f"m{number}": {"total": 20} for number in range(60)})
    wait_until(lambda: sum(path.startswith("socket:") for path in s.open_files()) >= 60, 10)
    s.stop_cleanly()


def test_churn(engine, collector):
    """Containers that live for an instant, some of them with --rm, and one that restarts again and again."""
    s = collector().start()
    s.wait_stderr("the Engine answers")
    for number in range(25):
        engine.write(f"x{number}", count=30, container={"options": ["--network", "none"]})
    loop = engine.write("loop", count=10, run="same", container={"options": ["--restart", "always", "--network", "none"]})
    wait_until(lambda: loop.inspect()["RestartCount"] >= 6, 60)
    engine.docker("update", "--restart", "no", loop.id)
    loop.wait()
    runs = loop.inspect()["RestartCount"] + 1
    expected = {f"x{number}": {"total": 30} for number in range(25)}
    wait_until(lambda: sum(b" loop:" in line for line in s.lines()) >= runs * 10, 30)
    records = [record for record in s.records() if " loop:" in record["log"]]
    assert [record["log"].split()[4] for record in records] == [str(n) for n in range(10)] * runs

    check = Verifier()
    for name, how in expected.items():
        check.expect(name, **how)
    check.add_records(record for record in s.records() if " loop:" not in record["log"])
    check.assert_exactly_once()
    s.stop_cleanly()


def test_removed_container_is_forgotten(engine, collector):
    """Its position leaves the checkpoint once all of it is delivered."""
    s = collector().start()
    stays, goes = engine.write("stays", count=5), engine.write("goes", count=5)
    s.wait_lines(10)
    checkpoint = s.directory / "checkpoint.json"
    both = lambda: stays.id in checkpoint.read_text() and goes.id in checkpoint.read_text()
    wait_until(lambda: checkpoint.exists() and both(), 10)
    goes.wait()
    goes.remove()
    wait_until(lambda: goes.id not in checkpoint.read_text(), 10)
    assert stays.id in checkpoint.read_text()
    s.stop_cleanly()


def test_a_removal_is_no_fault(engine, collector):
    """While a container is removed, the Engine answers 409 for its log: that is nothing to warn of."""
    s = collector().start()

    def churn(number):
        for turn in range(5):
            one = engine.write(f"gone-{number}-{turn}", count=20000, container={"options": ["--network", "none"]})
            time.sleep(0.05 * (turn % 4))
            one.remove()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(churn, range(4)))
    engine.write("last", count=10, service="last").wait()
    s.wait_for(lambda records: sum(record["service"] == "last" for record in records) == 10)
    s.stop_cleanly()
    assert "answered 409" not in s.stderr()


def test_slow_sink_stops_reading(engine, collector, tmp_path):
    """Nobody reads the output: reading stops, memory stays bounded, and nothing is lost when it goes on."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    s = collector(sink="stdout", memory_max="8MiB")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    s.stdout_path = pipe
    s.start()
    s.wait_stderr("the Engine answers")
    log_opts = {"max-size": "2m", "max-file": 100}
    for name in "abcd":
        engine.write(name, count=60000, container={"log_opts": log_opts})
    wait_until(lambda: s.metrics()["sidetail_backpressure_total"] >= 1, 30)
    time.sleep(4)  # longer than streams are kept open without room
    assert s.rss() < (40 << 20) * (4 if "asan" in str(s.binary) else 1)
    before = s.metrics()["sidetail_batches_total"]
    time.sleep(1)
    assert s.metrics()["sidetail_batches_total"] == before, "it goes on reading"
    check = Verifier()
    for name in "abcd":
        check.expect(name, total=60000)
    os.set_blocking(reader, True)
    with os.fdopen(reader, "rb") as output:
        count = 0
        for line in output:
            check.add_record(json.loads(line))
            count += 1
            if count == 240000:
                break
    check.assert_exactly_once()


def test_start_at_end(engine, collector):
    """What was written before is left out; a stop before the first new line does not lose that line."""
    old = engine.run("bash", "-c", "echo old; sleep 3; echo new1; sleep 2; echo new2", image="debian:bookworm-slim")
    wait_until(lambda: b"old" in old.logs(), 10)
    s = collector(start_at="end").start()
    wait_until(lambda: (s.directory / "checkpoint.json").exists() and old.id in (s.directory / "checkpoint.json").read_text(), 10)
    s.stop_cleanly()
    wait_until(lambda: b"new1" in old.logs(), 10)
    s.start()
    s.wait_lines(2)
    fresh = engine.run("echo", "all", image="debian:bookworm-slim")
    s.wait_lines(3)
    assert [record["log"] for record in s.records()] == ["new1", "new2", "all"]
    assert fresh.wait() == 0
    s.stop_cleanly()


def test_reload_changes_filters_and_rename_changes_tags(engine, collector):
    one = engine.run("bash", "-c", "while sleep 0.1; do echo one; done", image="debian:bookworm-slim", name=None,
                     labels={"sidetail.service": "one"})  # fmt: skip
    engine.run("bash", "-c", "echo two; sleep 100", image="debian:bookworm-slim", labels={"sidetail.service": "two"})
    s = collector(exclude={"services": ["two"]}).start()
    s.wait_lines(3)
    assert {record["service"] for record in s.records()} == {"one"}
    s.config["exclude"] = {"services": ["one"]}
    s.reload()
    s.wait_stderr("was reloaded")
    s.wait_for(lambda records: any(record["log"] == "two" for record in records))
    count = len(s.lines())
    time.sleep(0.5)
    assert len(s.lines()) == count, "the one is no longer collected"
    s.config["exclude"] = {}
    s.reload()
    name = f"renamed-{engine.session}"
    engine.docker("rename", one.id, name)
    s.wait_for(lambda records: any(record["container"] == name for record in records))
    s.stop_cleanly()
    # Left out for a while, and taken up at its position: all its lines are there, once.
    check = [record["time"] for record in s.records() if record["service"] == "one"]
    assert check == sorted(set(check))
    written = one.logs().count(b"one\n")
    assert written - len(check) < 20


def test_unreadable_driver_is_said_once(engine, collector):
    mute = engine.run("echo", "x", image="debian:bookworm-slim", log_driver="none")
    s = collector().start()
    s.wait_stderr(f"nobody can read this container's log.*container={mute.name} driver=none hint=.*json-file")
    mute.start()
    mute.wait()
    time.sleep(0.5)
    assert s.stderr().count("nobody can read") == 1
    s.stop_cleanly()


def test_syslog_driver_is_read_from_the_engines_cache(engine, collector):
    """Drivers that cannot be read back are, where the Engine keeps a local copy (20.10 and later)."""
    syslog = {"log_driver": "syslog", "log_opts": {"syslog-address": "udp://127.0.0.1:9"}}
    engine.write("cached", count=300, service="cached", container=syslog, long_every=50, long_length=40000)
    s = collector().start()
    assert_collected(s, cached={"total": 300, "tags": {"service": "cached"}})
    s.stop_cleanly()


@pytest.mark.parametrize("driver", DRIVERS)
def test_lines_rotated_away_are_said(engine, collector, driver):
    """While the collector was stopped the log went round: what is left comes out, and that there was more is said."""
    s = collector().start()
    web = engine.write("web", count=4000, rate=1000, container={"log_driver": driver, "log_opts": {"max-size": "20k", "max-file": 2}})
    s.wait_lines(20)
    s.stop_cleanly()
    web.wait()
    s.start()
    s.wait_stderr("rotated away before they could be read")
    s.wait_lines(50)
    s.wait_quiet()
    assert s.metrics()["sidetail_gaps_total"] == 1
    numbers = [int(record["log"].split()[4]) for record in s.records()]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 3999
    s.stop_cleanly()
