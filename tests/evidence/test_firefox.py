"""The transport witness with Firefox: what leaves a sealed network on the way through the site. 'unpatched' is the
control.

Playwright does not drive this Firefox (tests/support/browsers/firefox.py), so the ways are walked here, and the witness
in the browser is missing: what counts is the wire.
"""

from __future__ import annotations

import json
import shlex
import socket
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hardener.errors import StackError
from hardener.proof.evidence.attack import HARMLESS, NONE
from hardener.proof.evidence.attacks import ATTACKS, NAME
from hardener.proof.evidence.canaries import CANARIES, FOLDER
from hardener.proof.evidence.journeys import STATIC
from hardener.proof.evidence.namespaces import SealedNetwork
from hardener.proof.evidence.record import Recorder, read
from hardener.proof.evidence.sinkhole import Names, Sinkhole
from hardener.proof.evidence.site import HOST, OwnServer, Scene
from hardener.proof.evidence.verdict import KINDS
from hardener.proof.evidence.witness import OWN, tls_context
from hardener.proof.xmpp.stub import PASSWORD, USER
from support.browsers import firefox
from support.browsers.page import PATIENCE
from support.sites import built

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hardener.proof.evidence.attack import Attack
    from support.browsers.page import Page

pytestmark = [pytest.mark.upstream, pytest.mark.slow, pytest.mark.every_browser("firefox")]

LINGER = 3.0  # seconds in which a page may do what it should not do
ROOM, LOGIN, PREJOIN = "/room", "#personal-login-user", '[data-testid="prejoin.joinMeeting"]'
IN_CALL = "() => Boolean(window.APP?.conference?.isJoined())"
# What an organisation sets on its machines (https://mozilla.github.io/policy-templates/), so that what is left on the
# wire is the page's. Nothing of it changes what a page may do.
POLICIES = {
    "DisableAppUpdate": True,
    "DisableFirefoxStudies": True,
    "DisableTelemetry": True,
    "CaptivePortal": False,
    "DNSOverHTTPS": {"Enabled": False, "Locked": True},
    "ExtensionUpdate": False,
    "OverrideFirstRunPage": "",
    "SearchSuggestEnabled": False,
}
MAKERS = ("mozilla.com", "mozilla.net", "mozilla.org", "firefox.com")
# No policy covers the lists that Firefox updates, nor its plug-ins for protected media.
PREFERENCES = {
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-manager.url": "",
    "media.gmp-manager.url.override": "data:text/plain,",
    "extensions.systemAddon.update.enabled": False,
}
ENVIRONMENT = {"MOZ_REMOTE_SETTINGS_DEVTOOLS": "1"}  # without it, a release ignores the first of these preferences
# What of an attack Firefox does not do: look up the host names of candidates.
NOT_IN_FIREFOX = {NAME}


@dataclass
class Wire:
    """A sealed network with the site in it, and what the transport witness has seen so far."""

    net: SealedNetwork
    record: Recorder
    scene: Scene
    folder: Path

    @contextmanager
    def firefox(self, *, managed: bool = True) -> Iterator[firefox.Firefox]:
        """Provide a Firefox in the network; one that is not ``managed`` calls home as on any desk."""
        distribution = Path(firefox.program()).resolve().parent / "distribution"
        policies = self.folder / "distribution"
        policies.mkdir(exist_ok=True)
        (policies / "policies.json").write_text(json.dumps({"policies": POLICIES if managed else {}}))
        # Mounts of 'ip netns exec' end with the program.
        inside = ("sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', str(policies), str(distribution))
        launcher = [str(self.net.launcher(shlex.join(inside), self.folder)), firefox.program()]
        preferences = PREFERENCES if managed else {"remote.prefs.recommended": False}
        environment = ENVIRONMENT if managed else {}
        with firefox.Firefox(preferences, launcher, self.net.connect_browser, environment) as browser:
            yield browser

    def seen(self, run: str) -> dict[str, set[str]]:
        """Return the foreign hosts of a run, and what of them was on the wire."""
        found: dict[str, set[str]] = {}
        for event in read(self.folder / "events.ndjson"):
            host = event.get("host", "")
            own = host in {*OWN, ""}
            if (
                event["run"] == run
                and event["witness"] == "transport"
                and event["kind"] in KINDS["transport"]
                and not own
            ):
                found.setdefault(host, set()).add(event["kind"])
        return found

    def walk(self, browser: firefox.Firefox, run: str, way: Callable[[Page, Attack], None], attack: Attack) -> None:
        """Make a run in a page without a past."""
        self.record.run = run
        self.scene.settings, self.scene.mallory = attack.settings, attack.mallory or HARMLESS
        self.scene.features = attack.server
        page = browser.page()
        way(page, attack)
        time.sleep(LINGER)
        page.close()
        self.record.run = ""


@pytest.fixture(scope="module")
def wire(developers_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Wire]]:
    """Serve a variant in a sealed network; skipped, with the reason, where there can be none."""
    if not firefox.program():
        pytest.skip(f"Firefox is not installed: {firefox.HINT}")
    with ExitStack() as stack:

        def serve(variant: str) -> Wire:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("XDG_CACHE_HOME", str(developers_cache.parent))
                site = built(variant)
            folder = tmp_path_factory.mktemp(variant)
            try:
                net = stack.enter_context(SealedNetwork())
            except StackError as error:
                pytest.skip(f"{error.message} ({error.hint})")
            record, scene, tls = Recorder(folder / "events.ndjson"), Scene(), tls_context(folder)
            stack.callback(record.close)
            stack.callback(OwnServer(net, site, scene, record, tls).close)
            stack.callback(Sinkhole(net, Names((*OWN, socket.gethostname())), record, tls).close)
            return Wire(net, record, scene, folder)

        yield serve


def _opens(page: Page, attack: Attack) -> None:
    page.open(attack.address(ROOM))
    page.wait_until("selector => Boolean(document.querySelector(selector))", f"{LOGIN}, {PREJOIN}")
    if page.has(LOGIN):
        page.fill(LOGIN, USER)
        page.fill("#personal-login-password", PASSWORD)
        page.click('[data-testid="personal-login.submit"]')
    page.wait_for(PREJOIN)


def _joins(page: Page, attack: Attack) -> None:
    _opens(page, attack)
    page.fill("#premeeting-name-input", "Ada")
    page.click(PREJOIN)
    page.wait_until(IN_CALL)


def _welcomes(page: Page, attack: Attack) -> None:
    page.open(attack.address("/"))
    page.wait_for("#enter_room_button")


def _reads(page: Page, attack: Attack) -> None:
    for name in STATIC:
        page.open(attack.address(f"/static/{name}.html"))


WAYS: dict[str, tuple[Callable[[Page, Attack], None], Attack]] = {
    "welcome": (_welcomes, NONE),
    "static": (_reads, NONE),
    "prejoin": (_opens, NONE),
    "call": (_joins, NONE),
    **{
        name: (way, next(attack for attack in ATTACKS if attack.name == name))
        for name, way in (
            ("mallory-avatar", _joins),
            ("mallory-candidate", _joins),
            ("locked-avatar", _joins),
            ("brand-values", _opens),
            ("jwt", _joins),
        )
    },
}


def _plants(sealed: Wire, browser: firefox.Firefox, run: str) -> None:
    """Wait until the wire has seen a planted request of each kind."""
    sealed.record.run = run
    page = browser.page()
    page.open(f"https://{HOST}{FOLDER}page.html")
    end = time.monotonic() + PATIENCE
    while missing := {row.kind for row in CANARIES if row.transport - sealed.seen(run).get(row.host, set())}:
        assert time.monotonic() < end, (run, missing)
        time.sleep(0.2)
    page.close()
    sealed.record.run = ""


def test_no_way_of_firefox_leads_to_a_foreign_host(wire: Callable[[str], Wire]) -> None:
    """Each kind of planted request is seen; upstream's site, the control, has contacts."""
    contacts: dict[str, dict[str, Any]] = {}
    for variant in ("unpatched", "hardened"):
        sealed = wire(variant)
        sealed.record.run = "idle"
        with sealed.firefox() as browser:
            sealed.walk(browser, "idle", lambda page, _attack: page.open("about:blank"), NONE)
            for run, (way, attack) in WAYS.items():
                sealed.walk(browser, run, way, attack)
        with sealed.firefox() as browser:  # WebTransport continues to ask: not in the browser of the other runs
            _plants(sealed, browser, "canary")
        contacts[variant] = {run: sealed.seen(run) for run in ("idle", *WAYS)}

    assert contacts["unpatched"]["idle"] == {}
    for run, (_way, attack) in WAYS.items():
        assert set(attack.expects) - set(contacts["unpatched"][run]) <= NOT_IN_FIREFOX, (run, contacts["unpatched"])
    assert contacts["hardened"] == {run: {} for run in ("idle", *WAYS)}


def test_without_policy_and_preferences_firefox_calls_home(wire: Callable[[str], Wire]) -> None:
    """The control of the idle run: on a page that asks for nothing, all that is on the wire is the browser's own."""
    sealed = wire("hardened")
    with sealed.firefox(managed=False) as browser:
        sealed.record.run = "home"
        page = browser.page()
        page.open("about:blank")
        end = time.monotonic() + PATIENCE
        while not any(host.endswith(MAKERS) for host in sealed.seen("home")):
            assert time.monotonic() < end, sealed.seen("home")
            time.sleep(0.2)
