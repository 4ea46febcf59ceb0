"""The tests' own surroundings: what is proven of a program rests on the Engine and the broker being what they seem."""

import gzip
import json
import subprocess

import pytest
from lib.logwriter import arguments
from lib.system import wait_until
from lib.verify import Line, Verifier

CLASSES = "ascii,utf8,nul,invalid,escape,ansi"


def json_file_lines(container):
    """The container's lines as its json-file log has them, entries without a final newline joined."""
    parts = {"stdout": [], "stderr": []}
    for path in container.log_files():
        raw = path.read_bytes()
        for entry in (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines():
            entry = json.loads(entry)
            parts[entry["stream"]].append(entry["log"])
            if entry["log"].endswith("\n"):
                yield "".join(parts[entry["stream"]])[:-1]
                parts[entry["stream"]] = []


def verify(lines, **expected):
    check = Verifier()
    check.expect("w", **expected)
    for text in lines:
        check.add_text(text)
    return check


def test_engine_keeps_every_class_of_bytes(engine):
    """Docker's log of any bytes and lengths agrees with the writer's second checksum."""
    container = engine.write(
        "w", count=4000, length="0-300", bytes=CLASSES, stderr=30, long_every=200, long_length=50000
    )
    assert container.wait() == 0
    verify(json_file_lines(container), total=4000).assert_exactly_once()


def test_engine_rotates(engine):
    container = engine.write(
        "w", count=2000, container={"log_driver": "json-file", "log_opts": {"max-size": "20k", "max-file": 50}}
    )
    container.wait()
    assert len(container.log_files()) > 5
    verify(json_file_lines(container), total=2000).assert_exactly_once()


def test_engine_compresses(engine):
    options = {"max-size": "20k", "max-file": 50, "compress": "true"}
    container = engine.write("w", count=2000, rate=4000, container={"log_driver": "json-file", "log_opts": options})
    container.wait()
    assert any(path.suffix == ".gz" for path in container.log_files())
    verify(json_file_lines(container), total=2000).assert_exactly_once()


def test_terminal_adds_carriage_returns(engine):
    container = engine.write("w", count=100, container={"tty": True})
    container.wait()
    check = verify(json_file_lines(container), total=100)
    check.assert_exactly_once()
    assert check.carriage_returns == 100


def test_local_driver_reads_back(engine):
    container = engine.write("w", count=500, container={"log_driver": "local"})
    container.wait()
    verify(container.logs().splitlines(), total=500).assert_exactly_once()


def test_restart_is_a_new_run(engine):
    container = engine.write("w", count=50)
    container.wait()
    container.start()
    container.wait()
    verify(json_file_lines(container), total=50, runs=2).assert_exactly_once()


def test_stop_ends_the_writer_in_order(engine):
    container = engine.write("w", rate=2000, container={"labels": {"a": "b"}})
    container.stop()
    assert container.inspect()["State"]["ExitCode"] == 0
    assert container.inspect()["Config"]["Labels"]["a"] == "b"
    lines = list(json_file_lines(container))
    check = Verifier()
    check.expect_written(lines)
    for text in lines:
        check.add_text(text)
    check.assert_exactly_once()


def produce(kafka, topic, lines, *options):
    kafka_input = "".join(line + "\n" for line in lines)
    subprocess.run(
        ["kcat", "-b", kafka.bootstrap, "-P", "-t", topic, "-p", "0", *options],
        input=kafka_input, text=True, check=True, timeout=60,
    )  # fmt: skip


def test_kafka_keeps_what_it_is_given(kafka, logwriter):
    out = subprocess.run([logwriter, *arguments(id="w", count=20000)], check=True, capture_output=True, text=True)
    produce(kafka, "kept", out.stdout.splitlines(), "-k", "a key", "-H", "service=web")
    found = list(kafka.messages("kept"))
    verify((message.value for message in found), total=20000).assert_exactly_once()
    assert {(message.key, message.headers) for message in found} == {("a key", "service=web")}


def test_kafka_survives_a_kill(new_kafka, logwriter):
    kafka = new_kafka()
    out = subprocess.run([logwriter, *arguments(id="w", count=1000)], check=True, capture_output=True, text=True)
    lines = out.stdout.splitlines()
    produce(kafka, "t", lines[:500])
    kafka.kill()
    kafka.restart()
    produce(kafka, "t", lines[500:])
    verify((message.value for message in kafka.messages("t")), total=1000).assert_exactly_once()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
def test_kafka_asks_who_comes(kafka_secure, mechanism):
    def listing(password, ca="ca.pem"):
        settings = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": mechanism,
            "sasl.username": "sidetail",
            "sasl.password": password,
            "ssl.ca.location": kafka_secure.tls / ca,
        }
        options = [part for key, value in settings.items() for part in ("-X", f"{key}={value}")]
        command = ["kcat", "-b", kafka_secure.sasl_bootstrap, "-m", "2", *options, "-L"]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)

    assert "1 brokers" in listing("sidetail-secret").stdout
    assert listing("wrong").returncode != 0
    assert listing("sidetail-secret", ca="stranger-ca.pem").returncode != 0


def test_three_brokers_outlive_one(kafka3, logwriter):
    out = subprocess.run([logwriter, *arguments(id="w", count=100)], check=True, capture_output=True, text=True)
    lines = out.stdout.splitlines()
    produce(kafka3, "t", lines[:50], "-X", "acks=all")
    kafka3.kill(2)
    try:
        produce(kafka3, "t", lines[50:], "-X", "acks=all")
    finally:
        kafka3.restart(2)
    verify((message.value for message in kafka3.messages("t")), total=100).assert_exactly_once()


@pytest.mark.swarm
def test_swarm_runs_tasks_on_each_node(swarm):
    swarm.docker(
        "service", "create", "--quiet", "--detach", "--no-resolve-image", "--mode", "global", "--name", "w",
        "--restart-condition", "none", "sidetail-test/app", *arguments(id="w", count=10, linger=600),
    )  # fmt: skip
    try:
        assert {task["Node"] for task in swarm.wait_running("w", 3)} == {"node-1", "node-2", "node-3"}
        for node in swarm.nodes:
            ident = node.docker("ps", "-q", "--no-trunc", "--filter", r"name=^w\.").stdout.strip()
            log = node.containers_dir / ident / f"{ident}-json.log"
            wait_until(lambda: log.read_bytes().count(b"\n") == 10, what=log.read_text)
            assert [Line(json.loads(entry)["log"][:-1]).seq for entry in log.read_text().splitlines()] == list(range(10))
    finally:
        swarm.docker("service", "rm", "w")
