"""`format: logfmt` from Docker's logs to the sink, without an Engine: a container's directory is made by hand."""

import json

import pytest
from lib.logfmt import parse

ID = "909cac8e12615d0ea0b6d1a5b5a9a1f5d0c4e4f1b9e1a2b3c4d5e6f708192a3b"
LABELS = {"com.docker.compose.service": "web", "com.docker.compose.project": "shop", "tier": "back end"}
TIME = "2026-11-24T05:00:39.668510088Z"
TEXTS = ["GET /cart?a=1&b=2 200", "", 'say "hi" \\ <b>', "tab\tbell\x07 nul\x00 esc\x1b[0m", "größe 日本 🚀", "\x7f\u202e"]


@pytest.fixture
def container(tmp_path):
    """container(texts): one that has written them, in the directory of json_file.path."""

    def make(texts):
        directory = tmp_path / "containers" / ID
        directory.mkdir(parents=True)
        (directory / "config.v2.json").write_text(
            json.dumps({"Name": "/shop_web_1", "Config": {"Image": "web:1", "Labels": LABELS}})
        )
        # As Go writes it: what means something in HTML is escaped as well.
        lines = [json.dumps({"log": text + "\n", "stream": "stdout", "time": TIME}, ensure_ascii=False) for text in texts]
        html = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
        (directory / f"{ID}-json.log").write_text("".join(line.translate(html) + "\n" for line in lines))
        return tmp_path / "containers"

    return make


@pytest.fixture
def collected(sidetail, container, tmp_path):
    """collected(texts, **config): the output's lines, parsed."""

    def collect(texts, **config):
        base = {"json_file": {"path": str(container(texts))}, "format": "logfmt", "host": "node-1"}
        collector = sidetail({**base, "sink": "file", "file": {"path": str(tmp_path / "out.log")}, **config}).start()
        collector.wait_lines(len(texts))
        collector.stop_cleanly()
        return [parse(line) for line in collector.lines()]

    return collect


def test_every_line_parses_and_has_the_tags(collected):
    records = collected(TEXTS, labels=["tier"])
    assert [record["msg"] for record in records] == TEXTS
    for record in records:
        assert {**record, "msg": ""} == {
            "time": TIME, "service": "web", "stream": "stdout", "msg": "", "project": "shop", "container": "shop_web_1",
            "id": ID[:12], "host": "node-1", "image": "web:1", "label.tier": "back end",
        }  # fmt: skip
    assert list(records[0])[:4] == ["time", "service", "stream", "msg"]


def test_level_and_payload(collected):
    text = json.dumps({"level": "warn", "text": 'a "b"\n'})
    record = collected([text], detect_level=True, parse_json="message")[0]
    assert record["level"] == "warn" and record["msg"] == text and record["message"] == text


def test_a_cut_line_is_marked(sidetail, container, tmp_path):
    text = "é" * 20000
    collector = sidetail({"json_file": {"path": str(container([text]))}, "format": "logfmt", "line_max": "16KiB"}).start()
    collector.wait_lines(3)
    collector.stop_cleanly()
    records = [parse(line) for line in collector.lines()]
    assert [record.get("partial") for record in records] == ["true", "true", None]
    assert "".join(record["msg"] for record in records) == text


def test_a_reload_takes_up_the_format(sidetail, container):
    """Lines read before are JSON, those after it logfmt, with the same tags."""
    containers = container(["one"])
    collector = sidetail({"json_file": {"path": str(containers)}}).start()
    collector.wait_lines(1)
    collector.config["format"] = "logfmt"
    collector.reload()
    collector.wait_stderr("the configuration was reloaded")
    with open(containers / ID / f"{ID}-json.log", "a") as log:
        log.write(json.dumps({"log": "two\n", "stream": "stderr", "time": TIME}) + "\n")
    collector.wait_lines(2)
    before, after = collector.lines()
    before, after = json.loads(before), parse(after)
    assert (before.pop("log"), before.pop("stream")) == ("one", "stdout")
    assert (after.pop("msg"), after.pop("stream")) == ("two", "stderr")
    assert before == after
