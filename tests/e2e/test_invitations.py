"""What invitations say, and that no link travels with its password. 'unpatched' is the control."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pytest

from hardener.proof.xmpp.stub import USER

from .conftest import PREJOIN, ROOM, ROOT, SCREENSHOTS, enter, join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from playwright.sync_api import BrowserContext, Frame, Page

    from .conftest import Visit

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

VARIANTS = ("unpatched", "hardened")
LANGUAGES = ("en", "de", "fr")  # French has no texts of ours
NOTES = ("loginNote", "mobileNote", "passwordNoteIfSet")
F_DROID = "https://f-droid.org/packages/org.jitsi.meet/"
PASSWORD = "Zaunkönig-4711"
DIALOG = ".invite-more-dialog"
NUMBER = {"countryCode": "DE", "formattedNumber": "+49 30 4711", "default": True}
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5"
    " Mobile/15E148 Safari/604.1"
)

# Keeps what is put into the clipboard, in the order in which it comes there.
RECORD_CLIPBOARD = """
window.copied = [];
Object.defineProperty(navigator, 'clipboard', { value: { writeText: text => {
    window.copied.push(text);
    return Promise.resolve();
} } });
"""
# Locks the room as its moderator does in the security dialog.
LOCK = """async password => {
    const state = () => APP.store.getState()['features/base/conference'];
    const { conference } = state();
    await conference.lock(password);
    APP.store.dispatch({ type: 'SET_PASSWORD', conference, method: conference.lock, password });
    if (!state().locked) {
        throw new Error('the room is not locked');
    }
}"""


def ours(language: str) -> dict[str, str]:
    """Return our texts in a language, or in English where it has none; as they are in the overlays."""
    folder = ROOT / "overlays" / "jitsi-meet" / "lang"
    file = folder / f"main-{language}.json"
    texts = json.loads((file if file.exists() else folder / "main.json").read_text("utf-8"))["hardenedInvite"]
    return {key: text.replace("{{url}}", F_DROID) for key, text in texts.items()}


def theirs(page: Page, language: str) -> Any:
    """Upstream's texts in a language."""
    file = "main" if language == "en" else f"main-{language}"
    return page.evaluate("file => fetch(`lang/${file}.json`).then(response => response.json())", file)


@dataclass
class Invitations:
    """All that the dialog for invitations hands out."""

    mails: list[str] = field(default_factory=list)  # addresses that a click on a symbol opens
    copied: list[str] = field(default_factory=list)
    shown: str = ""

    @property
    def body(self) -> str:
        """Return the text of the one mail."""
        (mail,) = (sent for sent in self.mails if sent.startswith("mailto:"))
        return unquote(mail.split("body=", 1)[1])


@dataclass
class Walk:
    """What one meeting has shown: invitations before and after the room was locked, and both dialogs."""

    before: Invitations
    after: Invitations
    dialog: str
    section: str
    notice: bool  # about the password that was copied
    general: str  # upstream's first line of an invitation, for people with a name and without
    personal: str


def invite(page: Page | Frame) -> Invitations:
    """Open the dialog, copy the link and the invitation, and take down what else it offers."""
    page.evaluate("APP.store.dispatch({ type: 'BEGIN_ADD_PEOPLE' })")
    page.wait_for_selector(f"{DIALOG} a[href^='mailto:']")
    page.click("#add-people-copy-link-button")
    page.wait_for_function("() => copied.length === 1")
    page.locator(f"{DIALOG} [role=button]").last.click()
    page.wait_for_function("() => copied.length === 2")
    found = Invitations(
        page.eval_on_selector_all(f"{DIALOG} a[href]", "all => all.map(one => one.href)"),
        page.evaluate("copied"),
        page.inner_text(DIALOG),
    )
    page.evaluate("APP.store.dispatch({ type: 'HIDE_DIALOG' }); copied.length = 0")
    return found


def open_security(page: Page, language: str) -> None:
    """Open the security dialog by its button, which is called otherwise in each language."""
    page.evaluate("APP.store.dispatch({ type: 'HIDE_DIALOG' })")
    page.click(f'[aria-label="{theirs(page, language)["toolbar"]["accessibilityLabel"]["security"]}"]')
    page.wait_for_selector(".password-section")


@pytest.fixture
def meet(
    context: BrowserContext, configure: Callable[..., None], meeting: Callable[..., Visit]
) -> Callable[[str, str], Page]:
    """Enter a meeting of a variant in a language, with a clipboard that remembers."""
    context.add_init_script(RECORD_CLIPBOARD)
    configure(
        toolbarButtons=["security", "invite"], toolbarConfig={"alwaysVisible": True}, deeplinking={"disabled": True}
    )
    return lambda variant, language: meeting(variant, f"{ROOM}?lang={language}").page


@pytest.fixture(scope="module")
def walks() -> dict[tuple[str, str], Walk]:
    """Provide what was seen so far; all tests of a language look at one meeting of each variant."""
    return {}


@pytest.fixture
def walk(meet: Callable[[str, str], Page], walks: dict[tuple[str, str], Walk]) -> Callable[[str, str], Walk]:
    """Enter a meeting of a variant in a language, invite, lock the room, invite again, and copy the password."""

    def see(variant: str, language: str) -> Walk:
        if (variant, language) not in walks:
            walks[variant, language] = _walk(meet(variant, language), variant, language)
        return walks[variant, language]

    return see


def _walk(page: Page, variant: str, language: str) -> Walk:
    copied = ours(language)["passwordCopied"]
    info = theirs(page, language)["info"]
    before = invite(page)
    page.evaluate(LOCK, PASSWORD)
    after = invite(page)
    page.evaluate("APP.store.dispatch({ type: 'BEGIN_ADD_PEOPLE' })")
    page.wait_for_selector(DIALOG)
    dialog = page.inner_text(DIALOG)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{variant}-invite-{language}.png")
    open_security(page, language)
    section = page.inner_text(".password-section")
    page.click(".copy-password")
    page.wait_for_function("() => copied.length === 1")
    if variant == "hardened":
        page.get_by_text(copied).wait_for()
    page.screenshot(path=SCREENSHOTS / f"{variant}-password-{language}.png")
    notice = page.get_by_text(copied, exact=True).count() > 0
    first = [info[f"inviteURLFirstPart{kind}"].replace("{{name}}", USER) for kind in ("General", "Personal")]
    return Walk(before, after, dialog, section, notice, *first)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_invitation_carries_the_notes(walk: Callable[[str, str], Walk], language: str) -> None:
    """What is copied and what is mailed: on apps, on the account, on the password's own way."""
    texts = ours(language)
    has = {}
    for variant in VARIANTS:
        seen = walk(variant, language)
        found = seen.before
        link, text = found.copied
        assert text == found.body
        assert link in text
        # Mail programs cut more off.
        assert len(next(mail for mail in found.mails if mail.startswith("mailto:"))) < 2000
        has[variant] = [texts[note] in text for note in NOTES]
        # The hardened page proposes the account's name before the meeting, so a person invites by name.
        assert (seen.personal if variant == "hardened" else seen.general) in text

    assert has == {"unpatched": [False] * 3, "hardened": [True] * 3}


def test_password_note_is_plain_where_the_room_is_locked(walk: Callable[[str, str], Walk]) -> None:
    texts = ours("en")
    seen = walk("hardened", "en")
    before, after = seen.before.body, seen.after.body

    assert [texts[note] in before for note in ("passwordNote", "passwordNoteIfSet")] == [False, True]
    assert [texts[note] in after for note in ("passwordNote", "passwordNoteIfSet")] == [True, False]


@pytest.mark.browser_context_args(user_agent=IPHONE)
def test_mail_on_an_iphone_has_the_notes_and_no_line_breaks(meet: Callable[[str, str], Page]) -> None:
    has = {}
    for variant in VARIANTS:
        body = invite(meet(variant, "en")).body
        assert "\n" not in body
        has[variant] = [ours("en")[note] in body for note in NOTES]

    assert has == {"unpatched": [False] * 3, "hardened": [True] * 3}


def test_every_function_that_makes_an_invitation_adds_the_notes() -> None:
    """Also the one for calendars, which no page reaches, and any that upstream may add: read in the patched source."""
    adds = {}
    for variant in VARIANTS:
        source = ROOT / ".work" / variant / "jitsi-meet" / "tree" / "react" / "features" / "invite" / "functions.ts"
        if not source.exists():
            pytest.skip(f"{source} is not there: hardener build{' --unpatched' if variant == 'unpatched' else ''}")
        parts = re.split(r"^export (?:async )?function (\w+)", source.read_text("utf-8"), flags=re.MULTILINE)
        bodies = dict(zip(parts[1::2], parts[2::2], strict=True))
        texts = {name: body for name, body in bodies.items() if re.match(r"get\w*Text", name)}
        assert {"getInviteText", "getInviteTextiOS", "getShareInfoText"} <= set(texts)
        adds[variant] = {"withInviteNotes(" in body for body in texts.values()}

    assert adds == {"unpatched": {False}, "hardened": {True}}


def together(texts: Iterable[str], link: str) -> list[str]:
    """Return those texts in which the link and the password are, written as they are or encoded for an address."""
    words = [(word, quote(word, safe="")) for word in (link, PASSWORD)]
    return [text for text in texts if all(any(form in text for form in forms) for forms in words)]


def test_no_text_has_link_and_password_together(meet: Callable[[str, str], Page]) -> None:
    """Lock a room as a moderator does, and look at all that can be copied, mailed or read in the address afterwards."""
    page = meet("hardened", "en")
    open_security(page, "en")
    page.click(".add-password")
    page.fill("#info-password-input", PASSWORD)
    page.locator(".password-actions button").last.click()
    page.click(".copy-password")
    page.wait_for_function("() => copied.length === 1")
    copied = page.evaluate("copied")
    page.evaluate("copied.length = 0")
    found = invite(page)
    link = found.copied[0]
    texts = [*copied, *found.copied, *found.mails, found.shown, page.url, page.title()]
    texts += page.evaluate("[ ...Object.values(localStorage), ...Object.values(sessionStorage) ]")

    assert copied == [PASSWORD]
    assert sum(link in unquote(text) for text in texts) >= 4
    assert together(texts, link) == []
    planted = [f"{link} {PASSWORD}", f"mailto:?body={quote(link, safe='')}%20{quote(PASSWORD, safe='')}"]
    assert together([*texts, *planted], link) == planted


@pytest.mark.parametrize("language", LANGUAGES)
def test_dialogs_ask_for_another_channel(walk: Callable[[str, str], Walk], language: str) -> None:
    """The security dialog, the notice after copying a password, and the dialog for invitations."""
    texts = ours(language)
    asks = {}
    for variant in VARIANTS:
        seen = walk(variant, language)
        asks[variant] = [texts["dialogHint"] in seen.dialog, texts["passwordHint"] in seen.section, seen.notice]

    assert asks == {"unpatched": [False] * 3, "hardened": [True] * 3}


def test_dialog_has_no_webmail_button(walk: Callable[[str, str], Walk]) -> None:
    hosts = {}
    for variant in VARIANTS:
        mails = walk(variant, "en").before.mails
        hosts[variant] = {mail.split(":", 1)[0] if mail.startswith("mailto:") else mail.split("/")[2] for mail in mails}

    assert hosts == {
        "unpatched": {"mailto", "mail.google.com", "outlook.office.com", "compose.mail.yahoo.com"},
        "hardened": {"mailto"},
    }


def test_no_dial_in_number_unless_the_operator_has_configured_one(
    configure: Callable[..., None], meet: Callable[[str, str], Page]
) -> None:
    """A link cannot bring numbers into an invitation; config.js can."""
    override = "&".join(f"config.{key}=%22/dial-in/{key}%22" for key in ("dialInNumbersUrl", "dialInConfCodeUrl"))

    for variant in VARIANTS:
        page = meet(variant, f"en#{override}")
        kept = page.evaluate("Object.keys(APP.store.getState()['features/base/config'])")
        assert not {"dialInNumbersUrl", "dialInConfCodeUrl"} & set(kept)
        assert NUMBER["formattedNumber"] not in invite(page).body
    configure(dialInNumbersUrl="/dial-in/dialInNumbersUrl", dialInConfCodeUrl="/dial-in/dialInConfCodeUrl")
    page = meet("hardened", "en")
    page.route(re.compile("/dial-in/dialInNumbersUrl"), lambda route: route.fulfill(json=[NUMBER]))
    page.route(
        re.compile("/dial-in/dialInConfCodeUrl"), lambda route: route.fulfill(json={"conference": "x", "id": 4711})
    )
    page.evaluate("APP.store.dispatch({ type: 'BEGIN_ADD_PEOPLE' })")
    page.wait_for_function("() => APP.store.getState()['features/invite'].conferenceID")
    assert NUMBER["formattedNumber"] in invite(page).body


def test_sip_service_gets_no_password(
    context: BrowserContext, configure: Callable[..., None], site: Callable[[str], str], open_house: object
) -> None:
    """Asked for by a page that embeds the meeting, which is the shortest way to that function."""
    configure(sipInviteUrl="/sip-service", deeplinking={"disabled": True})
    sent = {}
    for variant in VARIANTS:
        address = site(variant)
        page = context.new_page()
        page.goto(f"{address}/static/offline.html")
        page.evaluate(
            """() => addEventListener('message', ({ data, source }) => {
                JSON.parse(data).method === '__ready__' && source.postMessage(data, '*');
            })"""
        )
        page.evaluate(
            "src => document.body.append(Object.assign(document.createElement('iframe'), { src, width: 900, height: 600 }))",
            f"{address}{ROOM}#jitsi_meet_external_api_id=0",
        )
        page.wait_for_function("() => frames.length")
        frame = page.frames[-1]
        enter(frame, PREJOIN)
        join(frame)
        frame.evaluate(LOCK, PASSWORD)
        with page.expect_request("**/sip-service") as request:
            page.evaluate(
                """() => frames[0].postMessage(JSON.stringify({ postis: true, scope: 'jitsi_meet_external_api_0',
                    method: 'message', params: { type: 'request', id: 1, data: { name: 'invite',
                        invitees: [ { type: 'sip', address: 'sip:room@sip.invalid' } ] } } }), '*')"""
            )
        told = request.value.post_data or ""
        assert "sip:room@sip.invalid" in told
        assert ROOM.strip("/").lower() in told.lower()
        sent[variant] = PASSWORD in told

    assert sent == {"unpatched": True, "hardened": False}
