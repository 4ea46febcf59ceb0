"""What a running collector tells of itself: /status, of every source and sink, and the command status."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
import time

import pytest
from lib.engine import LABEL
from lib.system import append, free_port, run, wait_until

def status(collector):
    return json.loads(collector.http("/status"))


def is_up(collector):
    try:
        return status(collector)
    except OSError:
        assert collector.running, collector.stderr()
        return None


def start(collector):
    collector.start()
    wait_until(lambda: is_up(collector), 20)
    return collector


def find(rows, **wanted):
    """The only row with these members, or None."""
    found = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    assert len(found) < 2, found
    return found[0] if found else None


def wait_log(collector, condition=lambda log: True, **wanted):
    """Until a log with these members is told of, and is as it should be."""

    def seen():
        log = find(status(collector)["logs"], **wanted)
        return log if log and condition(log) else None

    return wait_until(seen, 20, lambda: f"{wanted} in {status(collector)}")


def wait_left(collector, **wanted):
    return wait_until(lambda: find(status(collector)["left_out"], **wanted), 20, lambda: f"{wanted} in {status(collector)}")


def test_files(files):
    collector = files(exclude={"services": ["nois*"]})
    (collector.logs / "noisy").mkdir()
    append(collector.logs / "noisy" / "n.log", "x\n")
    append(collector.logs / "web" / "a.log", "one\ntwo\n")
    (collector.logs / "web" / "secret.log").symlink_to("/etc/shadow")
    os.mkfifo(collector.logs / "web" / "fifo.log")
    start(collector)
    path = str(collector.logs / "web" / "a.log")
    log = wait_log(collector, lambda log: log["lines"] == 2, file=path)
    assert log["service"] == "web" and log["driver"] == "plain" and log["offset"] == 8
    assert log["lag_bytes"] == 0 and log["lag_seconds"] == 0 and log["unread_files"] == 0 and "problem" not in log
    told = status(collector)
    assert told["version"] == 1 and told["ready"] is True and "fault" not in told
    assert told["source"] == {"state": "ok", "name": "files"} and told["sink"] == {"state": "ok", "name": "stdout"}
    assert told["checkpoint"] == {"state": "ok", "name": "file"}
    assert len(told["logs"]) == 1
    noisy = find(told["left_out"], service="noisy")
    assert noisy["reason"] == "excluded" and noisy["detail"] == "exclude.services: nois*" and not noisy["problem"]
    link = find(told["left_out"], file=str(collector.logs / "web" / "secret.log"))
    assert link["reason"] == "link" and "/etc/shadow" in link["detail"] and link["problem"]
    assert len(told["left_out"]) == 2
    # What is taken in by a reload, or whose link is gone, is not left out any more.
    (collector.logs / "web" / "secret.log").unlink()
    collector.config["exclude"] = {}
    collector.reload()
    wait_log(collector, service="noisy")
    wait_until(lambda: status(collector)["left_out"] == [], 20)
    collector.stop_cleanly()


def test_rate_and_time_of_the_last_line(files):
    collector = files(files={"include": [], "format": "json-file"})
    collector.config["files"]["include"] = [f"{collector.logs}/{{service}}/*.log"]
    start(collector)
    collector.wait_stderr("collecting")
    entry = '{"log":"x\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}\n'
    append(collector.logs / "web" / "a.log", entry)
    wait_log(collector, lambda log: log["lines"] == 1)
    time.sleep(1.1)
    wait_log(collector, lambda log: log["lines_per_second"] == 0)  # since somebody asked last
    append(collector.logs / "web" / "a.log", entry * 1000)
    collector.wait_lines(1001)
    time.sleep(1.1)
    log = status(collector)["logs"][0]
    assert 0 < log["lines_per_second"] < 1000 and log["lines"] == 1001
    assert log["last_line"] == "2026-11-24T05:00:39.5Z" and log["driver"] == "json-file"


def test_sink_that_takes_nothing(files, tmp_path):
    """Its error, the lag that comes of it, and that it works again."""
    full = tmp_path / "full"
    collector = files(sink="file", file={"path": str(full / "out.log")}, batch={"bytes": "64KiB"}, memory_max="8MiB")
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", full], check=True)
    try:
        start(collector)
        entry = '{"log":"%0100d\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}\n' % 0
        append(collector.logs / "web" / "a.log", entry * 200_000)
        told = wait_until(lambda: (s := status(collector))["sink"]["state"] == "failing" and s, 20)
        assert "out.log" in told["sink"]["error"] and "No space left" in told["sink"]["error"]
        assert told["sink"]["name"] == "file" and told["sink"]["error_time"].startswith("20")
        log = wait_log(collector, lambda log: log["lag_bytes"] > 1_000_000, service="web")
        assert log["lag_seconds"] > 1000  # its lines are of a day long ago
        assert log["offset"] + log["lag_bytes"] == os.path.getsize(collector.logs / "web" / "a.log")
        wait_until(lambda: status(collector)["sink_waiting_seconds"] > 1, 20)
        subprocess.run(["mount", "-o", "remount,size=100m", full], check=True)
        told = wait_until(lambda: (s := status(collector))["sink"]["state"] == "ok" and s, 20)
        assert "No space left" in told["sink"]["error"]  # the last one is still told of
        wait_log(collector, lambda log: log["lag_bytes"] == 0)
        collector.stop_cleanly()
    finally:
        collector.close()
        subprocess.run(["umount", "-l", full], check=True)


def test_source_and_checkpoint_that_fail(files, tmp_path):
    positions = tmp_path / "positions"
    positions.mkdir()
    collector = files(checkpoint={"path": str(positions / "c.json"), "interval": "100ms"})
    collector.config["files"]["include"].append(f"{tmp_path}/missing/{{service}}/*.log")
    start(collector)
    told = wait_until(lambda: (s := status(collector))["source"]["state"] == "failing" and s, 20)
    assert told["source"]["error"] == f"{tmp_path}/missing: No such file or directory"
    assert told["ready"] is False and told["fault"] == "the source cannot be read"
    (tmp_path / "missing").mkdir()
    wait_until(lambda: status(collector)["source"]["state"] == "ok", 20)
    for path in positions.iterdir():
        path.unlink()
    positions.rmdir()
    append(collector.logs / "web" / "a.log", "x\n")
    told = wait_until(lambda: (s := status(collector))["checkpoint"]["state"] == "failing" and s, 20)
    assert str(positions) in told["checkpoint"]["error"]
    positions.mkdir()
    append(collector.logs / "web" / "a.log", "y\n")
    wait_until(lambda: status(collector)["checkpoint"]["state"] == "ok", 20)


def test_logs_that_wait_for_descriptors(files):
    """Fewer descriptors than logs, none of which is silent: those that wait are named, and why."""
    collector = files()
    for number in range(40):
        append(collector.logs / "web" / f"{number}.log", ("x" * 1000 + "\n") * 3000)
    reader, writer = os.pipe()
    collector.write_config()
    with open(collector.stderr_path, "wb") as stderr:
        collector.process = subprocess.Popen(
            ["prlimit", "--nofile=48:48", collector.binary, "run", "-c", collector.config_path],
            stdout=writer, stderr=stderr, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
    os.close(writer)

    def waiting():
        """Takes a little of the lines, so that the logs have their turns but are never read to their ends."""
        for _ in range(8):
            os.read(reader, 65536)
        return [log for log in status(collector)["logs"] if "descriptors" in log.get("problem", "")]

    collector.wait_stderr("collecting")
    found = wait_until(waiting, 20, lambda: str(collector.metrics()), every=0.01)
    assert all(log["service"] == "web" and log["file"].endswith(".log") for log in found)
    assert len(status(collector)["logs"]) == 40
    collector.kill()
    os.close(reader)


def engine_config(engine, source):
    where = {"json_file": {"path": str(engine.containers_dir)}} if source == "json-file" else {"source": "docker-api"}
    return {**where, "include": {"labels": [f"{LABEL}={engine.session}"]}, "exclude": {"containers": ["*-unwanted-*"]}}


@pytest.mark.parametrize("source", ["json-file", "docker-api"])
def test_containers(engine, sidetail, source):
    collector = start(sidetail(engine_config(engine, source)))
    collector.wait_stderr("collecting")
    name = lambda what: f"s-{what}-{engine.session}"
    started = {
        "plain": engine.write("plain", count=7, service="shop", container={"name": name("plain"), "log_driver": "json-file"}),
        "local": engine.write("local", count=5, container={"name": name("local"), "log_driver": "local"}),
        "none": engine.write("none", count=1, container={"name": name("none"), "log_driver": "none"}),
        "no": engine.write("no", count=1, container={"name": name("no"), "labels": {"sidetail.enable": "No"}}),
        "unwanted": engine.write("u", count=1, container={"name": name("unwanted")}),
    }
    log = wait_log(collector, lambda log: log["lines"] == 7, container=name("plain"))
    assert log["service"] == "shop" and log["driver"] == "json-file" and log["id"] == started["plain"].id[:12]
    last = json.loads(started["plain"].log_path.read_text().splitlines()[-1])["time"]
    assert log["last_line"] == last
    local = wait_log(collector, lambda log: log["lines"] == 5, container=name("local"))
    assert local["driver"] == "local"
    if source == "json-file":
        assert log["file"] == str(started["plain"].log_path) and log["offset"] == os.path.getsize(log["file"])
        assert log["lag_bytes"] == 0
    else:
        assert log["read_to"] == last and "file" not in log and "lag_bytes" not in log
    none = wait_left(collector, container=name("none"))
    assert none["reason"] == "driver" and none["detail"] == "none: keeps nothing that can be read" and not none["problem"]
    no = wait_left(collector, container=name("no"))
    assert no["reason"] == "excluded" and no["detail"] == "label sidetail.enable: No"
    unwanted = wait_left(collector, container=name("unwanted"))
    assert unwanted["detail"] == "exclude.containers: *-unwanted-*" and unwanted["id"] == started["unwanted"].id[:12]
    told = status(collector)
    assert {log["container"] for log in told["logs"]} == {name("plain"), name("local")}
    assert told["source"] == {"state": "ok", "name": source}
    # A container that is removed is told of no more.
    started["none"].remove()
    started["plain"].remove()
    gone = {name("none"), name("plain")}
    names = lambda: {row.get("container") for rows in map(status(collector).get, ("logs", "left_out")) for row in rows}
    wait_until(lambda: not gone & names(), 20, names)
    collector.stop_cleanly()


@pytest.mark.parametrize("source", ["json-file", "docker-api"])
def test_label_that_is_wrong(engine, sidetail, source):
    """The container's lines go on as without it, which is a problem that is told."""
    collector = start(sidetail(engine_config(engine, source)))
    name = f"s-wrong-{engine.session}"
    engine.write("w", count=3, container={"name": name, "labels": {"sidetail.rate_limit": "many"}})
    log = wait_log(collector, lambda log: log["lines"] == 3, container=name)
    assert log["problem"].startswith("label sidetail.rate_limit: ") and "many" in log["problem"]
    collector.config["hints"] = {"allow": []}
    collector.reload()
    wait_log(collector, lambda log: "problem" not in log, container=name)


def test_unreadable_metadata_and_a_link_to_nothing(sidetail, tmp_path):
    root = tmp_path / "containers"
    broken, linked = "ab" * 32, "cd" * 32
    entry = '{"log":"x\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}\n'
    for ident, metadata in ((broken, "{"), (linked, json.dumps({"ID": linked, "Name": "/web", "Config": {}}))):
        (root / ident).mkdir(parents=True)
        (root / ident / "config.v2.json").write_text(metadata)
    (root / broken / f"{broken}-json.log").write_text(entry)
    (root / linked / f"{linked}-json.log").symlink_to(tmp_path / "nothing")
    collector = start(sidetail({"json_file": {"path": str(root)}}))
    left = wait_left(collector, reason="metadata")
    assert left["id"] == broken[:12] and left["problem"] and "config.v2.json" in left["detail"]
    wait_log(collector, lambda log: log["lines"] == 1, id=broken[:12])  # its lines come all the same
    left = wait_left(collector, reason="link")
    assert left["container"] == "web" and left["problem"] and str(tmp_path / "nothing") in left["detail"]
    (root / broken / "config.v2.json").write_text(json.dumps({"ID": broken, "Name": "/db", "Config": {}}))
    (tmp_path / "nothing").write_text(entry)
    wait_log(collector, lambda log: log["lines"] == 1, container="web")
    wait_until(lambda: status(collector)["left_out"] == [], 20, lambda: str(status(collector)))


def test_engine_that_is_not_there(sidetail, tmp_path):
    collector = start(sidetail({"source": "docker-api", "docker": {"host": f"unix://{tmp_path}/none.sock"}}))
    told = wait_until(lambda: (s := status(collector))["source"].get("error") and s, 20)
    assert told["source"]["state"] == "failing" and "none.sock" in told["source"]["error"] and not told["ready"]


def test_kafka_that_is_not_there(files):
    port = free_port()
    collector = start(files(sink="kafka", kafka={"brokers": f"127.0.0.1:{port}", "topic": "t", "identity": "x"}))
    told = wait_until(lambda: (s := status(collector))["sink"].get("error") and s, 60)
    assert told["sink"]["state"] == "failing" and "Kafka takes nothing now" in told["sink"]["error"]
    assert told["source"]["state"] == "starting" and told["logs"] == []
    assert told["checkpoint"]["name"] == "in the sink"


def test_kafka(files, kafka):
    topic = f"status-{os.getpid()}"
    where = {"brokers": kafka.bootstrap, "topic": topic, "identity": topic}
    collector = start(files(sink="kafka", kafka=where))
    append(collector.logs / "web" / "a.log", "one\n")
    wait_log(collector, lambda log: log["lines"] == 1, service="web")
    told = status(collector)
    assert told["sink"] == {"state": "ok", "name": "kafka"} and told["ready"]
    collector.stop_cleanly()


def test_thousands_of_logs(files):
    """All are told of, in JSON that is whole, and in time."""
    collector = files()
    for number in range(10_000):
        folder = collector.logs / f"s{number // 100}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.log").write_text("x\n")
    start(collector)
    collector.wait_lines(10_000, timeout=60)

    def ask_quickly():
        began = time.monotonic()
        text = collector.http("/status", timeout=20)
        took = time.monotonic() - began
        assert len(json.loads(text)["logs"]) == 10_000
        return took < 0.1

    wait_until(ask_quickly, 60, "an answer in 100 ms, as is promised where the machine does nothing else")


# The command


def ask(binary, *arguments, env=None):
    return run(binary, "status", *arguments, check=False, env={"PATH": os.environ["PATH"], **(env or {})})


def on_terminal(columns, *command):
    """What a command shows on a terminal so wide, as bytes, and its exit code."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([str(part) for part in command], stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown = b""
    try:
        while block := os.read(master, 65536):
            shown += block
    except OSError:  # the terminal is gone with who had it
        pass
    os.close(master)
    return shown, process.wait(20)


def test_command(files, binary):
    collector = files(exclude={"services": ["nois*"]})
    (collector.logs / "noisy").mkdir()
    append(collector.logs / "noisy" / "n.log", "x\n")
    append(collector.logs / "web" / "a.log", "one\ntwo\n")
    (collector.logs / "db").mkdir()
    append(collector.logs / "db" / "b.log", "one\n")
    start(collector)
    collector.wait_lines(3)
    address = f"127.0.0.1:{collector.port}"
    asked = ask(binary, address)
    assert asked.returncode == 0 and asked.stderr == ""
    lines = asked.stdout.splitlines()
    assert lines[0] == f"sidetail 0.1.0 at {address}: ready"
    assert [line.split() for line in lines[1:4]] == [["source", "files", "ok"], ["sink", "stdout", "ok"], ["checkpoint", "file", "ok"]]
    head = next(number for number, line in enumerate(lines) if line.startswith("SERVICE"))
    assert [line.split()[:2] for line in lines[head + 1 : head + 3]] == [
        ["db", str(collector.logs / "db" / "b.log")], ["web", str(collector.logs / "web" / "a.log")]
    ]  # fmt: skip
    assert lines[head + 3].startswith("2 logs, ")
    assert lines[-2:] == ["Left out:", f"  noisy  {collector.logs}/noisy/n.log: excluded: exclude.services: nois*"]
    assert "Problems" not in asked.stdout
    # Where to ask is in the configuration as well.
    assert ask(binary, "-c", collector.config_path).returncode == 0
    assert ask(binary, env={"SIDETAIL_METRICS_LISTEN": address}).returncode == 0
    told = json.loads(ask(binary, "--json", address).stdout)
    assert told["version"] == 1 and {log["service"] for log in told["logs"]} == {"web", "db"}
    assert 0 < told["rates_over_seconds"] <= 60
    # A problem.
    (collector.logs / "web" / "secret.log").symlink_to("/etc/shadow")
    wait_left(collector, reason="link")
    for arguments in ((address,), ("--json", address)):
        asked = ask(binary, *arguments)
        assert asked.returncode == 1 and "secret.log" in asked.stdout, asked
    assert "\nProblems:\n" in ask(binary, address).stdout
    collector.stop_cleanly()
    gone = ask(binary, address)
    assert gone.returncode == 5 and "is sidetail running" in gone.stderr and gone.stdout == ""


def test_command_without_a_collector(binary, tmp_path):
    assert ask(binary, f"127.0.0.1:{free_port()}").returncode == 5
    assert ask(binary, env={"SIDETAIL_METRICS_LISTEN": ""}).returncode == 5
    assert ask(binary, "not an address").returncode == 2
    assert ask(binary, "--wrong").returncode == 2
    assert ask(binary, "a:1", "b:2").returncode == 2
    assert ask(binary, "-c", tmp_path / "missing.json").returncode == 2
    assert ask(binary, "--help").stdout.startswith("usage: sidetail status")


def test_command_shows_what_fails(files, binary, tmp_path):
    collector = files()
    collector.config["files"]["include"].append(f"{tmp_path}/missing/{{service}}/*.log")
    start(collector)
    wait_until(lambda: status(collector)["source"]["state"] == "failing", 20)
    asked = ask(binary, f"127.0.0.1:{collector.port}")
    assert asked.returncode == 1
    assert "not ready: the source cannot be read" in asked.stdout
    assert f"): {tmp_path}/missing: No such file or directory" in asked.stdout
    (tmp_path / "missing").mkdir()
    wait_until(lambda: status(collector)["ready"], 20)
    asked = ask(binary, f"127.0.0.1:{collector.port}")
    assert asked.returncode == 0 and "ago it failed: " in asked.stdout


@pytest.mark.parametrize("columns", [80, 100, 132])
def test_command_on_a_terminal(engine, sidetail, binary, columns):
    """It fits, and nothing of what others name obeys to them: labels, paths, errors."""
    evil = "evil\x1b]0;title\a\x1b[2J\u009b31m\u202e\n日本" + "long " * 30
    collector = start(sidetail(engine_config(engine, "json-file")))
    name = f"s-unwanted-{engine.session}"
    engine.write("e", count=3, service=evil)
    engine.write("u", count=1, service=evil, container={"name": name})
    engine.write("n", count=1, container={"labels": {"sidetail.enable": "no"}})
    wait_log(collector, lambda log: log["lines"] == 3, service=evil)
    wait_left(collector, container=name)
    shown, code = on_terminal(columns, binary, "status", f"127.0.0.1:{collector.port}")
    assert code == 0
    text = shown.decode()
    assert not set(text) & {chr(code) for code in [*range(10), 11, 12, *range(14, 32), *range(127, 160), 0x202E]}
    lines = text.split("\r\n")
    wide = lambda line: sum(2 if ord(char) > 0x3000 else 1 for char in line)
    words = [line for line in lines if max(map(len, line.split() or [""])) < columns - 4]
    assert max(map(wide, words)) <= columns, lines
    assert any(line.startswith("evil^[]0;") and "…" in line for line in lines), lines
    shown, code = on_terminal(columns, binary, "status", "--json", f"127.0.0.1:{collector.port}")
    assert code == 0 and json.loads(shown)["logs"]
    assert not set(shown.decode()) & {chr(code) for code in [*range(10), 11, 12, *range(14, 32), *range(127, 160), 0x202E]}
    collector.stop_cleanly()


def test_command_with_many_logs(files, binary):
    collector = files()
    for number in range(3000):
        append(collector.logs / "web" / f"{number}.log", "x\n")
    start(collector)
    collector.wait_lines(3000)
    asked = ask(binary, f"127.0.0.1:{collector.port}")
    assert asked.returncode == 0 and "\n3000 logs, " in asked.stdout
    assert len([line for line in asked.stdout.splitlines() if line.startswith("web ")]) == 3000
