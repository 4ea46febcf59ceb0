"""A headless Chromium, driven by its DevTools protocol: JSON ended by NUL, over two pipes, so that no port is open.
https://chromedevtools.github.io/devtools-protocol/ describes the methods and events."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

from .system import unavailable, wait_until

PROGRAM = "chromium-headless-shell"
REBOUND = "evil.example"  # a name that leads to this machine
# Root has no sandbox; what the pages hold is the tests' own.
OPTIONS = ("--no-sandbox", f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--hide-scrollbars",
           "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe")  # fmt: skip
# By its name: the number and the text that a key event has.
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " "), "Escape": (27, "")}


class Browser:
    REBOUND = REBOUND

    def __init__(self, directory):
        if not shutil.which(PROGRAM):
            unavailable(f"{PROGRAM} is missing: tests/setup/install.sh monitor")
        ours, theirs = os.pipe(), os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (theirs[0], ours[1])]
        self.inbox, self.outbox = ours[0], theirs[1]
        self.directory = directory
        with open(directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f'exec "$@" 3<&{high[0]} 4>&{high[1]}', "browser", PROGRAM, *OPTIONS,
                 f"--user-data-dir={directory}/profile", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=high, env={**os.environ, "HOME": str(directory)},
            )  # fmt: skip
        for fd in (theirs[0], ours[1], *high):
            os.close(fd)
        self.rest, self.number, self.events = b"", 0, []

    def call(self, method, session=None, timeout=30, **parameters):
        """Calls a method; gives back its result. Events that come meanwhile are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.outbox, data) :]
        end = time.monotonic() + timeout
        while True:
            told = self._receive(end, method)
            if told.get("id") == self.number:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]
            self.events.append(told)

    def _receive(self, end, what):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.inbox], [], [], max(0, end - time.monotonic()))
            block = os.read(self.inbox, 1 << 20) if ready else b""
            assert block, f"{what}: the browser does not answer:\n{(self.directory / 'log').read_text()[-2000:]}"
            self.rest += block
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, url, **options):
        return Page(self, url, **options)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.inbox)
        os.close(self.outbox)


class Page:
    def __init__(self, browser, url, width=1280, height=900, dark=False):
        self.browser = browser
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source="""
            window.violations = [];
            document.addEventListener("securitypolicyviolation", (e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));""")
        # Keys go to the page whose turn it is; another one that is being closed may still have it.
        self.call("Page.bringToFront")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.resize(width, height)
        self.scheme(dark)
        said = self.call("Page.navigate", url=url)
        assert "errorText" not in said, said
        self.wait("document.readyState === 'complete'")

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def scheme(self, dark):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def run(self, script):
        """What a script's last expression is, as JSON has it."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, f"{script}: {done['exceptionDetails']}"
        return done["result"].get("value")

    def wait(self, script, timeout=20):
        """Until it is true."""
        wait_until(lambda: self.run(f"!!({script})"), timeout, lambda: f"{script}, on the page:\n{self.text()}", every=0.05)

    def text(self):
        return self.run("document.body.innerText")

    def press(self, key, shift=False):
        code, text = KEYS[key]
        common = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def faults(self):
        """Errors, warnings and whatever else was said on its console, and what its policy refused."""
        self.run("0")  # what has come until now
        mine = [event for event in self.browser.events if event.get("sessionId") == self.session]
        said = [event for event in mine if event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")]
        return said + self.run("violations")

    def requests(self):
        """Addresses that it asked for."""
        return [event["params"]["request"]["url"] for event in self.browser.events
                if event.get("sessionId") == self.session and event["method"] == "Network.requestWillBeSent"]  # fmt: skip

    def picture(self):
        """As PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
