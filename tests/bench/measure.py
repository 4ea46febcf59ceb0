"""What several benches measure of a process, of the Engine, and of sidetail."""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path


def cpu_of(pid):
    """CPU seconds that the process has used."""
    with open(f"/proc/{pid}/stat") as text:
        fields = text.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_ns(pid):
    """Nanoseconds that all threads of the process have run, by the scheduler's own account."""
    return sum(int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0]) for task in os.listdir(f"/proc/{pid}/task"))


def memory(pid, field):
    """MiB."""
    return next(int(line.split()[1]) / 1024 for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(field))


def collector(binary, settings):
    """The command of sidetail with these settings, SIDETAIL_… each, and no others."""
    return ["env", "-i", *(f"{key}={value}" for key, value in settings.items()), binary, "run"]


def dockerd_cpu():
    """CPU seconds that the Engine has used; 0 where it is not a process of this machine."""
    total = 0
    for pid in subprocess.run(["pidof", "dockerd"], capture_output=True, text=True).stdout.split():
        try:
            total += cpu_of(pid)
        except OSError:
            pass
    return total


def docker(*command):
    return subprocess.run(["docker", *command], check=True, capture_output=True, text=True).stdout.strip()


def remove_all(label):
    """All containers with that label."""
    found = docker("ps", "-aq", "--filter", f"label={label}").split()
    if found:
        docker("rm", "-f", "-v", *found)


def need_engine():
    """Ends the bench with a word where there is no Engine, or not the image that writes lines."""
    if not shutil.which("docker") or subprocess.run(["docker", "image", "inspect", "sidetail-test/app"], capture_output=True).returncode != 0:
        sys.exit("there is no Engine with the image sidetail-test/app: tests/setup/engine.sh start")


def metric(port, name):
    """The sum of a metric's series, of the sidetail whose metrics are served at this port; -1 where nobody answers."""
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    except OSError:
        return -1
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}[ {{]", line))


def lines_out(port):
    """Lines that it has shipped."""
    return metric(port, "sidetail_lines_out_total")
