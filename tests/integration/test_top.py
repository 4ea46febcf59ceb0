"""`sidetail top` on real terminals: in tmux, and on a pseudo-terminal where every byte is seen."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
import uuid

import pytest
from lib.system import free_port, run, unavailable, wait_until

# All that it writes besides text.
OWN = re.compile(rb"\x1b\[(\?(1049|25|7)[hl]|2J|H|K|J|7m|31m|0m)|\r+\n")


class Terminal:
    """A tmux window with a shell in it."""

    def __init__(self, columns=80, lines=24):
        self.socket = f"/tmp/sidetail-{uuid.uuid4().hex[:12]}"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", lines, "env PS1='$ ' sh")
        wait_until(lambda: "$" in self.shown(), 10)

    def tmux(self, *command, check=True):
        return run("tmux", "-S", self.socket, *command, check=check).stdout

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def shown(self):
        return self.tmux("capture-pane", "-p")

    def wait(self, *patterns, timeout=15):
        """Until all of them are shown; gives back what is shown then."""
        shown = lambda: (text := self.shown()) and all(re.search(one, text, re.M) for one in patterns) and text
        return wait_until(shown, timeout, lambda: f"{patterns} in:\n{self.shown()}", every=0.05)

    def settings(self):
        """Of the terminal, as `stty -a` tells them."""
        mark = uuid.uuid4().hex[:8]
        self.type(f"clear; stty -a; echo end''{mark}", "Enter")
        return self.wait(f"^end{mark}$").split(f"end{mark}")[0]

    def close(self):
        self.tmux("kill-server", check=False)


@pytest.fixture
def terminal():
    if not shutil.which("tmux"):
        unavailable("tmux is missing: tests/setup/install.sh test")
    made = []

    def make(**options):
        made.append(Terminal(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def files(sidetail, tmp_path):
    """files(**config): a Sidetail at work that follows PATH/{service}/*.log; .logs is PATH."""

    def make(**config):
        logs = tmp_path / "logs"
        logs.mkdir()
        collector = sidetail({"source": "files", "files": {"include": [f"{logs}/{{service}}/*.log"]}, **config})
        collector.logs = logs
        write(collector, "quiet", 1)
        collector.start()
        collector.wait_stderr("collecting")
        collector.address = f"127.0.0.1:{collector.port}"
        return collector

    return make


def write(collector, service, lines, name="a.log"):
    (collector.logs / service).mkdir(exist_ok=True)
    with open(collector.logs / service / name, "a") as out:
        out.write("x\n" * lines)


def services(shown):
    """Of the rows, from the top."""
    rows = shown.split("LAST\n", 1)[1].splitlines()[:-1]
    return [row.split()[0] for row in rows if row.strip()]


def test_in_tmux(files, terminal, binary):
    """Order, problems, scrolling, and the terminal as it was after q."""
    collector = files(exclude={"services": ["nois*"]})
    write(collector, "noisy", 1)
    screen = terminal()
    before = screen.settings()
    screen.type(f"clear; echo before; {binary} top {collector.address}; echo code $?", "Enter")
    screen.wait("^sidetail .* at 127.0.0.1:[0-9]+: ready$", "^quiet .*a.log", "by rate", "1 left out")
    write(collector, "api", 1)
    write(collector, "busy", 500)
    shown = screen.wait("^busy ", "^api ")
    shown = wait_until(lambda: services(text := screen.shown())[0] == "busy" and text, 15, screen.shown)
    screen.type("n")
    shown = screen.wait("by name")
    assert services(shown) == ["api", "busy", "quiet"]
    screen.type("p")
    # How long the path is decides where the line is broken.
    shown = screen.wait("^Left out:$", r"\bnoisy\b", "excluded:", r"exclude\.services:", r"nois\*")
    assert "busy" not in shown
    (collector.logs / "api" / "secret.log").symlink_to("/etc/shadow")
    screen.wait("^Problems:$", "/etc/shadow")
    screen.type("p")
    screen.wait("1 problem,", "^busy ")
    for number in range(50):
        write(collector, "api", 1, f"{number:02}.log")
    screen.wait("53 logs", "/00.log")
    assert len(screen.shown().splitlines()) == 24
    screen.type("End")
    shown = screen.wait("^quiet ")
    assert "/00.log" not in shown
    screen.type("PPage", "PPage", "PPage", "PPage")
    screen.wait("/00.log")
    screen.type("Down")
    wait_until(lambda: "/00.log" not in screen.shown(), 10)
    screen.type("q")
    shown = screen.wait("^before$", "^code 0$")
    assert "SERVICE" not in shown and shown.index("before") < shown.index("code 0")
    assert screen.settings() == before
    collector.stop_cleanly()


def test_ctrl_c_and_ctrl_z(files, terminal, binary):
    collector = files()
    screen = terminal()
    screen.type("exec bash --norc", "Enter")
    screen.wait("bash")
    before = screen.settings()
    screen.type(f"clear; {binary} top {collector.address}; echo code $?", "Enter")
    screen.wait("^quiet ")
    screen.type("C-z")
    screen.wait("Stopped|code 14[78]")
    assert "icanon" in screen.settings() and screen.settings() == before
    screen.type("fg", "Enter")
    screen.wait("^quiet ")
    screen.type("C-c")
    wait_until(lambda: "SERVICE" not in screen.shown(), 10, screen.shown)
    screen.type("echo last $?", "Enter")
    screen.wait("^last 130$")
    assert screen.settings() == before


def test_resized(files, terminal, binary):
    collector = files()
    screen = terminal(columns=120, lines=40)
    screen.type(f"clear; {binary} top {collector.address}", "Enter")
    screen.wait("^quiet ", "DRIVER")
    screen.tmux("resize-window", "-x", 80, "-y", 24)
    shown = wait_until(lambda: "DRIVER" not in (text := screen.shown()) and "by rate" in text and text, 10, screen.shown)
    assert len(shown.splitlines()) == 24
    screen.type("q")


def test_collector_that_goes_and_comes_back(files, terminal, binary):
    collector = files()
    screen = terminal()
    screen.type(f"clear; {binary} top {collector.address}", "Enter")
    screen.wait("^quiet ")
    collector.stop_cleanly()
    shown = screen.wait(f"no answer from {collector.address}")
    assert "quiet" in shown  # what was told last stays
    write(collector, "later", 1)
    collector.start()
    screen.wait("^later ", "by rate")
    collector.signal(signal.SIGSTOP)  # asked, it says nothing: keys are taken all the same
    time.sleep(1.5)
    screen.type("q")
    wait_until(lambda: "SERVICE" not in screen.shown(), 5, screen.shown)
    collector.signal(signal.SIGCONT)


class Raw:
    """The command on a pseudo-terminal of its own."""

    def __init__(self, *command, columns=80, lines=24):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen([str(part) for part in command], stdin=slave, stdout=slave, stderr=slave,
                                        env={"PATH": os.environ["PATH"], "TERM": "xterm"}, start_new_session=True)  # fmt: skip
        self.slave = slave
        self.shown = b""

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.shown += os.read(self.master, 65536)
        return self.shown

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.slave)
        os.close(self.master)


@pytest.mark.parametrize("ending", ["q", signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=str)
def test_leaves_the_terminal_as_it_was(files, binary, ending):
    collector = files()
    raw = Raw(binary, "top", collector.address)
    try:
        wait_until(lambda: b"quiet" in raw.read(), 15, lambda: raw.shown)
        assert termios.tcgetattr(raw.slave) != raw.before
        if ending == "q":
            os.write(raw.master, b"q")
        else:
            raw.process.send_signal(ending)
        code = raw.process.wait(10)
        assert code == (0 if ending == "q" else -ending)
        assert termios.tcgetattr(raw.slave) == raw.before
        assert raw.read().endswith(b"\x1b[?7h\x1b[?25h\x1b[?1049l")
    finally:
        raw.close()


def test_ends_though_the_terminal_takes_nothing(files, binary):
    """As one that Ctrl-S has stopped, or whose connection hangs."""
    collector = files()
    raw = Raw(binary, "top", collector.address, columns=1000, lines=300)
    try:
        wait_until(lambda: termios.tcgetattr(raw.slave) != raw.before, 10)
        time.sleep(1.5)  # nobody reads what it draws
        raw.process.send_signal(signal.SIGTERM)
        assert raw.process.wait(10) == -signal.SIGTERM
        assert termios.tcgetattr(raw.slave) == raw.before
    finally:
        raw.close()


def test_nothing_of_others_reaches_the_terminal(files, binary):
    """Names that would set the title, clear the screen, turn the direction; and it never writes beyond the width."""
    collector = files()
    evil = "evil\x1b]0;title\a\x1b[2J\u009b31m\u202e日本" + "long" * 20
    write(collector, evil, 1)
    (collector.logs / "quiet" / "\x1b[2K.log").symlink_to("/etc/shadow")
    raw = Raw(binary, "top", collector.address, columns=160)
    try:
        wait_until(lambda: b"evil^[" in raw.read(), 15, lambda: raw.shown)
        wait_until(lambda: b"1 problem" in raw.read(), 15, lambda: raw.shown)
        os.write(raw.master, b"p")
        wait_until(lambda: b"^[[2K.log" in raw.read(), 15, lambda: raw.shown)
        text = OWN.sub(b"", raw.shown).decode()
        assert not set(text) & {chr(code) for code in [*range(32), *range(127, 160), 0x202E]}
        os.write(raw.master, b"q")
        assert raw.process.wait(10) == 0
    finally:
        raw.close()


def test_without_a_terminal(binary):
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm"}
    asked = run(binary, "top", f"127.0.0.1:{free_port()}", check=False, env=environment)
    assert asked.returncode == 2 and "needs a terminal" in asked.stderr and asked.stdout == ""
    assert run(binary, "top", "--json", check=False, env=environment).returncode == 2
    assert run(binary, "top", "--help", env=environment).stdout.startswith("usage: sidetail top")
