#!/usr/bin/python3
"""What `make bench-trickle-api` prints: the CPU that each line takes by source docker-api, where many containers write a little
each; and what the Engine takes for them meanwhile, most of which it takes without a collector, too.

usage: trickle_api.py BUILD [OLD-BINARY]     TRICKLE_LOADS="40x50" chooses loads. Needs a Docker Engine with the image
sidetail-test/app (tests/setup/engine.sh start)."""
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import collector, cpu_ns, docker, dockerd_cpu, lines_out, metric, need_engine, remove_all

BUILD = Path(sys.argv[1]).resolve()
OLD = sys.argv[2] if len(sys.argv) > 2 and sys.argv[2] != "-" else None
BINARIES = ({"old": OLD} if OLD else {}) | {"sidetail": BUILD / "sidetail"}
CASES = {"docker-api": {}, "docker-api, batch.age=200ms": {"SIDETAIL_BATCH_AGE": "200ms"}}
LOADS = os.environ.get("TRICKLE_LOADS", "40x50").split()
RUNS, SECONDS = 3, 8
PATIENCE, SETTLE = 60, 3  # seconds: for all containers to be followed, and then for their streams to be open
PORT = 9473
LABEL = f"sidetail.bench={os.getpid()}"


def start_writers(count, rate):
    for number in range(count):
        docker("run", "-d", "--network", "none", "--label", LABEL, "--log-opt", "max-size=10m", "--log-opt", "max-file=3", "sidetail-test/app",
               "--id", f"w{number}", "--rate", str(rate), "--length", "100", "--count", "100000000")  # fmt: skip


def run(binary, settings, count):
    """Microseconds of CPU a line, and how many lines came in a second; all that was running is over afterwards."""
    with tempfile.TemporaryDirectory(prefix="sidetail-bench-") as work:
        always = {"SIDETAIL_SOURCE": "docker-api", "SIDETAIL_START_AT": "end", "SIDETAIL_INCLUDE_LABELS": LABEL, "SIDETAIL_FORMAT": "raw",
                  "SIDETAIL_LOG_LEVEL": "error", "SIDETAIL_CHECKPOINT_PATH": f"{work}/checkpoint", "SIDETAIL_METRICS_LISTEN": f"127.0.0.1:{PORT}"}  # fmt: skip
        process = subprocess.Popen(collector(binary, always | settings), stdout=subprocess.DEVNULL)
        try:
            end = time.monotonic() + PATIENCE
            while metric(PORT, "sidetail_feeds") < count:
                if time.monotonic() > end:
                    sys.exit(f"not all of {count} containers were followed within {PATIENCE} s")
                time.sleep(0.2)
            time.sleep(SETTLE)
            lines, used, began = lines_out(PORT), cpu_ns(process.pid), time.monotonic()
            time.sleep(SECONDS)
            used, lines, took = cpu_ns(process.pid) - used, lines_out(PORT) - lines, time.monotonic() - began
        finally:
            process.terminate()
            process.wait()
    if lines == 0:
        sys.exit("no line came from the Engine: fewer containers, by TRICKLE_LOADS")
    return used / lines / 1000, lines / took


def idle_engine():
    """Cores that the Engine takes while nobody collects."""
    before, began = dockerd_cpu(), time.monotonic()
    time.sleep(SECONDS)
    return (dockerd_cpu() - before) / (time.monotonic() - began)


def main():
    for load in LOADS:
        count, rate = map(int, load.split("x"))
        start_writers(count, rate)
        print(f"{count} containers of {rate} lines/s each, median of {RUNS}; the Engine takes {idle_engine():.2f} cores alone:")
        found = {(name, case): [] for case in CASES for name in BINARIES}
        for _ in range(RUNS):
            for name, case in found:
                found[name, case].append(run(BINARIES[name], CASES[case], count))
        for (name, case), runs in found.items():
            cost, speed = (statistics.median(column) for column in zip(*runs))
            print(f"  {name:10} {case:30} {cost:6.2f} us/line at {speed:.0f} lines/s", flush=True)
        remove_all(LABEL)


need_engine()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is removed
try:
    main()
finally:
    remove_all(LABEL)
