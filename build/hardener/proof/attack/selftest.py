"""Run the attack suite on two stacks: a correct one, and one with planted holes that it has to find."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.proof import stack
from hardener.proof.attack import campaign
from hardener.proof.attack.record import Account, Attacked, Target, Verdict
from hardener.proof.stack import staging

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hardener.config import Project
    from hardener.ui import UI

_HOST, _ORDINARY = "alice", "bob"
# The list names one host, which is not the account that attacks: the stricter variant of docs/operator.md#roles.
_CLOSED = {
    "XMPP_MUC_MODULES": "muc_named_hosts",
    "XMPP_MUC_CONFIGURATION": f'named_hosts = {{ "{_HOST}@{stack.DOMAIN}" }}',
}
# What a deployment may get wrong: a host for guests, registration, upstream's module that makes everybody owner, and
# rooms that pass on whatever a participant sends.
_LOCAL = {
    "GLOBAL_CONFIG": f'VirtualHost "guest.{stack.DOMAIN}"\\n    authentication = "anonymous"',
    "XMPP_MODULES": "register_ibr",
    "XMPP_CONFIGURATION": "allow_registration = true",
    "XMPP_MUC_MODULES": "muc_allowners",
    "XMPP_MUC_CONFIGURATION": 'modules_disabled = { "muc_known_stanzas" }',
}
# In a flavour with Jicofo itself, the default of its installation takes the module's place: the first one in moderates.
_DEBIAN = {name: value for name, value in _LOCAL.items() if value != "muc_allowners"} | {"ENABLE_AUTO_OWNER": "1"}
PLANTED = {"local": _LOCAL, "debian": _DEBIAN}  # the flavours whose Prosody has our modules
MUST_FIND = (
    f"host guest.{stack.DOMAIN}",
    "register before login",
    "register is on offer",
    "first one in",
    "an empty word of the room, nested",
    "an item of the focus, nested",
)


@dataclass(frozen=True)
class Rehearsed:
    """Both runs. ``missed`` are planted holes that the suite did not find: then it proves nothing about the others."""

    attacked: Attacked
    control: Attacked
    missed: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Return whether the closed stack is clean and every planted hole was found."""
        return self.attacked.clean and not self.missed


def rehearse(
    project: Project,
    sources: Mapping[str, str],
    ui: UI,
    out: Path,
    *,
    site: Path | None = None,
    only: Sequence[str] = (),
    flavour: str = "local",
) -> Rehearsed:
    """Start the two stacks one after the other, attack, end each. The records go to ``out``/closed and ``out``/planted.

    The flavour is one of ``PLANTED``.

    Raises what :func:`hardener.proof.stack.staging.up` and :func:`hardener.proof.attack.campaign.run` raise.
    """
    with _running(project, "closed", _CLOSED, sources, ui, site, flavour) as running:
        attacked = _attack(running, out / "closed", ui, only)
    with _running(project, "planted", PLANTED[flavour], sources, ui, site, flavour) as running:
        control = _attack(running, out / "planted", ui, MUST_FIND)
    found = {attempt.name for attempt in control.of(Verdict.SUCCEEDED)}
    return Rehearsed(attacked, control, tuple(name for name in MUST_FIND if name not in found))


@contextlib.contextmanager
def _running(
    project: Project,
    purpose: str,
    settings: Mapping[str, str],
    sources: Mapping[str, str],
    ui: UI,
    site: Path | None,
    flavour: str,
) -> Iterator[stack.Stack]:
    name = f"{stack.default_name(project.root)}-{purpose}"
    try:
        yield staging.up(project, name, ui, site=site, sources=sources, settings=settings, flavour=flavour)
    finally:
        stack.down(name, staging.folder(project, name))


def _attack(running: stack.Stack, out: Path, ui: UI, only: Sequence[str]) -> Attacked:
    target = Target(
        url=running.url,
        domain=running.domain,
        muc=f"muc.{running.domain}",
        account=Account(_ORDINARY, running.users[_ORDINARY]),
        named_hosts=True,
    )
    with ui.step("attack", running.name) as line:
        attacked = campaign.run(target, out, only=only, tell=line.tell)
        line.say(f"{len(attacked.attempts)} attempts")
    return attacked
