#!/usr/bin/python3
"""What `make bench-kafka` prints: sidetail beside a bare librdkafka producer and kcat, with the same messages to the same broker,
whose data lie on tmpfs, in one run. usage: kafka.py BUILD [LINES]
BENCH_RUNS: runs of each (3). BENCH_KAFKA: bare, kcat, others, latency, several by commas: only these parts; others: the collectors
on the PATH.
OLD: another binary, whose rows stand beside those of BUILD in the part kcat."""
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from broker import Broker
from measure import cpu_ns, lines_out, memory
from rivals import PROGRAMS, TO_KAFKA, installed, version

BUILD = os.path.abspath(sys.argv[1])
LINES = int(sys.argv[2]) if len(sys.argv) > 2 else 2_000_000
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
FILES = 4  # containers, each its own key
PARTS = os.environ.get("BENCH_KAFKA", "bare,kcat,others,latency").split(",")
OLD = os.environ.get("OLD")
HEADERS = ("service=web", "stream=stdout", "container=shop_web_1", "host=node-1")
PORT = 9472


def name_of(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def container(root, number):
    """A container's directory as Docker lays it out; returns the log's path."""
    directory = f"{root}/{name_of(number)}"
    os.makedirs(directory)
    labels = {"com.docker.compose.service": "web"}
    with open(f"{directory}/config.v2.json", "w") as out:
        json.dump({"ID": name_of(number), "Name": f"/shop_web_{number}", "Config": {"Labels": labels}}, out)
    return f"{directory}/{name_of(number)}-json.log"


def start(root, binary=f"{BUILD}/sidetail", **config):
    """sidetail over the containers in `root`."""
    config = {
        "json_file": {"path": root}, "host": "node-1", "metrics": {"listen": f"127.0.0.1:{PORT}"}, "log": {"level": "error"},
        "checkpoint": {"path": f"{root}.checkpoint"}, **config,
    }  # fmt: skip
    with open(f"{root}.json", "w") as out:
        json.dump(config, out)
    return subprocess.Popen([binary, "run", "-c", f"{root}.json"])


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def sidetail(root, broker, topic, delivery, binary=f"{BUILD}/sidetail", **kafka):
    """(wall seconds, CPU seconds, peak MiB, lines a second after its first ones) from its start until all is acknowledged.
    The few lines that are left for the last transaction do not wait for kafka.commit_pause."""
    if os.path.exists(f"{root}.checkpoint"):
        os.unlink(f"{root}.checkpoint")
    kafka = {"brokers": broker.address, "topic": topic, "identity": topic, "delivery": delivery, "commit_pause": "0s", **kafka}
    before, began = children(), time.monotonic()
    process = start(root, binary, sink="kafka", kafka=kafka)
    first, there = None, 0
    while there < LINES:
        time.sleep(0.02)
        if process.poll() is not None:
            sys.exit(f"bench-kafka: {binary} ended with {process.returncode}")
        there = lines_out(PORT)
        first = first or (there > 0 and (time.monotonic(), there))
    ended, rss = time.monotonic(), memory(process.pid, "VmHWM")
    process.terminate()
    process.wait()
    rate = (LINES - first[1]) / (ended - first[0]) if first[1] < LINES else 0
    return ended - began, children() - before, rss, rate


def command(arguments, stdin=None):
    """The same of a command."""
    before, began = children(), time.monotonic()
    process = subprocess.Popen(arguments, stdin=stdin, stderr=subprocess.DEVNULL)
    _, code, usage = os.wait4(process.pid, 0)
    if code:
        sys.exit(f"bench-kafka: {arguments[0]} ended with {code}")
    return time.monotonic() - began, children() - before, usage.ru_maxrss / 1024


def ship_to_file(root, path, count, **config):
    """So many messages as sidetail sends them."""
    process = start(root, sink="file", file={"path": path}, **config)
    while lines_out(PORT) < count:
        time.sleep(0.05)
    process.terminate()
    process.wait()
    os.unlink(f"{root}.checkpoint")


def encode(work, root):
    """The messages as sidetail sends them, a file for each container."""
    paths = []
    for number in range(FILES):
        paths.append((name_of(number)[:12], f"{work}/encoded{number}"))
        ship_to_file(root, paths[-1][1], LINES / FILES, include={"containers": [f"shop_web_{number}"]})
    return paths


def fill(root, containers):
    """Writes the logs."""
    for number in range(containers):
        with open(container(root, number), "w") as out:
            subprocess.run([f"{BUILD}/bench/bench_lines", str(LINES // containers), str(number)], stdout=out, check=True)


def kcat(broker, topic, path, headers=HEADERS):
    """The lines of a file, under one key."""
    return command(["kcat", "-P", "-b", broker.address, "-X", "compression.codec=lz4", "-X", "acks=all",
                    "-X", "enable.idempotence=true", "-k", "abcdefabcdef", "-t", topic, "-l", path,
                    *(part for pair in headers for part in ("-H", pair))])  # fmt: skip


def side_by_side(broker, kinds, part, partitions=FILES):
    """What each kind of a part measures, run by run: the machine's mood hits all, and each run begins with another."""
    found = {name: [] for name in kinds}
    for run in range(RUNS):
        order = list(kinds.items())
        for number, (name, measure) in enumerate(order[run % len(order) :] + order[: run % len(order)]):
            topic = f"bench-{part}-{partitions}-{run}-{number}"
            broker.topic(topic, partitions)
            found[name].append(measure(topic))
            broker.drop(topic)
    return found


def beside_kcat(work, broker, containers):
    """The same bytes, from as many containers into as many partitions; kcat has one key, so it fills one of them."""
    root, path = f"{work}/beside{containers}", f"{work}/beside{containers}.encoded"
    fill(root, containers)
    ship_to_file(root, path, LINES)
    once = lambda **more: lambda topic: sidetail(root, broker, topic, "exactly-once", **more)
    kinds = {
        "kcat -P, with headers": lambda topic: kcat(broker, topic, path),
        "exactly once, headers all": once(),
        "kcat -P": lambda topic: kcat(broker, topic, path, ()),
        "exactly once, needed": once(headers="needed"),
        "at least once, needed": lambda topic: sidetail(root, broker, topic, "at-least-once", headers="needed"),
    }
    if OLD:
        kinds["OLD, exactly once, all"] = once(binary=OLD)
    broker.topic("warm", containers)
    kcat(broker, "warm", path)  # Java is slow at first
    broker.drop("warm")
    found = side_by_side(broker, kinds, "kcat", containers)
    print(f"{LINES} lines, {os.path.getsize(path) / 1e6:.0f} MB, {containers} containers and partitions, median of {RUNS}; "
          "ratios to kcat of the same headers, run by run:")  # fmt: skip
    print(f"  {'':26} {'messages/s':>10} {'us CPU':>7} {'RSS MiB':>8}  {'rate':>5}  {'after its start':>15}  {'CPU':>5}")
    for name, runs in found.items():
        rivals = found["kcat -P, with headers" if "all" in name or "with" in name else "kcat -P"]
        wall, cpu, rss = (statistics.median(column) for column in list(zip(*runs))[:3])
        rate = statistics.median(theirs[0] / ours[0] for ours, theirs in zip(runs, rivals))
        late = statistics.median(ours[3] * theirs[0] / LINES for ours, theirs in zip(runs, rivals)) if len(runs[0]) > 3 else rate
        spent = statistics.median(ours[1] / theirs[1] for ours, theirs in zip(runs, rivals))
        print(f"  {name:26} {LINES / wall:10.0f} {cpu / LINES * 1e6:7.2f} {rss:8.1f}  {rate:5.2f}  {late:15.2f}  {spent:5.2f}")
    shutil.rmtree(root)
    os.unlink(path)


def end_of(broker, topic):
    said = subprocess.run(["kcat", "-Q", "-b", broker.address, "-t", f"{topic}:0:-1"], capture_output=True, text=True).stdout
    return int(said.rsplit(" ", 1)[1])


def rival(broker, way, log, topic):
    """(wall seconds, CPU seconds, peak MiB) of another collector, from its start until all is in the topic."""
    state = Path(tempfile.mkdtemp(dir=Path(log).parent))
    began = time.monotonic()
    process = subprocess.Popen(way(state, log, broker.address, topic), stdout=subprocess.DEVNULL)
    while end_of(broker, topic) < LINES:
        time.sleep(0.2)
        if process.poll() is not None or time.monotonic() - began > 120:
            process.kill()
            sys.exit(f"bench-kafka: {process.args[0]} ended, or takes too long: {end_of(broker, topic)} of {LINES} lines are there")
    found = time.monotonic() - began, cpu_ns(process.pid) / 1e9, memory(process.pid, "VmHWM")
    process.terminate()
    process.wait()
    shutil.rmtree(state)
    return found


def beside_others(work, broker):
    root = f"{work}/others"
    fill(root, 1)
    log = f"{root}/{name_of(0)}/{name_of(0)}-json.log"
    ours = lambda delivery, headers: lambda topic: sidetail(root, broker, topic, delivery, headers=headers)[:3]
    kinds = {
        "sidetail, exactly once": ours("exactly-once", "all"),
        "the same, headers needed": ours("exactly-once", "needed"),
        "sidetail, at least once": ours("at-least-once", "all"),
    }
    for name, way in installed(TO_KAFKA).items():
        kinds[f"{name} {version(PROGRAMS[name])}"] = lambda topic, way=way: rival(broker, way, log, topic)
    found = side_by_side(broker, kinds, "others", 1)
    print(f"{LINES} lines, {os.path.getsize(log) / 1e6:.0f} MB, one container and partition, median of {RUNS}; CPU to the first's, run by run:")
    for name, runs in found.items():
        wall, cpu, rss = (statistics.median(column) for column in zip(*runs))
        spent = statistics.median(run[1] / first[1] for run, first in zip(runs, found["sidetail, exactly once"]))
        print(f"  {name:26} {LINES / wall:10.0f} lines/s {cpu / LINES * 1e6:7.2f} us CPU a line ({spent:4.1f} x) {rss:8.1f} MiB")
    shutil.rmtree(root)


def throughput(work, broker):
    root = f"{work}/containers"
    fill(root, FILES)
    encoded = encode(work, root)
    size = sum(os.path.getsize(path) for _, path in encoded)
    inputs = [f"{key}={path}" for key, path in encoded]
    whole = f"{work}/encoded"
    with open(whole, "wb") as out:
        for _, path in encoded:
            with open(path, "rb") as text:
                shutil.copyfileobj(text, out)
    bare = f"{BUILD}/bench/bench_kafka"
    kinds = {
        "bare, transactions": lambda topic: command([bare, broker.address, topic, "transactions", *inputs]),
        "sidetail, exactly once": lambda topic: sidetail(root, broker, topic, "exactly-once"),
        "bare, idempotent": lambda topic: command([bare, broker.address, topic, "idempotent", *inputs]),
        "sidetail, at least once": lambda topic: sidetail(root, broker, topic, "at-least-once"),
        "kcat -P": lambda topic: kcat(broker, topic, whole),
    }
    show(side_by_side(broker, kinds, "bare"), size)
    for _, path in encoded:
        os.unlink(path)
    os.unlink(whole)
    shutil.rmtree(root)


def show(found, size):
    print(f"{LINES} lines, {size / 1e6:.0f} MB as sent, {FILES} containers, one broker on the same {os.cpu_count()} cores, "
          f"median of {RUNS}:")  # fmt: skip
    print(f"  {'':24} {'messages/s':>10} {'MB/s':>6} {'CPU s/M':>8} {'RSS MiB':>8}  of bare (wall, each run)")
    for name, runs in found.items():
        wall, cpu, rss = (statistics.median(column) for column in list(zip(*runs))[:3])
        rival = "bare, transactions" if "exactly" in name or "transactions" in name else "bare, idempotent"
        shares = [theirs[0] / ours[0] for ours, theirs in zip(runs, found[rival])]
        print(f"  {name:24} {LINES / wall:10.0f} {size / wall / 1e6:6.1f} {cpu / LINES * 1e6:8.2f} {rss:8.1f}"
              f"  {statistics.median(shares) * 100:.0f} % ({', '.join(f'{s * 100:.0f}' for s in shares)})")


def latency(work, broker, rate=1000, count=10000):
    """From the container's write (into its log) to a read_committed consumer."""
    root = f"{work}/late"
    broker.topic("late", FILES)
    with open(container(root, 1), "w", buffering=1) as log:
        reader = subprocess.Popen(
            ["kcat", "-C", "-u", "-q", "-b", broker.address, "-t", "late", "-X", "isolation.level=read_committed",
             "-X", "fetch.wait.max.ms=10", "-f", "%s\n", "-c", str(count)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        process = start(root, sink="kafka", kafka={"brokers": broker.address, "topic": "late", "identity": "late", "commit_pause": "0s"})
        time.sleep(2)
        pid = os.fork()
        if pid == 0:
            began = time.monotonic()
            for number in range(count):
                log.write(f'{{"log":"{time.monotonic_ns()}\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}}\n')
                time.sleep(max(0, began + (number + 1) / rate - time.monotonic()))
            os._exit(0)
        spans = sorted((time.monotonic_ns() - int(json.loads(line)["log"])) / 1e6 for line in reader.stdout)
        os.waitpid(pid, 0)
    reader.wait()
    process.terminate()
    process.wait()
    print(f"container's write -> read_committed consumer, {rate} lines/s, commits every 200 ms: "
          f"p50 {spans[count // 2]:.0f} ms, p99 {spans[count * 99 // 100]:.0f} ms, worst {spans[-1]:.0f} ms")  # fmt: skip


def main():
    work = tempfile.mkdtemp(prefix="sidetail-bench-kafka-")
    broker = Broker(work)
    try:
        if "bare" in PARTS:
            throughput(work, broker)
        if "kcat" in PARTS:
            beside_kcat(work, broker, 1)
            beside_kcat(work, broker, FILES)
        if "others" in PARTS:
            beside_others(work, broker)
        if "latency" in PARTS:
            latency(work, broker)
    finally:
        broker.call("stop")
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
