"""The README's first command does what it says."""

import os
import subprocess

from lib.system import REPO
from lib.verify import parse_json_lines


def test_demo_collects_three_services(engine):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SIDETAIL_")}
    done = subprocess.run([REPO / "deploy" / "demo.sh"], env={**environment, "DEMO_SECONDS": "4"}, capture_output=True,
                          text=True, timeout=280)  # fmt: skip
    assert done.returncode == 0, done.stderr
    records = list(parse_json_lines(done.stdout.splitlines()))
    assert {record["service"] for record in records} == {"web", "worker", "db"}
    assert {record["project"] for record in records} == {"demo"}
    assert "demo_web" not in engine.docker("ps", "-a").stdout
