"""Source docker-api through a proxy that breaks, stops and damages the streams of a real Engine."""

import os
import signal
import time

import pytest
from lib.system import wait_until
from lib.verify import Verifier, assert_collected


@pytest.fixture
def collect(engine, proxy, sidetail, tmp_path):
    def make(**more):
        config = {"source": "docker-api", "docker": {"host": proxy.host}, "sink": "file",
                  "include": {"labels": [f"sidetail.test={engine.session}"]},
                  "file": {"path": str(tmp_path / "out.json")}}  # fmt: skip
        config["docker"].update(more.pop("docker", {}))
        config.update(more)
        return sidetail(config)

    return make


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "tty"])
@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_streams_that_break(engine, proxy, collect, driver, tty):
    """The known fault of Engines: an unexpected EOF, here in the middle of anything, again and again."""
    proxy.cut = 0.004  # more, and a stream that begins again a second earlier each time gets nowhere
    s = collect().start()
    container = {"log_driver": driver, "tty": tty}
    engine.write("a", count=4000, rate=700, long_every=100, long_length=60000, stderr=0 if tty else 30, container=container)
    engine.write("b", count=2000, rate=400, no_final_newline=True, container=container)
    for seen in (200, 900, 1600, 2300, 3000):
        s.wait_lines(seen)
        proxy.snap += 1  # the dice may leave every piece alone
    assert_collected(s, a=4000, b=2000)
    assert proxy.cuts >= 5
    s.stop_cleanly()


def test_damaged_streams(engine, proxy, collect):
    """Overwritten bytes break a chunk, a frame or a time: the stream is opened again, or the line is passed on as it is."""
    proxy.damage = 0.01  # on a busy machine much comes at once, and a stream that never gets beyond what was taken waits longer and longer
    s = collect().start()
    engine.write("a", count=3000, rate=600)
    for seen in (500, 1200, 1900):
        s.wait_lines(seen)
        proxy.garble = 1  # the dice may leave every chunk's head alone
    s.wait_lines(2900)
    proxy.damage = 0
    s.wait_quiet()
    check = Verifier(foreign_ok=True)
    check.expect("a", total=3000)
    check.add_records(s.records())
    assert s.metrics()["sidetail_source_reconnects_total"] > 0
    harmed = len(check.foreign) + len(check.mangled)
    faults = [fault for fault in check.faults() if not fault.startswith("mangled")]
    lost = sum(len(sequence.missing) for sequence in check.sequences.values())
    assert lost <= harmed, faults  # what came damaged came as it was
    assert not any("doubled" in fault or "order" in fault for fault in faults), faults
    s.stop_cleanly()


def test_streams_that_hang(engine, proxy, collect):
    """They stay open and bring nothing, while their containers write: noticed by the log's last line."""
    s = collect().start()
    engine.write("a", count=4000, rate=200)
    silent = engine.run("sleep", "60", image="debian:bookworm-slim")
    s.wait_lines(200)
    proxy.hang()
    s.wait_stderr("hangs, opening it again", timeout=20)
    assert_collected(s, a=4000)
    log = s.stderr()
    assert silent.name not in log, "a silent container is no hanging stream"
    s.stop_cleanly()


@pytest.mark.parametrize("log_opts", [{"max-size": "10m", "max-file": 3}, {}], ids=["rotating", "one file"])
def test_first_bytes_take_long(engine, proxy, collect, log_opts):
    """An Engine looks through all of a large log before it sends what `since` asks for: no hanging stream, though silent."""
    s = collect().start()
    engine.write("a", count=3000, rate=300, container={"log_opts": log_opts})
    s.wait_lines(50)
    s.kill()
    proxy.slow = 3 if log_opts else 8
    s.start()
    assert_collected(s, a=3000)
    s.stop_cleanly()


def test_opening_is_bounded(engine, proxy, collect):
    """However many containers there are, docker.max_opening of their streams are opened at once."""
    for number in range(12):
        engine.write(f"c{number}", count=10, linger=60, container={"options": ["--network", "none"]})
    proxy.delay = 0.2
    begun = time.monotonic()
    s = collect(docker={"max_opening": 3}).start()
    assert_collected(s, **{f"c{number}": 10 for number in range(12)})
    assert proxy.most_opening == 3
    assert time.monotonic() - begun > 12 / 3 * 0.2
    s.stop_cleanly()


def test_reload_while_ending(engine, sidetail):
    """HUP comes while the sink still has batches: the source is stopped, and can take up nothing."""
    engine.write("a", count=5000).wait()
    s = sidetail({"source": "docker-api", "include": {"labels": [f"sidetail.test={engine.session}"]}})
    os.mkfifo(s.stdout_path)
    with open(os.open(s.stdout_path, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        s.start()
        s.wait_stderr("msg=collecting")
        wait_until(lambda: s.metrics()["sidetail_sink_waiting_seconds"] > 0.2, what="nobody reads what it writes")
        s.signal(signal.SIGTERM)
        s.wait_stderr("msg=ending")
        s.signal(signal.SIGHUP)
        time.sleep(0.3)
        assert s.running
        os.set_blocking(reader.fileno(), True)
        while reader.read1():
            pass
        assert s.wait() == 0
