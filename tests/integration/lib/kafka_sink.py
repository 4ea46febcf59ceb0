"""What the tests of the Kafka sink share: a consumer's view of its topics, and waiting for what is committed."""

import json
import re

from .system import wait_until
from .verify import Verifier

# Deep enough that nothing is deleted before it is read, however slow the machine.
ROTATED = {"log_driver": "json-file", "log_opts": {"max-size": "1m", "max-file": 100}}

MEMORY_MAX = 48  # MiB of resident memory at memory_max's default, libraries and all


class Reader:
    """What a read_committed consumer has of a test's topics."""

    def __init__(self, kafka, topic):
        self.kafka = kafka
        self.pattern = topic + r"\..*"
        self.expected = []

    def expect(self, writer, **expected):
        expected.setdefault("tags", {"service": writer})
        self.expected.append((writer, expected))

    def check(self):
        check = Verifier()
        for writer, expected in self.expected:
            check.expect(writer, **expected)
        for message in self.kafka.messages(self.pattern):
            check.add_record(json.loads(message.value))
        return check

    def wait(self, collector=None, timeout=60):
        """Until all that was expected is there; gives back the Verifier."""
        found = []

        def complete():
            found[:] = [self.check()]
            return found[0].complete()

        wait_until(
            complete,
            timeout,
            lambda: f"all lines; faults so far: {found[0].faults()}\n{collector.stderr_end() if collector else ''}",
            every=0.5,
        )
        return found[0]


def lines_out(collector):
    """Lines acknowledged, which is: committed. 0 while it starts."""
    assert collector.running, collector.stderr_end()
    try:
        metrics = collector.metrics()
    except OSError:
        return 0
    return sum(value for name, value in metrics.items() if name.startswith("sidetail_lines_out_total"))


def wait_lines_out(collector, count, timeout=30):
    wait_until(lambda: lines_out(collector) >= count, timeout, collector.stderr_end, every=0.1)


def committed(kafka, pattern, count, timeout=20):
    """At least so many messages, as soon as all are there: a commit is answered before all partitions know of it."""
    found = []

    def enough():
        found[:] = kafka.messages(pattern)
        return len(found) >= count

    wait_until(enough, timeout, lambda: f"{count} messages in {pattern}, there are {len(found)}", every=0.2)
    return found


def is_compacted(kafka, topic):
    configs = kafka.tool("configs", "--describe", "--entity-type", "topics", "--entity-name", topic)
    return "cleanup.policy=compact" in configs


def warnings(collector):
    """What its own log warns of about Kafka; but for what only says that the machine is slow: that brokers do not answer for a
    while, or that a topic which is made has no leader yet."""
    slow = "the brokers do not answer|a topic is not ready"
    about = [line for line in collector.stderr().splitlines() if "level=info" not in line and re.search("Kafka|topic|TLS", line)]
    return [line for line in about if not re.search(slow, line)]
