"""The verifier itself: it passes what is whole, and names each kind of fault in what was doctored."""

import json
import random
import subprocess
import zlib

import pytest
from lib.logwriter import arguments
from lib.verify import Line, Verifier, parse_json_lines, ranges


def line(seq, writer="web:r1", stream="o", payload="hello"):
    body = f"{writer} {stream} {seq} {len(payload.encode())} {payload}"
    crc = zlib.crc32(body.encode())
    return f"@{crc:08x} {crc:08x} {body}"


def record(seq, writer="web:r1", stream="o", **more):
    names = {"o": "stdout", "e": "stderr"}
    return {"log": line(seq, writer, stream), "stream": names[stream], "service": "web", "id": "0123", **more}


def verified(records, **expected):
    check = Verifier()
    check.expect("web", **(expected or {"total": 100}))
    check.add_records(records)
    return check


def only_fault(check, *words):
    faults = check.faults()
    assert len(faults) == 1, faults
    for word in words:
        assert word in faults[0]
    with pytest.raises(AssertionError):
        check.assert_exactly_once()


@pytest.fixture
def whole():
    return [record(seq) for seq in range(100)]


def test_whole_passes(whole):
    verified(whole, total=100, tags={"service": "web"}).assert_exactly_once()


def test_two_streams_and_writers_interleaved():
    records = [record(seq, "web:a", stream) for seq in range(50) for stream in "oe"]
    records += [record(seq, "db:a") for seq in range(30)]
    # Any interleaving that keeps each stream's own order is whole.
    queues = {}
    for one in records:
        queues.setdefault(one["log"].split(" ")[2] + one["stream"], []).append(one)
    chosen, mixed = random.Random(4), []
    while queues:
        key = chosen.choice(sorted(queues))
        mixed.append(queues[key].pop(0))
        if not queues[key]:
            del queues[key]
    check = Verifier()
    check.expect("web", total=100)
    check.expect("db", streams={"o": 30})
    check.add_records(mixed)
    check.assert_exactly_once()


def test_lost_in_the_middle(whole):
    del whole[40:43]
    only_fault(verified(whole), "web:r1 stdout", "lost 3 of 100", "40-42")


def test_lost_at_the_start(whole):
    only_fault(verified(whole[2:]), "lost 2", "0-1")


def test_lost_at_the_end(whole):
    only_fault(verified(whole[:-1]), "100 lines written", "lost 1 at the end")
    only_fault(verified(whole[:-1], streams={"o": 100}), "lost from 99 on")
    only_fault(verified(whole[:-1], at_least=100), "at least 100")


def test_more_than_written(whole):
    only_fault(verified(whole, total=99), "99 lines written")


def test_doubled(whole):
    whole[50:50] = whole[45:50]
    check = verified(whole)
    only_fault(check, "doubled 5", "45-49")
    check.assert_at_least_once()


def test_out_of_order(whole):
    whole[10], whole[11] = whole[11], whole[10]
    check = verified(whole)
    only_fault(check, "out of order 1", "10")
    with pytest.raises(AssertionError):
        check.assert_at_least_once()


def test_mangled(whole):
    whole[7]["log"] = whole[7]["log"].replace("hello", "hellO")
    check = verified(whole)
    assert [fault for fault in check.faults() if "mangled: 1" in fault and "hellO" in fault]
    assert [fault for fault in check.faults() if "lost 1" in fault]


def test_truncated(whole):
    whole[99]["log"] = whole[99]["log"][:-1]
    assert any("mangled: 1" in fault for fault in verified(whole).faults())


def test_two_lines_run_together(whole):
    whole[3]["log"] += whole.pop(4)["log"]
    faults = verified(whole).faults()
    assert any("mangled: 1" in fault for fault in faults) and any("lost 2" in fault for fault in faults)


def test_foreign_line(whole):
    whole.insert(5, {"log": "panic: at the disco", "stream": "stdout"})
    only_fault(verified(whole), "foreign: 1", "panic")
    check = Verifier(foreign_ok=True)
    check.expect("web", total=100)
    check.add_records(whole)
    check.assert_exactly_once()


def test_wrong_tag(whole):
    whole[20]["service"] = "db"
    only_fault(verified(whole, total=100, tags={"service": "web"}), "wrongly tagged: 1", "20", "'db'")


def test_wrong_stream(whole):
    whole[20]["stream"] = "stderr"
    only_fault(verified(whole), "wrongly tagged: 1", "'stderr'")


def test_missing_tag(whole):
    del whole[20]["service"]
    only_fault(verified(whole, total=100, tags={"service": "web"}), "wrongly tagged: 1", "None")


def test_unexpected_writer(whole):
    only_fault(verified(whole + [record(0, "ghost:1")]), "ghost: not expected")


def test_writer_never_seen(whole):
    check = verified(whole)
    check.expect("db", total=5)
    only_fault(check, "db: 0 runs seen, 1 expected")


def test_runs_are_told_apart():
    records = [record(seq, f"web:{run}") for run in "ab" for seq in range(10)]
    verified(records, total=10, runs=2).assert_exactly_once()
    only_fault(verified(records, total=10, runs=3), "2 runs seen, 3 expected")
    only_fault(verified(records[:-1], total=10, runs=2), "web:b", "lost 1")


def test_nothing_expected_is_no_pass():
    with pytest.raises(AssertionError, match="nothing was expected"):
        Verifier().assert_exactly_once()


def test_cut_line_is_joined(whole):
    text = whole[9]["log"]
    rest = record(0)
    whole[9]["log"], whole[9]["partial"] = text[:20], True
    rest["log"] = text[20:]
    # Another container's line between the two pieces is no part of it.
    other = record(0, "db:1", id="4567")
    whole[10:10] = [other, rest]
    check = verified(whole)
    check.expect("db", total=1)
    check.assert_exactly_once()


def test_cut_line_without_its_rest(whole):
    whole[99]["partial"] = True
    assert any("rest never came: 1" in fault for fault in verified(whole).faults())


def test_terminal_line_end(whole):
    for one in whole:
        one["log"] += "\r"
    check = verified(whole)
    check.assert_exactly_once()
    assert check.carriage_returns == 100


def test_torn_json_is_named():
    with pytest.raises(AssertionError, match="line 2 is no JSON"):
        list(parse_json_lines([b'{"log":"a"}', b'{"log":']))
    with pytest.raises(AssertionError, match="no object"):
        list(parse_json_lines([b"3"]))


def test_ranges():
    assert ranges([7, 1, 2, 3]) == "1-3, 7"
    assert ranges(range(0, 20, 2)) == "0, 2, 4, 6, 8 and 5 more"


CLASSES = "ascii,utf8,nul,invalid,escape,ansi"


def written(logwriter, **options):
    return subprocess.run([logwriter, *arguments(id="w", **options)], check=True, capture_output=True)


def test_log_writer_raw_bytes(logwriter):
    """Whatever bytes it writes, the first checksum holds; each doctored byte is seen."""
    out = written(logwriter, count=3000, length="0-300", bytes=CLASSES, long_every=100, long_length=70000).stdout
    lines = out.split(b"\n")[:-1]
    check = Verifier()
    check.expect("w", total=3000)
    for text in lines:
        check.add_text(text)
    check.assert_exactly_once()
    chosen = random.Random(7)
    for text in lines[:500]:
        at = chosen.randrange(len(text))
        doctored = text[:at] + bytes([text[at] ^ 1 << chosen.randrange(8)]) + text[at + 1 :]
        # A bit of either checksum may change: then the other one still proves the line.
        if at >= 19:
            with pytest.raises(ValueError):
                Line(doctored)


def test_log_writer_same_seed_same_lines(logwriter):
    def texts(seed):
        return written(logwriter, count=200, run="x", seed=seed, bytes=CLASSES).stdout

    assert texts(1) == texts(1) != texts(2)


def test_log_writer_streams(logwriter):
    done = written(logwriter, count=1000, stderr=30)
    check = Verifier()
    check.expect("w", total=1000)
    for text in done.stdout.splitlines() + done.stderr.splitlines():
        check.add_text(text)
    check.assert_exactly_once()
    assert 200 < len(done.stderr.splitlines()) < 400


@pytest.mark.parametrize("rotate", ["rename", "copytruncate"])
@pytest.mark.parametrize("burst", [1, 3])
def test_log_writer_rotates_without_loss(write_file, tmp_path, rotate, burst):
    path = tmp_path / "app.log"
    writer = write_file(
        id="w", count=5000, file=path, rotate=rotate, rotate_lines=400, rotate_burst=burst, keep=99, buffer=0
    )
    writer.wait()
    rotated = sorted(tmp_path.glob("app.log.*"), key=lambda name: -int(name.suffix[1:]))
    # 400 lines, then burst - 1 further rotations ten lines apart
    assert len(rotated) == sum(1 for _ in rotation_points(5000, 400, burst))
    check = Verifier()
    check.expect("w", streams={"f": 5000})
    for name in [*rotated, path]:
        for text in name.read_bytes().splitlines():
            check.add_text(text)
    check.assert_exactly_once()


def rotation_points(count, every, burst):
    at, left = every, burst - 1
    while at <= count:
        yield at
        at += 10 if left else every
        left = left - 1 if left else burst - 1


def test_log_writer_recreates(write_file, tmp_path):
    path = tmp_path / "app.log"
    write_file(id="w", count=1050, file=path, rotate="delete", rotate_lines=100, buffer=0).wait()
    assert [Line(text).seq for text in path.read_bytes().splitlines()] == list(range(1000, 1050))


def test_log_writer_cri(write_file, tmp_path):
    path = tmp_path / "0.log"
    write_file(id="w", count=50, file=path, format="cri", piece=100, length="10-400").wait()
    check, parts = Verifier(), []
    check.expect("w", total=50)
    for text in path.read_text().splitlines():
        time, stream, flag, rest = text.split(" ", 3)
        assert stream == "stdout" and flag in "PF" and time.endswith("Z")
        parts.append(rest)
        if flag == "F":
            check.add_text("".join(parts))
            parts = []
    check.assert_exactly_once()


def test_log_writer_no_final_newline(logwriter):
    out = written(logwriter, count=3, no_final_newline=True).stdout
    assert out.count(b"\n") == 2 and not out.endswith(b"\n")


def test_log_writer_progress(write_file, tmp_path):
    counters = tmp_path / "progress"
    write_file(id="w", count=500, stderr=0, progress=counters).wait()
    raw = counters.read_bytes()
    assert [int.from_bytes(raw[at : at + 8], "little") for at in (0, 8, 16)] == [500, 0, 0]


def test_json_round_trip(logwriter):
    """What valid text becomes after a JSON writer and parser is still proven by its checksum."""
    out = written(logwriter, count=500, bytes="ascii,utf8,nul,escape,ansi", long_every=50, long_length=9000).stdout
    for text in out.decode().split("\n")[:-1]:
        Line(json.loads(json.dumps({"log": text}))["log"])
