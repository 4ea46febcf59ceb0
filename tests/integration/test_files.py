"""Files in a shared volume, written and rotated by real programs."""

import random
import time

import pytest
from lib.system import run, wait_until
from lib.verify import Verifier, assert_collected


@pytest.fixture
def volume(tmp_path):
    directory = tmp_path / "logs"
    (directory / "web").mkdir(parents=True)
    return directory


@pytest.fixture
def collect(sidetail, tmp_path, volume):
    def make(**config):
        return sidetail({
            "source": "files",
            "files": {"include": [f"{volume}/{{service}}/*.log"], **config.pop("files", {})},
            "sink": "file",
            "file": {"path": str(tmp_path / "out.log")},
            **config,
        })  # fmt: skip

    return make


@pytest.mark.parametrize("how", ["rename", "delete"])
def test_rotation(collect, volume, write_file, how):
    """Several rotations in a row, faster than anybody looks; what is deleted must be opened before: it has half a second."""
    collector = collect().start()
    collector.wait_stderr("collecting")
    count, rate, burst = (20000, 10000, 3) if how == "rename" else (6000, 1000, 1)
    writer = write_file(file=volume / "web" / "a.log", id="w", count=count, rate=rate, rotate=how, rotate_lines=500,
                        rotate_burst=burst, keep=60)  # fmt: skip
    writer.wait()
    assert_collected(collector, w={"total": count, "tags": {"service": "web"}})
    collector.stop_cleanly()


@pytest.mark.parametrize("name", ["a.old.log", "a-2026-11-25T13-00-00.000.log", "../old/a.log"])
def test_renamed_to_a_name_that_is_followed(collect, volume, tmp_path, name):
    """Renamed while it runs, then while it is stopped: each line once, at the next start too."""
    (volume / "old").mkdir()
    log, renamed = volume / "web" / "a.log", volume / "web" / name

    def append(path, *numbers):
        with path.open("a") as file:
            file.writelines(f"{number}\n" for number in numbers)

    append(log, 1, 2)
    collector = collect(checkpoint={"interval": "50ms"}).start()
    collector.wait_lines(2)
    append(log, 3)
    log.rename(renamed)
    append(log, 4)
    collector.wait_lines(4)
    collector.stop_cleanly()
    append(log, 5)
    log.rename(renamed)
    append(log, 6)
    collector.start()
    collector.wait_lines(6)
    collector.stop_cleanly()
    collector.start()
    collector.wait_quiet(1.5)
    collector.stop_cleanly()
    assert sorted(record["log"] for record in collector.records()) == [str(number) for number in range(1, 7)]


def test_copytruncate(collect, volume, write_file):
    """The writer itself copies and truncates, between two lines: nothing is written meanwhile, so nothing may be lost."""
    collector = collect().start()
    collector.wait_stderr("collecting")
    write_file(file=volume / "web" / "a.log", id="w", count=5000, rate=2500, rotate="copytruncate", rotate_lines=400,
               keep=30).wait()  # fmt: skip
    assert_collected(collector, w={"total": 5000})


@pytest.mark.parametrize("how", ["rename", "copytruncate"])
def test_kill_9(collect, volume, write_file, how):
    collector = collect(checkpoint={"interval": "50ms"})
    writers = [
        write_file(file=volume / "web" / f"{name}.log", id=name, rate=1000, rotate=how, rotate_lines=300, keep=200,
                   long_every=100, long_length=30000)
        for name in "ab"
    ]  # fmt: skip
    rng = random.Random(5)
    for _ in range(60):
        collector.start()
        time.sleep(rng.uniform(0.005, 0.12))
        collector.kill()
    collector.start()
    for writer in writers:
        writer.terminate()
    collector.wait_quiet(1.5)
    found = Verifier()
    for name in "ab":
        found.expect(name, at_least=1000)
    found.add_records(collector.records())
    last = [path.read_bytes().rstrip(b"\n").split(b"\n")[-1] for path in volume.glob("web/?.log")]
    found.expect_written_up_to(line for line in last if line)
    found.assert_exactly_once()


def logs_of(collector):
    return [record["log"] for record in collector.records()]


def test_last_line_of_a_deleted_file(collect, volume):
    """It has no newline. It is delivered once, while its writer has the file open; one that is not deleted waits on."""
    collector = collect(partial_wait="1s").start()
    with (volume / "web" / "a.log").open("w") as writer, (volume / "web" / "b.log").open("w") as waiting:
        writer.write("first\nlast words")
        writer.flush()
        waiting.write("first\nto be")
        waiting.flush()
        collector.wait_lines(2)
        (volume / "web" / "a.log").unlink()
        collector.wait_lines(3)
        waiting.write(" continued\n")
        waiting.flush()
        collector.wait_lines(4)
        assert sorted(logs_of(collector)) == ["first", "first", "last words", "to be continued"]
    collector.stop_cleanly()
    assert len(logs_of(collector)) == 4


def test_last_line_at_the_end(collect, volume):
    """It is not given up when the collector ends before it is due."""
    collector = collect(partial_wait="1h").start()
    (volume / "web" / "a.log").write_text("first\nlast words")
    collector.wait_lines(1)
    (volume / "web" / "a.log").unlink()
    collector.stop_cleanly()
    assert logs_of(collector) == ["first", "last words"]
    assert "deleted" not in collector.stderr()


def test_utf16_is_said_once(collect, volume):
    """No line comes out right; nothing is lost of others, and it is said once, however often the file is rotated."""
    log = volume / "web" / "a.log"
    log.write_bytes("eins\nzwei\n".encode("utf-16"))
    collector = collect().start()
    collector.wait_stderr("UTF-16")
    log.rename(volume / "web" / "a.log.1")
    log.write_bytes("drei\n".encode("utf-16"))
    (volume / "web" / "b.log").write_bytes(b"\xef\xbb\xbfgood\n")
    collector.wait_for(lambda records: any(record["log"] == "good" for record in records))
    collector.wait_for(lambda records: any("d\0r\0" in record["log"] for record in records))
    collector.stop_cleanly()
    assert collector.stderr().count("UTF-16") == 1


def test_cri(collect, volume, write_file):
    collector = collect().start()
    write_file(file=volume / "web" / "0.log", id="w", format="cri", count=3000, long_every=50, long_length=60000,
               stderr=0).wait()  # fmt: skip
    assert_collected(collector, w={"total": 3000})


def test_new_directories_and_two_patterns(collect, volume, write_file, tmp_path):
    collector = collect(files={"include": [f"{volume}/{{service}}/*.log", f"{volume}/{{service}}/*.txt",
                                           f"{tmp_path}/later/{{service}}.log"]}).start()  # fmt: skip
    collector.wait_stderr("not there")
    for name in ("db", "cache"):
        (volume / name).mkdir()
        write_file(file=volume / name / "x.log", id=name, count=100).wait()
    write_file(file=volume / "db" / "x.txt", id="txt", count=100).wait()
    (tmp_path / "later").mkdir()
    write_file(file=tmp_path / "later" / "api.log", id="api", count=100).wait()
    assert_collected(collector, db={"total": 100, "tags": {"service": "db"}}, cache={"total": 100, "tags": {"service": "cache"}},
          txt={"total": 100, "tags": {"service": "db"}}, api={"total": 100, "tags": {"service": "api"}})  # fmt: skip


def test_never_follows_itself(sidetail, volume, write_file, tmp_path):
    """The output lies where it looks: by path it is refused, by another name (a link) it is left out."""
    write_file(file=volume / "web" / "a.log", id="w", count=10).wait()
    config = {"source": "files", "files": {"include": [f"{volume}/{{service}}/*.log"]}, "sink": "file"}
    refused = sidetail({**config, "file": {"path": f"{volume}/web/out.log"}}, name="refused").start()
    assert refused.wait() == 2 and "file.path" in refused.stderr()
    (tmp_path / "elsewhere").mkdir()
    (volume / "own").symlink_to(tmp_path / "elsewhere")
    config["files"]["follow_links"] = "all"
    linked = sidetail({**config, "file": {"path": str(tmp_path / "elsewhere" / "out.log")}}, name="linked").start()
    linked.wait_lines(10)
    time.sleep(1.5)
    assert len(linked.lines()) == 10
    linked.wait_stderr("own output")


def test_log_that_becomes_the_output(collect, volume, tmp_path):
    """The name of a log that is followed leads to the output by now: by a link, and by another name of the same file."""
    output = tmp_path / "out.log"
    names = [volume / "web" / f"{name}.log" for name in ("linked", "hard")]
    for log in names:
        log.write_text("one\n")
    collector = collect(files={"follow_links": "all"}).start()
    collector.wait_lines(2)
    for log in names:
        log.rename(log.with_suffix(".log.1"))
    names[0].symlink_to(output)
    names[1].hardlink_to(output)
    collector.wait_stderr("own output")
    time.sleep(2.5)
    assert len(collector.lines()) == 2
    collector.stop_cleanly()


def test_start_at_the_end_of_silent_logs(collect, volume, tmp_path):
    """They say nothing while it runs first, and it is killed; what comes meanwhile is read, and nothing of before."""
    names = [volume / "web" / f"{name}.log" for name in "abc"]
    for log in names:
        log.write_text("old\n" if log.name != "b.log" else "")
    collector = collect(start_at="end", checkpoint={"path": str(tmp_path / "positions.json")}).start()
    wait_until(lambda: "c.log" in read_if_there(tmp_path / "positions.json"), what="a position of each log")
    collector.kill()
    for log in names:
        with log.open("a") as file:
            file.write(f"new {log.name}\n")
    collector.start()
    collector.wait_lines(3)
    assert sorted(record["log"] for record in collector.records()) == ["new a.log", "new b.log", "new c.log"]
    collector.stop_cleanly()


def read_if_there(path):
    return path.read_text() if path.exists() else ""


def test_links_out_of_the_volume(collect, volume, write_file, tmp_path):
    """An application plants links to files that the collector may read, before and after others that are followed."""
    secret = tmp_path / "secret"
    secret.write_text("kafka-password=hunter2\n")
    secret.chmod(0o600)
    write_file(file=volume / "web" / "a.log", id="w", count=10).wait()
    (volume / "web" / "x.log").symlink_to(secret)
    (volume / "svc").symlink_to(tmp_path)
    collector = collect().start()
    collector.wait_lines(10)
    (volume / "web" / "a.log.1").symlink_to(secret)
    (volume / "web" / "y.log").symlink_to("/proc/self/environ")
    wait_until(lambda: collector.metrics()["sidetail_refused_links_total"] == 3, what="three refused links")
    time.sleep(1.5)
    assert len(collector.lines()) == 10
    assert collector.metrics()["sidetail_refused_links_total"] == 3
    assert collector.stderr().count("not following ") == 3
    collector.stop_cleanly()


@pytest.mark.parametrize("how", ["rename", "copytruncate"])
def test_links_to_logs_that_rotate(collect, volume, write_file, tmp_path, how):
    """As Kubernetes lays them out: links to files beside the directory, which are rotated there, live and while it is stopped."""
    (tmp_path / "pods").mkdir()
    log = tmp_path / "pods" / "0.log"
    (volume / "web" / "a.log").symlink_to(log)
    collector = collect().start()
    writer = write_file(file=log, id="w", rate=1000, rotate=how, rotate_lines=700, keep=200)
    for lines in range(1000, 5000, 1000):
        collector.wait_lines(lines)
        collector.kill()
        time.sleep(1)
        collector.start()
    writer.terminate()
    collector.wait_quiet(2.5)
    found = Verifier()
    found.expect("w", at_least=4000)
    found.add_records(collector.records())
    found.expect_written_up_to([log.read_bytes().rstrip(b"\n").split(b"\n")[-1]])
    found.assert_exactly_once()


def test_directory_that_vanishes(collect, volume, write_file):
    collector = collect().start()
    write_file(file=volume / "web" / "a.log", id="one", count=100).wait()
    collector.wait_lines(100)
    run("rm", "-r", volume)
    time.sleep(1.2)
    (volume / "web").mkdir(parents=True)
    write_file(file=volume / "web" / "a.log", id="two", count=100).wait()
    assert_collected(collector, one={"total": 100}, two={"total": 100})
    collector.stop_cleanly()


def ahead_of_its_checkpoint(collector, log):
    """It runs and has delivered two thousand lines, of which its checkpoint knows the first thousand."""
    log.write_text("".join(f"{number}\n" for number in range(1000)))
    collector.start()
    collector.wait_lines(1000)
    collector.stop_cleanly()
    collector.start()
    with log.open("a") as file:
        file.writelines(f"{number}\n" for number in range(1000, 2000))
    collector.wait_lines(2000)
    return collector


def test_second_start(collect, volume, tmp_path):
    """By mistake, while the output is moved away: refused before it touches a file of the first one, which goes on."""
    checkpoint, log = tmp_path / "c.json", volume / "web" / "a.log"
    out, moved = tmp_path / "out.log", tmp_path / "out.log.1"
    settings = {"checkpoint": {"path": str(checkpoint), "interval": "1h"}}
    first = ahead_of_its_checkpoint(collect(**settings), log)
    out.rename(moved)  # SIGUSR1 is still to come: nothing lies at the path
    written, saved = moved.read_bytes(), checkpoint.read_bytes()
    for _ in range(20):
        second = collect(**settings).start()
        assert second.wait() == 3, second.stderr()
        assert f"pid {first.pid} " in second.stderr() and "checkpoint.path" in second.stderr()
    assert (moved.read_bytes(), checkpoint.read_bytes()) == (written, saved)
    assert not list(tmp_path.glob("c.json.corrupt*"))
    first.kill()  # its lock goes with it
    third = collect(**settings).start()
    third.wait_lines(2000)
    third.stop_cleanly()
    assert sorted(int(record["log"]) for record in third.records()) == list(range(2000))


def test_second_start_with_a_copied_checkpoint(collect, volume, tmp_path):
    """The checkpoint's lock does not tell of it: the output that was just moved away is locked all the same, and not cut."""
    log, out, moved = volume / "web" / "a.log", tmp_path / "out.log", tmp_path / "out.log.1"
    mine, copied = tmp_path / "c.json", tmp_path / "copy.json"
    first = ahead_of_its_checkpoint(collect(checkpoint={"path": str(mine), "interval": "1h"}), log)
    out.rename(moved)
    copied.write_bytes(mine.read_bytes())
    written = moved.read_bytes()
    second = collect(checkpoint={"path": str(copied), "interval": "1h"}).start()
    assert second.wait() == 3, second.stderr()
    assert f"pid {first.pid}" in second.stderr() and "file.path" in second.stderr()
    assert moved.read_bytes() == written


@pytest.mark.parametrize("shared", ["checkpoint", "output"])
def test_second_start_of_another(collect, volume, tmp_path, shared):
    """A second collector that has either in common with the first, and the other for itself: it ends, and harms nothing."""
    checkpoint, out = tmp_path / "c.json", tmp_path / "out.log"
    (volume / "web" / "a.log").write_text("1\n2\n")
    first = collect(checkpoint={"path": str(checkpoint), "interval": "50ms"}).start()
    first.wait_lines(2)
    first.wait_quiet(0.5)
    saved, written = checkpoint.read_bytes(), out.read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    if shared == "checkpoint":
        second = collect(checkpoint={"path": str(checkpoint)}, file={"path": str(other / "out.log")})
    else:
        second = collect(checkpoint={"path": str(other / "c.json")})
    second.start()
    assert second.wait() == 3, second.stderr()
    assert f"pid {first.pid}" in second.stderr()
    assert not (other / "out.log").exists()
    assert (checkpoint.read_bytes(), out.read_bytes()) == (saved, written)
    first.stop_cleanly()
