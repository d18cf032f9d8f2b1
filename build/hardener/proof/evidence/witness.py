"""Both witnesses of a run, and the browser that they watch.

1. The browser: DevTools events of every target (cdp.py), Playwright's own events, and a spy in every frame (spy.js).
2. The transport: what left the browser's namespace (sinkhole.py), whatever the browser says.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import socket
import ssl
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hardener.errors import StackError
from hardener.proof import chromium
from hardener.proof.evidence import cdp, relay
from hardener.proof.evidence.namespaces import SealedNetwork
from hardener.proof.evidence.sinkhole import Names, Sinkhole
from hardener.proof.evidence.site import HOST, STAGE, OwnServer, Scene, certificate_paths
from hardener.proof.evidence.tunnels import Tunnels
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, Page, Playwright

    from hardener.proof.evidence.record import Recorder
    from hardener.proof.evidence.relay import Real

OWN = (HOST, STAGE)
_SPIED = frozenset("ice beacon webtransport hint devices window-open message".split())
_LONGEST = 600  # characters of an address
# The browser's own calls home must not be taken for the page's. Playwright's default flags turn most of them off.
FLAGS = (
    *chromium.FLAGS,
    # To draw its 20 pictures a second takes a third of a processor. Upstream asks for at least 15: with fewer its
    # settings give the camera up and close.
    "--use-fake-device-for-media-stream=fps=15",
    "--disable-quic",
    "--no-first-run",
    "--disable-domain-reliability",
    "--disable-sync",
    "--ignore-certificate-errors",
)


def ice_host(url: str) -> str:
    """Return the host of an ICE server.

    >>> ice_host("stun:meet-jit-si-turnrelay.jitsi.net:443"), ice_host("turns:[2001:db8::1]:5349?transport=tcp")
    ('meet-jit-si-turnrelay.jitsi.net', '2001:db8::1')
    """
    rest = url.partition(":")[2].partition("?")[0]
    if rest.startswith("["):
        return rest[1:].partition("]")[0]
    return rest.partition(":")[0].lower()


class Watched:
    """Context manager: a sealed network, the site served in it, and a browser under two witnesses.

    ``service`` are the origins of a running service that can be reached from it, too.
    """

    def __init__(self, site: Path, record: Recorder, real: Real | None = None, service: tuple[str, ...] = ()) -> None:
        self.site, self.record, self._service = site, record, service
        self._bridge = (real.bridge, relay.MEDIA) if real and real.bridge else None
        self.scene = Scene()
        self.browser_version = ""
        self.targets: set[str] = set()
        self.known: frozenset[str] = frozenset()  # addresses of the service
        self._ports = itertools.count(cdp.PORT)

    def __enter__(self) -> Self:
        program = chromium.browser()
        if not program:
            raise StackError("Chromium is not installed", hint="apt-get install chromium")
        try:
            from playwright.sync_api import sync_playwright  # noqa: PLC0415 (a development dependency)
        except ImportError as error:
            raise StackError("Playwright is not installed", hint="make setup") from error
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hardener-evidence-")))
            net = stack.enter_context(SealedNetwork())
            tls = tls_context(folder)
            tunnels = stack.enter_context(Tunnels(net, self._service))
            self.names = Names(OWN, tunnels.addresses, tunnels.known)
            self.known = frozenset(tunnels.known)
            server = OwnServer(net, self.site, self.scene, self.record, tls)
            stack.callback(server.close)
            if self._bridge:
                net.claim(self._bridge[0])
            bridges = tunnels.media | ({self._bridge} if self._bridge else set())
            sinkhole = Sinkhole(net, self.names, self.record, tls, bridges)
            stack.callback(sinkhole.close)
            for bridge in bridges:
                stack.callback(_relay_media(net, bridge))
            self._playwright: Playwright = stack.enter_context(sync_playwright())
            self._launcher = net.launcher(program, folder)
            self._folder, self._net = folder, net
            self.browser_version = run((program, "--version")).text
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def interrupt(self) -> None:
        """End the browsers, from another thread: the present run ends early."""
        self._net.end_browsers()

    @contextlib.contextmanager
    def browser(self, **settings: Any) -> Iterator[BrowserContext]:
        """Provide a browser of its own with a fresh profile, watched.

        Not one of Playwright's light contexts: those are incognito profiles, and Chromium does not preconnect in them.
        """
        wanted: dict[str, Any] = {"ignore_https_errors": True, "viewport": {"width": 1280, "height": 800}} | settings
        profile = tempfile.mkdtemp(prefix="profile-", dir=self._folder)
        port = next(self._ports)  # one for each: several browsers share the namespace in a call
        flags = [*FLAGS, f"--remote-debugging-port={port}"]
        if "user_agent" in wanted:  # Playwright sets it too late for the first request of a pop-up, and not for workers
            flags.append(f"--user-agent={wanted['user_agent']}")
        context = self._playwright.chromium.launch_persistent_context(
            profile, executable_path=self._launcher, args=flags, **wanted
        )
        listener = cdp.Listener(self._net, self.record, port)

        def watch(page: Page) -> None:
            page.on("websocket", lambda websocket: listener.url("websocket", websocket.url, "playwright"))
            page.on("pageerror", lambda error: self.record.add("harness", "page-error", text=str(error)[:300]))

        try:
            context.set_default_timeout(6000)
            context.expose_binding("__hardenerWitness", self._spied)
            context.add_init_script(path=Path(__file__).with_name("spy.js"))
            context.on(
                "request", lambda request: listener.url("request", request.url, "playwright", method=request.method)
            )
            context.on("page", watch)
            yield context
        finally:
            try:
                context.close()
            finally:  # also where it was killed
                listener.close()
                self.targets |= listener.kinds
                shutil.rmtree(profile, ignore_errors=True)

    def _spied(self, source: Any, kind: object, detail: object) -> None:
        """Record what the spy reports. A page can call this, too, and with anything: it can add contacts, no more."""
        facts = json.loads(detail) if isinstance(detail, str) else None
        if not isinstance(kind, str) or kind not in _SPIED or not isinstance(facts, dict):
            return
        if kind == "ice":
            servers = [url[:_LONGEST] for url in facts["servers"] if isinstance(url, str)]
            self.record.add("browser", "peer-connection", servers=servers)
            for url in servers:
                self.record.add("browser", "ice", host=ice_host(url), url=url, target="spy")
        elif kind == "message":
            self.record.add("browser", "message", text=str(facts.get("text"))[:_LONGEST])
        else:
            told = facts.get("url")
            url = told[:_LONGEST] if isinstance(told, str) else ""
            self.record.add("browser", kind, host=cdp.host_of(url or source["frame"].url), url=url, target="spy")


def _relay_media(net: SealedNetwork, bridge: tuple[str, int]) -> Callable[[], None]:
    """Relay media to the bridge; returns what ends it."""
    wire = net.udp(*bridge)
    thread = threading.Thread(target=relay.relay_media, args=(wire, bridge), daemon=True)
    thread.start()

    def end() -> None:
        with contextlib.suppress(OSError):  # it was connected to no one, and wakes up nevertheless
            wire.shutdown(socket.SHUT_RDWR)
        thread.join()
        wire.close()

    return end


def tls_context(folder: Path) -> ssl.SSLContext:
    key, certificate = certificate_paths(folder)
    names = f"subjectAltName=DNS:{HOST},DNS:{STAGE}"
    kind = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=hardener-evidence".split()
    done = run(("openssl", "req", "-x509", *kind, "-addext", names, "-keyout", key, "-out", certificate))
    if done.status:
        raise StackError(f"no certificate for the own server: {done.complaint}", hint="apt-get install openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
