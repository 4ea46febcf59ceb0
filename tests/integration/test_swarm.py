"""deploy/stack.yaml on a real swarm of three nodes, before a real broker: through scaling, draining, kills and rolls."""

import json
import os
from pathlib import Path

import pytest
from lib.system import REPO, run, wait_until
from lib.verify import Line, Verifier, parse_json_lines

pytestmark = [pytest.mark.swarm, pytest.mark.slow, pytest.mark.timeout(1200)]

COLLECTOR = "logs_sidetail"
IMAGE = "sidetail-test/sidetail:latest"
ROLLED = "sidetail-test/sidetail:rolled"

# What a test needs otherwise than production: it does not wait to see whether what runs goes on running.
HASTE = """
version: "3.9"
services:
  sidetail:
    healthcheck: {interval: 1s, timeout: 5s}
    deploy:
      restart_policy: {condition: any, delay: 500ms}
      update_config:
        {order: stop-first, parallelism: 1, delay: 0s, monitor: 3s, max_failure_ratio: 0, failure_action: rollback}
      rollback_config: {order: stop-first, parallelism: 1, monitor: 1s, failure_action: pause}
"""

APP = """
version: "3.9"
x-writer: &writer
  image: sidetail-test/app
  environment: {LOGWRITER_ID: "{{.Task.Name}}"}
  stop_grace_period: 5s
services:
  web:
    <<: *writer
    command: ["--rate", "400", "--stderr", "10", "--bytes", "ascii,utf8,escape"]
    deploy: {replicas: 3, restart_policy: {delay: 500ms}}
  worker:
    <<: *writer
    command: ["--rate", "100", "--long-every", "200", "--long-length", "40000"]
    deploy: {replicas: 2, restart_policy: {delay: 500ms}}
"""


class Stack:
    def __init__(self, swarm, directory, name, *files, **environment):
        self.swarm = swarm
        self.name = name
        options = []
        for number, file in enumerate(files):
            if isinstance(file, str):
                path = directory / f"{name}-{number}.yaml"
                path.write_text(file)
                file = path
            options += ["-c", file]
        variables = {**os.environ, "DOCKER_HOST": swarm.manager.host, **environment}
        self.command = ["docker", "stack", "deploy", "--resolve-image", "never", *options, name]
        self.variables = variables

    def __enter__(self):
        run(*self.command, env=self.variables)
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        self.swarm.docker("stack", "rm", self.name, check=False)
        gone = lambda: not any(node.docker("ps", "-aq", "--filter", f"label=com.docker.stack.namespace={self.name}")
                               .stdout.split() for node in self.swarm.nodes)  # fmt: skip
        wait_until(gone, 60, f"the end of stack {self.name}", every=0.5)


class Truth:
    """What the app's tasks have written: their logs, held open, since swarm deletes those of tasks it is done with."""

    def __init__(self, swarm):
        self.swarm = swarm
        self.tasks = {}  # container id -> (tags, its open log)

    def look(self):
        for number, node in enumerate(self.swarm.nodes, 1):
            for directory in node.containers_dir.iterdir():
                self._hold(directory, f"node-{number}")
        return self

    def _hold(self, directory, host):
        try:
            labels = json.loads((directory / "config.v2.json").read_text())["Config"]["Labels"] or {}
        except (OSError, ValueError):
            return  # being made, or removed
        if labels.get("com.docker.stack.namespace") != "shop":
            return
        tags = {
            "service": labels["com.docker.swarm.service.name"], "task": labels["com.docker.swarm.task.name"],
            "node": labels["com.docker.swarm.node.id"], "host": host, "project": "shop", "id": directory.name[:12],
        }  # fmt: skip
        if directory.name not in self.tasks:
            log = directory / f"{directory.name}-json.log"
            if log.exists():
                self.tasks[directory.name] = (tags, open(log, "rb"))

    def deleted(self):
        """The tasks whose logs have no name any more."""
        return {ident: task for ident, task in self.tasks.items() if os.fstat(task[1].fileno()).st_nlink == 0}

    def check(self, tasks):
        """A Verifier that expects every line of these tasks, with the tags of its container."""
        found = Verifier()
        for tags, log in tasks.values():
            parts, lines = {}, []
            log.seek(0)
            for entry in parse_json_lines(log.read().split(b"\n")[:-1]):
                text = parts.pop(entry["stream"], "") + entry["log"]
                if text.endswith("\n"):
                    lines.append(text[:-1])
                else:
                    parts[entry["stream"]] = text
            assert lines, f"{tags['task']} wrote nothing"
            found.expect(tags["task"], tags=tags)
            found.expect_written(lines)
        return found


def collector_on(swarm, number, all=False):
    """The collector's container on a node."""
    node = swarm.nodes[number - 1]
    options = ["-a"] if all else []
    found = node.docker("ps", *options, "-q", "--no-trunc", "--filter", f"label=com.docker.swarm.service.name={COLLECTOR}")
    return found.stdout.split()


def inspect(swarm, number, ident):
    return json.loads(swarm.nodes[number - 1].docker("inspect", ident).stdout)[0]


def availability(swarm, node, what):
    swarm.docker("node", "update", "--availability", what, node)


def update_state(swarm, service):
    status = json.loads(swarm.docker("service", "inspect", service).stdout)[0].get("UpdateStatus") or {}
    return status.get("State")


def images_run(swarm, numbers=(1, 2)):
    return {inspect(swarm, n, ident)["Config"]["Image"] for n in numbers for ident in collector_on(swarm, n)}


@pytest.fixture(scope="module")
def loaded(swarm, image):
    """The image and another one, alike but for a label, on each node."""
    assert IMAGE == f"{image}:latest"
    run("docker", "build", "-t", ROLLED, "-", input=f"FROM {IMAGE}\nLABEL rolled=yes\n", env={**os.environ, "DOCKER_BUILDKIT": "0"})
    swarm.load(IMAGE, ROLLED)


@pytest.fixture
def broker(swarm, new_kafka):
    """One that is reached by TLS with a password alone where the collectors are."""
    kafka = new_kafka(tls_sasl=True, hosts=[swarm.BRIDGE_ADDRESS])
    swarm.docker("secret", "create", "sidetail-kafka-password", "-", input="sidetail-secret")
    swarm.docker("config", "create", "sidetail-kafka-ca", kafka.tls / "ca.pem")
    yield kafka
    swarm.docker("secret", "rm", "sidetail-kafka-password", check=False)
    swarm.docker("config", "rm", "sidetail-kafka-ca", check=False)


@pytest.fixture
def history(swarm):
    """Containers of ended tasks stay: what is on a drained node is still to be read."""
    swarm.docker("swarm", "update", "--task-history-limit", 50)
    yield
    availability(swarm, "node-3", "active")
    swarm.docker("swarm", "update", "--task-history-limit", 5)


def assert_confined(container):
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["CapAdd"] == ["CAP_DAC_READ_SEARCH"]
    assert host["Memory"] == 128 << 20 and host["PidsLimit"] == 64 and host["NanoCpus"] == 10**9
    assert container["Config"]["User"] == "65532:65532"
    assert host["LogConfig"]["Type"] == "local"
    assert all(mount["Type"] != "volume" for mount in container["Mounts"])


def kill_a_collector(swarm, number):
    (before,) = collector_on(swarm, number)
    os.kill(inspect_host_pid(swarm, number, before), 9)
    wait_until(lambda: (now := collector_on(swarm, number)) and now != [before], 30, "another collector", every=0.2)
    wait_ready(swarm, number)


def inspect_host_pid(swarm, number, ident):
    """The node's processes have a pid namespace of their own: by the cgroup, which names the container."""
    for status in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if ident in status.read_text():
                return int(status.parent.name)
        except OSError:
            continue  # ended while we look
    raise AssertionError(f"no process of container {ident}")


def what_collectors_said(swarm):
    nodes = enumerate(swarm.nodes, 1)
    said = [node.docker("logs", "--timestamps", "--tail", "20", ident, check=False).stderr
            for number, node in nodes for ident in collector_on(swarm, number, all=True)]  # fmt: skip
    return "\n".join(said)


def wait_ready(swarm, number):
    """Until the collector has its positions and has opened the logs: from then on they may be deleted."""
    (ident,) = collector_on(swarm, number)
    ready = lambda: swarm.nodes[number - 1].docker("exec", ident, "/sidetail", "health", "--ready", check=False)
    wait_until(lambda: ready().returncode == 0, 90,
               lambda: f"a collector that is ready on node {number}; what all say:\n{what_collectors_said(swarm)}", every=0.3)  # fmt: skip


def wait_update(swarm, state):
    wait_until(lambda: update_state(swarm, COLLECTOR) == state, 90,
               lambda: swarm.docker("service", "ps", "--no-trunc", COLLECTOR).stdout, every=0.3)  # fmt: skip


def assert_tail_shows_all_nodes(follow, broker, directory):
    """`sidetail tail --kafka` on any machine: what tasks on all three nodes write, as they write it, each task's in order."""
    kafka = {
        "brokers": broker.sasl_bootstrap, "topic": "logs.{service}", "tls": True, "tls_ca": str(broker.tls / "ca.pem"),
        "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "sidetail", "sasl_password": "sidetail-secret",
    }  # fmt: skip
    path = directory / "tail.json"
    path.write_text(json.dumps({"kafka": kafka}))
    tail = follow("--kafka", "-c", str(path), "--json", "-n", "10", "shop_web")
    records = lambda: list(parse_json_lines(tail.out.read_bytes().split(b"\n")[:-1]))
    shown = lambda count: min((sum(record["host"] == f"node-{node}" for record in records()) for node in (1, 2, 3)), default=0) >= count
    wait_until(lambda: shown(1000), 60, lambda: f"1000 lines of each node, among {len(records())}", every=0.3)
    tail.end()
    followed = {}
    for record in records():
        assert record["service"] == "shop_web"
        line = Line(record["log"])
        followed.setdefault((record["id"], line.stream), []).append(line.seq)
    for numbers in followed.values():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_stack(swarm, loaded, broker, history, follow, tmp_path):
    with (
        Stack(swarm, tmp_path, "logs", REPO / "deploy" / "stack.yaml", HASTE, SIDETAIL_IMAGE=IMAGE,
              KAFKA_BROKERS=broker.host_bootstrap),
        Stack(swarm, tmp_path, "shop", APP) as shop,
    ):  # fmt: skip
        truth = Truth(swarm)
        swarm.wait_running("shop_web", 3)
        swarm.wait_running(COLLECTOR, 3)
        for number in (1, 2, 3):
            assert_confined(inspect(swarm, number, *collector_on(swarm, number)))
        assert_tail_shows_all_nodes(follow, broker, tmp_path)

        swarm.docker("service", "scale", "--detach", "shop_web=6")
        swarm.wait_running("shop_web", 6)
        kill_a_collector(swarm, 2)
        for number in (1, 2, 3):
            wait_ready(swarm, number)
        truth.look()
        # The logs of three tasks are deleted, while collectors run, which have them open.
        swarm.docker("service", "scale", "--detach", "shop_web=3")
        wait_until(lambda: len(truth.deleted()) == 3, 60, "the logs of three tasks to be deleted", every=0.3)
        await_all(swarm, broker, truth, truth.deleted())

        availability(swarm, "node-3", "drain")
        wait_until(lambda: not collector_on(swarm, 3), 30, "the end of the collector on node-3", every=0.3)
        swarm.wait_running(COLLECTOR, 2)
        swarm.wait_running("shop_web", 3)
        swarm.wait_running("shop_worker", 2)
        truth.look()

        swarm.docker("service", "update", "--detach", "--no-resolve-image", "--image", ROLLED, COLLECTOR)
        wait_update(swarm, "completed")
        assert images_run(swarm) == {ROLLED}
        swarm.docker("service", "update", "--detach", "--rollback", COLLECTOR)
        wait_update(swarm, "rollback_completed")
        assert images_run(swarm) == {IMAGE}

        # One that cannot run is rolled back by the swarm itself.
        swarm.docker("service", "update", "--detach", "--no-resolve-image", "--env-add", "SIDETAIL_SINK=nowhere", COLLECTOR)
        wait_update(swarm, "rollback_completed")

        availability(swarm, "node-3", "active")  # what its tasks wrote last is collected now
        swarm.wait_running(COLLECTOR, 3)
        wait_ready(swarm, 3)
        truth.look()
        shop.remove()
        assert len(truth.tasks) >= 3 + 2 + 3 + 1, "nothing was scaled, or nothing drained"
        assert {tags["host"] for tags, _ in truth.tasks.values()} == {"node-1", "node-2", "node-3"}
        await_all(swarm, broker, truth, truth.tasks)
        assert not [topic for topic in broker.topics() if COLLECTOR in topic], "the collector collects itself"


def await_all(swarm, broker, truth, tasks):
    """Until a read_committed consumer has every line of these tasks; once, in order, of its service, task and node."""
    found = []
    ids = {ident[:12] for ident in tasks}

    def complete():
        found[:] = [truth.check(tasks)]
        records = parse_json_lines(message.value for message in broker.messages(r"logs\..*"))
        found[0].add_records(record for record in records if len(tasks) == len(truth.tasks) or record["id"] in ids)
        return found[0].complete()

    try:
        wait_until(complete, 120, every=0.5)
    except AssertionError:
        print(what_collectors_said(swarm))  # what is missing is told by the verifier
    for tags, _ in tasks.values():
        print(tags)  # shown when the test fails
    found[0].assert_exactly_once()
    print(f"{found[0].lines} lines of {len(tasks)} tasks")
