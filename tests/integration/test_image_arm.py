"""The image for 64-bit Arm, cross-compiled here. What runs in it is emulated, by a program that is mounted into it: nothing is
registered with the kernel. Run by the stage `image-arm`."""

import shutil
import struct

import pytest
from lib import image as images
from lib.image import CAPABILITY, Collector
from lib.system import run, unavailable

# The first of them builds the image.
pytestmark = [pytest.mark.image, pytest.mark.arm, pytest.mark.timeout(1500)]

EM_AARCH64 = 183  # e_machine, elf.h


@pytest.fixture(scope="module")
def arm_image(session_engine):
    if images.builder()[1] == "0":
        unavailable("the legacy builder builds for its own machine alone: tests/setup/install.sh engine")
    name = images.build(f"{images.NAME}-arm64", platform="linux/arm64")
    yield name
    run("docker", "image", "rm", "-f", name)


@pytest.fixture(scope="module")
def emulated():
    """Options of `docker run` with which the command is run by the emulator."""
    # Debian 13 has the same program by the shorter name.
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if not emulator:
        unavailable("qemu-user is missing: tests/setup/install.sh arm")
    return ("--platform", "linux/arm64", "--network", "none", "-v", f"{emulator}:/qemu:ro", "--entrypoint", "/qemu")


def test_all_of_it_is_for_arm(arm_image):
    assert images.inspect(arm_image)["Architecture"] == "arm64"
    inside = images.contents(arm_image)
    machines = {path: struct.unpack_from("<H", content, 18)[0] for path, (_, content) in inside.items() if content[:4] == b"\x7fELF"}
    assert "/sidetail" in machines and set(machines.values()) == {EM_AARCH64}, machines
    assert images.size(arm_image) <= images.SIZE_MAX
    assert images.capability(inside["/sidetail"]) == images.READ_SEARCH


def test_holds_the_binary_and_its_libraries_alone(arm_image, emulated):
    images.verify_files(arm_image, run("docker", "run", "--rm", *emulated, arm_image, "/lib/ld-linux-aarch64.so.1", "--list", "/sidetail").stdout)


def test_collects(engine, arm_image, emulated):
    """As root, because an emulated program does not get the capability of its file."""
    version = run("docker", "run", "--rm", *emulated, arm_image, "/sidetail", "--version").stdout
    assert version == f"sidetail {images.inspect(arm_image)['Config']['Labels']['org.opencontainers.image.version']}\n"
    collector = Collector(engine, arm_image, "--read-only", "--user", "0:0", *CAPABILITY, *emulated, command=("/sidetail", "run"))
    engine.write("w", count=1000, service="web", container={"options": ("--network", "none")}).wait()
    images.verify(collector.records, {"w": {"total": 1000, "tags": {"service": "web"}}})
    collector.container.stop()
    assert collector.container.inspect()["State"]["ExitCode"] == 0
