"""What is delivered, and what is kept of it, when the disk of the checkpoint is full, the sink stalls, the end is near."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from lib.system import run, wait_until
from lib.verify import Verifier, assert_collected

BARE = {"PATH": os.environ["PATH"]}


@pytest.fixture
def volume(tmp_path):
    directory = tmp_path / "logs"
    (directory / "web").mkdir(parents=True)
    return directory


@pytest.fixture
def collect(sidetail, volume):
    def make(**config):
        return sidetail({"source": "files", "files": {"include": [f"{volume}/{{service}}/*.log"]}, **config})

    return make


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=256k", "none", disk)
    yield disk
    run("umount", "-l", disk)


def fill(disk):
    filler = disk / "filler"
    with open(filler, "ab", buffering=0) as out:
        for size in (4096, 1):
            try:
                while True:
                    out.write(bytes(size))
            except OSError:
                pass
    return filler


def start_piped(collector):
    """Starts it with its stdout in a pipe; gives back the end to read from."""
    collector.write_config()
    with open(collector.stderr_path, "ab") as err:
        collector.process = subprocess.Popen(
            [collector.binary, "run", "-c", collector.config_path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, env=BARE,
        )  # fmt: skip
    collector.wait_stderr("collecting")
    return collector.process.stdout


def test_backlog_holds_up_nothing(collect, volume, tmp_path):
    """While a backlog is read into a sink that takes all: signals, metrics and the checkpoint's timer have their turn."""
    out, checkpoint, log = tmp_path / "out.log", tmp_path / "c.json", volume / "web" / "a.log"
    collector = collect(sink="file", file={"path": str(out)}, redact=["secret-[0-9]+"], batch={"bytes": "16KiB"},
                        checkpoint={"path": str(checkpoint), "interval": "50ms"})  # fmt: skip
    block = b"".join(b"line %07d of a backlog, secret-%d\n" % (number, number) for number in range(100000))
    with open(log, "wb") as backlog:
        for _ in range(60):
            backlog.write(block)
    collector.start()
    collector.wait_stderr("collecting")
    wait_until(lambda: collector.metrics()["sidetail_commits_total"] > 2, 5)
    collector.assert_no_long_turns()
    collector.stop_cleanly(timeout=5)
    with open(out, "rb") as lines:
        assert sum(1 for _ in lines) < 6000000, "it was to be stopped while it read"
    out.unlink()
    log.unlink()


def test_checkpoint_on_a_full_disk(collect, small_disk, volume, tmp_path, write_file):
    """While positions cannot be saved reading waits, so that kill -9 costs a bounded re-read; it goes on by itself."""
    out = tmp_path / "out.log"
    collector = collect(sink="file", file={"path": str(out)},
                        checkpoint={"path": str(small_disk / "c.json"), "interval": "100ms"})  # fmt: skip
    collector.start()
    writer = write_file(file=volume / "web" / "a.log", id="w", count=30000, rate=3000, rotate="rename", rotate_lines=500, keep=80)
    collector.wait_lines(1000)
    filler = fill(small_disk)
    waiting = r"cannot save the checkpoint; reading waits.*No space left"
    collector.wait_stderr(waiting)
    for round in range(3):
        stopped = wait_until(lambda: standstill(out), 10, "reading stops")
        assert collector.metrics()["sidetail_checkpoint_failing"] == 1
        assert collector.metrics()["sidetail_commit_errors_total"] > 1
        assert collector.stderr().count("reading waits") == 1 + round  # once a process
        assert stopped < 30000
        collector.kill()
        collector.start()
        wait_until(lambda: collector.stderr().count("reading waits") == 2 + round, 15)
    writer.wait()
    assert out.read_bytes().count(b"\n") < 29000
    filler.unlink()
    assert_collected(collector, w={"total": 30000})
    assert collector.metrics()["sidetail_checkpoint_failing"] == 0
    assert collector.metrics()["sidetail_lost_bytes_total"] == 0
    collector.kill()
    collector.start()
    assert_collected(collector, w={"total": 30000})
    collector.stop_cleanly()


def standstill(path):
    """The number of lines in it, once it does not grow."""
    size = path.stat().st_size
    time.sleep(0.7)
    return path.stat().st_size == size and path.read_bytes().count(b"\n")


def test_end_on_a_full_disk(collect, small_disk, volume, tmp_path, write_file):
    """SIGTERM while positions cannot be saved: it ends in time, says what that means, and nothing is lost or doubled."""
    collector = collect(sink="file", file={"path": str(tmp_path / "out.log")},
                        checkpoint={"path": str(small_disk / "c.json"), "interval": "100ms"})  # fmt: skip
    collector.start()
    write_file(file=volume / "web" / "a.log", id="w", count=2000).wait()
    collector.wait_lines(2000)
    filler = fill(small_disk)
    write_file(file=volume / "web" / "b.log", id="x", count=2000).wait()
    collector.wait_stderr("reading waits")
    began = time.monotonic()
    collector.stop_cleanly()
    assert time.monotonic() - began < 3
    collector.wait_stderr("ending without a saved checkpoint")
    filler.unlink()
    collector.start()
    assert_collected(collector, w={"total": 2000}, x={"total": 2000})
    collector.stop_cleanly()


def test_stdout_goes_on_without_the_checkpoint(collect, small_disk, volume, write_file):
    """At least once is kept by delivering: there, a full disk stops nothing."""
    collector = collect(checkpoint={"path": str(small_disk / "c.json"), "interval": "100ms"}).start()
    collector.wait_stderr("collecting")
    fill(small_disk)
    write_file(file=volume / "web" / "a.log", id="w", count=5000, rate=2500).wait()
    collector.wait_stderr("cannot save the checkpoint.*lines come twice")
    assert_collected(collector, w={"total": 5000})
    collector.stop_cleanly()


def test_end_of_grace_saves_what_was_taken(collect, volume, write_file):
    """A reader that stalls while the end is asked for: what it took before is not given to the next one."""
    collector = collect(checkpoint={"interval": "1h"}, batch={"bytes": "16KiB"})
    pipe = start_piped(collector)
    write_file(file=volume / "web" / "a.log", id="w", count=100000).wait()
    taken = [pipe.readline() for _ in range(50000)]
    collector.terminate(12)
    collector.wait_stderr("did not take all in time")
    taken += pipe.readlines()  # what was in the pipe
    pipe = start_piped(collector)
    check = Verifier()
    check.expect("w", total=100000)
    first = json.loads(pipe.readline())
    if not taken[-1].endswith(b"\n"):
        taken.pop()
    taken = [json.loads(line) for line in taken]
    known = [number for number, record in enumerate(taken) if record["log"] == first["log"]] or [len(taken)]
    assert known[0] > len(taken) - 200  # the batch that was half written comes again, no more
    for record in taken[: known[0]] + [first]:
        check.add_record(record)
    for _ in range(100000 - known[0] - 1):
        check.add_record(json.loads(pipe.readline()))
    check.assert_exactly_once()
    collector.stop_cleanly()


@pytest.mark.parametrize("sink", ["stdout", "file"])
def test_checkpoint_of_a_newer_version(collect, volume, tmp_path, sink):
    """Nothing is begun anew: that would give out all once more, and take the newer one's positions from it."""
    (volume / "web" / "a.log").write_text("line\n")
    collector = collect(sink=sink, file={"path": str(tmp_path / "out.log")})
    path = Path(collector.config["checkpoint"]["path"])
    newer = '{"sidetail":"checkpoint","version":99,"xxh3":"0"}\n{}\n'
    path.write_text(newer)
    collector.start()
    assert collector.wait(10) == 2
    assert re.search(r"cannot start.*newer sidetail \(version 99.*move the file away or set checkpoint\.path", collector.stderr())
    assert path.read_text() == newer
    assert not collector.stdout_path.read_bytes()


@pytest.fixture
def containers(collect, tmp_path):
    """A directory as Docker's, and a Sidetail that follows it."""
    root = tmp_path / "containers"

    def add(name, ident, lines):
        (root / ident).mkdir(parents=True)
        (root / ident / "config.v2.json").write_text(json.dumps({"ID": ident, "Name": f"/{name}", "Config": {}}))
        entry = '{"log":"%s %080d\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}\n'
        log = root / ident / f"{ident}-json.log"
        log.write_text("".join(entry % (name, number) for number in range(lines)))
        return log

    collector = collect(source="json-file", json_file={"path": str(root)}, memory_max="8MiB")
    return collector, add


def remove(log):
    log.unlink()
    (log.parent / "config.v2.json").unlink()
    log.parent.rmdir()


def test_removed_while_the_sink_stalls(containers):
    """What goes with the process, for its file has no name any more, is said in bytes; what is still there is not."""
    collector, add = containers
    gone, kept = add("gone", "ab" * 32, 150000), add("kept", "ef" * 32, 150000)
    size = gone.stat().st_size
    start_piped(collector)
    wait_until(lambda: collector.metrics()["sidetail_backpressure_total"] > 0, 20)
    remove(gone)
    wait_until(lambda: [path for path in collector.open_files() if "deleted" in path], 10)
    assert collector.terminate(12) == 0
    said = re.findall(r"level=error .*", collector.stderr())
    assert len(said) == 1 and str(gone) in said[0] and f"lost_bytes={size}" in said[0], said


def test_removed_and_read_but_not_delivered(containers):
    """The same, where all of it was read and waits in batches."""
    collector, add = containers
    gone = add("gone", "ab" * 32, 10000)
    start_piped(collector)
    lines_in = 'sidetail_lines_in_total{service="gone",stream="stdout"}'
    wait_until(lambda: collector.metrics().get(lines_in) == 10000, 20)
    remove(gone)
    wait_until(lambda: collector.metrics()["sidetail_feeds"] == 0, 20)
    assert collector.terminate(12) == 0
    collector.wait_stderr(r"level=error .*lost_lines=10000")


def test_killed_after_a_log_is_deleted(containers, collect, tmp_path):
    """A kill cuts the output back to the checkpoint: one is saved as soon as a log is gone, however long the interval."""
    _, add = containers
    out = tmp_path / "out"
    collector = collect(source="json-file", json_file={"path": str(tmp_path / "containers")},
                        sink="file", file={"path": str(out)}, checkpoint={"interval": "1h"})  # fmt: skip
    log = add("gone", "ab" * 32, 1000)
    collector.start()
    wait_until(lambda: out.exists() and out.read_bytes().count(b"\n") == 1000, 10)
    remove(log)
    wait_until(lambda: collector.metrics()["sidetail_feeds"] == 0, 10)
    time.sleep(0.3)  # what is promised comes within 50 ms
    collector.kill()
    collector.start()
    add("next", "cd" * 32, 1)
    wait_until(lambda: b'"next"' in out.read_bytes(), 10)
    assert out.read_bytes().count(b'"service":"gone"') == 1000


# In a user namespace of its own, which may have no inotify watch at all.
UNWATCHED = ("unshare", "-Ur", "sh", "-c", 'echo 0 >/proc/sys/user/max_inotify_watches && exec "$@"', "sh")


@pytest.mark.parametrize("source", ["json-file", "files"])
def test_without_inotify_watches(collect, containers, volume, source):
    """Other processes have used them up: that is said, and new logs and lines are found once a second."""
    collector, add = containers
    collector = collector if source == "json-file" else collect()
    ids = iter(("ab" * 32, "cd" * 32))

    def write(name):
        if source == "json-file":
            return add(name, next(ids), 100)
        log = volume / "web" / f"{name}.log"
        log.write_text("a line\n" * 100)
        return log

    log = write("early")
    collector.start(prefix=UNWATCHED)
    collector.wait_lines(100)
    write("late")
    collector.wait_lines(200)
    with open(log, "ab") as out:
        out.write(log.read_bytes()[: log.stat().st_size // 100])
    collector.wait_lines(201)
    collector.wait_stderr("raise fs.inotify.max_user_watches")
    assert collector.metrics()["sidetail_source_failing"] == 0
    collector.stop_cleanly()
