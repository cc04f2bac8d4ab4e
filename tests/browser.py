"""A real Chromium without a screen, driven over its DevTools pipe: no port, no driver, no dependency."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REQUIRED = "EARSHOT_REQUIRE_BROWSER"
"""Set to 1 where a missing browser must fail the tests instead of skipping them."""
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip
TO_3_AND_4 = """
import fcntl, os, sys
to_read, to_write = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(to_read, 3)
os.dup2(to_write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads commands from descriptor 3 and writes answers to 4."""
ANSWER_S = 30
"""Longest wait for one answer: a loaded two-core machine takes seconds to start Chromium."""


def chromium() -> str:
    """Return Chromium's path; skip the test where there is none, or fail it where one is required."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None and os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{REQUIRED}=1 but none of {', '.join(NAMES)} is installed")
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    return path


class Browser:
    """One page of one Chromium; everything that went wrong on it is kept in ``problems``."""

    def __init__(self, profile: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        to_read, self._out = os.pipe()
        self._in, to_write = os.pipe()
        command = [
            chromium(),
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            "about:blank",
        ]
        self._log = profile / "chromium.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", TO_3_AND_4, str(to_read), str(to_write), *command],
                pass_fds=(to_read, to_write),
                stdout=log,
                stderr=log,
            )
        os.close(to_read)
        os.close(to_write)
        self._buffer = b""
        self._last_id = 0
        self._session: str | None = None
        self._loaded = False
        self.problems: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.resize(width, height)
        theme = "dark" if dark else "light"
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def resize(self, width: int, height: int) -> None:
        """Give the page another size in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, page: Path) -> None:
        """Load a file and wait until it has loaded."""
        self._loaded = False
        self.send("Page.navigate", url=page.as_uri())
        self._wait(lambda: self._loaded, f"{page} did not load")

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited, as if the user had just clicked."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, expression: str, *, seconds: float = 10) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                raise AssertionError(f"not true after {seconds} s: {expression}")
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse, after scrolling it into view."""
        x, y = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        self.click_at(x, y)

    def click_at(self, x: float, y: float) -> None:
        """Click a point of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Press and release a key, named as in KeyboardEvent.key."""
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key)

    def screenshot(self, file: Path, *, whole: bool = False) -> bytes:
        """Write what the window shows (or the whole page) to a PNG file and return its bytes."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))
        return file.read_bytes()

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one DevTools command and return its result."""
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        answers: list[dict[str, Any]] = []
        wanted = self._last_id

        def answered() -> bool:
            return bool(answers)

        self._wait(
            answered, f"no answer to {method}", lambda m: answers.append(m) if m.get("id") == wanted else None
        )
        if "error" in answers[0]:
            raise AssertionError(f"{method}: {answers[0]['error']}")
        result: dict[str, Any] = answers[0]["result"]
        return result

    def _wait(self, done: Any, what: str, on_message: Any = None) -> None:
        deadline = time.monotonic() + ANSWER_S
        while not done():
            message = self._receive(deadline - time.monotonic(), what)
            self._note(message)
            if on_message:
                on_message(message)

    def _receive(self, seconds: float, what: str) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(deadline - time.monotonic(), 0))
            chunk = os.read(self._in, 1 << 20) if ready else b""
            if not chunk:
                how = f"within {ANSWER_S} s" if not ready else "before Chromium closed its pipe"
                raise AssertionError(
                    f"{what} {how}; it said:\n{self._log.read_text(errors='replace')[-2000:]}"
                )
            self._buffer += chunk
        head, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(head)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.problems.append(json.dumps(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.problems.append(params["entry"]["text"])
            case "Page.javascriptDialogOpening":
                self.problems.append(f"a dialog opened: {params['message']}")
                # The page hangs until the dialog is answered.
                answer = {"id": 0, "sessionId": self._session, "method": "Page.handleJavaScriptDialog"}
                os.write(self._out, json.dumps({**answer, "params": {"accept": True}}).encode() + b"\0")
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
