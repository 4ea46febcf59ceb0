"""`sidetail tail` on the real Engine, in a real pseudo-terminal where colours and keys matter."""

import json
import os
import re
import signal
import subprocess
import termios
import time
import uuid

import pytest

pexpect = pytest.importorskip("pexpect")

from lib.system import BINARY, wait_until  # noqa: E402


def clean_environment(more=None):
    """Without what would change sidetail's or docker's ways, plus `more`."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("SIDETAIL_", "DOCKER_"))}
    return {**mine, **(more or {})}


@pytest.fixture
def project(engine):
    """start(SERVICE, SHELL COMMAND): a container of a project of this test's own; .name is the project's."""

    class Project:
        name = "tail" + uuid.uuid4().hex[:8]

        def start(self, service, command, **options):
            labels = {"com.docker.compose.project": self.name, "com.docker.compose.service": service}
            return engine.run("sh", "-c", command, image="debian:bookworm-slim", labels=labels,
                              options=("--network", "none", "--name", f"{self.name}-{service}-1"), **options)  # fmt: skip

    return Project()


@pytest.fixture
def terminal(binary):
    """terminal(ARGUMENT...): sidetail tail in a pseudo-terminal, ended with the test."""
    started = []

    def start(*arguments, env=None):
        child = pexpect.spawn(str(binary), ["tail", *arguments], encoding="utf-8", timeout=20, dimensions=(40, 160),
                              env=clean_environment({"TERM": "xterm-256color", "NO_COLOR": "", **(env or {})}))  # fmt: skip
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def tail(*arguments, env=None, timeout=30):
    return subprocess.run([BINARY, "tail", *arguments], capture_output=True, text=True, timeout=timeout,
                          env=clean_environment(env))  # fmt: skip


def test_colours_joins_and_exits(project, terminal):
    web = project.start("web", "echo hello; sleep 0.3; echo oops >&2; sleep 600")
    child = terminal("--project", project.name)
    child.expect(r"\x1b\[1;\d+mweb-1\x1b\[0m +\x1b\[2m\|\x1b\[0m hello\r\n")
    child.expect(r"\x1b\[1;\d+mweb-1\x1b\[0m +\x1b\[31m!\x1b\[0m oops\r\n")
    project.start("api", """echo '{"level":"warn","msg":"slow","ms":7}'; sleep 600""")
    child.expect(r"api-1\S* +\S*\*\S* \S*started")
    child.expect(r"api-1\S* +\S*\|\S* \S*WARN\S*  \S*slow\S* \S*ms=\S*7\r\n")
    web.kill()
    child.expect(r"web-1\S* +\S*\*\S* \S*stopped \(exit 137\)")
    web.start()
    child.expect(r"web-1\S* +\S*\*\S* \S*started")
    child.expect("hello")


def test_ctrl_c_leaves_at_once_and_the_terminal_as_it_was(project, terminal):
    project.start("loud", "while :; do echo 'a line of a loud container, again and again'; done")
    child = terminal("--project", project.name)
    before = termios.tcgetattr(child.child_fd)
    child.expect("loud-1")
    began = time.monotonic()
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()
    assert time.monotonic() - began < 1
    assert child.signalstatus == signal.SIGINT  # a shell says 130
    assert termios.tcgetattr(child.child_fd) == before
    assert child.before.endswith(("\x1b[0m", "\x1b[0m\r\n"))  # what Ctrl-C made the terminal drop may have ended a colour


@pytest.mark.figures
def test_a_stopped_terminal_holds_the_streams_back(project, terminal):
    project.start("loud", "while :; do echo 'a line of a loud container, again and again'; done")
    child = terminal("--project", project.name)
    child.expect("loud-1")  # nothing is read from here on: the pseudo-terminal fills up
    time.sleep(4)
    with open(f"/proc/{child.pid}/status") as status:
        rss = int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))
    assert rss < 24 * 1024, "KiB"
    child.sendintr()
    assert wait_until(lambda: not child.isalive(), 2)


def test_history_of_several_is_merged_by_time(project):
    for service in ("a", "b", "c"):
        project.start(service, "for i in $(seq 60); do echo line $i; sleep 0.02; done").wait()
    both = [project.start(s, "for i in $(seq 60); do echo line $i; sleep 0.1; done") for s in ("d", "e")]
    for container in both:
        container.wait()
    shown = tail("--project", project.name, "--no-follow", "-tutc")
    lines = shown.stdout.splitlines()
    assert shown.returncode == 0 and len(lines) == 300
    times = [line.split()[0] for line in lines]
    assert times == sorted(times)
    names = [line.split()[1] for line in lines[-120:]]
    assert set(names) == {"d-1", "e-1"} and names != sorted(names), "those that ran together are not mixed"
    assert "\x1b" not in shown.stdout
    assert len(tail("--project", project.name, "--no-follow", "-n", "7").stdout.splitlines()) == 35
    files = tail("--project", project.name, "--no-follow", "-tutc", "--files")
    assert sorted(files.stdout.splitlines()) == sorted(lines)


def test_which_lines(project):
    writer = project.start("app", "echo early; echo 'WARN first' >&2; sleep 3; echo 'ERROR late'; echo done")
    writer.wait()
    run = lambda *more: [l.split(None, 2)[2] for l in tail(writer.id[:12], "--no-follow", *more).stdout.splitlines()]  # noqa: E731
    assert sorted(run()) == ["ERROR late", "WARN first", "done", "early"]
    assert run("--level", "error") == ["ERROR late"]
    assert run("--stream", "stderr") == ["WARN first"]
    assert run("--grep", "^[a-z]+$", "--exclude", "early") == ["done"]
    since = json.loads(tail(writer.id[:12], "--no-follow", "--json", "--grep", "late").stdout)["time"]
    assert run("--since", since) == ["ERROR late", "done"]
    assert sorted(run("--until", since[:19] + "Z", "--exclude", "late")) == ["WARN first", "early"]
    assert tail("--label", f"com.docker.compose.project={project.name}", "--no-follow").stdout.count("\n") == 4


def test_json_and_raw_json(project):
    line = '{"level":"info","msg":"ready","port":80}'
    writer = project.start("api", f"echo '{line}'")
    writer.wait()
    assert tail(writer.id, "--no-follow").stdout == "api-1  | INFO  ready port=80\n"
    assert tail(writer.id, "--no-follow", "--raw-json").stdout == f"api-1  | {line}\n"
    record = json.loads(tail(writer.id, "--no-follow", "--json").stdout)
    assert record["log"] == line and record["service"] == "api" and record["stream"] == "stdout"


def test_a_line_cannot_work_the_terminal(project, terminal):
    project.start("evil", r"printf '\033[2J\033]0;title\007\033[31mred\n'; sleep 600")
    child = terminal("--project", project.name)
    child.expect_exact("^[[2J^[]0;title^G\x1b[31mred\x1b[0m\r\n")


def test_nor_can_what_unicode_has_of_the_kind(project, terminal):
    """C1, DEL and the direction of writing: on a terminal. What goes to a file or a pipe is JSON as it always was."""
    text = "c1 \x9b2J\x9d bidi \u202erev\u2066 \u200f \u061c del \x7f"
    web = project.start("evil", "printf '%s\\n' '" + text + "'")
    web.wait()
    child = terminal(web.id, "--no-follow", "--no-color")
    child.expect_exact("| c1 <U+009B>2J<U+009D> bidi <U+202E>rev<U+2066> <U+200F> <U+061C> del ^?\r\n")
    child = terminal(web.id, "--no-follow", "--no-color", "--json")
    line = r'"log":"c1 \u009b2J\u009d bidi \u202erev\u2066 \u200f \u061c del \u007f"'
    child.expect_exact(line)
    piped = tail(web.id, "--no-follow", "--json").stdout
    assert f'"log":"{text}"' in piped and json.loads(piped)["log"] == text == json.loads("{" + line + "}")["log"]


def test_nor_can_a_service_s_name(engine):
    """Which is what a label says, in what is told beside JSON lines."""
    name = "evil\033]0;title\007"
    writer = engine.run("sh", "-c", "echo; sleep 600", image="debian:bookworm-slim", labels={"sidetail.service": name})
    process = subprocess.Popen([BINARY, "tail", "--json", writer.id], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()
        writer.kill()
        assert process.stderr.readline() == "sidetail tail: evil^[]0;title^G: stopped (exit 137)\n"
    finally:
        process.terminate()
        process.communicate()


def test_nor_can_what_an_engine_says(binary, tmp_path):
    import socket as sockets
    import threading

    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "docker.sock"))
        listener.listen()

        def answer():
            connection, _ = listener.accept()
            connection.recv(4096)
            body = json.dumps({"message": "evil\033]0;title\007"}).encode()
            connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        done = tail(env={"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"})
    assert done.returncode == 1 and "answered 500: evil" in done.stderr and done.stderr.endswith("evil?]0;title?\n")


def test_a_driver_that_keeps_nothing(engine, terminal):
    """Is said once, and does not keep tail from ending."""
    writer = engine.run("sleep", "600", image="debian:bookworm-slim", log_driver="none", labels={"sidetail.service": "mute"})
    said = "cannot be shown: nobody can read its log, since its driver none keeps nothing"
    done = tail(writer.id, "--no-follow")
    assert done.returncode == 0
    assert done.stdout == f"mute  * {said}; run it with json-file, local or journald\n"
    child = terminal(writer.id, "--no-color")
    child.expect(rf"mute  \* {said}")
    writer.kill()
    writer.start()
    child.expect(r"mute  \* stopped|$", timeout=3)
    assert said not in child.before


@pytest.mark.parametrize("source", [[], ["--files"]], ids=["api", "files"])
def test_one_that_does_not_run_is_waited_for(project, terminal, source):
    """Which is said once, behind its history."""
    web = project.start("web", "echo hello; sleep 1")
    web.wait()
    said = "not running: waiting for it to start"
    assert said not in tail(web.id, "--no-follow", *source).stdout
    child = terminal(web.id, "--no-color", *source)
    child.expect(rf"web-1  \| hello\r\nweb-1  \* {said}\r\n")
    web.start()
    child.expect(r"web-1  \* stopped \(exit 0\)\r\n")
    # An Engine may write a line before its metadata, which the files' start is told from.
    assert sorted(child.before.splitlines()) == ["web-1  * started", "web-1  | hello"]


def test_of_a_project_it_is_not_said(project, terminal):
    project.start("done", "echo done").wait()
    project.start("web", "echo hello; sleep 1; echo end; sleep 600")
    child = terminal("--project", project.name, "--no-color")
    child.expect_exact("| end")
    assert "not running" not in child.before


def test_no_color(project, terminal):
    project.start("web", r"printf '\033[31mred\033[0m WARN\n'; sleep 600")
    for arguments, env in ((["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})):
        child = terminal("--project", project.name, *arguments, env=env)
        child.expect_exact("web-1  | red WARN\r\n")
        assert "\x1b" not in child.before


def test_no_engine(binary, tmp_path):
    socket = tmp_path / "docker.sock"
    missing = tail(env={"DOCKER_HOST": f"unix://{socket}"})
    assert missing.returncode == 1 and missing.stdout == ""
    assert f"there is no Engine socket {socket}" in missing.stderr and "DOCKER_HOST" in missing.stderr
    assert missing.stderr.count("\n") == 1
    import socket as sockets

    with sockets.socket(sockets.AF_UNIX) as nobody:  # bound, but nobody listens
        nobody.bind(str(socket))
    refused = tail(env={"DOCKER_HOST": f"unix://{socket}"})
    assert refused.returncode == 1 and "nobody listens on the Engine's socket" in refused.stderr


def test_wrong_arguments(binary):
    for arguments, said in ((["--level", "loud"], "--level"), (["--since", "soon"], "--since"), (["--grep", "("], "--grep"),
                            (["--nonsense"], "--nonsense")):  # fmt: skip
        done = tail(*arguments)
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_nobody_is_called_so(project):
    """It is said of each name, also beside others that are there; and only where it follows, that it waits."""
    project.start("web", "echo hello").wait()
    nobody = "no-such-" + uuid.uuid4().hex
    for more in ("--no-follow",), ("--until", "1m"):
        done = tail(nobody, *more)
        assert done.returncode == 1 and done.stdout == ""
        assert f'no container is called "{nobody}" (docker ps' in done.stderr and "waiting" not in done.stderr
    done = tail(f"{project.name}-web-1", nobody, "--no-follow")
    assert done.returncode == 0 and done.stdout == "web-1  | hello\n"
    assert done.stderr == f'sidetail tail: no container is called "{nobody}" (docker ps -a lists them)\n'
    done = tail("--project", nobody, "--no-follow")
    assert done.returncode == 1 and "no container is of this project" in done.stderr


def test_a_reader_that_has_enough_ends_it(project):
    """Also where nothing more is written: `sidetail tail web --grep ready | head -1` waits for that line, no longer."""
    web = project.start("web", "echo ready; sleep 600")
    process = subprocess.Popen([BINARY, "tail", web.id], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
    assert process.stdout.readline() == b"web-1  | ready\n"
    time.sleep(0.5)
    process.stdout.close()
    assert process.wait(5) == 0 and process.stderr.read() == b""
    process.stderr.close()


def test_a_reader_that_leaves_ends_it_quietly(project):
    project.start("loud", "while :; do echo line; sleep 0.01; done")
    process = subprocess.Popen([BINARY, "tail", "--project", project.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=clean_environment())  # fmt: skip
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(10) == 0 and process.stderr.read() == b""
    process.stderr.close()
