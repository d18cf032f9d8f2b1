"""The door: arguments in, exit code out. Human output goes to standard error, ``--json`` to standard output."""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import logging
import re
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hardener import __version__
from hardener.errors import HardenerError, UsageError
from hardener.ui import UI, write_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# The modules of the door and their verbs. Only that of the wanted verb is imported: all of them take longer to import
# than a build needs to see that it has nothing to do.
DOORS = {
    "build": ("build", "scan", "ablate"),
    "series": ("check", "edit", "regen", "explain"),
    "evidence": ("evidence",),
    "stack": ("stack",),
    "upstream": ("drift", "outdated", "upstream"),
    "attack": ("attack",),
    "check_server": ("check-server", "nginx"),
    "lift": ("lift",),
    "delta": ("delta",),
    "compare": ("compare",),
    "doctor": ("doctor", "clean"),
    "release": ("sbom",),
}
BUG = 70  # EX_SOFTWARE of sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code (docs/reference.md#exit-codes)."""
    words = sys.argv[1:] if argv is None else list(argv)
    ui = UI(quiet="--quiet" in words or "-q" in words)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        arguments = _parser(words).parse_args(words)
        level = logging.DEBUG if arguments.verbose else logging.WARNING
        logging.basicConfig(level=level, stream=sys.stderr, format="%(name)s: %(message)s")
        verb: Callable[[argparse.Namespace, UI], dict[str, Any]] = arguments.run
        answer = verb(arguments, ui)
    except HardenerError as error:
        ui.error(error)
        answer = {"error": error.message, "hint": error.hint, "details": error.details, "exit": error.exit_code}
    except KeyboardInterrupt:
        ui.console.print("interrupted; the same command goes on where this one stopped")
        return 128 + signal.SIGINT
    except Exception:  # noqa: BLE001 (a bug of ours must be seen as one)
        ui.console.print(traceback.format_exc())
        ui.console.print(
            "This is a bug in hardener. Please report it with the lines above: see SECURITY.md and CONTRIBUTING.md."
        )
        return BUG
    if "--json" in words:
        write_out(json.dumps(answer, indent=2, sort_keys=True) + "\n")
    return int(answer.get("exit", 0))


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


class _Parser(argparse.ArgumentParser):
    """Mistakes on the command line become errors like all others: with a hint, and as JSON if that is wanted."""

    subcommand = ""

    def error(self, message: str) -> NoReturn:
        near = _meant(message, _options_of(self))
        # argparse lets the main parser report an option that a subcommand does not know.
        page = f"{self.prog} {self.subcommand}".rstrip() + " --help"
        raise UsageError(message, hint=f"did you mean {near}? ({page})" if near else page)


def _options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options of a parser and of its subcommands."""
    for action in parser._actions:  # noqa: SLF001 (argparse has no public list)
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for subparser in action.choices.values():
                yield from _options_of(subparser)


def _meant(message: str, options: Iterable[str]) -> str:
    """Return the subcommand, value or option that is nearest to what argparse complains of; empty if none is near.

    >>> _meant("argument VERB: invalid choice: 'biuld' (choose from 'build', 'check')", ())
    'build'
    >>> _meant("unrecognized arguments: --unpached", ["--unpatched", "--json"])
    '--unpatched'
    """
    choice = re.search(r"invalid choice: '([^']+)' \(choose from (.+)\)", message)
    if choice:
        wrong, known = choice[1], re.findall(r"[\w-]+", choice[2])
    else:
        wrong = next((word for word in message.partition("unrecognized arguments: ")[2].split() if word[:1] == "-"), "")
        known = list(options)
    return next(iter(difflib.get_close_matches(wrong.partition("=")[0], known, n=1)), "")


def _parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line; with only the wanted verb's part, if the first word is a verb."""
    common = _Parser(add_help=False)
    common.add_argument(
        "--project", type=Path, metavar="DIR", help="folder with upstream.toml (default: found from here upwards)"
    )
    common.add_argument("--json", action="store_true", help="write the result as JSON to standard output")
    common.add_argument("--quiet", "-q", action="store_true", help="say nothing but errors")
    common.add_argument("--verbose", "-v", action="store_true", help="show every command that is run")
    source = _Parser(add_help=False)
    source.add_argument(
        "--upstream",
        action="append",
        default=[],
        metavar="NAME=WHERE",
        help="fetch a component from another URL or path that has its pinned commit (also: HARDENER_UPSTREAM)",
    )
    extra = _Parser(add_help=False)
    extra.add_argument(
        "--extra",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="own patches/ and overlays/ after the project's (several: in this order); the archive's name says so",
    )
    parser = _Parser(prog="hardener", description="Builds a hardened Jitsi Meet web bundle from pinned upstream.")
    parser.add_argument("--version", action="version", version=f"hardener {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(
        name: str, run: Callable[[argparse.Namespace, UI], dict[str, Any]], text: str, *parents: Any
    ) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text, parents=[common, *parents])
        sub.set_defaults(run=run)
        return sub

    wanted = [module for module, names in DOORS.items() if words[:1] and words[0] in names]
    parser.subcommand = words[0] if wanted else ""
    for module in wanted or DOORS:
        importlib.import_module(f"hardener.cli.{module}").register(verb, source, extra)
    return parser
