"""The readable page: one file, no script, nothing from elsewhere; every value is escaped (templates/report.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardener.system import templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_VERDICTS = {
    "clean": ("good", "No third-party contact / Kein Kontakt zu Dritten"),
    "mistaken": ("bad", "Not everybody is shown as what they are / Nicht alle werden als das gezeigt, was sie sind"),
    "contacts": ("bad", "Third-party contacts found / Kontakte zu Dritten gefunden"),
    "void": ("bad", "Void: this run proves nothing / Ungültig: Dieser Lauf beweist nichts"),
}
_TIMELINE_WIDTH, _TIMELINE_LINE = 1200.0, 13
# What summaries of a part of a run, and those of earlier releases, do not have.
_ABSENT: Mapping[str, Any] = {
    "site": "", "site_sha256": "", "browser": "", "date": "", "seconds": 0, "targets": (), "only": (), "control": (),
    "people": {},
}  # fmt: skip


def page(summary: Mapping[str, Any]) -> str:
    """Return the whole page for one summary."""
    style, verdict = _VERDICTS[summary["verdict"]]
    runs = summary["runs"]
    walked = [run for run in runs if run["run"]]
    journeys = list(dict.fromkeys(run["journey"] for run in walked))
    found = {(run["attack"], run["journey"]): run for run in walked}
    return templates.render(
        __package__,
        "report.html",
        summary={**_ABSENT, **summary, "texts": {"journeys": {}, "attacks": {}} | summary.get("texts", {})},
        totals=summary["totals"],
        verdict={"style": style, "text": verdict},
        contacts=[(run, contact) for run in runs for contact in run["contacts"]],
        told=[run for run in runs if run["messages"]],
        compared=[run for run in runs if run["compared"]],
        calls=[run for run in runs if run["journey"] in summary.get("people", {})],
        journeys=journeys,
        matrix=[
            (attack, [found.get((attack, journey)) for journey in journeys])
            for attack in dict.fromkeys(run["attack"] for run in walked)
        ],
        is_bad=_is_bad,
        bars=_timeline(walked),
        width=f"{_TIMELINE_WIDTH:.0f}",
        line=_TIMELINE_LINE,
        missed=[run for run in runs if run["missed"] or not run["completed"]],
        own={
            name: sorted({value for run in runs for value in run[name]})
            for name in ("browsers_own", "stored", "given_away")
        },
    )


def _is_bad(run: Mapping[str, Any]) -> bool:
    return bool(run["contacts"] or run["messages"] or run["mistaken"])


def _timeline(walked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the geometry of each run's bar, its label and its contacts."""
    last = max((run["end"] for run in walked), default=0.0) or 1.0
    bars = []
    for run in walked:
        left, right = (_TIMELINE_WIDTH * run[key] / last for key in ("start", "end"))
        inside = left <= _TIMELINE_WIDTH / 2 and right > _TIMELINE_WIDTH * 0.8  # no room at either side
        anchor, text = ("end", left - 4) if left > _TIMELINE_WIDTH / 2 else ("start", left + 4 if inside else right + 4)
        bars.append(
            {
                "run": run,
                "left": left,
                "width": max(right - left, 2),
                "colour": "#c0392b" if _is_bad(run) else "#3a8f5c" if run["completed"] else "#d8a21b",
                "anchor": anchor,
                "text": text,
                "ink": "#fff" if inside else "#1a1a1a",
                "contacts": [(_TIMELINE_WIDTH * contact["first"] / last, contact) for contact in run["contacts"]],
            }
        )
    return bars


def compare(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of a table with the totals of two summaries side by side."""

    def verdict(summary: Mapping[str, Any], key: str) -> str:
        return str(summary["totals"][key])

    rows: list[tuple[str, ...]] = [("verdict", str(left["verdict"]), str(right["verdict"]))]
    names = (
        "runs completed skipped missed_steps runs_with_contacts contacts browser transport disagreements"
        " runs_with_messages runs_with_mistaken".split()
    )
    rows += [(name.replace("_", " "), verdict(left, name), verdict(right, name)) for name in names]
    rows.append(("different hosts", *(str(len(summary["totals"]["hosts"])) for summary in (left, right))))
    rows.append(
        (
            "canaries seen",
            *(", ".join(f"{c['seen']}/{c['of']}" for c in summary["canaries"]) for summary in (left, right)),
        )
    )
    return rows


def contacts(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return two summaries side by side: each run in which either had contacts, and whom it talked to."""
    rows: list[tuple[str, ...]] = []
    by_name = [{run["run"]: run for run in summary["runs"]} for summary in (left, right)]
    for name in dict.fromkeys([*by_name[0], *by_name[1]]):
        texts = [_hosts(run_of.get(name)) for run_of in by_name]
        if any(text not in ("", "-", "not run") for text in texts):
            rows.append((name or "(between runs)", *texts))
    return rows


def _hosts(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return "not run"
    hosts = [contact["host"] for contact in run["contacts"]] + (
        ["message to a foreign page"] if run["messages"] else []
    )
    hosts += run["mistaken"]
    return ", ".join(hosts) or ("-" if run["completed"] or not run["run"] else "incomplete")
