#!/usr/bin/python3
"""What `make bench-kafka` prints: sidetail beside a bare librdkafka producer and kcat, with the same messages to the same broker,
whose data lie on tmpfs, in one run. usage: kafka.py BUILD [LINES]"""
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
import urllib.request

BUILD = os.path.abspath(sys.argv[1])
LINES = int(sys.argv[2]) if len(sys.argv) > 2 else 2_000_000
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
FILES = 4  # containers, each its own key
PORT = 9472
SETUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "setup", "kafka.sh")


class Broker:
    def __init__(self, work, base=26100):
        self.options = ["--dir", f"{work}/kafka", "--port-base", str(base)]
        self.call("start")
        self.address = f"localhost:{base}"

    def call(self, *command):
        done = subprocess.run([SETUP, *self.options, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"bench-kafka: {' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def topic(self, name):
        self.call("tool", "topics", "--create", "--topic", name, "--partitions", str(FILES))

    def drop(self, name):
        self.call("tool", "topics", "--delete", "--topic", name)

    def pid(self, work):
        with open(f"{work}/kafka/broker1.pid") as text:
            return int(text.read())


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


def start(root, **config):
    """sidetail over the containers in `root`."""
    config = {
        "json_file": {"path": root}, "host": "node-1", "metrics": {"listen": f"127.0.0.1:{PORT}"}, "log": {"level": "error"},
        "checkpoint": {"path": f"{root}.checkpoint"}, **config,
    }  # fmt: skip
    with open(f"{root}.json", "w") as out:
        json.dump(config, out)
    return subprocess.Popen([f"{BUILD}/sidetail", "run", "-c", f"{root}.json"])


def metric(prefix):
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5).read().decode()
    except OSError:
        return 0
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(prefix))


def peak_rss(pid):
    with open(f"/proc/{pid}/status") as text:
        return next(int(line.split()[1]) / 1024 for line in text if line.startswith("VmHWM"))


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def sidetail(root, broker, topic, delivery):
    """(wall seconds, CPU seconds, peak MiB) from its start until all is acknowledged."""
    if os.path.exists(f"{root}.checkpoint"):
        os.unlink(f"{root}.checkpoint")
    kafka = {"brokers": broker.address, "topic": topic, "identity": topic, "delivery": delivery}
    before, began = children(), time.monotonic()
    process = start(root, sink="kafka", kafka=kafka)
    while metric("sidetail_lines_out_total{") < LINES:
        time.sleep(0.02)
    wall, rss = time.monotonic() - began, peak_rss(process.pid)
    process.terminate()
    process.wait()
    return wall, children() - before, rss


def command(arguments, stdin=None):
    """The same of a command."""
    before, began = children(), time.monotonic()
    process = subprocess.Popen(arguments, stdin=stdin, stderr=subprocess.DEVNULL)
    _, code, usage = os.wait4(process.pid, 0)
    if code:
        sys.exit(f"bench-kafka: {arguments[0]} ended with {code}")
    return time.monotonic() - began, children() - before, usage.ru_maxrss / 1024


def encode(work, root):
    """The messages as sidetail sends them, a file for each container."""
    paths = []
    for number in range(FILES):
        paths.append((name_of(number)[:12], f"{work}/encoded{number}"))
        include = {"containers": [f"shop_web_{number}"]}
        process = start(root, sink="file", file={"path": paths[-1][1]}, include=include)
        while metric("sidetail_lines_out_total{") < LINES / FILES:
            time.sleep(0.05)
        process.terminate()
        process.wait()
        os.unlink(f"{root}.checkpoint")
    return paths


def throughput(work, broker):
    root = f"{work}/containers"
    for number in range(FILES):
        with open(container(root, number), "w") as out:
            subprocess.run([f"{BUILD}/bench/bench_lines", str(LINES // FILES), str(number)], stdout=out, check=True)
    encoded = encode(work, root)
    size = sum(os.path.getsize(path) for _, path in encoded)
    inputs = [f"{key}={path}" for key, path in encoded]
    headers = [part for pair in ("service=web", "stream=stdout", "container=shop_web_1", "host=node-1") for part in ("-H", pair)]
    kcat = ["kcat", "-P", "-b", broker.address, "-X", "compression.codec=lz4", "-X", "acks=all",
            "-X", "enable.idempotence=true", "-k", "abcdef", *headers]  # fmt: skip
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
        "kcat -P": lambda topic: command([*kcat, "-t", topic, "-l", whole]),
    }
    found = {name: [] for name in kinds}
    for run in range(RUNS):  # side by side: the machine's mood hits all
        for number, (name, measure) in enumerate(kinds.items()):
            topic = f"bench-{run}-{number}"
            broker.topic(topic)
            found[name].append(measure(topic))
            broker.drop(topic)
    show(found, size)


def show(found, size):
    print(f"{LINES} lines, {size / 1e6:.0f} MB as sent, {FILES} containers, one broker on the same {os.cpu_count()} cores, "
          f"median of {RUNS}:")  # fmt: skip
    print(f"  {'':24} {'messages/s':>10} {'MB/s':>6} {'CPU s/M':>8} {'RSS MiB':>8}  of bare (wall, each run)")
    for name, runs in found.items():
        wall, cpu, rss = (statistics.median(column) for column in zip(*runs))
        rival = "bare, transactions" if "exactly" in name or "transactions" in name else "bare, idempotent"
        shares = [theirs[0] / ours[0] for ours, theirs in zip(runs, found[rival])]
        print(f"  {name:24} {LINES / wall:10.0f} {size / wall / 1e6:6.1f} {cpu / LINES * 1e6:8.2f} {rss:8.1f}"
              f"  {statistics.median(shares) * 100:.0f} % ({', '.join(f'{s * 100:.0f}' for s in shares)})")


def latency(work, broker, rate=1000, count=10000):
    """From the container's write (into its log) to a read_committed consumer."""
    root = f"{work}/late"
    broker.topic("late")
    with open(container(root, 1), "w", buffering=1) as log:
        reader = subprocess.Popen(
            ["kcat", "-C", "-u", "-q", "-b", broker.address, "-t", "late", "-X", "isolation.level=read_committed",
             "-X", "fetch.wait.max.ms=10", "-f", "%s\n", "-c", str(count)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        process = start(root, sink="kafka", kafka={"brokers": broker.address, "topic": "late", "identity": "late"})
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
        throughput(work, broker)
        latency(work, broker)
    finally:
        broker.call("stop")
        shutil.rmtree(work)


main()
