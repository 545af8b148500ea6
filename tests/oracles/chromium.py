"""A headless Chromium for tests, driven by its own protocol over a pipe: nothing to install but the browser.

The protocol is a null-terminated JSON message for every command, answer and event, on the browser's file descriptors 3
and 4. Everything that the page says on its console, throws, or asks a network for is kept.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)


def find_browser() -> str | None:
    """The browser on this machine, if there is one; `EQUILIBRAX_BROWSER` names another."""
    named = os.environ.get("EQUILIBRAX_BROWSER")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def why_no_browser() -> str:
    """Why no browser can be started, or nothing."""
    if find_browser() is None:
        return "no Chromium on this machine (the Debian package chromium has one)"
    space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if space != resource.RLIM_INFINITY and space < 1 << 40:
        return f"Chromium needs more address space than the {space:,} bytes that a process may have here (ulimit -v)"
    return ""


class Browser:
    """One browser with one page; use it as a context, or close it.

    Attributes:
        said: what the page's console said and its script threw.
        asked: addresses that it asked for, other than files and what it made itself.
    """

    def __init__(self, program: str, folder: Path, patience: float = 180.0):
        self._patience, self._count, self._left = patience, 0, b""
        self._events: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.asked: list[str] = []
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        # The shell puts the two ends where the browser looks for them.
        start = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'
        arguments = [program, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", start, *arguments],
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._session = ""
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser."""
        if self._process.poll() is None:
            try:
                self._session = ""
                self.call("Browser.close")
                self._process.wait(10)
            except (OSError, TimeoutError, subprocess.TimeoutExpired):
                self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    # --- the protocol

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its answer."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        left = json.dumps(message).encode() + b"\0"
        while left:
            left = left[os.write(self._write, left) :]
        end = time.monotonic() + self._patience
        while True:
            found = self._next(end, method)
            if found.get("id") == self._count:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return found["result"]
            self._keep(found)

    def wait_for(self, event: str) -> None:
        """Wait until something has happened, since the last look at events."""
        end = time.monotonic() + self._patience
        while not any(found["method"] == event for found in self._events):
            self._keep(self._next(end, event))
        self._events.clear()

    def _next(self, end: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._left:
            if not select.select([self._read], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"the browser does not answer: {what}")
            some = os.read(self._read, 1 << 20)
            if not some:
                raise OSError("the browser has ended")
            self._left += some
        text, self._left = self._left.split(b"\0", 1)
        return json.loads(text)

    def _keep(self, found: dict[str, Any]) -> None:
        self._events.append(found)
        method, about = found.get("method"), found.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.said.append(f"{about['type']}: {[a.get('value', a.get('description')) for a in about['args']]}")
        elif method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.said.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded":
            self.said.append(about["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            address = about["request"]["url"]
            if not address.startswith(("file:", "blob:", "about:", "data:")):
                self.asked.append(address)
        elif method == "Page.javascriptDialogOpening":
            self.said.append(f"dialog: {about['message']}")

    # --- what a reader does

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file, and wait until it is there."""
        for address in ("about:blank", path.resolve().as_uri() + fragment):  # a fragment alone would load nothing
            self._events.clear()
            self.call("Page.navigate", url=address)
            self.wait_for("Page.loadEventFired")
        # Until it has been laid out, with scroll bars.
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page; of a promise, what it brings."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description"))
        return found["result"].get("value")

    def evaluate_in_frame(self, expression: str) -> Any:
        """The value of an expression in a frame of the page that is closed to it."""
        page, self._session = self._session, ""
        frame = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "iframe")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=frame, flatten=True)["sessionId"]
        try:
            return self.evaluate(expression)
        finally:
            self._session = page

    def until(self, expression: str) -> Any:
        """Wait until an expression is true."""
        end = time.monotonic() + self._patience
        while not (value := self.evaluate(expression)):
            if time.monotonic() > end:
                raise TimeoutError(expression)
            time.sleep(0.02)
        return value

    def text(self, selector: str) -> str:
        """The text that an element shows."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse."""
        x, y = self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, selector: str) -> None:
        """Move the mouse to the middle of an element."""
        x, y = self._middle(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def _middle(self, selector: str) -> tuple[float, float]:
        found = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
            "e.scrollIntoView({block: 'center', behavior: 'instant'}); const b = e.getBoundingClientRect(); "
            "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return found[0], found[1]

    def type(self, selector: str, text: str) -> None:
        """Put a text into a field as keys would, and leave it with the tabulator."""
        self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.focus(); e.select(); }})()"
        )
        self.call("Input.insertText", text=text)
        self.press("Tab", 9)

    def press(self, key: str, code: int) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def choose(self, selector: str, value: str) -> None:
        """Choose an entry of a menu."""
        self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)}; "
            "e.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )

    def drop(self, *paths: Path) -> None:
        """Drop files onto the page."""
        data = {"items": [], "files": [str(path.resolve()) for path in paths], "dragOperationsMask": 1}
        note = "['dragenter', 'dragover', 'drop'].forEach((k) => addEventListener(k, () => { __drags.push(k); }, true))"
        self.evaluate(f"globalThis.__drags || (globalThis.__drags = [], {note}), 0")

        def send(kind: str) -> None:
            seen = self.evaluate("__drags.length")
            self.call("Input.dispatchDragEvent", type=kind, x=200, y=200, data=data)
            self.until(f"__drags.length > {seen}")

        # What the page answers to a drag is not awaited, and a drop before that is none; nor is one on what the page
        # shows while something is dragged before that was dragged over.
        send("dragEnter")
        while self.evaluate("__drags.slice(-2).join()") != "dragover,dragover":
            send("dragOver")
        send("drop")

    def keep_downloads(self, folder: Path) -> None:
        """Keep what the page saves."""
        self.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder.resolve()))

    def resize(self, width: int, height: int, dark: bool = False, medium: str = "") -> None:
        """A window of that size, light or dark, on a screen or on paper."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=medium, features=[scheme])

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """A PNG of the page, or of what is in the window."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def printed(self) -> bytes:
        """The page as a PDF, on the paper that it asks for."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])
