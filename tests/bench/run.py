#!/usr/bin/python3
"""What `make bench` prints: throughput beside cat and wc on the same file in the same run, memory, wake-ups, latency.

Ratios are the result; absolute times depend on the machine of the day. usage: run.py BUILD [LINES]"""
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from measure import lines_out

BUILD = sys.argv[1]
LINES = int(sys.argv[2]) if len(sys.argv) > 2 else 4_000_000
SIDETAIL = os.path.abspath(f"{BUILD}/sidetail")
PORT = 9471
RUNS = 5


def container(root, number, service):
    """A container's directory as Docker lays it out; returns the log's path."""
    name = f"{number:064x}"
    directory = f"{root}/{name}"
    os.makedirs(directory)
    labels = {"com.docker.compose.service": service, "com.docker.compose.project": "shop"}
    with open(f"{directory}/config.v2.json", "w") as out:
        json.dump({"ID": name, "Name": f"/shop_{service}_{number}", "Config": {"Image": "shop", "Labels": labels}}, out)
    return f"{directory}/{name}-json.log"


def start(root, stdout, **more):
    env = dict(os.environ, SIDETAIL_JSON_FILE_PATH=root, SIDETAIL_CHECKPOINT_PATH=f"{root}.checkpoint",
               SIDETAIL_METRICS_LISTEN=f"127.0.0.1:{PORT}", SIDETAIL_LOG_LEVEL="error", **more)
    return subprocess.Popen([SIDETAIL, "run"], env=env, stdout=stdout)


def wait_for_lines(count):
    while lines_out(PORT) < count:
        time.sleep(0.01)


def stop(process):
    process.terminate()
    process.wait()


def status(process, key):
    with open(f"/proc/{process.pid}/status") as text:
        return sum(int(l.split()[1]) for l in text if l.startswith(key))


def cpu_of(command):
    """CPU seconds of one command that reads the file."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_of_sidetail(root):
    """CPU seconds from the start to the end of the log, start-up and checkpoint included, and the peak RSS in KiB."""
    if os.path.exists(f"{root}.checkpoint"):
        os.unlink(f"{root}.checkpoint")
    with open("/dev/null", "w") as null:
        process = start(root, null)
        wait_for_lines(LINES)
        rss = status(process, "VmHWM")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        stop(process)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, rss


def throughput(work):
    root = f"{work}/one"
    log = container(root, 1, "web")
    with open(log, "w") as out:
        subprocess.run([f"{BUILD}/bench/bench_lines", str(LINES)], stdout=out, check=True)
    size = os.path.getsize(log)
    times = {"cat": [], "wc -l": [], "sidetail": []}
    rss = 0
    for _ in range(RUNS):  # side by side: the machine's mood hits all three
        times["cat"].append(cpu_of(["cat", log]))
        times["wc -l"].append(cpu_of(["wc", "-l", log]))
        seconds, rss = cpu_of_sidetail(root)
        times["sidetail"].append(seconds)
    print(f"json-file -> json on /dev/null, {LINES} lines, {size / 1e6:.0f} MB, one core, CPU time, median of {RUNS}:")
    for name, all_times in times.items():
        median = statistics.median(all_times)
        print(f"  {name:9} {size / median / 1e9:6.2f} GB/s  {LINES / median / 1e6:6.1f} M lines/s"
              f"  {median / statistics.median(times['cat']):5.2f} x cat")
    print(f"  peak RSS  {rss / 1024:.1f} MiB")
    shutil.rmtree(root)


def idle(work):
    root = f"{work}/many"
    for number in range(1, 1001):
        with open(container(root, number, f"s{number % 20}"), "w") as out:
            out.write('{"log":"hello\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}\n')
    with open("/dev/null", "w") as null:
        process = start(root, null)
        wait_for_lines(1000)
        time.sleep(2)
        before, cpu = status(process, "voluntary_ctxt"), cpu_ticks(process)
        time.sleep(10)
        wakes, cpu = status(process, "voluntary_ctxt") - before, cpu_ticks(process) - cpu
        print(f"1,000 silent files: {wakes / 10:.1f} wake-ups a second, {cpu / 10:.2f} % of a core,"
              f" peak RSS {status(process, 'VmHWM') / 1024:.1f} MiB")
        stop(process)
    shutil.rmtree(root)


def cpu_ticks(process):
    with open(f"/proc/{process.pid}/stat") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def latency(work):
    """Of single lines; where many come, more are read at once: see trickle.py."""
    root = f"{work}/late"
    log = container(root, 1, "web")
    out = open(log, "w", buffering=1)
    process = start(root, subprocess.PIPE)
    time.sleep(0.5)
    spans = []
    for number in range(300):
        began = time.monotonic()
        out.write(f'{{"log":"line {number}\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}}\n')
        process.stdout.readline()
        spans.append(time.monotonic() - began)
        time.sleep(0.05)
    stop(process)
    spans.sort()
    print(f"line written -> line on stdout: p50 {spans[150] * 1e3:.2f} ms, p99 {spans[297] * 1e3:.2f} ms,"
          f" worst {spans[-1] * 1e3:.2f} ms")
    shutil.rmtree(root)


with tempfile.TemporaryDirectory(prefix="sidetail-bench-", dir="/var/tmp") as work_dir:
    throughput(work_dir)
    idle(work_dir)
    latency(work_dir)
