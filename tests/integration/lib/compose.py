"""The commands of Compose that this machine has."""

import functools
import shutil

from .system import run


@functools.cache
def commands():
    """The plugin `docker compose`, and docker-compose 1.29 as Debian 12 packages it: those that are there, the plugin first."""
    plugin = shutil.which("docker") and run("docker", "compose", "version", check=False).returncode == 0
    old = shutil.which("docker-compose") and "version 1." in run("docker-compose", "version", check=False).stdout
    return (["docker compose"] if plugin else []) + (["docker-compose"] if old else [])
