"""A real Kafka for tests, by tests/setup/kafka.sh, and reading it back with kcat."""

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

from .system import SETUP, STATE, PortRange, run


class Message:
    """One message as kcat shows it; `value` and `key` are text, `headers` name=value joined by commas."""

    __slots__ = ("topic", "partition", "offset", "timestamp", "key", "headers", "value")

    def __init__(self, line):
        self.topic, partition, offset, timestamp, self.key, self.headers, self.value = line.split("\t", 6)
        self.partition = int(partition)
        self.offset = int(offset)
        self.timestamp = int(timestamp)


class KafkaReader:
    """Reads what a broker holds, whoever has started it."""

    FORMAT = r"%t\t%p\t%o\t%T\t%k\t%h\t%s\n"

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def topics(self):
        """The names of all topics but Kafka's own."""
        listing = self._kcat("-L").stdout
        names = re.findall(r'^  topic "([^"]+)" with', listing, re.M)
        return [name for name in names if not name.startswith("__")]

    def _kcat(self, *arguments, **options):
        return run("kcat", "-b", self.bootstrap, "-m", "15", *arguments, **options)

    def messages(self, *patterns, committed=True, timeout=180):
        """Every Message in the topics whose whole name matches one of the regular expressions, partition by partition
        in order; by default only of transactions that were committed."""
        isolation = "read_committed" if committed else "read_uncommitted"
        for topic in self.topics():
            if not any(re.fullmatch(pattern, topic) for pattern in patterns):
                continue
            done = self._kcat(
                "-C", "-q", "-e", "-t", topic, "-o", "beginning", "-f", self.FORMAT,
                # A topic that is written to at leisure has an end only for who does not wait long for more.
                "-X", f"isolation.level={isolation}", "-X", "check.crcs=true", "-X", "fetch.wait.max.ms=50",
                timeout=timeout, errors="surrogateescape",
            )  # fmt: skip
            # Not splitlines(): a text may hold U+2028 and its like, which end no message.
            for line in done.stdout.split("\n")[:-1]:
                yield Message(line)


class Kafka(KafkaReader):
    """A cluster of its own, on ports that were free."""

    def __init__(self, brokers=1, tls_sasl=False, version=None, hosts=(), settings=None):
        self.ports = PortRange(50)
        self.port_base = self.ports.base
        self.directory = Path(STATE) / f"kafka-{self.port_base}"
        options = ["--brokers", str(brokers)]
        if tls_sasl:
            options.append("--tls-sasl")
        if version:
            options += ["--version", version]
        for host in hosts:
            options += ["--host", host]
        for key, value in (settings or {}).items():
            options += ["--set", f"{key}={value}"]
        self._script("start", *options)
        self.env = dict(line.split("=", 1) for line in self._script("env").splitlines())
        super().__init__(self.env["KAFKA_BOOTSTRAP"])
        self.host_bootstrap = self.env["KAFKA_HOST_BOOTSTRAP"]
        self.tls_bootstrap = self.env.get("KAFKA_TLS_BOOTSTRAP")
        self.sasl_bootstrap = self.env.get("KAFKA_SASL_BOOTSTRAP")
        self.tls = self.directory / "tls"

    def _script(self, *command, check=True):
        options = ("--dir", self.directory, "--port-base", self.port_base)
        return run(SETUP / "kafka.sh", *options, *command, check=check, timeout=300).stdout

    def in_sync(self):
        """Whether each partition has all of its replicas in sync."""
        replicas = re.findall(r"replicas: ([\d,]+), isrs: ([\d,]*)", self._kcat("-L").stdout)
        return bool(replicas) and all(set(every.split(",")) == set(those.split(",")) for every, those in replicas)

    def kill(self, broker=1):
        """kill -9."""
        self._script("kill", broker)

    def stop(self, broker=1):
        """In order."""
        self._script("stop", broker)

    def restart(self, broker=1):
        """Starts it (again) and waits until it answers."""
        self._script("restart", broker)

    def freeze(self, broker=1):
        self._script("freeze", broker)

    def thaw(self, broker=1):
        self._script("thaw", broker)

    def tool(self, name, *arguments, check=True):
        """One of Kafka's own tools: topics, acls, configs, groups, transactions, offsets."""
        return self._script("tool", name, *arguments, check=check)

    def sign(self, name, directory):
        """A client's key and certificate by the cluster's CA, for CN=NAME: NAME.key and NAME.pem in the directory."""
        key, request, certificate = (directory / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", f"/CN={name}", "-keyout", key, "-out", request)  # fmt: skip
        run("openssl", "x509", "-req", "-in", request, "-CA", self.tls / "ca.pem", "-CAkey", self.tls / "ca.key",
            "-CAcreateserial", "-days", 10, "-out", certificate)  # fmt: skip

    def create_topic(self, topic, partitions=3, **config):
        options = []
        for key, value in config.items():
            options += ["--config", f"{key.replace('_', '.')}={value}"]
        self.tool("topics", "--create", "--topic", topic, "--partitions", partitions, *options)

    def produce(self, topic, partition, records, **properties):
        """Messages of (key, value) each; text without tabs and newlines. With transactional_id in a transaction, and who
        has that name is fenced off."""
        options = [part for key, value in properties.items() for part in ("-X", f"{key.replace('_', '.')}={value}")]
        text = "".join(f"{key}\t{value}\n" for key, value in records)
        self._kcat("-P", "-t", topic, "-p", partition, "-K", "\t", *options, input=text)

    def add_partitions(self, topic, partitions):
        """Until there are so many."""
        self.tool("topics", "--alter", "--topic", topic, "--partitions", partitions)

    @contextlib.contextmanager
    def open_transaction(self, topic, partition, key, timeout_ms=60000):
        """A transaction with messages of that key, which is open meanwhile and committed then."""
        command = ["kcat", "-b", self.bootstrap, "-P", "-t", topic, "-p", str(partition), "-K", "\t",
                   "-X", f"transactional.id=open-{key}", "-X", f"transaction.timeout.ms={timeout_ms}", "-X", "linger.ms=0"]  # fmt: skip
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            process.stdin.write(f"{key}\topen\n" * 10000)  # kcat reads in blocks
            process.stdin.flush()
            yield

    def delete_topic(self, topic):
        self.tool("topics", "--delete", "--topic", topic)

    def close(self):
        self._script("stop", check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.ports.release()
