"""Collectors that share a partition of the positions topic, one of which hangs with its transaction open there."""

import re
import signal
import time
from types import SimpleNamespace

import pytest
from lib.kafka_sink import lines_out, wait_lines_out
from lib.numbered import Delivered, Log, Writer
from lib.system import run, wait_until

SOON = 25  # seconds; far less than the transaction may take, after which the broker would end it


class Fleet:
    """Collectors of one log each, whose positions are all in one partition."""

    def __init__(self, directory, sidetail, kafka, topic):
        self.directory, self.sidetail, self.kafka, self.topic = directory, sidetail, kafka, topic
        self.positions = f"{topic}-positions"
        kafka.create_topic(self.positions, partitions=1, cleanup_policy="compact")

    def collector(self, name, **kafka):
        log = Log(self.directory / f"{name}-logs", name, 0)
        started = self.sidetail(
            {
                "source": "json-file", "json_file": {"path": str(self.directory / f"{name}-logs")},
                "sink": "kafka", "format": "raw",
                "kafka": {"brokers": self.kafka.bootstrap, "topic": f"{self.topic}.{name}", "identity": f"{self.topic}-{name}",
                          "positions_topic": self.positions, "commit_age": "10ms", "commit_pause": "0s", **kafka},
            },
            name=name,
        )  # fmt: skip
        return SimpleNamespace(name=name, log=log, process=started)

    def end(self, isolation):
        """The offset up to which there are positions, to a reader of that isolation."""
        asked = run("kcat", "-b", self.kafka.bootstrap, "-Q", "-t", f"{self.positions}:0:-1", "-X", f"isolation.level={isolation}")
        return int(re.search(r"offset (\d+)", asked.stdout)[1])

    def is_held_up(self):
        """The broker writes markers a moment after a commit."""
        ends = {self.end("read_committed") for _ in range(3) if not time.sleep(0.1)}
        return len(ends) == 1 and ends.pop() < self.end("read_uncommitted")

    def hang(self, one, tries=200):
        """Stops it at a moment when its positions are written and not committed."""
        writer = Writer([one.log], 1)
        for _ in range(tries):
            time.sleep(0.03)
            one.process.signal(signal.SIGSTOP)
            if self.is_held_up():
                writer.stop()
                return
            one.process.signal(signal.SIGCONT)
        raise AssertionError("its transaction was never open when it was stopped")

    def compare(self, one):
        """Each line of the log was delivered once."""
        found = lambda: [message.value.encode() for message in self.kafka.messages(re.escape(f"{self.topic}.{one.name}"))]
        wait_until(lambda: len(found()) >= one.log.number, 30, one.process.stderr_end, every=0.5)
        Delivered(found()).compare_all([one.log])


@pytest.fixture
def fleet(tmp_path, sidetail, kafka, topic):
    return Fleet(tmp_path, sidetail, kafka, topic)


def test_one_that_hangs_holds_up_no_start(fleet):
    """Neither that of a collector that went on meanwhile and is killed, nor that of a new one. The one that hung goes on, too."""
    hung, killed, new = (fleet.collector(name) for name in ("hung", "killed", "new"))
    hung.process.start()
    killed.process.start()
    killed.log.append(100)
    wait_lines_out(killed.process, 100)
    fleet.hang(hung)
    killed.log.append(100)
    wait_lines_out(killed.process, 200)  # its positions are behind those that are held up
    killed.process.kill()
    began = time.monotonic()
    for one in (killed, new):
        one.log.append(100)
        one.process.start()
    for one in (killed, new):
        wait_lines_out(one.process, 100, timeout=SOON)
    assert time.monotonic() - began < SOON
    wait_until(lambda: not fleet.is_held_up(), 5, "nothing holds up the positions")
    hung.process.signal(signal.SIGCONT)
    wait_lines_out(hung.process, hung.log.number)
    for one in (hung, killed, new):
        fleet.compare(one)
        one.process.stop_cleanly()


def test_a_transaction_that_is_no_collectors_is_waited_for(fleet, kafka):
    """Nobody knows whose it is: nothing but the broker ends it."""
    one = fleet.collector("one", transaction_timeout="10s")
    with kafka.open_transaction(fleet.positions, 0, "a key of somebody else", timeout_ms=10000):
        wait_until(fleet.is_held_up, 15, "the transaction is open")
        one.log.append(100)
        one.process.start()
        one.process.wait_stderr("waiting for the positions topic", 15)
        assert lines_out(one.process) == 0
    wait_lines_out(one.process, 100, timeout=30)
    fleet.compare(one)
