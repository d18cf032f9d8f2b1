"""ui.py: what a person sees, on a terminal and without one."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hardener.errors import PatchError
from hardener.ui import UI, Screen, human


def screen(*, quiet: bool = False, terminal: bool = False, console: type[Console] = Console) -> tuple[UI, io.StringIO]:
    """Return a UI and what it wrote."""
    out = io.StringIO()
    made = console(
        file=out,
        force_terminal=terminal,
        highlight=False,
        soft_wrap=True,
        color_system="standard" if terminal else None,
    )
    return UI(quiet=quiet, console=made), out


def everything(ui: UI) -> None:
    """Say all that can be said but an error."""
    with ui.step("fetch", "site") as line:
        line.tell("receiving", 0.5)
        line.tell("resolving")
        line.say("v1.0 in the cache")
    ui.note("no [sizes] yet")
    ui.print("[green]done[/green]")
    ui.table("Sizes", ("", "now"), [("JavaScript", "1.00 MB")])


def test_each_step_is_one_line_with_its_result_and_time() -> None:
    ui, out = screen()
    with ui.step("fetch", "site") as line:
        line.say("v1.0 in the cache")
    (text,) = out.getvalue().splitlines()
    assert text.split()[:2] == ["fetch", "site"]
    assert "v1.0 in the cache" in text
    assert text.endswith(" s")
    assert list(ui.times) == ["fetch site"]


def test_a_log_has_a_line_of_progress_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    ui, out = screen()
    now = [100.0]
    monkeypatch.setattr("hardener.ui.time.monotonic", lambda: now[0])
    with ui.step("assess", "site") as line:
        for text, seconds in (("headers", 5.0), ("files", 20.0), ("logins", 1.0), ("browser", 30.0)):
            now[0] += seconds
            line.tell(text)
    assert [text.split() for text in out.getvalue().splitlines()[:-1]] == [
        ["assess", "site", "files", "..."],
        ["assess", "site", "browser", "..."],
    ]


def test_a_table_that_is_too_wide_loses_no_letter() -> None:
    ui, out = screen()
    ui.table("Services", ("", "deployment", "organisation"), [("x" * 50, "not decided", "z" * 50)])
    letters = "".join(out.getvalue().split())
    assert (letters.count("x"), letters.count("z")) == (50, 50)


def test_a_step_that_fails_has_no_line_of_success() -> None:
    ui, out = screen()
    with pytest.raises(PatchError), ui.step("patch", "site"):
        raise PatchError("x")
    assert out.getvalue() == ""
    assert ui.times == {}


def test_without_a_terminal_there_are_no_codes() -> None:
    ui, out = screen()
    everything(ui)
    ui.error(PatchError("bad", hint="fix it", details=("a",)))
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()
    assert "no [sizes] yet" in out.getvalue()
    assert "done" in out.getvalue()


def test_on_a_terminal_there_are_colours() -> None:
    ui, out = screen(terminal=True)
    everything(ui)
    assert "\x1b[" in out.getvalue()


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    ui, out = screen(terminal=True)
    ui.print("[green]done[/green]")
    assert "\x1b[32m" not in out.getvalue()


def test_quiet_says_nothing_but_errors() -> None:
    ui, out = screen(quiet=True)
    everything(ui)
    assert out.getvalue() == ""
    ui.error(PatchError("bad"))
    assert "bad" in out.getvalue()


def test_an_error_is_told_with_details_and_hint_in_this_order() -> None:
    ui, out = screen()
    ui.error(PatchError("2 patches do not fit", hint="hardener check", details=("a.patch: conflict", "b.patch: gone")))
    assert (
        out.getvalue() == "error: 2 patches do not fit\n  a.patch: conflict\n  b.patch: gone\nhint:  hardener check\n"
    )


MARKUP = {
    "brackets": "[project] lacks 'node'",
    "a style": "x [red]y[/red]",
    "a closing tag": "a[/b]",
    "an escaped style": r"a \[red]b",
    "a backslash at the end": "C:\\",
    "an emoji": "src/a.js:art:x",
    "a number": "12 files 0x1f http://x",
    "a link": "[link=https://evil.example]x[/link]",
}


@pytest.mark.parametrize("text", MARKUP.values(), ids=MARKUP.keys())
def test_text_that_is_not_ours_is_shown_as_it_is(text: str) -> None:
    ui, out = screen()
    ui.error(PatchError(text, hint=text, details=(text,)))
    ui.note(text)
    ui.table("Sizes", ("a", "b"), [(text, "1")])
    assert out.getvalue().count(text) == 5


@given(st.text(st.sampled_from("ab[]/\\:= rednolik#@"), max_size=12).map(str.strip))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    ui, out = screen()
    ui.error(PatchError("<" + text + ">"))
    assert out.getvalue() == f"error: <{text}>\n"


def test_long_lines_are_not_broken() -> None:
    ui, out = screen()
    ui.error(PatchError("x" * 500))
    assert len(out.getvalue().splitlines()) == 1


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0.0 kB"),
        (44_120, "44.1 kB"),
        (999_000, "999.0 kB"),
        (1_000_000, "1.00 MB"),
        (1_234_567, "1.23 MB"),
        (20_000_000, "20.00 MB"),
    ],
)
def test_sizes_are_in_powers_of_1000(size: int, text: str) -> None:
    assert text == human(size)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("code", ["\x1b[2K", "\x1b]0;title\x07", "\r", "\b", "\x9b2J", "\x7f", "\u202e", "\u2066"])
def test_no_printed_text_can_act_on_the_terminal(code: str, *, terminal: bool) -> None:
    ui, out = screen(console=Screen, terminal=terminal)
    hostile = f"a{code}b"
    with ui.step(hostile, hostile) as line:
        line.tell(hostile, 0.5)
        line.say(hostile)
    ui.note(hostile)
    ui.print(hostile, "red")
    ui.table(hostile, (hostile, hostile), [(hostile, hostile)])
    ui.finding("ok", hostile, hostile, hostile)
    ui.problem(hostile, hostile, details=(hostile,))
    ui.rated("critical", hostile, hostile, [("", hostile), (hostile, hostile)])
    ui.error(PatchError(hostile, hint=hostile, details=(hostile,)))
    ui.console.print(hostile)
    assert f"a{code}" not in out.getvalue()
    assert "a" in out.getvalue()
