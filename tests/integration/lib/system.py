"""Paths, commands, waiting; and what is done when a test's surroundings are not to be had."""

import fcntl
import itertools
import os
import random
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[3]
SETUP = REPO / "tests" / "setup"
STATE = Path(os.environ.get("TEST_STATE", "/var/tmp/sidetail-test"))
BINARY = Path(os.environ.get("TEST_BINARY", REPO / "build" / "sidetail"))


def in_ci():
    return os.environ.get("CI", "").lower() in ("true", "1")


def unavailable(why):
    """Skips the test, saying why; under CI=true, where nothing may be passed over, it fails."""
    why = re.sub(r"\x1b\[[0-9;]*m", "", why)
    if in_ci():
        pytest.fail(f"cannot run here, and CI=true allows no skipping: {why}", pytrace=False)
    pytest.skip(why)


def run(*command, check=True, timeout=120, **options):
    """Runs a command; gives back its CompletedProcess with text output. A failure shows the output."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
    options.setdefault("text", True)
    if options["stdin"] is None:
        del options["stdin"]
    done = subprocess.run([str(part) for part in command], timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout or ''}{done.stderr or ''}"
        )
    return done


def wait_until(condition, timeout=30.0, what="", every=0.02):
    """Calls `condition` until what it gives back is true, and gives that back; an AssertionError after `timeout` seconds.
    `what` may be a function, called only for the message."""
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {timeout:g} s: {said or condition}")
        time.sleep(every)


# Those from 32768 on are given by the kernel to whoever connects: one of them may be taken by the time it is listened on.
_PORTS = itertools.cycle(random.sample(range(10000, 19000), 9000))


def free_port():
    """A TCP port nobody listens on now, and which nobody is given who asks for any."""
    return next(port for port in _PORTS if _is_free(port))


class PortRange:
    """The first of `size` consecutive ports that nobody listens on, below those which the kernel gives out. Until the release they are
    the caller's, also while nobody listens there: another test may have stopped its broker just now."""

    def __init__(self, size, start=23000, end=32000):
        STATE.mkdir(parents=True, exist_ok=True)
        for self.base in range(start, end - size, 100):
            self._lock = open(STATE / f"ports-{self.base}.lock", "w")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if all(_is_free(port) for port in range(self.base, self.base + size)):
                    return
            except BlockingIOError:
                pass
            self._lock.close()
        raise AssertionError("no free range of ports")

    def release(self):
        self._lock.close()


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def append(path, text):
    with open(path, "a") as out:
        out.write(text)
