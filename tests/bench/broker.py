"""A broker of the bench's own, its data on tmpfs."""

import subprocess
import sys
from pathlib import Path

SETUP = Path(__file__).resolve().parent.parent / "setup" / "kafka.sh"


class Broker:
    def __init__(self, work, base=26100):
        self.options = ["--dir", f"{work}/kafka", "--port-base", str(base)]
        self.call("start")
        self.address = f"localhost:{base}"
        self.pid = int(Path(f"{work}/kafka/broker1.pid").read_text())

    def call(self, *command):
        done = subprocess.run([SETUP, *self.options, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"kafka.sh {' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def topic(self, name, partitions=4):
        self.call("tool", "topics", "--create", "--topic", name, "--partitions", str(partitions))

    def drop(self, name):
        self.call("tool", "topics", "--delete", "--topic", name)
