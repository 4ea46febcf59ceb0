"""Podman's service with a storage of its own, and containers on it. They are run by podman's command line client, which
takes the words that docker's takes."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import logwriter
from .engine import Engine
from .system import run, wait_until

# Containers get the limits that any root may set, no network, and no cgroup manager that asks systemd.
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""

STORAGE_CONF = """
[storage]
driver = "vfs"
graphroot = "{root}/graph"
runroot = "{root}/run"
"""


class Podman(Engine):
    """Started in a directory with a short path, since sockets lie in it; loaded with the log writer's image."""

    def __init__(self, source):
        """`source` is the Engine that has the image."""
        self.directory = Path(tempfile.mkdtemp(prefix="sidetail-podman-", dir="/tmp"))
        super().__init__(f"unix://{self.directory}/podman.sock")
        (self.directory / "containers.conf").write_text(CONTAINERS_CONF)
        (self.directory / "storage.conf").write_text(STORAGE_CONF.format(root=self.directory))
        self.environment = {
            **os.environ,
            "CONTAINERS_CONF": str(self.directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
        }
        self.log = open(self.directory / "service.log", "wb")
        self.service = None
        try:
            self._load(source)
            self.service = subprocess.Popen(
                self._command("system", "service", "--time", "0", self.host),
                env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            )  # fmt: skip
            wait_until((self.directory / "podman.sock").exists, 20, self._said)
        except BaseException:
            self.close()
            raise

    def _said(self):
        return "podman's service: " + (self.directory / "service.log").read_text(errors="replace")

    def _command(self, *command):
        return ["podman", "--tmpdir", str(self.directory / "tmp"), *map(str, command)]

    def _load(self, source):
        archive = self.directory / "image.tar"
        source.docker("save", "-o", archive, logwriter.IMAGE)
        self.docker("load", "-i", archive)
        archive.unlink()

    def docker(self, *command, **options):
        return run(*self._command(*command), env=self.environment, **options)

    @property
    def logs_pattern(self):
        """Where the logs of driver k8s-file are, as files.include has it."""
        return f"{self.directory}/graph/vfs-containers/{{container}}/userdata/ctr.log"

    def remove_all(self):
        """Every container. One without a handler for SIGTERM is not waited for."""
        self.docker("rm", "-f", "-a", "-t", 0, check=False)

    def close(self):
        self.remove_all()
        if self.service:
            self.service.terminate()
            try:
                self.service.wait(20)
            except subprocess.TimeoutExpired:
                self.service.kill()
                self.service.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
