"""Fixtures of the integration tests. Run by tests/run.sh, or: python3 -m pytest tests/integration"""

import os
import shutil
import sys
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lib import engine as engines  # noqa: E402
from lib import image as images  # noqa: E402
from lib import logwriter as logwriters  # noqa: E402
from lib.kafka import Kafka  # noqa: E402
from lib.proxy import Proxy  # noqa: E402
from lib.sidetail import Sidetail  # noqa: E402
from lib.system import BINARY, in_ci, unavailable  # noqa: E402
from lib.tail import Follower  # noqa: E402


def pytest_sessionfinish(session, exitstatus):
    """Leaves the numbers of passed, failed and skipped tests in the file that tests/run.sh names. Under CI=true a test
    that was skipped is a test that failed."""
    if hasattr(session.config, "workerinput"):
        return  # one of several processes (pytest -n): the one that started it counts
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    count = {name: len(found) for name, found in reporter.stats.items()}
    skipped = count.get("skipped", 0) + count.get("xfailed", 0)
    if "TEST_COUNTS" in os.environ:
        failed = count.get("failed", 0) + count.get("error", 0) + count.get("xpassed", 0)
        Path(os.environ["TEST_COUNTS"]).write_text(f"{count.get('passed', 0)} {failed} {skipped}\n")
    if in_ci() and exitstatus == 0 and skipped:
        session.exitstatus = 1


@pytest.fixture(scope="session")
def logwriter(tmp_path_factory):
    """The log writer as a program of this machine: starts a Writer, ends it when the session does."""
    if not shutil.which("make"):
        unavailable("make is missing: tests/setup/install.sh build")
    return logwriters.build(tmp_path_factory.mktemp("logwriter"))


@pytest.fixture
def write_file(logwriter):
    """write_file(file=PATH, id=..., count=...): a log writer on this machine, ended with the test."""
    started = []

    def start(**options):
        started.append(logwriters.Writer(logwriter, **options))
        return started[-1]

    yield start
    for writer in started:
        writer.close()


@pytest.fixture(scope="session")
def session_engine():
    try:
        return engines.start()
    except (AssertionError, OSError) as fault:
        unavailable(f"no Docker Engine: {fault}")


@pytest.fixture
def engine(session_engine):
    """This machine's Engine; containers started through it are gone after the test."""
    mine = engines.Engine()
    yield mine
    mine.remove_all()


@pytest.fixture
def proxy(engine):
    """A proxy before this machine's Engine."""
    one = Proxy(f"/tmp/sidetail-{uuid.uuid4().hex[:12]}.sock")  # short: a socket's path has 107 bytes at most
    yield one
    one.close()
    os.unlink(one.path)


@pytest.fixture
def follow(tmp_path):
    """follow(ARGUMENT...): `sidetail tail` at work, ended with the test."""
    started = []

    def start(*arguments, **options):
        started.append(Follower(tmp_path, *arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def image(session_engine):
    """The image of the Dockerfile, built."""
    return images.build()


def cluster(**options):
    try:
        return Kafka(**options)
    except (AssertionError, OSError) as fault:
        unavailable(f"no Kafka: {fault}")


@pytest.fixture(scope="session")
def kafka():
    """One broker, shared: take topic names of your own."""
    started = cluster()
    yield started
    started.close()


@pytest.fixture(scope="module")
def kafka3():
    """Three brokers."""
    started = cluster(brokers=3)
    yield started
    started.close()


@pytest.fixture(scope="module")
def kafka_secure():
    """One broker with TLS and SASL/SCRAM listeners as well."""
    started = cluster(tls_sasl=True)
    yield started
    started.close()


@pytest.fixture(scope="module")
def kafka_3():
    """One broker of the last version before Kafka 4."""
    started = cluster(version="3.9.1")
    yield started
    started.close()


@pytest.fixture(scope="module")
def kafka_4_secure():
    """The same of Kafka 4, to which librdkafka logs in by SCRAM from 2.6.1 on: for the image, whose library is new enough."""
    started = cluster(tls_sasl=True, version="4.3.1")
    yield started
    started.close()


@pytest.fixture
def new_kafka():
    """new_kafka(brokers=1, ...): a cluster for one test, which may break it."""
    started = []

    def start(**options):
        started.append(cluster(**options))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def swarm(session_engine):
    """Three nodes, which get their images from this machine's Engine."""
    try:
        started = engines.Swarm()
    except (AssertionError, OSError) as fault:
        unavailable(f"no swarm: {fault}")
    yield started
    started.down()


@pytest.fixture(scope="session")
def binary():
    if not BINARY.exists():
        unavailable(f"{BINARY} is missing: run make")
    return BINARY


@pytest.fixture
def sidetail(binary, tmp_path):
    """sidetail(config, env=..., name=...): a Sidetail that is not started yet, killed at the test's end."""
    made = []

    def make(config=None, name=None, **options):
        directory = tmp_path / (name or f"sidetail{len(made) or ''}")
        directory.mkdir(parents=True, exist_ok=True)
        made.append(Sidetail(directory, config, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
    for one in made:
        one.assert_no_sanitizer_fault()


@pytest.fixture
def files(sidetail, tmp_path):
    """files(**config): a Sidetail that follows PATH/{service}/*.log; .logs is PATH."""

    def make(**config):
        logs = tmp_path / "logs"
        (logs / "web").mkdir(parents=True, exist_ok=True)
        collector = sidetail({"source": "files", "files": {"include": [f"{logs}/{{service}}/*.log"]}, **config})
        collector.logs = logs
        return collector

    return make
