"""config/config.schema.json against the parser: on examples, on a corpus, and on probes of each key."""

import json
import os
import re
import subprocess

import jsonschema
import pytest

from lib.system import BINARY, REPO, run

CONFIG = REPO / "config"
CORPUS = REPO / "tests" / "data" / "config"
SCHEMA = json.loads((CONFIG / "config.schema.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
EXAMPLES = sorted(path for path in CONFIG.glob("*.json") if path.name != "config.schema.json")


def check(path, **variables):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SIDETAIL_", "DOCKER_"))}
    return subprocess.run(
        [BINARY, "check", "-c", path], capture_output=True, text=True, env={**environment, **variables}, timeout=10
    )


def complaints(result):
    """What is on stderr besides what each override does."""
    return [line for line in result.stderr.splitlines() if not line.startswith("overrides[")]


def certificate(directory):
    path = directory / "ca.pem"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test",
        "-keyout", directory / "key.pem", "-out", path)  # fmt: skip
    return str(path)


def corpus(kind):
    paths = sorted((CORPUS / kind).glob("*.json"))
    assert paths
    return [pytest.param(path, id=path.stem) for path in paths]


def keys():
    """Path and schema of each key."""
    for name, part in SCHEMA["properties"].items():
        if name == "$schema":
            continue
        if "properties" not in part:
            yield name, part
        for below, schema in part.get("properties", {}).items():
            yield f"{name}.{below}", schema


def nested(path, value):
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def test_is_a_schema():
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid(binary, path, tmp_path):
    document = json.loads(path.read_text())
    VALIDATOR.validate(document)
    assert document["$schema"] == "./config.schema.json"
    variables = {"SIDETAIL_KAFKA_SASL_PASSWORD": "x"} if path.stem == "kafka-sasl" else {}
    if "tls_ca" in document.get("kafka", {}):  # the secret that it names is not there, and check reads it
        variables["SIDETAIL_KAFKA_TLS_CA"] = certificate(tmp_path)
    result = check(path, **variables)
    assert (result.returncode, complaints(result)) == (0, [])


README = re.findall(r"^```json\n(.*?)^```$", (CONFIG / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(README)))
def test_examples_of_the_readme_are_valid(binary, number, tmp_path):
    document = json.loads(README[number])
    VALIDATOR.validate(document)
    path = tmp_path / "c.json"
    path.write_text(README[number])
    kafka = document.get("kafka", {})
    variables = {"SIDETAIL_KAFKA_SASL_PASSWORD": "x"} if "sasl_username" in kafka else {}
    if "tls_ca" in kafka:
        variables["SIDETAIL_KAFKA_TLS_CA"] = certificate(tmp_path)
    result = check(path, **variables)
    assert (result.returncode, complaints(result)) == (0, [])


@pytest.mark.parametrize("path", corpus("valid"))
def test_both_accept(binary, path):
    VALIDATOR.validate(json.loads(path.read_text()))
    result = check(path)
    assert (result.returncode, complaints(result)) == (0, [])
    VALIDATOR.validate(json.loads(result.stdout))


@pytest.mark.parametrize("path", corpus("invalid"))
def test_both_refuse(binary, path):
    assert not VALIDATOR.is_valid(json.loads(path.read_text()))
    result = check(path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"sidetail: {path}:1:")
    assert "; expected " in result.stderr


@pytest.mark.parametrize("path", corpus("rules"))
def test_only_the_parser_can_refuse(binary, path):
    """Rules about several keys (of which the environment may give some), and bounds of values with units."""
    VALIDATOR.validate(json.loads(path.read_text()))
    assert check(path).returncode == 2


def test_defaults_are_the_schemas(binary, tmp_path):
    empty = tmp_path / "c.json"
    empty.write_text("{}")
    shown = json.loads(check(empty).stdout)
    count = 0
    for path, schema in keys():
        value = shown
        for name in path.split("."):
            value = value[name]
        assert value == schema["default"], path
        count += 1
    assert count == sum(len(part) if isinstance(part, dict) and name != "properties" else 1
                        for name, part in shown.items())  # fmt: skip


COMMON = [
    None, True, False, 0, -1, 1, 1.5, -2, 10**6, 10**12, 2**62, 5.0, "", "x", "/x", "a b", "é", "0", "5", "-5", "5s", "5S", "5 s",
    "64KiB", "64kib", "1MB", "1.5MB", "10ms", "1h", "1d", "true", "auto", "none", [], ["a"], ["a", ""], [1], "a:1", "a:1,b:2", "a:1,",
    "tcp://a:1", "unix:///s", "http://a", "a.{service}", "a.{Service}", "[::1]:1", "::1:1", {}, {"a": "b"}, {"a": 1}, {"a": {}},
]  # fmt: skip


SHORT = [None, True, 0, 1.5, "x", "5s", [], {}]


def shape(schema):
    return json.dumps({name: value for name, value in schema.items() if name not in ("description", "default")})


def probes(schema, seen):
    """All there is for the first key of a shape, a few for the others of it."""
    yield from SHORT if shape(schema) in seen else COMMON
    seen.add(shape(schema))
    yield from schema.get("enum", [])
    for part in [schema, *schema.get("anyOf", [])]:
        if part.get("type") == "integer":
            yield from (part["minimum"], part["minimum"] - 1, part["maximum"], part["maximum"] + 1)


def beyond_what_a_schema_can_say(schema, value):
    """Text with a unit whose bounds the schema only describes."""
    return isinstance(value, str) and ("anyOf" in schema or "ms|s|m|h" in schema.get("pattern", ""))


@pytest.mark.slow
def test_agree_on_each_key(binary, tmp_path):
    file = tmp_path / "c.json"
    disagreements, seen, refused, accepted = [], set(), 0, 0
    for path, schema in keys():
        for value in probes(schema, seen):
            document = nested(path, value)
            file.write_text(json.dumps(document, ensure_ascii=False))
            result = check(file)
            # A rule about several keys speaks only when each value is right by itself, and names a key first.
            by_type = result.returncode == 2 and ": found " in result.stderr
            valid = VALIDATOR.is_valid(document)
            if beyond_what_a_schema_can_say(schema, value) and valid:
                continue
            if valid == by_type:
                disagreements.append((path, value, valid, result.stderr))
            accepted += valid
            refused += not valid
    assert disagreements == []
    assert accepted > 150 and refused > 700
