"""The Kafka sink before TLS, SASL and access rights, and what is said before anything runs."""

import shutil
import time

import pytest
from lib.kafka_sink import lines_out, wait_lines_out, warnings
from lib.system import run, wait_until


# Login


def secure(kafka_secure, user="sidetail", mechanism="SCRAM-SHA-512", **more):
    return {
        "brokers": kafka_secure.sasl_bootstrap,
        "tls": True,
        "tls_ca": str(kafka_secure.tls / "ca.pem"),
        "sasl_mechanism": mechanism,
        "sasl_username": user,
        "sasl_password": f"{user}-secret",
        **more,
    }


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
def test_sasl_over_tls(engine, kafka_secure, collector, reader, mechanism):
    read = reader(kafka_secure)
    engine.write("web", service="web", count=500).wait()
    one = collector(kafka_secure, kafka=secure(kafka_secure, mechanism=mechanism)).start()
    wait_lines_out(one, 500)
    one.stop_cleanly()
    read.expect("web", total=500)
    read.wait(one).assert_exactly_once()
    assert "sidetail-secret" not in one.stderr()


def test_client_certificate_and_secret_files(engine, kafka_secure, collector, reader, tmp_path):
    """TLS with a certificate of its own; then a password that comes from a file, as Docker's secrets do."""
    read = reader(kafka_secure)
    engine.write("web", service="web", count=300).wait()
    tls = kafka_secure.tls
    files = {"tls_ca": tls / "ca.pem", "tls_cert": tls / "client.pem", "tls_key": tls / "client.key"}
    settings = {"brokers": kafka_secure.tls_bootstrap, "tls": True, **{key: str(path) for key, path in files.items()}}
    one = collector(kafka_secure, kafka=settings).start()
    wait_lines_out(one, 300)
    one.stop_cleanly()
    (tmp_path / "password").write_text("sidetail-secret\n")
    settings = secure(kafka_secure)
    del settings["sasl_password"]
    engine.write("late", service="late", count=300).wait()
    two = collector(
        kafka_secure, name="two", kafka=settings, env={"SIDETAIL_KAFKA_SASL_PASSWORD_FILE": tmp_path / "password"}
    ).start()
    wait_lines_out(two, 300)
    two.stop_cleanly()
    read.expect("web", total=300)
    read.expect("late", total=300)
    read.wait(two).assert_exactly_once()


def test_wrong_password_is_told_and_mended(engine, kafka_secure, collector):
    one = collector(kafka_secure, kafka=secure(kafka_secure, sasl_password="wrong-one")).start()
    one.wait_stderr("Kafka takes nothing now.*[Aa]uthentication")
    time.sleep(1)
    assert one.running
    assert "wrong-one" not in one.stderr()
    one.kill()


def test_no_right_to_make_the_topic(engine, kafka_secure, collector, reader, topic):
    """Said once; lines wait, and go on when the topic is there. (User `nobody` may do what is granted here.)"""
    kafka_secure.tool(
        "acls", "--add", "--allow-principal", "User:nobody", "--operation", "All",
        "--topic", f"{topic}-positions", "--transactional-id", f"sidetail-{topic}",
    )  # fmt: skip
    read = reader(kafka_secure)
    engine.write("web", service="web", count=300).wait()
    one = collector(kafka_secure, kafka=secure(kafka_secure, user="nobody")).start()
    one.wait_stderr("a topic is not ready.*grant|a topic is not ready.*uthoriz")
    time.sleep(3)
    assert one.running and lines_out(one) == 0
    assert one.stderr().count("a topic is not ready") == 1
    kafka_secure.create_topic(f"{topic}.web")
    kafka_secure.tool(
        "acls", "--add", "--allow-principal", "User:nobody", "--operation", "Write", "--operation", "Describe",
        "--topic", f"{topic}.web",
    )  # fmt: skip
    wait_lines_out(one, 300)
    one.stop_cleanly()
    read.expect("web", total=300)
    read.wait(one).assert_exactly_once()


def test_no_right_to_write(kafka_secure, sidetail, topic, tmp_path):
    """Neither to the positions topic nor to the lines' one: it is told at once, not when a transaction times out, once,
    and with its reason; and when the right is granted, lines go on."""

    def grant(name, *operations):
        what = [word for operation in operations for word in ("--operation", operation)]
        kafka_secure.tool("acls", "--add", "--allow-principal", "User:nobody", *what, "--topic", name)

    positions = f"{topic}-positions"
    for name in (topic, positions):
        kafka_secure.create_topic(name, cleanup_policy="compact" if name == positions else "delete")
        grant(name, "Read", "Describe", "DescribeConfigs")
    kafka_secure.tool(
        "acls", "--add", "--allow-principal", "User:nobody", "--operation", "All",
        "--transactional-id", f"sidetail-{topic}", "--resource-pattern-type", "prefixed",
    )  # fmt: skip
    (tmp_path / "web.log").write_text("one\n")
    settings = {
        "source": "files",
        "files": {"include": [str(tmp_path / "*.log")]},
        "sink": "kafka",
        "kafka": secure(kafka_secure, user="nobody", topic=topic, identity=topic, positions_topic=positions),
    }
    one = sidetail(settings).start()
    one.wait_stderr(f"Kafka takes nothing now.*topic {positions}: .*authorization failed.*grant Write", timeout=10)
    time.sleep(3)
    assert one.stderr().count("Kafka takes nothing now") == 1
    grant(positions, "Write")
    one.wait_stderr(rf'Kafka takes nothing now.*\\"{topic}\\".*authorization failed.*grant Write', timeout=20)
    grant(topic, "Write")
    wait_lines_out(one, 1)
    one.stop_cleanly()
    assert one.stderr().count("Kafka takes nothing now") == 2


def test_rights_taken_away_and_given_back(kafka_secure, flowing, topic):
    """Each that is missing is told once, and lines go on when it is there."""
    ids = ("--transactional-id", f"sidetail-{topic}", "--resource-pattern-type", "prefixed")
    rights = {
        f"{topic}.web.*; grant Write on it": ("--topic", f"{topic}.web"),
        f"{topic}-positions.*; grant Write on it": ("--topic", f"{topic}-positions"),
        "; grant Write and Describe on transactional ids": ids,
    }
    kafka_secure.tool("acls", "--add", "--allow-principal", "User:nobody", "--topic", topic, *ids, "--operation", "All")

    def changing(one):
        for number, (told, what) in enumerate(rights.items()):
            denied = ("--deny-principal", "User:nobody", *what, "--operation", "Write")
            kafka_secure.tool("acls", "--add", *denied)
            one.wait_stderr(f"Kafka takes nothing now.*{told}", 40)
            time.sleep(2)
            assert len(warnings(one)) == number + 1
            kafka_secure.tool("acls", "--remove", "--force", *denied)
            wait_lines_out(one, lines_out(one) + 1, timeout=40)

    one = flowing(kafka_secure, changing, kafka=secure(kafka_secure, user="nobody"))
    assert len(warnings(one)) == len(rights)


# Certificates


@pytest.fixture
def renewable(kafka_secure, topic, tmp_path):
    """A client's certificate, which is renewed: settings, and renew(NAME, KINDS) for who it is for from now on. What it is
    for tells which one is in use."""
    names = ("one", "two", "three")
    who = [part for name in names for part in ("--allow-principal", f"User:CN={name}")]
    ids = ("--transactional-id", f"sidetail-{topic}", "--resource-pattern-type", "prefixed")
    kafka_secure.tool("acls", "--add", *who, "--topic", topic, *ids, "--operation", "All")
    for name in names:
        kafka_secure.sign(name, tmp_path)

    def renew(name, kinds=("pem", "key")):
        for kind in kinds:
            shutil.copy(tmp_path / f"{name}.{kind}", tmp_path / "new")
            (tmp_path / "new").replace(tmp_path / f"client.{kind}")

    def deny(name):
        kafka_secure.tool("acls", "--add", "--deny-principal", f"User:CN={name}", "--topic", topic, *ids, "--operation", "All")

    renew("one")
    files = {"tls_ca": kafka_secure.tls / "ca.pem", "tls_cert": tmp_path / "client.pem", "tls_key": tmp_path / "client.key"}
    settings = {"brokers": kafka_secure.tls_bootstrap, "tls": True, **{key: str(path) for key, path in files.items()}}
    return settings, renew, deny


def test_certificate_renewed(kafka_secure, flowing, renewable):
    """It is taken up amid lines, without a restart; also one whose key comes later, which is told."""
    settings, renew, deny = renewable
    taken_up = "taking up the files of TLS, which were renewed"

    def changing(one):
        renew("two")
        one.wait_stderr(taken_up)
        deny("one")
        assert warnings(one) == []
        renew("three", ["pem"])
        one.wait_stderr("the files of TLS were changed, and are of no use.*key values mismatch")
        wait_lines_out(one, lines_out(one) + 3000)
        renew("three", ["key"])
        one.wait_stderr(f"(?s){taken_up}.*{taken_up}")
        deny("two")

    one = flowing(kafka_secure, changing, kafka=settings)
    assert len(warnings(one)) == 1
    assert one.stderr().count(taken_up) == 2
    assert "beginning anew" not in one.stderr()


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_certificate_renewed_while_there_is_nothing_to_send(engine, kafka_secure, collector, reader, renewable, delivery):
    """It is taken up before the next line: the old one may be of no use any more. What was written within the last
    second is not taken for whole."""
    settings, renew, deny = renewable
    read = reader(kafka_secure)
    one = collector(kafka_secure, kafka={**settings, "delivery": delivery}).start()
    engine.write("web", service="web", count=100).wait()
    wait_lines_out(one, 100)
    renew("two")
    time.sleep(1.2)
    deny("one")
    engine.write("late", service="web", count=100)
    wait_lines_out(one, 200)
    assert warnings(one) == [] and one.stderr().count("taking up the files of TLS") == 1
    one.stop_cleanly()
    for name in ("web", "late"):
        read.expect(name, total=100, tags={"service": "web"})
    read.wait(one).assert_exactly_once()


# What is said before anything runs


def check_connect(made):
    made.command = ["check", "--connect"]
    made.start()
    code = made.wait(60)
    return code, made.stdout_path.read_text() + made.stderr()


def test_check_connect(kafka, kafka_secure, collector, topic):
    code, said = check_connect(collector(kafka))
    assert code == 0 and "FAIL" not in said and said.count("ok ") >= 4, said
    assert topic not in " ".join(kafka.topics())  # nothing was made
    code, said = check_connect(collector(kafka, name="down", kafka={"brokers": "127.0.0.1:9"}))
    assert code == 1 and "refused" in said and "check kafka.brokers" in said
    code, said = check_connect(
        collector(kafka_secure, name="login", kafka=secure(kafka_secure, sasl_password="wrong-one"))
    )
    assert code == 1 and "password" in said and "wrong-one" not in said
    # With an older librdkafka the password may be right and the broker too new, and it says so.
    version = run("pkg-config", "--modversion", "rdkafka").stdout
    assert ("2.6.1" in said) == (tuple(map(int, version.split("."))) < (2, 6, 1))
    stranger = secure(kafka_secure, tls_ca=str(kafka_secure.tls / "stranger-ca.pem"))
    code, said = check_connect(collector(kafka_secure, name="ca", kafka=stranger))
    assert code == 1 and "kafka.tls_ca" in said


def test_check_connect_tells_of_missing_rights(kafka_secure, collector, topic):
    kafka_secure.create_topic(f"{topic}.web")
    code, said = check_connect(collector(kafka_secure, kafka=secure(kafka_secure, user="nobody")))
    assert code == 1 and "transactions" in said and "grant" in said, said
    assert f"on TransactionalIds with the prefix sidetail-{topic} (prefixed, not literal" in said
    code, said = check_connect(collector(kafka_secure, name="may", kafka=secure(kafka_secure)))
    assert code == 0 and "may be written to" in said, said
    assert f"positions topic {topic}-positions: whether it may be used" in said and "grant Write and Read on it" in said
    assert list(kafka_secure.messages(f"{topic}.web", committed=False)) == []


def test_topics_that_lose_what_they_hold_are_told_of(engine, kafka, collector, topic):
    """Compaction would drop lines, and old segments positions: check says so, and so does a collector, once."""
    kafka.create_topic(f"{topic}.web", cleanup_policy="compact")
    kafka.create_topic(f"{topic}-positions", cleanup_policy="compact,delete")
    code, said = check_connect(collector(kafka, kafka={"topic": f"{topic}.web"}))
    assert code == 1 and "FAIL" in said and said.count("cleanup.policy is ") == 2, said
    one = collector(kafka, name="one", kafka={"topic": f"{topic}.web"}).start()
    engine.write("web", service="web", count=10).wait()
    wait_lines_out(one, 10)
    one.stop_cleanly()
    assert one.stderr().count("set cleanup.policy=compact") == one.stderr().count("set cleanup.policy=delete") == 1


def test_check_connect_leaves_a_running_collector_alone(engine, kafka, collector):
    one = collector(kafka).start()
    engine.write("web", service="web", count=100).wait()
    wait_lines_out(one, 100)
    two = collector(kafka, name="two")
    code, said = check_connect(two)
    assert code == 0, said
    engine.write("late", service="late", count=100).wait()
    wait_lines_out(one, 200)
    assert one.metrics()["sidetail_commit_errors_total"] == 0
    one.stop_cleanly()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"properties": {"acks": "1"}}, "acks may not be 1"),
        ({"properties": {"no.such.thing": "1"}}, "no.such.thing"),
        ({"properties": {"transactional.id": "x"}}, "kafka.identity"),
        ({"tls": True, "tls_ca": "/nonexistent.pem"}, "/nonexistent.pem"),
    ],
)
def test_wrong_settings_are_refused_at_start(kafka, collector, settings, complaint):
    one = collector(kafka, kafka=settings)
    one.start()
    assert one.wait() == 1 and complaint in one.stderr()
    two = collector(kafka, name="two", kafka=settings)
    two.command = ["check"]
    two.start()
    assert two.wait() == 2 and complaint in two.stderr()
