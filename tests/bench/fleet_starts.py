"""bench-fleet's part starts: a positions topic of thousands of identities."""

import hashlib
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fleet_world import POSITIONS, Node
from measure import cpu_of, memory

KEPT = 100  # logs of each identity
VALUES = 3  # of each position, before the topic is compacted
HASH = re.compile(r"\b[0-9a-f]{16}\b")  # of what a file holds: that of each file is another
NAME = re.compile(r"\b[0-9a-f]{64}\b")
EACH = 5  # positions that a transaction has


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Identity:
    """The collector that is started, and what of the topic it has to read through: the partition with its own positions."""

    def __init__(self, broker, work):
        self.broker = broker
        self.node = Node(work, broker, 0, logs=KEPT, topic="starts")
        self.node.start()
        self.append()
        self.wait(KEPT)
        self.stop()
        self.partition = broker.fullest(POSITIONS)
        self.records = [line.split("\t") for line in self.read().splitlines() if line.startswith('["node-0","')]

    def read(self):
        with self.broker.kcat("-C", "-t", POSITIONS, "-p", self.partition, "-o", "beginning", "-e", "-f", "%k\t%s\n", text=True) as kcat:
            return kcat.stdout.read()

    def append(self):
        for log in self.node.logs:
            os.write(log, b'{"log":"a line\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}\n')

    def lines_out(self):
        metrics = self.node.metrics()
        return metrics["sidetail_lines_out_total"] if metrics else -1

    def wait(self, lines):
        end = time.monotonic() + 60
        while (out := self.lines_out()) < lines:
            if time.monotonic() > end:
                sys.exit(f"bench-fleet: {out:.0f} of {lines} lines: {Path(self.node.said.name).read_text()[-2000:]}")
            time.sleep(0.005)

    def stop(self):
        self.node.process.terminate()
        self.node.process.wait()

    def measure(self, what, size):
        """Its start, from the process's being made until it collects; it must find its own positions."""
        took, used, rss = [], [], []
        for _ in range(3):
            began = time.monotonic()
            self.node.start()
            self.wait(0)
            took.append(time.monotonic() - began)
            used.append(cpu_of(self.node.process.pid))
            rss.append(memory(self.node.process.pid, "VmHWM"))
            self.append()
            self.wait(KEPT)
            time.sleep(0.5)
            if self.lines_out() != KEPT:
                sys.exit(f"bench-fleet: {self.lines_out():.0f} lines where {KEPT} were written: it did not find its positions")
            self.stop()
        print(f"  {what:60} {size / 1e6:6.1f} MB: {statistics.median(took):5.2f} s ({', '.join(f'{one:.2f}' for one in took)}), "
              f"{statistics.median(used):.2f} s of CPU, at most {max(rss):.0f} MiB", flush=True)  # fmt: skip

    def fill(self, identities):
        """Positions of others as real ones are: in batches of a transaction's, by turns."""
        command = ["kcat", "-b", self.broker.address, "-P", "-t", POSITIONS, "-p", self.partition, "-K", "\t", "-z", "lz4",
                   "-X", f"batch.num.messages={EACH}", "-X", "enable.idempotence=true"]  # fmt: skip
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as kcat:
            for _ in range(VALUES):
                for some in range(0, KEPT, EACH):
                    for identity in range(identities):
                        for key, value in self.records[some : some + EACH]:
                            key = NAME.sub(lambda name: sha(f"{identity} {name[0]}"), key.replace("node-0", f"other-{identity}", 1))
                            value = HASH.sub(lambda _: f"{random.getrandbits(64):016x}", value)
                            kcat.stdin.write(f"{key}\t{value}\n")

    def compact(self, patience=30):
        """Has all that is there compacted; False where that takes too long."""
        place = self.broker.data / f"{POSITIONS}-{self.partition}"
        configs = lambda *more: self.broker.call("tool", "configs", "--alter", "--entity-type", "topics", "--entity-name", POSITIONS, *more)
        configs("--add-config", "segment.ms=1000,min.cleanable.dirty.ratio=0.01")
        time.sleep(1.5)
        self.node.start()
        self.wait(0)
        self.stop()
        before, end = size_of(place), time.monotonic() + patience
        while size_of(place) > before * 1.5 / VALUES and time.monotonic() < end:
            time.sleep(0.5)
        time.sleep(2)
        configs("--delete-config", "segment.ms,min.cleanable.dirty.ratio")


def size_of(place):
    return sum(path.stat().st_size for path in place.glob("*.log"))


def starts(broker, identities):
    broker.call("tool", "configs", "--alter", "--entity-type", "brokers", "--entity-default", "--add-config", "log.cleaner.backoff.ms=500")
    broker.topic("starts")
    work = Path(tempfile.mkdtemp(prefix="sidetail-fleet-", dir="/dev/shm"))
    one = Identity(broker, work)
    place = broker.data / f"{POSITIONS}-{one.partition}"
    print(f"a start among {identities} identities of {KEPT} logs each, an eighth of which share its partition of the positions topic:")
    one.measure("alone", size_of(place))
    one.fill(identities // 8)
    one.measure(f"not compacted, {VALUES} values of each position", size_of(place))
    one.compact()
    one.measure("compacted", size_of(place))
    one.node.close()
    shutil.rmtree(work)
    for topic in ("starts", POSITIONS):
        broker.drop(topic)
