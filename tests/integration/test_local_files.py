"""Driver local on the real Engine: its files are followed as json-file's, nothing lost or doubled."""

import os
import random
import time

import pytest
from lib.engine import LABEL
from lib.system import run, wait_until
from lib.verify import assert_collected

CLASSES = "ascii,utf8,nul,invalid,escape,ansi"


def local(**options):
    return {"log_driver": "local", "log_opts": {name.replace("_", "-"): value for name, value in options.items()}}


@pytest.fixture
def collect(sidetail, engine, tmp_path):
    """collect(**config): a Sidetail with a file sink that follows only this test's containers."""

    def make(**config):
        file = {"path": str(tmp_path / "out.log"), **config.pop("file", {})}
        base = {
            "json_file": {"path": str(engine.containers_dir)},
            "include": {"labels": [f"{LABEL}={engine.session}"]},
        }
        return sidetail({**base, **config, "sink": "file", "file": file})

    return make


def log_files(container):
    return list((container.directory / "local-logs").glob("container.log*"))


def test_every_kind_of_container(collect, engine):
    """Fast, rotating, compressing, TTY, long lines, any bytes: all at once, all exactly once."""
    collector = collect().start()
    collector.wait_stderr("collecting")
    writers = {
        "fast": engine.write("fast", count=100000, stderr=30, service="fast", container=local()),
        "rotating": engine.write("rotating", count=6000, rate=1000, stderr=20, container=local(max_size="20k", max_file=60)),
        "bytes": engine.write("bytes", count=5000, bytes=CLASSES, length="0-300", stderr=50, container=local()),
        "long": engine.write("long", count=300, rate=100, long_every=5, long_length=60000, stderr=40,
                             container=local(max_size="200k", max_file=60)),
        "tty": engine.write("tty", count=2000, container={**local(), "tty": True}),
    }  # fmt: skip
    for container in writers.values():
        container.wait()
    totals = {"fast": 100000, "rotating": 6000, "bytes": 5000, "long": 300, "tty": 2000}
    assert_collected(collector, **{name: {"total": total} for name, total in totals.items()})
    assert collector.metrics()["sidetail_gaps_total"] == 0
    collector.stop_cleanly()


def test_rotation_while_stopped(collect, engine):
    collector = collect().start()
    container = engine.write("w", count=6000, rate=1000, stderr=10, long_every=100, long_length=40000,
                             container=local(max_size="20k", max_file=300))  # fmt: skip
    collector.wait_lines(1000)
    collector.stop_cleanly()
    rotated = len(log_files(container))
    wait_until(lambda: len(log_files(container)) > rotated + 2, 30)
    collector.start()
    container.wait()
    assert_collected(collector, w={"total": 6000})


def test_kill_9(collect, engine):
    """Kills at random instants, while a container writes, rotates and compresses."""
    collector = collect(checkpoint={"interval": "50ms"}, batch={"bytes": 16384})
    container = engine.write("a", count=6000, rate=1000, stderr=30, long_every=50, long_length=40000,
                             container=local(max_size="100k", max_file=300))  # fmt: skip
    rng = random.Random(11)
    for _ in range(30):
        collector.start()
        time.sleep(rng.uniform(0.005, 0.15))
        collector.kill()
    collector.start()
    container.wait()
    assert_collected(collector, a={"total": 6000})


def test_damaged_record_is_passed_over(collect, engine):
    container = engine.write("w", count=1000, container=local())
    container.wait()
    log = container.directory / "local-logs" / "container.log"
    with log.open("r+b") as file:
        file.seek(2)
        file.write(b"\x7f")  # the first record's length
    collector = collect().start()
    wait_until(lambda: len(list(collector.records())) == 999, 30)
    metrics = collector.metrics()
    assert metrics["sidetail_gaps_total"] == 1 and metrics["sidetail_lost_bytes_total"] > 0
    collector.wait_stderr("a log is damaged")
    collector.stop_cleanly()


SHORT_SECOND_RUN = """
if [ -e /tmp/again ]; then echo again; exec sleep 600; fi
touch /tmp/again; echo first; head -c 8000 /dev/zero | tr "\\0" x
"""


def test_torn_record_that_the_engine_appends_to(collect, engine):
    """The Engine looks at nothing that a log ends with: what it appends behind a torn record is not held up by that."""
    container = engine.run("sh", "-c", SHORT_SECOND_RUN, image="debian:bookworm-slim", **local())
    container.wait()
    log = container.directory / "local-logs" / "container.log"
    size = log.stat().st_size
    os.truncate(log, size - 1000)
    collector = collect().start()
    said = lambda: [record["log"] for record in collector.records()]
    wait_until(lambda: said() == ["first"], 30, said)
    collector.wait_quiet()
    assert collector.metrics()["sidetail_gaps_total"] == 0
    container.start()
    wait_until(lambda: said() == ["first", "again"], 30, said)
    assert log.stat().st_size < size  # less than the torn record's length says
    metrics = collector.metrics()
    assert metrics["sidetail_gaps_total"] == 1 and metrics["sidetail_lost_bytes_total"] > 6000
    collector.stop_cleanly()


def record(text):
    message = b"\x0a\x06stdout\x10\xb5\xc0\xb1\xec\xd0\xd6\x88\xf6\x18\x1a" + bytes([len(text)]) + text
    return len(message).to_bytes(4, "big") + message + len(message).to_bytes(4, "big")


def test_a_container_that_logs_records(collect, engine, tmp_path):
    """What looks like a record is none where a container wrote it, though it may be read in any pieces."""
    forged = b"".join(record(text) for text in (b"", b"x", b"\x06stdout\x10\x01\x1a", b"y" * 100, record(b"z")))
    (tmp_path / "forged").write_bytes(forged * 200 + b"\n")
    collector = collect(format="raw").start()
    collector.wait_stderr("collecting")
    container = engine.run("sh", "-c", "for i in $(seq 50); do cat /forged; done", image="debian:bookworm-slim",
                           options=["-v", f"{tmp_path}/forged:/forged:ro"], **local())  # fmt: skip
    container.wait()
    logged = container.logs()
    assert logged.count(b"\n") > 50 * 200 * 5
    wait_until(lambda: len(collector.output()) >= len(logged), 60, lambda: f"{len(collector.output())} of {len(logged)}")
    assert collector.output() == logged
    metrics = collector.metrics()
    assert metrics["sidetail_gaps_total"] == 0 and metrics["sidetail_lost_bytes_total"] == 0
    collector.stop_cleanly()


def test_tail_shows_them(engine, binary, tmp_path):
    container = engine.write("w", count=3000, container=local(max_size="100k", max_file=9))
    container.wait()
    config = tmp_path / "tail.json"
    config.write_text(f'{{"json_file": {{"path": "{engine.containers_dir}"}}}}')
    tail = ["tail", "-c", str(config), "--files", "--no-follow"]
    for lines in (5, 1500):
        shown = run(str(binary), *tail, "-n", str(lines), container.name).stdout.splitlines()
        logged = container.logs("-n", str(lines)).decode().splitlines()
        assert len(logged) == lines and [line.split("| ", 1)[1] for line in shown] == logged
