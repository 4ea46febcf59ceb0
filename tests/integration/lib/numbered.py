"""Logs of numbered lines, written as Docker writes them, and the verdict on what came of them.

It knows only what was written: each line tells its log and number, and by its number its length.
"""

import json
import os
import re
import threading
from datetime import datetime, timezone


def text(name, number):
    """Of a length that its number tells, so that a line that is cut short is seen."""
    return f"{name} {number} {'x' * (number * 37 % 190)}."


class Log:
    """A container's log, written as Docker does: appended to, never synced. With `keep` it can be rotated."""

    def __init__(self, containers, name, order, keep=0):
        self.name = name
        self.number = 0
        self.keep = keep
        identity = f"{order + 1:064x}"
        directory = containers / identity
        directory.mkdir(parents=True)
        (directory / "config.v2.json").write_text(
            json.dumps({"ID": identity, "Name": f"/{name}", "Config": {"Image": "i", "Labels": {"service": name}}})
        )
        self.path = directory / f"{identity}-json.log"
        self.path.touch()

    def lines(self, count):
        for _ in range(count):
            self.number += 1
            entry = {"log": text(self.name, self.number) + "\n", "stream": "stdout"}
            entry["time"] = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
            yield json.dumps(entry, separators=(",", ":")).encode() + b"\n"

    def append(self, count):
        with open(self.path, "ab", buffering=0) as file:
            file.write(b"".join(self.lines(count)))

    def rotate(self):
        """As Docker: the oldest goes, each other one gets the next number."""
        name = lambda number: f"{self.path}.{number}"
        for number in range(self.keep - 1, 0, -1):
            if os.path.exists(name(number)):
                os.rename(name(number), name(number + 1))
        os.rename(self.path, name(1))
        self.path.touch()

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
    """Writes to the logs until it is stopped, or their disk is gone. They are rotated at so many bytes; 0: never."""

    def __init__(self, logs, burst, pause=0.002, rotate=0):
        super().__init__(daemon=True)
        self.logs, self.burst, self.pause, self.rotate = logs, burst, pause, rotate
        self.stopped = threading.Event()
        self.start()

    def run(self):
        files = {}
        try:
            files.update((log, open(log.path, "ab", buffering=0)) for log in self.logs)
            while not self.stopped.wait(self.pause):
                for log, file in files.items():
                    file.write(b"".join(log.lines(self.burst)))
                    if self.rotate and file.tell() >= self.rotate:
                        file.close()
                        log.rotate()
                        files[log] = open(log.path, "ab", buffering=0)
        except OSError:
            pass
        finally:
            for file in files.values():
                file.close()

    def stop(self):
        self.stopped.set()
        self.join()


class Delivered:
    """What came out: of each log its numbers in their order, and the lines that nobody wrote."""

    def __init__(self, lines):
        self.numbers, self.strange = {}, []
        for line in lines:
            match = re.fullmatch(r"(\w+) (\d+) x*\.", line.decode(errors="replace"))
            if match and line.decode() == text(match[1], int(match[2])):
                self.numbers.setdefault(match[1], []).append(int(match[2]))
            else:
                self.strange.append(line)

    def compare(self, name, wanted, written):
        """All that is `wanted` is there, once and in order, and nothing past the last number that was written."""
        numbers = self.numbers.get(name, [])
        wrong = [(a, b) for a, b in zip(numbers, numbers[1:]) if a >= b]
        assert not wrong, f"{name}: doubled or out of order: {wrong[:10]}"
        lost = sorted(set(wanted) - set(numbers))
        assert not lost, f"{name}: lost {len(lost)} of {len(wanted)}: {lost[:20]}"
        assert not numbers or numbers[-1] <= written

    def compare_all(self, logs):
        """All that was written to the logs is there, and nothing else."""
        for log in logs:
            self.compare(log.name, range(1, log.number + 1), log.number)
        assert not self.strange, f"{len(self.strange)} lines that nobody wrote: {self.strange[:3]}"
