"""What bench-fleet is made of: the broker, collectors with their logs, who writes these and who reads what is committed. Its settings,
of the environment, are described in fleet.py."""

import collections
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from broker import Broker as OneBroker
from measure import memory
from trickle import as_json, json_file, open_logs

BUILD = Path(sys.argv[1]).resolve()
BINARY = os.environ.get("OLD") or BUILD / "sidetail"
BASE = int(os.environ.get("FLEET_PORT_BASE", "26200"))

LOGS = 20  # of each collector, …
RATE = 20  # … which get so many lines a second in all
POSITIONS = "sidetail-positions"
PARTITIONS = 8  # of a topic of lines, as of that of positions
STAMP = re.compile(rb"@(\d+) (\d+) (\d+)@")  # when it was written, the log, the line's number in it
HEAD = re.compile(r'\["[^"]*"\]\t(\d+)\n')
PAD = "x" * 100


class Broker(OneBroker):
    """With what it has on disk."""

    def __init__(self, work):
        super().__init__(work, BASE)
        self.data = Path(re.search(r"^DATA=(.*)$", self.call("env"), re.M)[1]) / "broker1"

    def topic(self, name, partitions=PARTITIONS):
        super().topic(name, partitions)

    def ends(self, isolation):
        """Of each partition of the positions topic, up to where a reader of that isolation sees it."""
        asked = [part for number in range(PARTITIONS) for part in ("-t", f"{POSITIONS}:{number}:-1")]
        said = subprocess.run(["kcat", "-b", self.address, "-Q", *asked, "-X", f"isolation.level={isolation}"], capture_output=True, text=True)
        return {number: int(offset) for number, offset in re.findall(r"\[(\d+)\] offset (\d+)", said.stdout)}

    def held_up(self):
        """The partitions in which a transaction has been open for a while."""
        before = self.ends("read_committed")
        time.sleep(0.5)
        after, there = self.ends("read_committed"), self.ends("read_uncommitted")
        return [number for number in before if before[number] == after[number] < there[number]]

    def segments(self, topic):
        """Those of topics that were deleted lie about for a minute, under other names."""
        return (path for digits in ("[0-9]", "[0-9][0-9]") for path in self.data.glob(f"{topic}-{digits}/*.log"))

    def size(self, topic):
        """Bytes that are in the topic's logs."""
        return sum(path.stat().st_size for path in self.segments(topic))

    def fullest(self, topic):
        """The partition with the most in it."""
        return max(self.segments(topic), key=lambda path: path.stat().st_size).parent.name.rsplit("-", 1)[1]

    def rss(self):
        return memory(self.pid, "VmRSS")

    def connections(self):
        """Those that are established to its port, but for our own readers'."""
        wanted = f":{BASE:04X}"
        lines = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
        return sum(line[1].endswith(wanted) and line[3] == "01" for line in lines)

    def kcat(self, *arguments, **options):
        command = ["kcat", "-b", self.address, "-q", "-u", "-X", "fetch.wait.max.ms=100", "-X", "enable.auto.commit=false", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options)


def busy():
    """Seconds that the machine's processors have worked, whoever for."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def of(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


class Node:
    """A collector, and its logs."""

    started = []

    def __init__(self, work, broker, number, logs=LOGS, **kafka):
        self.number, self.port = number, BASE + 100 + number
        self.root = work / f"node-{number}"
        self.root.mkdir()
        self.logs = open_logs(json_file, self.root, range(number * LOGS, number * LOGS + logs))
        self.config = work / f"node-{number}.json"
        kafka = {"brokers": broker.address, "identity": f"node-{number}", "positions_topic": POSITIONS,
                 "commit_pause": "0s", **kafka}  # fmt: skip
        self.config.write_text(json.dumps({
            "json_file": {"path": str(self.root)}, "host": f"node-{number}", "checkpoint": {"path": ""}, "sink": "kafka",
            "metrics": {"listen": f"127.0.0.1:{self.port}"}, "kafka": kafka,
        }))  # fmt: skip
        self.said = open(work / f"node-{number}.log", "ab")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([BINARY, "run", "-c", self.config], stderr=self.said, stdout=subprocess.DEVNULL)
        Node.started.append(self.process)
        return self

    def metrics(self):
        """None where it does not answer, or is not ready."""
        try:
            for path in ("readyz", "metrics"):
                text = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=5).read().decode()
        except OSError:
            return None
        found = collections.Counter()
        for line in text.splitlines():
            if not line.startswith("#"):
                found[re.match(r"\w+", line)[0]] += float(line.rsplit(" ", 1)[1])
        return found

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for log in self.logs:
            os.close(log)
        self.said.close()


def all_ready(nodes, began, patience=120):
    """Waits until each is ready and has delivered a line; the seconds after `began` at which each was."""
    at, left = {}, set(nodes)
    while left and time.monotonic() < began + patience:
        for node in list(left):
            metrics = node.metrics()
            if metrics and metrics["sidetail_lines_out_total"] > 0:
                at[node] = time.monotonic() - began
                left.remove(node)
        time.sleep(0.05)
    if left:
        sys.exit(f"bench-fleet: {len(left)} of {len(nodes)} collectors do not collect: {Path(next(iter(left)).said.name).read_text()[-2000:]}")
    return list(at.values())


# -- writing and reading ---------------------------------------------------------------------------


def write(logs, rate, stop, told):
    """So many lines a second in all, at random among the logs, until told to stop; tells how many each log got."""
    begin, sent, numbers = time.monotonic(), 0, [0] * len(logs)
    while not stop.is_set():
        due = int((time.monotonic() - begin) * rate)
        for _ in range(sent, due):
            log, now = random.randrange(len(logs)), time.time_ns()
            numbers[log] += 1
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{now % 10**9:09d}Z"
            text = f"@{time.monotonic_ns()} {log} {numbers[log]}@ GET /cart 200 {PAD}"
            os.write(logs[log], as_json(text, stamp).encode())
        sent = due
        time.sleep(0.002)
    told.send(numbers)


class Writer:
    def __init__(self, nodes):
        self.stop_event, (self.answer, tell) = multiprocessing.Event(), multiprocessing.Pipe(False)
        logs = [log for node in nodes for log in node.logs]
        self.process = multiprocessing.Process(target=write, args=(logs, RATE * len(nodes), self.stop_event, tell), daemon=True)
        self.process.start()

    def stop(self):
        """How many lines each log got."""
        self.stop_event.set()
        numbers = self.answer.recv()
        self.process.join()
        return numbers


def read_lines(pipe, logs, tell):
    """Reads committed lines until the pipe ends; tells (when it came, how late, in seconds) of each, how many came of each log, and
    what came twice or out of order."""
    came, rest, seen, wrong = [], b"", [0] * logs, []
    while chunk := os.read(pipe, 1 << 20):
        now = time.monotonic_ns()
        whole, _, rest = (rest + chunk).rpartition(b"\n")
        for stamp, log, number in STAMP.findall(whole):
            came.append((now / 1e9, (now - int(stamp)) / 1e9))
            log, number = int(log), int(number)
            if number != seen[log] + 1:
                wrong.append((log, seen[log], number))
            seen[log] = number
    tell.send((came, seen, wrong))


class Reader:
    """A consumer of committed lines, in a process of its own."""

    def __init__(self, broker, topics, logs):
        self.kcat = broker.kcat("-G", f"fleet-{time.time_ns()}", "-X", "auto.offset.reset=earliest", "-X", "isolation.level=read_committed",
                                "-f", "%s\n", *topics)  # fmt: skip
        self.answer, tell = multiprocessing.Pipe(False)
        self.process = multiprocessing.Process(target=read_lines, args=(self.kcat.stdout.fileno(), logs, tell), daemon=True)
        self.process.start()
        self.kcat.stdout.close()

    def stop(self):
        self.kcat.terminate()
        told = self.answer.recv()
        self.kcat.wait()
        self.process.join()
        return told


class Commits:
    """How long after a head was written it can be read as committed, of the collectors whose positions are in one partition."""

    def __init__(self, broker):
        where = broker.fullest(POSITIONS)
        self.kcats = [broker.kcat("-C", "-t", POSITIONS, "-p", where, "-o", "end", "-X", f"isolation.level={level}", "-f", "%k\t%o\n", text=True)
                      for level in ("read_uncommitted", "read_committed")]  # fmt: skip
        self.at = [{}, {}]
        self.threads = [threading.Thread(target=self.read, args=pair, daemon=True) for pair in zip(self.kcats, self.at)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def read(kcat, at):
        for line in kcat.stdout:
            if head := HEAD.fullmatch(line):
                at[head[1]] = time.monotonic()

    def stop(self):
        for kcat in self.kcats:
            kcat.terminate()
        for thread in self.threads:
            thread.join()
        written, committed = self.at
        return [committed[offset] - written[offset] for offset in written.keys() & committed.keys()]
