"""An Engine of a test's own, which it may stop, kill and freeze; reachable over a unix socket and TCP with TLS."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from .engine import Engine, answers
from .logwriter import IMAGE
from .system import free_port, run, unavailable, wait_until

# Its containers have no network, for that would need rules of this machine's firewall. It must have a bridge of its own all
# the same: with --bridge=none it would remove docker0, which is that of the machine's Engine.
QUIET = ["--iptables=false", "--ip-forward=false", "--ip-masq=false"]

# A journald beside it, both in a mount namespace where /run holds their sockets and journal, not this machine's.
JOURNALD = "/lib/systemd/systemd-journald"
WITH_JOURNAL = f"""
mount --make-rprivate /
for place in /run/systemd /run/log; do mkdir -p $place && mount -t tmpfs tmpfs $place || exit; done
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
printf '[Journal]\\nRateLimitIntervalSec=0\\nReadKMsg=no\\nRuntimeMaxUse=200M\\n' >/run/systemd/journald.conf.d/test.conf
{JOURNALD} &
echo $! >"$0"
exec "$@"
"""


class Dockerd(Engine):
    """Containers of it run with --network none."""

    def __init__(self, directory, tls=None, options=(), env=None, journal=False):
        # Short paths: a socket's path has 107 bytes at most.
        self.dir = Path(tempfile.mkdtemp(prefix="sidetail-dockerd-", dir="/var/tmp"))
        self.socket = self.dir / "docker.sock"
        self.tls_port = free_port()
        self.options = list(options)
        self.env = env or {}
        self.tls = tls
        self.journal = journal
        if journal and not (os.path.exists(JOURNALD) and os.path.exists("/etc/machine-id")):
            unavailable("no systemd-journald: tests/setup/install.sh test")
        self.log = Path(directory) / "dockerd.log"
        self.process = None
        self.bridge = f"st{os.getpid() % 100000}-{self.tls_port}"[:15]
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "addr", "add", f"10.254.{self.tls_port % 250}.1/24", "dev", self.bridge)
        super().__init__(f"unix://{self.socket}")
        self.start()
        self._load_image()

    def _command(self):
        command = ["dockerd", "--data-root", self.dir / "data", "--exec-root", self.dir / "exec",
                   "--pidfile", self.dir / "pid", "-H", self.host, f"--bridge={self.bridge}", *QUIET, *self.options]  # fmt: skip
        if self.tls:
            command += ["-H", f"tcp://127.0.0.1:{self.tls_port}", "--tlsverify", "--tlscacert", self.tls / "ca.pem",
                        "--tlscert", self.tls / "server-cert.pem", "--tlskey", self.tls / "server-key.pem"]  # fmt: skip
        if self.journal:
            command = ["unshare", "--mount", "sh", "-c", WITH_JOURNAL, self.dir / "journald.pid", *command]
        return [str(part) for part in command]

    def start(self):
        # After a kill -9 both are stale; a dead containerd that nobody reaps yet looks alive to dockerd.
        for stale in ("pid", "exec/containerd/containerd.pid"):
            (self.dir / stale).unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env={**os.environ, **self.env})  # fmt: skip
        try:
            wait_until(lambda: answers(self.host), 60, lambda: self.log.read_text()[-3000:], every=0.1)
        except AssertionError as fault:
            self.close()
            unavailable(f"no second dockerd: {fault}")

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        self.send(number)
        self.process.wait(60)

    def _load_image(self):
        image = subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE)
        self.docker("load", stdin=image.stdout)
        image.stdout.close()
        assert image.wait() == 0

    def write(self, ident, **writer):
        container = dict(writer.pop("container", None) or {})
        container["options"] = [*container.get("options", ()), "--network", "none"]
        return super().write(ident, container=container, **writer)

    def close(self):
        """Ends it with all its containers, and removes what it left."""
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            if answers(self.host):
                self.remove_all()
            self.stop()
        self._end_containerd()
        self._end_journald()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if str(self.dir) in line]
        for mount in sorted(mounts, reverse=True):
            run("umount", "-l", mount, check=False)
        run("rm", "-rf", self.dir, check=False)
        run("ip", "link", "delete", self.bridge, check=False)

    def _end_containerd(self):
        """A killed dockerd leaves its containerd, and that the containers."""
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                command = (proc / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(self.dir).encode() in b" ".join(command) and b"python" not in command[0]:
                try:
                    os.kill(int(proc.name), signal.SIGKILL)
                except OSError:
                    pass

    def _end_journald(self):
        if self.journal:
            try:
                os.kill(int((self.dir / "journald.pid").read_text()), signal.SIGKILL)
            except (OSError, ValueError):
                pass


def certificates(directory, names="IP:127.0.0.1,DNS:localhost"):
    """ca.pem, server-cert.pem/-key.pem for a server of these names, and client/ as DOCKER_CERT_PATH wants it."""
    openssl = lambda *arguments: run("openssl", *arguments, cwd=directory)
    client = directory / "client"
    client.mkdir(parents=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority",
            "-keyout", "ca-key.pem", "-out", "ca.pem")  # fmt: skip
    for name, usage, extension in (("server", "serverAuth", f"subjectAltName={names}"), ("client/", "clientAuth", "")):
        stem = name if name.endswith("/") else name + "-"
        (directory / "ext").write_text(f"extendedKeyUsage={usage}\n{extension}\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={usage}", "-keyout", f"{stem}key.pem", "-out", "csr")
        openssl("x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2",
                "-extfile", "ext", "-out", f"{stem}cert.pem")  # fmt: skip
    (client / "ca.pem").write_bytes((directory / "ca.pem").read_bytes())
    return directory
