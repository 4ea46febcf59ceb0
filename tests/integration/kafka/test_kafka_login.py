"""The Kafka sink before TLS, SASL and access rights, and what is said before anything runs."""

import time

import pytest
from lib.kafka_sink import lines_out, wait_lines_out
from lib.system import run


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
