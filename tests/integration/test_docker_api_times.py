"""Source docker-api where times do not grow from line to line: equal ones, and those of a clock that was set back.

What the Engine has kept of a stopped container is rewritten with such times; the Engine reads its files anew each time."""

import json
import random
import time
from datetime import datetime, timedelta, timezone

import pytest
from lib.system import wait_until
from lib.verify import Verifier


@pytest.fixture
def collect(engine, sidetail, tmp_path):
    config = {"source": "docker-api", "include": {"labels": [f"sidetail.test={engine.session}"]}, "sink": "file",
              "file": {"path": str(tmp_path / "out.json")}, "checkpoint": {"interval": "10ms"}}  # fmt: skip
    return lambda **more: sidetail({**config, **more})


def set_times(container, time_of):
    """time_of(number of the entry, its time) gives each entry of the stopped container's log another time."""
    entries = [json.loads(line) for line in container.log_path.read_bytes().splitlines()]
    for number, entry in enumerate(entries):
        was = datetime.fromisoformat(entry["time"][:19]).replace(tzinfo=timezone.utc)
        entry["time"] = time_of(number, was).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    container.log_path.write_text("".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries))


def check_of(s, **totals):
    check = Verifier()
    for writer, total in totals.items():
        check.expect(writer, total=total)
    check.add_records(s.records())
    return check


def test_equal_times(engine, collect):
    """Many lines of one time, and kill -9 among them: the position says how many of them are taken."""
    dice = random.Random(3)
    web = engine.write("web", count=60000, stderr=30, container={"options": ["--network", "none"]})
    web.wait()
    set_times(web, lambda number, was: was.replace(microsecond=number // 20000))
    s = collect()
    kills = 0
    while (before := len(s.lines())) < 60000:
        s.start()
        wait_until(lambda: len(s.lines()) > before, every=0.001)
        time.sleep(dice.uniform(0, 0.02))
        kills += len(s.lines()) < 60000
        s.kill()
    starts = s.stderr().count("msg=collecting")
    s.start()
    wait_until(lambda: s.stderr().count("msg=collecting") > starts, 30)  # what is not in the checkpoint is cut off by then
    wait_until(lambda: check_of(s, web=60000).complete(), 60, every=0.3)
    check_of(s, web=60000).assert_exactly_once()
    assert kills >= 2, "killed while it read"
    s.stop_cleanly()


@pytest.mark.parametrize("step", [300, 450], ids=["caught up", "not yet"])
def test_a_step_back_inside_the_log(engine, collect, step):
    """Read in one go, no line is lost or doubled. Opened again before times have caught up, the Engine tells lines of before
    the step a second time: they stand before the last one taken, and are passed over."""
    web = engine.write("web", count=1000, container={"options": ["--network", "none"]})
    web.wait()
    set_times(web, stepped_back(step))
    s = collect()
    for starts in range(1, 5):
        s.start()
        wait_until(lambda: s.stderr().count("the Engine answers") == starts, 30)  # noqa: B023
        s.wait_lines(1000)
        s.wait_quiet(2)
        check_of(s, web=1000).assert_exactly_once()
        assert s.metrics()["sidetail_gaps_total"] == 0
        s.kill()


def stepped_back(step):
    """A line each second from two hours ago on; the clock is set back after 600 lines. No two times are the same."""
    begin = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(minutes=120)
    return lambda number, was: begin + timedelta(seconds=number if number < 600 else number - step + 0.5)


def test_a_step_back_while_it_is_away(engine, collect):
    """An Engine from 23.0 on tells all that was written after the last line taken, whatever its time. One before leaves out
    what is older than that line, until times have caught up: the last 252 lines come."""
    web = engine.write("web", count=600, container={"options": ["--network", "none"]})
    web.wait()
    times = stepped_back(350)
    set_times(web, times)
    s = collect().start()
    s.wait_lines(600)
    s.stop_cleanly()  # so that it goes on from there
    web.start()  # a second run
    web.wait()
    set_times(web, times)
    s.start()
    told = 600 if engine.version >= (23,) else 252
    s.wait_lines(600 + told)
    s.wait_quiet(2)
    assert len(s.lines()) == 600 + told
    s.stop_cleanly()


def test_times_to_come(engine, collect):
    """The clock was set back an hour: what is written from then on is not left out until it has caught up."""
    web = engine.write("web", count=500, container={"options": ["--network", "none"]})
    web.wait()
    set_times(web, lambda number, was: was + timedelta(minutes=60, milliseconds=number))
    s = collect().start()
    s.wait_lines(500)
    time.sleep(0.2)
    web.start()  # a second run, whose lines bear times of now
    web.wait()
    s.wait_stderr("the clock was set back")
    s.wait_lines(1000)
    s.wait_quiet()
    check = Verifier()
    check.expect("web", total=500, runs=2)
    check.add_records(s.records())
    check.assert_exactly_once()
    assert s.metrics()["sidetail_gaps_total"] >= 1
    s.stop_cleanly()
