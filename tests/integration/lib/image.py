"""The image that the Dockerfile gives, and a collector running in it."""

import fcntl
import functools
import json
import os
import re
import shutil
import struct
import tarfile
import tempfile

from .engine import LABEL
from .system import REPO, SETUP, STATE, run, wait_until
from .verify import Verifier, parse_json_lines

NAME = "sidetail-test/sidetail"
RELEASE = "trixie"  # the Debian that images are built from, unless another one is named
USER = 65532
READ_SEARCH = 1 << 2  # CAP_DAC_READ_SEARCH, linux/capability.h
CAPABILITY = ("--cap-drop", "ALL", "--cap-add", "DAC_READ_SEARCH")
SIZE_MAX = 20_000_000
# Beside the binary and its libraries: what TLS, names and `docker inspect` of the user need.
BESIDE = {"/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt", "/usr/lib/ssl/cert.pem"}
HARDENED = ("--read-only", "--memory", "32m", "--memory-swap", "32m", "--network", "none")


@functools.cache
def builder():
    """(client, DOCKER_BUILDKIT): BuildKit where there is a client for it, by its plugin or, as Debian 12's, without one. The
    legacy builder takes minutes more: it runs the stage `test` on the way to what is behind it."""
    for client in filter(shutil.which, ("docker", "/usr/bin/docker")):
        version = run(client, "version", "--format", "{{.Client.Version}}", check=False).stdout
        if run(client, "buildx", "version", check=False).returncode == 0 or version.startswith(("19.", "20.")):
            return client, "1"
    return "docker", "0"


def builder_checks():
    """Whether it can check a Dockerfile without building it, as buildx can from 0.15 on."""
    client, _ = builder()
    return "--check" in run(client, "buildx", "build", "--help", check=False).stdout


def build(name=NAME, folder=REPO, target=None, release=None, platform=None):
    """Builds the folder's Dockerfile on this machine's Engine. Gives back the image's name."""
    client, buildkit = builder()
    options = ["--network", "host", "--tag", name]
    options += ["--target", target] if target else []
    options += ["--platform", platform] if platform else []
    options += ["--build-arg", f"BUILD_BASE=debian:{release}-slim"] if release else []
    with open(STATE / "build.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second process finds what the first has built
        run(SETUP / "engine.sh", "base", release or RELEASE, timeout=600)
        run(client, "build", *options, folder, env={**os.environ, "DOCKER_BUILDKIT": buildkit}, timeout=1200)
    return name


def inspect(name):
    return json.loads(run("docker", "image", "inspect", name).stdout)[0]


def contents(name):
    """{path: (its TarInfo, its bytes)} of what is in the image's layers, as `docker save` gives them."""
    found = {}
    name = name if ":" in name else f"{name}:latest"  # else all of its tags are saved
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        run("docker", "save", "-o", file.name, name)
        with tarfile.open(file.name) as saved:
            (manifest,) = json.load(saved.extractfile("manifest.json"))
            for layer in manifest["Layers"]:
                # Compressed or not, as the Engine's store keeps it.
                with tarfile.open(fileobj=saved.extractfile(layer)) as members:
                    for about in members:
                        content = members.extractfile(about).read() if about.isreg() else b""
                        found[os.path.normpath("/" + about.name)] = (about, content)
    return found


def size(name):
    """Bytes of its files. What the Engine says is more where its store keeps layers compressed beside them."""
    return sum(len(content) for _, content in contents(name).values())


def capability(member):
    """The capabilities that one of contents() has permitted, and nothing else; 0 where it has none."""
    about, _ = member
    # As tar keeps an attribute: bytes that are no UTF-8 come as surrogates.
    raw = about.pax_headers.get("SCHILY.xattr.security.capability", "").encode("utf-8", "surrogateescape")
    if not raw:
        return 0
    # struct vfs_cap_data, revision 2: magic and flags (the lowest bit: effective), then permitted and inheritable
    magic, permitted, *others = struct.unpack("<5I", raw)
    assert magic == 0x02000000 and not any(others), raw
    return permitted


def verify_files(name, listed):
    """`listed` is what the image's own loader says of /sidetail (--list): nothing is missing, and nothing is there that is
    not loaded."""
    inside = contents(name)
    files = {path for path, (about, _) in inside.items() if not about.isdir()}
    binaries = {path for path, (_, content) in inside.items() if content[:4] == b"\x7fELF"}
    assert "not found" not in listed
    assert binaries == {"/sidetail", *re.findall(r"/\S+", listed)}
    assert files - binaries == BESIDE
    assert inside["/var/lib/sidetail"][0].uid == USER


class Collector:
    """sidetail in a container, collecting what `engine`'s own containers write."""

    def __init__(self, engine, image, *options, env=None, command=(), volumes=True):
        settings = {"SIDETAIL_INCLUDE_LABELS": f"{LABEL}={engine.session}", **(env or {})}
        arguments = []
        if volumes:
            arguments += ["-v", f"{engine.containers_dir}:/var/lib/docker/containers:ro"]
        for key, value in settings.items():
            arguments += ["-e", f"{key}={value}"]
        self.engine = engine
        self.container = engine.run(*command, image=image, options=[*arguments, *options])

    def lines(self):
        return self.engine.docker("logs", self.container.id, text=False).stdout.split(b"\n")[:-1]

    def records(self):
        return parse_json_lines(self.lines())

    def said(self):
        """Its own log."""
        return self.engine.docker("logs", self.container.id).stderr

    def wait_said(self, pattern, timeout=15):
        return wait_until(lambda: re.search(pattern, self.said()), timeout, lambda: f"{pattern!r} in:\n{self.said()}", every=0.1)

    def status(self, field):
        with open(f"/proc/{self.container.pid}/status") as status:
            return re.search(rf"^{field}:\s+(\S.*)$", status.read(), re.M).group(1)

    def capabilities(self):
        """Permitted, effective, and what it could ever have."""
        return tuple(int(self.status(name), 16) for name in ("CapPrm", "CapEff", "CapBnd"))


def verify(read, expected, timeout=60):
    """Waits until all that is expected (writer → what Verifier.expect takes) is in what read() gives, and proves it exact."""
    check = None

    def complete():
        nonlocal check
        check = Verifier()
        for writer, what in expected.items():
            check.expect(writer, **what)
        check.add_records(read())
        return check.complete()

    try:
        wait_until(complete, timeout, every=0.3)
    except AssertionError:
        pass  # what is missing is told by the verifier
    check.assert_exactly_once()
