"""Half an hour of all that can go wrong: for each sink that promises exactly once, a thousand kills among other faults.

`SOAK_SEED=N` repeats a run, as far as instants can be repeated, and `SOAK_KILLS=N` says how many kills each test makes.
"""

import collections
import json
import os
import random
import shutil
import time

import pytest
from lib.clock import SteppedClock
from lib.kafka_sink import lines_out
from lib.numbered import Delivered, Log, Writer, text
from lib.power import Disk, own_mounts
from lib.system import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(5400)]

KILLS = int(os.environ.get("SOAK_KILLS", 1000))
NAMES = ("web", "db", "queue")
ROTATED_AT = 100_000  # bytes of a log; at these rates, several times in a round
KEPT = 400  # rotated files of a log: more than a round makes


class Round:
    """Some faults after another at one collector and one set of logs; then all that was written must have come out."""

    KILLS = 50

    def __init__(self, directory, dice, done):
        self.directory, self.dice, self.done = directory, dice, done
        self.logs = [Log(directory / "containers", name, order, KEPT) for order, name in enumerate(NAMES)]
        self.clock = SteppedClock(directory)
        self.collector = None

    def sources(self):
        return {"source": "json-file", "json_file": {"path": str(self.directory / "containers")}}

    def run(self, kills):
        self.collector.start()
        writer = Writer(self.logs, self.dice.choice([1, 5, 20]), 0.005, ROTATED_AT)
        try:
            for _ in range(kills):
                self.wait(self.dice.random() ** 2)
                while (fault := self.dice.choices(*zip(*self.FAULTS.items()))[0]) != "kill":
                    getattr(self, fault)()
                    self.done[fault] += 1
                    self.wait(self.dice.random() ** 2)
                self.kill()
                self.done["kill"] += 1
        finally:
            writer.stop()
        self.end()

    def wait(self, seconds):
        time.sleep(seconds)
        assert self.collector.running, self.collector.stderr_end()

    # The faults that any collector meets

    def kill(self):
        self.collector.kill()
        self.collector.start()

    def end_it(self):
        """In order, also amid its start."""
        self.collector.stop_cleanly(timeout=30)
        self.collector.start()

    def reload(self):
        if self.collector.catches_signals():
            self.collector.reload()

    def step_clock(self):
        self.clock.step(self.dice.choice([-86400, -600, -2, 2, 600, 86400]))

    # The verdict

    def end(self):
        for log in self.logs:
            log.append(1)
        wait_until(self.has_all, 120, lambda: f"the last lines\n{self.collector.stderr_end()}", every=0.3)
        self.collector.stop_cleanly(timeout=30)
        Delivered(self.delivered()).compare_all(self.logs)
        self.done["line"] += sum(log.number for log in self.logs)

    def close(self):
        if self.collector:
            self.collector.kill()


class FileRound(Round):
    """Output and checkpoint lie on a small disk of their own, which fills up and loses its power."""

    FAULTS = {"kill": 75, "cut_power": 8, "fill_disk": 5, "end_it": 5, "reload": 4, "step_clock": 6}

    def __init__(self, directory, dice, done, sidetail):
        super().__init__(directory, dice, done)
        self.disk = Disk(directory, dice.choice(["ext4", "xfs"]))
        self.disk.mount()
        (self.disk.path / "out").mkdir()
        config = {
            **self.sources(), "sink": "file", "format": "raw",
            "file": {
                "path": str(self.disk.path / "out" / "out.log"), "rotate_bytes": dice.choice([40000, 150000, 400000]),
                "compress": dice.random() < 0.7, "keep": 10000,
            },
            "checkpoint": {
                "path": str(self.disk.path / "state" / "checkpoint.json"), "interval": dice.choice(["10ms", "50ms", "200ms"]),
            },
        }  # fmt: skip
        self.collector = sidetail(config, name=f"{directory.name}-collector", env=self.clock.env)

    def cut_power(self):
        self.disk.cut_power()
        self.collector.kill()
        self.disk.unmount()
        self.disk.mount()
        self.collector.start()

    def fill_disk(self):
        filler = self.disk.path / "filler"
        try:
            with open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(65536))
        except OSError:
            pass
        self.wait(self.dice.random())
        if self.dice.random() < 0.5:
            self.kill()
        self.wait(self.dice.random())
        filler.unlink()

    def has_all(self):
        out = b"".join(self.collector.output().split(b"\n")[-20000:])
        return all(text(log.name, log.number).encode() in out for log in self.logs)

    def delivered(self):
        return self.collector.lines()

    def close(self):
        super().close()
        self.disk.close()


class KafkaRound(Round):
    """A real broker, which is killed, hangs and stops as well."""

    KILLS = 100
    FAULTS = {"kill": 78, "kill_broker": 4, "hang_broker": 4, "stop_broker": 2, "end_it": 5, "reload": 4, "step_clock": 6}

    def __init__(self, directory, dice, done, sidetail, kafka):
        super().__init__(directory, dice, done)
        self.kafka, self.topic = kafka, directory.name
        config = {
            **self.sources(), "sink": "kafka",
            "kafka": {
                "brokers": kafka.bootstrap, "topic": f"{self.topic}.{{service}}", "identity": self.topic,
                "positions_topic": f"{self.topic}-positions", "commit_age": dice.choice(["50ms", "200ms", "1s"]),
                "transaction_timeout": dice.choice(["3s", "10s"]),
            },
        }  # fmt: skip
        self.collector = sidetail(config, name=f"{directory.name}-collector", env=self.clock.env)

    def wait(self, seconds):
        """One that has just begun is killed amid its start now and then; most times it works first."""
        if self.dice.random() < 0.6:
            wait_until(lambda: lines_out(self.collector) > 0, 60, self.collector.stderr_end, every=0.05)
        super().wait(seconds)

    def away(self):
        time.sleep(self.dice.choice([0, 1, 4]))

    def kill_broker(self):
        self.kafka.kill()
        self.away()
        self.kafka.restart()

    def stop_broker(self):
        self.kafka.stop()
        self.away()
        self.kafka.restart()

    def hang_broker(self):
        self.kafka.freeze()
        self.away()
        if self.dice.random() < 0.5:
            self.kill()
        self.kafka.thaw()

    def delivered(self):
        return [json.loads(message.value)["log"].encode() for message in self.kafka.messages(rf"{self.topic}\.\w+")]

    def has_all(self):
        found = Delivered(self.delivered())
        return all(found.numbers.get(log.name, [0])[-1] == log.number for log in self.logs)


@pytest.fixture(scope="module", autouse=True)
def mounts():
    own_mounts()


@pytest.fixture
def soak(tmp_path, sidetail):
    """soak(kind_of_round, …): rounds until there were enough kills."""

    def run(kind, *arguments):
        seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"SOAK_SEED={seed}")
        dice, done = random.Random(seed), collections.Counter()
        while done["kill"] < KILLS:
            directory = tmp_path / f"round{done['kill']}"
            directory.mkdir()
            one = kind(directory, dice, done, sidetail, *arguments)
            try:
                one.run(min(kind.KILLS, KILLS - done["kill"]))
            finally:
                one.close()
                print(dict(done))
            shutil.rmtree(directory)

    return run


def test_soak_of_the_file_sink(soak):
    soak(FileRound)


def test_soak_of_the_kafka_sink(soak, new_kafka):
    soak(KafkaRound, new_kafka())
