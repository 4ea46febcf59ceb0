"""The docker client's contexts, as `docker context create` writes them down, say where the Engine is."""

import os
import subprocess

import pytest
from lib.dockerd import Dockerd, certificates
from lib.system import BINARY, run

SOCKET = "/var/run/docker.sock"


class Contexts:
    """The docker client's configuration in a directory of the test's own."""

    def __init__(self, directory):
        directory.mkdir()
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("SIDETAIL_", "DOCKER_"))}
        self.env["DOCKER_CONFIG"] = str(directory)

    def docker(self, *command):
        return run("docker", "context", *command, env=self.env)

    def tail(self, *arguments, **more):
        return subprocess.run([BINARY, "tail", "--no-follow", *arguments], capture_output=True, text=True, timeout=30,
                              env={**self.env, **more})  # fmt: skip


@pytest.fixture
def contexts(tmp_path):
    return Contexts(tmp_path / "docker")


def test_which_one_counts(engine, contexts, tmp_path):
    """DOCKER_HOST beats DOCKER_CONTEXT, which beats the current context; "default" is the default socket."""
    web = engine.run("echo", "hello", image="debian:bookworm-slim")
    web.wait()
    here, nowhere = tmp_path / "here.sock", tmp_path / "nowhere.sock"
    here.symlink_to(SOCKET)
    contexts.docker("create", "here", "--docker", f"host=unix://{here}")
    contexts.docker("create", "nowhere", "--docker", f"host=unix://{nowhere}")
    for current, variables, found in (
        ("nowhere", {}, False),
        ("here", {}, True),
        ("here", {"DOCKER_CONTEXT": "nowhere"}, False),
        ("nowhere", {"DOCKER_CONTEXT": "here"}, True),
        ("nowhere", {"DOCKER_CONTEXT": "default"}, True),
        ("default", {}, True),
        ("nowhere", {"DOCKER_HOST": f"unix://{here}"}, True),
        ("here", {"DOCKER_CONTEXT": "here", "DOCKER_HOST": f"unix://{nowhere}"}, False),
        ("nowhere", {"SIDETAIL_DOCKER_HOST": f"unix://{here}"}, True),
    ):
        contexts.docker("use", current)
        done = contexts.tail(web.id, **variables)
        if found:
            assert done.returncode == 0 and done.stdout.endswith("| hello\n"), (current, variables, done)
        else:  # and the files are not read in its place, though we may
            assert done.returncode == 1 and done.stdout == "", (current, variables, done)
            assert f"there is no Engine socket {nowhere}" in done.stderr


def test_one_that_cannot_be_used(contexts):
    contexts.docker("create", "over-ssh", "--docker", "host=ssh://me@prod")
    contexts.docker("use", "over-ssh")
    for variables, said in (
        ({}, 'the docker context "over-ssh" cannot be used: the Engine\'s address \'ssh://***@prod\' is reached over ssh'),
        ({"DOCKER_CONTEXT": "gone"}, 'there is no docker context "gone", which DOCKER_CONTEXT names: docker context ls'),
    ):
        done = contexts.tail(**variables)
        assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
        assert said in done.stderr and "DOCKER_HOST" in done.stderr


def test_tls(session_engine, contexts, tmp_path, sidetail):
    """The context's certificates; an Engine of another name only where the context says not to check it."""
    tls = certificates(tmp_path / "tls", names="DNS:elsewhere.example")
    own = Dockerd(tmp_path, tls=tls)
    try:
        own.write("web", count=5).wait()
        files = ",".join(f"{name}={tls}/client/{name}.pem" for name in ("ca", "cert", "key"))
        host = f"host=tcp://127.0.0.1:{own.tls_port},{files}"
        contexts.docker("create", "checked", "--docker", host)
        contexts.docker("create", "unchecked", "--docker", f"{host},skip-tls-verify=true")
        done = contexts.tail("--all", DOCKER_CONTEXT="checked", DOCKER_TLS_VERIFY="")
        assert done.returncode == 1 and "is not trusted: IP address mismatch" in done.stderr
        done = contexts.tail("--all", DOCKER_CONTEXT="unchecked", DOCKER_CERT_PATH="/nowhere")
        assert done.returncode == 0 and done.stdout.count("\n") == 5, done
        s = sidetail({"source": "docker-api"}, env={"DOCKER_CONFIG": contexts.env["DOCKER_CONFIG"], "DOCKER_CONTEXT": "unchecked"})
        s.start()
        s.wait_lines(5)
        s.stop_cleanly()
    finally:
        own.close()
