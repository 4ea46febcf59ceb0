#!/usr/bin/python3
"""Makes deploy/page.png, the picture of the metrics server's page in the README: containers of a made-up shop on an Engine of their own,
sidetail, and what a headless Chromium shows. As root; usage: page-picture.py SIDETAIL > deploy/page.png"""
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "integration"))

from lib import engine  # noqa: E402
from lib.browser import Browser  # noqa: E402
from lib.dockerd import Dockerd  # noqa: E402
from lib.sidetail import Sidetail  # noqa: E402
from lib.system import run  # noqa: E402

IMAGE, WIDTH, SECONDS = "debian:bookworm-slim", 1100, 62
# How often the service writes a line, as a shell's loop body, and its container's labels.
SERVICES = {
    "web": ("sleep 0.0$((RANDOM % 3 + 2))", {}),
    "orders": ("n=$((n + 1)); [ $((n / 40 % 2)) = 0 ] && sleep 0.03 || sleep 0.2", {}),
    "search": ("sleep 0.$((RANDOM % 3 + 1))", {"sidetail.rate_limit": "many"}),
    "db": ("sleep 2", {}),
    "debug": ("sleep 1", {}),
}


def save(path):
    run("docker", "save", "-o", path, IMAGE)
    return path


def main():
    engine.start()  # builds the image of the containers, where it is missing
    directory = Path(tempfile.mkdtemp(prefix="page-picture-"))
    own = Dockerd(directory)
    own.docker("load", "-i", save(directory / "image.tar"))
    config = {"json_file": {"path": str(own.containers_dir)}, "exclude": {"services": ["debug"]}}
    collector, browser = Sidetail(directory, config, binary=Path(sys.argv[1]).resolve()), Browser(directory)
    try:
        for service, (pause, labels) in SERVICES.items():
            names = {"com.docker.compose.project": "shop", "com.docker.compose.service": service}
            own.run("bash", "-c", f"while :; do echo line; {pause}; done", image=IMAGE, labels={**names, **labels},
                    options=["--network", "none", "--name", f"shop-{service}-1"])  # fmt: skip
        collector.start()
        collector.wait_stderr("collecting")
        page = browser.open(f"http://127.0.0.1:{collector.port}/", width=WIDTH)
        time.sleep(SECONDS)  # until the small lines are as long as they become
        height = page.run("Math.ceil(document.querySelector('main').getBoundingClientRect().bottom) + 16")
        page.resize(WIDTH, height)
        sys.stdout.buffer.write(page.picture())
    finally:
        browser.close()
        collector.close()
        own.close()


main()
