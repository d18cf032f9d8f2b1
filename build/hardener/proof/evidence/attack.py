"""The parts of a hostile input."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hardener.proof.evidence.site import HOST
from hardener.proof.xmpp.stub import Mallory

# Without it the hardened site waits for the bridge, which the stub has not, and makes no connection for media at all.
DIRECT = "config.p2p.enabled = true;\n"
HARMLESS = Mallory(chat=("Hello",))


@dataclass(frozen=True)
class Attack:
    """One hostile input. ``expects`` are hosts that upstream as it is calls then: the negative control."""

    name: str
    kind: str  # none, link, peer, token, branding, embedded, opener
    text: str
    journeys: tuple[str, ...]
    config: dict[str, Any] = field(default_factory=dict)  # overrides in the fragment
    interface: dict[str, Any] = field(default_factory=dict)
    fragment: str = ""  # what else is there
    query: str = ""
    settings: str = ""  # lines of the operator's config.js
    mallory: Mallory | None = None
    storage: dict[str, Any] = field(default_factory=dict)  # what an earlier visit left
    script: str = ""  # of the embedding or opening page
    expects: tuple[str, ...] = ()
    server: frozenset[str] = frozenset()  # how our stub is then
    origin: str = f"https://{HOST}"

    def address(self, path: str) -> str:
        """Return the link to a page of the site that carries this attack."""
        values = [f"config.{key}={quote(json.dumps(value))}" for key, value in self.config.items()]
        values += [f"interfaceConfig.{key}={quote(json.dumps(value))}" for key, value in self.interface.items()]
        values += [self.fragment] if self.fragment else []
        return (
            f"{self.origin}{path}"
            + (f"?{self.query}" if self.query else "")
            + ("#" + "&".join(values) if values else "")
        )


NONE = Attack("none", "none", "nothing hostile", ())
