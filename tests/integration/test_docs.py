"""What is written down about the configuration is what the table of keys says; what the READMEs point to is there."""

import json
import re
import shutil
import subprocess
import urllib.request

import pytest

from lib.system import REPO, unavailable


@pytest.fixture(scope="session")
def docs():
    subprocess.run(["make", "-s", "build/docs", "sidetail.1"], cwd=REPO, check=True, timeout=300)
    return REPO / "build" / "docs"


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_schema_is_up_to_date(docs):
    assert (REPO / "config" / "config.schema.json").read_text() == output(docs, "schema"), "run: make docs"


TABLES = REPO / "config" / "README.md"


def leaves(part, prefix=""):
    """Path and description of each key of the schema."""
    for name, schema in part["properties"].items():
        if "properties" in schema:
            yield from leaves(schema, f"{name}.")
        elif name != "$schema":
            yield prefix + name, schema["description"]


def test_readme_is_up_to_date(docs):
    assert TABLES.read_text() == output(docs, "tables", TABLES), "run: make docs"


def test_each_key_is_in_one_table(docs):
    keys = [key for key, _ in leaves(json.loads(output(docs, "schema")))]
    rows = re.findall(r"^\| `([a-z_.]+)`\*? \|.*\|.*\|.*\|$", TABLES.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(keys)


@pytest.mark.parametrize("mark, why", [
    ("<!-- keys: drop -->", ["drop is in 2 tables"]),
    ("<!-- keys: nothing.* -->", ["no key matches nothing.*"]),
    ("<!-- keys: sink --", ["this mark is not closed"]),
])  # fmt: skip
def test_marks_that_are_wrong(docs, tmp_path, mark, why):
    readme = tmp_path / "README.md"
    readme.write_text(f"{TABLES.read_text()}\n{mark}\n<!-- /keys -->\n")
    done = subprocess.run([docs, "tables", readme], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert [line for line in why if line not in done.stderr] == []


def test_a_key_without_a_table(docs, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(TABLES.read_text().replace("<!-- keys: batch.* ", "<!-- keys: "))
    done = subprocess.run([docs, "tables", readme], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    missing = re.findall(r"^docs: (\S+) is in 0 tables", done.stderr, re.MULTILINE)
    assert missing == ["batch.bytes", "batch.lines", "batch.age"]


@pytest.fixture(scope="session")
def page(docs):
    """The man page as man shows it, on one line, with what it warns of."""
    shown = subprocess.run(
        ["man", "--warnings=w", "--local-file", REPO / "sidetail.1"], capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "200", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}, timeout=60,
    )  # fmt: skip
    assert shown.stderr == ""
    return re.sub(r"\s+", " ", shown.stdout)


def test_man_page_tells_every_key(docs, page):
    keys = list(leaves(json.loads(output(docs, "schema"))))
    assert len(keys) > 60
    for key, _ in keys:
        assert f" {key} (" in page
        assert f" SIDETAIL_{key.upper().replace('.', '_')} " in page


def test_what_takes_a_restart_is_said_everywhere(docs, page):
    """By a star in the tables, in words in the manual and the schema."""
    for key, says in (("sink", True), ("kafka.commit_bytes", True), ("include.services", False)):
        assert (f"| `{key}`* |" in output(docs, "tables", TABLES)) is says
        told = re.search(rf" {re.escape(key)} \(.*? SIDETAIL_", page).group()
        assert ("Changing it requires a restart." in told) is says
        part = json.loads(output(docs, "schema"))
        for name in key.split("."):
            part = part["properties"][name]
        assert part["description"].endswith("Changing it requires a restart.") is says


def test_man_page_shows_an_empty_choice(page):
    assert 'multiline.rule ("" | java | ' in page


def commands(binary):
    found = re.findall(r"^(?:usage:|      ) sidetail ([a-z]+) ", output(binary, "--help"), re.MULTILINE)
    assert {"run", "tail", "check", "try", "status", "top", "health"} <= set(found)
    return found


def test_man_page_tells_every_command_and_option(binary, page):
    for command in commands(binary):
        usage = output(binary, command, "--help")
        options = re.findall(r"^ +(-\w, --[a-z-]+|--[a-z-]+)", usage, re.MULTILINE)
        assert options, f"{command} --help names no option"
        assert f"sidetail {command} " in page
        for option in options:
            assert option in page


def test_bash_completes_values_where_they_may_stand(binary, tmp_path):
    """After = also, which bash makes a word of its own; and -t takes no value but behind one."""
    (tmp_path / "docker").write_text("#!/bin/sh\necho web\n")
    (tmp_path / "docker").chmod(0o755)
    script = f'. "{REPO}/deploy/completion/sidetail.bash"; COMP_WORDS=(sidetail tail "$@"); COMP_CWORD=$(($# + 1));'
    script += ' _sidetail; echo "${COMPREPLY[@]}"'

    def offers(*words):
        done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True, timeout=20,
                              env={"PATH": f"{tmp_path}:{binary.parent}:/usr/bin:/bin"})  # fmt: skip
        return done.stdout.split()

    assert offers("") == offers("-t", "") == ["web"]
    assert offers("--timestamps", "=", "re") == offers("-t", "=", "re") == ["relative"]
    assert offers("--level", "wa") == offers("--level", "=", "wa") == offers("-L", "wa") == ["warn"]
    assert offers("--color", "=") == ["auto", "always", "never"]
    assert offers("--tail", "") == []
    assert offers("--no-fo") == ["--no-follow"]


def test_zsh_offers_each_option(binary):
    """What bash asks of the help is written down for zsh."""
    text = (REPO / "deploy" / "completion" / "_sidetail").read_text()
    parts = dict(re.findall(r"^    (\w+)\) (.*) ;;$", text, re.MULTILINE))
    for name in ("tail", "try"):
        parts[name] = re.search(rf"^_sidetail_{name}\(\) \{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL)[1]
    for command in commands(binary):
        told = re.findall(r"^ +(?:-\w, )?(--[a-z][a-z-]*)", output(binary, command, "--help"), re.MULTILINE)
        assert set(re.findall(r"--[a-z][a-z-]*", parts[command])) == {*told, "--help"}, command
    before = re.search(r"CURRENT == 2.*?return", text, re.DOTALL)[0]
    assert re.findall(r"--[a-z]+", before) == ["--help", "--version"]


def test_fish_completes_what_the_help_names(binary, tmp_path):
    (tmp_path / "docker").write_text("#!/bin/sh\necho web\n")
    (tmp_path / "docker").chmod(0o755)
    if not shutil.which("fish"):
        unavailable("fish is missing")

    def offers(line):
        script = f'source "{REPO}/deploy/completion/sidetail.fish"; complete -C "{line}"'
        done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True, timeout=20,
                              env={"PATH": f"{tmp_path}:{binary.parent}:/usr/bin:/bin", "HOME": str(tmp_path)})  # fmt: skip
        return [offer.split("\t")[0] for offer in done.stdout.splitlines()]

    assert sorted(offers("sidetail ")) == sorted(commands(binary))
    for command in commands(binary):
        told = re.findall(r"^ +(?:-\w, )?(--[a-z][a-z-]*)", output(binary, command, "--help"), re.MULTILINE)
        assert set(offers(f"sidetail {command} --")) >= set(told), command
    assert offers("sidetail tail ") == ["web"]
    assert offers("sidetail tail --level wa") == ["warn"]
    assert offers("sidetail try --format ") == ["cri", "json-file", "plain"]


READMES = [REPO / name for name in ("README.md", "config/README.md", "deploy/README.md", "src/README.md", "tests/README.md")]


def anchors(text):
    """As GitHub makes them of the headings."""
    heads = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(REPO)))
def test_links_lead_somewhere(readme):
    for target in re.findall(r"\]\(([^)\s]+)\)", readme.read_text()):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (readme.parent / path).resolve() if path else readme
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), target


def test_root_readme_is_for_somebody_in_a_hurry():
    assert len((REPO / "README.md").read_text().splitlines()) <= 150


def test_metrics_that_are_named_exist(sidetail, tmp_path):
    collector = sidetail({"source": "files", "files": {"include": [f"{tmp_path}/*.log"]}}).start()
    collector.wait_stderr("collecting")
    with urllib.request.urlopen(f"http://127.0.0.1:{collector.port}/metrics", timeout=5) as page:
        known = set(re.findall(r"^# TYPE (\w+) ", page.read().decode(), re.MULTILINE))
    for readme in READMES:
        named = set(re.findall(r"`((?:sidetail|process)_[a-z_]+)`", readme.read_text()))
        assert named <= known, readme


def test_messages_that_are_explained_exist():
    code = "".join(path.read_text() for path in sorted((REPO / "src").rglob("*.c")))
    code = re.sub(r'"\s*\n\s*"', "", code)
    table = (REPO / "deploy" / "README.md").read_text().partition("## Troubleshooting")[2].partition("\n## ")[0]
    messages = re.findall(r"^\| `([^`…]+)", table, re.MULTILINE)
    assert len(messages) >= 9
    assert [text for text in messages if text.strip() not in code] == []
