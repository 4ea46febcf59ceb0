"""The Kafka sink while somebody works on the brokers: changes topics and quotas."""

import json
import signal
import time

import pytest
from lib.kafka_sink import committed, lines_out, wait_lines_out, warnings
from lib.system import wait_until
from lib.verify import Line


def moves(messages):
    """{writer: [[partition, its numbers there in order], ...]}, by partitions."""
    found = {}
    for message in sorted(messages, key=lambda message: (message.partition, message.offset)):
        line = Line(json.loads(message.value)["log"])
        runs = found.setdefault(line.writer, [])
        if not runs or runs[-1][0] != message.partition:
            runs.append([message.partition, []])
        runs[-1][1].append(line.seq)
    return found


def test_partitions_added(engine, kafka, collector, topic):
    """From some line on, a container's lines may go to another partition; there they go on, and all in order."""
    name = f"{topic}.web"
    kafka.create_topic(name, partitions=1)
    one = collector(kafka, kafka={"properties": {"topic.metadata.refresh.interval.ms": "1000"}}).start()
    written = {f"web{n}": engine.write(f"web{n}", service="web", rate=300) for n in range(6)}
    wait_lines_out(one, 1000)
    kafka.add_partitions(name, 4)
    wait_until(lambda: len({message.partition for message in kafka.messages(name)}) > 1, 30, every=0.5)
    wait_lines_out(one, lines_out(one) + 1000)
    for container in written.values():
        container.stop()
    total = {writer: len(container.logs().splitlines()) for writer, container in written.items()}
    wait_lines_out(one, sum(total.values()))
    assert warnings(one) == []
    one.stop_cleanly()
    found = moves(committed(kafka, name, sum(total.values())))
    for writer, runs in found.items():
        assert runs[0][0] == 0 and len(runs) <= 2
        assert sorted(seq for _, numbers in runs for seq in numbers) == list(range(total[writer]))
        assert all(numbers == sorted(numbers) for _, numbers in runs)
        assert len(runs) == 1 or runs[0][1][-1] < runs[1][1][0]
    assert any(len(runs) == 2 for runs in found.values())


@pytest.mark.parametrize("partitions", [1, 6])
def test_topic_made_anew(engine, kafka, collector, topic, partitions):
    """Amid lines, by somebody who is faster than the collector, and with fewer partitions or more: what was in it is gone;
    from some line on all is there, once and in order."""
    name = f"{topic}.web"
    one = collector(kafka).start()
    container = engine.write("web", service="web", rate=3000)
    wait_lines_out(one, 3000)
    one.signal(signal.SIGSTOP)
    kafka.delete_topic(name)
    kafka.create_topic(name, partitions)
    one.signal(signal.SIGCONT)
    wait_lines_out(one, lines_out(one) + 6000)
    container.stop()
    written = len(container.logs().splitlines())
    wait_lines_out(one, written)
    assert len(warnings(one)) <= 1
    one.stop_cleanly()

    def all_read():
        runs = moves(kafka.messages(name)).get("web")
        return runs and runs[-1][1][-1] == written - 1 and runs

    runs = wait_until(all_read, 20, "the last line")
    assert len(runs) == 1
    assert runs[0][1] == list(range(written - len(runs[0][1]), written))


def test_quota(engine, kafka, collector, reader, topic):
    """A broker that throttles takes so much, and then does not read the connection for a while: lines come as fast as they
    may, and it is told once why no faster. That the broker does not answer is no reason."""
    kafka.tool(
        "configs", "--alter", "--add-config", "producer_byte_rate=70000", "--entity-type", "clients", "--entity-name", topic,
    )  # fmt: skip
    read = reader(kafka)
    one = collector(kafka, kafka={"properties": {"client.id": topic}, "compression": "none"}).start()
    one.wait_stderr("collecting")
    engine.write("much", service="web", count=2500, length="200-200")
    one.wait_stderr("Kafka throttles this collector")
    start = time.monotonic()
    engine.write("late", service="web", count=100)
    read.expect("much", total=2500, tags={"service": "web"})
    read.expect("late", total=100, tags={"service": "web"})
    check = read.wait(one)
    assert time.monotonic() - start > 7  # else there was nothing that might be taken for a broker that does not answer
    assert len(warnings(one)) == 1 and "do not answer" not in one.stderr()
    assert one.metrics()["sidetail_commit_errors_total"] == 0
    one.stop_cleanly()
    check.assert_exactly_once()
