"""The Kafka sink while real brokers stop, die, freeze and refuse."""

import random
import time

import pytest
from lib.kafka_sink import MEMORY_MAX, ROTATED, lines_out, wait_lines_out, warnings
from lib.system import wait_until


@pytest.fixture
def steady(engine, collector, reader):
    """steady(kafka, breaking, seconds): containers write while `breaking` happens; nothing is lost nor doubled."""

    def run(cluster, breaking, rate=1500, count=15000, timeout=60, kafka=None, **config):
        read = reader(cluster)
        one = collector(cluster, kafka=kafka, **config).start()
        container = engine.write("web", service="web", count=count, rate=rate, stderr=10, container=ROTATED)
        wait_lines_out(one, rate // 2)
        breaking(one)
        container.wait()
        read.expect("web", total=count)
        check = read.wait(one, timeout)
        one.stop_cleanly()
        check.assert_exactly_once()
        read.check().assert_exactly_once()
        return one

    return run


@pytest.mark.slow
def test_broker_stopped_for_30_seconds(engine, kafka, collector, reader):
    """Memory stays under its limit through the outage; collecting resumes by itself."""
    read = reader(kafka)
    one = collector(kafka).start()
    engine.write("web", service="web", count=34000, rate=1000, container={"log_driver": "json-file"})
    wait_lines_out(one, 1000)
    resident = []
    kafka.stop()
    try:
        end = time.monotonic() + 30
        engine.write("flood", service="flood", count=150000, container={"log_driver": "json-file"})
        while time.monotonic() < end:
            resident.append(one.rss() >> 20)
            time.sleep(0.1)
    finally:
        kafka.restart()
    read.expect("web", total=34000)
    read.expect("flood", total=150000)
    wait_lines_out(one, 184000, timeout=60)
    resident.append(one.peak_rss() >> 20)
    read.wait(one).assert_exactly_once()
    assert "Kafka takes lines again" in one.stderr()
    assert one.metrics()["sidetail_backpressure_total"] > 0
    assert max(resident) < MEMORY_MAX, f"{max(resident)} MiB"
    one.stop_cleanly()


def test_broker_killed(kafka, steady):
    def breaking(one):
        kafka.kill()
        time.sleep(1)
        kafka.restart()

    steady(kafka, breaking)


def test_broker_frozen_past_the_transaction_timeout(kafka, steady):
    """The transaction is aborted by the broker; that is no other process's doing."""

    def breaking(one):
        kafka.freeze()
        time.sleep(5)
        kafka.thaw()
        time.sleep(1)
        assert one.running

    steady(kafka, breaking, count=12000, kafka={"transaction_timeout": "2s"})


def test_collector_frozen_past_the_transaction_timeout(kafka, steady):
    def breaking(one):
        one.signal(19)  # STOP
        time.sleep(5)
        one.signal(18)  # CONT
        time.sleep(1)
        assert one.running

    steady(kafka, breaking, count=12000, kafka={"transaction_timeout": "2s"})


def test_full_producer_queue(kafka, steady):
    """A queue of a hundred messages is full nearly always: nothing is lost, and it is counted."""

    def breaking(one):
        wait_lines_out(one, 10000)
        assert one.metrics()["sidetail_kafka_queue_full_total"] > 10

    steady(kafka, breaking, rate=0, count=10000, kafka={"properties": {"queue.buffering.max.messages": "100"}})


@pytest.mark.slow
def test_one_of_three_brokers_killed(kafka3, steady):
    """acks=all with two in sync: whichever broker dies, coordinator and leaders move on."""

    def breaking(one):
        broker = random.choice((1, 2, 3))
        kafka3.kill(broker)
        before = lines_out(one)
        wait_lines_out(one, before + 4000)  # without it
        kafka3.restart(broker)

    steady(kafka3, breaking, rate=1500, count=18000, timeout=90)


@pytest.mark.slow
def test_rolling_restart(kafka3, flowing):
    """Of three brokers, one after another, each once the one before has caught up: told is once for each at the most."""

    def changing(one):
        for broker in (1, 2, 3):
            kafka3.restart(broker)
            wait_until(kafka3.in_sync, 30, every=0.2)

    one = flowing(kafka3, changing)
    assert len(warnings(one)) <= 3
