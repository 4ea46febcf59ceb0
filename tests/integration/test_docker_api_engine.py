"""Source docker-api with an Engine of its own: restarted, killed, frozen, in another time zone, over TLS."""

import gzip
import json
import signal
import time

import pytest
from lib.dockerd import Dockerd, certificates
from lib.system import free_port, wait_until
from lib.verify import Line, Verifier


@pytest.fixture
def new_dockerd(session_engine, tmp_path):
    made = []

    def start(**options):
        made.append(Dockerd(tmp_path, **options))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def collect(sidetail, tmp_path):
    def make(engine, env=None, **more):
        config = {"source": "docker-api", "docker": {"host": engine.host}, "sink": "file",
                  "file": {"path": str(tmp_path / "out.json")}, "checkpoint": {"interval": "50ms"}}  # fmt: skip
        config.update(more)
        return sidetail(config, env=env or {})

    return make


def written(container):
    """The log writer's lines that are in the container's json-file log: {(writer, run, stream): how many}."""
    found, pieces = {}, {}
    for path in container.log_files():
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for entry in map(json.loads, data.splitlines()):
            text = pieces.pop(entry["stream"], "") + entry["log"]
            if not text.endswith("\n"):
                pieces[entry["stream"]] = text
                continue
            line = Line(text[:-1])
            key = (line.writer, line.run, line.stream)
            found[key] = found.get(key, 0) + 1
    return found


def assert_same(s, container, timeout=30):
    """All that is in the container's log is in the output, once and in order."""
    want = written(container)

    def seen():
        check = Verifier()
        check.expect("any")
        check.add_records(s.records())
        return check

    count = lambda check: {key: sequence.seen() for key, sequence in check.sequences.items()}
    try:
        wait_until(lambda: count(seen()) == want, timeout, every=0.3)
    except AssertionError:
        assert count(seen()) == want, s.stderr_end()
    for key, sequence in seen().sequences.items():
        assert not sequence.doubled and not sequence.late, (key, sequence.doubled[:5], sequence.late[:5], s.stderr_end())
    assert not seen().mangled and not seen().foreign


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_engine_restarted_while_containers_run(new_dockerd, collect, number):
    """With live-restore the containers go on; the collector reconnects and misses nothing that was logged."""
    engine = new_dockerd(options=["--live-restore"])
    s = collect(engine).start()
    s.wait_stderr("the Engine answers")
    web = engine.write("web", rate=400, stderr=30, container={"log_opts": {"max-size": "1m", "max-file": 20}})
    s.wait_lines(200)
    for _ in range(3):
        engine.stop(number)
        s.wait_stderr("cannot follow the Engine")
        time.sleep(0.5)
        engine.start()
        count = len(s.lines())
        s.wait_lines(count + 200)
    web.stop()
    assert_same(s, web)
    s.stop_cleanly()


def test_engine_restarted_with_its_containers(new_dockerd, collect):
    """Without it they are stopped and started again: more runs of the same container."""
    engine = new_dockerd()
    s = collect(engine).start()
    s.wait_stderr("the Engine answers")
    web = engine.write("web", rate=400, container={"options": ["--restart", "always"]})
    s.wait_lines(100)
    engine.stop()
    engine.start()
    s.wait_lines(len(s.lines()) + 200)
    engine.docker("update", "--restart", "no", web.id)
    web.stop()
    assert len(written(web)) == 2
    assert_same(s, web)
    s.stop_cleanly()


def test_engine_comes_late(new_dockerd, collect):
    """Started before the Engine: says what is wrong, waits, and collects once it is there."""
    engine = new_dockerd()
    engine.stop()
    s = collect(engine).start()
    s.wait_stderr("cannot follow the Engine.*(no Engine socket|Docker is not running)")
    engine.start()
    s.wait_stderr("the Engine answers")
    engine.write("web", count=50)
    s.wait_lines(50)
    s.stop_cleanly()


@pytest.mark.slow
def test_engine_frozen(new_dockerd, collect):
    """Stopped for a while in the middle of all: the streams go on where they were."""
    engine = new_dockerd()
    s = collect(engine).start()
    web = engine.write("web", rate=500)
    s.wait_lines(200)
    engine.send(signal.SIGSTOP)
    time.sleep(3)
    engine.send(signal.SIGCONT)
    s.wait_lines(len(s.lines()) + 300)
    web.stop()
    assert_same(s, web)
    s.stop_cleanly()


def test_other_time_zone(new_dockerd, collect):
    """The local driver of old Engines tells times in the Engine's own zone: they come out in UTC, and resuming works."""
    engine = new_dockerd(env={"TZ": "Asia/Kolkata"})
    s = collect(engine).start()
    engine.write("web", count=300, rate=300, container={"log_driver": "local"})
    for _ in range(5):
        time.sleep(0.15)
        s.kill()
        s.start()
    s.wait_lines(300)
    check = Verifier()
    check.expect("web", total=300)
    check.add_records(s.records())
    check.assert_exactly_once()
    now = time.strftime("%Y-%m-%dT%H", time.gmtime())
    hour_ago = time.strftime("%Y-%m-%dT%H", time.gmtime(time.time() - 3600))
    assert all(record["time"].startswith((now, hour_ago)) and record["time"].endswith("Z") for record in s.records())
    s.stop_cleanly()


def test_plain_tcp_by_dockers_variables(new_dockerd, collect):
    """DOCKER_HOST without TLS; DOCKER_API_VERSION is spoken as it says, or refused with what to do."""
    port = free_port()
    engine = new_dockerd(options=["-H", f"tcp://127.0.0.1:{port}", "--tls=false"])
    engine.write("web", count=50)
    oldest = engine.docker("version", "-f", "{{.Server.MinAPIVersion}}").stdout
    minor = max(40, int(oldest.split(".")[1]))
    env = {"DOCKER_HOST": f"tcp://127.0.0.1:{port}", "DOCKER_API_VERSION": f"1.{minor}"}
    s = collect(engine, docker={"host": ""}, env=env).start()
    s.wait_stderr(f"the Engine answers.*tcp://127.0.0.1:{port} api_minor={minor}")
    s.wait_lines(50)
    s.stop_cleanly()
    s.env["DOCKER_API_VERSION"] = "1.99"
    s.start()
    s.wait_stderr("no API version in common.*1.99 is too new.*unset DOCKER_API_VERSION")
    s.stop_cleanly()
    s.env["DOCKER_API_VERSION"] = "new"
    s.start()
    assert s.wait() != 0
    assert "DOCKER_API_VERSION is 'new', which is no version" in s.stderr()


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("tls"))


def test_tls(new_dockerd, collect, tls, tmp_path):
    """TCP with client certificates; by the configuration, and by Docker's own variables."""
    engine = new_dockerd(tls=tls)
    address = f"tcp://127.0.0.1:{engine.tls_port}"
    web = engine.write("web", count=3000, rate=600, long_every=50, long_length=50000)
    s = collect(engine, docker={"host": address, "cert_path": str(tls / "client")}).start()
    s.wait_lines(300)
    s.kill()
    s.config["docker"] = {}
    s.env = {"DOCKER_HOST": address.replace("127.0.0.1", "localhost"), "DOCKER_CERT_PATH": str(tls / "client"), "DOCKER_TLS_VERIFY": "1"}
    s.start()
    s.wait_lines(3000)
    web.wait()
    assert_same(s, web)
    s.stop_cleanly()


def test_tls_refused(new_dockerd, collect, tls, tmp_path):
    """No certificate, one of a stranger, a server of a strange authority: each says what to do."""
    engine = new_dockerd(tls=tls)
    address = f"tcp://127.0.0.1:{engine.tls_port}"
    stranger = certificates(tmp_path / "stranger")
    folder = lambda name, **files: make_folder(tmp_path / name, files)
    anonymous = folder("anonymous", ca=tls)
    mixed = folder("mixed", ca=tls, cert=stranger / "client", key=stranger / "client")
    keyless = folder("keyless", ca=tls, cert=stranger / "client")
    for certs, said in (
        (stranger / "client", "is not trusted.*ca.pem"),
        (anonymous, "refused our certificate"),
        (mixed, "refused our certificate"),
        (keyless, "key.pem is missing"),
        (tmp_path / "none", "cannot read the directory of the Engine's certificates"),
    ):
        s = collect(engine, docker={"host": address, "cert_path": str(certs)}).start()
        s.wait_stderr(said)
        s.kill()
    plain = collect(engine, docker={"host": address}).start()
    plain.wait_stderr("answered 400|not valid HTTP")


def test_tls_wrong_name(new_dockerd, collect, tmp_path):
    """The authority is trusted, but the certificate is of another host."""
    tls = certificates(tmp_path / "tls", names="DNS:elsewhere.example")
    engine = new_dockerd(tls=tls)
    engine.write("web", count=5)
    docker = {"host": f"tcp://127.0.0.1:{engine.tls_port}", "cert_path": str(tls / "client")}
    s = collect(engine, docker=docker).start()
    s.wait_stderr("is not trusted: IP address mismatch")
    s.kill()
    s.config["docker"]["tls_verify"] = False
    s.start()
    s.wait_lines(5)
    s.stop_cleanly()


def make_folder(path, files):
    path.mkdir()
    for name, source in files.items():
        (path / f"{name}.pem").write_bytes((source / f"{name}.pem").read_bytes())
    return path


@pytest.mark.swarm
def test_swarm_tasks_are_tagged_as_from_files(swarm, sidetail, tmp_path):
    """The same records, tags and all, as from the node's containers directory."""
    swarm.load("sidetail-test/app")
    swarm.docker("service", "create", "--name", "shop_web", "--replicas", "2", "--no-resolve-image", "--detach",
                 "--label", "x=y", "sidetail-test/app", "--count", "20", "--linger", "600")  # fmt: skip
    try:
        tasks = swarm.wait_running("shop_web", 2)
        node = next(n for n in swarm.nodes if n.docker("ps", "-q", "--filter", "name=shop_web").stdout.split())
        seen = {}
        for source, more in (("docker-api", {"docker": {"host": node.host}}),
                             ("json-file", {"json_file": {"path": str(node.containers_dir)}})):  # fmt: skip
            s = sidetail({"source": source, "host": "node", "include": {"services": ["shop_web"]}, **more}, name=source).start()
            s.wait_lines(20)
            s.wait_quiet()
            seen[source] = sorted(s.records(), key=lambda record: (record["id"], record["time"]))
            s.stop_cleanly()
        assert seen["docker-api"] == seen["json-file"]
        record = seen["docker-api"][0]
        assert record["service"] == "shop_web"
        assert record["task"].startswith("shop_web.") and any(task["ID"] in record["task"] for task in tasks)
        assert record["node"]
    finally:
        swarm.docker("service", "rm", "shop_web", check=False)
