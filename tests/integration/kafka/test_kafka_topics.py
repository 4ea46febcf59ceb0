"""The Kafka sink and its topics: deleted, made, and with lines that they do not take as they are."""

import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from lib.kafka_sink import committed, is_compacted, wait_lines_out
from lib.numbered import Log
from lib.system import wait_until
from lib.verify import Verifier


# Topics


def test_end_and_start_without_a_broker(engine, kafka, collector, reader):
    """SIGTERM is heard within Docker's ten seconds though nothing can be delivered. At a start the lack of a broker is
    said once, tried on, and all is delivered once there is one."""
    read = reader(kafka)
    one = collector(kafka).start()
    engine.write("web", service="web", count=2000, rate=4000)
    wait_lines_out(one, 500)
    kafka.kill()
    try:
        time.sleep(1)
        assert one.terminate(timeout=10) == 0
        said = len(one.stderr())
        one.start()
        one.wait_stderr("Kafka takes nothing now.*refused", since=said)
        time.sleep(3)
        assert one.running
        assert one.stderr()[said:].count("Kafka takes nothing now") == 1
    finally:
        kafka.restart()
    read.expect("web", total=2000)
    read.wait(one).assert_exactly_once()
    one.stop_cleanly()


def test_more_topics_than_are_allowed(engine, kafka, collector, topic):
    """The lines of what is beyond go to one topic, which is said once and counted; each service stays in one topic."""
    one = collector(kafka, kafka={"topics_max": 2, "overflow_topic": f"{topic}.rest"}).start()
    for name in "abcd":
        engine.write(name, service=name, count=300)
    wait_lines_out(one, 1200)
    check, topics = Verifier(), {}
    for message in committed(kafka, topic + r"\..*", 1200):
        record = json.loads(message.value)
        topics.setdefault(record["service"], set()).add(message.topic)
        check.add_record(record)
    for name in "abcd":
        check.expect(name, total=300)
    check.assert_exactly_once()
    own = [name for name in "abcd" if topics[name] == {f"{topic}.{name}"}]
    rest = [name for name in "abcd" if topics[name] == {f"{topic}.rest"}]
    assert len(own) == len(rest) == 2, topics
    assert one.metrics()["sidetail_kafka_overflow_lines_total"] == 600
    assert one.stderr().count("more topics than kafka.topics_max") == 1
    one.stop_cleanly()


def test_topic_deleted_while_running(engine, kafka, collector, topic):
    """What was in it is gone; all that comes later is there, once."""
    one = collector(kafka).start()
    before = engine.write("before", service="web", count=2000)
    before.wait()
    wait_lines_out(one, 2000)
    kafka.delete_topic(f"{topic}.web")
    after = engine.write("after", service="web", count=4000, rate=1000)
    after.wait()
    wait_lines_out(one, 6000)  # well before the transaction's timeout
    one.stop_cleanly()
    check = Verifier()
    check.expect("after", total=4000)
    check.add_records(json.loads(message.value) for message in committed(kafka, f"{topic}.web", 4000))
    check.assert_exactly_once()


def test_topic_deleted_amid_lines(engine, kafka, collector, topic):
    """Nothing comes twice, and from some line on everything is there, in order."""
    one = collector(kafka).start()
    container = engine.write("web", service="web", rate=3000)
    wait_lines_out(one, 3000)
    kafka.delete_topic(f"{topic}.web")
    one.wait_stderr("(?s)made a topic.*made a topic", timeout=30)
    container.stop()
    written = container.logs().count(b"\n")
    wait_lines_out(one, written)
    one.stop_cleanly()

    def read():
        check = Verifier()
        check.add_records(json.loads(message.value) for message in kafka.messages(f"{topic}.web"))
        return next((found for found in check.sequences.values() if found.next == written), None)

    sequence = wait_until(read, 20, "the last line")
    assert not sequence.doubled and not sequence.late
    gone = sorted(sequence.missing)
    assert gone == list(range(len(gone))), "a gap amid what came after the deletion"


def test_positions_topic_deleted(engine, kafka, collector, reader, topic):
    """It is made again, compacted too, with all positions that are known."""
    read = reader(kafka)
    one = collector(kafka).start()
    engine.write("quiet", service="quiet", count=500).wait()
    wait_lines_out(one, 500)
    kafka.delete_topic(f"{topic}-positions")
    engine.write("web", service="web", count=8000, rate=2000).wait()
    wait_lines_out(one, 8500, timeout=60)
    one.stop_cleanly()
    assert is_compacted(kafka, f"{topic}-positions")
    one.start()
    one.wait_stderr("(?s)collecting.*collecting")
    time.sleep(0.5)
    one.stop_cleanly()
    read.expect("quiet", total=500)
    read.expect("web", total=8000)
    read.wait(one).assert_exactly_once()


@pytest.fixture
def lost(engine, kafka, collector, topic):
    """lost(): what Kafka said was committed is gone from the positions topic, and what came before it is there: the topic
    is put back to that while the collector is stopped, by a producer of its name that fences it off and writes no head of
    its own. Gives back the collector, stopped still, and the writer of `late`."""

    def lose():
        one = collector(kafka).start()
        positions = f"{topic}-positions"
        engine.write("web", service="web", count=100).wait()
        wait_lines_out(one, 100)
        before = committed(kafka, positions, 3)
        late = engine.write("late", service="late", count=3000, rate=500)
        wait_lines_out(one, 600)
        one.signal(signal.SIGSTOP)
        kafka.delete_topic(positions)
        kafka.create_topic(positions, partitions=8, cleanup_policy="compact")
        records = [(message.key, message.value) for message in before]
        kafka.produce(positions, before[0].partition, records, transactional_id=f"sidetail-{topic}")
        return one, late

    return lose


def test_acknowledged_transaction_is_lost(kafka, reader, topic, lost):
    """The process begins anew by itself, from the positions that are there."""
    read = reader(kafka)
    one, late = lost()
    one.signal(signal.SIGCONT)
    one.wait_stderr("(?s)the process anew.*KAFKA-20734.*collecting", timeout=60)
    assert Path(f"/proc/{one.pid}/comm").read_text() == "sidetail\n"
    late.wait()
    wait_lines_out(one, 3000)
    lines = Counter(message.topic for message in committed(kafka, f"{topic}\\.[a-z]+", 3100))
    assert lines[f"{topic}.web"] == 100  # its position was there
    read.expect("web", total=100)
    read.expect("late", total=3000)
    read.wait(one).assert_at_least_once()
    one.stop_cleanly()


def test_acknowledged_transaction_is_lost_at_the_end(kafka, reader, lost):
    """Who was asked to end does so, and does not begin anew: the next start reads from there."""
    read = reader(kafka)
    one, late = lost()
    one.signal(signal.SIGTERM)
    one.signal(signal.SIGCONT)
    assert one.wait(20) == 0
    one.start()
    late.wait()
    read.expect("web", total=100)
    read.expect("late", total=3000)
    read.wait(one).assert_at_least_once()
    one.stop_cleanly()


def test_topics_are_made_as_told(engine, kafka, collector, topic):
    engine.write("web", service="web", count=10).wait()
    one = collector(kafka, kafka={"partitions": 5, "replication": 1}).start()
    wait_lines_out(one, 10)
    one.stop_cleanly()
    assert "PartitionCount: 5" in kafka.tool("topics", "--describe", "--topic", f"{topic}.web")


def one_topic_each(sidetail, kafka, topic, containers):
    """A collector of the containers below that directory, each of which has a topic of its own."""
    return sidetail({
        "source": "json-file",
        "json_file": {"path": str(containers)},
        "sink": "kafka",
        "kafka": {"brokers": kafka.bootstrap, "topic": topic + ".{container}", "identity": topic,
                  "positions_topic": f"{topic}-positions"},
    }).start()  # fmt: skip


def test_many_topics_are_made_at_once(new_kafka, monkeypatch, sidetail, topic, tmp_path):
    """Who has many topics made holds up no other service for long: the broker is asked for all that lines wait for by a
    few requests, which its log counts. Nothing is lost or out of order meanwhile, also where a service goes on writing."""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dorg.slf4j.simpleLogger.log.kafka.request.logger=debug")
    kafka = new_kafka()
    count = 120
    logs = [Log(tmp_path / "containers", f"web-{n}", n) for n in range(count)]
    logs[0].append(5)
    one = one_topic_each(sidetail, kafka, topic, tmp_path / "containers")
    wait_lines_out(one, 5)
    for log in logs:
        log.append(5)
        logs[0].append(1)
    wait_lines_out(one, 5 + 6 * count)
    one.stop_cleanly()
    asked = [
        line
        for line in (kafka.directory / "broker1.log").read_text().splitlines()
        if '"requestApiKeyName":"CREATE_TOPICS"' in line and '"isForwarded":true' not in line
    ]
    assert all(any(f'"{topic}.web-{n}"' in line for line in asked) for n in range(count))
    assert len(asked) < count / 4, f"{len(asked)} requests for {count} topics"
    names = kafka.topics()
    assert all(f"{topic}.web-{n}" in names for n in range(count))
    for n, lines in ((0, 10 + count), (1, 5), (count - 1, 5)):
        messages = sorted(committed(kafka, f"{topic}.web-{n}", lines), key=lambda message: (message.partition, message.offset))
        assert [int(json.loads(message.value)["log"].split()[1]) for message in messages] == list(range(1, lines + 1))
        assert len({message.partition for message in messages}) == 1


def test_topics_that_cannot_be_made(kafka, sidetail, topic, tmp_path):
    """Of several, each is named once lines wait for it; others are made all the same."""
    taken = [f"{topic}_taken-{n}" for n in range(2)]  # Kafka makes none that differs by a dot and an underscore alone
    for name in taken:
        kafka.tool("topics", "--create", "--topic", name)
    names = ["taken-0", "taken-1", *(f"free-{n}" for n in range(10))]
    for number, name in enumerate(names):
        Log(tmp_path / "containers", name, number).append(3)
    one = one_topic_each(sidetail, kafka, topic, tmp_path / "containers")
    first = one.wait_stderr(r"a topic is not ready.* topic=\S+(taken-\d) ").group(1)
    other = "taken-1" if first == "taken-0" else "taken-0"
    wait_until(lambda: all(f"{topic}.free-{n}" in kafka.topics() for n in range(10)), 30, one.stderr_end)
    kafka.tool("topics", "--delete", "--topic", f"{topic}_{first}")
    one.wait_stderr(rf"a topic is not ready.* topic=\S+{other} ", 30)
    kafka.tool("topics", "--delete", "--topic", f"{topic}_{other}")
    wait_lines_out(one, 3 * len(names))
    assert one.stderr().count("a topic is not ready") == 2
    one.stop_cleanly()


# Lines that a topic would not take as they are


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_time_too_far_from_now(kafka, sidetail, topic, tmp_path, delivery):
    """From 4.0 on, Kafka refuses times more than an hour ahead. One such line holds nothing up: its message carries
    the time of sending. Nor does it when the topic has come to take less since it was asked."""
    limits = "message.timestamp.before.max.ms={0},message.timestamp.after.max.ms={0}"
    stamp = lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(time.time() + seconds))
    log = tmp_path / "web.log"
    log.write_text("".join(f"{stamp(s)} stdout F one {s}\n" for s in (0, 7200, 0, -7200)))
    settings = {
        "source": "files",
        "files": {"include": [str(tmp_path / "*.log")], "format": "cri"},
        "sink": "kafka",
        "kafka": {
            "brokers": kafka.bootstrap,
            "topic": topic,
            "identity": topic,
            "positions_topic": f"{topic}-positions",
            "delivery": delivery,
        },
    }
    one = sidetail(settings).start()
    wait_lines_out(one, 4)
    kafka.tool(
        "configs", "--alter", "--entity-type", "topics", "--entity-name", topic,
        "--add-config", limits.format(60000),
    )  # fmt: skip
    with log.open("a") as more:
        more.write("".join(f"{stamp(s)} stdout F two {s}\n" for s in (0, 600, 0, -600)))
    wait_lines_out(one, 8)
    one.stop_cleanly()
    messages = sorted(committed(kafka, topic, 8), key=lambda message: message.offset)
    lines = [json.loads(message.value)["log"] for message in messages]
    assert sorted(lines) == sorted(f"{word} {s}" for word, far in (("one", 7200), ("two", 600)) for s in (0, far, 0, -far))
    now = time.time() * 1000
    by_line = {line: message.timestamp - now for line, message in zip(lines, messages)}
    assert all(abs(by_line[line]) < 60000 for line in by_line if line != "one -7200"), by_line
    assert by_line["one -7200"] < -7100000
    assert "a line's time is too far from now" in one.stderr()


# Lines that are too long


def test_format_changed_by_a_reload(kafka, sidetail, topic, tmp_path):
    """What is too long for the topic is cut as the format that it was written in wants it, and is marked."""
    kafka.create_topic(topic, partitions=1, max_message_bytes=20000)
    log = tmp_path / "web.log"
    log.write_text("raw " + "x" * 30000 + "\n")
    one = sidetail(
        {
            "source": "files",
            "files": {"include": [str(log)]},
            "format": "raw",
            "line_max": "64KiB",
            "sink": "kafka",
            "kafka": {
                "brokers": kafka.bootstrap,
                "topic": topic,
                "identity": topic,
                "positions_topic": f"{topic}-positions",
            },
        }
    ).start()
    wait_lines_out(one, 1)
    one.config["format"] = "json"
    one.write_config()
    one.signal(1)  # HUP
    one.wait_stderr("the configuration was reloaded")
    with log.open("a") as more:
        more.write("json " + "x" * 100000 + "\n")
    wait_lines_out(one, 3)
    one.stop_cleanly()
    messages = sorted(committed(kafka, topic, 8), key=lambda message: message.offset)
    raw = [message for message in messages if not message.value.startswith("{")]
    assert "".join(message.value for message in raw) == "raw " + "x" * 30000
    records = [json.loads(message.value) for message in messages[len(raw) :]]
    assert "".join(record["log"] for record in records) == "json " + "x" * 100000
    marked = ["partial=true" in message.headers for message in messages]
    assert marked == [True] * (len(raw) - 1) + [False] + [True] * (len(records) - 1) + [False]
    assert [record.get("partial", False) for record in records] == marked[len(raw) :]


@pytest.mark.parametrize("limit", [20000, 1048588])
def test_line_longer_than_the_topic_takes_is_cut(engine, kafka, collector, reader, topic, limit):
    """Cut into records marked partial, which joined make the line; those around it are not touched."""
    kafka.create_topic(f"{topic}.web", max_message_bytes=limit)
    read = reader(kafka)
    container = engine.write(
        "web", service="web", count=300, long_every=100, long_length=limit * 2, bytes="ascii,utf8,escape"
    )
    container.wait()
    one = collector(kafka, line_max="4MiB").start()
    wait_lines_out(one, 300)
    metrics = one.metrics()
    one.stop_cleanly()
    read.expect("web", total=300)
    read.wait(one).assert_exactly_once()
    partial = [m for m in kafka.messages(f"{topic}.web") if json.loads(m.value).get("partial")]
    assert len(partial) >= 6 and all("partial=true" in message.headers for message in partial)
    assert metrics["sidetail_cut_lines_total"] >= len(partial)


def test_line_longer_than_the_topic_takes_goes_to_the_dead_letters(engine, kafka, collector, topic):
    kafka.create_topic(f"{topic}.web", max_message_bytes=20000)
    engine.write("web", service="web", count=300, long_every=100, long_length=50000).wait()
    dead = f"{topic}-dead"
    one = collector(kafka, kafka={"oversize": "dead-letter", "dead_letter_topic": dead}).start()
    wait_lines_out(one, 300)
    assert one.metrics()["sidetail_dead_letters_total"] == 3
    one.stop_cleanly()
    kept = [json.loads(message.value) for message in committed(kafka, f"{topic}.web", 297)]
    letters = committed(kafka, dead, 3)
    assert len(kept) == 297 and len(letters) == 3
    assert all(f"topic={topic}.web" in message.headers for message in letters)
    check = Verifier()
    check.expect("web", total=300)
    records = kept + [json.loads(message.value) for message in letters]
    check.add_records(sorted(records, key=lambda record: int(record["log"].split()[4])))
    check.assert_exactly_once()
