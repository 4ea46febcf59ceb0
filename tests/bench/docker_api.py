#!/usr/bin/python3
"""What `make bench` prints of the source docker-api: its CPU for a GB of text, and the Engine's, while one container writes at
several rates. Where the log rotates, the source checks that the Engine's stream skipped nothing; where it does not, nothing is
checked. So the same lines into a log of either kind, in turn, are the cost of these checks, and of what they find: where the
Engine did skip lines, its stream is opened anew and brings the last second once more (CURSOR_SLACK_NS). So runs without that
are told apart, and of all runs, which share of the lines came again at most.

usage: docker_api.py BUILD [OTHER_BUILD...]. Needs a Docker Engine with the image sidetail-test/app (tests/setup/engine.sh start)."""
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from measure import cpu_of, docker, dockerd_cpu, lines_out, metric, need_engine, remove_all

BUILDS = sys.argv[1:]
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
PORT = 9472
PAYLOAD = 200
LABEL = f"sidetail.bench={os.getpid()}"
KINDS = {"no rotation": [], "10 MB a file": ["--log-opt", "max-size=10m", "--log-opt", "max-file=100"]}
LOADS = {  # lines, lines a second, bytes that the writer buffers
    "50 MB/s": (2_000_000, 200_000, 65536),
    "5 MB/s": (200_000, 20_000, 4096),
    "100 lines/s": (1_000, 100, 0),
}


def start(build, work):
    config = {"source": "docker-api", "include": {"labels": [LABEL]}, "sink": "stdout", "log": {"level": "error"},
              "checkpoint": {"path": f"{work}/checkpoint"}, "metrics": {"listen": f"127.0.0.1:{PORT}"}}  # fmt: skip
    with open(f"{work}/config.json", "w") as out:
        json.dump(config, out)
    return subprocess.Popen([os.path.abspath(f"{build}/sidetail"), "run", "-c", f"{work}/config.json"], stdout=subprocess.DEVNULL)


def measure(build, log_options, load):
    """CPU seconds of the collector and of the Engine for one writer's lines, and how often a stream was opened anew."""
    lines, rate, buffer = load
    with tempfile.TemporaryDirectory(prefix="sidetail-bench-") as work:
        collector = start(build, work)
        try:
            while lines_out(PORT) < 0 and collector.poll() is None:
                time.sleep(0.05)
            own, engine = cpu_of(collector.pid), dockerd_cpu()
            docker("run", "-d", "--network", "none", "--label", LABEL, *log_options, "sidetail-test/app", "--id", "bench", "--rate", str(rate),
                   "--buffer", str(buffer), "--length", str(PAYLOAD), "--count", str(lines))  # fmt: skip
            end = time.monotonic() + lines / rate * 4 + 60
            while lines_out(PORT) < lines and time.monotonic() < end:
                time.sleep(0.2)
            whole = lines_out(PORT) == lines
            own, engine = cpu_of(collector.pid) - own, dockerd_cpu() - engine
            anew = metric(PORT, "sidetail_source_reconnects_total")
        finally:
            collector.terminate()
            collector.wait()
        remove_all(LABEL)
    if not whole:
        sys.exit(f"not all of {lines} lines came out")
    return own, engine, anew


def skips(runs, first, second):
    """What the Engine skipped. `first`: the CPU seconds without checks; `second`: the share of the lines that a second brings."""
    smooth = [own for own, _, anew in runs if anew == 0]
    if len(smooth) == len(runs):
        return ""
    again = statistics.mean(anew for _, _, anew in runs) * second
    alone = f"{statistics.median(smooth) / first:.2f} x in the {len(smooth)} runs without a skip" if smooth and first else "skips in each run"
    return f"; {alone}, up to {again:.0%} of the lines came again"


def compare(name, load):
    spent = {(build, kind): [] for build in BUILDS for kind in KINDS}
    for _ in range(RUNS):
        for build, kind in spent:
            spent[build, kind].append(measure(build, KINDS[kind], load))
    lines, rate, _ = load
    gigabytes = lines * PAYLOAD / 1e9
    print(f"docker-api, one container that writes {name}, median of {RUNS}:")
    first = None
    for (build, kind), runs in spent.items():
        own, engine, _ = (statistics.median(column) for column in zip(*runs))
        first = first or own
        print(f"  {build if len(BUILDS) > 1 else '':{max(map(len, BUILDS)) if len(BUILDS) > 1 else 0}} {kind:13}"
              f" {own / gigabytes:8.2f} CPU s/GB {own / first if first else 0:5.2f} x, the Engine {engine / gigabytes:8.2f}{skips(runs, first, rate / lines)}", flush=True)  # fmt: skip


need_engine()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is removed
try:
    for load_name, load_of in LOADS.items():
        compare(load_name, load_of)
finally:
    remove_all(LABEL)
