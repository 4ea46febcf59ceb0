#!/usr/bin/python3
"""What `make bench` prints of `sidetail tail`: how soon its first line is there with 50 containers, and whether it keeps up
with `docker logs -f` on one container that writes 50 MB a second, both followed side by side.

usage: tail.py BUILD [SECONDS]. Needs a Docker Engine with the image sidetail-test/app (tests/setup/engine.sh start)."""
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

from measure import docker, dockerd_cpu, need_engine, remove_all

SIDETAIL = os.path.abspath(f"{sys.argv[1]}/sidetail")
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 10
PROJECT = f"bench-{os.getpid()}"
LABEL = f"com.docker.compose.project={PROJECT}"
RATE, PAYLOAD = 200_000, 200  # lines a second and bytes of text: 50 MB/s with each line's head and newline
CONTAINERS = 50


def run(service, *writer):
    return docker("run", "-d", "--network", "none", "--label", LABEL,
                  "--label", f"com.docker.compose.service={service}", "sidetail-test/app", *map(str, writer))


def first_line():
    for number in range(CONTAINERS):
        run(f"s{number}", "--id", f"s{number}", "--count", 100, "--linger", 3600)
    time.sleep(1)
    commands = {
        "sidetail tail": [SIDETAIL, "tail", "--project", PROJECT],
        "docker logs -f of one": ["docker", "logs", "-f", docker("ps", "-q", "--filter", f"label={LABEL}").split()[0]],
    }
    print(f"start -> first line, {CONTAINERS} containers with 100 lines each, all of them merged, 11 starts:")
    for name, command in commands.items():
        spans = []
        for _ in range(11):
            began = time.monotonic()
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            process.stdout.readline()
            spans.append(time.monotonic() - began)
            process.terminate()
            process.stdout.close()
            process.wait()
        print(f"  {name:22} median {statistics.median(spans) * 1e3:.0f} ms, worst {max(spans) * 1e3:.0f} ms")
    remove_all(LABEL)


class Follower(threading.Thread):
    """A command that follows the container, and who reads it: lines received, and when the last one was."""

    def __init__(self, command):
        super().__init__()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines, self.at = 0, 0.0
        self.start()

    def run(self):
        while chunk := os.read(self.process.stdout.fileno(), 1 << 20):
            self.lines += chunk.count(b"\n")
            self.at = time.monotonic()

    def end(self):
        self.process.terminate()
        usage = os.wait4(self.process.pid, 0)[2]
        self.process.returncode = 0
        self.join()
        return usage.ru_utime + usage.ru_stime


def follow(names):
    """Follows a fresh writer with the named commands at once: for each the most lines behind, the seconds to the last line
    after the writer's end, and its CPU seconds; and the Engine's."""
    count = RATE * SECONDS
    engine = dockerd_cpu()
    ident = run("loud", "--id", "loud", "--rate", RATE, "--buffer", 65536, "--length", PAYLOAD, "--count", count,
                "--delay", 2, "--linger", 600)
    commands = {"sidetail tail": [SIDETAIL, "tail", "--color=always", ident], "docker logs -f": ["docker", "logs", "-f", ident]}
    followers = {name: Follower(commands[name]) for name in names}
    while not any(f.lines for f in followers.values()):
        time.sleep(0.001)
    began = time.monotonic()
    behind = dict.fromkeys(names, 0)
    apart = [0]  # lines that the second of the two was behind the first
    while any(f.lines < count for f in followers.values()) and time.monotonic() - began < SECONDS * 20:
        written = min(count, int((time.monotonic() - began) * RATE))
        for name, f in followers.items():
            behind[name] = max(behind[name], written - f.lines)
        apart.append(followers[names[0]].lines - followers[names[-1]].lines)
        time.sleep(0.01)
    result = {name: (behind[name], f.at - began - SECONDS, f.lines == count, f.end()) for name, f in followers.items()}
    result["apart"] = apart
    result["engine"] = dockerd_cpu() - engine
    remove_all(LABEL)
    return result


def print_follow(title, result):
    apart = [lines / RATE for lines in result.pop("apart")]
    print(f"  {title} (the Engine: {result.pop('engine'):.2f} s CPU):")
    for name, (behind, late, whole, cpu) in result.items():
        print(f"    {name:15} {'all lines' if whole else 'LINES MISSING'}, last one {late:+6.2f} s after it was due,"
              f" at most {behind / RATE:5.2f} s behind, {cpu:5.2f} s CPU")
    if len(result) > 1:
        print(f"    {' to '.join(reversed(result))}: from {max(apart):.2f} s behind to {max(-min(apart), 0):.2f} s ahead,"
              f" on average {statistics.mean(apart):+.2f} s behind")


def throughput():
    print(f"one container that writes {RATE * 250 / 1e6:.0f} MB/s for {SECONDS} s, followed:")
    for names in (["docker logs -f"], ["sidetail tail"], ["docker logs -f", "sidetail tail"]):
        print_follow("alone" if len(names) == 1 else "both at once", follow(names))


need_engine()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is removed
try:
    first_line()
    throughput()
finally:
    remove_all(LABEL)
