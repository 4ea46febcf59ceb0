"""The program under test as a process."""

import gzip
import json
import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from .system import BINARY, free_port, wait_until
from .verify import parse_json_lines


def merged(base, over):
    """`over` laid on `base`, objects within objects as well."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


class Sidetail:
    """`sidetail run` with a configuration; may be started, killed and started again.

    Its stdout is appended to `stdout_path`, its own log to `stderr_path`. Unless the configuration says otherwise, its
    checkpoint lies in `directory`, and its metrics are at a free port.
    """

    def __init__(self, directory, config=None, env=None, command=("run",), binary=BINARY):
        self.directory = directory
        self.binary = binary
        self.command = list(command)
        self.env = env or {}
        self.port = free_port()
        self.config = merged(
            {
                "checkpoint": {"path": str(directory / "checkpoint.json")},
                "metrics": {"listen": f"127.0.0.1:{self.port}"},
            },
            config or {},
        )
        self.config_path = directory / "sidetail.json"
        self.stdout_path = directory / "stdout"
        self.stderr_path = directory / "stderr"
        self.process = None

    # Its life

    def write_config(self):
        self.config_path.write_text(json.dumps(self.config, indent=2))

    def start(self, prefix=()):
        """Starts it; `prefix` is a command before it, such as ["valgrind"]."""
        assert self.process is None or self.process.poll() is not None, "runs already"
        self.write_config()
        # An environment of its own, so that no SIDETAIL_ or DOCKER_ variable of the caller changes a test.
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("SIDETAIL_", "DOCKER_"))}
        environment.update({key: str(value) for key, value in self.env.items()})
        with open(self.stdout_path, "ab") as out, open(self.stderr_path, "ab") as err:
            self.process = subprocess.Popen(
                [*prefix, str(self.binary), *self.command, "-c", str(self.config_path)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, cwd=self.directory,
            )  # fmt: skip
        return self

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        """Gives it the configuration as it is in `config` now."""
        self.write_config()
        self.signal(signal.SIGHUP)

    def catches_signals(self):
        """Or has ended."""
        if not self.running:
            return True
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{self.pid}/status").read_text(), re.M)
        return bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)

    def kill(self):
        """kill -9."""
        if self.running:
            self.process.kill()
        if self.process:
            self.process.wait(30)

    def terminate(self, timeout=10):
        """SIGTERM; gives back the exit code. Not having ended in time is a failure."""
        wait_until(self.catches_signals, what="SIGTERM is caught")  # one that has just been started dies of it
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout=30):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"sidetail did not end within {timeout} s:\n{self.stderr_end()}") from None

    def stop_cleanly(self, timeout=10):
        """SIGTERM, and exit code 0 with no fault told by a sanitizer."""
        code = self.terminate(timeout)
        assert code == 0, f"sidetail ended with {code}:\n{self.stderr_end()}"
        self.assert_no_sanitizer_fault()

    def close(self):
        self.kill()

    # What it says

    def stderr(self):
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    def stderr_end(self, lines=30):
        return "\n".join(self.stderr().splitlines()[-lines:])

    def wait_stderr(self, pattern, timeout=15, since=0):
        """Until its own log matches a regular expression, from that character on; gives back the match."""
        return wait_until(
            lambda: re.search(pattern, self.stderr()[since:], re.M), timeout, lambda: f"{pattern!r} in:\n{self.stderr_end()}"
        )

    def assert_no_sanitizer_fault(self):
        found = re.search(r"ERROR: \w+Sanitizer|runtime error:", self.stderr())
        assert not found, f"a sanitizer found a fault:\n{self.stderr_end(80)}"

    def http(self, path, timeout=5):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
            return answer.read().decode()

    def metrics(self):
        """{"name{a=\"b\"}" without braces where there are no labels: value}, parsed by Prometheus' own parser."""
        found = {}
        for family in text_string_to_metric_families(self.http("/metrics")):
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    def assert_no_long_turns(self):
        """No turn of its loop kept the processor for more than 50 ms; but for one, for what a virtual machine stands still while
        a process runs is counted as that process' work."""
        metrics = self.metrics()
        name = "sidetail_loop_turn_seconds"
        long = metrics[f"{name}_count"] - metrics[f'{name}_bucket{{le="0.05"}}']
        assert long <= 1, {key: value for key, value in metrics.items() if key.startswith(name)}

    def told(self, most=40):
        """What it says of its logs, and of what is left out, beside the size of each file: for messages of what is missing."""
        try:
            told = json.loads(self.http("/status"))
        except (OSError, ValueError) as fault:
            return f"no answer: {fault}"
        for log in told["logs"]:
            path = log.get("file", "")
            log["size"] = os.path.getsize(path) if os.path.exists(path) else None
        return "\n".join(json.dumps(one) for one in [*told["logs"], *told["left_out"]][:most])

    def rss(self):
        """Resident memory in bytes."""
        return self._status("VmRSS")

    def peak_rss(self):
        return self._status("VmHWM")

    def _status(self, field):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(rf"^{field}:\s+(\d+) kB", status.read(), re.M).group(1)) * 1024

    def open_files(self):
        """What its descriptors point to."""
        folder = f"/proc/{self.pid}/fd"
        found = []
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(f"{folder}/{name}"))
            except OSError:
                pass  # closed meanwhile
        return found

    # What it wrote

    def output_paths(self):
        """Oldest first: the file sink's rotated files and its live one, or the file that stdout went to."""
        path = self.config.get("file", {}).get("path")
        if self.config.get("sink") != "file" or not path:
            return [self.stdout_path]
        return rotated_files(path)

    def output(self):
        """All that it wrote, as bytes."""
        return b"".join(read_maybe_gzip(path) for path in self.output_paths())

    def lines(self):
        """Its whole lines; a last one without a newline is not one of them."""
        return self.output().split(b"\n")[:-1]

    def records(self):
        return parse_json_lines(self.lines())

    def wait_lines(self, count, timeout=30):
        """Until at least so many lines are out."""
        seen = lambda: self.output().count(b"\n")
        wait_until(lambda: seen() >= count, timeout, lambda: self._stuck(f"{count} lines, {seen()} are out"), every=0.05)

    def wait_quiet(self, seconds=1.0, timeout=60):
        """Until nothing has come out for so long."""
        last = [None, 0]

        def quiet():
            size = sum(path.stat().st_size for path in self.output_paths() if path.exists())
            last[1] = last[1] + 1 if size == last[0] else 0
            last[0] = size
            return last[1] * 0.1 >= seconds

        wait_until(quiet, timeout, "an end of the output", every=0.1)

    def wait_for(self, condition, timeout=30, what=""):
        """Until `condition` of its records holds; gives back what it gave."""
        return wait_until(lambda: condition(list(self.records())), timeout, lambda: self._stuck(what), every=0.1)

    def _stuck(self, what):
        state = "runs" if self.running else f"ended with {self.process.returncode}" if self.process else "never ran"
        told = f"\nit follows:\n{self.told()}" if self.running else ""
        return f"{what}; sidetail {state}, its log ends:\n{self.stderr_end()}{told}"


def rotated_files(path):
    """PATH.2.gz, PATH.1, PATH: those there are, oldest first."""
    folder, name = os.path.split(str(path))
    found = []
    for entry in os.listdir(folder) if os.path.isdir(folder) else []:
        match = re.fullmatch(re.escape(name) + r"(?:\.(\d+)(\.gz)?)?", entry)
        if match:
            found.append((-int(match.group(1) or 0), os.path.join(folder, entry)))
    return [Path(entry) for _, entry in sorted(found)]


def read_maybe_gzip(path):
    if not path.exists():
        return b""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
