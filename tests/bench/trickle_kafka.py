#!/usr/bin/python3
"""What `make bench-trickle-kafka` prints: what a trickle to Kafka costs the collector and the broker, by how often it commits.

200 json-file logs of 50 lines a second each (as trickle.py writes them), one broker on the same cores, its data on tmpfs, and a
consumer that reads what is committed. A broker at rest takes some CPU as well: that is measured first and taken off.
usage: trickle_kafka.py BUILD [OLD-BINARY [SECONDS]]    `-` for no old binary; TRICKLE_LOADS="200x50" chooses loads,
TRICKLE_CASES="exactly once" those of the cases whose names begin so"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from broker import Broker
from measure import cpu_ns
from trickle import BINARIES, as_json, json_file, open_logs, read_from, wanted, write

SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 10
LOADS = os.environ.get("TRICKLE_LOADS", "200x50").split()
SETTLE = 6  # seconds: more than the rarest commit
CASES = {
    "exactly once, commit_age 50ms": {"kafka": {"commit_age": "50ms"}},
    "exactly once, commit_age 200ms": {},
    "the same, batch.age 180ms": {"batch": {"age": "180ms"}},
    "exactly once, commit_age 1s": {"kafka": {"commit_age": "1s"}},
    "exactly once, commit_age 5s": {"kafka": {"commit_age": "5s"}},
    "at least once": {"kafka": {"delivery": "at-least-once"}},
}


def consume(broker, topic):
    return subprocess.Popen(
        ["kcat", "-C", "-u", "-q", "-b", broker.address, "-t", topic, "-X", "isolation.level=read_committed",
         "-f", "%s\n"], stdout=subprocess.PIPE)  # fmt: skip


def collect(binary, broker, topic, more, root):
    config = {
        "sink": "kafka", "json_file": {"path": str(root)}, "metrics": {"listen": ""}, "log": {"level": "error"},
        "checkpoint": {"path": f"{root}.checkpoint"}, **more,
        "kafka": {"brokers": broker.address, "topic": topic, "identity": topic, **more.get("kafka", {})},
    }  # fmt: skip
    Path(f"{root}.json").write_text(json.dumps(config))
    return subprocess.Popen([binary, "run", "-c", f"{root}.json"])


def spent(pids, seconds):
    """Each process's CPU, in nanoseconds, while `seconds` is called; and what that returned."""
    before = [cpu_ns(pid) for pid in pids]
    result = seconds()
    return result, [cpu_ns(pid) - was for pid, was in zip(pids, before)]


def measure(binary, broker, topic, more, count, rate, root):
    """(lines, the collector's and the broker's nanoseconds for them, how late each line was)."""
    root.mkdir(parents=True)
    logs = open_logs(json_file, root, range(count))
    broker.topic(topic)
    process, consumer = collect(binary, broker, topic, more, root), consume(broker, topic)
    read = read_from(consumer)
    time.sleep(SETTLE)

    def lines():
        sent = write(logs, as_json, rate, SECONDS)
        time.sleep(SETTLE)
        return sent

    _, at_rest = spent([broker.pid], lambda: time.sleep(SETTLE))
    sent, (ours, theirs) = spent([process.pid, broker.pid], lines)
    process.terminate()
    process.wait()
    consumer.terminate()
    late = read()
    for log in logs:
        os.close(log)
    shutil.rmtree(root)
    broker.drop(topic)
    assert len(late) == sent, f"{sent} lines were written, {len(late)} came out"
    return sent, ours, theirs - at_rest[0] * (SECONDS + SETTLE) / SETTLE, late


def main():
    work = Path(tempfile.mkdtemp(prefix="sidetail-trickle-", dir="/dev/shm"))
    broker = Broker(work)
    try:
        measure(BINARIES["sidetail"], broker, "warm", {}, 20, 50, work / "warm")  # Java is slow at first
        for load in LOADS:
            count, rate = map(int, load.split("x"))
            print(f"{count} logs of {rate} lines/s each, {SECONDS:.0f} s; us of CPU a line, milliseconds late:")
            for turn, case in enumerate(wanted(CASES)):
                for name, binary in BINARIES.items():
                    root = work / f"{load}-{turn}-{name}"
                    sent, ours, theirs, late = measure(binary, broker, root.name, CASES[case], count, rate, root)
                    print(f"  {name:9} {case:30} {ours / sent / 1000:6.2f} us, broker {theirs / sent / 1000:6.2f} us"
                          f" {late[sent // 2] / 1e6:8.1f} {late[sent * 99 // 100] / 1e6:8.1f} {late[-1] / 1e6:8.1f} ms (p50, p99, most)", flush=True)  # fmt: skip
    finally:
        broker.call("stop")
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
