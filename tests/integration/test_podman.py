"""Podman: its service as an Engine for the source docker-api and for tail, and its k8s-file logs as files."""

import os
import random
import shutil
import subprocess
import time

import pytest
from lib.podman import Podman
from lib.system import BINARY, unavailable, wait_until
from lib.verify import Verifier, assert_collected, parse_json_lines


@pytest.fixture(scope="module")
def service(session_engine):
    if not shutil.which("podman"):
        unavailable("podman is missing: tests/setup/install.sh test")
    started = Podman(session_engine)
    yield started
    started.close()


@pytest.fixture
def podman(service):
    """Its containers are gone after the test."""
    yield service
    service.remove_all()


@pytest.fixture
def collect(podman, sidetail, tmp_path):
    def make(**more):
        config = {"source": "docker-api", "docker": {"host": podman.host}, "sink": "file",
                  "file": {"path": str(tmp_path / "out.json")}, "checkpoint": {"interval": "50ms"}}  # fmt: skip
        return sidetail({**config, **more})

    return make


@pytest.fixture
def collect_files(podman, sidetail, tmp_path):
    def make():
        return sidetail({
            "source": "files", "files": {"include": [podman.logs_pattern], "format": "cri"}, "sink": "file",
            "file": {"path": str(tmp_path / "out.json")}, "checkpoint": {"interval": "50ms"},
        })  # fmt: skip

    return make


def test_kills(podman, collect):
    """Both streams, pieces of any length, and a container that is removed as soon as it has ended; kill -9 meanwhile."""
    dice = random.Random(3)
    before = podman.write("before", service="before", count=300, stderr=30, long_every=40, long_length=70000)
    before.wait()
    s = collect().start()
    podman.write("a", service="a", count=3000, rate=600, stderr=30, long_every=50, long_length=40000,
                 no_final_newline=True)  # fmt: skip
    podman.write("torn", count=400, rate=100, torn=True)
    short = podman.write("short", count=200)
    for _ in range(8):
        time.sleep(dice.uniform(0.1, 0.5))
        s.kill()
        s.start()
    short.wait()
    wait_until(lambda: any(record["log"].split(" ")[2].startswith("short:") for record in s.records()), 60)
    short.remove()
    tags = lambda name, total: {"total": total, "tags": {"service": name}}
    assert_collected(s, before=tags("before", 300), a=tags("a", 3000), torn=400, short=200)
    assert s.metrics()["sidetail_gaps_total"] == 0
    s.stop_cleanly()


def test_runs_of_a_container(podman, collect):
    """Stopped, started again while the collector runs, and once more while it does not."""
    s = collect().start()
    s.wait_stderr("the Engine answers")
    container = podman.write("a", count=200, rate=200)
    container.wait()
    container.start()
    container.wait()
    assert_collected(s, a={"total": 200, "runs": 2})
    s.stop_cleanly()
    container.start()
    container.wait()
    s.start()
    assert_collected(s, a={"total": 200, "runs": 3})
    s.stop_cleanly()


def test_long_log_of_an_ended_container(podman, collect):
    """Podman loses lines at random where it follows the log of a container that has ended: it is not asked to."""
    container = podman.write("a", count=100000)
    container.wait()
    s = collect().start()
    assert_collected(s, a=100000)
    s.stop_cleanly()


def test_ends_while_far_behind(podman, collect):
    """Likewise where it ends while its log is being followed, and the collector is behind."""
    s = collect().start()
    s.wait_stderr("the Engine answers")
    container = podman.write("a", count=150000)
    container.wait()
    container.start()
    container.wait()
    assert_collected(s, a={"total": 150000, "runs": 2})
    s.stop_cleanly()


def test_silent_containers(podman, collect):
    """Podman answers a request for a log with its first line: silent ones must not be in the way of others."""
    silent = [podman.write(f"silent{n}", count=1, delay=600) for n in range(3)]
    s = collect(docker={"host": podman.host, "max_opening": 2}).start()
    podman.write("a", count=100)
    assert_collected(s, a=100)
    assert all(container.running for container in silent)
    assert "level=warn" not in s.stderr()
    s.stop_cleanly()


def test_driver_none(podman, collect):
    s = collect().start()
    podman.write("a", count=10, linger=600, container={"log_driver": "none"})
    s.wait_stderr("nobody can read this container's log")
    s.stop_cleanly()


@pytest.fixture
def tail(podman, tmp_path):
    """`sidetail tail`: a function that starts it, and one that waits until it has shown so many lines of each writer."""
    path = tmp_path / "tail.out"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SIDETAIL_", "DOCKER_"))}
    started = []

    def start():
        with open(path, "wb") as out:
            started.append(subprocess.Popen(
                [BINARY, "tail", "--json"], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE,
                env={**environment, "DOCKER_HOST": podman.host}))  # fmt: skip

    def shown(expected):
        found = Verifier()
        for name, total in expected.items():
            found.expect(name, total=total)
        found.add_records(parse_json_lines(path.read_bytes().rpartition(b"\n")[0].splitlines()))
        return found

    def assert_shown(**expected):
        wait_until(lambda: shown(expected).complete(), 60, lambda: "\n".join(shown(expected).faults()), every=0.5)
        time.sleep(1)  # a line that comes twice would come by now
        shown(expected).assert_exactly_once()

    yield start, assert_shown
    started[0].terminate()
    said = started[0].communicate(timeout=20)[1]
    assert b"error" not in said, said


def test_tail(podman, tail):
    """What was written before and what is written now meet inside of a second, of which lines bear no more."""
    start, assert_shown = tail
    container = podman.write("a", count=3000, rate=500, stderr=30, long_every=100, long_length=20000)
    time.sleep(2.5)
    start()
    container.wait()
    assert_shown(a=3000)


def test_tail_of_one_that_ends_far_ahead(podman, tail):
    """Podman's follower drops lines once the container has ended, see test_ends_while_far_behind."""
    start, assert_shown = tail
    start()
    # It is running whenever the tail begins to look: one that has ended by then is not shown.
    podman.write("before", count=1, linger=600)
    assert_shown(before=1)
    podman.write("a", count=100000).wait()
    assert_shown(before=1, a=100000)


def test_files(podman, collect_files):
    """Driver k8s-file writes CRI lines, which the source files reads with their exact times; kill -9 meanwhile."""
    dice = random.Random(4)
    s = collect_files().start()
    container = podman.write("a", count=3000, rate=600, stderr=30, long_every=50, long_length=40000)
    for _ in range(8):
        time.sleep(dice.uniform(0.1, 0.6))
        s.kill()
        s.start()
    assert_collected(s, a={"total": 3000, "tags": {"container": container.id}})
    assert {len(record["time"]) for record in s.records()} == {len("2026-11-28T06:00:00.123456789+00:00")}
    s.stop_cleanly()


def test_files_that_rotate(podman, collect_files):
    """conmon begins a new file in place of a full one, which is gone with that; it is open here, and read to its end."""
    s = collect_files().start()
    s.wait_stderr("collecting")
    container = podman.write("a", count=1200, rate=150, length="900-1100", stderr=30,
                             container={"log_opts": {"max-size": "400k"}})  # fmt: skip
    assert_collected(s, a={"total": 1200, "tags": {"container": container.id}})
    log = container.inspect()["HostConfig"]["LogConfig"]["Path"]
    assert os.stat(log).st_size < 450000, "it did not rotate"
    s.stop_cleanly()
