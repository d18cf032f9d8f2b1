"""Sensors over texts and the manifest of the web app: invitations, apps and links."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hardener.assessment.sensors.model import Measured, MissingError, Sensor, Subject, named

if TYPE_CHECKING:
    from hardener.assessment.conditions import Metrics

# Keys of this project's texts (overlays/jitsi-meet/lang).
_NOTES = ("mobileNote", "mobileNoteBrowser", "loginNote")
_GROUP, _HINT = "hardenedInvite", "dialogHint"
# Texts of upstream that become a part of an invitation.
_INVITATION = re.compile(r"invite(?:URL|Text|Phone|Sip|Live).*")
_PASSWORD = re.compile(r"\{\{\s*(?:password|pass|pin)\s*\}\}|\$t\(lockRoomPassword", re.IGNORECASE)
_LANGUAGE = re.compile(r"lang/main(?:-([\w-]+))?\.json")
_ASSOCIATIONS = ("assetlinks.json", "apple-app-site-association")


def invitations(subject: Subject) -> Measured:
    """Look for the notes of an invitation in each language, and for a password in its texts."""
    texts = {match[1] or "en": _json(subject, name) for name in subject.names if (match := _LANGUAGE.fullmatch(name))}
    if "en" not in texts:
        raise MissingError("the bundle has no texts in lang/", "Das Bundle enthält keine Texte in lang/.")
    missing = {code: [key for key in _NOTES if not _said(text, key)] for code, text in texts.items()}
    without = sorted(code for code, keys in missing.items() if keys)
    password = sorted(
        f"{code}: info.{key}"
        for code, text in texts.items()
        for key, value in _group(text, "info").items()
        if _INVITATION.fullmatch(key) and _PASSWORD.search(str(value))
    )
    metrics: Metrics = {
        "invitations.notes": int("en" not in without),
        "invitations.languages": len(texts),
        "invitations.untranslated": len(without),
        "invitations.german": int("de" in texts and "de" not in without),
        "invitations.password_hint": int(_said(texts["en"], _HINT)),
        "invitations.password_in_text": len(password),
    }
    return Measured(metrics, {"languages": sorted(texts), "without_notes": without, "password_in_text": password})


def _json(subject: Subject, name: str) -> Any:
    try:
        return json.loads(subject.text(name))
    except (ValueError, RecursionError):
        return {}


def _group(texts: Any, name: str) -> dict[str, Any]:
    found = texts.get(name) if isinstance(texts, dict) else None
    return found if isinstance(found, dict) else {}


def _said(texts: Any, key: str) -> bool:
    return bool(str(_group(texts, _GROUP).get(key, "")).strip())


def apps(subject: Subject) -> Measured:
    """Look for what leads to an app: the manifest of the web app, banners, association files."""
    manifest = _json(subject, "manifest.json") if subject.has("manifest.json") else {}
    related = manifest.get("related_applications", []) if isinstance(manifest, dict) else []
    prefers = bool(isinstance(manifest, dict) and manifest.get("prefer_related_applications"))
    pages = [name for name in subject.names if name.endswith(".html")]
    banners = [name for name in pages if "apple-itunes-app" in subject.text(name)]
    associations = [name for name in subject.names if name.rpartition("/")[2] in _ASSOCIATIONS]
    metrics: Metrics = {
        "apps.preferred": int(prefers),
        "apps.related": len(related) if isinstance(related, list) else 1,
        "apps.banners": len(banners),
        "apps.associations": len(associations),
    }
    return Measured(metrics, {"related": related, "banners": banners, "associations": associations})


INVITATIONS = Sensor(
    "invitations",
    named("invitations", *"notes languages untranslated german password_hint password_in_text".split()),
    {"en": "Texts of invitations in all languages", "de": "Einladungstexte in allen Sprachen"},
    invitations,
    {
        "lang/main.json": json.dumps(
            {
                _GROUP: {"mobileNote": "m", "mobileNoteBrowser": "b", "loginNote": "l", _HINT: "h"},
                "info": {"inviteURLSecondPart": "{{url}} {{password}}"},
            }
        ),
        "lang/main-de.json": "{}",
    },
    "invitations.notes == 1 and invitations.untranslated == 1 and invitations.password_in_text == 1"
    " and invitations.password_hint == 1",
)
APPS = Sensor(
    "apps",
    named("apps", *"preferred related banners associations".split()),
    {"en": "References to store apps", "de": "Verweise auf Store-Apps"},
    apps,
    {
        "manifest.json": '{"prefer_related_applications": true, "related_applications": [{"platform": "play"}]}',
        "index.html": '<meta name="apple-itunes-app" content="app-id=1">',
        ".well-known/assetlinks.json": "[]",
    },
    "apps.preferred == 1 and apps.related == 1 and apps.banners == 1 and apps.associations == 1",
)
