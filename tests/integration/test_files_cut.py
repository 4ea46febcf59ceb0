"""Logs that a loss of power cut off, and copies of logs: no line twice, and none lost."""

import os
import subprocess
import time

import pytest


@pytest.fixture
def log(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "app.log"


@pytest.fixture
def collect(sidetail, tmp_path, log):
    return sidetail({
        "source": "files",
        "files": {"include": [f"{log.parent}/*.log"]},
        "sink": "file",
        "file": {"path": str(tmp_path / "out.log")},
        "checkpoint": {"interval": "50ms"},
    })  # fmt: skip


def append(path, *lines):
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def texts(collector):
    return [record["log"] for record in collector.records()]


@pytest.mark.parametrize("count,width", [(3, 10), (10, 20), (25, 36), (50, 100)])
@pytest.mark.parametrize("how", ["line", "torn", "zeros"])
def test_cut(collect, log, count, width, how):
    """Its last bytes never reached the disk; its program goes on before the collector does, or after it."""
    lines = [f"{number:03}" + "." * (width - 4) for number in range(count)]
    append(log, *lines)
    collector = collect.start()
    collector.wait_lines(count)
    collector.stop_cleanly()
    size = log.stat().st_size
    os.truncate(log, size - (width if how == "line" else 4))
    if how == "zeros":
        os.truncate(log, size)
    if how != "torn":  # else nobody can tell where the next line begins
        append(log, "new 1", "new 2")
        lines += ["new 1", "new 2"]
    collector.start()
    collector.wait_stderr("cut off before its position")
    append(log, "new 3")
    lines.append("new 3")
    collector.wait_lines(len(lines))
    collector.wait_quiet(0.5)
    collector.stop_cleanly()
    assert texts(collector) == lines


@pytest.mark.parametrize("truncated", [False, True])
def test_copied_while_it_runs(collect, log, truncated):
    """By cp, under a name that tells nothing: it adds nothing, then or at the next start."""
    lines = [f"2026-11-24 05:30:00 line {number}" for number in range(300)]
    append(log, *lines)
    collector = collect.start()
    collector.wait_lines(300)
    copy = log.with_name("app-copy.log")
    subprocess.run(["cp", log, copy], check=True)
    time.sleep(0.2)
    if truncated:
        os.truncate(log, 0)
    append(log, "more")
    collector.wait_lines(301)
    os.utime(copy, (time.time() - 20,) * 2)  # ten seconds go by
    collector.wait_quiet(3)
    collector.stop_cleanly()
    append(log, "last")
    collector.start()
    collector.wait_lines(302)
    collector.wait_quiet(3)
    collector.stop_cleanly()
    assert texts(collector) == [*lines, "more", "last"]


def test_copied_and_truncated_while_it_is_stopped(collect, log):
    """What was not read of the log is only in the copy."""
    lines = [f"line {number}" for number in range(300)]
    append(log, *lines)
    collector = collect.start()
    collector.wait_lines(300)
    collector.stop_cleanly()
    append(log, "unread")
    subprocess.run(["cp", log, log.with_name("1.log")], check=True)
    os.truncate(log, 0)
    append(log, "anew")
    collector.start()
    collector.wait_lines(302)
    collector.wait_quiet(3)
    collector.stop_cleanly()
    assert sorted(texts(collector)) == sorted([*lines, "unread", "anew"])


def test_two_programs_that_begin_alike(collect, log):
    """With the same long banner, and then for a while nothing: both are read whole."""
    banner = [f"banner {number}" for number in range(200)]
    append(log, *banner)
    collector = collect.start()
    collector.wait_lines(200)
    other = log.with_name("other.log")
    append(other, *banner)
    time.sleep(1)
    append(other, "of the other")
    collector.wait_lines(401)
    append(log, "of the first")
    append(other, "more of the other")
    collector.wait_lines(403)
    collector.stop_cleanly()
    assert sorted(texts(collector)) == sorted([*banner, *banner, "of the other", "of the first", "more of the other"])
