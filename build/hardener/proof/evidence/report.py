"""The readable page: one file, no script, nothing from elsewhere; every value is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NONE = "none / keine"
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; margin: .5rem 0 2rem; width: 100%; }
th, td { border: 1px solid #c8c8c8; padding: .25rem .5rem; text-align: left; vertical-align: top; }
th { background: #f0f0f0; } .matrix td { text-align: center; }
.matrix td:first-child { text-align: left; white-space: nowrap; }
.good { background: #dff0d8; } .bad { background: #f6d5d5; } .part { background: #fdf3d0; }
.verdict { font-size: 1.4rem; padding: .5rem 1rem; } code { font-size: .85em; overflow-wrap: anywhere; }
small { color: #555; } svg { width: 100%; height: auto; border: 1px solid #c8c8c8; }
"""
# English, an empty line, German.
_HOW = (
    """
    A real browser went through the site named above, alone and under hostile inputs, in a network that ends at our own
    machine. Two witnesses wrote down whom it called: the browser itself, and the network outside of it. A contact is
    what either of them saw. Planted requests of each kind (canaries) show that both witnesses do see them.

    Ein echter Browser ging durch die oben genannte Seite, ohne und mit Angriffen, in einem Netz, das an unserem
    eigenen Rechner endet. Zwei Zeugen zeichneten auf, zu wem er eine Verbindung aufbaute: der Browser selbst und das
    Netz außerhalb des Browsers. Ein Kontakt ist, was mindestens einer von beiden sah. Absichtlich gesetzte Anfragen
    jeder Art (Gegenproben) zeigen, dass beide Zeugen sie sehen.
    """,
    """
    Not counted: the own server (the site and XMPP), and what people in a call send each other directly.

    Nicht gezählt: der eigene Server (Seite und XMPP) und was Teilnehmende einer Konferenz einander unmittelbar
    senden.
    """,
)
_LIMITS = (
    """
    One version of Chromium; not Firefox, Safari or apps.

    Eine Version von Chromium; nicht Firefox, Safari oder Apps.
    """,
    """
    These journeys and these attacks, and no others.

    Diese Wege und diese Angriffe, und keine anderen.
    """,
    """
    The client, and not an operator's servers: what those do with what they get is not seen here.

    Der Client, nicht die Server eines Betreibers: Was diese mit dem tun, was sie bekommen, ist hier nicht zu sehen.
    """,
    """
    No media bridge: three people in a call have chat here, but neither picture nor sound.

    Keine Video-Bridge: Drei Teilnehmende einer Konferenz haben hier Chat, aber weder Bild noch Ton.
    """,
)
_SERVERS = """
    Prosody and a focus in containers on the same machine; each person has an account and a browser of their own.
    Mallory is a hostile participant with an account: what she sends goes through Prosody. A run with her comes to its
    end only if everything that she sent has arrived.

    Prosody und ein Focus in Containern auf demselben Rechner; alle Teilnehmenden haben ein Konto und einen
    eigenen Browser.
    Mallory ist eine feindliche Teilnehmerin mit Konto: Was sie sendet, geht durch Prosody. Ein Lauf mit ihr kommt nur
    ans Ende, wenn alles angekommen ist, was sie gesendet hat.
    """
_MATRIX = """
    Number of foreign hosts contacted; ✉: something was told to a foreign page; (n): the run ended early; empty: not
    combined. What the names mean stands below.

    Zahl der fremden Hosts; ✉: etwas wurde einer fremden Seite gesagt; (n): vorzeitig beendet; leer: nicht kombiniert.
    Was die Namen bedeuten, steht unten.
    """
_MISSED = """
    A step that a journey can do without: a button that this site does not show, or not under this attack.

    Ein Schritt, ohne den der Weg weitergeht: ein Knopf, den diese Seite nicht zeigt, oder nicht unter diesem Angriff.
    """
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
        _part(summary.get("only", ()), summary["skipped"]),
        _table(("", ""), ((_cell(name), _cell(value)) for name, value in facts)),
        _intro(),
        _skipped(summary["skipped"]),
        "<h2>Contacts / Kontakte</h2>",
        _contacts(runs),
        _occupants(runs),
        _calls(runs, summary.get("people", {})),
        "<h2>Hostile inputs by journeys / Angriffe und Wege</h2>",
        _both(_MATRIX),
        _matrix(runs),
        _legend(summary.get("texts", {})),
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
        (_cell(one["run"]), _cell("yes / ja" if one["completed"] else "no / nein"), _cell(", ".join(one["missed"])))
        for one in runs
        if one["missed"] or not one["completed"]
    ]
    if not rows:
        return f"<p>{NONE}</p>"
    return _both(_MISSED) + _table(("run / Lauf", "came to its end / kam ans Ende", "missed / ausgelassen"), rows)


def _matrix(runs: Sequence[Mapping[str, Any]]) -> str:
    walked = [one for one in runs if one["run"]]
    journeys = list(dict.fromkeys(one["journey"] for one in walked))
    attacks = list(dict.fromkeys(one["attack"] for one in walked))
    found = {(one["attack"], one["journey"]): one for one in walked}
    rows = []
    for attack in attacks:
        row = [_cell(attack)]
        for journey in journeys:
            one = found.get((attack, journey))
            if one is None:
                row.append(_cell(""))
                continue
            bad = one["contacts"] or one["messages"] or one["mistaken"]
            text = str(len(one["contacts"])) + (" ✉" if one["messages"] else "")
            text = text if one["completed"] else f"({text})"
            row.append(_cell(text, "bad" if bad else "good" if one["completed"] else "part"))
        rows.append(row)
    return _table(("", *journeys), rows, "matrix")


def _canaries(canaries: Mapping[str, Any]) -> str:
    rows = (
        (
            _cell(row["kind"]),
            _cell(row["host"]),
            _cell(", ".join(row["browser"])),
            _cell(", ".join(row["transport"])),
            _cell(
                "missing: " + ", ".join(row["missing"]) if row["missing"] else "seen",
                "bad" if row["missing"] else "good",
            ),
        )
        for row in canaries["rows"]
    )
    heads = (canaries["run"], "host", "browser", "wire / Leitung", f"{canaries['seen']} of {canaries['of']}")
    return _table(heads, rows)


def _contacts(runs: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            _cell(one["run"] or "(between runs)"),
            _cell(contact["host"], "bad"),
            _cell(", ".join(contact["browser"]) or NONE, "" if contact["browser"] else "part"),
            _cell(", ".join(contact["transport"]) or NONE, "" if contact["transport"] else "part"),
            "<td>" + "<br>".join(f"<code>{escape(text[:200])}</code>" for text in contact["examples"]) + "</td>",
        )
        for one in runs
        for contact in one["contacts"]
    ]
    rows += [
        (
            _cell(one["run"]),
            _cell("a foreign page", "bad"),
            _cell(f"{one['messages']} messages"),
            _cell("no packet"),
            _cell(""),
        )
        for one in runs
        if one["messages"]
    ]
    return _table(("run", "host", "browser", "wire / Leitung", "seen"), rows) if rows else f"<p>{NONE}</p>"


def _occupants(runs: Sequence[Mapping[str, Any]]) -> str:
    """Who is in the room against who is shown, run by run."""
    rows = [
        (_cell(one["run"]), _cell("; ".join(one["mistaken"]) or NONE, "bad" if one["mistaken"] else "good"))
        for one in runs
        if one["compared"]
    ]
    if not rows:
        return ""
    title = "<h2>Who is there, and who is shown / Wer da ist, und wer gezeigt wird</h2>"
    return title + _table(("run / Lauf", "differences / Unterschiede"), rows)


def _control(control: Sequence[Mapping[str, Any]]) -> str:
    if not control:
        return ""
    rows = (
        (
            _cell(one["attack"]),
            _cell(", ".join(one["expected"])),
            _cell(", ".join(host for host in one["expected"] if host not in one["missing"]) or NONE),
        )
        for one in control
    )
    title = "<h2>What reaches out on upstream as it is / Negativkontrolle: was beim Original nach außen geht</h2>"
    heads = (
        "attack or run / Angriff oder Lauf",
        "known of upstream / vom Original bekannt",
        "reached here / hier erreicht",
    )
    return title + _table(heads, rows)


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


def _cell(value: object, style: str = "", *, tag: str = "td") -> str:
    """One escaped cell of a table.

    >>> _cell("<script>")
    '<td>&lt;script&gt;</td>'
    """
    return f"<{tag}{f' class={chr(34)}{style}{chr(34)}' if style else ''}>{escape(str(value))}</{tag}>"


def _table(heads: Sequence[object], rows: Iterable[Sequence[str]], style: str = "") -> str:
    """A table; the rows' cells are ready-made."""
    head = "".join(_cell(one, tag="th") for one in heads)
    body = "".join(f"<tr>{''.join(row)}</tr>\n" for row in rows)
    return f'<table class="{style}"><tr>{head}</tr>\n{body}</table>'


def _both(text: str, tag: str = "p") -> str:
    """A text in English and in German as one paragraph.

    >>> _both("Yes.\\n\\nJa.")
    '<p>Yes.<br><span lang=de>Ja.</span></p>'
    """
    english, german = (escape(" ".join(one.split())) for one in text.strip().split("\n\n"))
    return f"<{tag}>{english}<br><span lang=de>{german}</span></{tag}>"


def _intro() -> str:
    """How to read the page, and what it cannot say."""
    return (
        "<h2>How to read this / So liest man diese Seite</h2>"
        + "".join(_both(one) for one in _HOW)
        + "<h2>What it cannot say / Was sie nicht sagt</h2><ul>"
        + "".join(_both(one, "li") for one in _LIMITS)
        + "</ul>"
    )


def _part(only: Sequence[str], left_out: Sequence[Mapping[str, str]]) -> str:
    """A warning, right below the verdict, where it speaks of a part of the campaign alone; nothing where of all."""
    said = []
    if only:
        said.append(f"Only a part was asked for / Nur ein Teil war verlangt: {', '.join(only)}")
    if left_out:
        said.append(
            "Calls on real servers that were not made / Nicht durchgeführte Konferenzen über echte Server:"
            f" {len(left_out)}"
        )
    return "".join(f"<p class=part>{escape(one)}</p>" for one in said)


def _skipped(left_out: Sequence[Mapping[str, str]]) -> str:
    """Which runs were not made, and why; nothing where all were."""
    if not left_out:
        return ""
    title = f"<h2>Not run: {len(left_out)} / Nicht ausgeführt: {len(left_out)}</h2>"
    return title + _table(
        ("run / Lauf", "reason / Grund"), ((_cell(one["run"]), _cell(one["reason"], "part")) for one in left_out)
    )


def _calls(runs: Sequence[Mapping[str, Any]], people: Mapping[str, Sequence[str]]) -> str:
    """The runs on real servers; ``people`` are the accounts by journey."""
    made = [one for one in runs if one["journey"] in people]
    if not made:
        return ""
    rows = [
        (
            _cell(one["run"]),
            _cell(", ".join(people[one["journey"]]) + (", Mallory" if "mallory" in one["journey"] else "")),
            _cell("yes / ja" if one["completed"] else "no / nein", "good" if one["completed"] else "bad"),
            _cell("; ".join(_media(told) for told in one["media"]) or NONE),
            _cell(len(one["contacts"]), "bad" if one["contacts"] else "good"),
            _cell(f"{one['end'] - one['start']:.1f} s"),
        )
        for one in made
    ]
    heads = (
        "run / Lauf",
        "people / Beteiligte",
        "came to its end / kam ans Ende",
        "pictures and sound from the other / Bild und Ton der Gegenseite",
        "contacts / Kontakte",
        "time / Dauer",
    )
    return "<h2>Calls on real servers / Konferenzen über echte Server</h2>" + _both(_SERVERS) + _table(heads, rows)


def _media(told: Mapping[str, Any]) -> str:
    return f"{told['who']}: {told['frames']} frames, {told['audio']} + {told['video']} bytes ({told['state']})"


def _legend(texts: Mapping[str, Mapping[str, str]]) -> str:
    """What the names of journeys and attacks stand for."""
    parts = []
    for title, key in (("Journeys / Wege", "journeys"), ("Hostile inputs / Angriffe", "attacks")):
        if texts.get(key):
            parts.append(f"<h2>{title}</h2>")
            parts.append(_table(("name", "what / was"), ((_cell(a), _cell(b)) for a, b in texts[key].items())))
    return "".join(parts)
