"""The Kafka sink and `sidetail tail --kafka` with Kafka 4 and with Kafka 3.9, the last before it: what the other tests show of
one version, in short of each. (KAFKA_VERSION=3.9.1 in the environment has nearly all of them run on that one.)"""

import json
import random
import time

import pytest
from lib.kafka_sink import ROTATED, is_compacted, lines_out, wait_lines_out
from lib.system import wait_until

KILLS = 12


@pytest.fixture(params=["kafka", "kafka_3"])
def each_kafka(request):
    return request.getfixturevalue(request.param)


def test_exactly_once(engine, each_kafka, collector, reader, follow, topic, tmp_path):
    """kill -9 at random instants; positions read back by a start and by one that takes over; and all of it shown by tail."""
    read = reader(each_kafka)
    written = {name: engine.write(name, service=name, rate=1000, stderr=10, container=ROTATED) for name in ("web", "db")}
    one, two = collector(each_kafka, name="one"), collector(each_kafka, name="two")
    dice = random.Random(21)
    for kill in range(KILLS):
        before = one.stderr().count("msg=collecting")
        one.start()
        if kill % 2:
            wait_until(lambda: one.stderr().count("msg=collecting") > before, 30, one.stderr_end)  # noqa: B023
        time.sleep(0.5 * dice.random())
        one.kill()
    one.start()
    wait_lines_out(one, 500)
    two.start()
    assert one.wait(20) == 4
    for name, container in written.items():
        container.stop()
        read.expect(name, total=len(container.logs().splitlines()))
    check = read.wait(two)
    two.stop_cleanly()
    two.start()
    two.wait_stderr("(?s)collecting.*collecting")
    time.sleep(0.5)
    assert lines_out(two) == 0  # the positions tell that there is nothing more
    two.stop_cleanly()
    check.assert_exactly_once()
    read.check().assert_exactly_once()
    assert is_compacted(each_kafka, f"{topic}-positions")
    config = tmp_path / "tail.json"
    config.write_text(json.dumps({"kafka": {"brokers": each_kafka.bootstrap, "topic": topic + ".{service}"}}))
    tail = follow("--kafka", "-c", str(config), "-F", "-n", "all", "web")
    said = tail.process.communicate(timeout=60)[1]
    assert tail.process.returncode == 0 and said == b""
    assert len(tail.lines()) == read.expected[0][1]["total"]
