"""Debian's WebKit (the engine of Safari) over WebDriver (https://www.w3.org/TR/webdriver2/), on a screen of its own.

It is built without WebRTC: the way up to a call can be tested, a call cannot.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

from support.browsers.page import PATIENCE, Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HINT = "apt-get install webkit2gtk-driver xvfb"
_DRIVER, _SCREEN = "WebKitWebDriver", "Xvfb"
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id, which the standard fixes

# The client looks for these names before it shows a room; no test of this browser gets as far as a connection.
NO_WEBRTC = """
window.RTCPeerConnection ??= class extends EventTarget {};
window.RTCRtpSender ??= class {};
window.RTCRtpReceiver ??= class {};
"""


def program() -> str:
    """Return the path of the browser; empty where it, its driver or a virtual screen is not installed."""
    found = next((str(path) for path in sorted(Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser"))), "")
    return found if shutil.which(_DRIVER) and shutil.which(_SCREEN) else ""


class Webkit:
    """Context manager: WebKit's driver and a virtual screen. Each page has a browser process of its own."""

    name = "webkit"
    calls = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            home = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="hardener-webkit-", ignore_cleanup_errors=True)
            )
            display = stack.enter_context(_screen())
            self._env = os.environ | {
                "DISPLAY": display,
                "HOME": home,
                "XDG_RUNTIME_DIR": home,
                "LIBGL_ALWAYS_SOFTWARE": "1",
                "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
                "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",  # bubblewrap may not run in CI's container
                # No host but loopback can be reached: what the browser itself asks for fails at once.
                **dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9"),
                "no_proxy": "127.0.0.1,localhost",
            }
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def page(self, *, agent: str = "", languages: Sequence[str] = (), size: tuple[int, int] = (1280, 800)) -> Page:
        """Open an empty page with a storage of its own, which says that it is this browser and reads these languages."""
        env = self._env | ({"LANGUAGE": ":".join(languages), "LC_ALL": "C.UTF-8"} if languages else {})
        arguments = ["--automation", *([f"--user-agent={agent}"] if agent else [])]
        with ExitStack() as stack:
            address = stack.enter_context(_driver(env))
            options = {"binary": program(), "args": arguments}
            wanted = {"acceptInsecureCerts": True, "webkitgtk:browserOptions": options}
            session = _command("POST", f"{address}/session", capabilities={"alwaysMatch": wanted})["sessionId"]
            page = WebkitPage(f"{address}/session/{session}", stack.pop_all())
        _command("POST", f"{page.session}/window/rect", **dict(zip(("width", "height"), size, strict=True)))
        return page


class WebkitPage(Page):
    """The page of one session."""

    def __init__(self, session: str, stack: ExitStack) -> None:
        super().__init__()
        self.session, self._stack = session, stack

    def _element(self, selector: str) -> str:
        self.wait_for(selector)
        found = _command("POST", f"{self.session}/element", using="css selector", value=selector)
        return f"{self.session}/element/{found[_ELEMENT]}"

    def open(self, address: str) -> None:
        _command("POST", f"{self.session}/url", url=address)

    def run(self, script: str) -> Any:
        text = f"const done = arguments[0]; ({script})().then(value => done([ value ]), error => done([ null, `${{error}}` ]))"
        value, *error = _command("POST", f"{self.session}/execute/async", script=text, args=[])
        assert not error, error
        return value

    def click(self, selector: str) -> None:
        _command("POST", f"{self._element(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        _command("POST", f"{self._element(selector)}/value", text=text)

    def close(self) -> None:
        with self._stack:
            _command("DELETE", self.session)


def _command(method: str, address: str, **words: Any) -> Any:
    """Return the value that the driver answers with."""
    answer = requests.request(
        method, address, json=words if method == "POST" else None, timeout=PATIENCE, proxies={"http": ""}
    )
    value = answer.json()["value"]
    assert answer.ok, f"{method} {address}: {value}"
    return value


@contextlib.contextmanager
def _screen() -> Iterator[str]:
    """Provide a virtual screen; yields its name."""
    command = [_SCREEN, "-displayfd", "1", "-screen", "0", "1400x1300x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            yield ":" + server.stdout.readline().strip()
        finally:
            server.terminate()


@contextlib.contextmanager
def _driver(env: dict[str, str]) -> Iterator[str]:
    """Provide a driver on a free port; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [_DRIVER, f"--port={port}", "--host=127.0.0.1"]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        try:
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    _command("GET", f"{address}/status")
                    break
                except requests.ConnectionError:
                    assert time.monotonic() < end, "the driver did not start"
                    time.sleep(0.05)
            yield address
        finally:
            driver.terminate()
