"""`sidetail tail --kafka`: what the collectors of several nodes have shipped to a real broker, as one log."""

import json
import os
import re
import select
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest
from lib.kafka_sink import wait_lines_out
from lib.system import run, wait_until

NODES = ("node-1", "node-2", "node-3")


def stamp(ago=0.0):
    """RFC 3339 of so many seconds ago."""
    at = datetime.now(timezone.utc) - timedelta(seconds=ago)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


class Cluster:
    """A collector on each of some nodes, which ships files that the test writes; and the configuration for tail."""

    def __init__(self, sidetail, directory, topic, brokers, nodes=NODES, template="{service}", kafka=None, **config):
        self.topic, self.written = topic, {}
        self.directory = directory
        self.kafka = {"brokers": brokers, "topic": f"{topic}.{template}", "positions_topic": f"{topic}-positions",
                      **(kafka or {})}  # fmt: skip
        self.path = directory / "tail.json"
        self.path.write_text(json.dumps({"kafka": self.kafka}))
        self.collectors = {}
        for node in nodes:
            source = {"include": [f"{directory}/{node}/{{service}}/{{container}}.log"], "format": "cri"}
            kafka = {**self.kafka, "identity": f"{topic}-{node}"}
            (directory / node).mkdir()
            self.collectors[node] = sidetail(
                {"source": "files", "files": source, "host": node, "sink": "kafka", "kafka": kafka, **config},
                name=f"collector-{node}",
            ).start()

    def write(self, node, service, *texts, ago=0.0, stream="stdout"):
        folder = self.directory / node / service
        folder.mkdir(exist_ok=True)
        with open(folder / f"{service}_{node[-1]}.log", "a") as log:
            for text in texts:
                log.write(f"{stamp(ago)} {stream} F {text}\n")
        self.written[node] = self.written.get(node, 0) + len(texts)

    def wait_shipped(self):
        for node, count in self.written.items():
            wait_lines_out(self.collectors[node], count)
        time.sleep(0.3)  # a commit is answered before all partitions know of it


@pytest.fixture
def cluster(sidetail, tmp_path, topic):
    return lambda brokers, **options: Cluster(sidetail, tmp_path, topic, brokers, **options)


@pytest.fixture
def shown(follow):
    """shown(cluster, ARGUMENT...): the lines of `sidetail tail --kafka --no-follow`."""

    def show(cluster, *arguments):
        tail = follow("--kafka", "-c", str(cluster.path), "-F", *arguments)
        said = tail.process.communicate(timeout=60)[1].decode()
        assert tail.process.returncode == 0 and not said, said
        return tail.lines()

    return show


def texts(lines):
    return [re.split(r" +[|!*] ", line, maxsplit=1)[1] for line in lines]


def said(tail):
    """What it has said up to now."""
    os.set_blocking(tail.process.stderr.fileno(), False)
    tail.said = getattr(tail, "said", b"") + (tail.process.stderr.read() or b"")
    return tail.said.decode()


def produce(kafka, topic, *values, headers=()):
    options = [part for header in headers for part in ("-H", header)]
    for value in values:
        run("kcat", "-P", "-b", kafka.bootstrap, "-t", topic, "-p", "0", *options, input=value, errors="surrogateescape")


def test_messages_without_headers_look_the_same(kafka, cluster, shown):
    """Those of JSON tell all by their value (kafka.headers needed)."""
    shop = cluster(kafka.bootstrap, nodes=["node-1", "node-2"], kafka={"headers": "needed"})
    shop.write("node-1", "web", "out", ago=3)
    shop.write("node-2", "api", "wrong", ago=2, stream="stderr")
    shop.wait_shipped()
    assert {message.headers for message in kafka.messages(f"{shop.topic}.(web|api)")} == {""}
    lines = shown(shop)
    assert re.fullmatch(r"web_1@node-1 +\| out", lines[0]), lines
    assert re.fullmatch(r"api_2@node-2 +\S? *wrong", lines[1]), lines


def test_nodes_are_merged_in_order_and_followed(kafka, cluster, follow):
    """What is there first, then what comes, each line once, in order across the nodes, with its node."""
    shop = cluster(kafka.bootstrap)
    for number in range(300):
        shop.write(NODES[number % 3], "web" if number % 2 else "api", f"n{number}", ago=60 - number / 10)
    shop.wait_shipped()
    began = time.monotonic()
    tail = follow("--kafka", "-c", str(shop.path), "-n", "all")
    wait_until(tail.lines, 20, every=0.01)
    first = time.monotonic() - began
    wait_until(lambda: len(tail.lines()) == 300, 20)
    assert texts(tail.lines()) == [f"n{number}" for number in range(300)]
    # How late lines are is learned from the first of them, and is more than that where this machine is suddenly busy.
    for attempt in range(6):
        there = len(tail.lines())
        for number in range(there, there + 200):
            shop.write(NODES[number % 3], "web" if number % 2 else "api", f"n{number}")
            time.sleep(0.005)
        wait_until(lambda: len(tail.lines()) == there + 200, 20, lambda: f"{there + 200} lines, there are {len(tail.lines())}")
        found = texts(tail.lines())[there:]
        assert sorted(found, key=lambda text: int(text[1:])) == [f"n{number}" for number in range(there, there + 200)]
        for one in range(6):  # those of one container are in any case
            mine = [int(text[1:]) for text in found if int(text[1:]) % 6 == one]
            assert mine == sorted(mine)
        if found == [f"n{number}" for number in range(there, there + 200)]:
            break
    else:
        raise AssertionError("lines of several nodes are never in order")
    for line in tail.lines():
        number = int(texts([line])[0][1:])
        name = "web" if number % 2 else "api"
        assert line.startswith(f"{name}_{number % 3 + 1}@{NODES[number % 3]} "), line
    shop.write("node-2", "late", "of a topic that was not there")
    wait_until(lambda: "of a topic that was not there" in tail.out.read_text(), 20)
    assert tail.end() == b""
    print(f"first line after {first:.2f} s")
    assert first < 1


def test_last_lines_of_each_topic(kafka, cluster, shown):
    """Across the partitions, and though each line has a transaction of its own, whose marks take offsets too."""
    shop = cluster(kafka.bootstrap, kafka={"commit_age": "10ms", "commit_pause": "0s"})
    for number in range(60):
        shop.write(NODES[number % 3], "web", f"n{number}", ago=60 - number)
        time.sleep(0.03)
    shop.write("node-1", "api", "one", "two")
    shop.wait_shipped()
    for count in (1, 7, 60, 100):
        assert texts(shown(shop, "web", "-n", str(count))) == [f"n{number}" for number in range(60)][-count:]
    assert texts(shown(shop, "-n", "1")) == ["n59", "two"]
    assert shown(shop, "-n", "0") == []
    assert len(shown(shop)) == 62


def test_last_lines_where_few_messages_are_committed(kafka, cluster, shown, topic):
    """A partition whose end holds nothing but marks and what was aborted is read further back."""
    shop = cluster(kafka.bootstrap, nodes=NODES[:2], kafka={"partitions": 1, "commit_age": "5s"})
    shop.write("node-1", "web", *(f"n{number}" for number in range(40)))
    shop.wait_shipped()
    killed = shop.collectors["node-2"]
    shop.write("node-2", "web", *["never committed"] * 500)
    time.sleep(2)
    killed.kill()
    assert len(list(kafka.messages(f"{topic}.web", committed=False))) > 300
    (shop.directory / "node-2" / "web" / "web_2.log").unlink()
    killed.start()  # which ends what was left open
    wait_until(lambda: texts(shown(shop, "-n", "2")) == ["n38", "n39"], 30)
    assert texts(shown(shop, "-n", "41")) == [f"n{number}" for number in range(40)]


def test_since_until_and_filters(kafka, cluster, shown):
    shop = cluster(kafka.bootstrap)
    for age in (300, 200, 100):
        for node in NODES:
            shop.write(node, "web", f"GET /{age} 200", ago=age)
            shop.write(node, "api", f"level=error msg=failed-{age}", ago=age - 1, stream="stderr")
    shop.wait_shipped()
    lines = shown(shop, "--since", "250s")
    assert len(lines) == 12 and not [line for line in lines if "300" in line]
    assert len(shown(shop, "--since", "250s", "--until", "150s")) == 6
    assert len(shown(shop, "--until", "250s")) == 6
    assert len(shown(shop, "--level", "error")) == 9
    assert len(shown(shop, "--stream", "stdout", "--grep", "/[12]00")) == 6
    assert len(shown(shop, "web")) == 9
    assert len(shown(shop, "api_2")) == 3  # a container
    assert len(shown(shop, "api", "--exclude", "failed-100", "-n", "4")) == 1
    records = [json.loads(line) for line in shown(shop, "api", "--json")]
    assert {record["host"] for record in records} == set(NODES) and records[0]["service"] == "api"
    assert records == sorted(records, key=lambda record: record["time"])


def test_one_topic_for_all(kafka, cluster, shown):
    shop = cluster(kafka.bootstrap, template="all")
    for number in range(30):
        shop.write(NODES[number % 3], "web" if number % 10 else "rare", f"n{number}", ago=60 - number)
    shop.wait_shipped()
    assert texts(shown(shop, "rare", "-n", "2")) == ["n10", "n20"]
    assert texts(shown(shop, "-n", "3")) == ["n27", "n28", "n29"]


def test_what_is_not_sidetails_json_is_text(kafka, cluster, shown, topic):
    """Other formats, what others wrote, and what would harm a terminal."""
    shop = cluster(kafka.bootstrap, nodes=["node-1"], format="logfmt")
    shop.write("node-1", "web", "as logfmt")
    shop.wait_shipped()
    kafka.create_topic(f"{topic}.other", partitions=1)
    hostile = "\x1b]0;title\x07\x1b[2J\u202e<script>"
    tags = {"time": stamp(), "service": f"evil{hostile}", "stream": "stdout", "host": hostile, "container": hostile}
    produce(
        kafka, f"{topic}.other", "plain text", '{"log": 1}', '{"torn', hostile, "\udcff\udcfe", "[1]",
        json.dumps({**tags, "log": hostile}), json.dumps({**tags, "log": "x", "labels": {"a": hostile}}),
        json.dumps({**tags, "time": "9999-12-31T23:59:59Z", "log": "of the year 9999"}),
        json.dumps({"time": "yesterday", "service": "a", "stream": "stdout", "log": "b"}),
    )  # fmt: skip
    lines = shown(shop)
    assert any(re.match(r"web_1@node-1 +\| time=\S+ service=web .*msg=\"as logfmt\"", line) for line in lines), lines
    assert [line for line in lines if re.match(rf"{topic}.other +\| plain text$", line)]
    assert len(lines) == 11
    for options in ([], ["--json"], ["-t", "--color", "always"]):
        for line in shown(shop, *options):
            bare = re.sub(r"\x1b\[[0-9;]*m", "", line) if "always" in options else line
            unsafe = r"[\x00-\x08\x0b-\x1f\x7f]" if "--json" in options else r"[\x00-\x08\x0b-\x1f\x7f\u202e]"
            assert not re.search(unsafe, bare), line
    assert len(shown(shop, "--json", f"{topic}.other")) >= 6


def test_with_the_rights_to_read_alone(kafka_secure, cluster, shown, follow, topic):
    """Read and Describe of topics: no group, no transactions, nothing is written. A wrong password, and a right that is
    missing, are told once, with what to do; no secret is."""
    login = {"tls": True, "tls_ca": str(kafka_secure.tls / "ca.pem"), "sasl_mechanism": "SCRAM-SHA-512",
             "sasl_username": "sidetail", "sasl_password": "sidetail-secret"}  # fmt: skip
    shop = cluster(kafka_secure.sasl_bootstrap, kafka=login)
    shop.write("node-1", "web", "hello")
    shop.wait_shipped()
    before = kafka_secure.topics()

    def configure(**kafka):
        shop.path.write_text(json.dumps({"kafka": {**shop.kafka, **kafka}}))

    def refused(*arguments):
        tail = follow("--kafka", "-c", str(shop.path), *arguments)
        said = tail.process.communicate(timeout=30)[1].decode()
        assert tail.process.returncode == 1 and tail.lines() == [] and "secret" not in said and "wrong-one" not in said
        return said

    def grant(*operations):
        what = [word for operation in operations for word in ("--operation", operation)]
        kafka_secure.tool("acls", "--add", "--allow-principal", "User:nobody", *what, "--topic", f"{topic}.web")

    configure(sasl_password="wrong-one")
    said = refused()
    assert said.count("\n") == 1 and "check " in said and "the user and the password" in said, said
    configure(sasl_username="nobody", sasl_password="nobody-secret")
    assert "grant Read and Describe" in refused("-F")
    grant("Describe")
    said = refused("-F")
    assert said.count(f"topic {topic}.web may not be read: grant Read on it") == 1, said
    grant("Read")
    assert texts(shown(shop)) == ["hello"]
    assert kafka_secure.topics() == before
    assert "sidetail" not in kafka_secure.tool("groups", "--list")


def test_rights_that_come_and_go(kafka_secure, cluster, follow, topic):
    """Read is taken away and given back while it follows: told once, what was shown stays, and nothing is missed or doubled."""
    login = {"tls": True, "tls_ca": str(kafka_secure.tls / "ca.pem"), "sasl_mechanism": "SCRAM-SHA-512",
             "sasl_username": "sidetail", "sasl_password": "sidetail-secret"}  # fmt: skip
    shop = cluster(kafka_secure.sasl_bootstrap, nodes=NODES[:1], kafka=login)
    shop.write("node-1", "web", "one")
    shop.wait_shipped()
    shop.path.write_text(json.dumps({"kafka": {**shop.kafka, "sasl_username": "nobody", "sasl_password": "nobody-secret"}}))
    right = ("--allow-principal", "User:nobody", "--topic", f"{topic}.web")
    kafka_secure.tool("acls", "--add", *right, "--operation", "Read", "--operation", "Describe")
    tail = follow("--kafka", "-c", str(shop.path))
    wait_until(lambda: texts(tail.lines()) == ["one"], 20)
    kafka_secure.tool("acls", "--remove", "--force", *right, "--operation", "Read")
    kafka_secure.tool("acls", "--add", *right, "--operation", "Describe")
    wait_until(lambda: "may not be read" in said(tail), 30)
    shop.write("node-1", "web", "two")
    shop.wait_shipped()
    time.sleep(8)  # it is tried again, and refused
    assert tail.process.poll() is None and texts(tail.lines()) == ["one"]
    kafka_secure.tool("acls", "--add", *right, "--operation", "Read")
    wait_until(lambda: texts(tail.lines()) == ["one", "two"], 30)
    assert said(tail).count("\n") == 1, tail.said
    tail.end()


def produce_lines(kafka, topic, count, line):
    """line(NUMBER): members beside the time, the service and the stream; a millisecond apart, before now."""
    began = datetime.now(timezone.utc) - timedelta(seconds=count / 1000 + 60)
    values = []
    for number in range(count):
        at = (began + timedelta(milliseconds=number)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        values.append(json.dumps({"time": at, "service": "job", "stream": "stdout", **line(number)}))
    kafka.create_topic(topic, partitions=1)
    run("kcat", "-P", "-b", kafka.bootstrap, "-t", topic, "-p", "0", input="\n".join(values) + "\n")


def test_last_lines_of_many_containers(kafka, cluster, shown, topic):
    """However many write to a partition in turn, and whatever they take."""
    shop = cluster(kafka.bootstrap, nodes=[])
    produce_lines(kafka, f"{topic}.job", 20000,
                  lambda number: {"container": f"job_{number % 1000}", "log": f"n{number} {'x' * 300}"})  # fmt: skip
    for count in (3000, 10):
        found = [text.split()[0] for text in texts(shown(shop, "-n", str(count)))]
        assert found == [f"n{number}" for number in range(20000 - count, 20000)]


@pytest.mark.figures
def test_many_short_lived_containers(kafka, cluster, topic, binary):
    """A container for each line: memory does not grow with them, whether somebody reads or not."""
    shop = cluster(kafka.bootstrap, nodes=[])
    count = 250000
    produce_lines(kafka, f"{topic}.job", count, lambda number: {"container": f"job_{number}", "log": f"n{number}"})
    command = [binary, "tail", "--kafka", "-c", shop.path, "-F", "-n", "all"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tail:
        time.sleep(4)

        def most():
            return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{tail.pid}/status").read())[1]) // 1024

        unread, seen = most(), 0
        for line in tail.stdout:
            assert line.rstrip().endswith(f"| n{seen}"), line
            seen += 1
            if seen == count - 1000:
                read = most()
        assert seen == count
    print(f"{unread} MB while nobody reads, {read} MB at the end")
    assert unread < 120 and read < 140


def test_who_reads_late_sees_all(kafka, cluster, topic, binary):
    """What is fetched while nobody reads, and comes when all before it has been taken, is not left where it is."""
    shop = cluster(kafka.bootstrap, nodes=[])
    kafka.create_topic(f"{topic}.job", partitions=1)
    line = lambda text: json.dumps({"time": stamp(), "service": "job", "stream": "stdout", "log": text})
    produce(kafka, f"{topic}.job", line("ready"))
    with subprocess.Popen([binary, "tail", "--kafka", "-c", shop.path], stdout=subprocess.PIPE) as tail:
        out = tail.stdout.fileno()
        shown = os.read(out, 1 << 16)
        for first in (0, 60):
            values = "".join(f"{line(f'n{number} ' + 'x' * 20000)}\n" for number in range(first, first + 60))
            run("kcat", "-P", "-b", kafka.bootstrap, "-t", f"{topic}.job", "-p", "0", input=values)
            time.sleep(3)
        while shown.count(b"\n") < 121 and select.select([out], [], [], 10)[0]:
            shown += os.read(out, 1 << 16)
        tail.kill()
    found = [text.split()[0] for text in texts(shown.decode().splitlines())]
    assert found == ["ready"] + [f"n{number}" for number in range(120)]


def test_until_soon_with_much_to_read(kafka, cluster, topic, binary):
    """A time that comes while the past is still being read cuts nothing off, of that or of what came up to then."""
    shop = cluster(kafka.bootstrap, nodes=[])
    produce_lines(kafka, f"{topic}.job", 20000, lambda number: {"log": f"n{number} {'x' * 300}"})
    command = [binary, "tail", "--kafka", "-c", shop.path, "-n", "all", "--until", stamp(-6)]
    line = lambda text: json.dumps({"time": stamp(), "service": "job", "stream": "stdout", "log": text})
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tail:
        time.sleep(2)
        values = "\n".join(line(f"n{number} {'x' * 300}") for number in range(20000, 60000))
        run("kcat", "-P", "-b", kafka.bootstrap, "-t", f"{topic}.job", "-p", "0", input=values)
        time.sleep(9)
        produce(kafka, f"{topic}.job", line("after"))
        lines = tail.stdout.read().decode().splitlines()
        assert tail.wait(10) == 0
    assert [text.split()[0] for text in texts(lines)] == [f"n{number}" for number in range(60000)]


def test_who_is_not_there(kafka, cluster, follow, topic):
    """Names and projects of which there is no line are told, once all is read."""
    shop = cluster(kafka.bootstrap, nodes=[])
    produce_lines(kafka, f"{topic}.job", 5, lambda number: {"log": f"n{number}"})

    def shown_and_said(*arguments):
        tail = follow("--kafka", "-c", str(shop.path), "-F", *arguments)
        text = tail.process.communicate(timeout=30)[1].decode()
        return tail.process.returncode, len(tail.lines()), text

    assert shown_and_said("nosuch") == (1, 0, 'sidetail tail: no line of "nosuch"\n')
    assert shown_and_said("nosuch", "job") == (0, 5, 'sidetail tail: no line of "nosuch"\n')
    assert shown_and_said("-p", "none") == (1, 0, "sidetail tail: no line of this project or with this label\n")
    assert shown_and_said("job") == (0, 5, "")
    tail = follow("--kafka", "-c", str(shop.path), "nosuch")
    wait_until(lambda: "yet: waiting for one" in said(tail), 20)
    produce(kafka, f"{topic}.job", json.dumps({"time": stamp(), "service": "nosuch", "stream": "stdout", "log": "here"}))
    wait_until(lambda: texts(tail.lines()) == ["here"], 20)
    tail.end()


def test_what_lines_came_with(kafka, cluster, shown, topic):
    """Members that sidetail tail knows nothing of, the level, and a service or host without a name."""
    shop = cluster(kafka.bootstrap, nodes=[])
    kafka.create_topic(f"{topic}.web", partitions=1)
    line = {"time": stamp(), "service": "web", "level": "error", "stream": "stdout", "message": {"a": [1]}, "log": "x", "more": 1}
    produce(kafka, f"{topic}.web", json.dumps(line), json.dumps({**line, "level": "info", "log": "level=error"}),
            json.dumps({**line, "service": "", "host": "", "log": "nobody's"}))  # fmt: skip
    produce(kafka, f"{topic}.web", "piece", headers=("partial=true", "service=raw", "host="))
    produce(kafka, f"{topic}.web", "long", headers=(f"service={'x' * 20000}",))
    assert json.loads(shown(shop, "--json")[0]) == line
    assert texts(shown(shop, "web", "--level", "warn")) == ["x"]
    lines = shown(shop)
    assert [re.split(r" +\| ", line) for line in lines[2:]] == [
        [f"{topic}.web", "nobody's"], ["raw", "piece…"], ["x" * 128 + "…", "long"]]  # fmt: skip


def test_nothing_to_read_from(kafka, cluster, follow, topic):
    shop = cluster(kafka.bootstrap, nodes=[])
    tail = follow("--kafka", "-c", str(shop.path), "-F")
    said = tail.process.communicate(timeout=20)[1].decode()
    assert tail.process.returncode == 1 and f"{topic}.{{service}}" in said and said.count("\n") == 1, said
    shop.path.write_text(json.dumps({"kafka": {**shop.kafka, "brokers": "127.0.0.1:9"}}))
    tail = follow("--kafka", "-c", str(shop.path))
    said = tail.process.communicate(timeout=20)[1].decode()
    assert tail.process.returncode == 1 and "refused" in said and "check kafka.brokers" in said and said.count("\n") == 1
    controller = f"{kafka.bootstrap.split(':')[0]}:{int(kafka.bootstrap.split(':')[1]) + 1}"
    shop.path.write_text(json.dumps({"kafka": {**shop.kafka, "brokers": controller}}))
    began = time.monotonic()
    tail = follow("--kafka", "-c", str(shop.path))
    said = tail.process.communicate(timeout=20)[1].decode()
    assert tail.process.returncode == 1 and "controller" in said and said.count("\n") == 1, said
    assert time.monotonic() - began < 5
    tail = follow("--kafka")
    said = tail.process.communicate(timeout=20)[1].decode()
    assert tail.process.returncode == 1 and "kafka.brokers is not set" in said
    tail = follow("--kafka", "--files")
    assert tail.process.wait(20) == 2


def test_goes_on_when_the_broker_comes_back(new_kafka, cluster, follow):
    kafka = new_kafka()
    shop = cluster(kafka.bootstrap)
    shop.write("node-1", "web", "before")
    shop.wait_shipped()
    tail = follow("--kafka", "-c", str(shop.path))
    wait_until(lambda: texts(tail.lines()) == ["before"], 20)
    kafka.kill()
    shop.write("node-2", "web", "while it is down")
    time.sleep(5)
    assert tail.process.poll() is None
    kafka.restart()
    wait_until(lambda: texts(tail.lines()) == ["before", "while it is down"], 60)
    wait_until(lambda: "again" in said(tail), 20)  # the next look for topics may come later than the line
    text = said(tail) + tail.end().decode()
    assert text.count("answers:") == 1 and text.count("Kafka answers again") == 1, text
