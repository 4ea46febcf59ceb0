"""`sidetail tail -n N` of the log driver local. Engines of before API 1.45 may crash where they are asked for the last lines of
such a log, so they must not be asked for them."""

import json
import re
import uuid

import pytest
from lib.system import wait_until
from lib.tail import shell, texts

LOCAL = ("--log-driver", "local")
ROTATED = (*LOCAL, "--log-opt", "max-size=200k", "--log-opt", "max-file=5")

# Lines n1 to n$COUNT, some of them longer than the 16 KiB that a piece may have, and than 64 KiB. Then it waits.
WRITE = """awk -v from=FROM -v to=TO 'BEGIN {
    x = "x"; while (length(x) < 70000) x = x x
    for (i = from; i <= to; i++) print "n" i " " substr(x, 1, i % 200 == 0 ? 70000 : i % 50 == 0 ? 20000 : 60)
}'"""


def write(first, last):
    return WRITE.replace("FROM", str(first)).replace("TO", str(last))


def line(number):
    return f"n{number} " + "x" * (70000 if number % 200 == 0 else 20000 if number % 50 == 0 else 60)


def lines(first, last):
    return [line(number) for number in range(first, last + 1)]


def ends_with(container, text):
    """Engines of before 23.0 send long lines of this driver without their newlines."""
    return container.logs().rstrip(b"\n").endswith(text.encode())


def shorten(found):
    """For a failure that can be read."""
    return [text if len(text) < 100 else f"{text[:12]}…({len(text)})" for text in found]


@pytest.fixture
def project():
    return "tail" + uuid.uuid4().hex[:8]


@pytest.fixture
def harmed(engine):
    """Is this Engine one that must not be asked?"""
    return engine.version < (26, 0, 1)


def check_asked(proxy, harmed):
    assert proxy.asked
    if harmed:
        assert not [query for _, query in proxy.asked if "tail=" in query]


def check_last(shown, written, count, harmed):
    """Newer Engines count pieces: there they are fewer lines, and the first may be the end of one."""
    if harmed or count > 2 * len(written):
        assert shorten(shown) == shorten(written[-count:])
        assert shown == written[-count:]
    else:
        first = len(written) - len(shown)
        assert shown[1:] == written[first + 1 :] and written[first].endswith(shown[0])


def test_of_a_log_with_long_lines_that_was_rotated(engine, proxy, follow, project, harmed):
    web = shell(engine, "web", f"{write(1, 3000)}; sleep 600", project, options=ROTATED)
    wait_until(lambda: ends_with(web, line(3000)), 60)
    for count in (1, 5, 260):
        tail = follow(web.id, "--no-follow", "-n", str(count), host=proxy.host)
        assert tail.process.wait(60) == 0
        check_last(texts(tail), lines(1, 3000), count, harmed)
    more = follow(web.id, "--no-follow", "-n", "1000000", host=proxy.host)  # than there are
    whole = follow(web.id, "--no-follow", host=proxy.host)
    assert more.process.wait(60) == whole.process.wait(60) == 0
    assert more.lines() == whole.lines() and len(whole.lines()) > 500
    check_asked(proxy, harmed)


def test_goes_on_with_what_is_written_then(engine, proxy, follow, project, harmed):
    """Each line once, through rotations; the end of the container too."""
    web = shell(engine, "web", f"{write(1, 1000)}; while [ ! -e /go ]; do sleep 0.1; done; {write(1001, 2000)}", project,
                options=ROTATED)  # fmt: skip
    wait_until(lambda: ends_with(web, line(1000)), 60)
    tail = follow("--project", project, "-n", "30", host=proxy.host)
    wait_until(lambda: line(1000) in texts(tail), 30)
    web.exec("touch", "/go")
    wait_until(lambda: "stopped (exit 0)" in tail.out.read_text(), 60)
    assert shorten(texts(tail)[-1000:]) == shorten(lines(1001, 2000))
    check_last(texts(tail)[:-1000], lines(1, 1000), 30, harmed)
    assert tail.end() == b""
    check_asked(proxy, harmed)


def test_a_broken_connection_is_gone_on_behind(engine, proxy, follow, project, harmed):
    web = shell(engine, "web", f"{write(1, 1010)}; sleep 600", project, options=ROTATED)
    wait_until(lambda: ends_with(web, line(1010)), 60)
    proxy.break_read = 2
    tail = follow(web.id, "--no-follow", "-n", "500", host=proxy.host)
    assert tail.process.wait(60) == 0 and proxy.break_read == 0
    check_last(texts(tail), lines(1, 1010), 500, harmed)
    check_asked(proxy, harmed)


def test_no_more_is_read_than_need_be(engine, proxy, follow, project, harmed):
    """The end of a log is asked for first, then more of it, until there are enough lines: of the time that it was written in."""
    web = shell(engine, "web", f"{write(1, 401)}; sleep 3; {write(402, 403)}; sleep 5; exit", project, options=ROTATED)
    wait_until(lambda: ends_with(web, line(403)), 60)
    for count, ended in ((2, False), (10, False), (2, True), (10, True), (700, True)):
        if ended:
            web.wait()
        proxy.asked.clear()
        tail = follow(web.id, "--no-follow", "-n", str(count), host=proxy.host)
        assert tail.process.wait(60) == 0
        check_last(texts(tail), lines(1, 403), count, harmed)
        if harmed:
            assert ["since=" in query for _, query in proxy.asked].count(False) == (count > 100)
        check_asked(proxy, harmed)


def test_while_it_is_written(engine, proxy, follow, project, harmed):
    """What was there and what came meet somewhere: there is no gap."""
    step = f"{write(1, 400)}; i=401; while [ $i -le 900 ]; do echo n$i $X; i=$((i + 1)); sleep 0.01; done"
    web = shell(engine, "web", step.replace("$X", "x" * 60), project, options=ROTATED)
    wait_until(lambda: b"\nn460 " in web.logs(), 60)
    tail = follow("--project", project, "-n", "25", host=proxy.host)
    wait_until(lambda: "stopped (exit 0)" in tail.out.read_text(), 60)
    shown = [int(re.match(r"n(\d+) x+$", text)[1]) for text in texts(tail)]
    assert shown == list(range(shown[0], 901)) and shown[0] > 460 - 25
    assert tail.end() == b""
    check_asked(proxy, harmed)


def test_none_is_what_comes_alone(engine, proxy, follow, project, harmed):
    """And nothing of before is asked for."""
    web = shell(engine, "web", f"{write(1, 500)}; while [ ! -e /go ]; do sleep 0.1; done; echo new; sleep 600", project,
                options=ROTATED)  # fmt: skip
    wait_until(lambda: ends_with(web, line(500)), 60)
    tail = follow(web.id, "-n", "0", host=proxy.host)
    wait_until(lambda: proxy.checks >= 1, 30)  # of its silence
    assert proxy.streams_of[web.id] == 1 and all("since=" in query for _, query in proxy.asked)
    web.exec("touch", "/go")
    wait_until(lambda: texts(tail), 30)
    assert texts(tail) == ["new"]
    check_asked(proxy, harmed)
    none = follow(web.id, "-n", "0", "--no-follow", host=proxy.host)
    assert none.process.wait(30) == 0 and none.lines() == []


def test_of_several_are_merged_by_time(engine, proxy, follow, project, harmed):
    """Those whose last lines the Engine is asked for, and those that are read as a whole."""
    writing = "i=0; while [ $i -lt 80 ]; do echo n$i; i=$((i + 1)); sleep 0.03; done"
    drivers = {"one": "local", "two": "json-file", "three": "local"}
    containers = [shell(engine, s, writing, project, options=("--log-driver", d)) for s, d in drivers.items()]
    for container in containers:
        container.wait()
    tail = follow("--project", project, "--no-follow", "-n", "40", "-tutc", host=proxy.host)
    assert tail.process.wait(30) == 0
    fields = [shown.split() for shown in tail.lines()]
    times, names = [f[0] for f in fields], [f[1] for f in fields]
    assert times == sorted(times) and names != sorted(names)
    for service in drivers:
        assert [f[3] for f in fields if f[1] == service] == [f"n{i}" for i in range(40, 80)]
    asked = {ident for ident, query in proxy.asked if "tail=" in query}
    assert asked == {container.id for container in containers if not harmed or container.id == containers[1].id}


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_what_chooses_among_them(engine, follow, project, driver):
    """Is the same whoever counts them."""
    writing = "i=1; while [ $i -le 20 ]; do echo n$i; i=$((i + 1)); sleep 0.02; done"
    web = shell(engine, "web", writing, project, options=("--log-driver", driver))
    web.wait()

    def run(*more):
        tail = follow(web.id, "--no-follow", "--json", *more)
        assert tail.process.wait(30) == 0
        return [json.loads(shown) for shown in tail.lines()]

    logs = lambda *more: [record["log"] for record in run(*more)]  # noqa: E731
    times = {record["log"]: record["time"] for record in run()}
    assert logs("-n", "5", "--grep", "0$|7") == ["n17", "n20"]
    assert logs("-n", "5", "--since", times["n18"]) == ["n18", "n19", "n20"]
    assert logs("-n", "5", "--since", times["n10"]) == ["n16", "n17", "n18", "n19", "n20"]
    assert logs("-n", "5", "--until", times["n17"]) == ["n16", "n17"]
    assert logs("-n", "5", "--until", times["n9"]) == []


def test_too_many_for_its_memory(engine, proxy, follow, project, harmed):
    """Are fewer, and that is said."""
    line = "x" * 12000
    web = shell(engine, "web", f"yes {line} | head -n 7000; sleep 600", project, options=LOCAL)
    wait_until(lambda: engine.docker("top", web.id, "-eo", "pid,comm").stdout.split()[-1] == "sleep", 60)
    tail = follow(web.id, "--no-follow", "-n", "6000", host=proxy.host)
    assert tail.process.wait(100) == 0
    shown = tail.lines()
    if harmed:
        count = len(shown) - 1
        assert (60 << 20) < count * len(line) <= (64 << 20)
        assert re.match(rf"web +\* only its last {count} lines are shown: more would take too much memory", shown.pop(0))
    else:
        assert len(shown) == 6000
    assert all(text.endswith("| " + line) for text in shown)
    check_asked(proxy, harmed)
