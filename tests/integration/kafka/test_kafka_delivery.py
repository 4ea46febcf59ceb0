"""The Kafka sink against a real broker: what a read_committed consumer sees, whatever is killed."""

import json
import random
import time

import pytest
from lib.kafka_sink import ROTATED, committed, is_compacted, lines_out, wait_lines_out
from lib.system import wait_until
from lib.verify import Verifier


# Exactly once, nothing broken


def test_lines_positions_and_restart(engine, kafka, collector, reader, topic):
    """All lines once, over an orderly end and a new start; positions lie in a compacted topic."""
    read = reader(kafka)
    one = collector(kafka)
    web = engine.write("web", service="web", count=20000, stderr=20, length="0-300", bytes="ascii,utf8,nul,escape")
    one.start()
    wait_lines_out(one, 20000)
    one.stop_cleanly()
    worker = engine.write("worker", service="worker", count=5000)
    web.wait()
    worker.wait()
    one.start()
    wait_lines_out(one, 5000)
    one.stop_cleanly()
    read.expect("web", total=20000)
    read.expect("worker", total=5000)
    read.wait(one).assert_exactly_once()
    assert is_compacted(kafka, f"{topic}-positions")
    keys = {message.key for message in kafka.messages(f"{topic}-positions")}
    assert json.dumps([topic], separators=(",", ":")) in keys
    assert any(web.id in key for key in keys) and any(worker.id in key for key in keys)


def test_mapping(engine, kafka, collector, topic):
    """Key, headers, timestamp and value of a message."""
    container = engine.write("web", service="web", count=200, stderr=50, container={"name": f"{topic}_web_1"})
    container.wait()
    one = collector(kafka, host="node-7").start()
    wait_lines_out(one, 200)
    one.stop_cleanly()
    streams = set()
    messages = committed(kafka, topic + r"\.web", 200)
    assert len(messages) == 200
    for message in messages:
        record = json.loads(message.value)
        headers = dict(pair.split("=", 1) for pair in message.headers.split(","))
        assert message.key == container.id[:12] == record["id"]
        assert headers == {
            "service": "web",
            "stream": record["stream"],
            "container": f"{topic}_web_1",
            "host": "node-7",
        }
        seconds, fraction = record["time"].rstrip("Z").split(".")
        stamp = int(time.mktime(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 1000
        assert message.timestamp == stamp + int(fraction[:3].ljust(3, "0"))
        streams.add(record["stream"])
    assert streams == {"stdout", "stderr"}
    assert len({message.partition for message in messages}) == 1


def test_no_headers_where_json_says_the_same(engine, kafka, collector, topic):
    """With kafka.headers needed; a piece that is cut for its topic keeps them."""
    engine.write("web", service="web", count=100, container={"name": f"{topic}_web_1"}).wait()
    engine.write("long", service="long", count=1, long_every=1, long_length=50000).wait()
    kafka.create_topic(f"{topic}.long", max_message_bytes=20000)
    one = collector(kafka, host="node-7", kafka={"headers": "needed"}).start()
    wait_lines_out(one, 101)
    one.stop_cleanly()
    for message in committed(kafka, topic + r"\.web", 100):
        record = json.loads(message.value)
        assert message.headers == ""
        assert (record["service"], record["container"], record["host"]) == ("web", f"{topic}_web_1", "node-7")
        assert record["stream"] == "stdout"
    pieces = list(kafka.messages(f"{topic}.long"))
    assert len(pieces) > 1
    for number, message in enumerate(pieces):
        marked = "partial=true" in message.headers.split(",")
        assert "service=long" in message.headers and "host=node-7" in message.headers
        assert marked == (number + 1 < len(pieces))
        assert marked == ("partial" in json.loads(message.value))


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_raw_keys_and_compression(engine, kafka, collector, topic, compression):
    container = engine.write("web", service="web", count=500)
    container.wait()
    options = {"compression": compression, "key": "service" if compression == "none" else "none", "topic": topic}
    one = collector(kafka, kafka=options, format="raw").start()
    wait_lines_out(one, 500)
    one.stop_cleanly()
    messages = committed(kafka, topic, 500)
    assert {message.key for message in messages} == ({"web"} if compression == "none" else {""})
    check = Verifier()
    check.expect("web", total=500)
    by_partition = sorted(messages, key=lambda message: message.offset)
    for message in by_partition if compression == "none" else sorted(messages, key=lambda m: int(m.value.split()[4])):
        check.add_text(message.value)
    check.assert_exactly_once()


def commits_of(engine, one, count, rate):
    """How many commits it made for so many lines of one container, and in how many seconds."""
    one.start()
    one.wait_stderr("collecting")
    began = time.monotonic()
    engine.write("web", service="web", count=count, rate=rate)
    wait_lines_out(one, count)
    commits = one.metrics()["sidetail_commits_total"]
    took = time.monotonic() - began
    one.stop_cleanly()
    return commits, took


def test_latency_is_bounded_by_commit_age(engine, kafka, collector, topic):
    """Each transaction lasts 200 ms at most, though batches come all the time."""
    commits, _ = commits_of(engine, collector(kafka, kafka={"commit_pause": "0s"}), 4000, 1000)
    assert 10 <= commits <= 60, commits  # 20, on a machine that has time for it


def test_little_is_committed_once_a_second(engine, kafka, collector, topic):
    commits, took = commits_of(engine, collector(kafka), 2000, 500)
    assert 2 <= commits <= took + 2, (commits, took)  # one at once, and one each second


# kill -9


@pytest.mark.slow
def test_200_kills(engine, kafka, collector, reader):
    """kill -9 at 200 random instants, of its start and of its work, while containers write and rotate."""
    read = reader(kafka)
    names = ["web", "worker", "db"]
    containers = [
        engine.write(name, service=name, count=60000, rate=1200, stderr=10, container=ROTATED) for name in names
    ]
    one = collector(kafka)
    starts = lambda: one.stderr().count("msg=collecting")
    dice = random.Random(4)
    kills = 0
    while kills < 200 or any(container.running for container in containers):
        before = starts()
        one.start()
        if kills % 2:
            wait_until(lambda: starts() > before, 30, one.stderr_end)  # noqa: B023
        time.sleep(dice.choice([0.05, 0.1, 0.3, 0.5]) * dice.random())
        one.kill()
        kills += 1
    one.start()
    for name in names:
        read.expect(name, total=60000)
    check = read.wait(one, timeout=90)
    one.stop_cleanly()
    check.assert_exactly_once()
    read.check().assert_exactly_once()


def test_at_least_once_is_killed(engine, kafka, collector, reader):
    """The idempotent producer with the local checkpoint: nothing is lost, nor out of order."""
    read = reader(kafka)
    container = engine.write("web", service="web", count=20000, rate=4000, container=ROTATED)
    one = collector(kafka, kafka={"delivery": "at-least-once"})
    dice = random.Random(5)
    while container.running:
        one.start()
        time.sleep(0.2 + dice.random())
        one.kill()
    one.start()
    read.expect("web", total=20000)
    read.wait(one).assert_at_least_once()
    one.stop_cleanly()
    one.start()
    time.sleep(1)
    assert lines_out(one) == 0  # the checkpoint knows all of it
    one.stop_cleanly()


# Others with the same name


def test_second_process_fences_the_first(engine, kafka, collector, reader):
    """The one that was fenced off says so and exits with its own code; no line is lost or doubled by the change."""
    read = reader(kafka)
    one, two = collector(kafka, name="one").start(), collector(kafka, name="two")
    container = engine.write("web", service="web", count=12000, rate=2000)
    wait_lines_out(one, 1000)
    two.start()
    assert one.wait(timeout=20) == 4
    assert "took over" in one.stderr() and "kafka.identity" in one.stderr()
    container.wait()
    read.expect("web", total=12000)
    read.wait(two).assert_exactly_once()
    two.stop_cleanly()


def test_fenced_while_idle(engine, kafka, collector, reader):
    """A collector that had nothing to commit for long finds out with its next line."""
    read = reader(kafka)
    one, two = collector(kafka, name="one").start(), collector(kafka, name="two")
    engine.write("web", service="web", count=100)
    wait_lines_out(one, 100)
    two.start()
    two.wait_stderr("collecting")
    engine.write("late", service="late", count=100)
    assert one.wait(timeout=20) == 4
    read.expect("web", total=100)
    read.expect("late", total=100)
    read.wait(two).assert_exactly_once()
    two.stop_cleanly()


def test_two_identities_share_a_positions_topic(engine, kafka, collector, reader, topic):
    """Each goes on from its own positions: here both ship everything."""
    engine.write("web", service="web", count=500).wait()
    for name in ("one", "two"):
        one = collector(kafka, name=name, kafka={"identity": f"{topic}-{name}", "topic": f"{topic}.{name}"}).start()
        wait_lines_out(one, 500)
        one.stop_cleanly()
        one.start()
        one.wait_stderr("(?s)collecting.*collecting")
        time.sleep(0.5)
        assert lines_out(one) == 0
        one.stop_cleanly()
        check = Verifier()
        check.expect("web", total=500)
        check.add_records(json.loads(message.value) for message in committed(kafka, f"{topic}.{name}", 500))
        check.assert_exactly_once()
