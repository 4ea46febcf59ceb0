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
    for _ in range(30):
        s.start()
        time.sleep(dice.uniform(0.01, 0.15))
        kills += 0 < len(s.lines()) < 60000
        s.kill()
    s.start()
    wait_until(lambda: check_of(s, web=60000).complete(), 60, every=0.3)
    check_of(s, web=60000).assert_exactly_once()
    assert kills >= 2, "killed while it read"
    s.stop_cleanly()


@pytest.mark.parametrize("step,twice", [(300, 0), (450, 52)], ids=["caught up", "not yet"])
def test_a_step_back_inside_the_log(engine, collect, step, twice):
    """Read in one go, no line is lost or doubled. Opened again before times have caught up, the Engine tells the lines of
    before the step a second time that are newer than the last one, and then those of the last second."""
    web = engine.write("web", count=1000, container={"options": ["--network", "none"]})
    web.wait()
    hour_ago = datetime.now(timezone.utc) - timedelta(minutes=60)
    set_times(web, lambda number, was: hour_ago + timedelta(seconds=number if number < 600 else number - step))
    s = collect().start()
    s.wait_lines(1000)
    s.wait_quiet()
    check_of(s, web=1000).assert_exactly_once()
    s.kill()
    s.start()
    s.wait_lines(1000 + twice)
    s.wait_quiet(2)
    assert len(s.lines()) == 1000 + twice
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
