"""What modules of Prosody open by being loaded, and modules that nobody here knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.servercheck.model import Hit
from hardener.servercheck.rules.known_modules import ARCHIVES, KNOWN, WEB_ACCOUNTS, WEB_INVITATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.servercheck.model import Deployment, Where

KINDS = (
    (WEB_ACCOUNTS, "registration-open", "makes accounts for whoever opens its page"),
    (WEB_INVITATIONS, "registration-by-invitation", "makes accounts from a page"),
    (ARCHIVES, "messages-kept", "keeps what people write"),
)


def check(deployment: Deployment) -> Iterator[Hit]:
    """All findings about which modules are loaded; each line of a configuration once."""
    prosody = deployment.prosody
    seen: set[tuple[str, Where]] = set()
    for section in prosody.sections.values() if prosody else ():
        place = "everywhere" if section.kind == "global" else f"{section.kind} {section.name}"
        for name, where in prosody.modules(section).items() if prosody else ():
            if (name, where) in seen:
                continue
            seen.add((name, where))
            names = {"host": section.name, "module": name}
            for group, kind, what in KINDS:
                if name in group:
                    yield Hit(kind, where, f"mod_{name} {what} ({place})", names)
            if name not in KNOWN:
                yield Hit("module-unknown", where, f"mod_{name} is loaded ({place})", names)
