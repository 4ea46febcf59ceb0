"""The examples of deploy/ for compose, as they are, on the real Engine."""

import http.client
import os
import shutil
import uuid
from pathlib import Path

import pytest
import yaml
from lib import compose
from lib import image as images
from lib.engine import Container
from lib.kafka import KafkaReader
from lib.logwriter import IMAGE as WRITER
from lib.logwriter import arguments
from lib.system import REPO, SETUP, STATE, free_port, run, unavailable, wait_until

# The first of them builds the image, which takes minutes on a busy machine.
pytestmark = [pytest.mark.image, pytest.mark.timeout(1500)]

DEPLOY = REPO / "deploy"
HOST = Path("/etc/hostname").read_text().strip()
SERVICES = ("web", "worker")


class Project:
    """One of the examples under a name of its own."""

    def __init__(self, engine, file, image, tmp_path, command):
        self.engine = engine
        self.name = f"st{uuid.uuid4().hex[:8]}"
        self.files = [DEPLOY / file]
        self.folder = self.files[0].parent
        self.tmp_path = tmp_path
        self.command = command.split()
        self.env = {**os.environ, "COMPOSE_PROJECT_NAME": self.name, "COLLECTOR_IMAGE": image,
                    "DOCKER_CONTAINERS": str(engine.containers_dir)}  # fmt: skip

    def override(self, **services):
        path = self.tmp_path / f"override{len(self.files)}.yaml"
        path.write_text(yaml.safe_dump({"services": services}))
        self.files.append(path)

    def compose(self, *arguments, **options):
        files = [part for file in self.files for part in ("-f", file)]
        return run(*self.command, "--project-directory", self.folder, *files, *arguments, env=self.env, cwd=self.folder, **options)

    def up(self, *services):
        """Gives back what compose had to say."""
        return self.compose("up", "-d", "--no-build", *services, timeout=180).stderr

    def container(self, service):
        return Container(self.engine, self.compose("ps", "-a", "-q", service).stdout.strip())

    def lines(self):
        """What the collector wrote to stdout."""
        done = self.engine.docker("logs", self.container("collector").id, text=False)
        return done.stdout.split(b"\n")[:-1]

    def records(self):
        return images.parse_json_lines(self.lines())

    def volume(self, name):
        done = self.engine.docker("volume", "inspect", "-f", "{{.Mountpoint}}", f"{self.name}_{name}")
        return Path(done.stdout.strip())

    def collected(self):
        """What the collector wrote to its file."""
        path = self.volume("positions") / "collected.log"
        return images.parse_json_lines(path.read_bytes().split(b"\n")[:-1] if path.exists() else [])

    def down(self):
        self.compose("down", "-v", "--remove-orphans", "-t", "5", check=False, timeout=180)


@pytest.fixture
def project(engine, image, tmp_path):
    """project(FILE, command=...): an example of deploy/, gone after the test."""
    made = []

    def make(file, command=None):
        if not compose.commands():
            unavailable("Compose is missing: tests/setup/install.sh engine")
        made.append(Project(engine, file, image, tmp_path, command or compose.commands()[0]))
        return made[-1]

    yield make
    for one in made:
        one.down()


def writer(service, **options):
    return {"image": WRITER, "command": arguments(id=service, **options)}


def kill_and_up(one, times=4):
    """kill -9 of the collector while the application writes, and up again."""
    for _ in range(times):
        wait_until(lambda: one.container("collector").running, 20)
        one.compose("kill", "-s", "KILL", "collector")
        one.up("collector")


EXPECTED = {name: {"total": 6000, "tags": {"service": name, "host": HOST}} for name in SERVICES}


def expected(one):
    return {
        name: {**what, "tags": {**what["tags"], "project": one.name}} if "volume" not in one.files[0].name else what
        for name, what in EXPECTED.items()
    }


each_command = pytest.mark.parametrize("command", compose.commands() or ["docker compose"])


@pytest.mark.slow
@each_command
@pytest.mark.parametrize("file", ["compose.yaml", "compose.volume.yaml", "compose.api.yaml"])
def test_example_as_it_is(project, socket_proxy, file, command):
    """With nothing changed: both services' lines come, and the collector becomes healthy."""
    one = project(file, command)
    one.env["SOCKET_PROXY_IMAGE"] = socket_proxy
    assert "warn" not in one.up().lower()
    read = one.collected if "volume" in file else one.records
    seen = lambda: {(record["service"], record["log"], record["stream"]) for record in read()}
    wanted = {("web", "GET /cart 200", "stdout"), ("worker", "job done", "stdout")}
    wait_until(lambda: wanted <= seen(), 30, lambda: f"{wanted}, seen {seen()}", every=0.3)
    health = lambda: one.container("collector").inspect()["State"]["Health"]["Status"]
    wait_until(lambda: health() == "healthy", 30, health, every=0.3)
    assert {record["service"] for record in read()} == set(SERVICES)
    inspected = one.container("collector").inspect()
    assert inspected["HostConfig"]["ReadonlyRootfs"] and inspected["HostConfig"]["Memory"] == 32 << 20
    assert inspected["HostConfig"]["CapDrop"] == ["ALL"] and not inspected["HostConfig"]["Privileged"]
    one.compose("stop", "-t", "10")
    assert inspected["Config"]["User"] == f"{images.USER}:{images.USER}"
    assert one.engine.docker("inspect", "-f", "{{.State.ExitCode}}", inspected["Id"]).stdout.strip() == "0"


@each_command
def test_what_is_built_here_is_not_pulled(project, image, tmp_path, command):
    """An image that is missing is built, and no registry is asked for it."""
    one = project("compose.yaml", command)
    one.env["COLLECTOR_IMAGE"] = f"{one.name}/sidetail"
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\n")
    one.override(collector={"build": str(tmp_path)})
    try:
        said = one.compose("up", "-d", "collector", timeout=180).stderr
        assert "pull" not in said.lower(), said
        assert one.container("collector").running
    finally:
        one.down()
        run("docker", "image", "rm", "-f", one.env["COLLECTOR_IMAGE"])


@pytest.mark.slow
@pytest.mark.parametrize("file", ["compose.yaml", "compose.api.yaml"])
def test_json_file_and_api_exactly_once(project, socket_proxy, file):
    one = project(file)
    one.env["SOCKET_PROXY_IMAGE"] = socket_proxy
    to_file = {"SIDETAIL_SINK": "file", "SIDETAIL_FILE_PATH": "/var/lib/sidetail/collected.log"}
    one.override(**{name: writer(name, count=6000, rate=800, stderr=20) for name in SERVICES}, collector={"environment": to_file})
    one.up()
    kill_and_up(one)
    images.verify(one.collected, expected(one))


@pytest.mark.slow
def test_volume_exactly_once(project):
    one = project("compose.volume.yaml")
    one.override(**{
        name: writer(name, count=6000, rate=800, file=f"/logs/{name}/app.log", rotate="rename", rotate_lines=1500, keep=9)
        for name in SERVICES
    })  # fmt: skip
    one.up("collector")
    logs = one.volume("logs")
    for name in SERVICES:
        (logs / name).mkdir()
    one.up()
    kill_and_up(one)
    expect = expected(one)
    images.verify(one.collected, expect)
    assert {record["stream"] for record in one.collected()} == {"stdout"}
    assert one.container("collector").inspect()["HostConfig"]["CapAdd"] is None


@pytest.mark.slow
def test_stdout_loses_nothing_and_the_last_lines_come(project):
    """At least once to stdout over kills; when all is stopped, the application first, its last lines are out too."""
    one = project("compose.yaml")
    one.override(**{name: writer(name, rate=500) for name in SERVICES})
    one.up()
    wait_until(lambda: len(one.lines()) > 500, 30)
    one.compose("stop", "-t", "10")
    check = images.Verifier()
    for name in SERVICES:
        done = one.engine.docker("logs", one.container(name).id, text=False)
        check.expect_written(done.stdout.split(b"\n")[:-1])
    check.add_records(one.records())
    check.assert_exactly_once()


# The proxy before the socket


@pytest.fixture(scope="session")
def socket_proxy(session_engine):
    return images.build("sidetail-test/socket-proxy", folder=DEPLOY / "socket-proxy")


def test_proxy_lets_only_questions_through(project, socket_proxy):
    one = project("compose.api.yaml")
    one.env["SOCKET_PROXY_IMAGE"] = socket_proxy
    one.up("socket-proxy")
    address = lambda: next(iter(one.container("socket-proxy").inspect()["NetworkSettings"]["Networks"].values()))["IPAddress"]
    wait_until(address, 10)

    def status(method, path):
        connection = http.client.HTTPConnection(address(), 2375, timeout=5)
        try:
            connection.request(method, path)  # as it is: nothing is made of dots and doubled slashes
            return connection.getresponse().status
        except OSError as fault:
            return str(fault)
        finally:
            connection.close()

    wait_until(lambda: status("GET", "/_ping") == 200, 20, lambda: status("GET", "/_ping"))
    own = one.container("socket-proxy").id
    version = "/v" + one.engine.docker("version", "-f", "{{.Server.APIVersion}}").stdout.strip()
    assert [status("GET", path) for path in (
        "/containers/json?all=1", f"{version}/containers/json", f"/containers/{own}/json",
        f"{version}/containers/{own}/logs?stdout=1",
        "/events?since=1&until=2")] == [200] * 5  # fmt: skip
    refused = [
        ("POST", "/containers/create"), ("POST", f"/containers/{own}/exec"), ("POST", f"/containers/{own}/json"),
        ("DELETE", f"/containers/{own}"), ("GET", "/images/json"), ("GET", "/info"), ("GET", "/secrets"), ("GET", "/"),
        ("GET", f"/containers/{own}/export"), ("GET", f"/containers/{own}/archive?path=/etc"),
        ("GET", f"/containers/{own}/attach/ws"), ("GET", "/containers/../images/json"), ("GET", "/containers/%2e%2e/json/../x"),
        ("GET", f"/containers/{own}/../../images/json"), ("GET", "//images/json"), ("HEAD", f"/containers/{own}/archive"),
        ("PUT", "/_ping"), ("GET", f"{version}/../images/json"),
    ]  # fmt: skip
    assert {(method, path): status(method, path) for method, path in refused} == {each: 403 for each in refused}


# Kafka


@pytest.fixture(scope="session")
def broker_image(session_engine, tmp_path_factory):
    """What stands for apache/kafka, which cannot be pulled without a registry."""
    run(SETUP / "kafka.sh", "jars", timeout=300)
    folder = tmp_path_factory.mktemp("broker")
    newest = max((STATE / "kafka-jars").glob("[0-9]*[0-9]"), key=lambda path: path.name)
    shutil.copytree(newest, folder / "jars")
    for name in ("Dockerfile", "start.sh"):
        shutil.copy(REPO / "tests" / "integration" / "broker" / name, folder)
    return images.build("sidetail-test/broker", folder=folder)


@pytest.mark.slow
def test_kafka_exactly_once(project, broker_image):
    """A read_committed consumer has each line once, though collector and broker are killed."""
    one = project("kafka/compose.yaml")
    port = free_port()
    one.env.update(KAFKA_IMAGE=broker_image, KAFKA_PORT=str(port))
    one.override(**{name: writer(name, count=6000, rate=500, stderr=20) for name in SERVICES})
    one.up()
    kafka = KafkaReader(f"localhost:{port}")
    kill_and_up(one, times=2)
    one.compose("kill", "-s", "KILL", "broker")
    kill_and_up(one, times=2)
    read = lambda: images.parse_json_lines(message.value for message in kafka.messages(r"logs\..*"))
    images.verify(read, expected(one), timeout=120)
    assert {message.topic for message in kafka.messages(r"logs\..*")} == {"logs.web", "logs.worker"}
    for message in kafka.messages(r"logs\.web"):
        assert "service=web" in message.headers.split(",")
        break


@pytest.mark.slow
@each_command
def test_kafka_example_as_it_is(project, broker_image, command):
    one = project("kafka/compose.yaml", command)
    port = free_port()
    one.env.update(KAFKA_IMAGE=broker_image, KAFKA_PORT=str(port))
    assert "warn" not in one.up().lower()
    kafka = KafkaReader(f"localhost:{port}")
    seen = lambda: {(record["service"], record["log"]) for record in images.parse_json_lines(
        message.value for message in kafka.messages(r"logs\..*"))}  # fmt: skip
    wanted = {("web", "GET /cart 200"), ("worker", "job done"), ("worker", "queue is long")}
    wait_until(lambda: seen() >= wanted, 60, lambda: f"{wanted}, seen {seen()}", every=1)
    assert {service for service, _ in seen()} == set(SERVICES)
    health = lambda: one.container("collector").inspect()["State"]["Health"]["Status"]
    wait_until(lambda: health() == "healthy", 30, health, every=0.3)
