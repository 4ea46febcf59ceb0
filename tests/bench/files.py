#!/usr/bin/python3
"""Thousands of logs in a volume: how long a start takes, memory, and the CPU of silence.

usage: files.py BUILD [BUILD…]: several builds are measured alternately, BENCH_RUNS times (3), with up to BENCH_LOGS logs
(10000)"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

from measure import cpu_of, lines_out

PORT = 9473
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
MOST = int(os.environ.get("BENCH_LOGS", "10000"))
SILENT = 10  # seconds
CASES = ((1000, False, "in one directory"), (10000, False, "in one directory"), (10000, True, "each in its own"))


def lay_out(root, count, own):
    """One line in each log; `own`: each in a directory of its own."""
    for number in range(count):
        directory = f"{root}/logs/s{number if own else 0}"
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/{number}.log", "w") as out:
            out.write(f"line {number}\n")


def run(build, root, count):
    """Seconds until all lines are out, CPU of that, peak memory in MiB, and CPU per second of silence."""
    env = dict(os.environ, SIDETAIL_SOURCE="files", SIDETAIL_FILES_INCLUDE=f"{root}/logs/{{service}}/*.log",
               SIDETAIL_CHECKPOINT_PATH=f"{root}/checkpoint", SIDETAIL_METRICS_LISTEN=f"127.0.0.1:{PORT}",
               SIDETAIL_LOG_LEVEL="error")
    if os.path.exists(f"{root}/checkpoint"):
        os.unlink(f"{root}/checkpoint")
    began = time.monotonic()
    with open("/dev/null", "w") as null:
        process = subprocess.Popen([f"{build}/sidetail", "run"], env=env, stdout=null)
    while lines_out(PORT) < count:
        time.sleep(0.02)
    seconds, cpu = time.monotonic() - began, cpu_of(process.pid)
    time.sleep(2)
    before = cpu_of(process.pid)
    time.sleep(SILENT)
    silent = (cpu_of(process.pid) - before) / SILENT
    with open(f"/proc/{process.pid}/status") as text:
        peak = next(int(line.split()[1]) for line in text if line.startswith("VmHWM")) / 1024
    process.terminate()
    process.wait()
    return seconds, cpu, peak, silent


def main():
    builds = [os.path.abspath(build) for build in sys.argv[1:]]
    for count, own, what in (case for case in CASES if case[0] <= MOST):
        with tempfile.TemporaryDirectory(prefix="sidetail-bench-", dir="/var/tmp") as root:
            lay_out(root, count, own)
            found = {build: [] for build in builds}
            for _ in range(RUNS):
                for build in builds:
                    found[build].append(run(build, root, count))
            for build, all_runs in found.items():
                seconds, cpu, peak, silent = (statistics.median(values) for values in zip(*all_runs))
                print(f"{count} logs, {what}: all read after {seconds:.2f} s, CPU {cpu:.2f} s, peak RSS {peak:.1f} MiB,"
                      f" silent {100 * silent:.2f} % of a core  {build if len(builds) > 1 else ''}", flush=True)


main()
