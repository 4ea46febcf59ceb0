"""Power cuts: the output and the checkpoint lie on a disk that loses, at a random instant, all that was not synced.

`POWER_SEED=N` repeats a run, as far as instants can be repeated, and `POWER_CUTS=N` says how many cuts each test makes.
"""

import os
import random
import shutil
import time

import pytest

from lib.numbered import Delivered, Log, Writer, text
from lib.power import Disk, own_mounts
from lib.sidetail import read_maybe_gzip
from lib.system import wait_until

pytestmark = [pytest.mark.power, pytest.mark.timeout(1800)]

CUTS = int(os.environ.get("POWER_CUTS", 300))
CUTS_PER_DISK = 10
NAMES = ("web", "db")


def compare(collector, logs, kept):
    """`kept`: the logs lie where no power fails. Else what a log itself lost is nobody's, delivered or not."""
    found = Delivered(collector.lines())
    all_torn = 0
    for log in logs:
        entries, torn = log.entries()
        all_torn += torn
        if kept:
            assert entries == list(range(1, log.number + 1)), "the log is not what was written"
        found.compare(log.name, entries, log.number)
    assert len(found.strange) <= all_torn, f"{len(found.strange)} lines that nobody wrote: {found.strange[:3]}"


def newest(collector):
    """The end of the output, which goes on being rotated and compressed."""
    try:
        return b"".join(read_maybe_gzip(path) for path in collector.output_paths()[-3:])
    except FileNotFoundError:
        return b""


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
            log.append(1)  # it may stand behind a torn line
            log.append(1)
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
            logs = [Log(containers, name, order) for order, name in enumerate(NAMES)]
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
