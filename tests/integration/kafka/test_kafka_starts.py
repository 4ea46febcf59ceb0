"""Starts of a collector among thousands of others, whose positions are in the same topic."""

import json
import math
import random
import time

import pytest
from lib.kafka_sink import lines_out, wait_lines_out
from lib.numbered import Delivered, Log
from lib.system import wait_until

IDENTITIES = 600  # in the same partition, which is an eighth of 5,000
KEPT = 100  # logs of each
VALUES = 3  # of each position: the topic is not compacted yet

pytestmark = pytest.mark.figures


def position():
    """As include/record/position.h has it."""
    name = lambda bits: f"{random.getrandbits(bits):0{bits // 4}x}"
    where = {"dev": "fe00", "ino": name(24), "head": name(64), "head_len": 1024, "offset": random.getrandbits(24),
             "mtime": time.time_ns(), "tail": name(64), "tail_len": 1024}  # fmt: skip
    return json.dumps({"kind": "file", "at": where, "newest": time.time_ns(), "outline": name(128)}, separators=(",", ":"))


def records():
    feeds = {identity: [f"{random.getrandbits(256):064x}" for _ in range(KEPT)] for identity in range(IDENTITIES)}
    for _ in range(VALUES):
        for some in range(0, KEPT, 20):
            for identity, names in feeds.items():
                for name in names[some : some + 20]:
                    yield f'["other-{identity}","{name}"]', position()


def test_thousands_of_identities(sidetail, kafka, topic, tmp_path):
    """A start reads its own positions within two seconds, the whole start included."""
    log = Log(tmp_path / "logs", "web", 0)
    kafka.create_topic(f"{topic}-positions", partitions=1, cleanup_policy="compact")
    one = sidetail(
        {
            "source": "json-file", "json_file": {"path": str(tmp_path / "logs")}, "sink": "kafka", "format": "raw",
            "kafka": {"brokers": kafka.bootstrap, "topic": f"{topic}.web", "identity": topic, "positions_topic": f"{topic}-positions"},
        }
    ).start()  # fmt: skip
    log.append(100)
    wait_lines_out(one, 100)
    one.stop_cleanly()
    kafka.produce(f"{topic}-positions", 0, records(), **{"batch_num_messages": 20, "compression_codec": "lz4"})
    took = [math.inf]
    while min(took) >= 2 and len(took) <= 3:  # the quickest of three counts: others want the processors too
        log.append(100)
        began = time.monotonic()
        one.start()
        wait_until(lambda: one.running and is_ready(one), 30, one.stderr_end)
        took.append(time.monotonic() - began)
        wait_lines_out(one, 100)
        assert lines_out(one) == 100  # it had its position
        one.stop_cleanly()
    Delivered(message.value.encode() for message in kafka.messages(f"{topic}.web")).compare_all([log])
    assert min(took) < 2, took


def is_ready(one):
    try:
        return one.http("/readyz")
    except OSError:
        return False
