"""How compose is called here."""

import functools
import shutil

from .system import run


@functools.cache
def commands():
    """The plugin `docker compose` where the client has it, and docker-compose 1.29, which is another program. A
    docker-compose of a later version is the plugin itself."""
    found = []
    if shutil.which("docker") and run("docker", "compose", "version", check=False).returncode == 0:
        found.append("docker compose")
    if shutil.which("docker-compose"):
        version = run("docker-compose", "version", "--short", check=False).stdout
        if version.startswith("1.") or not found:
            found.append("docker-compose")
    return found
