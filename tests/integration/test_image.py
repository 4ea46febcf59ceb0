"""The image: what is in it, and that it collects on the real Engine as restricted as deploy/README.md says."""

import json
import os
import re
import shutil
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from lib import image as images
from lib.engine import LABEL, Container
from lib.image import CAPABILITY, HARDENED, READ_SEARCH, Collector
from lib.system import REPO, run, wait_until
from lib.verify import Verifier

# The first of them builds the image, which takes minutes on a busy machine.
pytestmark = [pytest.mark.image, pytest.mark.timeout(1500)]

NO_NEW = ("--security-opt", "no-new-privileges")


def write(engine, ident, **writer):
    """A log writer, which needs no network either."""
    return engine.write(ident, container={"options": ("--network", "none")}, **writer)


# What is in it


def test_size_and_settings(image):
    about = images.inspect(image)
    config = about["Config"]
    assert images.size(image) <= images.SIZE_MAX
    assert config["User"] == f"{images.USER}:{images.USER}"
    assert config["Entrypoint"] == ["/sidetail"] and config["Cmd"] == ["run"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/sidetail", "health"]
    assert config["StopSignal"] == "SIGTERM" and list(config["Volumes"]) == ["/var/lib/sidetail"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert set(labels) == {"title", "description", "version", "revision", "base.name", "sidetail.enable"}
    said = run("docker", "run", "--rm", "--network", "none", image, "--version").stdout
    assert said == f"sidetail {labels['version']}\n"


@pytest.fixture(scope="module")
def each_image(request, image):
    """The image from Debian 13, which is the default, and from Debian 12."""
    if request.param == images.RELEASE:
        yield image
        return
    name = images.build(f"{images.NAME}-{request.param}", release=request.param)
    yield name
    run("docker", "image", "rm", "-f", name)


on_each_release = pytest.mark.parametrize("each_image", [images.RELEASE, "bookworm"], indirect=True)


@pytest.mark.slow
@on_each_release
def test_each_debian_gives_a_small_image_that_collects(engine, each_image):
    assert images.size(each_image) <= images.SIZE_MAX
    collector = Collector(engine, each_image, *HARDENED, *CAPABILITY)
    write(engine, "w", count=1000, service="web").wait()
    images.verify(collector.records, {"w": {"total": 1000, "tags": {"service": "web"}}})


def test_holds_the_binary_and_its_libraries_alone(image):
    loader = "/lib64/ld-linux-x86-64.so.2"
    images.verify_files(image, run("docker", "run", "--rm", "--network", "none", "--entrypoint", loader, image, "--list", "/sidetail").stdout)


def test_the_binary_has_one_capability_and_nothing_else_any(image):
    for path, (about, content) in images.contents(image).items():
        assert about.isdir() or about.issym() or not about.mode & 0o6022, f"{path}: {about.mode:o}"
        assert images.capability((about, content)) == (READ_SEARCH if path == "/sidetail" else 0), path


@pytest.mark.slow
def test_is_the_same_each_time(image, tmp_path):
    """Built from another directory, with nothing of the first build but the packages."""
    for name in ("Dockerfile", ".dockerignore", "Makefile", "include", "src", "tests/unit", "tests/data"):
        copy = shutil.copytree if (REPO / name).is_dir() else shutil.copy
        (tmp_path / name).parent.mkdir(exist_ok=True)
        copy(REPO / name, tmp_path / name)
    with open(tmp_path / "Makefile", "a") as makefile:
        makefile.write("# changes nothing, and yet the layer\n")
    again = images.build(f"{images.NAME}-again", folder=tmp_path)
    try:
        assert images.inspect(again)["RootFS"]["Layers"] == images.inspect(image)["RootFS"]["Layers"]
    finally:
        run("docker", "image", "rm", again)


# How it runs

# Options → does it read the Engine's logs? Each is a row of the table in deploy/README.md. A version is the first Engine
# with which it does: older ones start a user other than root with no permitted capability, and with no-new-privileges the
# kernel lets a file's capability give none beyond those.
RIGHTS = {
    "user-with-the-capability": (CAPABILITY, True),
    "user-without": (("--cap-drop", "ALL"), False),
    "user-by-docker's-default": ((), False),
    "user-no-new-privileges": ((*CAPABILITY, *NO_NEW), (25,)),
    "root-no-new-privileges": (("--user", "0:0", *CAPABILITY, *NO_NEW), True),
    "root-without-any-capability": (("--user", "0:0", "--cap-drop", "ALL", *NO_NEW), True),
}


@pytest.mark.parametrize("name", RIGHTS)
def test_rights(engine, image, name):
    options, reads = RIGHTS[name]
    if isinstance(reads, tuple):
        reads = engine.version >= reads
    collector = Collector(engine, image, *HARDENED, *options)
    collector.wait_said("msg=collecting")
    permitted, effective, _ = collector.capabilities()
    may = READ_SEARCH if reads and "--cap-add" in options else 0
    assert (permitted, effective) == (may, may)
    assert "positions are not kept" not in collector.said()
    writers = [write(engine, "w", count=3000, rate=5000, stderr=20, service="web"), write(engine, "x", count=5, service="x")]
    for writer in writers:
        writer.wait()
    if reads:
        images.verify(
            collector.records,
            {"w": {"total": 3000, "tags": {"service": "web"}}, "x": {"total": 5, "tags": {"service": "x"}}},
        )
    else:
        collector.wait_said("cannot follow the containers directory.*CAP_DAC_READ_SEARCH")
        assert collector.lines() == []
    assert collector.container.running


def test_one_process_which_is_the_first(engine, image):
    collector = Collector(engine, image, *HARDENED, *CAPABILITY)
    write(engine, "w", count=100).wait()
    wait_until(lambda: len(collector.lines()) == 100, 20)
    top = engine.docker("top", collector.container.id, "-eo", "pid,args").stdout.splitlines()[1:]
    assert [line.split(None, 1)[1] for line in top] == ["/sidetail run"]
    assert collector.status("NSpid").split()[-1] == "1"


def test_stops_in_order_and_at_once(engine, image):
    collector = Collector(engine, image, *HARDENED, *CAPABILITY)
    writer = write(engine, "w", rate=2000)
    wait_until(lambda: len(collector.lines()) > 500, 20)
    start = time.monotonic()
    collector.container.stop()
    assert time.monotonic() - start < 3
    state = collector.container.inspect()["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    writer.stop()


def test_reaps_orphans(engine, image):
    collector = Collector(engine, image, *HARDENED, *CAPABILITY)
    collector.wait_said("msg=collecting")
    pid = collector.container.pid
    children = lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    # A shell of this machine in the container's pid namespace, which leaves a child behind.
    run("nsenter", "-t", pid, "-p", "sh", "-c", "sleep 1 >/dev/null 2>&1 &")
    orphan = wait_until(children, 5, "an orphan")
    wait_until(lambda: not children(), 10, f"the end of {orphan}")
    assert collector.container.running


def test_health(engine, image):
    often = ("--health-interval", "1s", "--health-retries", "1", "--health-start-period", "0s")
    collector = Collector(engine, image, *HARDENED, *CAPABILITY, *often)
    health = lambda: collector.container.inspect()["State"]["Health"]["Status"]
    wait_until(lambda: health() == "healthy", 20, health, every=0.2)
    collector.container.kill("STOP")
    wait_until(lambda: health() == "unhealthy", 30, health, every=0.2)
    collector.container.kill("CONT")
    wait_until(lambda: health() == "healthy", 20, health, every=0.2)


@pytest.mark.figures
def test_lives_in_32_megabytes(engine, image):
    """A reader of its output that stands still costs neither more than the limit nor a line."""
    write(engine, "w", count=300000, service="web").wait()
    name = f"sidetail-stalled-{engine.session}"
    command = ["docker", "run", "--rm", "--name", name, "--log-driver", "none", *HARDENED, *CAPABILITY,
               "-e", f"SIDETAIL_INCLUDE_LABELS={LABEL}={engine.session}", "-e", "SIDETAIL_MEMORY_MAX=16MiB",
               "-v", f"{engine.containers_dir}:/var/lib/docker/containers:ro", image]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    collector = Container(engine, name)
    try:
        pid = wait_until(lambda: run("docker", "inspect", name, check=False).returncode == 0 and collector.pid, 10)
        written = lambda: int(re.search(r"^wchar: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.M).group(1))
        seen = [-1]

        def stands_still():
            seen.append(written())
            return seen[-1] - seen[-2] < 10_000 < seen[-1]

        wait_until(stands_still, 20, "an end of writing", every=1)
        assert seen[-1] < 40_000_000, "all was written: nothing was held back"
        records = images.parse_json_lines(iter(process.stdout.readline, b""))
        check = Verifier()
        check.expect("w", total=300000, tags={"service": "web"})
        while not check.complete():
            check.add_record(next(records))
        check.assert_exactly_once()
        status = Path(f"/proc/{pid}/status").read_text()
        assert int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M).group(1)) < 32 * 1024
        assert not collector.inspect()["State"]["OOMKilled"]
        collector.stop()
        assert process.wait(20) == 0
    finally:
        process.kill()  # first: the Engine waits for who is attached
        process.stdout.close()
        process.wait(20)
        run("docker", "rm", "-f", "-v", name, check=False)


def test_names_and_certificates_are_found(kafka_secure, image):
    """A broker by a name of /etc/hosts, checked against the image's own bundle of certificates."""
    bundle = ["-v", f"{kafka_secure.tls}/ca.pem:/etc/ssl/certs/ca-certificates.crt:ro"]
    port = kafka_secure.sasl_bootstrap.split(":")[1]
    settings = {
        "SIDETAIL_SINK": "kafka",
        "SIDETAIL_KAFKA_BROKERS": f"localhost:{port}",
        "SIDETAIL_KAFKA_TLS": "true",
        "SIDETAIL_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "SIDETAIL_KAFKA_SASL_USERNAME": "sidetail",
        "SIDETAIL_KAFKA_SASL_PASSWORD": "sidetail-secret",
        "SIDETAIL_KAFKA_IDENTITY": "image-test",
        "SIDETAIL_KAFKA_TOPIC": "image-test",
    }
    env = [part for key, value in settings.items() for part in ("-e", f"{key}={value}")]
    check = lambda *options: run("docker", "run", "--rm", "--network", "host", "--cap-drop", "ALL", *env, *options,
                                 image, "check", "--connect", check=False)  # fmt: skip
    done = check(*bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    done = check()  # which nobody has signed for
    assert done.returncode != 0 and "certificate" in done.stdout + done.stderr


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_logs_in_to_kafka_4_by_scram(engine, image, kafka_4_secure, mechanism):
    """Which librdkafka cannot before 2.6.1; exactly once, and a wrong password is told from a broker that is too new."""
    topic = f"image-{uuid.uuid4().hex[:8]}"
    settings = {
        "SIDETAIL_METRICS_LISTEN": "",  # this machine's ports are others'
        "SIDETAIL_SINK": "kafka",
        "SIDETAIL_KAFKA_BROKERS": kafka_4_secure.sasl_bootstrap,
        "SIDETAIL_KAFKA_TLS": "true",
        "SIDETAIL_KAFKA_TLS_CA": "/ca.pem",
        "SIDETAIL_KAFKA_SASL_MECHANISM": mechanism,
        "SIDETAIL_KAFKA_SASL_USERNAME": "sidetail",
        "SIDETAIL_KAFKA_SASL_PASSWORD": "sidetail-secret",
        "SIDETAIL_KAFKA_IDENTITY": topic,
        "SIDETAIL_KAFKA_POSITIONS_TOPIC": f"{topic}-positions",
        "SIDETAIL_KAFKA_TOPIC": topic,
    }
    options = ("--read-only", "--network", "host", *CAPABILITY, "-v", f"{kafka_4_secure.tls}/ca.pem:/ca.pem:ro")
    Collector(engine, image, *options, env=settings)
    write(engine, "w", count=500, service="web").wait()
    read = lambda: images.parse_json_lines(message.value for message in kafka_4_secure.messages(topic))
    images.verify(read, {"w": {"total": 500, "tags": {"service": "web"}}})
    wrong = Collector(engine, image, *options, command=("check", "--connect"),
                      env={**settings, "SIDETAIL_KAFKA_SASL_PASSWORD": "wrong-one"})  # fmt: skip
    assert wrong.container.wait() == 1
    said = wrong.container.logs().decode()
    assert "password" in said and "wrong-one" not in said and "2.6.1" not in said, said


def test_collectors_leave_each_other_alone(engine, image):
    """Both write to stdout on one Engine: without the image's label, each would collect what the other one wrote."""
    pair = [Collector(engine, image, *HARDENED, *CAPABILITY) for _ in range(2)]
    write(engine, "w", count=200, service="web").wait()
    for collector in pair:
        images.verify(collector.records, {"w": {"total": 200}})
    time.sleep(2)
    assert [len(collector.lines()) for collector in pair] == [200, 200]


# The Dockerfile


def instructions(path):
    text = re.sub(r"\\\n", " ", "\n".join(
        line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")))  # fmt: skip
    return [line.split(None, 1) for line in text.splitlines() if line.strip()]


DOCKERFILES = [REPO / "Dockerfile", *sorted((REPO / "deploy").glob("*/Dockerfile"))]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(REPO)))
def test_dockerfile_follows_the_rules(engine, path):
    """The builder's own checks where it has them, and hadolint where it is installed; those of its rules that matter most, in
    any case."""
    if images.builder_checks():
        client, _ = images.builder()
        done = run(client, "buildx", "build", "--check", "--file", path, path.parent, check=False)
        assert done.returncode == 0 and "no warnings found" in done.stdout + done.stderr, done.stdout + done.stderr
    if shutil.which("hadolint"):
        done = subprocess.run(["hadolint", path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    found = instructions(path)
    names = [name for name, _ in found]
    assert "ADD" not in names and "MAINTAINER" not in names  # DL3020, DL4000
    for name, text in found:
        if name in ("ENTRYPOINT", "CMD") or (name == "HEALTHCHECK" and "CMD" in text):
            json.loads(text[text.index("[") :])  # DL3025
        if name == "RUN" and "apt-get install" in text:
            assert "--no-install-recommends" in text and " -y" in text  # DL3015, DL3014
            assert "apt-get update" in text and "rm -rf /var/lib/apt/lists/*" in text  # DL3009
        if name == "RUN" and "|" in text.replace("||", ""):
            assert any(name == "SHELL" and "pipefail" in text for name, text in found)  # DL4006
        if name == "WORKDIR":
            assert text.startswith("/")  # DL3000
        assert name != "RUN" or not re.search(r"\b(sudo|cd) ", text)  # DL3004, DL3003
    assert found[-1][0] != "RUN" and any(name == "USER" for name in names)  # DL3002


def test_stages_and_bases():
    found = instructions(REPO / "Dockerfile")
    stages = [text.split()[-1] for name, text in found if name == "FROM"]
    assert stages == ["build", "test", "runtime"]
    defaults = dict(text.split("=", 1) for name, text in found[:2] if name == "ARG")
    assert defaults == {"BUILD_BASE": f"debian:{images.RELEASE}-slim", "RUNTIME_BASE": "scratch"}
