"""`sidetail tail` as it follows containers of a test's own."""

import os
import re
import signal
import subprocess
import uuid

from .system import BINARY


class Follower:
    """`sidetail tail` at work; what it wrote up to now is in .lines()."""

    def __init__(self, directory, *arguments, host=None):
        env = {key: value for key, value in os.environ.items() if not key.startswith(("SIDETAIL_", "DOCKER_"))}
        env.update({"DOCKER_HOST": host} if host else {})
        self.out = directory / uuid.uuid4().hex
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen([BINARY, "tail", *arguments], stdout=out, stderr=subprocess.PIPE, env=env)

    def lines(self):
        return self.out.read_text().splitlines()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate(timeout=10)[1]
        assert self.process.returncode == -signal.SIGINT, said
        return said

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def shell(engine, service, command, project, options=(), **more):
    labels = {"com.docker.compose.project": project, "com.docker.compose.service": service}
    return engine.run("sh", "-c", command, image="debian:bookworm-slim", labels=labels,
                      options=("--network", "none", *options), **more)  # fmt: skip


def texts(follower, service="web"):
    return [line.split("| ", 1)[1] for line in follower.lines() if re.match(rf"{service}\S* +\| ", line)]
