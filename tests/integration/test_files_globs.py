"""Source files: which files a glob means, in include and in exclude."""

import pytest


@pytest.fixture
def collect(sidetail, tmp_path):
    """collect(*names, include=…, exclude=…): writes a line into each file, and returns what is collected: name → service."""

    def make(*names, include, exclude=(), **config):
        for name in (*names, "end.mark"):
            path = tmp_path / "logs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name}\n")
        collector = sidetail({"source": "files", "format": "json", "sink": "file", "file": {"path": str(tmp_path / "out")},
                              "files": {"include": [f"{tmp_path}/logs/{glob}" for glob in (*include, "end.mark")],
                                        "exclude": [glob.replace("LOGS", f"{tmp_path}/logs") for glob in exclude]},
                              **config}).start()  # fmt: skip
        collector.wait_for(lambda records: any(record["log"] == "end.mark" for record in records))
        collector.wait_quiet(0.5)
        return {record["log"]: record["service"] for record in collector.records() if record["log"] != "end.mark"}, collector

    return make


def test_alternatives(collect):
    found, _ = collect("web.log", "db.log", "secret.log", "a/b/x.log", "c/x.log", "a/x.log", include=["{web,db}.log", "{a/b,c}/*.log"])
    assert set(found) == {"web.log", "db.log", "a/b/x.log", "c/x.log"}


def test_any_depth(collect, tmp_path):
    names = ["top.log", "a/one.log", "a/b/c/three.log", ".git/hidden.log", "a/other.txt"]
    found, collector = collect(*names, include=["**/*.log"])
    assert set(found) == {"top.log", "a/one.log", "a/b/c/three.log"}
    # A directory that comes later is as good, and a link that leads round in a circle does no harm.
    (tmp_path / "logs" / "a" / "round").symlink_to(tmp_path / "logs")
    (tmp_path / "logs" / "new" / "deep").mkdir(parents=True)
    (tmp_path / "logs" / "new" / "deep" / "x.log").write_text("late\n")
    collector.wait_for(lambda records: any(record["log"] == "late" for record in records))
    collector.wait_quiet(1.5)
    assert len(list(collector.records())) == 5
    collector.stop_cleanly()


def test_sets_and_escapes(collect):
    found, _ = collect("app1.log", "appx.log", "a[1].log", "{web}.log", "*.log", "x.log",
                       include=["app[[:digit:]].log", r"a\[1\].log", r"\{web\}.log", r"\*.log"])  # fmt: skip
    assert set(found) == {"app1.log", "a[1].log", "{web}.log", "*.log"}


def test_exclude(collect):
    names = ["web/app.log", "web/debug.log", "db/app.log", "db/trace.log", "db/deep/er/app.log", "db/[1].log"]
    found, _ = collect(*names, include=["**/*.log"],
                       exclude=["LOGS/*/{debug,trace}.log", "**/deep/**", r"LOGS/*/\[1\].log"])  # fmt: skip
    assert set(found) == {"web/app.log", "db/app.log"}
    assert found["web/app.log"] == "app"


def test_exclude_by_name(collect):
    found, _ = collect("web/app.log", "web/app.bak", "db/x/app.bak", include=["**/{service}.*"], exclude=["*.bak"])
    assert found == {"web/app.log": "app"}


@pytest.mark.parametrize(
    ("directory", "wanted"), [("/web", "web/app.log"), ("./web", "web/app.log"), ("db/../web", "web/app.log"), ("*/.//web", "db/web/y.log")]
)
def test_exclude_knows_each_way_to_write_a_path(collect, directory, wanted):
    found, _ = collect("web/app.log", "web/debug.log", "web/trace.log", "web/x.log", "db/web/y.log", "db/web/debug.log",
                       include=[f"{directory}/*.log"],
                       exclude=["debug.log", "LOGS/web//trace.log", "LOGS/db/../web/./x.log"])  # fmt: skip
    assert set(found) == {wanted}


@pytest.mark.parametrize(
    ("key", "glob", "said"),
    [
        ("include", "/logs/{servcie}/*.log", "{servcie} is no named part, the nearest is {service}"),
        ("exclude", "/logs/{servcie}/*.log", "the nearest is {service}"),
        ("exclude", "/logs/[a", "a [ is not closed"),
        ("include", "/logs/{web,db.log", "a { is not closed"),
        ("include", "/logs/*/../web/*.log", "write the path without it"),
        ("exclude", "../debug.log", "write the path without it"),
    ],
)
def test_faults(sidetail, key, glob, said):
    collector = sidetail({"source": "files", "files": {"include": ["/logs/*.log"], key: [glob]}}).start()
    assert collector.wait() == 2
    assert f"files.{key}" in collector.stderr() and said in collector.stderr()
