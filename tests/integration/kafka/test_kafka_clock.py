"""The Kafka sink on a machine whose clock is not the broker's. From 4.0 on a topic refuses times an hour ahead."""

import time

import pytest
from lib.clock import SteppedClock
from lib.kafka_sink import lines_out, wait_lines_out
from lib.numbered import Delivered, Log, Writer
from lib.system import wait_until

DAY = 86400


class Flow:
    """Lines of one log on their way to a broker, by a collector whose clock can be stepped."""

    def __init__(self, directory, sidetail, kafka, topic):
        (directory / "logs").mkdir()
        self.clock = SteppedClock(directory / "logs")
        self.log = Log(directory / "logs" / "containers", "web", 0)
        self.kafka, self.topic = kafka, topic
        self.collector = sidetail(
            {
                "source": "json-file", "json_file": {"path": str(directory / "logs" / "containers")},
                "sink": "kafka", "format": "raw",
                "kafka": {"brokers": kafka.bootstrap, "topic": topic, "identity": topic, "positions_topic": f"{topic}-positions"},
            },
            env=self.clock.env,
        )  # fmt: skip

    def messages(self):
        return list(self.kafka.messages(self.topic))

    def compare(self, lines=None):
        """The last start delivers so many; None: there was no other."""
        wait_lines_out(self.collector, lines or self.log.number)
        self.collector.stop_cleanly()
        Delivered(message.value.encode() for message in self.messages()).compare_all([self.log])


@pytest.fixture
def flow(tmp_path, sidetail, kafka, topic):
    return Flow(tmp_path, sidetail, kafka, topic)


@pytest.mark.parametrize("off", [DAY, -DAY], ids=["ahead", "behind"])
def test_clock_that_is_wrong_from_the_start(flow, off):
    flow.clock.step(off)
    flow.collector.start()
    flow.log.append(100)
    flow.compare()
    flow.collector.start()
    flow.log.append(100)
    flow.compare(100)  # to a topic that an earlier process wrote to
    # The lines are of now by the clock that is right, as their messages are.
    assert all(abs(message.timestamp / 1000 - time.time()) < 120 for message in flow.messages())


def test_clock_that_is_stepped_amid_the_work(flow):
    flow.collector.start()
    writer = Writer([flow.log], 1)
    for off in (DAY, 0, -DAY, 2 * DAY):
        before = lines_out(flow.collector)
        flow.clock.step(off)
        wait_lines_out(flow.collector, before + 500)
    writer.stop()
    flow.compare()


def test_positions_topic_that_refuses_the_clock(flow):
    """One that somebody else made: nothing is delivered, what to do is said, and when it is done all goes on."""
    flow.kafka.create_topic(f"{flow.topic}-positions", cleanup_policy="compact")
    flow.clock.step(DAY)
    flow.collector.start()
    flow.log.append(100)
    flow.collector.wait_stderr(r"Invalid timestamp: this machine's clock.*set the clock, or the topic's message\.timestamp\.type")
    assert flow.collector.running
    flow.clock.step(0)
    wait_until(lambda: flow.messages(), 30)
    flow.compare()
