"""Parse arguments, run a subcommand, return its exit code.

Text for people goes to standard error, ``--json`` to standard output.
"""

from __future__ import annotations

import argparse
import difflib
import errno
import importlib
import json
import logging
import os
import re
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hardener import __version__
from hardener.cli.options import completion
from hardener.errors import HardenerError, StackError, UsageError
from hardener.system import disk, stamps
from hardener.ui import UI, write_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# The modules of this package and their subcommands. Only the module of the requested subcommand is imported: importing
# all of them takes longer than a build that has nothing to do.
MODULES = {
    "build": ("build", "scan", "ablate"),
    "series": ("check", "edit", "regen", "explain"),
    "dev": ("dev",),
    "evidence": ("evidence",),
    "stack": ("serve", "stack"),
    "upstream": ("drift", "outdated", "upstream"),
    "attack": ("attack",),
    "check_server": ("check-server", "nginx"),
    "lift": ("lift",),
    "delta": ("delta",),
    "compare": ("compare",),
    "doctor": ("doctor", "clean"),
    "release": ("sbom", "release"),
    "packages": ("deb", "apt", "oci"),
    "verify": ("sign", "verify"),
    "webcat": ("webcat",),
    "assess": ("assess",),
}
# What a path leads to that a user named, and no bug of ours: no permission, a name too long, a circle of links, a file
# in the place of a folder or a folder in that of a file.
_REFUSALS = frozenset(
    {
        errno.EACCES,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
# A limit of this machine: these are explained elsewhere.
_SPENT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
BUG = 70  # EX_SOFTWARE of sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code (docs/reference.md#exit-codes)."""
    words = sys.argv[1:] if argv is None else list(argv)
    ui = UI(quiet="--quiet" in words or "-q" in words)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        answer = _run(words, ui)
    except HardenerError as error:
        ui.error(error)
        details = tuple(map(ui.complete, error.details))
        answer = {"error": error.message, "hint": ui.complete(error.hint), "details": details, "exit": error.exit_code}
    except KeyboardInterrupt as stop:
        ui.console.print(f"interrupted; {str(stop) or 'the same command resumes where it stopped'}")
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


def _run(words: Sequence[str], ui: UI) -> dict[str, Any]:
    """Run the wanted subcommand; returns its answer."""
    try:
        arguments = _parser(words).parse_args(words)
        level = logging.DEBUG if arguments.verbose else logging.WARNING
        logging.basicConfig(level=level, stream=sys.stderr, format="%(name)s: %(message)s")
        ui.complete = completion(arguments)
        subcommand: Callable[[argparse.Namespace, UI], dict[str, Any]] = arguments.run
        return subcommand(arguments, ui)
    except ModuleNotFoundError as problem:
        raise _not_installed(problem) from problem
    except OSError as problem:
        with disk.full_disk_explained():
            refused = problem.errno in _REFUSALS or _is_named(problem, arguments)
            if problem.errno in _SPENT or not refused or not problem.filename:
                raise
        raise UsageError(
            f"cannot read or write {problem.filename}: {problem.strerror}",
            hint="look at the kind, owner and mode of it and of its folder: ls -ld",
        ) from problem


def _is_named(problem: OSError, arguments: argparse.Namespace) -> bool:
    """Return whether a file that cannot be made, read or written is one of the command line, or below one
    (``/proc/x``), or leads to the cache: then no error of the system is a bug of ours.
    """
    values = [value for given in vars(arguments).values() for value in (given if isinstance(given, list) else [given])]
    named = [Path(value) for value in values if isinstance(value, Path) or (isinstance(value, str) and value)]
    name = problem.filename if isinstance(problem.filename, str | bytes) else ""
    missing = Path(os.fsdecode(name)).absolute()
    if name and stamps.home().is_relative_to(missing):
        return True
    return any(missing.is_relative_to(path.absolute()) for path in named if path.name)


def _not_installed(problem: ModuleNotFoundError) -> StackError:
    """Return the error for a package of the extra ``build``, which check-server and nginx work without.

    Raises the problem again if it is about one of our own modules: that is a bug.
    """
    package = (problem.name or "").partition(".")[0]
    if package in {"", "hardener"}:
        raise problem
    return StackError(
        f"this subcommand needs the Python package {package}, which is not installed",
        hint="install hardener with all of its packages: pipx install './FILE.whl[build]', or from a server:"
        " pipx install 'hardener[build] @ https://HOST/FILE.whl'",
    )


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


class _Parser(argparse.ArgumentParser):
    """Mistakes on the command line become errors like all others: with a hint, and as JSON if that is wanted."""

    subcommand = ""
    first = ""  # the first word of the command line

    def __init__(self, **more: Any) -> None:
        # A part of an option's name would be accepted, but main() would not find --json in it.
        super().__init__(allow_abbrev=False, **more)

    def error(self, message: str) -> NoReturn:
        option = self.first.partition("=")[0]
        if option.startswith("-") and option in set(_options_of(self)):
            raise UsageError(
                f"{option} is written before the subcommand",
                hint=f"write it after the subcommand: {self.prog} SUBCOMMAND {option}",
            )
        near = _meant(message, _options_of(self))
        # argparse lets the main parser report an option that a subcommand does not know.
        page = f"{self.prog} {self.subcommand}".rstrip() + " --help"
        raise UsageError(message, hint=f"did you mean {near}? ({page})" if near else page)


class _Subcommand(_Parser):
    """A parser that takes options between arguments: ``assess service --room x https://meet.example.org``."""

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse. argparse has this as another function, which calls this one, and no switch for subcommands."""
        if self._mixing:
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False


def _options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options of a parser and of its subcommands."""
    for action in parser._actions:  # noqa: SLF001 (argparse has no public list)
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for subparser in action.choices.values():
                yield from _options_of(subparser)


def _meant(message: str, options: Iterable[str]) -> str:
    """Return the subcommand, value or option that is nearest to what argparse complains of; empty if none is near.

    >>> _meant("argument SUBCOMMAND: invalid choice: 'biuld' (choose from 'build', 'check')", ())
    'build'
    >>> _meant("unrecognized arguments: --unpached", ["--unpatched", "--json"])
    '--unpatched'
    """
    choice = re.search(r"invalid choice: '([^']+)' \(choose from (.+)\)", message)
    if choice:
        wrong, known = choice[1], re.findall(r"[\w-]+", choice[2])
    else:
        wrong = next((word for word in message.partition("unrecognized arguments: ")[2].split() if word[:1] == "-"), "")
        # An option of that very name belongs to another subcommand.
        known = [option for option in options if option != wrong.partition("=")[0]]
    return next(iter(difflib.get_close_matches(wrong.partition("=")[0], known, n=1)), "")


def _parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser; only with the requested subcommand, if the first word is one."""
    common = _Subcommand(add_help=False)
    common.add_argument(
        "--project",
        type=Path,
        metavar="DIR",
        help="folder with upstream.toml (default: the nearest one from here upwards)",
    )
    common.add_argument("--json", action="store_true", help="write the result as JSON to standard output")
    common.add_argument("--quiet", "-q", action="store_true", help="print errors only")
    common.add_argument("--verbose", "-v", action="store_true", help="print every command that is run")
    source = _Subcommand(add_help=False)
    source.add_argument(
        "--upstream",
        action="append",
        default=[],
        metavar="NAME=WHERE",
        help="fetch a component from another URL or path that has its pinned commit (also: HARDENER_UPSTREAM)",
    )
    extra = _Subcommand(add_help=False)
    extra.add_argument(
        "--extra",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="additional patches/ and overlays/, applied after the project's (repeatable, in this order)",
    )
    parser = _Parser(prog="hardener", description="Builds a hardened Jitsi Meet web bundle from pinned upstream.")
    parser.add_argument("--version", action="version", version=f"hardener {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="SUBCOMMAND", parser_class=_Subcommand)

    def subcommand(
        name: str, run: Callable[[argparse.Namespace, UI], dict[str, Any]], text: str, *parents: Any
    ) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text, parents=[common, *parents])
        sub.set_defaults(run=run)
        return sub

    wanted = [module for module, names in MODULES.items() if words[:1] and words[0] in names]
    parser.subcommand = words[0] if wanted else ""
    parser.first = words[0] if words else ""
    for module in wanted or (MODULES if words[:1] != ["--version"] else ()):
        try:
            importlib.import_module(f"hardener.cli.{module}").register(subcommand, source, extra)
        except ModuleNotFoundError as problem:
            error = _not_installed(problem)
            if wanted:
                raise error from problem
            for name in MODULES[module]:
                verbs.add_parser(name, help="(needs the extra packages: hardener[build])")
    return parser
