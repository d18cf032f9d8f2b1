"""What a link, an embedding page and a branding service may set in the configuration. 'unpatched' is the control."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from hardener import config
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository

from .conftest import ROOT, Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

pytestmark = [pytest.mark.upstream, pytest.mark.slow]

UPSTREAM = {
    "config": ("configWhitelist.ts", "isEmbeddedConfigWhitelist.ts"),
    "interfaceConfig": ("interfaceConfigWhitelist.ts", "isEmbeddedInterfaceConfigWhitelist.ts"),
}
ALLOW_LIST = ROOT / "overlays/jitsi-meet/react/features/hardener/configAllowList.ts"

# For each rule: a value that it accepts, and one that it refuses.
SAMPLES = {
    "on": (True, False),
    "flag": (True, "yes"),
    "size": (3, "3"),
    "text": ("sentinel", {}),
    "oneOf": ("nocrop", "x"),
}
SENTINEL = "hardener-sentinel"

# Keys that upstream's client does not start with if they are texts.
SENTINELS: dict[str, Any] = {"disabledSounds": [SENTINEL], "e2ee": {"sentinel": SENTINEL}}
ROOM = "/HardenerTestRoom"

# Made by upstream from keys that are on our list (disableJoinLeaveSounds and disableIncomingMessageSound).
DERIVED = {"disabledSounds"}

# The configuration is complete when it is in the store; links have been read by then.
LOADED = "() => window.APP?.store?.getState()['features/base/config']?.hosts"
VALUES = """([ name, paths ]) => {
    const all = name === 'config' ? APP.store.getState()['features/base/config'] : interfaceConfig;
    return Object.fromEntries(paths.map(path => [ path, path.split('.').reduce((o, key) => o?.[key], all) ?? null ]));
}"""


def _upstream_keys(name: str) -> list[str]:
    """Return the keys that upstream's own lists have at the pin, read from its source."""
    component = next(c for c in config.load(ROOT).components if c.name == "jitsi-meet")
    repository = Repository(mirror_of(component))
    found: list[str] = []
    for file in UPSTREAM[name]:
        text = repository.output("show", f"{component.commit}:react/features/base/config/{file}")
        body = re.sub(r"/\*.*?\*/", "", text[text.index("export default [") :], flags=re.DOTALL)
        found += re.findall(r"^\s*'([\w.]+)'", body, re.MULTILINE)
    return found


def _allowed(name: str) -> dict[str, str]:
    """Return the keys on our list, each with the name of its rule."""
    table = {"config": "CONFIG", "interfaceConfig": "INTERFACE_CONFIG"}[name]
    text = ALLOW_LIST.read_text(encoding="utf-8")
    body = re.search(rf"const {table}: Record<string, Rule> = {{(.*?)\n}};", text, re.DOTALL)
    assert body
    return dict(re.findall(r"^\s+(\w+): (\w+)", body[1], re.MULTILINE))


def _values(
    visit: Callable[..., Visit], variant: str, name: str, link: dict[str, Any], keys: list[str]
) -> dict[str, Any]:
    """Return what the configuration says under these keys after a visit with a link that sets some."""
    fragment = "&".join(f"{name}.{key}={quote(json.dumps(value))}" for key, value in link.items())
    seen = visit(variant, f"{ROOM}#{fragment}" if fragment else ROOM, login=False)
    seen.page.wait_for_function(LOADED)
    values: dict[str, Any] = seen.page.evaluate(VALUES, [name, keys])
    return values


@pytest.mark.parametrize("name", UPSTREAM)
def test_a_link_sets_the_allowed_keys_only(visit: Callable[..., Visit], name: str) -> None:
    """Each of upstream's keys in a link: there they arrive, here those alone that are on our list."""
    keys = _upstream_keys(name)
    rules = _allowed(name)
    assert len(keys) > {"config": 200, "interfaceConfig": 40}[name]
    assert set(rules) <= set(keys), "a key on our list that upstream does not have"
    plain = _values(visit, "hardened", name, {}, keys)
    arrived = 0

    for number in range(0, len(keys), 50):
        link = {
            key: SAMPLES[rules[key]][0] if key in rules else SENTINELS.get(key, SENTINEL)
            for key in keys[number : number + 50]
        }
        there = _values(visit, "unpatched", name, link, list(link))
        here = _values(visit, "hardened", name, link, list(link))

        assert SENTINEL not in str(here)
        expected = {key: value if key in rules else plain[key] for key, value in link.items()}
        assert {key for key in link if here[key] != expected[key]} <= DERIVED
        arrived += sum(there[key] == value for key, value in link.items())

    # Upstream accepts some keys only in frames, and some are rewritten on the way.
    assert arrived > 0.8 * len(keys)


@pytest.mark.parametrize("name", UPSTREAM)
def test_an_allowed_key_takes_fit_values_only(visit: Callable[..., Visit], name: str) -> None:
    """A person who has configured muted microphones cannot be overruled by a link, for example."""
    rules = _allowed(name)
    plain = _values(visit, "hardened", name, {}, list(rules))
    link = {key: SAMPLES[rule][1] for key, rule in rules.items()}

    assert _values(visit, "hardened", name, link, list(rules)) == plain
    there = _values(visit, "unpatched", name, link, list(rules))
    assert sum(there[key] == value for key, value in link.items()) > 0.7 * len(link)


HIDES: dict[str, dict[str, Any]] = {
    "config": {
        "defaultRemoteDisplayName": "Dr. Somebody",
        "disableJoinLeaveSounds": True,
        "disableSelfView": True,
        "localSubject": "Encrypted, not recorded",
        "p2p.enabled": True,
    },
    "interfaceConfig": {"DISABLE_JOIN_LEAVE_NOTIFICATIONS": True},
}


@pytest.mark.parametrize("name", HIDES)
def test_a_link_hides_nobody_and_claims_nothing(visit: Callable[..., Visit], name: str) -> None:
    """Who comes in, who is who, whether the camera is on, what a meeting is called; nor does it switch P2P on."""
    link = HIDES[name]
    plain = _values(visit, "hardened", name, {}, list(link))
    assert all(plain[key] != value for key, value in link.items()), "the control"

    assert _values(visit, "hardened", name, link, list(link)) == plain
    assert _values(visit, "unpatched", name, link, list(link)) == link


@pytest.mark.parametrize(
    "fragment",
    ["config.localSubject=%22x%22&config.localSubject.y=1", "config=1&config.a.b=1", "config.toString.call=1"],
    ids=["text", "number", "function"],
)
def test_no_link_stops_the_page(visit: Callable[..., Visit], fragment: str) -> None:
    """Parts of a key, set on something that is not an object of the link's own."""
    harmed = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, f"{ROOM}#{fragment}", login=False)
        seen.come_to_rest()
        started = seen.page.evaluate(f"Boolean(({LOADED})())")
        native = seen.page.evaluate("typeof Object.prototype.toString.call === 'function'")
        harmed[variant] = not (started and native)

    assert harmed == {"unpatched": True, "hardened": False}


def test_branding_sets_nothing_foreign(visit: Callable[..., Visit], configure: Callable[..., None]) -> None:
    branding = {
        "backgroundImageUrl": "https://brand.invalid/background.png",
        "premeetingBackground": "url(https://brand.invalid/premeeting.png)",
        "avatarBackgrounds": ["url(//brand.invalid/avatar.png)", "#FFF"],
        "etherpadBase": "https://brand.invalid/pad",
        "preCallTest": {"enabled": True, "iceUrl": "https://brand.invalid/ice"},
        "logoImageUrl": "images/watermark.svg?canary",
    }
    configure(dynamicBrandingUrl="data:application/json," + quote(json.dumps(branding)))
    found = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, ROOM, login=False)
        seen.page.wait_for_function(LOADED)
        seen.page.wait_for_function(
            "() => APP.store.getState()['features/dynamic-branding'].logoImageUrl.endsWith('canary')"
        )
        state = seen.page.evaluate(
            """() => {
                const all = APP.store.getState();
                return JSON.stringify([ all['features/dynamic-branding'], { ...all['features/base/config'],
                    dynamicBrandingUrl: '' } ]);
            }"""
        )
        found[variant] = sorted(set(re.findall(r"//brand\.invalid/(\w+)", state)))

    assert found == {"unpatched": ["avatar", "background", "ice", "pad", "premeeting"], "hardened": []}


# What browsers read as an address of brand.invalid, or run, although it does not look like it; {} is the page's own
# origin.
TRICKS = (
    "https:brand.invalid/x.png",
    "/\t/brand.invalid/x.png",
    "h\tttps:/\n/brand.invalid/x.png",
    "/\\brand.invalid/x.png",
    "url(data:,x), url(https://brand.invalid/x.png)",
    'url("data:,x"), url("//brand.invalid/x.png")',
    "data:,x), url(https://brand.invalid/x.png",
    "x.png), url(//brand.invalid/x.png",
    'url("https:\\2f\\2f brand.invalid/x.png")',
    "url(\\68ttps://brand.invalid/x.png)",
    "url(https:brand.invalid/x.png)",
    'url("https://brand.invalid/x.png',
    "url(https://brand.invalid/x.png",
    'image-set("https://brand.invalid/x.png" 1x)',
    'url(\'/a"b\'), url("//brand.invalid/x.png")',
    'image-set(" https://brand.invalid/x.png" 1x)',
    '/*"*/ url(https://brand.invalid/x.png) /*"*/',
    "javascript:brand.invalid",
)
KEPT = (
    "#FFF",
    "linear-gradient(90deg, rgb(0, 0, 0) 0%, #fff 50%)",
    "images/x.png",
    "{}/images/x.png",
    "url(images/x.png) center / cover no-repeat",
    'url("/images/x.png"), url({}/y.png)',
    "data:image/png;base64,AAAA",
    "url(data:image/png;base64,AAAA) center",
    'Inter, "Open Sans", sans-serif',
)
# Links become texts or are asked for: nothing relative in invitations, nothing that is not a file of our own elsewhere.
LINKS = {
    "inviteDomain": ("brand.invalid", "/brand.invalid", "https://brand.invalid", "data:,x"),
    "didPageUrl": ("brand.invalid/did", "//brand.invalid/did", "data:,x"),
    "logoClickUrl": ("javascript:brand.invalid", "data:,x", "//brand.invalid"),
    "supportUrl": ("javascript:brand.invalid", "https:brand.invalid"),
}


def test_branding_hides_no_foreign_address(visit: Callable[..., Visit], configure: Callable[..., None]) -> None:
    """Each trick in a style, a picture or a link; what is of our own origin stays. The control takes all as it is."""
    own = visit("hardened", "/", login=False).page.evaluate("location.origin")
    kept = [pattern.format(own) for pattern in KEPT]
    tricks = list(TRICKS)  # 'https:host' without slashes is foreign as long as the test's own page is http
    state = """() => {
        const branding = APP.store.getState()['features/dynamic-branding'];
        return [ branding.avatarBackgrounds, branding.labels?.de ?? null ].concat(
            [ 'inviteDomain', 'didPageUrl', 'logoClickUrl', 'supportUrl' ].map(key => branding[key] ?? null));
    }"""
    ready = "() => window.APP?.store?.getState()['features/dynamic-branding']?.useDynamicBrandingData"

    def told(variant: str, branding: dict[str, Any]) -> list[Any]:
        configure(dynamicBrandingUrl="data:application/json," + quote(json.dumps(branding)))
        seen = visit(variant, ROOM, login=False)
        seen.page.wait_for_function(LOADED)
        seen.page.wait_for_function(ready)
        return list(seen.page.evaluate(state))

    for number in range(4):
        links = {key: values[number % len(values)] for key, values in LINKS.items()}
        branding = {"avatarBackgrounds": tricks + kept, "labels": {"de": links["logoClickUrl"]}} | links
        everything = [tricks + kept, links["logoClickUrl"], *links.values()]
        assert told("unpatched", branding) == everything
        assert told("hardened", branding) == [kept, None, None, None, None, None]

    links = {"inviteDomain": own, "didPageUrl": f"{own}/did", "logoClickUrl": "/about", "supportUrl": f"{own}/help"}
    branding = {"avatarBackgrounds": kept, "labels": {"de": "/lang/own.json"}} | links
    assert told("hardened", branding) == [kept, "/lang/own.json", *links.values()]


# A style that ends the one that it is written into: as key it becomes a selector, as value a property.
BREAKOUT = "a:b}&{background-image:url(https://brand.invalid/palette.png);c"
KEYS: dict[str, Any] = {
    "palette": {
        "uiBackground": {BREAKOUT: "d"},
        "ui01": {"backgroundImage": "url(https://brand.invalid/property.png)"},
        "ui02": [{"&:hover": {"background": "url(//brand.invalid/list.png)"}}],
        "text01": "red;background:url(//brand.invalid/value.png)",
        "text02": "\\75rl(//brand.invalid/escape.png)",
        "icon01": "var(--x,url(//brand.invalid/var.png))",
        "action02": "constructor",
        "surface01": "image-set('//brand.invalid/set.png' 1x)",
        "primary": {"main": "url(//brand.invalid/mui.png)"},
    },
    "typography": {
        "bodyShortRegular": {
            "@import url(//brand.invalid/import.css);": "",
            "fontSize": "1rem;background:url(//brand.invalid/x)",
        },
        "labelRegular": {"backgroundImage": "url(https://brand.invalid/label.png)", "fontSize": "1rem"},
        "heading1": {BREAKOUT: 1},
        "font": {"weightRegular": {"background": "url(//brand.invalid/font.png)"}},
        "fontFamily": "x;background:url(//brand.invalid/family.png)",
    },
    "shape": {
        "boxShadow": "none;}*{background:url(//brand.invalid/shadow.png)",
        "borderRadius": {"&": "url(//brand.invalid/s)"},
    },
    "breakpoints": {
        "values": {"320": "1px){}}*{background:url(//brand.invalid/break.png)}@media (x", "url(//brand.invalid/b)": 1},
        "unit": "px){}}*{background:url(//brand.invalid/unit.png)}@media (x",
    },
    "spacing": [
        0,
        4,
        "8px;background:url(//brand.invalid/spacing.png)",
        ["//brand.invalid/nested"],
        {"a": "//brand.invalid/c"},
    ],
    "components": {"MuiCssBaseline": {"styleOverrides": "*{background:url(//brand.invalid/base.png)}"}},
    "overrides": {"MuiCssBaseline": {"@global": {"*": {"background": "url(//brand.invalid/global.png)"}}}},
    "mixins": {"toolbar": {"background": "url(//brand.invalid/mixin.png)"}},
}
THEME = """() => {
    const paths = (value, path) => Object(value) === value && typeof value !== 'function'
        ? Object.keys(value).flatMap(key => paths(value[key], `${path}.${key}`)) : [ path ];
    const { muiBrandedTheme } = APP.store.getState()['features/dynamic-branding'];
    return { paths: paths(muiBrandedTheme, '').filter(
            path => !/^\\.(?:spacing\\.\\d+$|typography\\.(?:labelRegular|heading1)\\b)/.test(path)),
        text: JSON.stringify(muiBrandedTheme), color: muiBrandedTheme?.palette.action01 };
}"""
BRANDED = "() => window.APP?.store?.getState()['features/dynamic-branding']?.customizationReady"


def _branded(visit: Callable[..., Visit], configure: Callable[..., None], variant: str, branding: Any) -> Visit:
    """Return a visit to a room of a deployment whose branding service gives this answer."""
    configure(
        dynamicBrandingUrl="data:application/json,"
        + quote(branding if isinstance(branding, str) else json.dumps(branding))
    )
    seen = visit(variant, ROOM)
    seen.page.wait_for_function(LOADED)
    seen.page.wait_for_function(BRANDED)
    seen.wait_for('[data-testid="prejoin.joinMeeting"]')
    return seen


def test_branding_keys_reach_nobody(visit: Callable[..., Visit], configure: Callable[..., None]) -> None:
    """Keys and values of a theme become styles: whatever is there, the theme keeps the shape of the default one."""
    keys = (
        "uiBackground",
        "preMeetingBackground",
        "prejoinActionButtonPrimary",
        "inputFieldBackground",
        "inputFieldText",
    )
    palette = dict.fromkeys(keys, KEYS["palette"]["uiBackground"])
    there = _branded(visit, configure, "unpatched", {"customTheme": {"palette": palette}})
    there.wait_until(lambda: "https://brand.invalid/palette.png" in there.foreign, "the request that a key makes")

    plain = _branded(visit, configure, "hardened", {"customTheme": {"palette": {"action01": "#123456"}}})
    shape = plain.page.evaluate(THEME)
    assert shape["color"] == "#123456"

    own = KEYS | {"palette": KEYS["palette"] | {"action01": "rgb(1, 2, 3)"}}
    text = json.dumps({"customTheme": own, "brandedIcons": {"IconMic": "<svg onload='x'/>"}, "muiBrandedTheme": own})
    hostile = text.replace('"palette"', '"__proto__": {"polluted": 1}, "palette"', 1)
    here = _branded(visit, configure, "hardened", hostile)
    here.come_to_rest()
    theme = here.page.evaluate(THEME)
    state = here.page.evaluate("JSON.stringify(APP.store.getState()['features/dynamic-branding'])")

    assert theme["color"] == "rgb(1, 2, 3)"
    assert theme["paths"] == shape["paths"]
    assert "brand.invalid" not in state
    assert "brandedIcons" not in state
    assert not here.page.evaluate("'polluted' in {}")
    assert here.foreign == []


BRANDING = (
    *("avatarBackgrounds", "backgroundColor", "backgroundImageUrl", "brandedIcons", "customIcons", "customTheme"),
    *("defaultBranding", "defaultTranscriptionLanguage", "didPageUrl", "groupChatRequiresPermission", "inviteDomain"),
    *("labels", "labels-main", "liveStreamingDialogUrls", "logoClickUrl", "logoImageUrl", "muiBrandedTheme"),
    *("pollCreationRequiresPermission", "preCallTest", "premeetingBackground", "requireRecordingConsent"),
    *("sharedVideoAllowedURLDomains", "showGiphyIntegration", "skipRecordingConsentInMeeting", "supportUrl"),
    *("virtualBackgrounds", "__proto__", "toString"),
)


@pytest.mark.parametrize("wrong", ["null", "5", "true", '"x"', "[null,[],{}]", '{"palette":null,"src":5,"toString":1}'])
def test_branding_of_a_wrong_type_is_dropped(
    visit: Callable[..., Visit], configure: Callable[..., None], wrong: str
) -> None:
    """All keys at once; the rest of the answer counts. Upstream drops the whole answer, or has an empty page."""
    rest = '"logoImageUrl": "images/watermark.svg?canary"'
    answer = "{" + ", ".join(f'"{key}": {wrong}' for key in BRANDING if key != "logoImageUrl") + f", {rest}}}"
    seen = _branded(visit, configure, "hardened", answer)
    state = seen.page.evaluate("APP.store.getState()['features/dynamic-branding']")

    assert state["logoImageUrl"] == "images/watermark.svg?canary"
    assert state["customizationFailed"] is False
    assert not [error for error in seen.errors if "TypeError" in error]


ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" style="background:url(https://brand.invalid/style.png)">
<style>* { background: url(https://brand.invalid/sheet.png) }</style><image href="https://brand.invalid/image.png"/>
<use href="https://brand.invalid/use.svg#x"/><foreignObject><img src="https://brand.invalid/img.png"/></foreignObject>
<rect class="canary" fill="url(https://brand.invalid/fill.svg#x)" mask="u\\rl(https://brand.invalid/mask.svg#x)" width="9" height="9"/>
<a href="https://brand.invalid/"><path id="kept" d="M0 0h9" fill="#fff"/></a></svg>"""


def test_a_branded_icon_loads_nothing(visit: Callable[..., Visit], context: BrowserContext) -> None:
    """An icon from the own origin."""
    context.add_init_script(
        """(icon => {
            const address = (text, type) => URL.createObjectURL(new Blob([ text ], { type }));
            let kept;
            Object.defineProperty(window, 'config', { configurable: true, get: () => kept, set: value => {
                kept = Object.assign(value, { dynamicBrandingUrl: address(JSON.stringify({
                    customIcons: { IconMic: address(icon, 'image/svg+xml') } }), 'application/json') });
            } });
        })("""
        + json.dumps(ICON)
        + ")"
    )
    found = {}
    for variant in ("unpatched", "hardened"):
        seen = visit(variant, ROOM)
        seen.page.wait_for_selector("svg path[d='M0 0h9']", state="attached")
        seen.come_to_rest()
        found[variant] = {url.rsplit("/", 1)[1] for url in seen.foreign}

    assert "image.png" in found["unpatched"]
    assert found["hardened"] == set()
