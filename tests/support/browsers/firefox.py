"""Debian's Firefox over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it serves itself.

Debian has no geckodriver, and Playwright's support of BiDi asks for commands that Firefox 153 does not know.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hardener.proof.xmpp import websocket
from support.browsers.page import PATIENCE, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HINT = "apt-get install firefox-esr"
_LISTENING = re.compile(r"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)")
# Camera, microphone and connections without hardware, questions and a network.
MEDIA = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
}
# No host but loopback can be reached: what the browser itself asks for fails at once.
ONLY_LOOPBACK = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1, localhost",
}
_LEFT = 0  # button of the mouse


def program() -> str:
    """Return the path of Firefox; empty where it is not installed."""
    return shutil.which("firefox-esr") or shutil.which("firefox") or ""


class BidiError(RuntimeError):
    """Firefox refuses a command."""


class Firefox:
    """Context manager: a Firefox without a window, with a fresh profile.

    ``launcher`` is the command that starts it, and ``connect`` reaches a port of its loopback, where it is in a
    network of its own.
    """

    name = "firefox"
    calls = True

    def __init__(
        self,
        preferences: Mapping[str, Any] = ONLY_LOOPBACK,
        launcher: Sequence[str] = (),
        connect: Callable[[int], socket.socket] = lambda port: socket.create_connection(("127.0.0.1", port)),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._reach, self._environment = connect, environment or {}
        self._launcher = [*(launcher or [program()])]
        self._preferences = {**MEDIA, **preferences}
        self._number = 0
        self._reader: threading.Thread | None = None
        self.pages: dict[str, FirefoxPage] = {}

    def __enter__(self) -> Self:
        self._home = tempfile.TemporaryDirectory(prefix="hardener-firefox-")
        folder = Path(self._home.name)
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in self._preferences.items()]
        (folder / "user.js").write_text("\n".join(lines))
        self._process = subprocess.Popen(
            [*self._launcher, "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port=0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=os.environ | {"HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"} | self._environment,
        )
        try:
            port = self._port()
            self._socket = websocket.connect(self._reach(port), f"127.0.0.1:{port}", "/session")
            self.send("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
            self.send("session.subscribe", events=["log.entryAdded"])
        except BaseException:
            self._end()
            raise
        return self

    def _port(self) -> int:
        said = []
        for line in self._process.stderr:
            said.append(line)
            if found := _LISTENING.search(line):
                self._reader = threading.Thread(target=self._process.stderr.read, daemon=True)
                self._reader.start()
                return int(found[1])
        raise AssertionError("Firefox did not start:\n" + "".join(said))

    def __exit__(self, *exception: object) -> None:
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader:
            self._reader.join()
        self._process.stderr.close()
        if hasattr(self, "_socket"):
            self._socket.close()
        self._home.cleanup()

    def send(self, method: str, **words: Any) -> Any:
        """Return the result of a command. Raises BidiError."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": words}))
        while True:
            answer = json.loads(self._socket.receive(lambda: PATIENCE))
            if answer.get("id") == self._number:
                break
            self._note(answer)
        if "error" in answer:
            raise BidiError(f"{method}: {answer['error']}: {answer.get('message')}")
        return answer["result"]

    def _note(self, event: dict[str, Any]) -> None:
        facts = event.get("params", {})
        page = self.pages.get(facts.get("source", {}).get("context", ""))
        if page and event.get("method") == "log.entryAdded" and facts["level"] == "error":
            page.errors.append(str(facts.get("text")))

    def page(
        self, *, agent: str = "", languages: Sequence[str] = (), size: tuple[int, int] = (1280, 800)
    ) -> FirefoxPage:
        """Open an empty page with a storage of its own, which says that it is this browser and reads these languages."""
        user = self.send("browser.createUserContext")["userContext"]
        context = self.send("browsingContext.create", type="tab", userContext=user)["context"]
        self.send(
            "browsingContext.setViewport", context=context, viewport=dict(zip(("width", "height"), size, strict=True))
        )
        if agent:
            self.send("emulation.setUserAgentOverride", contexts=[context], userAgent=agent)
        if languages:
            self.send("emulation.setLocaleOverride", contexts=[context], locale=languages[0])
        page = self.pages[context] = FirefoxPage(self, context, user)
        return page


class FirefoxPage(Page):
    """A tab with a user context of its own."""

    def __init__(self, browser: Firefox, context: str, user: str) -> None:
        super().__init__()
        self._browser, self._context, self._user = browser, context, user

    def open(self, address: str) -> None:
        self._browser.send("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def _result(self, script: str) -> dict[str, Any]:
        answer = self._browser.send(
            "script.callFunction",
            functionDeclaration=script,
            awaitPromise=True,
            target={"context": self._context},
            userActivation=False,
        )
        if answer["type"] == "exception":
            raise AssertionError(answer["exceptionDetails"]["text"])
        found: dict[str, Any] = answer["result"]
        return found

    def run(self, script: str) -> Any:
        return self._result(script).get("value")

    def _act(self, **actions: list[dict[str, Any]]) -> None:
        sources = [
            {"type": kind, "id": kind, "actions": steps}
            | ({"parameters": {"pointerType": "mouse"}} if kind == "pointer" else {})
            for kind, steps in actions.items()
        ]
        self._browser.send("input.performActions", context=self._context, actions=sources)

    def click(self, selector: str) -> None:
        self.wait_for(selector)
        node = self._result(
            f"() => {{ const found = document.querySelector({json.dumps(selector)});"
            " found.scrollIntoView({ block: 'center' }); return found; }"
        )
        origin = {"type": "element", "element": {"sharedId": node["sharedId"]}}
        self._act(
            pointer=[
                {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
                {"type": "pointerDown", "button": _LEFT},
                {"type": "pointerUp", "button": _LEFT},
            ]
        )

    def type(self, selector: str, text: str) -> None:
        self.click(selector)
        self.evaluate("selector => document.querySelector(selector).select()", selector)
        self._act(key=[{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")])

    def photograph(self, path: Path) -> None:
        """Store a screenshot."""
        path.parent.mkdir(parents=True, exist_ok=True)
        data = self._browser.send("browsingContext.captureScreenshot", context=self._context)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        del self._browser.pages[self._context]
        self._browser.send("browser.removeUserContext", userContext=self._user)
