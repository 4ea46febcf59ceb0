#!/usr/bin/python3
"""What `make bench-others` prints: sidetail beside the collectors that are installed here, on the same lines in the same run.

Each follows one json-file log and writes the lines as JSON to a file, set up as its manual has it for that. First the cost
of a log that is there already; then what becomes of lines when the collector is killed while they are written.
usage: others.py BUILD [LINES]"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import cpu_of

BUILD = Path(sys.argv[1]).resolve()
LINES = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
KILLS = 20
NUMBER = re.compile(rb"line (\d+) of")

RSYSLOG = """global(workDirectory="{work}/state")
module(load="imfile" mode="inotify")
module(load="mmjsonparse")
main_queue({queue})
template(name="record" type="list") {{
  constant(value="{{\\"time\\":\\"") property(name="$!time") constant(value="\\",\\"service\\":\\"web\\",\\"stream\\":\\"")
  property(name="$!stream") constant(value="\\",\\"log\\":\\"") property(name="$!log" format="json") constant(value="\\"}}\\n")
}}
ruleset(name="records") {{
  action(type="mmjsonparse" cookie="")
  action(type="omfile" file="{out}" template="record" ioBufferSize="256k" flushOnTXEnd="{flush}")
}}
input(type="imfile" file="{log}" tag="web" ruleset="records" freshStartTail="off" persistStateInterval="{persist}"
  persistStateAfterSubmission="{flush}")
"""

FLUENT_BIT = """[SERVICE]
    flush 0.2
    log_level error
    parsers_file {work}/parsers.conf
[INPUT]
    name tail
    path {log}
    parser docker
    tag web
    read_from_head on
    db {work}/positions.db
    db.sync full
    mem_buf_limit 32M
    buffer_chunk_size 256k
    buffer_max_size 1M
[FILTER]
    name modify
    match *
    set service web
[OUTPUT]
    name file
    match *
    path {directory}
    file out
    format plain
"""
PARSER = """[PARSER]
    name docker
    format json
    time_key time
    time_format %Y-%m-%dT%H:%M:%S.%L
    time_keep on
"""


def sidetail(work, root, log, out, careful):
    environment = {"PATH": os.environ["PATH"], "SIDETAIL_JSON_FILE_PATH": str(root), "SIDETAIL_CHECKPOINT_PATH": f"{work}/checkpoint",
                   "SIDETAIL_SINK": "file", "SIDETAIL_FILE_PATH": str(out), "SIDETAIL_METRICS_LISTEN": "", "SIDETAIL_LOG_LEVEL": "error"}
    return [BUILD / "sidetail", "run"], environment


def rsyslog(work, root, log, out, careful):
    (work / "state").mkdir(exist_ok=True)
    (work / "pid").unlink(missing_ok=True)  # a killed one leaves it, and the next would not start
    # Careful: no queue in memory, and a position kept every 100 lines once they are written.
    queue, flush, persist = ('queue.type="Direct"', "on", 100) if careful else ('queue.dequeueBatchSize="4096"', "off", 0)
    text = RSYSLOG.format(work=work, log=log, out=out, queue=queue, flush=flush, persist=persist)
    (work / "rsyslog.conf").write_text(text)
    return ["rsyslogd", "-n", "-f", work / "rsyslog.conf", "-i", work / "pid"], None


def fluent_bit(work, root, log, out, careful):
    (work / "parsers.conf").write_text(PARSER)
    (work / "fluent-bit.conf").write_text(FLUENT_BIT.format(work=work, log=log, directory=out.parent))
    return ["fluent-bit", "-q", "-c", work / "fluent-bit.conf"], None


ALL = {"sidetail": (BUILD / "sidetail", sidetail), "Fluent Bit": ("fluent-bit", fluent_bit), "rsyslog": ("rsyslogd", rsyslog)}


def version(program):
    said = subprocess.run([program, "--version" if program != "rsyslogd" else "-v"], capture_output=True, text=True).stdout
    return re.search(r"\d+\.\d+\.\d+\S*|[0-9a-f]{7,}|\d+\.\d+", said)[0].rstrip(",")


def container(root):
    name = "0" * 63 + "1"
    (root / name).mkdir(parents=True)
    labels = {"com.docker.compose.service": "web", "com.docker.compose.project": "shop"}
    config = {"ID": name, "Name": "/shop_web_1", "Config": {"Image": "shop", "Labels": labels}}
    (root / name / "config.v2.json").write_text(json.dumps(config))
    return root / name / f"{name}-json.log"


def start(set_up, work, log, out, careful=False):
    command, environment = set_up(work, log.parents[1], log, out, careful)
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def peak(process):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024


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
    used, memory = cpu_of(process.pid), peak(process)
    process.terminate()
    process.wait()
    lines = count_lines(out)
    shutil.rmtree(work)
    return seconds, used, memory, lines


def costs(base):
    log = container(base / "logs")
    with open(log, "wb") as text:
        subprocess.run([BUILD / "bench" / "bench_lines", str(LINES)], stdout=text, check=True)
    print(f"{LINES} lines, {log.stat().st_size / 1e6:.0f} MB, json-file -> JSON in a file:")
    first = None
    for name, (program, set_up) in installed().items():
        seconds, used, memory, lines = cost(base, name, set_up, log)
        first = first or used
        print(f"  {name + ' ' + version(program):18} {used:7.2f} s of CPU ({used / first:4.0f} x) {seconds:7.2f} s"
              f" {memory:7.1f} MiB {lines:9} lines out")
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
    for name, (_, set_up) in installed().items():
        work = base / "kills"
        (work / "out").mkdir(parents=True)
        log, out = container(work / "logs"), work / "out" / "out"
        written = write_while_killed(set_up, work, log, out)
        seen = [int(number) for number in NUMBER.findall(out.read_bytes())]
        print(f"  {name:10} {written} lines written: {written - len(set(seen))} lost, {len(seen) - len(set(seen))} doubled")
        shutil.rmtree(work)


def installed():
    found = {name: each for name, each in ALL.items() if shutil.which(each[0])}
    for name in ALL.keys() - found.keys():
        print(f"({name} is not installed: not compared with it)")
    return found


with tempfile.TemporaryDirectory(prefix="sidetail-bench-", dir="/var/tmp") as directory:
    costs(Path(directory))
    kills(Path(directory))
