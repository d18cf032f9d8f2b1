"""The attack suite against the service: only with ``--attack`` and a written permission in the declaration.

Of each attempt the area, the name and the verdict are kept; what was said is not.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.errors import UsageError
from hardener.proof.attack import campaign
from hardener.proof.attack.record import Verdict

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from hardener.assessment.declaration import Declaration
    from hardener.proof.attack.record import Attacked, Target

    Run = Callable[..., Attacked]

# Areas of attempts that are made with the test account: to moderate, or to be taken for another.
ROLES = frozenset({"rooms", "roles", "focus", "spoofed presence", "administration"})
# Areas of attempts to disturb the service.
ROBUSTNESS = frozenset({"broken input", "huge input", "many connections"})


def permitted(declaration: Declaration, today: dt.date) -> None:
    """Raise UsageError where the declaration does not permit to attack the service today."""
    permission = declaration.attack
    if permission is None:
        raise UsageError(
            "--attack needs a permission in the declaration",
            hint='[attack] in operator.toml: permission = "...", by = "...", until = 2026-12-31',
        )
    if today > permission.until:
        raise UsageError(
            f"the permission to attack expired on {permission.until}", hint="renew [attack] in operator.toml"
        )


def run(target: Target, tell: Callable[[str], None], attack: Run = campaign.run) -> dict[str, Any]:
    """Attack a service and return counts by area, and what was not refused. Raises what an attack raises."""
    with tempfile.TemporaryDirectory(prefix="hardener-attack-") as folder:
        attacked = attack(
            target, Path(folder), own_server=True, tell=lambda name, share: tell(f"attack: {share:.0%} {name}")
        )
    reached = Counter(attempt.area for attempt in attacked.of(Verdict.SUCCEEDED))
    found = {
        (str(attempt.verdict), attempt.area, attempt.name, attempt.transport)
        for attempt in (*attacked.of(Verdict.SUCCEEDED), *attacked.of(Verdict.UNCLEAR))
    }
    return {
        "attempts": len(attacked.attempts),
        "unclear": len(attacked.of(Verdict.UNCLEAR)),
        "entered": sum(count for area, count in reached.items() if area not in ROLES | ROBUSTNESS),
        "promoted": sum(count for area, count in reached.items() if area in ROLES),
        "disturbed": sum(count for area, count in reached.items() if area in ROBUSTNESS),
        "areas": [{"area": area, **counts} for area, counts in attacked.areas.items()],
        "found": sorted(map(list, found)),
        "moderators": "named" if target.named_hosts else "logged-in",
        "not_tried": 0 if target.account else len(attacked.not_tried),
        # Ways to moderate that need no defence where each account may moderate.
        "not_applicable": len(attacked.not_tried) if target.account else 0,
    }
