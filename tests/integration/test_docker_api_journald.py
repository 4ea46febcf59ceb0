"""Source docker-api and the journald driver: times are of microseconds, the pieces of a long line bear one each."""

import random
import time

import pytest
from lib.dockerd import Dockerd
from lib.verify import assert_collected


@pytest.fixture(scope="module")
def journal(session_engine, tmp_path_factory):
    engine = Dockerd(tmp_path_factory.mktemp("journal"), journal=True, options=["--log-driver", "journald"])
    yield engine
    engine.close()


@pytest.fixture
def collect(journal, sidetail, tmp_path):
    def make(**more):
        config = {"source": "docker-api", "docker": {"host": journal.host}, "sink": "file",
                  "file": {"path": str(tmp_path / "out.json")}, "checkpoint": {"interval": "50ms"}}  # fmt: skip
        return sidetail({**config, **more})

    yield make
    journal.remove_all()


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "tty"])
def test_lines_of_all_kinds(journal, collect, tty):
    common = dict(count=800, bytes="ascii,utf8,escape", long_every=40, long_length=70000, stderr=0 if tty else 30)
    before = journal.write("before", container={"tty": tty}, **common)
    before.wait()
    s = collect().start()
    journal.write("after", container={"tty": tty}, **common)
    assert_collected(s, before=800, after=800)
    s.stop_cleanly()


def test_kills(journal, collect):
    """kill -9 at random instants while containers write; many lines at once, too."""
    dice = random.Random(7)
    s = collect().start()
    journal.write("a", count=6000, rate=800, stderr=30, long_every=300, long_length=40000)
    journal.write("b", count=6000, buffer=4096, rate=800)
    for _ in range(30):
        time.sleep(dice.uniform(0.02, 0.35))
        s.kill()
        s.start()
    assert_collected(s, a=6000, b=6000)
    s.stop_cleanly()
