"""Containers on a real Docker Engine, by its command line client."""

import json
import os
import re
import uuid
from pathlib import Path

from . import logwriter
from .system import SETUP, STATE, run, wait_until

LABEL = "sidetail.test"  # on every container of a test run, to find and remove what a broken test left


class Container:
    def __init__(self, engine, ident):
        self.engine = engine
        self.id = ident

    def inspect(self):
        return json.loads(self.engine.docker("inspect", self.id).stdout)[0]

    @property
    def name(self):
        return self.inspect()["Name"].lstrip("/")

    @property
    def pid(self):
        return self.inspect()["State"]["Pid"]

    @property
    def running(self):
        return self.inspect()["State"]["Running"]

    @property
    def directory(self):
        """Where the engine keeps the container's log and metadata."""
        return self.engine.containers_dir / self.id

    @property
    def log_path(self):
        return Path(self.inspect()["LogPath"])

    def log_files(self):
        """The json-file driver's files, oldest first; those compressed end in .gz."""
        live = self.log_path
        rotated = [path for path in live.parent.glob(live.name + ".*") if not path.name.endswith(".tmp")]
        order = lambda path: int(path.name[len(live.name) + 1 :].split(".")[0])
        return sorted(rotated, key=order, reverse=True) + [live]

    def logs(self, *options):
        """What `docker logs` shows, stdout and stderr together, as bytes."""
        done = self.engine.docker("logs", *options, self.id, text=False)
        return done.stdout + done.stderr

    def wait(self, timeout=120):
        """Until it ends, and the Engine's list says so, which comes after it has cleaned up; gives back its exit code."""
        code = int(self.engine.docker("wait", self.id, timeout=timeout).stdout)
        listed = lambda: self.engine.docker("ps", "-q", "--filter", f"id={self.id}").stdout.strip()
        wait_until(lambda: not listed(), 20, "its end is in the list")
        return code

    def start(self):
        self.engine.docker("start", self.id)

    def stop(self, grace=10):
        self.engine.docker("stop", "-t", grace, self.id)

    def restart(self, grace=10):
        self.engine.docker("restart", "-t", grace, self.id)

    def kill(self, number="KILL"):
        self.engine.docker("kill", "-s", number, self.id)

    def remove(self):
        self.engine.docker("rm", "-f", "-v", self.id, check=False)

    def exec(self, *command, **options):
        return self.engine.docker("exec", self.id, *command, **options)


class Engine:
    """An engine; `host` is its socket's address, None for this machine's own."""

    def __init__(self, host=None):
        self.host = host
        self.session = uuid.uuid4().hex[:12]
        self._root = None

    def docker(self, *command, **options):
        environment = dict(os.environ)
        if self.host:
            environment["DOCKER_HOST"] = self.host
        return run("docker", *command, env=environment, **options)

    @property
    def root(self):
        if self._root is None:
            self._root = Path(self.docker("info", "-f", "{{.DockerRootDir}}").stdout.strip())
        return self._root

    @property
    def version(self):
        """As numbers: (26, 1, 5)."""
        said = self.docker("version", "-f", "{{.Server.Version}}").stdout
        return tuple(int(part) for part in re.match(r"[\d.]*\d", said)[0].split("."))

    @property
    def containers_dir(self):
        return self.root / "containers"

    def run(self, *command, image=logwriter.IMAGE, labels=None, log_driver=None, log_opts=None, options=(), **flags):
        """Starts a container in the background. flags: name="x", tty=True, memory="64m" become --name x, --tty, ..."""
        arguments = ["run", "-d", "--label", f"{LABEL}={self.session}"]
        for key, value in (labels or {}).items():
            arguments += ["--label", f"{key}={value}"]
        if log_driver:
            arguments += ["--log-driver", log_driver]
        for key, value in (log_opts or {}).items():
            arguments += ["--log-opt", f"{key}={value}"]
        arguments += logwriter.arguments(**flags)
        ident = self.docker(*arguments, *options, image, *command).stdout.strip()
        return Container(self, ident)

    def write(self, ident, image=logwriter.IMAGE, service=None, container=None, **writer):
        """Starts a container of the log writer which writes as `ident`; `container` holds what run() takes."""
        container = dict(container or {})
        labels = dict(container.pop("labels", {}))
        if service:
            labels["com.docker.compose.service"] = service
        return self.run(*logwriter.arguments(id=ident, **writer), image=image, labels=labels, **container)

    def remove_all(self):
        """Every container that this object's run() has started."""
        found = self.docker("ps", "-aq", "--filter", f"label={LABEL}={self.session}").stdout.split()
        if found:
            self.docker("rm", "-f", "-v", *found, check=False)


def answers(host=None):
    environment = dict(os.environ)
    if host:
        environment["DOCKER_HOST"] = host
    return run("docker", "version", env=environment, check=False).returncode == 0


def start():
    """The engine of this machine, started when there is none, with the test images; an AssertionError when it cannot be."""
    run(SETUP / "engine.sh", "start", timeout=300)
    return Engine()


class Swarm:
    """Three engines joined; nodes[0] is the manager."""

    BRIDGE_ADDRESS = "10.213.0.1"

    def __init__(self):
        # One that is up already is somebody's, who will want it afterwards.
        self.mine = run(SETUP / "swarm.sh", "status", check=False).returncode != 0
        run(SETUP / "swarm.sh", "up", timeout=300)
        self.nodes = [Engine(f"unix://{STATE}/swarm/node{number}.sock") for number in (1, 2, 3)]
        self.manager = self.nodes[0]

    def load(self, *images):
        run(SETUP / "swarm.sh", "load", *images, timeout=300)

    def docker(self, *command, **options):
        return self.manager.docker(*command, **options)

    def tasks(self, service):
        """The running tasks of a service: dicts with ID, Name, Node."""
        done = self.docker(
            "service", "ps", "--no-trunc", "--filter", "desired-state=running", "--format", "{{json .}}", service
        )
        tasks = [json.loads(line) for line in done.stdout.splitlines()]
        return [task for task in tasks if task["CurrentState"].startswith("Running")]

    def wait_running(self, service, count, timeout=60):
        return wait_until(
            lambda: (found := self.tasks(service)) and len(found) == count and found,
            timeout,
            lambda: f"{count} tasks of {service}:\n" + self.docker("service", "ps", "--no-trunc", service).stdout,
            every=0.3,
        )

    def down(self):
        if self.mine:
            run(SETUP / "swarm.sh", "down", timeout=120)
