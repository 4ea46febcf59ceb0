#!/usr/bin/python3
"""What `make bench-fleet` prints: a fleet of real collectors before one real broker on the same machine, whose data lie on tmpfs.

Each collector has an identity, 20 logs and 20 lines a second in all; one process writes all logs, one reads what is committed.
Each line tells when it was written. usage: fleet.py BUILD
FLEET_PARTS: steady, rolling, starts by commas: only these parts.
FLEET_NODES: numbers of collectors of the part steady (10,50,100,200); FLEET_COMMIT_AGES: kafka.commit_age of each, with a commit_pause of 0s (200ms,1s);
FLEET_TOPIC: one topic for all (logs), or one for each of 20 services (logs.{service}); FLEET_SECONDS: that each is measured (12).
FLEET_ROLLING: collectors of the part rolling (100). FLEET_IDENTITIES: of the part starts (5000).
FLEET_PORT_BASE: of the broker, and of the collectors' metrics behind it (26200). OLD: another binary instead."""
import os
import random
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from fleet_starts import starts
from fleet_world import LOGS, PARTITIONS, POSITIONS, RATE, Broker, Commits, Node, Reader, Writer, all_ready, busy, of
from measure import cpu_ns, memory

PARTS = os.environ.get("FLEET_PARTS", "steady,rolling,starts").split(",")
NODES = [int(number) for number in os.environ.get("FLEET_NODES", "10,50,100,200").split(",")]
AGES = os.environ.get("FLEET_COMMIT_AGES", "200ms,1s").split(",")
TOPIC = os.environ.get("FLEET_TOPIC", "logs")
SECONDS = float(os.environ.get("FLEET_SECONDS", "12"))
ROLLING = int(os.environ.get("FLEET_ROLLING", "100"))
IDENTITIES = int(os.environ.get("FLEET_IDENTITIES", "5000"))

SETTLE = 4  # seconds: the topics are made and proven
WARM = 20  # seconds: Java is slow at first, and busy with becoming faster


class Fleet:
    """So many collectors at work, from topics and positions of their own on."""

    def __init__(self, broker, count, **kafka):
        self.broker, self.work = broker, Path(tempfile.mkdtemp(prefix="sidetail-fleet-", dir="/dev/shm"))
        name = f"fleet{time.time_ns()}"
        topic = TOPIC.replace("logs", name, 1)
        self.topics = [topic.replace("{service}", f"web{index}") for index in range(LOGS if "{service}" in topic else 1)]
        for one in self.topics:
            broker.topic(one)
        self.nodes = [Node(self.work, broker, number, topic=topic, **kafka) for number in range(count)]
        self.reader = Reader(broker, self.topics, count * LOGS)
        began = time.monotonic()
        for node in self.nodes:
            node.start()
        self.writer = Writer(self.nodes)
        self.ready = all_ready(self.nodes, began)

    def total(self, name):
        return sum(metrics[name] for metrics in (node.metrics() for node in self.nodes) if metrics)

    def hang(self, node, tries=100):
        """Stops it at a moment when it has its positions written and not committed."""
        for _ in range(tries):
            node.process.send_signal(signal.SIGSTOP)
            if held := self.broker.held_up():
                return held
            node.process.send_signal(signal.SIGCONT)
            time.sleep(random.random() / 4)
        sys.exit("bench-fleet: its transaction was never open when it was stopped")

    def wait_delivered(self, written, patience=60):
        end = time.monotonic() + patience
        while self.total("sidetail_lag_bytes") + self.total("sidetail_batch_bytes_held") > 0 and time.monotonic() < end:
            time.sleep(0.2)
        time.sleep(1.5)  # what was committed last is read

    def close(self):
        """What was lost, doubled or out of order; how late each line was, and when it came."""
        written = self.writer.stop()
        self.wait_delivered(written)
        for node in self.nodes:
            node.process.terminate()
        for node in self.nodes:
            node.process.wait()
        came, seen, wrong = self.reader.stop()
        ended = sum(Path(node.said.name).read_text().count("held up the positions topic") for node in self.nodes)
        lost = sum(max(0, wanted - number) for wanted, number in zip(written, seen))
        for node in self.nodes:
            node.close()
        shutil.rmtree(self.work)
        for topic in self.topics:
            self.broker.drop(topic)
        self.broker.drop(POSITIONS)
        return came, f"{sum(written)} lines, {lost} lost, {len(wrong)} doubled or out of order" + (f", {ended} times another's transaction was ended" if ended else "")


class Usage:
    """What was used since: processor time in percent of one processor, transactions and bytes a second."""

    def __init__(self, fleet):
        self.fleet, self.at, self.before = fleet, time.monotonic(), self.now(fleet)

    @staticmethod
    def now(fleet):
        pids = [node.process.pid for node in fleet.nodes]
        return {"broker": cpu_ns(fleet.broker.pid) / 1e9, "collectors": sum(map(cpu_ns, pids)) / 1e9, "machine": busy(),
                "commits": fleet.total("sidetail_commits_total"), "positions": fleet.broker.size(POSITIONS),
                "state": fleet.broker.size("__transaction_state")}  # fmt: skip

    def take(self):
        took, now = time.monotonic() - self.at, self.now(self.fleet)
        return {name: (now[name] - self.before[name]) / took for name in now}


def steady_row(broker, count, age):
    fleet = Fleet(broker, count, commit_age=age)
    time.sleep(SETTLE)
    began, usage, commits = time.monotonic(), Usage(fleet), Commits(broker)
    time.sleep(SECONDS)
    used, spans, ended = usage.take(), commits.stop(), time.monotonic()
    rss = [memory(node.process.pid, "VmRSS") for node in fleet.nodes]
    connections, broker_rss = broker.connections(), broker.rss()
    came, verdict = fleet.close()
    late = [span for at, span in came if began <= at <= ended]
    rate = used["commits"] or float("nan")
    print(f"  {count:5} {age:>6} {rate:7.0f} {used['broker'] * 100:7.1f} {used['broker'] / rate * 1e6:7.0f} {used['collectors'] / count * 100:9.2f}"
          f" {used['machine'] / os.cpu_count() * 100:8.0f} {of(spans, 0.5) * 1000:8.0f} {of(spans, 0.99) * 1000:7.0f}"
          f" {of(late, 0.5) * 1000:8.0f} {of(late, 0.99) * 1000:7.0f} {statistics.median(rss):9.1f} {broker_rss:8.0f} {connections:6}"
          f" {used['positions'] / 1000:9.0f} {used['positions'] / rate:7.0f} {used['state'] / rate:7.0f}   {verdict}", flush=True)  # fmt: skip


def steady(broker):
    print(f"{LOGS} logs and {RATE} lines/s for each collector, topic {TOPIC} of {PARTITIONS} partitions, {SECONDS:.0f} s each, "
          f"{os.cpu_count()} processors for all; processor time in % of one; commit: from the head's being written until it can be read;\n"
          "  line: from its being written to a log until a consumer has it:")  # fmt: skip
    print(f"  {'nodes':>5} {'age':>6} {'commits':>7} {'broker':>7} {'broker':>7} {'collector':>9} {'machine':>8} {'commit':>8} {'ms':>7}"
          f" {'line':>8} {'ms':>7} {'collector':>9} {'broker':>8} {'conn.':>6} {'positions':>9} {'bytes a':>7} {'state a':>7}")  # fmt: skip
    print(f"  {'':5} {'':6} {'1/s':>7} {'%':>7} {'us each':>7} {'% each':>9} {'busy %':>8} {'p50':>8} {'p99':>7} {'p50':>8} {'p99':>7} {'RSS MiB':>9}"
          f" {'RSS MiB':>8} {'':6} {'kB/s':>9} {'commit':>7} {'commit':>7}")  # fmt: skip
    warming = Fleet(broker, 20, commit_age="50ms")
    time.sleep(WARM)
    warming.close()
    for age in AGES:
        for count in NODES:
            steady_row(broker, count, age)


def replace(fleet, nodes, number):
    """Ends them by that signal and starts them again; how long the first took, and when each had delivered a line then."""
    ended = time.monotonic()
    for node in nodes:
        node.process.send_signal(number)
    for node in nodes:
        node.process.wait()
    began = time.monotonic()
    for node in nodes:
        node.start()
    return began - ended, all_ready(nodes, began)


def rolling(broker):
    """All collectors are replaced at once: in order, killed, and in order while one hangs with its transaction open."""
    print(f"{ROLLING} collectors replaced at once; seconds from the new ones' start until each has delivered a line:")
    for name, number, hung in (("in order", signal.SIGTERM, 0), ("killed", signal.SIGKILL, 0), ("one hangs", signal.SIGTERM, 1)):
        fleet = Fleet(broker, ROLLING)
        time.sleep(SETTLE)
        held = fleet.hang(fleet.nodes[0]) if hung else []
        ended, at = replace(fleet, fleet.nodes[hung:], number)
        if hung:
            name += f" and holds up partition {' '.join(held)}"
            fleet.nodes[0].process.send_signal(signal.SIGCONT)
        _, verdict = fleet.close()
        print(f"  {name:34} ended within {ended:.1f}; half within {of(at, 0.5):.1f}, all within {max(at):.1f} s "
              f"(the fleet's first start: {of(fleet.ready, 0.5):.1f}, {max(fleet.ready):.1f}); {verdict}", flush=True)  # fmt: skip


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench-fleet: ended"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    work = tempfile.mkdtemp(prefix="sidetail-bench-fleet-")
    broker = Broker(work)
    try:
        for part in PARTS:
            {"steady": steady, "rolling": rolling, "starts": lambda broker: starts(broker, IDENTITIES)}[part](broker)
    finally:
        for process in Node.started:
            process.kill()
        broker.call("stop")
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
