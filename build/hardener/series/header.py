"""The header standard of patches/README.md: which fields a patch has, what they may hold, and what is wrong with one.

Names are those of Debian's DEP-3 (https://dep-team.pages.debian.net/deps/dep3/), status words those of OpenEmbedded,
whose strict reading is kept as well: a field or word that is nearly right is *malformed*, never merely missing.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hardener.series.extras import Layer
    from hardener.series.patch import Patch

REASONS = ("upstreamable", "local-policy", "build")
STATUSES: Mapping[str, str] = {
    "Pending": "",
    "Submitted": r"https?://\S+",
    "Denied": r"\S.*",
    "Inappropriate": r"\S.*",
    "Backport": r"[0-9a-f]{40}",
}
_OVERLAY = r"[\w./+@-]+(?: as [\w./+@-]+)?"
# In the order in which the README explains them and regen writes new ones: field -> (pattern, what it may hold).
GRAMMAR: Mapping[str, tuple[str, str]] = {
    "Reason": ("|".join(REASONS), ", ".join(REASONS)),
    "Forwarded": (r"no|not-needed|https?://\S+", "no, not-needed, or the address of the pull request"),
    "Upstream-Status": (
        "|".join(f"{word} {rest}" if rest else word for word, rest in STATUSES.items()),
        "Pending; Submitted ADDRESS; Denied WHY; Inappropriate WHY; Backport COMMIT",
    ),
    "Applied-Upstream": (r"[\w./+-]+", "upstream's commit or release"),
    "Base": (r"[0-9a-f]{40}", "a full commit id of upstream"),
    "Requires": (r"[\w+-][\w.+-]*(?:(?:\s*,\s*|\s+)[\w+-][\w.+-]*)*", "names of patches of this series"),
    "Overlay": (
        _OVERLAY + rf"(?:\s*,\s*{_OVERLAY})*",
        "paths of overlays or remove.list: PATH, or PATH as PATH-UPSTREAM",
    ),
    "Security": (r"yes", "yes, or leave it out"),
    "Evidence": (r"[^\s:]+\.py::[\w:]+(?:\[\S+\])?", "a test, as pytest names it: FILE.py::TEST"),
    "Last-Update": (r"\d{4}-\d{2}-\d{2}", "a date, YYYY-MM-DD"),
}
REQUIRED = ("Reason", "Forwarded", "Upstream-Status", "Base", "Evidence", "Last-Update")
SUBJECT_LENGTH = 72
TO_FILL_IN = "TODO:"
# Files that hold settings and no code: an operator's change to them needs no test (Evidence).
CONFIGURATION = frozenset({"config.js", "interface_config.js"})
MALFORMED = "\0"
_LINE = re.compile(r"([A-Z][\w-]*):(?:[ \t]+(.*))?$")


@dataclass(frozen=True)
class Body:
    """A patch's description in two parts: what is said, and the block of fields at its end."""

    prose: str
    block: tuple[str, ...]

    def __str__(self) -> str:
        """Return the description again."""
        return "\n\n".join(part for part in (self.prose, "\n".join(self.block)) if part)

    def with_field(self, name: str, value: str) -> Body:
        """Return the same with one field set: at its place if it is there, else where :data:`GRAMMAR` has it.

        >>> str(Body("Why.", ("Reason: build", "Evidence: a.py::b")).with_field("Base", "1"))
        'Why.\\n\\nReason: build\\nBase: 1\\nEvidence: a.py::b'
        """
        order = list(GRAMMAR)
        lines = list(self.block)
        for number, line in enumerate(lines):
            if line.startswith(name + ":"):
                lines[number] = f"{name}: {value}"
                return Body(self.prose, tuple(lines))
        later = order[order.index(name) + 1 :]
        place = next((n for n, line in enumerate(lines) if line.partition(":")[0] in later), len(lines))
        return Body(self.prose, (*lines[:place], f"{name}: {value}", *lines[place:]))

    def without(self, name: str) -> Body:
        """Return the same without a field."""
        return Body(self.prose, tuple(line for line in self.block if not line.startswith(name + ":")))


def body(description: str) -> Body:
    """Take a description apart: the last paragraph is the block of fields if one of its lines is, or is meant as, one.

    >>> body("Why.\\n\\nReason: build\\nUpstream-status: Pending")
    Body(prose='Why.', block=('Reason: build', 'Upstream-status: Pending'))
    >>> body("Only: prose")
    Body(prose='Only: prose', block=())
    """
    before, _, last = description.strip().rpartition("\n\n")
    lines = tuple(last.split("\n"))
    if any(meant(line.partition(":")[0]) for line in lines if ":" in line):
        return Body(before.strip(), lines)
    return Body(description.strip(), ())


def meant(name: str) -> str:
    """Return the field that a name is or was meant to be; empty where it is none.

    >>> meant("Upstream-Status"), meant("upstream_status"), meant("Upstrem Status"), meant("Signed-off-by")
    ('Upstream-Status', 'Upstream-Status', 'Upstream-Status', '')
    """
    plain = {re.sub(r"\W|_", "", field).lower(): field for field in GRAMMAR}
    close = difflib.get_close_matches(re.sub(r"\W|_", "", name).lower(), plain, n=1, cutoff=0.86)
    return plain[close[0]] if close else ""


def folder_of_test(root: Path, evidence: str) -> Path:
    """Return the folder from which an Evidence is named: the project's own, or one above it that has the file.

    (The demo is a project inside of ours, whose tests are ours.)
    """
    name = evidence.partition("::")[0]
    return next((folder for folder in (root, *root.parents) if (folder / name).is_file()), root)


def required(patch: Patch, layer: Layer) -> tuple[str, ...]:
    """Return the fields that a patch needs: an operator's change of configuration needs no Evidence."""
    paths = {path for touch in patch.touches for path in (touch.old, touch.new) if path}
    optional = {"Evidence"} if layer.name and paths <= CONFIGURATION else set()
    return tuple(name for name in REQUIRED if name not in optional)


def with_skeleton(patch: Patch, layer: Layer) -> Patch:
    """Return the patch with a line for each required field that its message lacks, which says what to fill in."""
    parts = body(patch.description)
    if not parts.prose:
        parts = Body(f"{TO_FILL_IN} what upstream does, why that is a problem, and what the patch does", parts.block)
    there = {meant(line.partition(":")[0]) for line in parts.block} | {"Last-Update"}  # regen's own
    for name in required(patch, layer):
        if name not in there:
            parts = parts.with_field(name, f"{TO_FILL_IN} {GRAMMAR[name][1]}")
    return replace(patch, description=str(parts))


def problems(patch: Patch, layer: Layer, earlier: Mapping[str, int], place: int, today: dt.date) -> Iterator[str]:
    """Yield everything that is wrong with the header of a layer's patch, one sentence each.

    ``earlier`` is the series (file name -> place), ``place`` that of this patch, from 0; a Last-Update after ``today``
    is refused.
    """
    yield from _subject(patch.subject)
    parts = body(patch.description)
    if not parts.prose or parts.prose.startswith(TO_FILL_IN):
        yield "no description: say what upstream does, why that is a problem, and what the patch does"
    fields: dict[str, str] = {}
    yield from _block(parts.block, fields)
    for line in parts.prose.split("\n"):
        if (match := _LINE.match(line)) and match[1] in GRAMMAR:
            yield f"{match[1]} is in the text; fields are in one block at the end"
    for name in required(patch, layer):
        if name not in fields:
            yield f"{name} is missing ({GRAMMAR[name][1]})"
    fields = {name: value for name, value in fields.items() if value != MALFORMED}
    for name, value in fields.items():
        yield from _value(name, value)
    yield from _relations(fields)
    yield from _requires(fields.get("Requires", ""), earlier, place)
    yield from _date(fields.get("Last-Update", ""), today)


def _block(lines: tuple[str, ...], fields: dict[str, str]) -> Iterator[str]:
    """Read the lines into ``fields``; a field that is meant but malformed counts as there, with MALFORMED as value."""
    for line in lines:
        match = _LINE.match(line)
        if match and match[1] in GRAMMAR:
            if match[1] in fields:
                yield f"{match[1]} is listed twice"
            fields[match[1]] = (match[2] or "").strip()
        elif field := meant(line.partition(":")[0]):
            yield f"malformed field {line!r}: write '{field}: ...'"
            fields.setdefault(field, MALFORMED)
        elif not match:
            yield f"malformed line in the block of fields: {line!r} is not 'Field: value'"


def _subject(subject: str) -> Iterator[str]:
    if len(subject) > SUBJECT_LENGTH:
        yield f"the subject has {len(subject)} characters; {SUBJECT_LENGTH} are allowed"
    if subject.endswith("."):
        yield "the subject ends in a full stop"


def _value(name: str, value: str) -> Iterator[str]:
    pattern, allowed = GRAMMAR[name]
    if not value:
        yield f"{name} is empty: leave the field out, or write {allowed}"
    elif value.startswith(TO_FILL_IN):
        yield f"{name} is not filled in yet: write {allowed}"
    elif not re.fullmatch(pattern, value):
        words = {"Reason": REASONS, "Upstream-Status": tuple(STATUSES), "Forwarded": ("no", "not-needed")}.get(name, ())
        first = value.split(maxsplit=1)[0]
        close = difflib.get_close_matches(first.lower(), [word.lower() for word in words], n=1, cutoff=0.7)
        near = next((word for word in words if close and word.lower() == close[0]), "")
        guess = f"; did you mean {near!r}?" if near and near != first else ""
        yield f"malformed {name} {value!r}{guess} (allowed: {allowed})"


def _relations(fields: Mapping[str, str]) -> Iterator[str]:
    reason, forwarded = fields.get("Reason", ""), fields.get("Forwarded", "")
    status = fields.get("Upstream-Status", "").split(" ", 1)[0]
    sent = forwarded.startswith("http")
    if reason == "local-policy" and status in ("Pending", "Submitted"):
        yield f"Reason: local-policy contradicts Upstream-Status: {status}"
    if reason == "upstreamable" and status == "Inappropriate":
        yield "Reason: upstreamable contradicts Upstream-Status: Inappropriate"
    if status == "Inappropriate" and forwarded == "no":
        yield "Upstream-Status: Inappropriate goes with Forwarded: not-needed"
    if status == "Pending" and forwarded not in ("no", ""):
        yield f"Upstream-Status: Pending contradicts Forwarded: {forwarded}"
    if status == "Submitted" and not sent:
        yield "Upstream-Status: Submitted needs the address of the pull request in Forwarded"


def _requires(value: str, earlier: Mapping[str, int], place: int) -> Iterator[str]:
    for name in value.replace(",", " ").split():
        other = earlier.get(name.removesuffix(".patch") + ".patch")
        if other is None:
            close = difflib.get_close_matches(name + ".patch", earlier, n=1)
            guess = f"; did you mean {close[0].removesuffix('.patch')}?" if close else ""
            yield f"Requires names {name}, which the series does not have{guess}"
        elif other >= place:
            yield f"Requires names {name}, which is not before it in the series"


def _date(value: str, today: dt.date) -> Iterator[str]:
    if re.fullmatch(GRAMMAR["Last-Update"][0], value):
        try:
            date = dt.date.fromisoformat(value)
        except ValueError:
            yield f"malformed Last-Update {value!r}: there is no such day"
        else:
            # A day of grace: the author's time zone may be ahead of this clock.
            if date > today + dt.timedelta(days=1):
                yield f"Last-Update {value} lies in the future"
