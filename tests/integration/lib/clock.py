"""A wall clock that can be stepped for one program (tests/integration/app/clock.c): the machine's own is everybody's."""

import os

from .system import REPO, run


class SteppedClock:
    """Files in `directory`; `env` is for the program's environment. Each step sets how far it is from the machine's."""

    def __init__(self, directory):
        library, self.path = directory / "clock.so", directory / "clock"
        run("make", "-s", "-C", REPO / "tests" / "integration" / "app", f"CLOCK={library}", library)
        self.path.write_bytes(bytes(8))
        # A build with sanitizers wants their library to be the first, unless told otherwise.
        sanitizer = f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"
        self.env = {"LD_PRELOAD": library, "STEPPED_CLOCK": self.path, "ASAN_OPTIONS": sanitizer}

    def step(self, seconds):
        with open(self.path, "r+b") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))
