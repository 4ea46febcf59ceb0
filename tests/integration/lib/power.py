"""A disk whose power can be cut: a file system in an image file, which is shut down at an instant of the test's choice."""

import ctypes
import os
import subprocess
import time

CLONE_NEWNS = 0x00020000

MAKE = {
    "ext4": (64, ["mkfs.ext4", "-q", "-F"]),
    "xfs": (300, ["mkfs.xfs", "-q", "-f"]),  # mkfs.xfs takes no smaller one
}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"


def own_mounts():
    """What this process and those that it starts mount from now on is seen by no other. Whoever makes a namespace of its
    own (an Engine, a container) takes a copy of each mount along, and a disk that is mounted there comes back as it was:
    without power."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
    run("mount", "--make-rslave", "/")


class Disk:
    """Mounted at `path` between mount() and unmount()."""

    def __init__(self, directory, kind):
        self.path = directory / "disk"
        self.path.mkdir()
        self.image = directory / "disk.img"
        self.mounted = False
        megabytes, make = MAKE[kind]
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        run(*make, self.image)

    def mount(self):
        run("mount", "-o", "loop", self.image, self.path)
        self.mounted = True

    def cut_power(self):
        """From now on nothing reaches the image, neither data nor what the journal holds in memory."""
        run("xfs_io", "-x", "-c", "shutdown", self.path)

    def unmount(self):
        """Nobody may have a file of it open; the kernel lets go of those of a killed process in its own time."""
        until = time.monotonic() + 10
        while subprocess.run(["umount", str(self.path)], capture_output=True).returncode != 0:
            assert time.monotonic() < until, f"{self.path} is still in use"
            time.sleep(0.01)
        self.mounted = False

    def close(self):
        if self.mounted:
            self.unmount()
        self.image.unlink()
