"""Fixtures of the tests of the Kafka sink: topics, containers and collectors of each test's own."""

import time

import pytest
from lib.kafka_sink import MEMORY_MAX, ROTATED, Reader, lines_out, wait_lines_out


@pytest.fixture
def topic(request):
    """A prefix for topics, no other test's."""
    return f"t{abs(hash((request.node.name, time.time_ns()))) % 10**10}"


@pytest.fixture
def engine(engine):
    """Containers without a network: they start sooner, and need none."""
    write = engine.write
    engine.write = lambda ident, container=None, **options: write(
        ident, container={"network": "none", **(container or {})}, **options
    )
    return engine


@pytest.fixture
def collector(sidetail, engine, topic):
    """collector(kafka, kafka={...}, ...): a Sidetail that ships this test's containers to `TOPIC.SERVICE`."""

    def make(cluster, name=None, kafka=None, env=None, **config):
        settings = {
            "brokers": cluster.bootstrap,
            "topic": topic + ".{service}",
            "identity": topic,
            "positions_topic": f"{topic}-positions",
            **(kafka or {}),
        }
        return sidetail(
            {
                "source": "json-file",
                "json_file": {"path": str(engine.containers_dir)},
                "include": {"labels": [f"sidetail.test={engine.session}"]},
                "sink": "kafka",
                "kafka": settings,
                **config,
            },
            name=name,
            env=env,
        )

    return make


@pytest.fixture
def reader(topic):
    return lambda kafka: Reader(kafka, topic)


@pytest.fixture
def flowing(engine, collector, reader):
    """flowing(kafka, changing): lines of two containers flow before, while and after `changing`; each is there once, and in
    order, and memory stays within its limit. Gives back the collector, ended."""

    def run(cluster, changing, rate=1500, **options):
        read = reader(cluster)
        one = collector(cluster, **options).start()
        written = {name: engine.write(name, service=name, rate=rate, container=ROTATED) for name in ("web", "db")}
        wait_lines_out(one, rate, timeout=60)
        changing(one)
        wait_lines_out(one, lines_out(one) + rate, timeout=60)
        for name, container in written.items():
            container.stop()
            read.expect(name, total=len(container.logs().splitlines()))
        check = read.wait(one)
        assert "asan" in str(one.binary) or one.peak_rss() >> 20 < MEMORY_MAX
        one.stop_cleanly()
        check.assert_exactly_once()
        read.check().assert_exactly_once()
        return one

    return run
