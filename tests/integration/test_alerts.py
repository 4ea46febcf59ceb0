"""Each alert of deploy/prometheus is fired by the fault that it is for, and is over when that is mended: real collectors, a real
Prometheus, and the rules as they are but for their times, seconds in place of minutes."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time

import pytest
import yaml
from lib.hostile import HostileEngine
from lib.prometheus import Prometheus, instance
from lib.system import append, wait_until
from test_monitor import ALERTS

pytestmark = [pytest.mark.slow, pytest.mark.figures]  # memory is one of them

ENTRY = '{"log":"%s\\n","stream":"stdout","time":"2026-11-24T05:00:39.5Z"}\n'


def quick(rules):
    rules = re.sub(r"\bfor: \d+m", "for: 1s", re.sub(r"\[(5|15)m\]", "[20s]", rules))
    rules = re.sub(r"process_start_time_seconds < 900", "process_start_time_seconds < 20", rules)
    return rules.replace("sidetail_sink_waiting_seconds > 60", "sidetail_sink_waiting_seconds > 3")


@pytest.fixture
def world(sidetail, tmp_path):
    with World(sidetail, tmp_path) as one:
        yield one


class World(contextlib.ExitStack):
    """Collectors, each with a directory of its own, and what they need."""

    def __init__(self, sidetail, directory):
        super().__init__()
        self.sidetail, self.directory = sidetail, directory
        self.server = None  # Prometheus, when it is there

    def files(self, name, **config):
        """A collector that follows the files of its `logs`; `log` is one of them."""
        logs = self.directory / name / "logs"
        (logs / "web").mkdir(parents=True)
        one = self.sidetail({"source": "files", "files": {"include": [f"{logs}/{{service}}/*.log"]}, **config}, name=name)
        one.logs, one.log = logs, logs / "web" / "a.log"
        return one

    def disk(self, name, size):
        """A mounted disk of that size."""
        path = self.directory / name
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path], check=True)
        self.callback(subprocess.run, ["umount", "-l", path], check=True)
        return path

    def seen(self, one):
        """Until the server has asked it since its start."""
        started = wait_until(lambda: start_time(one), 20)
        asked = lambda: started in {value for labels, value in self.server.query("process_start_time_seconds")
                                    if labels["instance"] == instance(one)}  # fmt: skip
        wait_until(asked, 20, "the start is seen", every=0.1)


def start_time(collector):
    try:
        return collector.metrics()["process_start_time_seconds"]
    except OSError:
        return None  # it does not listen yet


# Faults: generators that start a collector, break something, say what that is to fire, and mend it.


def goes_down(world):
    one = world.files("down")
    yield one.start()
    one.kill()
    yield {"SidetailDown"}
    one.start()


def is_restarted(world):
    one = world.files("restarted")
    yield one.start()
    for _ in range(3):
        world.seen(one)
        one.kill()
        one.start()
    yield {"SidetailRestarting"}


def source_is_not_there(world):
    one = world.files("source")
    one.config["files"]["include"].append(f"{world.directory}/missing/{{service}}/*.log")
    yield one.start()
    yield {"SidetailSourceFailing"}
    (world.directory / "missing").mkdir()


def checkpoint_cannot_be_saved(world):
    folder = world.directory / "positions"
    folder.mkdir()
    one = world.files("checkpoint", checkpoint={"path": str(folder / "c.json"), "interval": "100ms"})
    yield one.start()
    shutil.rmtree(folder)
    append(one.log, "x\n")
    yield {"SidetailCheckpointFailing"}
    folder.mkdir()
    append(one.log, "y\n")


def disk_is_full(world):
    """Lines wait meanwhile, and are cut off before they are read."""
    disk = world.disk("full", "64k")
    one = world.files("stuck", sink="file", file={"path": str(disk / "out.log")}, batch={"bytes": "64KiB"}, memory_max="8MiB")
    yield one.start()
    append(one.log, ENTRY % ("x" * 100) * 200_000)
    yield {"SidetailSinkStuck", "SidetailSinkErrors", "SidetailBehind"}
    os.truncate(one.log, 0)
    subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
    yield {"SidetailLogsTruncated", "SidetailLosingLogs"}  # which it finds when it reads on


def memory_is_raised(world):
    """For lines that the sink does not take."""
    disk = world.disk("small", "64k")
    one = world.files("memory", sink="file", file={"path": str(disk / "out.log")}, memory_max="96MiB")
    yield one.start()
    append(one.log, ENTRY % ("x" * 1000) * 100_000)
    yield {"SidetailMemory"}
    subprocess.run(["mount", "-o", "remount,size=300m", disk], check=True)
    wait_until(lambda: one.metrics()["sidetail_lag_bytes"] == 0, 30)
    one.stop_cleanly()
    one.start()


def descriptors_run_out(world):
    """None of many logs is silent, and their lines are taken slowly."""
    one = world.files("scarce")
    for number in range(120):
        append(one.logs / "web" / f"{number}.log", ("x" * 1000 + "\n") * 1000)
    one.write_config()
    reader, writer = os.pipe()
    with open(one.stderr_path, "wb") as stderr:
        one.process = subprocess.Popen(["prlimit", "--nofile=96:96", one.binary, "run", "-c", one.config_path], stdout=writer, stderr=stderr,
                                       stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})  # fmt: skip
    os.close(writer)
    threading.Thread(target=take_slowly, args=(reader,), daemon=True).start()
    yield one
    yield {"SidetailLogsWaiting", "SidetailManyDescriptors"}
    one.kill()
    one.start()


def take_slowly(pipe):
    with open(pipe, "rb") as lines:
        while lines.read(10_000):
            time.sleep(0.01)


def link_is_made(world):
    one = world.files("link")
    yield one.start()
    (one.logs / "web" / "secret.log").symlink_to("/etc/shadow")
    yield {"SidetailRefusedLinks"}


def writer_leaves_a_hole(world):
    """It does not append, and goes on where it was when its log is truncated."""
    one = world.files("hole")
    append(one.log, "x\n" * 5000)
    yield one.start()
    with open(one.log, "r+") as log:
        log.truncate(0)
        log.seek(10_000)
        log.write("y\n")
    yield {"SidetailHoles"}


def output_is_cut(world):
    out = world.directory / "out.log"
    one = world.files("cut", sink="file", file={"path": str(out)})
    append(one.log, "one\ntwo\n")
    yield one.start()
    wait_until(lambda: out.exists() and out.stat().st_size > 0, 20)
    os.truncate(out, 0)
    append(one.log, "three\n")
    yield {"SidetailOutputShortened"}


def power_cut_a_log(world):
    """Its end was delivered, and is not on the disk any more."""
    one = world.files("power")
    append(one.log, "".join(ENTRY % number for number in range(1000)))
    yield one.start()
    one.wait_lines(1000)
    one.stop_cleanly()
    os.truncate(one.log, one.log.stat().st_size // 2 // len(ENTRY % 1) * len(ENTRY % 1))
    one.start()
    yield {"SidetailLogsCutOff"}


def rate_limit_drops(world):
    one = world.files("limit", rate_limit=1)
    yield one.start()
    append(one.log, "x\n" * 1000)
    yield {"SidetailDroppingLines"}


def redaction_takes_too_long(world):
    one = world.files("redact", redact=["(a+)+$"])
    yield one.start()
    append(one.log, "a" * 5000 + "!\n")
    yield {"SidetailRedactionFailing"}


def container(world, name, metadata):
    ident = f"{abs(hash(name)):016x}" * 4
    folder = world.directory / "containers" / ident
    folder.mkdir(parents=True)
    (folder / f"{ident}-json.log").write_text(ENTRY % "x")
    (folder / "config.v2.json").write_text(metadata if isinstance(metadata, str) else json.dumps({"ID": ident, "Name": f"/{name}", **metadata}))


def containers_are_wrong(world):
    """By a label, and by metadata that cannot be read."""
    (world.directory / "containers").mkdir()
    one = world.sidetail({"json_file": {"path": str(world.directory / "containers")}}, name="containers-collector")
    yield one.start()
    container(world, "label", {"Config": {"Labels": {"sidetail.rate_limit": "many"}}})
    yield {"SidetailRefusedLabels"}
    for number in range(10):
        container(world, f"broken{number}", "{")
    yield {"SidetailReadErrors"}
    for path in (world.directory / "containers").glob("*/config.v2.json"):
        if path.read_text() == "{":
            path.write_text(json.dumps({"ID": path.parent.name, "Name": "/mended", "Config": {}}))


def engine_tells_too_much(world):
    engine = HostileEngine()
    world.callback(engine.close)
    huge = {"Id": "ab" * 32, "Ports": [{"Type": "tcp"}] * 300_000}
    engine.listing = lambda: [json.dumps([huge]).encode()]
    one = world.sidetail({"source": "docker-api", "docker": {"host": engine.host}}, name="engine")
    yield one.start()
    yield {"SidetailContainersLeftOut"}
    engine.listing = lambda: [b"[]"]
    one.kill()
    one.start()


def topics_are_too_many(world):
    topic = f"alerts{os.getpid()}"
    where = {"brokers": world.kafka.bootstrap, "topic": f"{topic}.{{service}}", "identity": topic, "topics_max": 1,
             "overflow_topic": f"{topic}.rest"}  # fmt: skip
    one = world.files("topics", sink="kafka", kafka=where)
    yield one.start()
    for service in "abc":
        (one.logs / service).mkdir()
        append(one.logs / service / "a.log", "x\n")
    yield {"SidetailTooManyTopics"}


FAULTS = (goes_down, is_restarted, source_is_not_there, checkpoint_cannot_be_saved, disk_is_full, memory_is_raised, descriptors_run_out,
          link_is_made, writer_leaves_a_hole, output_is_cut, power_cut_a_log, rate_limit_drops, redaction_takes_too_long,
          containers_are_wrong, engine_tells_too_much, topics_are_too_many)  # fmt: skip


def test_each_alert_fires_and_is_over(world, kafka):
    world.kafka = kafka
    faults = [(fault(world), fault.__name__) for fault in FAULTS]
    collectors = [next(fault) for fault, _ in faults]
    folder = world.directory / "prometheus"
    folder.mkdir()
    server = world.server = Prometheus(folder, collectors, quick(ALERTS.read_text()))
    world.callback(server.close)
    for one in collectors:
        world.seen(one)
    fired = set()
    for (fault, name), one in zip(faults, collectors):
        for names in fault:
            wanted = {(alert, instance(one)) for alert in names}
            lacking = lambda: wanted - server.firing()
            wait_until(lambda: not lacking(), 60, lambda: f"{name}: {lacking()}\n{one.stderr_end()}", every=0.2)
            fired |= names
    assert fired == {rule["alert"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]}
    wait_until(lambda: not server.firing(), 90, server.firing, every=0.5)
