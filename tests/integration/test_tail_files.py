"""`sidetail tail --files`: where no Engine runs, from a directory of containers made here, rotated as Docker rotates."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from lib.system import BINARY, wait_until

ID = "5f" * 32


class Box:
    """A container's directory with its log."""

    def __init__(self, root):
        self.directory = root / ID
        self.directory.mkdir(parents=True)
        self.log = self.directory / f"{ID}-json.log"
        labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
        self.say({"Name": "/shop-web-1", "ID": ID, "LogPath": str(self.log), "Config": {"Image": "web", "Labels": labels},
                  "HostConfig": {"LogConfig": {"Type": "json-file", "Config": {}}},
                  "State": {"Running": True, "ExitCode": 0}})  # fmt: skip
        self.written = 0

    def say(self, meta):
        self.meta = meta
        fresh = self.directory / ".tmp-config.v2.json"
        fresh.write_text(json.dumps(meta))
        fresh.rename(self.directory / "config.v2.json")

    def write(self, count):
        with open(self.log, "a") as log:
            for _ in range(count):
                self.written += 1
                time = f"2026-11-24T10:{self.written // 1000 % 60:02}:00.{self.written:09}Z"
                log.write(json.dumps({"log": f"n{self.written}\n", "stream": "stdout", "time": time}) + "\n")

    def rotate(self, compress=True, keep=5):
        """As the json-file driver does: the newest rotated file stays plain until it is compressed beside."""
        suffix = ".gz" if compress else ""
        for number in range(keep - 1, 0, -1):
            old = self.log.with_name(f"{self.log.name}.{number}{suffix}")
            if old.exists():
                old.rename(self.log.with_name(f"{self.log.name}.{number + 1}{suffix}"))
        first = self.log.with_name(f"{self.log.name}.1")
        self.log.rename(first)
        self.log.touch()
        if compress:
            with gzip.open(f"{first}.gz.part", "wb") as packed:
                packed.write(first.read_bytes())
            os.utime(f"{first}.gz.part", ns=(first.stat().st_atime_ns, first.stat().st_mtime_ns))
            os.rename(f"{first}.gz.part", f"{first}.gz")
            first.unlink()


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path / "containers")


@pytest.fixture
def files(tmp_path, box):
    config = tmp_path / "tail.json"
    config.write_text(json.dumps({"json_file": {"path": str(box.directory.parent)}}))
    env = {key: value for key, value in os.environ.items() if not key.startswith(("SIDETAIL_", "DOCKER_"))}
    started = []

    def start(*arguments, pipe=None):
        out = tmp_path / f"out{len(started)}"
        with open(out, "wb") as stdout:
            process = subprocess.Popen([BINARY, "tail", "--files", "-c", config, *arguments], stdout=pipe or stdout,
                                       stderr=subprocess.PIPE, env=env)  # fmt: skip
        started.append(process)
        return process, lambda: [line.split("| ", 1)[1] for line in out.read_text().splitlines() if "| " in line]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def numbers(first, last):
    return [f"n{number}" for number in range(first, last + 1)]


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_history_across_rotated_files(box, files, compress):
    for _ in range(3):
        box.write(100)
        box.rotate(compress)
    box.write(50)
    for arguments, want in (((), numbers(1, 350)), (("-n", "0"), []), (("-n", "7"), numbers(344, 350)),
                            (("-n", "50"), numbers(301, 350)), (("-n", "51"), numbers(300, 350)),
                            (("-n", "260"), numbers(91, 350)), (("-n", "9999"), numbers(1, 350))):  # fmt: skip
        process, lines = files("--no-follow", *arguments)
        assert process.wait(20) == 0
        assert lines() == want, arguments


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_followed_while_rotated(box, files, compress):
    box.write(10)
    process, lines = files("-n", "5")
    wait_until(lambda: lines() == numbers(6, 10))

    def write():
        for _ in range(40):
            box.write(500)
            # At the pace of what is shown, as a log that rotates within its reader's backlog is another matter.
            wait_until(lambda: len(lines()) > box.written - 1000, 30)
            box.rotate(compress)

    writer = threading.Thread(target=write)
    writer.start()
    writer.join()
    box.write(3)
    wait_until(lambda: len(lines()) >= box.written - 5, 20)
    assert lines() == numbers(6, box.written)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[1] == b""
    assert process.returncode == -signal.SIGINT


def test_rotated_again_and_again(box, files):
    """The next rotation goes on while the file that follows is looked for and opened: none is passed over."""
    box.write(10)
    _, lines = files("-n", "5")
    wait_until(lambda: lines() == numbers(6, 10))
    for _ in range(300):
        box.write(3)
        wait_until(lambda: len(lines()) >= box.written - 13, 30, every=0.001)
        box.rotate(compress=False)
    box.write(3)
    wait_until(lambda: len(lines()) >= box.written - 5, 20)
    assert lines() == numbers(6, box.written)


def test_a_log_emptied_in_place(box, files):
    box.write(100)
    process, lines = files()
    wait_until(lambda: len(lines()) == 100)
    os.truncate(box.log, 0)
    box.write(5)
    wait_until(lambda: lines() == numbers(1, 105), what=lambda: str(lines()[-8:]))


def test_starts_and_stops(box, files, tmp_path):
    box.write(2)
    process, lines = files()
    wait_until(lambda: len(lines()) == 2)
    box.say({**box.meta, "State": {"Running": False, "ExitCode": 3}})
    out = tmp_path / "out0"
    wait_until(lambda: "stopped (exit 3)" in out.read_text())
    box.say({**box.meta, "State": {"Running": True, "ExitCode": 0}})
    box.write(1)
    wait_until(lambda: lines() == numbers(1, 3) and "* started" in out.read_text())


def at(second, **state):
    """What the Engine keeps of a container's state: it ended at that second, or was started one later."""
    moment = "2026-11-25T10:00:{:02}.5Z"
    return {"State": {"FinishedAt": moment.format(second), "StartedAt": moment.format(second + 1), **state}}


def entry(text, second):
    return json.dumps({"log": text + "\n", "stream": "stdout", "time": f"2026-11-25T10:00:{second:02}.9Z"}) + "\n"


def test_a_stop_is_told_before_the_start_that_follows_it(box, files):
    """Even where both come while lines of before are still to be shown."""
    box.write(200000)
    reader, writer = os.pipe()
    files(pipe=writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as out:
        first = out.readline()
        time.sleep(0.5)  # the pipe fills up
        box.say({**box.meta, **at(3, Running=False, ExitCode=3)})
        time.sleep(0.3)
        box.say({**box.meta, **at(3, Running=True, ExitCode=0)})
        with open(box.log, "a") as log:
            log.write(entry("of the new run", 5))
        time.sleep(0.3)
        last = []
        while not last or not last[-1].endswith(b"of the new run\n"):
            last = [*last[-3:], out.readline()]
    assert first.endswith(b"| n1\n")
    assert [line.strip().split(None, 1)[1] for line in last] == [
        b"| n200000", b"* stopped (exit 3)", b"* started", b"| of the new run"]  # fmt: skip


def test_a_restart_between_two_looks(box, files, tmp_path):
    """Of which only the second is seen: what it exited with is not known then."""
    box.say({**box.meta, **at(0, Running=True, ExitCode=0)})
    box.write(2)
    process, lines = files()
    wait_until(lambda: len(lines()) == 2)
    process.send_signal(signal.SIGSTOP)
    box.say({**box.meta, **at(3, Running=False, ExitCode=3)})
    box.say({**box.meta, **at(3, Running=True, ExitCode=0)})
    with open(box.log, "a") as log:
        log.write(entry("of the new run", 5))
    process.send_signal(signal.SIGCONT)
    out = tmp_path / "out0"
    wait_until(lambda: "started" in out.read_text() and "new run" in out.read_text(), what=out.read_text)
    assert [line.split(None, 1)[1] for line in out.read_text().splitlines()] == [
        "| n1", "| n2", "* stopped", "* started", "| of the new run"]  # fmt: skip
    box.say({**box.meta, **at(7, Running=False, ExitCode=1)})
    wait_until(lambda: out.read_text().endswith("* stopped (exit 1)\n"), what=out.read_text)


def driver(box, name):
    (box.directory / "hostconfig.json").write_text(json.dumps({"LogConfig": {"Type": name, "Config": {}}}))


def record(text):
    """As driver local writes it."""
    message = b"\x0a\x06stdout\x10\xb5\xc0\xb1\xec\xd0\xd6\x88\xf6\x18\x1a" + bytes([len(text)]) + text.encode()
    return len(message).to_bytes(4, "big") + message + len(message).to_bytes(4, "big")


def watched(process):
    """The inodes that it watches."""
    found = set()
    for info in Path(f"/proc/{process.pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            lines = [line for line in info.read_text().splitlines() if line.startswith("inotify ")]
            found |= {int(line.split("ino:")[1].split()[0], 16) for line in lines}
    return found


def test_local_logs_made_late(box, files):
    """The directory of driver local's log comes with the container's start, behind its metadata."""
    driver(box, "local")
    process, lines = files()
    wait_until(lambda: box.directory.stat().st_ino in watched(process))
    logs = box.directory / "local-logs"
    logs.mkdir()
    wait_until(lambda: logs.stat().st_ino in watched(process))
    (logs / "container.log").write_bytes(record("one") + record("torn, and longer than the next")[:-9] + record("two"))
    wait_until(lambda: lines() == ["one", "two"], what=lambda: str(lines()))


def test_local_logs_of_others_are_not_watched(box, files):
    driver(box, "local")
    (box.directory / "local-logs").mkdir()
    (box.directory / "local-logs" / "container.log").write_bytes(record("one"))
    process, lines = files("another")
    wait_until(lambda: box.directory.stat().st_ino in watched(process))
    box.say(box.meta)
    time.sleep(0.3)
    assert (box.directory / "local-logs").stat().st_ino not in watched(process)
    assert lines() == []


def test_a_log_on_another_disk(box, files, tmp_path):
    """Its name is a link, and its rotated files lie beside what that leads to; then the Engine rotates the link itself."""
    disk = tmp_path / "disk"
    disk.mkdir()
    moved = disk / box.log.name
    box.write(3)
    box.log.rename(disk / f"{box.log.name}.1")
    box.write(3)
    box.log.rename(moved)
    box.log.symlink_to(moved)
    process, lines = files("--all", "--no-follow")
    assert process.wait(10) == 0
    assert lines() == numbers(1, 6)
    process, lines = files("--all")
    wait_until(lambda: lines() == numbers(1, 6), what=lambda: str(lines()))
    wait_until(lambda: disk.stat().st_ino in watched(process))
    box.write(2)
    wait_until(lambda: lines() == numbers(1, 8), what=lambda: str(lines()))
    box.log.rename(box.log.with_name(f"{box.log.name}.1"))
    box.write(2)
    wait_until(lambda: lines() == numbers(1, 10), what=lambda: str(lines()))


@pytest.mark.parametrize("follow", [[], ["--no-follow"]], ids=["follow", "no-follow"])
@pytest.mark.parametrize(("target", "said"), [
    ("/dev/null", "it is no regular file, but /dev/null"),
    ("/nowhere/x.log", "it is a link, and nothing can be found at /nowhere/x.log"),
])  # fmt: skip
def test_a_log_that_is_none_is_said_once(box, files, tmp_path, follow, target, said):
    box.log.symlink_to(target)
    process, lines = files(*follow)
    out = tmp_path / "out0"
    wait_until(lambda: f"web-1  * its log cannot be shown: {said}\n" in out.read_text())
    if follow:
        assert process.wait(10) == 0
    else:
        box.log.unlink()
        box.write(1)
        wait_until(lambda: lines() == ["n1"], what=lambda: str(lines()))
    assert out.read_text().count("cannot be shown") == 1


@pytest.mark.parametrize(("name", "said"), [
    ("none", "nobody can read its log, since its driver none keeps nothing; run it with json-file, local or journald"),
    ("syslog", "its driver syslog writes no file that can be read here; leave out --files to ask the Engine"),
])  # fmt: skip
def test_a_driver_without_files_is_said_once(box, files, tmp_path, name, said):
    driver(box, name)
    process, _ = files("--no-follow")
    assert process.wait(20) == 0
    assert (tmp_path / "out0").read_text() == f"web-1  * cannot be shown: {said}\n"
    process, _ = files()
    out = tmp_path / "out1"
    wait_until(lambda: said in out.read_text())
    for running in (False, True):
        box.say({**box.meta, "State": {"Running": running, "ExitCode": 0}})
        time.sleep(0.2)
    driver(box, "json-file")  # never so with an Engine: here it tells when the metadata was read
    box.write(1)
    box.say(box.meta)
    wait_until(lambda: "n1" in out.read_text())
    assert out.read_text().count("cannot be shown") == 1
    process, _ = files("--no-follow", "another")
    assert process.wait(20) == 1 and (tmp_path / "out2").read_text() == ""


PIECE = "p" * 16384  # as much as the Engine puts into one entry


def piece(text, second):
    return entry(text, second).replace('\\n"', '"')


def test_last_words_of_a_container_that_has_ended(box, files):
    """What it wrote last has no newline: short, just as long as the Engine's entries, or torn by a crash of the Engine."""
    box.log.write_text(piece("first run", 1) + entry("second run", 2) + piece(PIECE, 3) + '{"log":"to')
    box.say({**box.meta, "State": {"Running": False, "ExitCode": 1}})
    for more in ((), ("--color", "never")):
        process, lines = files("--all", "--no-follow", *more)
        assert process.wait(10) == 0
        assert lines() == ["first run", "second run", PIECE, '{"log":"to']


def test_last_words_of_a_container_that_ends(box, files):
    box.log.write_text(entry("begun", 1))
    _, lines = files()
    wait_until(lambda: lines() == ["begun"])
    with open(box.log, "a") as log:
        log.write(piece(PIECE, 2))
    box.say({**box.meta, "State": {"Running": False, "ExitCode": 1}})
    wait_until(lambda: PIECE in lines())


def test_nobody_is_called_so(box, files):
    for more in (("nobody",), ("-p", "nope"), ("-l", "nope"), ("-a", "nobody"), ("-a", "-p", "nope")):
        process, _ = files("--no-follow", *more)
        assert process.wait(10) == 1
        assert b"no container is " in process.stderr.read()
