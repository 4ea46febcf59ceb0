"""Power cuts: the output and the checkpoint lie on a disk that loses, at a random instant, all that was not synced.

`POWER_SEED=N` repeats a run, as far as instants can be repeated, and `POWER_CUTS=N` says how many cuts each test makes.
"""

import json
import os
import random
import re
import shutil
import threading
import time
from datetime import datetime, timezone

import pytest

from lib.power import Disk, own_mounts
from lib.sidetail import read_maybe_gzip
from lib.system import wait_until

pytestmark = [pytest.mark.power, pytest.mark.timeout(1800)]

CUTS = int(os.environ.get("POWER_CUTS", 300))
CUTS_PER_DISK = 10
NAMES = ("web", "db")


def text(name, number):
    """Of a length that its number tells, so that a line that is cut short is seen."""
    return f"{name} {number} {'x' * (number * 37 % 190)}."


class Log:
    """A container's log, written as Docker does: appended to, never synced."""

    def __init__(self, containers, name):
        self.name = name
        self.number = 0
        identity = f"{NAMES.index(name) + 1:064x}"
        directory = containers / identity
        directory.mkdir(parents=True)
        (directory / "config.v2.json").write_text(
            json.dumps({"ID": identity, "Name": f"/{name}", "Config": {"Image": "i", "Labels": {}}})
        )
        self.path = directory / f"{identity}-json.log"
        self.path.touch()

    def lines(self, count):
        for _ in range(count):
            self.number += 1
            entry = {"log": text(self.name, self.number) + "\n", "stream": "stdout"}
            entry["time"] = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
            yield json.dumps(entry, separators=(",", ":")).encode() + b"\n"

    def entries(self):
        """What is in it now: the numbers of its whole entries, and how many lines are torn."""
        numbers, torn = [], 0
        for line in self.path.read_bytes().split(b"\n")[:-1]:
            try:
                numbers.append(int(json.loads(line)["log"].split()[1]))
            except ValueError:
                torn += 1
        return numbers, torn


class Writer(threading.Thread):
    """Writes to the logs until it is stopped, or their disk is gone."""

    def __init__(self, logs, burst):
        super().__init__(daemon=True)
        self.logs, self.burst = logs, burst
        self.stopped = threading.Event()
        self.start()

    def run(self):
        files = []
        try:
            files += [open(log.path, "ab", buffering=0) for log in self.logs]
            while not self.stopped.wait(0.002):
                for log, file in zip(self.logs, files):
                    file.write(b"".join(log.lines(self.burst)))
        except OSError:
            pass
        finally:
            for file in files:
                file.close()

    def stop(self):
        self.stopped.set()
        self.join()


def delivered(collector):
    """{name: its numbers, in the order of the output}, and the lines that nobody wrote."""
    found, strange = {name: [] for name in NAMES}, []
    for line in collector.lines():
        match = re.fullmatch(r"(\w+) (\d+) x*\.", line.decode(errors="replace"))
        if match and line.decode() == text(match[1], int(match[2])):
            found[match[1]].append(int(match[2]))
        else:
            strange.append(line)
    return found, strange


def compare(collector, logs, kept):
    """`kept`: the logs lie where no power fails. Else what a log itself lost is nobody's, delivered or not."""
    found, strange = delivered(collector)
    all_torn = 0
    for log in logs:
        entries, torn = log.entries()
        numbers = found[log.name]
        all_torn += torn
        if kept:
            assert entries == list(range(1, log.number + 1)), "the log is not what was written"
        assert all(a < b for a, b in zip(numbers, numbers[1:])), f"{log.name}: doubled or out of order: {faults(numbers)}"
        lost = sorted(set(entries) - set(numbers))
        assert not lost, f"{log.name}: lost {len(lost)} of {len(entries)}: {lost[:20]}"
        assert numbers[-1] <= log.number
    assert len(strange) <= all_torn, f"{len(strange)} lines that nobody wrote: {strange[:3]}"


def newest(collector):
    """The end of the output, which goes on being rotated and compressed."""
    try:
        return b"".join(read_maybe_gzip(path) for path in collector.output_paths()[-3:])
    except FileNotFoundError:
        return b""


def faults(numbers):
    return [(a, b) for a, b in zip(numbers, numbers[1:]) if a >= b][:10]


@pytest.fixture(scope="module", autouse=True)
def mounts():
    own_mounts()


class Bench:
    """One disk after another, each of which goes through some cuts."""

    def __init__(self, tmp_path, sidetail, kind, logs_on_it, seed):
        self.tmp_path, self.sidetail = tmp_path, sidetail
        self.kind, self.logs_on_it = kind, logs_on_it
        self.random = random.Random(seed)
        self.running = None

    def collector(self, name, disk, containers):
        config = {
            "source": "json-file", "json_file": {"path": str(containers)}, "sink": "file", "format": "raw",
            "file": {
                "path": str(disk.path / "out" / "out.log"), "rotate_bytes": self.random.choice([40000, 150000, 400000]),
                "compress": True, "keep": 10000,
            },
            "checkpoint": {
                "path": str(disk.path / "state" / "checkpoint.json"), "interval": self.random.choice(["10ms", "50ms", "200ms"]),
            },
        }  # fmt: skip
        return self.sidetail(config, name=name)

    def live(self, disk, collector, logs, seconds):
        """Until the power is cut."""
        disk.mount()
        collector.start()
        writer = Writer(logs, self.random.choice([1, 10, 40]))
        try:
            time.sleep(seconds)
            assert collector.running, collector.stderr_end()
            disk.cut_power()
        finally:
            writer.stop()
            collector.kill()
        disk.unmount()

    def end(self, disk, collector, logs):
        """Once more, with the power on, until all is delivered."""
        disk.mount()
        collector.start()
        for log in logs:
            with open(log.path, "ab") as file:
                file.write(b"".join(log.lines(1)))  # it may stand behind a torn line
                file.write(b"".join(log.lines(1)))
        wanted = [text(log.name, log.number).encode() for log in logs]
        wait_until(
            lambda: all(line in newest(collector) for line in wanted), 30, lambda: f"the last lines\n{collector.stderr_end()}"
        )
        collector.stop_cleanly()
        compare(collector, logs, kept=not self.logs_on_it)

    def one_disk(self, name, cuts):
        directory = self.tmp_path / name
        directory.mkdir()
        disk, collector = Disk(directory, self.kind), None
        try:
            disk.mount()
            containers = (disk.path if self.logs_on_it else directory) / "containers"
            (disk.path / "out").mkdir()
            logs = [Log(containers, log) for log in NAMES]
            disk.unmount()  # syncs it
            collector = self.collector(f"{name}-collector", disk, containers)
            for _ in range(cuts):
                # Also amid a start, and not only after seconds of work.
                self.live(disk, collector, logs, self.random.random() ** 2)
            self.end(disk, collector, logs)
        finally:
            if collector:
                collector.kill()
            disk.close()
        shutil.rmtree(directory)


@pytest.mark.parametrize("where", ["logs-elsewhere", "logs-on-it"])
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_power_cuts(tmp_path, sidetail, kind, where):
    seed = int(os.environ.get("POWER_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"POWER_SEED={seed}")
    bench = Bench(tmp_path, sidetail, kind, where == "logs-on-it", seed)
    for begun in range(0, CUTS, CUTS_PER_DISK):
        bench.one_disk(f"disk{begun}", min(CUTS_PER_DISK, CUTS - begun))
