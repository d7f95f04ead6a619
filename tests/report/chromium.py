"""A headless Chromium, spoken to over a pair of pipes: what it loads, logs, lays out and prints."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-extensions", "--hide-scrollbars"),
)
# Chromium wants the pipes as 3 and 4
PIPED = "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4); "
PIPED += "os.execv(sys.argv[3], sys.argv[3:])"
KEYS = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
BOX = "getBoundingClientRect()"
HIGH = 20  # descriptors that 3 and 4 do not replace


@dataclass
class Tab:
    """An open page: what it asked for and what it complained about since it was opened."""

    write: IO[bytes]
    read: IO[bytes]
    session: str = ""
    last: int = 0
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    loaded: bool = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.write.write(json.dumps(message).encode() + b"\0")
        self.write.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self.last:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self.read.read(1)) != b"\0":
            assert byte, "the browser has ended"
            data += byte
        found: dict[str, Any] = json.loads(data)
        self._note(found.get("method", ""), found.get("params", {}))
        return found

    def _note(self, method: str, told: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(told["args"]))
        self.loaded |= method == "Page.loadEventFired"

    def open(self, page: Path, width: int = 1400, dark: bool = False, media: str = "") -> None:
        """Load a page from disk, in a window of that width."""
        self.look(width, dark, media)
        self.requests.clear()
        self.complaints.clear()
        self.loaded = False
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not self.loaded:
            self._next()

    def look(self, width: int, dark: bool = False, media: str = "") -> None:
        """The window's width, light or dark, 'print' or ''."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def ask(self, script: str) -> Any:
        """The value of an expression in the page."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def press(self, key: str) -> None:
        """One key, down and up."""
        code = KEYS[key]
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            more = {"key": key, "code": key, "windowsVirtualKeyCode": code, **text}
            self.call("Input.dispatchKeyEvent", type=kind, **more)

    def point(self, selector: str, click: bool = False) -> None:
        """Move the mouse to the middle of an element, which is brought into view; press it."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.ask(f"{found}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box = self.ask(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({found}.{BOX})")
        at = {"x": box[0], "y": box[1]}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **at)
        for kind in ("mousePressed", "mouseReleased") if click else ():
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def settle(self) -> None:
        """Until the page has drawn what it was asked to."""
        frames = "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))"
        self.call("Runtime.evaluate", expression=frames, awaitPromise=True)


@contextmanager
def tab() -> Iterator[Tab]:
    """A tab of a browser of its own."""
    assert BROWSER is not None
    ours, theirs = os.pipe(), os.pipe()  # what it reads, what it writes
    inherited = [fcntl.fcntl(fd, fcntl.F_DUPFD, HIGH) for fd in (ours[0], theirs[1])]
    for fd in (ours[0], theirs[1]):
        os.close(fd)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        start = [sys.executable, "-c", PIPED, *map(str, inherited), BROWSER, *FLAGS]
        process = subprocess.Popen(
            [*start, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=inherited,
            stderr=subprocess.DEVNULL,
        )
        for fd in inherited:
            os.close(fd)
        with os.fdopen(ours[1], "wb") as write, os.fdopen(theirs[0], "rb") as read:
            found = Tab(write, read)
            try:
                target = found.call("Target.createTarget", url="about:blank")["targetId"]
                wanted = {"targetId": target, "flatten": True}
                found.session = found.call("Target.attachToTarget", **wanted)["sessionId"]
                for domain in ("Page", "Network", "Runtime", "Log"):
                    found.call(f"{domain}.enable")
                yield found
            finally:
                process.terminate()
                process.wait(20)
