"""What the readable page says in words: how to read it, what it cannot say, what each journey and each attack is."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from hardener.proof.evidence.markup import NONE, cell, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
MATRIX = """
    Number of foreign hosts contacted; ✉: something was told to a foreign page; (n): the run ended early; empty: not
    combined. What the names mean stands below.

    Zahl der fremden Hosts; ✉: etwas wurde einer fremden Seite gesagt; (n): vorzeitig beendet; leer: nicht kombiniert.
    Was die Namen bedeuten, steht unten.
    """
MISSED = """
    A step that a journey can do without: a button that this site does not show, or not under this attack.

    Ein Schritt, ohne den der Weg weitergeht: ein Knopf, den diese Seite nicht zeigt, oder nicht unter diesem Angriff.
    """


def both(text: str, tag: str = "p") -> str:
    """A text in English and in German as one paragraph.

    >>> both("Yes.\\n\\nJa.")
    '<p>Yes.<br><span lang=de>Ja.</span></p>'
    """
    english, german = (escape(" ".join(one.split())) for one in text.strip().split("\n\n"))
    return f"<{tag}>{english}<br><span lang=de>{german}</span></{tag}>"


def intro() -> str:
    """How to read the page, and what it cannot say."""
    return (
        "<h2>How to read this / So liest man diese Seite</h2>"
        + "".join(both(one) for one in _HOW)
        + "<h2>What it cannot say / Was sie nicht sagt</h2><ul>"
        + "".join(both(one, "li") for one in _LIMITS)
        + "</ul>"
    )


def part(only: Sequence[str], left_out: Sequence[Mapping[str, str]]) -> str:
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


def skipped(left_out: Sequence[Mapping[str, str]]) -> str:
    """Which runs were not made, and why; nothing where all were."""
    if not left_out:
        return ""
    title = f"<h2>Not run: {len(left_out)} / Nicht ausgeführt: {len(left_out)}</h2>"
    return title + table(
        ("run / Lauf", "reason / Grund"), ((cell(one["run"]), cell(one["reason"], "part")) for one in left_out)
    )


def calls(runs: Sequence[Mapping[str, Any]], people: Mapping[str, Sequence[str]]) -> str:
    """The runs on real servers; ``people`` are the accounts by journey."""
    made = [one for one in runs if one["journey"] in people]
    if not made:
        return ""
    rows = [
        (
            cell(one["run"]),
            cell(", ".join(people[one["journey"]]) + (", Mallory" if "mallory" in one["journey"] else "")),
            cell("yes / ja" if one["completed"] else "no / nein", "good" if one["completed"] else "bad"),
            cell("; ".join(_media(told) for told in one["media"]) or NONE),
            cell(len(one["contacts"]), "bad" if one["contacts"] else "good"),
            cell(f"{one['end'] - one['start']:.1f} s"),
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
    return "<h2>Calls on real servers / Konferenzen über echte Server</h2>" + both(_SERVERS) + table(heads, rows)


def _media(told: Mapping[str, Any]) -> str:
    return f"{told['who']}: {told['frames']} frames, {told['audio']} + {told['video']} bytes ({told['state']})"


def legend(texts: Mapping[str, Mapping[str, str]]) -> str:
    """What the names of journeys and attacks stand for."""
    parts = []
    for title, key in (("Journeys / Wege", "journeys"), ("Hostile inputs / Angriffe", "attacks")):
        if texts.get(key):
            parts.append(f"<h2>{title}</h2>")
            parts.append(table(("name", "what / was"), ((cell(a), cell(b)) for a, b in texts[key].items())))
    return "".join(parts)
