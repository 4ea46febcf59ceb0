"""deploy/kubernetes: its own configuration, on files laid out, rotated and compressed as the kubelet does it."""

import gzip
import json
import os
import random
from datetime import datetime, timedelta

import pytest
import yaml
from lib.system import REPO, run, wait_until
from lib.verify import Verifier

UIDS = {"api-7d4b9c6f5-x2x8k": "3f1d2c4b-5a69-4e78-8f90-a1b2c3d4e5f6", "db-0": "0a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9"}
MANIFEST = REPO / "deploy" / "kubernetes" / "daemonset.yaml"


def manifest():
    return {document["kind"]: document for document in yaml.safe_load_all(MANIFEST.read_text())}


def configuration():
    return json.loads(manifest()["ConfigMap"]["data"]["sidetail.json"])


class Container:
    """One container of a pod: its runtime, which writes N.log, and the kubelet's log manager, which rotates it."""

    def __init__(self, pods, namespace, pod, name, uid=None, max_files=5):
        self.directory = pods / f"{namespace}_{pod}_{uid or UIDS[pod]}" / name
        self.directory.mkdir(parents=True)
        self.tags = {"service": name, "container": name, "pod": pod, "namespace": namespace, "host": "node-1"}
        self.max_files = max_files
        self.restarts = 0
        self.clock = datetime(2026, 11, 24, 5, 0, 39)

    @property
    def log(self):
        return self.directory / f"{self.restarts}.log"

    def write(self, data):
        with open(self.log, "ab") as file:
            file.write(data)

    def restart(self):
        self.restarts += 1

    def rotate(self):
        """kubernetes pkg/kubelet/logs/container_log_manager.go: what is in excess goes, what was rotated before is
        compressed by way of a .tmp, the live one gets the time behind its name, and the runtime makes a new one."""
        rotated = sorted(self.directory.glob(f"{self.log.name}.*"))
        for path in rotated[: max(0, len(rotated) - (self.max_files - 2))]:
            path.unlink()
        for path in rotated[max(0, len(rotated) - (self.max_files - 2)) :]:
            if path.suffix != ".gz":
                temporary = path.with_name(path.name + ".tmp")
                temporary.write_bytes(gzip.compress(path.read_bytes()))
                temporary.rename(path.with_name(path.name + ".gz"))
                path.unlink()
        self.clock += timedelta(seconds=10)
        self.log.rename(self.log.with_name(f"{self.log.name}.{self.clock:%Y%m%d-%H%M%S}"))
        self.log.touch(0o640)


@pytest.fixture
def cri_lines(logwriter, tmp_path):
    """cri_lines("w", 1000): lines of the log writer as a CRI runtime writes them, long ones cut to P and F."""

    def make(ident, count, **options):
        path = tmp_path / f"{ident}.cri"
        arguments = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        run(logwriter, f"--id={ident}", f"--count={count}", f"--file={path}", "--format=cri", *arguments)
        return path.read_bytes().splitlines(keepends=True)

    return make


@pytest.fixture
def pods(tmp_path):
    directory = tmp_path / "pods"
    directory.mkdir()
    return directory


@pytest.fixture
def collect(sidetail, tmp_path, pods):
    """With the DaemonSet's own configuration; only where the files are and where lines go is the test's."""

    def make(name=None):
        files = json.loads(json.dumps(configuration()["files"]).replace("/var/log/pods", str(pods)))
        config = {"source": "files", "files": files, "sink": "file", "file": {"path": str(tmp_path / "out.log")}}
        return sidetail({**config, "checkpoint": {"interval": "50ms"}}, name=name, env={"SIDETAIL_HOST": "node-1"})

    return make


def assert_collected(collector, timeout=30, **expected):
    """writer=(container, count)"""
    found = []

    def complete():
        found[:] = [Verifier()]
        for writer, (container, count) in expected.items():
            found[0].expect(writer, total=count, tags=container.tags)
        found[0].add_records(collector.records())
        return found[0].complete()

    try:
        wait_until(complete, timeout, every=0.3)
    except AssertionError:
        pass  # what is missing is told by the verifier
    found[0].assert_exactly_once()


def pieces(lines, count):
    size = -(-len(lines) // count)
    return [b"".join(lines[at : at + size]) for at in range(0, len(lines), size)]


def test_pods(collect, pods, cri_lines):
    """Pods of two namespaces, there before and made later; a restarted container; the collector's own pod."""
    api = Container(pods, "shop", "api-7d4b9c6f5-x2x8k", "api")
    proxy = Container(pods, "shop", "api-7d4b9c6f5-x2x8k", "proxy")
    own = Container(pods, "logging", "sidetail-z8rhl", "sidetail", uid="b0d3c1e2-0000-4000-8000-000000000000")
    api.write(b"".join(cri_lines("api", 500, long_every=50, long_length=60000)))
    own.write(b"".join(cri_lines("own", 10)))
    collector = collect().start()
    collector.wait_stderr("collecting")
    proxy.write(b"".join(cri_lines("proxy", 200)))
    db = Container(pods, "data", "db-0", "postgres")
    db.write(b"".join(cri_lines("db", 300)))
    db.restart()
    db.write(b"".join(cri_lines("db-again", 100)))
    assert_collected(collector, api=(api, 500), proxy=(proxy, 200), db=(db, 300), **{"db-again": (db, 100)})
    collector.stop_cleanly()


def test_streams_and_times(collect, pods):
    container = Container(pods, "shop", "api-7d4b9c6f5-x2x8k", "api")
    container.write(b"2026-11-24T05:00:39.668510088Z stdout F one\n"
                    b"2026-11-24T07:00:40.1+02:00 stderr P tw\n2026-11-24T05:00:41Z stdout F three\n"
                    b"2026-11-24T07:00:42.2+02:00 stderr F o\n")  # fmt: skip
    collector = collect().start()
    collector.wait_lines(3)
    found = {record["log"]: record["stream"] for record in collector.records()}
    assert found == {"one": "stdout", "two": "stderr", "three": "stdout"}
    (first,) = [record for record in collector.records() if record["log"] == "one"]
    assert first["time"] == "2026-11-24T05:00:39.668510088Z"
    assert {key: first.get(key) for key in container.tags} == container.tags


def test_rotation_while_running(collect, pods, cri_lines):
    """Rotated files are there for a while only, and turn into .gz; the collector keeps up with them."""
    container = Container(pods, "shop", "api-7d4b9c6f5-x2x8k", "api", max_files=30)
    collector = collect().start()
    collector.wait_stderr("collecting")
    for data in pieces(cri_lines("w", 6000, long_every=100, long_length=40000), 20):
        container.write(data)
        container.rotate()
    assert_collected(collector, w=(container, 6000))
    assert any(path.suffix == ".gz" for path in container.directory.iterdir())
    collector.stop_cleanly()


def test_rotation_while_stopped(collect, pods, cri_lines):
    """kill -9, several rotations with compression, start: on from the middle of what is a .gz by now."""
    container = Container(pods, "shop", "api-7d4b9c6f5-x2x8k", "api", max_files=30)
    parts = pieces(cri_lines("w", 6000, long_every=70, long_length=40000), 24)
    rng = random.Random(7)
    collector = collect()
    while parts:
        collector.start()
        container.write(parts.pop(0))
        collector.wait_lines(1)
        collector.kill()
        for _ in range(rng.randrange(0, 4)):
            container.rotate()
            if parts:
                container.write(parts.pop(0))
    collector.start()
    assert_collected(collector, w=(container, 6000))
    collector.stop_cleanly()


def test_manifest_is_confined():
    documents = manifest()
    pod = documents["DaemonSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] and security["readOnlyRootFilesystem"]
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["DAC_READ_SEARCH"]}
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert set(container["resources"]) == {"requests", "limits"}
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert all(mount.get("readOnly") for mount in container["volumeMounts"])
    assert not documents["ServiceAccount"]["automountServiceAccountToken"]


def test_manifest_starts_and_answers_its_probes(sidetail, pods, tmp_path):
    """The program takes the ConfigMap's configuration and the container's environment, and the probes' commands work."""
    (container,) = manifest()["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    (tmp_path / "password").write_text("secret\n")
    env = {entry["name"]: entry.get("value", "node-1").replace("$(NODE_NAME)", "node-1") for entry in container["env"]}
    env["SIDETAIL_KAFKA_SASL_PASSWORD_FILE"] = str(tmp_path / "password")
    env["SIDETAIL_KAFKA_TLS_CA"] = "/etc/ssl/certs/ca-certificates.crt"  # the one file that must be there already
    checked = sidetail(configuration(), name="checked", env=env)
    checked.write_config()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SIDETAIL_")}
    done = run(checked.binary, "check", "-c", checked.config_path, env={**clean, **env})
    effective = json.loads(done.stdout)
    assert effective["kafka"]["identity"] == effective["host"] == "node-1"
    assert effective["files"]["format"] == "cri"
    config = {**configuration(), "sink": "stdout", "kafka": {}}
    config["files"]["include"] = [f"{pods}/{{namespace}}_{{pod}}_{{uid}}/{{container}}/*.log"]
    running = sidetail(config, name="running").start()
    running.wait_stderr("collecting")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        program, *arguments = container[probe]["exec"]["command"]
        assert program == "/sidetail"
        arguments = [str(running.config_path) if part.startswith("/etc/") else part for part in arguments]
        wait_until(lambda: run(running.binary, *arguments, check=False).returncode == 0, 10, probe)
