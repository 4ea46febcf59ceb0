#!/usr/bin/python3
"""What `make bench-others` prints: sidetail beside the collectors that are installed here, on the same lines in the same run.

Each follows one json-file log and writes the lines as JSON to a file, set up as its manual has it for that. First the cost
of a log that is there already; then what becomes of lines when the collector is killed while they are written.
usage: others.py BUILD [LINES]"""
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import collector, cpu_of, memory
from rivals import PROGRAMS, TO_FILE, installed, version

BUILD = Path(sys.argv[1]).resolve()
LINES = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
KILLS = 20
NUMBER = re.compile(rb"line (\d+) of")


def sidetail(work, log, out, careful=False):
    return collector(BUILD / "sidetail", {
        "SIDETAIL_JSON_FILE_PATH": log.parents[1], "SIDETAIL_CHECKPOINT_PATH": work / "checkpoint", "SIDETAIL_SINK": "file",
        "SIDETAIL_FILE_PATH": out, "SIDETAIL_METRICS_LISTEN": "", "SIDETAIL_LOG_LEVEL": "error"})  # fmt: skip


def container(root):
    name = "0" * 63 + "1"
    (root / name).mkdir(parents=True)
    labels = {"com.docker.compose.service": "web", "com.docker.compose.project": "shop"}
    config = {"ID": name, "Name": "/shop_web_1", "Config": {"Image": "shop", "Labels": labels}}
    (root / name / "config.v2.json").write_text(json.dumps(config))
    return root / name / f"{name}-json.log"


def start(set_up, work, log, out, careful=False):
    return subprocess.Popen(set_up(work, log, out, careful), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def settled(out, quiet):
    """Waits until the output has not grown for so many seconds; returns the seconds until it stopped growing."""
    began = last_growth = time.monotonic()
    size = 0
    while time.monotonic() - last_growth < quiet or size == 0:
        time.sleep(0.05)
        now = out.stat().st_size if out.exists() else 0
        if now != size:
            size, last_growth = now, time.monotonic()
    return last_growth - began


def count_lines(path):
    with open(path, "rb") as text:
        return sum(block.count(b"\n") for block in iter(lambda: text.read(1 << 20), b""))


def cost(base, name, set_up, log):
    work = base / "cost"
    (work / "out").mkdir(parents=True)
    out = work / "out" / "out"
    process = start(set_up, work, log, out)
    seconds = settled(out, 3)
    used, peak = cpu_of(process.pid), memory(process.pid, "VmHWM")
    process.terminate()
    process.wait()
    lines = count_lines(out)
    shutil.rmtree(work)
    return seconds, used, peak, lines


def costs(base):
    log = container(base / "logs")
    with open(log, "wb") as text:
        subprocess.run([BUILD / "bench" / "bench_lines", str(LINES)], stdout=text, check=True)
    print(f"{LINES} lines, {log.stat().st_size / 1e6:.0f} MB, json-file -> JSON in a file:")
    first = None
    for name, set_up in all_of_them().items():
        seconds, used, peak, lines = cost(base, name, set_up, log)
        first = first or used
        print(f"  {name + ' ' + version(PROGRAMS.get(name, BUILD / 'sidetail')):18} {used:7.2f} s of CPU ({used / first:4.0f} x) {seconds:7.2f} s"
              f" {peak:7.1f} MiB {lines:9} lines out")
    log.unlink()


def write_while_killed(set_up, work, log, out):
    """Writes numbered lines at some 20,000 a second, and kills the collector at random instants; returns how many."""
    dice, number = random.Random(5), 0
    process = start(set_up, work, log, out, careful=True)
    with open(log, "wb", buffering=0) as text:
        for _ in range(KILLS):
            until = time.monotonic() + dice.uniform(0.5, 1.5)
            while time.monotonic() < until:
                lines = "".join(f'{{"log":"line {n} of the test\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}}\n'
                                for n in range(number, number + 200))
                text.write(lines.encode())
                number += 200
                time.sleep(0.01)
            process.kill()
            process.wait()
            process = start(set_up, work, log, out, careful=True)
    settled(out, 10)
    process.terminate()
    process.wait()
    return number


def kills(base):
    print(f"killed (kill -9) {KILLS} times while lines are written, started again at once:")
    for name, set_up in all_of_them().items():
        work = base / "kills"
        (work / "out").mkdir(parents=True)
        log, out = container(work / "logs"), work / "out" / "out"
        written = write_while_killed(set_up, work, log, out)
        seen = [int(number) for number in NUMBER.findall(out.read_bytes())]
        print(f"  {name:10} {written} lines written: {written - len(set(seen))} lost, {len(seen) - len(set(seen))} doubled")
        shutil.rmtree(work)


def all_of_them():
    return {"sidetail": sidetail, **installed(TO_FILE)}


with tempfile.TemporaryDirectory(prefix="sidetail-bench-", dir="/var/tmp") as directory:
    costs(Path(directory))
    kills(Path(directory))
