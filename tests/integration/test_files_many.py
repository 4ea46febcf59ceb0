"""More logs than file descriptors, and very many of them."""

import tempfile
from pathlib import Path

import pytest
from lib.system import wait_until


@pytest.fixture
def logs():
    """At a path as short as that of a volume: what a path takes counts for each log four times."""
    with tempfile.TemporaryDirectory(prefix="logs-") as directory:
        yield Path(directory)


@pytest.fixture
def collect(sidetail, tmp_path, logs):
    def make(**config):
        return sidetail({
            "source": "files",
            "files": {"include": [f"{logs}/{{service}}/*.log"]},
            "sink": "file",
            "file": {"path": str(tmp_path / "out.log")},
            "format": "raw",
            **config,
        })  # fmt: skip

    return make


def append(path, *lines):
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def few_descriptors(count):
    return ["prlimit", f"--nofile={count}:{count}"]


def test_more_logs_than_descriptors(collect, logs):
    """60 logs under a limit of 40: all are read, each of their later lines too, and at the next start nothing again."""
    names = [f"web/{number}" for number in range(60)]
    for name in names:
        append(logs / f"{name}.log", f"{name} a")
    collector = collect().start(prefix=few_descriptors(40))
    collector.wait_lines(60)
    for name in names:
        append(logs / f"{name}.log", f"{name} b")
    collector.wait_lines(120)
    metrics = collector.metrics()
    assert metrics["sidetail_waiting_logs"] == 0
    assert metrics["sidetail_closed_logs_total"] > 0
    assert collector.http("/readyz") == "ready\n"
    assert collector.stderr().count("more logs than file descriptors") == 1
    collector.stop_cleanly()
    for name in names:
        append(logs / f"{name}.log", f"{name} c")
    collector.start(prefix=few_descriptors(40))
    collector.wait_lines(180)
    collector.stop_cleanly()
    assert sorted(collector.lines()) == sorted(f"{name} {line}".encode() for name in names for line in "abc")


def test_a_tenant_with_many_logs(collect, logs):
    """600 files of one tenant under a limit of 256: another's log goes on at once, also through rotations that keep little."""
    good = logs / "good" / "a.log"
    append(good, "g0")
    collector = collect().start(prefix=few_descriptors(256))
    collector.wait_lines(1)
    for number in range(600):
        append(logs / "evil" / f"{number}.log", "x")
    collector.wait_lines(601)
    append(logs / "new" / "n.log", "n0")
    append(good, "g1")
    collector.wait_lines(603)
    for number in range(2, 6):  # with one rotated file kept
        good.rename(f"{good}.1")
        append(good, f"g{number}")
        collector.wait_lines(602 + number)
    assert [line for line in collector.lines() if line.startswith(b"g")] == [f"g{number}".encode() for number in range(6)]
    metrics = collector.metrics()
    assert metrics["sidetail_gaps_total"] == metrics["sidetail_lost_bytes_total"] == 0
    assert metrics["sidetail_open_files"] <= 240
    collector.stop_cleanly()


def test_rotated_while_it_is_closed(collect, logs):
    """A log that is closed for others, renamed by a rotation, and compressed."""
    first = logs / "web" / "0.log"
    append(first, "1")
    collector = collect().start(prefix=few_descriptors(40))
    collector.wait_lines(1)
    for number in range(1, 60):
        append(logs / "web" / f"{number}.log", "x")
    collector.wait_lines(60)
    wait_until(lambda: str(first) not in collector.open_files(), what="it is closed")
    append(first, "2")
    first.rename(f"{first}.1")
    append(first, "3")
    collector.wait_lines(62)
    assert [line for line in collector.lines() if line != b"x"] == [b"1", b"2", b"3"]
    collector.stop_cleanly()


@pytest.mark.figures
def test_ten_thousand_logs_within_32_mib(collect, logs):
    """With a line each, in a directory each: at the first start, and at the second, which finds all their positions."""
    count = 10000
    for number in range(count):
        append(logs / f"service-{number:05}" / "a.log", f"line {number}")
    collector = collect()
    for starts in (1, 2):
        collector.start(prefix=few_descriptors(20000))
        wait_until(lambda: collector.stderr().count("msg=collecting") == starts, 120, "all are followed")
        collector.wait_lines(count, timeout=60)
        assert collector.peak_rss() < 32 << 20, f"at start {starts}"
        assert collector.metrics()["sidetail_feeds"] == count
        collector.stop_cleanly(timeout=60)
    assert sorted(collector.lines()) == sorted(f"line {number}".encode() for number in range(count))
