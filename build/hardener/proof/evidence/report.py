"""The readable page: one file, no script, nothing from elsewhere; every value is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from hardener.proof.evidence import words
from hardener.proof.evidence.markup import NONE, STYLE, cell, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_VERDICTS = {
    "clean": ("good", "No third-party contact / Kein Kontakt zu Dritten"),
    "mistaken": ("bad", "Not everybody is shown as what they are / Nicht alle werden als das gezeigt, was sie sind"),
    "contacts": ("bad", "Third-party contacts found / Kontakte zu Dritten gefunden"),
    "void": ("bad", "Void: this run proves nothing / Ungültig: Dieser Lauf beweist nichts"),
}


def page(summary: Mapping[str, Any]) -> str:
    """The whole page for one summary."""
    style, verdict = _VERDICTS[summary["verdict"]]
    totals, runs = summary["totals"], summary["runs"]
    facts = (
        ("Site / Seite", summary.get("site", "")),
        ("SHA-256 of its files / seiner Dateien", summary.get("site_sha256", "")),
        ("Browser", summary.get("browser", "")),
        ("Date, duration / Datum, Dauer", f"{summary.get('date', '')}, {summary.get('seconds', 0):.0f} s"),
        ("Runs (a journey under a hostile input, or alone) / Läufe", totals["runs"]),
        ("… that came to their end / … bis ans Ende", totals["completed"]),
        ("… that ended early, and prove less / … vorzeitig beendet", ", ".join(summary["unproven"]) or NONE),
        ("… that were not made / … nicht ausgeführt", totals["skipped"] or NONE),
        ("Journeys, hostile inputs / Wege, Angriffe", f"{totals['journeys']}, {totals['attacks']}"),
        ("Runs with contacts / Läufe mit Kontakten", totals["runs_with_contacts"]),
        ("Contacts that the browser saw / die der Browser sah", totals["browser"]),
        ("Contacts that the wire saw / die die Leitung sah", totals["transport"]),
        ("… that only one saw / … die nur einer sah", totals["disagreements"]),
        ("Runs in which who is there was compared with who is shown / Vergleiche, wer da ist", totals["compared"]),
        ("… in which they differ / … mit Unterschied", totals["runs_with_mistaken"]),
        ("Parts of the browser watched / Beobachtete Teile des Browsers", ", ".join(summary.get("targets", ()))),
        ("Lines of the record / Zeilen der Aufzeichnung (events.ndjson)", totals["events"]),
    )
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>hardener: evidence</title><style>{STYLE}</style></head><body>",
        "<h1>Whom did the browser talk to? / Mit wem sprach der Browser?</h1>",
        f'<p class="verdict {style}">{escape(verdict)}</p>',
        "".join(f"<p class=bad>{escape(one)}</p>" for one in summary["void_because"]),
        words.part(summary.get("only", ()), summary["skipped"]),
        table(("", ""), ((cell(name), cell(value)) for name, value in facts)),
        words.intro(),
        words.skipped(summary["skipped"]),
        "<h2>Contacts / Kontakte</h2>",
        _contacts(runs),
        _occupants(runs),
        words.calls(runs, summary.get("people", {})),
        "<h2>Hostile inputs by journeys / Angriffe und Wege</h2>",
        words.both(words.MATRIX),
        _matrix(runs),
        words.legend(summary.get("texts", {})),
        _control(summary.get("control", ())),
        "<h2>Canaries: planted requests that must be seen / Gegenproben, die gesehen werden müssen</h2>",
        "".join(_canaries(one) for one in summary["canaries"]),
        "<h2>Timeline / Zeitverlauf</h2>",
        _timeline(runs),
        "<h2>Steps not taken / Ausgelassene Schritte</h2>",
        _missed(runs),
        _own(runs),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _missed(runs: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (cell(one["run"]), cell("yes / ja" if one["completed"] else "no / nein"), cell(", ".join(one["missed"])))
        for one in runs
        if one["missed"] or not one["completed"]
    ]
    if not rows:
        return f"<p>{NONE}</p>"
    return words.both(words.MISSED) + table(
        ("run / Lauf", "came to its end / kam ans Ende", "missed / ausgelassen"), rows
    )


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
            bad = one["contacts"] or one["messages"] or one["mistaken"]
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
            cell(", ".join(contact["browser"]) or NONE, "" if contact["browser"] else "part"),
            cell(", ".join(contact["transport"]) or NONE, "" if contact["transport"] else "part"),
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
    return table(("run", "host", "browser", "wire / Leitung", "seen"), rows) if rows else f"<p>{NONE}</p>"


def _occupants(runs: Sequence[Mapping[str, Any]]) -> str:
    """Who is in the room against who is shown, run by run."""
    rows = [
        (cell(one["run"]), cell("; ".join(one["mistaken"]) or NONE, "bad" if one["mistaken"] else "good"))
        for one in runs
        if one["compared"]
    ]
    if not rows:
        return ""
    title = "<h2>Who is there, and who is shown / Wer da ist, und wer gezeigt wird</h2>"
    return title + table(("run / Lauf", "differences / Unterschiede"), rows)


def _control(control: Sequence[Mapping[str, Any]]) -> str:
    if not control:
        return ""
    rows = (
        (
            cell(one["attack"]),
            cell(", ".join(one["expected"])),
            cell(", ".join(host for host in one["expected"] if host not in one["missing"]) or NONE),
        )
        for one in control
    )
    title = "<h2>What reaches out on upstream as it is / Negativkontrolle: was beim Original nach außen geht</h2>"
    heads = (
        "attack or run / Angriff oder Lauf",
        "known of upstream / vom Original bekannt",
        "reached here / hier erreicht",
    )
    return title + table(heads, rows)


def _timeline(runs: Sequence[Mapping[str, Any]]) -> str:
    walked = [one for one in runs if one["run"]]
    if not walked:
        return ""
    width, line = 1200.0, 13
    last = max(one["end"] for one in walked) or 1.0
    parts = []
    for number, one in enumerate(walked):
        left, right = width * one["start"] / last, width * one["end"] / last
        bad = one["contacts"] or one["messages"] or one["mistaken"]
        colour = "#c0392b" if bad else "#3a8f5c" if one["completed"] else "#d8a21b"
        title = f"{one['run']}: {one['start']:.1f} s to {one['end']:.1f} s"
        parts.append(
            f'<rect x="{left:.1f}" y="{number * line + 2}" width="{max(right - left, 2):.1f}" height="{line - 3}"'
            f' fill="{colour}"><title>{escape(title)}</title></rect>'
        )
        inside = left <= width / 2 and right > width * 0.8  # no room at either side
        anchor = ("end", left - 4) if left > width / 2 else ("start", left + 4 if inside else right + 4)
        ink = "#fff" if inside else "#1a1a1a"
        parts.append(
            f'<text x="{anchor[1]:.1f}" y="{number * line + 11}" text-anchor="{anchor[0]}" font-size="10" fill="{ink}">'
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
        "<p>Chromium's own services, which no page asked for (not counted) / Dienste von Chromium selbst, nach denen"
        f" keine Seite fragte (nicht gezählt): {escape(', '.join(hosts) or NONE)}</p>"
        "<p>Identifiers sent to the own server / Kennungen, die der eigene Server bekam:"
        f" {escape(', '.join(given) or NONE)}</p>"
        "<p>Keys that stay in the browser's storage after leaving / Was danach im Browser gespeichert bleibt:"
        f" <code>{escape(', '.join(stored) or NONE)}</code></p>"
    )


def compare(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows of a table with the totals of two summaries side by side."""

    def verdict(one: Mapping[str, Any], key: str) -> str:
        return str(one["totals"][key])

    rows: list[tuple[str, ...]] = [("verdict", str(left["verdict"]), str(right["verdict"]))]
    names = (
        "runs completed skipped runs_with_contacts contacts browser transport disagreements runs_with_messages"
        " runs_with_mistaken".split()
    )
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
    hosts += run["mistaken"]
    return ", ".join(hosts) or ("-" if run["completed"] or not run["run"] else "incomplete")
