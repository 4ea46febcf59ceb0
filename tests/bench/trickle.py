#!/usr/bin/python3
"""What `make bench-trickle` prints: the CPU that each line takes, and how late it is, where many logs get a little each.

That is what most machines do all day. Logs on tmpfs get lines one at a time, as an Engine or a kubelet writes them, at
random among the logs; the collector writes to a pipe. Each line bears the time at which it was written.
usage: trickle.py BUILD [OLD-BINARY [SECONDS]]      `-` for no old binary; TRICKLE_LOADS="200x50 2x5000" chooses loads,
TRICKLE_CASES="json-file" those of the cases whose names begin so; other collectors that are on the PATH are the cases "beside it"."""
import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import collector, cpu_ns
from rivals import TO_STDOUT, installed

BUILD = Path(sys.argv[1]).resolve()
OLD = sys.argv[2] if len(sys.argv) > 2 and sys.argv[2] != "-" else None
BINARIES = ({"old": OLD} if OLD else {}) | {"sidetail": BUILD / "sidetail"}
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 5
LOADS = os.environ.get("TRICKLE_LOADS", "200x50 1000x10 20x500 2x5000").split()
SETTLE = 1.5  # seconds: what is there at the start is read by then, and what was written last is out
STAMP = re.compile(rb"@(\d+)@")
PAD = "x" * 100


def json_file(root, number):
    name = f"{number:064x}"
    (root / name).mkdir()
    labels = {"com.docker.compose.service": f"web{number % 20}"}
    config = {"ID": name, "Name": f"/shop_web_{number}", "Config": {"Image": "shop", "Labels": labels}, "State": {"Running": True}}
    (root / name / "config.v2.json").write_text(json.dumps(config))
    return root / name / f"{name}-json.log"


def in_directories(root, number):
    directory = root / f"shop_web-{number}_{number:08x}" / "web"
    directory.mkdir(parents=True)
    return directory / "0.log"


def as_json(text, time_text):
    return f'{{"log":"{text}\\n","stream":"stdout","time":"{time_text}"}}\n'


def as_cri(text, time_text):
    return f"{time_text} stdout F {text}\n"


def as_plain(text, time_text):
    return f"{text}\n"


FILES = {"SIDETAIL_SOURCE": "files", "SIDETAIL_FILES_INCLUDE": "{root}/*/*/*.log"}
AGE = {"SIDETAIL_BATCH_AGE": "200ms"}
CASES = {
    "json-file": (json_file, as_json, {"SIDETAIL_JSON_FILE_PATH": "{root}"}),
    "json-file, batch.age=200ms": (json_file, as_json, {"SIDETAIL_JSON_FILE_PATH": "{root}"} | AGE),
    "files, CRI": (in_directories, as_cri, FILES),
    "files, CRI, batch.age=200ms": (in_directories, as_cri, FILES | AGE),
    "files, plain": (in_directories, as_plain, FILES),
    "files, plain, batch.age=200ms": (in_directories, as_plain, FILES | AGE),
}
BESIDE = "beside it, json-file"
LEAST = {"json-file": ["4"], "json-file, batch.age=200ms": ["180", "all"]}  # the arguments of bench_least: its pace is sidetail's


def switches(pid):
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", Path(f"/proc/{pid}/task/{task}/status").read_text(), re.M)[1])
               for task in os.listdir(f"/proc/{pid}/task"))


def read_all(pipe, answer):
    """Reads what the collector puts out; answers how late each line was, in nanoseconds."""
    late, rest = [], b""
    while chunk := os.read(pipe, 1 << 20):
        now = time.monotonic_ns()
        whole, newline, rest = (rest + chunk).rpartition(b"\n")
        late.extend(now - int(stamp) for stamp in STAMP.findall(whole))
    answer.send(sorted(late))


def read_from(process):
    """Reads what the process puts out from now on. Gives back a function that answers, once that has ended, as read_all."""
    answer, tell = multiprocessing.Pipe(False)
    reader = multiprocessing.Process(target=read_all, args=(process.stdout.fileno(), tell))
    reader.start()
    process.stdout.close()

    def all_of_it():
        late = answer.recv()
        reader.join()
        return late

    return all_of_it


def open_logs(place, root, numbers):
    return [os.open(place(root, number), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) for number in numbers]


def write(logs, line, rate, seconds):
    """Writes to the logs, each `rate` lines a second on average; returns how many lines."""
    begin, sent, total = time.monotonic(), 0, int(len(logs) * rate * seconds)
    while sent < total:
        due = min(total, int((time.monotonic() - begin) * len(logs) * rate))
        for _ in range(sent, due):
            now = time.time_ns()
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{now % 10**9:09d}Z"
            os.write(random.choice(logs), line(f"@{time.monotonic_ns()}@ GET /cart 200 {PAD}", stamp).encode())
        sent = due
        time.sleep(0.0002)
    return sent


def sidetail(binary, settings, work):
    settings = {key: value.format(root=work / "logs") for key, value in settings.items()}
    always = {"SIDETAIL_CHECKPOINT_PATH": work / "checkpoint", "SIDETAIL_METRICS_LISTEN": "", "SIDETAIL_FORMAT": "raw"}
    return collector(binary, always | settings)


def measure(command, place, line, count, rate, work, exact):
    """command(work): of what collects the logs of work/logs to its stdout; `exact`: each line once, or the bench fails."""
    root = work / "logs"
    root.mkdir(parents=True)
    logs = open_logs(place, root, range(count))
    process = subprocess.Popen(command(work), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    read = read_from(process)
    time.sleep(SETTLE)
    before, turns, began = cpu_ns(process.pid), switches(process.pid), time.monotonic()
    sent = write(logs, line, rate, SECONDS)
    time.sleep(SETTLE)
    used, turns, took = cpu_ns(process.pid) - before, switches(process.pid) - turns, time.monotonic() - began
    process.terminate()
    process.wait()
    late = read()
    for log in logs:
        os.close(log)
    shutil.rmtree(work)
    if len(late) != sent:
        assert not exact, f"{sent} lines were written, {len(late)} came out"
        return f"{sent} lines were written, {len(late)} came out"
    return (f"{used / sent / 1000:6.2f} us/line {late[sent // 2] / 1e6:8.2f} {late[sent * 99 // 100] / 1e6:8.2f} {late[-1] / 1e6:8.2f} ms late"
            f" (p50, p99, most) {turns / took:7.0f} switches/s")


def wanted(cases):
    return [case for case in cases if case.startswith(os.environ.get("TRICKLE_CASES", ""))]


def rows(others):
    """(who, case, command, how its logs are laid out and written, and whether it is to put out each line once)"""
    for case in wanted(CASES):
        place, line, settings = CASES[case]
        for name, binary in BINARIES.items():
            yield name, case, lambda work, binary=binary, settings=settings: sidetail(binary, settings, work), place, line, True
        if case in LEAST:
            yield "the kernel's part", case, lambda work, how=LEAST[case]: [BUILD / "bench/bench_least", work / "logs", *how], place, line, True
    for name, way in others.items():
        yield name, BESIDE, lambda work, way=way: way(work, work / "logs/*/*-json.log"), json_file, as_json, False


def main():
    others = installed(TO_STDOUT) if wanted([BESIDE]) else {}
    for load in LOADS:
        count, rate = map(int, load.split("x"))
        print(f"{count} logs of {rate} lines/s each, {SECONDS:.0f} s:")
        for name, case, command, place, line, exact in rows(others):
            with tempfile.TemporaryDirectory(prefix="sidetail-trickle-", dir="/dev/shm") as directory:
                found = measure(command, place, line, count, rate, Path(directory) / "run", exact)
                print(f"  {name:22} {case:30} {found}", flush=True)


if __name__ == "__main__":
    main()
