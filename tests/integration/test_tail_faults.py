"""`sidetail tail` where streams hang, containers come back and the Engine's answers say little."""

import os
import re
import subprocess
import time
import uuid

import pytest
from lib.system import BINARY, wait_until
from lib.tail import shell, texts


def numbers(count):
    return [f"n{number}" for number in range(1, count + 1)]


def test_a_stream_that_hangs_is_opened_anew(engine, proxy, follow):
    """No line is lost or doubled, and a silent container's stream is left alone."""
    project = "tail" + uuid.uuid4().hex[:8]
    shell(engine, "web", "for i in $(seq 300); do echo n$i; sleep 0.05; done; sleep 600", project)
    silent = shell(engine, "silent", "echo hello; sleep 600", project)
    tail = follow("--project", project, host=proxy.host)
    wait_until(lambda: len(texts(tail)) > 20 and texts(tail, "silent"))
    opened = proxy.streams
    proxy.hang()
    stood = len(texts(tail))
    wait_until(lambda: len(texts(tail)) > stood + 20, 30)
    wait_until(lambda: len(texts(tail)) >= 300, 40)
    time.sleep(2)
    assert texts(tail) == numbers(300)
    assert texts(tail, "silent") == ["hello"]
    assert proxy.streams > opened and proxy.streams_of[silent.id] == 1
    assert tail.end() == b""


def test_a_stopped_container_that_starts_again(engine, follow):
    """Which was not shown before: from its new run's very first line on, and nothing of the runs before."""
    tag = uuid.uuid4().hex[:8]
    other = shell(engine, f"o{tag}", "echo here; sleep 600", tag)
    web = shell(engine, f"w{tag}", "for i in 1 2 3; do echo n$i; done; sleep 600", tag)
    web.kill()
    tail = follow()  # all that run
    wait_until(lambda: texts(tail, f"o{tag}") == ["here"])
    assert texts(tail, f"w{tag}") == []
    web.start()
    wait_until(lambda: len(texts(tail, f"w{tag}")) >= 3)
    other.kill()
    wait_until(lambda: re.search(rf"o{tag}\S* +\* stopped \(exit 137\)", tail.out.read_text()))
    assert texts(tail, f"w{tag}") == ["n1", "n2", "n3"]
    assert re.search(rf"w{tag}\S* +\* started", tail.out.read_text())
    tail.end()


@pytest.mark.parametrize("late", [0, 1], ids=["", "before they are heard of"])
def test_restarts_are_told_where_they_happened(engine, proxy, follow, late):
    """Between the last words of a run and the first ones of the next, and first that it stopped. From 23.0 on, the stream of
    the run before may go on with the next one, whose start is no event yet."""
    project = "tail" + uuid.uuid4().hex[:8]
    web = shell(engine, "web", "trap 'echo bye; exit 3' TERM; echo begin; while :; do echo on; sleep 0.05; done", project)
    tail = follow("--project", project, host=proxy.host if late else None)
    said = lambda: [re.sub(r"^web\S* +", "", line) for line in tail.lines()]  # noqa: E731
    wait_until(lambda: said().count("| on") > 3)
    proxy.delay_starts(web.id, late)
    for restarts in (1, 2):
        begun = time.time_ns()
        web.restart()
        wait_until(lambda: not late or proxy.started[web.id] > begun)  # noqa: B023
        wait_until(lambda: said().count("| begin") == restarts + 1)  # noqa: B023
    wait_until(lambda: said()[-1] == "| on")
    one_run = ["| begin", "| bye", "* stopped (exit 3)", "* started"]
    assert [line for line in said() if line != "| on"] == 2 * one_run + ["| begin"]
    assert tail.end() == b""


def test_what_ends_while_it_is_asked_about(engine, proxy, follow):
    """Is told once: an Engine's answer may know of the end before its event comes."""
    project = "tail" + uuid.uuid4().hex[:8]
    web = shell(engine, "web", "echo hello; sleep 600", project)
    time.sleep(3)  # longer than events are asked for from: its start would have it asked about before it is listed
    proxy.dying = web.id
    proxy.may_inspect.clear()
    proxy.may_die.clear()
    tail = follow("--project", project, host=proxy.host)
    wait_until(lambda: proxy.inspections > 0)
    web.kill()
    web.wait()
    proxy.may_inspect.set()
    wait_until(lambda: proxy.streams_of[web.id] > 0)
    proxy.may_die.set()
    wait_until(lambda: "stopped (exit 137)" in tail.out.read_text())
    web.start()
    wait_until(lambda: texts(tail) == ["hello"] * 2)
    assert tail.out.read_text().count("stopped") == tail.out.read_text().count("started") == 1
    assert tail.end() == b""


def test_what_stopped_while_the_engine_was_out_of_sight(engine, proxy, follow):
    """Is told with the number it exited with, though no event tells it."""
    project = "tail" + uuid.uuid4().hex[:8]
    web = shell(engine, "web", "for i in $(seq 20); do echo n$i; sleep 0.1; done; sleep 600", project)
    tail = follow("--project", project, host=proxy.host)
    wait_until(lambda: len(texts(tail)) > 3)
    proxy.go_down()
    time.sleep(2.5)
    web.kill()
    time.sleep(4)  # events are asked for since two seconds before
    proxy.down = False
    wait_until(lambda: "stopped" in tail.out.read_text())
    assert texts(tail) == numbers(20)
    assert re.search(r"web\S* +\* stopped \(exit 137\)", tail.out.read_text())
    assert b"the Engine answers again" in tail.end()


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "tty"])
@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_history_and_what_follows(engine, follow, driver, tty):
    """Of containers that only the Engine's list has described, whatever their kind."""
    project = "tail" + uuid.uuid4().hex[:8]
    options = ("--log-driver", driver, *(["-t"] if tty else []))
    web = shell(engine, "web", "for i in $(seq 40); do echo n$i; sleep 0.1; done", project, options=options)
    time.sleep(1)
    tail = follow("--project", project)
    web.wait()
    wait_until(lambda: "stopped (exit 0)" in tail.out.read_text())
    assert texts(tail) == numbers(40)
    assert tail.end() == b""
    again = follow("--project", project, "--no-follow", "-n", "5")
    assert again.process.wait(20) == 0
    assert texts(again) == numbers(40)[-5:]


def test_last_words_in_full(engine, follow):
    """A container that dies with much unread: its stream is given up no sooner than it is silent."""
    project = "tail" + uuid.uuid4().hex[:8]
    last = "seq 2 400000 | sed s/^/n/; exit"
    web = shell(engine, "web", f"trap '{last}' TERM; echo n1; while :; do sleep 0.05; done", project)
    reader, writer = os.pipe()
    env = {key: value for key, value in os.environ.items() if not key.startswith(("SIDETAIL_", "DOCKER_"))}
    tail = subprocess.Popen([BINARY, "tail", "--project", project], stdout=writer, stderr=subprocess.DEVNULL, env=env)
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as out:
            first = out.readline()
            web.kill("TERM")
            web.wait()
            time.sleep(3)  # a terminal that stands still, longer than a silent stream is given
            seen = 1
            for line in out:
                if b"stopped (exit 0)" in line:
                    break
                seen += b"| n" in line
        assert b"| n1\n" in first and seen == 400000
    finally:
        tail.terminate()
        tail.wait()
