"""Arguments for the log writer (tests/integration/app), and running it without a container."""

import signal
import subprocess

from .system import REPO, run

IMAGE = "sidetail-test/app"


def arguments(**options):
    """count=5, long_every=10, torn=True -> ["--count", "5", "--long-every", "10", "--torn"]; None and False are left out."""
    found = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        found.append("--" + name.replace("_", "-"))
        if value is not True:
            found.append(str(value))
    return found


def build(directory):
    """Compiles the writer for this machine; gives back its path."""
    path = directory / "logwriter"
    run("make", "-s", "-C", REPO / "tests" / "integration" / "app", f"OUT={path}")
    return path


class Writer:
    """A log writer as a process of this machine, writing to a file (file=...) or to `stdout`."""

    def __init__(self, binary, stdout=None, **options):
        self.process = subprocess.Popen(
            [binary, *arguments(**options)], stdin=subprocess.DEVNULL, stdout=stdout or subprocess.DEVNULL
        )

    def wait(self, timeout=60):
        code = self.process.wait(timeout)
        assert code == 0, f"the log writer ended with {code}"

    def terminate(self, timeout=30):
        """Lets it finish its line and end."""
        self.process.send_signal(signal.SIGTERM)
        self.wait(timeout)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
