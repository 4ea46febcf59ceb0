"""Source docker-api with an Engine that makes things up: memory stays bounded, and the loop goes on."""

import json
import time

import pytest
from lib.hostile import HostileEngine

MIB = 1 << 20


@pytest.fixture
def hostile():
    one = HostileEngine()
    yield one
    one.close()


@pytest.fixture
def collect(hostile, sidetail):
    return lambda: sidetail({"source": "docker-api", "docker": {"host": hostile.host}, "sink": "stdout"})


def slowest_answer(s, done, seconds):
    """Asks /healthz again and again until `done`; gives back how long the slowest answer took."""
    s.wait_stderr("the Engine answers")
    slowest, end = 0, time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, s.stderr_end()
        start = time.monotonic()
        s.http("/healthz")
        slowest = max(slowest, time.monotonic() - start)
        time.sleep(0.02)
    return slowest


def ident(number):
    return f"{number:064x}"


def listed(numbers):
    """The list of containers with these numbers, in pieces."""
    yield b"["
    for number in numbers:
        element = {"Id": ident(number), "Names": [f"/c{number}"], "Image": "x", "Labels": {}, "State": "exited"}
        yield (("," if number else "") + json.dumps(element)).encode()
    yield b"]"


@pytest.mark.figures
def test_a_list_of_nothing(hostile, collect):
    """60 MB of empty objects. A tree of them took 3.3 GB."""
    block = b"{}," * 100_000
    hostile.listing = lambda: [b"[", *[block] * 200, b"{}]"]
    s = collect().start()
    slowest = slowest_answer(s, lambda: s.metrics()["sidetail_containers_left_out"] > 0, 60)
    assert s.metrics()["sidetail_containers_left_out"] == 20_000_001
    assert s.peak_rss() < 32 * MIB
    assert slowest < 1
    assert s.stderr().count("leaving out containers") == 1
    s.assert_no_long_turns()
    s.stop_cleanly()


@pytest.mark.figures
def test_one_huge_container(hostile, collect):
    """In the list and by itself: it is left out, said once, and those beside it are followed."""
    ports = [{"IP": "", "PrivatePort": 1, "Type": "tcp"}] * 100_000
    small = {"Id": ident(1), "Name": "/small", "Config": {"Image": "x", "Labels": {}},
             "HostConfig": {"LogConfig": {"Type": "json-file", "Config": {}}}, "State": {"Running": False}}  # fmt: skip
    hostile.listing = lambda: [json.dumps([{"Id": ident(0), "Ports": ports}, {"Id": ident(1)}, {"Id": ident(2)}]).encode()]
    answers = {ident(1): json.dumps(small).encode(), ident(2): json.dumps({**small, "Ports": ports}).encode()}
    hostile.inspected = answers.get
    s = collect().start()
    s.wait_stderr("cannot use what the Engine tells of a container")
    s.wait_stderr("leaving out containers")
    assert s.metrics()["sidetail_containers_left_out"] == 1
    assert s.peak_rss() < 96 * MIB
    assert ident(2) in s.stderr()
    s.assert_no_long_turns()
    s.stop_cleanly()


@pytest.mark.figures
def test_300_000_containers(hostile, collect):
    """Quadratic in their number, a list took minutes."""
    hostile.listing = lambda: listed(range(300_000))
    s = collect().start()
    slowest = slowest_answer(s, lambda: hostile.lists > 0, 120)
    s.wait_stderr("leaving out containers")
    assert slowest < 1
    assert s.peak_rss() < 64 * MIB
    s.assert_no_long_turns()
    s.stop_cleanly()


@pytest.mark.figures
def test_events_without_end(hostile, collect):
    """Each tells of another container that is not there."""
    sent = []

    def events():
        for number in range(400_000):
            sent.append(number)
            actor = {"ID": ident(number), "Attributes": {"name": f"c{number}"}}
            yield json.dumps({"Action": "start", "Actor": actor, "timeNano": number}).encode() + b"\n"

    hostile.events = events
    s = collect().start()
    slowest = slowest_answer(s, lambda: len(sent) == 400_000, 120)
    assert slowest < 1
    assert s.peak_rss() < 64 * MIB
    s.assert_no_long_turns()
    s.stop_cleanly()
