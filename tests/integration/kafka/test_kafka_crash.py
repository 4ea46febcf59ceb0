"""The Kafka sink while real brokers are killed again and again."""

import os
import random
import time

import pytest
from lib.kafka_sink import ROTATED, lines_out, wait_lines_out
from lib.system import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(2000)]

KILLS = int(os.environ.get("KAFKA_KILLS", 30))
TIMEOUT = "3s"  # of a transaction, so that the broker often aborts one before it knows who leads its partitions


def assert_exactly_once(read, one, containers):
    """All that the containers wrote, when they are stopped, and once more when the collector is."""
    for name, container in containers.items():
        container.stop()
        read.expect(name, total=len(container.logs().splitlines()))
    check = read.wait(one, timeout=120)
    one.stop_cleanly()
    check.assert_exactly_once()
    read.check().assert_exactly_once()


def wait_more_lines(one, more=500):
    """Where the collector finds that the brokers have lost what they acknowledged, it begins anew, and counts from 0."""
    before = lines_out(one)

    def enough():
        count = lines_out(one)
        return count >= before + more or more <= count < before

    wait_until(enough, 90, one.stderr_end, every=0.1)


@pytest.fixture
def killed(engine, new_kafka, collector, reader):
    """killed(brokers): lines flow from three containers while brokers die; each line is there once and in order."""

    def run(brokers):
        kafka = new_kafka(brokers=brokers)
        read = reader(kafka)
        one = collector(kafka, kafka={"transaction_timeout": TIMEOUT, "commit_age": "1s"}).start()
        names = ["web", "worker", "db"]
        containers = {name: engine.write(name, service=name, rate=300, stderr=10, container=ROTATED) for name in names}
        wait_lines_out(one, 1000)
        dice = random.Random(14)
        for _ in range(KILLS):
            broker = dice.randint(1, brokers)
            time.sleep(dice.random())
            kafka.kill(broker)
            # Shorter than a transaction may last, or longer; the broker is away for some seconds more while it starts.
            time.sleep(dice.choice([0, 1, 4]))
            kafka.restart(broker)
            wait_more_lines(one)
        assert_exactly_once(read, one, containers)
        return kafka

    return run


def test_30_kills_of_the_broker_and_the_collector(engine, new_kafka, collector, reader):
    """A process that begins while there is no broker knows nothing of the transaction that the one before left open. The
    broker that comes back is asked to end it before it knows who leads its partitions."""
    kafka = new_kafka()
    read = reader(kafka)
    one = collector(kafka).start()
    web = engine.write("web", service="web", rate=300, container=ROTATED)
    wait_lines_out(one, 500)
    dice = random.Random(15)
    for _ in range(KILLS):
        time.sleep(dice.random())
        kafka.kill()
        one.kill()
        one.start()
        kafka.restart()
        wait_lines_out(one, 500, timeout=90)
    assert_exactly_once(read, one, {"web": web})


def test_30_kills_of_the_only_broker(killed):
    """It comes back and finds a transaction too old, whose partitions have no leader yet: it may leave them as they are,
    without the marker that ends a transaction."""
    kafka = killed(1)
    assert "can be skipped" in (kafka.directory / "broker1.log").read_text()  # else nothing was tried here


def test_30_kills_of_one_of_three_brokers(killed):
    killed(3)
