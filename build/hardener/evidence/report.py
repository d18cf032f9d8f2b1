"""The readable page: one file, no script, nothing from elsewhere; every value is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; margin: .5rem 0 2rem; width: 100%; }
th, td { border: 1px solid #c8c8c8; padding: .25rem .5rem; text-align: left; vertical-align: top; }
th { background: #f0f0f0; } .matrix td { text-align: center; }
.matrix td:first-child { text-align: left; white-space: nowrap; }
.good { background: #dff0d8; } .bad { background: #f6d5d5; } .part { background: #fdf3d0; }
.verdict { font-size: 1.4rem; padding: .5rem 1rem; } code { font-size: .85em; overflow-wrap: anywhere; }
small { color: #555; } svg { width: 100%; height: auto; border: 1px solid #c8c8c8; }
"""
_VERDICTS = {
    "clean": ("good", "No third-party contact / Kein Kontakt zu Dritten"),
    "contacts": ("bad", "Third-party contacts found / Kontakte zu Dritten gefunden"),
    "void": ("bad", "Void: this run proves nothing / Ungültig: Dieser Lauf beweist nichts"),
}
_NONE = "none"


def cell(value: object, style: str = "", *, tag: str = "td") -> str:
    """One escaped cell of a table.

    >>> cell("<script>")
    '<td>&lt;script&gt;</td>'
    """
    return f"<{tag}{f' class={chr(34)}{style}{chr(34)}' if style else ''}>{escape(str(value))}</{tag}>"


def table(heads: Sequence[object], rows: Iterable[Sequence[str]], style: str = "") -> str:
    """A table; the rows' cells are ready-made."""
    head = "".join(cell(one, tag="th") for one in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>\n" for row in rows)
    return f'<table class="{style}"><tr>{head}</tr>\n{body}</table>'


def page(summary: Mapping[str, Any]) -> str:
    """The whole page for one summary."""
    style, words = _VERDICTS[summary["verdict"]]
    totals = summary["totals"]
    facts = (
        ("Site / Seite", summary.get("site", "")),
        ("Browser", summary.get("browser", "")),
        ("Date / Datum", summary.get("date", "")),
        ("Runs (journeys by hostile inputs) / Läufe", f"{totals['runs']}, of which completed: {totals['completed']}"),
        ("Ended early / Vorzeitig beendet", ", ".join(summary["unproven"]) or _NONE),
        ("Journeys / Wege", totals["journeys"]),
        ("Hostile inputs / Angriffe", totals["attacks"]),
        ("Runs with contacts / Läufe mit Kontakten", totals["runs_with_contacts"]),
        ("Contacts (a run and a host): browser's word, wire's word", f"{totals['browser']}, {totals['transport']}"),
        ("Witnesses disagree / Zeugen uneins", totals["disagreements"]),
        ("Targets watched / Beobachtete Ziele", ", ".join(summary.get("targets", ()))),
        ("Events / Ereignisse", totals["events"]),
    )
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>hardener: evidence</title><style>{_STYLE}</style></head><body><h1>Whom did the browser talk to?</h1>",
        f'<p class="verdict {style}">{escape(words)}</p>',
        "".join(f"<p class=bad>{escape(one)}</p>" for one in summary["void_because"]),
        table(("", ""), ((cell(name), cell(value)) for name, value in facts)),
        "<h2>Journeys by hostile inputs / Wege und Angriffe</h2>",
        "<p><small>Foreign hosts contacted; ✉: told to a foreign page; (n): the run ended before its end.</small></p>",
        _matrix(summary["runs"]),
        "<h2>Canaries / Gegenproben</h2>",
        "".join(_canaries(one) for one in summary["canaries"]),
        "<h2>Contacts / Kontakte</h2>",
        _contacts(summary["runs"]),
        _control(summary.get("control", ())),
        "<h2>Timeline / Zeitverlauf</h2>",
        _timeline(summary["runs"]),
        "<h2>Steps not taken / Ausgelassene Schritte</h2>",
        table(
            ("run", "completed", "missed steps"),
            (
                (cell(one["run"]), cell("yes" if one["completed"] else "no"), cell(", ".join(one["missed"])))
                for one in summary["runs"]
                if one["missed"] or not one["completed"]
            ),
        ),
        _own(summary["runs"]),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _matrix(runs: Sequence[Mapping[str, Any]]) -> str:
    walked = [one for one in runs if one["run"]]
    journeys = list(dict.fromkeys(one["journey"] for one in walked))
    attacks = list(dict.fromkeys(one["attack"] for one in walked))
    found = {(one["attack"], one["journey"]): one for one in walked}
    rows = []
    for attack in attacks:
        row = [cell(attack)]
        for journey in journeys:
            one = found.get((attack, journey))
            if one is None:
                row.append(cell(""))
                continue
            bad = one["contacts"] or one["messages"]
            text = str(len(one["contacts"])) + (" ✉" if one["messages"] else "")
            text = text if one["completed"] else f"({text})"
            row.append(cell(text, "bad" if bad else "good" if one["completed"] else "part"))
        rows.append(row)
    return table(("", *journeys), rows, "matrix")


def _canaries(canaries: Mapping[str, Any]) -> str:
    rows = (
        (
            cell(row["kind"]),
            cell(row["host"]),
            cell(", ".join(row["browser"])),
            cell(", ".join(row["transport"])),
            cell(
                "missing: " + ", ".join(row["missing"]) if row["missing"] else "seen",
                "bad" if row["missing"] else "good",
            ),
        )
        for row in canaries["rows"]
    )
    heads = (canaries["run"], "host", "browser", "wire / Leitung", f"{canaries['seen']} of {canaries['of']}")
    return table(heads, rows)


def _contacts(runs: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            cell(one["run"] or "(between runs)"),
            cell(contact["host"], "bad"),
            cell(", ".join(contact["browser"]) or _NONE, "" if contact["browser"] else "part"),
            cell(", ".join(contact["transport"]) or _NONE, "" if contact["transport"] else "part"),
            "<td>" + "<br>".join(f"<code>{escape(text[:200])}</code>" for text in contact["examples"]) + "</td>",
        )
        for one in runs
        for contact in one["contacts"]
    ]
    rows += [
        (
            cell(one["run"]),
            cell("a foreign page", "bad"),
            cell(f"{one['messages']} messages"),
            cell("no packet"),
            cell(""),
        )
        for one in runs
        if one["messages"]
    ]
    return table(("run", "host", "browser", "wire / Leitung", "seen"), rows) if rows else "<p>None. / Keine.</p>"


def _control(control: Sequence[Mapping[str, Any]]) -> str:
    if not control:
        return ""
    rows = (
        (
            cell(one["attack"]),
            cell(", ".join(one["expected"])),
            cell(", ".join(host for host in one["expected"] if host not in one["missing"]) or _NONE),
        )
        for one in control
    )
    title = "<h2>What these attacks reach on upstream as it is / Negativkontrolle</h2>"
    return title + table(("attack", "reached on upstream", "reached here"), rows)


def _timeline(runs: Sequence[Mapping[str, Any]]) -> str:
    walked = [one for one in runs if one["run"]]
    if not walked:
        return ""
    width, line = 1200.0, 13
    last = max(one["end"] for one in walked) or 1.0
    parts = []
    for number, one in enumerate(walked):
        left, right = width * one["start"] / last, width * one["end"] / last
        bad = one["contacts"] or one["messages"]
        colour = "#c0392b" if bad else "#3a8f5c" if one["completed"] else "#d8a21b"
        title = f"{one['run']}: {one['start']:.1f} s to {one['end']:.1f} s"
        parts.append(
            f'<rect x="{left:.1f}" y="{number * line + 2}" width="{max(right - left, 2):.1f}" height="{line - 3}"'
            f' fill="{colour}"><title>{escape(title)}</title></rect>'
        )
        anchor = ("end", left - 4) if left > width / 2 else ("start", right + 4)
        parts.append(
            f'<text x="{anchor[1]:.1f}" y="{number * line + 11}" text-anchor="{anchor[0]}" font-size="10">'
            f"{escape(one['run'])}</text>"
        )
        parts += [
            f'<circle cx="{width * contact["first"] / last:.1f}" cy="{number * line + 7}" r="3"><title>'
            f"{escape(contact['host'])} at {contact['first']:.1f} s</title></circle>"
            for contact in one["contacts"]
        ]
    return f'<svg viewBox="0 0 {width:.0f} {len(walked) * line + 4}">{"".join(parts)}</svg>'


def _own(runs: Sequence[Mapping[str, Any]]) -> str:
    hosts = sorted({host for one in runs for host in one["browsers_own"]})
    stored = sorted({key for one in runs for key in one["stored"]})
    given = sorted({what for one in runs for what in one["given_away"]})
    return (
        "<h2>Also seen / Außerdem gesehen</h2>"
        f"<p>Chromium's own services, which no page asked for (not counted): {escape(', '.join(hosts) or _NONE)}</p>"
        f"<p>Identifiers sent to the own server: {escape(', '.join(given) or _NONE)}</p>"
        f"<p>Storage keys left after leaving: <code>{escape(', '.join(stored) or _NONE)}</code></p>"
    )


def compare(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows of a table with the totals of two summaries side by side."""

    def verdict(one: Mapping[str, Any], key: str) -> str:
        return str(one["totals"][key])

    rows: list[tuple[str, ...]] = [("verdict", str(left["verdict"]), str(right["verdict"]))]
    names = "runs completed runs_with_contacts contacts browser transport disagreements runs_with_messages".split()
    rows += [(name.replace("_", " "), verdict(left, name), verdict(right, name)) for name in names]
    rows.append(("different hosts", *(str(len(one["totals"]["hosts"])) for one in (left, right))))
    rows.append(
        ("canaries seen", *(", ".join(f"{c['seen']}/{c['of']}" for c in one["canaries"]) for one in (left, right)))
    )
    return rows


def contacts(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Two summaries side by side: each run in which either had contacts, and whom it talked to."""
    rows: list[tuple[str, ...]] = []
    by_name = [{run["run"]: run for run in one["runs"]} for one in (left, right)]
    for name in dict.fromkeys([*by_name[0], *by_name[1]]):
        texts = [_hosts(one.get(name)) for one in by_name]
        if any(text not in ("", "-", "not run") for text in texts):
            rows.append((name or "(between runs)", *texts))
    return rows


def _hosts(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return "not run"
    hosts = [contact["host"] for contact in run["contacts"]] + (
        ["message to a foreign page"] if run["messages"] else []
    )
    return ", ".join(hosts) or ("-" if run["completed"] or not run["run"] else "incomplete")
