"""The main job on the real Engine: json-file logs to stdout and to a file, tagged, nothing lost or doubled."""

import json
import os
import random
import subprocess
import time

import pytest
from lib.engine import LABEL
from lib.system import run, wait_until
from lib.verify import Verifier, assert_collected

BARE = {"PATH": os.environ["PATH"]}  # an environment without any SIDETAIL_ variable
CLASSES = "ascii,utf8,nul,invalid,escape,ansi"
# Rotates ten times a second at 1000 lines/s, and nothing is deleted before a busy machine comes to look.
SMALL = {"log_driver": "json-file", "log_opts": {"max-size": "20k", "max-file": 300, "compress": "true"}}


@pytest.fixture
def collect(sidetail, engine):
    """collect(**config): a Sidetail that follows only this test's containers."""

    def make(**config):
        base = {
            "json_file": {"path": str(engine.containers_dir)},
            "include": {"labels": [f"{LABEL}={engine.session}"]},
        }
        return sidetail({**base, **config})

    return make


def file_sink(collect, tmp_path, **more):
    return collect(sink="file", file={"path": str(tmp_path / "out.log"), **more.pop("file", {})}, **more)


def test_record_has_the_keys_of_the_design(collect, engine):
    collector = collect().start()
    collector.wait_stderr("collecting")
    labels = {"com.docker.compose.service": "web", "com.docker.compose.project": "shop"}
    container = engine.write("w", count=1, container={"labels": labels, "name": f"shop_web_{engine.session}"})
    collector.wait_lines(1)
    record = next(collector.records())
    assert list(record) == ["time", "service", "stream", "log", "project", "container", "id", "host", "image"]
    assert record["service"] == "web" and record["project"] == "shop" and record["stream"] == "stdout"
    assert record["container"] == f"shop_web_{engine.session}" and record["id"] == container.id[:12]
    assert record["host"] == os.uname().nodename and record["image"] == "sidetail-test/app"
    written = json.loads(container.log_path.read_bytes())
    assert record["log"] + "\n" == written["log"] and record["time"] == written["time"]


def test_a_driver_that_keeps_nothing_is_said_once(collect, engine):
    """Nobody can read it, not even the source docker-api. Nothing is said of one that is not wanted."""
    collector = collect(exclude={"services": ["unwanted"]}).start()
    unwanted = engine.write("u", count=1, service="unwanted", container={"log_driver": "none"})
    mute = engine.write("mute", count=1, container={"log_driver": "none"})
    collector.wait_stderr(f"nobody can read this container's log.*container=/?{mute.name} driver=none hint=.*json-file")
    mute.wait()
    mute.start()
    mute.wait()
    engine.write("last", count=1)
    collector.wait_lines(1)
    assert collector.stderr().count("nobody can read") == 1
    assert unwanted.name not in collector.stderr()
    collector.config["exclude"] = {}
    collector.reload()
    collector.wait_stderr(f"nobody can read this container's log.*container=/?{unwanted.name} driver=none")
    assert collector.stderr().count("nobody can read") == 2


def test_without_configuration(engine, binary, tmp_path):
    """No file, no variable: what the Engine's containers write comes out of stdout as JSON lines."""
    engine.write("nothing-set", count=20).wait()
    with open(tmp_path / "out", "wb") as out, open(tmp_path / "err", "wb") as err:
        process = subprocess.Popen([binary, "run"], env=BARE, stdout=out, stderr=err, cwd=tmp_path)
        try:
            wait_until(lambda: (tmp_path / "out").read_bytes().count(b" nothing-set:") == 20, 20,
                       what=lambda: f"20 lines; it says: {(tmp_path / 'err').read_text()}")  # fmt: skip
        finally:
            process.terminate()
            process.wait(15)
    assert process.returncode == 0


def test_every_kind_of_container(collect, engine, tmp_path):
    """Fast, rotating, compressing, short-lived, TTY, long lines, any bytes: all at once, all exactly once."""
    collector = file_sink(collect, tmp_path).start()
    collector.wait_stderr("collecting")
    writers = {
        "plain": engine.write("plain", count=20000, stderr=30, service="plain"),
        "fast": engine.write("fast", count=300000, container={"log_driver": "json-file"}),
        "rotating": engine.write("rotating", count=6000, rate=1000, stderr=20, container=SMALL),
        "bytes": engine.write("bytes", count=5000, bytes=CLASSES, length="0-300", stderr=50),
        "long": engine.write("long", count=300, rate=100, long_every=5, long_length=50000, stderr=40,
                             container={"log_driver": "json-file", "log_opts": {"max-size": "200k", "max-file": 100}}),
        "tty": engine.write("tty", count=2000, container={"tty": True}),
        "torn": engine.write("torn", count=300, torn=True),
    }  # fmt: skip
    short = [engine.write(f"short{number}", count=3) for number in range(10)]
    for container in [*writers.values(), *short]:
        assert container.wait() == 0
    # What a container wrote last has two seconds to reach a busy Engine once it has ended (moby, daemon/monitor.go).
    kept = [one.log_path.read_bytes().count(b"\n") for one in short]
    assert kept.count(3) >= 8, f"the Engine itself has {kept} lines of ten containers that wrote three each"
    expected = {name: {"total": 0} for name in writers}
    for name, total in [("plain", 20000), ("fast", 300000), ("rotating", 6000), ("bytes", 5000), ("long", 300),
                        ("tty", 2000), ("torn", 300)]:  # fmt: skip
        expected[name]["total"] = total
    expected["plain"]["tags"] = {"service": "plain"}
    expected.update({f"short{number}": {"total": count} for number, count in enumerate(kept) if count > 0})
    assert_collected(collector, **expected)
    collector.stop_cleanly()


def test_restarted_and_removed_containers(collect, engine, tmp_path):
    collector = file_sink(collect, tmp_path).start()
    collector.wait_stderr("collecting")
    container = engine.write("again", count=500)
    for _ in range(3):
        container.wait()
        container.start()
    container.wait()
    gone = [engine.write(f"gone{number}", count=2000) for number in range(3)]
    for one in gone:
        one.wait()
        one.remove()
    assert_collected(collector, again={"total": 500, "runs": 4}, **{f"gone{number}": {"total": 2000} for number in range(3)})
    wait_until(lambda: collector.metrics()["sidetail_feeds"] == 1, 10, "removed containers forgotten")
    assert not [path for path in collector.open_files() if "deleted" in path]
    collector.stop_cleanly()
    assert gone[0].id not in (collector.directory / "checkpoint.json").read_text()


def test_rotation_while_stopped(collect, engine, tmp_path):
    options = {"max-size": "20k", "max-file": 400, "compress": "true"}
    collector = file_sink(collect, tmp_path).start()
    # Some 20 rotations a second: what is kept lasts for as long as all is written.
    container = engine.write("w", count=6000, rate=1000, stderr=10, long_every=100, long_length=40000,
                             container={"log_driver": "json-file", "log_opts": options})  # fmt: skip
    collector.wait_lines(1000)
    collector.stop_cleanly()
    rotated = len(container.log_files())
    wait_until(lambda: len(container.log_files()) > rotated + 2, 30)
    collector.start()
    container.wait()
    assert_collected(collector, w={"total": 6000})


def test_one_file_only(collect, engine, tmp_path):
    """max-file=1: Docker deletes and begins anew. Slow enough to be read, nothing is lost."""
    collector = file_sink(collect, tmp_path).start()
    collector.wait_stderr("collecting")
    # A file is there for more than a second.
    engine.write("w", count=1500, rate=200,
                 container={"log_driver": "json-file", "log_opts": {"max-size": "50k", "max-file": 1}}).wait()  # fmt: skip
    assert_collected(collector, w={"total": 1500})
    metrics = collector.metrics()
    assert metrics["sidetail_truncations_total"] + metrics["sidetail_rotations_total"] > 3


def test_kill_9(collect, engine, tmp_path):
    """200 kills at random instants, while containers write, rotate and compress, and the output rotates too."""
    collector = file_sink(collect, tmp_path, file={"rotate_bytes": 1000000, "keep": 1000},
                          checkpoint={"interval": "50ms"}, batch={"bytes": 16384})  # fmt: skip
    # Deep enough that nothing is deleted before it is read, however slow the machine: that is no fault of who was killed.
    deep = {"log_driver": "json-file", "log_opts": {"max-size": "100k", "max-file": 300, "compress": "true"}}
    rng = random.Random(11)
    containers = [
        engine.write("a", rate=1500, stderr=30, container=deep),
        engine.write("b", rate=400, bytes=CLASSES, length="0-200", stderr=50, container=deep),
        engine.write("c", rate=60, long_every=3, long_length=40000, stderr=30,
                     container={"log_driver": "json-file", "log_opts": {"max-size": "300k", "max-file": 100}}),
        engine.write("d", rate=300),
    ]  # fmt: skip
    for _ in range(200):
        collector.start()
        time.sleep(rng.uniform(0.005, 0.15))
        collector.kill()
    collector.start()
    counts = {}
    for name, container in zip("abcd", containers):
        container.stop()
    collector.wait_quiet(2)
    for name, container in zip("abcd", containers):
        counts[name] = {"at_least": 1000 if name != "c" else 300}
    found = Verifier()
    for name in counts:
        found.expect(name, **counts[name])
    found.add_records(collector.records())
    found.expect_written_up_to(last_written(containers))
    found.assert_exactly_once()


def last_written(containers):
    """The last line of each stream as the json-file log itself has it."""
    for container in containers:
        texts = {"stdout": "", "stderr": ""}
        for line in container.log_path.read_bytes().splitlines():
            entry = json.loads(line)
            texts[entry["stream"]] += entry["log"]
            if entry["log"].endswith("\n"):
                text = texts[entry["stream"]][:-1]
                texts[entry["stream"]] = ""
                if text.startswith("@"):
                    yield text


@pytest.mark.figures
def test_stalled_reader(collect, engine, binary, tmp_path):
    """Nobody reads the pipe: memory stays bounded, and all comes out once somebody does."""
    collector = collect(memory_max="32MiB")
    collector.write_config()
    engine.write("w", count=400000, length="100-300").wait()
    process = subprocess.Popen([binary, "run", "-c", collector.config_path], env=BARE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        time.sleep(3)
        with open(f"/proc/{process.pid}/status") as status:
            peak = int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024
        assert peak < 32 << 20
        found = Verifier()
        found.expect("w", total=400000)
        for _ in range(400000):
            found.add_record(json.loads(process.stdout.readline()))
        found.assert_exactly_once()
    finally:
        process.terminate()
        process.communicate()


def test_full_disk(collect, engine, tmp_path):
    """The output's disk is full for a while: said once, collected later, nothing lost or doubled."""
    disk = tmp_path / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=1m", "none", disk)
    try:
        collector = collect(sink="file", file={"path": str(disk / "out.log")}).start()
        engine.write("w", count=10000, length="100-200").wait()
        collector.wait_stderr("No space left", 20)
        time.sleep(2)
        assert collector.stderr().count("No space left") <= 2
        run("mount", "-o", "remount,size=64m", disk)
        assert_collected(collector, w={"total": 10000})
        assert collector.metrics()["sidetail_sink_errors_total"] > 0
        collector.stop_cleanly()
    finally:
        collector.close()
        run("umount", "-l", disk)


def test_selection_and_reload(collect, engine, tmp_path):
    collector = file_sink(collect, tmp_path)
    collector.config["exclude"] = {"services": ["noisy*"]}
    collector.start()
    engine.write("wanted", count=10).wait()
    engine.write("opted-out", count=10, container={"labels": {"sidetail.enable": "false"}}).wait()
    engine.write("excluded", count=10, service="noisy-1").wait()
    assert_collected(collector, wanted={"total": 10})
    collector.config["exclude"] = {"services": ["none"]}
    collector.reload()
    collector.wait_stderr("reloaded")
    assert_collected(collector, wanted={"total": 10}, excluded={"total": 10, "tags": {"service": "noisy-1"}})
    collector.config["exclude"] = {"servces": []}
    collector.reload()
    collector.wait_stderr("not reloaded.*services")
    collector.stop_cleanly()


def test_new_container_is_followed_at_once(collect, engine):
    """From its first byte, within 100 ms of its being written, where the machine lets it: once in five times at least."""
    collector = collect().start()
    collector.wait_stderr("collecting")
    late = []
    for number in range(5):
        engine.write(f"w{number}", count=1, linger=3)
        wait_until(lambda: collector.lines()[number:], 10, every=0.001)
        seen = time.time()
        written = collector.lines()[number]
        stamp = json.loads(written)["time"]
        began = time.mktime(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone + float("0" + stamp[19:-1])
        late.append(seen - began)
    assert min(late) < 0.1, late


def test_corrupt_checkpoint_is_set_aside(collect, engine, tmp_path):
    collector = collect()
    engine.write("w", count=10).wait()
    collector.start()
    collector.wait_lines(10)
    collector.stop_cleanly()
    checkpoint = collector.directory / "checkpoint.json"
    checkpoint.write_text(checkpoint.read_text()[:-20])
    collector.start()
    collector.wait_stderr("level=error.*set aside")
    collector.wait_lines(20)
    assert list(collector.directory.glob("checkpoint.json.corrupt-*"))


def test_unreadable_metadata_is_said_once(collect, engine, tmp_path):
    """A containers directory whose config.v2.json is no JSON, then becomes readable."""
    root = tmp_path / "containers"
    ident = "ab" * 32
    (root / ident).mkdir(parents=True)
    (root / ident / "config.v2.json").write_text("{")
    log = root / ident / f"{ident}-json.log"
    entry = '{"log":"%s\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}\n'
    log.write_text(entry % "one")
    collector = collect(json_file={"path": str(root)}, include={}).start()
    collector.wait_lines(1)
    assert next(collector.records())["service"] == ident[:12]
    (root / ident / "config.v2.json").write_text(json.dumps({"ID": ident, "Name": "/web", "Config": {}}))
    time.sleep(1.2)
    with log.open("a") as out:
        out.write(entry % "two")
    collector.wait_lines(2)
    assert list(collector.records())[1]["service"] == "web"
    assert collector.stderr().count("metadata cannot be read") == 1


def test_malformed_lines_pass(collect, tmp_path):
    root = tmp_path / "containers"
    ident = "cd" * 32
    (root / ident).mkdir(parents=True)
    (root / ident / "config.v2.json").write_text(json.dumps({"ID": ident, "Name": "/web", "Config": {}}))
    lines = [b'{"log":"torn', b"no json \x00 \xff\xfe", b"", b'{"log":7}', b"[" * 5000, b'{"log":"ok\\n","stream":"stderr"}']
    (root / ident / f"{ident}-json.log").write_bytes(b"\n".join(lines) + b"\n")
    collector = collect(json_file={"path": str(root)}, include={}).start()
    collector.wait_lines(6)
    logs = [record["log"] for record in collector.records()]
    assert logs == ['{"log":"torn', "no json \x00 \ufffd\ufffd", "", '{"log":7}', "[" * 5000, "ok"]
    assert collector.metrics()["sidetail_malformed_lines_total"] == 5


def test_closed_pipe_ends_with_a_sentence(collect, engine, binary):
    collector = collect()
    collector.write_config()
    engine.write("w", count=1000).wait()
    done = subprocess.run(f"{binary} run -c {collector.config_path} | head -1", shell=True, env=BARE,
                          capture_output=True, text=True, timeout=30)  # fmt: skip
    assert done.stdout.count("\n") == 1 and "closed" in done.stderr
