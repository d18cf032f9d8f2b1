"""The terminal: one line for each step with its time, progress, a summary, errors with their hint.

All of it goes to standard error; standard output is for ``--json``. Colour and moving progress are for terminals only
(``NO_COLOR`` is honoured by rich); a log gets a line of progress now and then.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import ConsoleOptions, RenderableType

    from hardener.errors import HardenerError


_LOGGED = 20  # seconds between two lines of progress where there is no terminal
# What a terminal obeys or hides, in a picture: names and contents of files of others are printed, too.
_PICTURES = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
    | dict.fromkeys((*range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F), 0xFFFD)
    | dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)
)


class Screen(Console):
    """A console on which no printed text can move the cursor, change colours or turn the order of letters."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render as rich does, with control characters of texts as pictures."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(segment.text.translate(_PICTURES), segment.style)


class Line:
    """A running step: ``tell`` shows its progress, ``say`` sets the result on its line."""

    def __init__(self, move: Callable[[str, float | None], None]) -> None:
        self._move = move
        self.text = ""

    def tell(self, text: str, share: float | None = None) -> None:
        """Show what the step is doing and, from 0 to 1, how far it is."""
        self._move(text, share)

    def say(self, text: str) -> None:
        """Set the result on the step's line."""
        self.text = text


class UI:
    """The terminal. ``quiet`` leaves only errors."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self.console = console or Screen(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
        self.quiet = quiet
        # Add the options of this run to the commands that a text names (cli/options.py).
        self.complete: Callable[[str], str] = str
        self.times: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, name: str, subject: str) -> Iterator[Line]:
        """Run one step under its line; its wall time in seconds is kept in ``times``."""
        started = time.monotonic()
        with self._moving(name, subject) as move:
            line = Line(move)
            yield line
        seconds = time.monotonic() - started
        self.times[f"{name} {subject}"] = round(seconds, 3)
        if not self.quiet:
            self.console.print(Text(f"  {name:<9} {subject:<15} {line.text:<58} ").append(f"{seconds:6.1f} s", "dim"))

    @contextlib.contextmanager
    def _moving(self, name: str, subject: str) -> Iterator[Callable[[str, float | None], None]]:
        if self.quiet:
            yield lambda _text, _share: None
            return
        if not self.console.is_terminal:
            yield self._logged(name, subject)
            return
        columns = (
            SpinnerColumn(),
            TextColumn(f"{name:<9} {subject:<15}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task("", total=None)

            def move(text: str, share: float | None) -> None:
                total = None if share is None else 1.0
                progress.update(task, description=text[:40], total=total, completed=share or 0.0)

            yield move

    def _logged(self, name: str, subject: str) -> Callable[[str, float | None], None]:
        """Return what prints the progress of a step that takes long: a log would have nothing for minutes."""
        last = time.monotonic()

        def log(text: str, _share: float | None) -> None:
            nonlocal last
            if time.monotonic() - last >= _LOGGED:
                last = time.monotonic()
                self.console.print(Text(f"  {name:<9} {subject:<15} {text} ..."))

        return log

    def note(self, text: str) -> None:
        """Print a note, which is not an error."""
        if not self.quiet:
            self.console.print(Text("  ").append("note", "yellow").append(f"      {self.complete(text)}"))

    def waits(self, who: str) -> None:
        """Report the process that holds what this one waits for."""
        self.note(f"{who} is at work here: waiting")

    def print(self, text: str = "", style: str = "") -> None:
        """Print a line of the summary."""
        if not self.quiet:
            self.console.print(Text(self.complete(text), style))

    def table(self, title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table; all columns but the first are right-aligned."""
        if self.quiet:
            return
        table = Table(
            title=Text(title), title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2)
        )
        for number, head in enumerate(heads):
            table.add_column(head, justify="left" if number == 0 else "right", overflow="fold")
        for row in rows:
            table.add_row(*(Text(str(cell)) for cell in row))
        self.console.print(table)

    def finding(self, state: str, subject: str, text: str, remedy: str) -> None:
        """Print a line of ``doctor``: the prerequisite, its state, and its remedy below."""
        word, style = {"ok": ("ok", "green"), "optional": ("none", "yellow")}.get(state, ("none", "red"))
        self.console.print(Text("  ").append(f"{word:<5}", style).append(f" {subject:<24} {text}"))
        if remedy:
            self.console.print(Text(f"        {self.complete(remedy)}"))

    def problem(self, text: str, fix: str, word: str = "error", details: Sequence[str] = ()) -> None:
        """Print a problem with its fix below it, also with --quiet."""
        self.console.print(Text(word, "bold red").append(f": {text}", "not bold default"))
        for detail in details:
            self.console.print(Text(f"  {detail}"))
        self.console.print(Text("  fix", "bold").append(f": {self.complete(fix)}", "not bold"))

    def rated(self, severity: str, title: str, identifier: str, rows: Iterable[tuple[str, str]]) -> None:
        """Print a kind of finding with its severity, and rows of text below it; a row without a label is a place.

        Findings of the severity ``critical`` are printed also with --quiet.
        """
        if self.quiet and severity != "critical":
            return
        style = {"critical": "bold red", "warning": "yellow"}.get(severity, "dim")
        self.console.print(Text(f"{severity:<9} ", style).append(f"{title}  ", "bold").append(f"[{identifier}]", "dim"))
        for label, text in rows:
            heading = f"{label + ':':<7}" if label else ""
            self.console.print(Text(f"        {heading}", "dim").append(text, "not dim default"))

    def error(self, error: HardenerError) -> None:
        """Print an error: the message, its details, and the hint."""
        self.console.print(Text("error", "bold red").append(f": {error.message}", "not bold default"))
        for detail in error.details:
            self.console.print(Text(f"  {self.complete(detail)}"))
        if error.hint:
            self.console.print(Text("hint", "bold").append(f":  {self.complete(error.hint)}", "not bold"))


def human(size: int) -> str:
    """Return bytes as kB or MB (powers of 1000).

    >>> human(44_120), human(17_440_000)
    ('44.1 kB', '17.44 MB')
    """
    kilobytes = f"{size / 1e3:.1f} kB"
    return kilobytes if len(kilobytes) < len("1000.0 kB") else f"{size / 1e6:.2f} MB"


def write_out(text: str) -> None:
    """Write to standard output; a reader that has gone away (``| head``) is not an error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at exit and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
