"""The door: arguments in, exit code out. Human output goes to standard error, ``--json`` to standard output."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hardener import (
    __version__,
    cache,
    cli_attack,
    cli_evidence,
    cli_lift,
    cli_series,
    cli_server,
    cli_stack,
    cli_upstream,
    config,
    pipeline,
    sdks,
)
from hardener import ablate as ablation
from hardener import doctor as doctors
from hardener import scan as scanning
from hardener.arguments import project_of as _project
from hardener.arguments import sources_of
from hardener.edittree import unsaved
from hardener.errors import HardenerError, ScanError, UnfinishedError, UsageError
from hardener.hosts import NAME as HOSTS
from hardener.hosts import read_hosts
from hardener.ui import UI, human

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BASELINE = "baseline.json"
BUG = 70  # EX_SOFTWARE of sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code of docs/design.md's table."""
    words = sys.argv[1:] if argv is None else list(argv)
    ui = UI(quiet="--quiet" in words or "-q" in words)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        arguments = _parser().parse_args(words)
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
        _print(json.dumps(answer, indent=2, sort_keys=True) + "\n")
    return int(answer.get("exit", 0))


def _print(text: str) -> None:
    """Write to standard output; a reader that has gone away (``| head``) is no mistake of ours."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at exit and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


class _Parser(argparse.ArgumentParser):
    """Mistakes on the command line become errors like all others: with a hint, and as JSON if that is wanted."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"{self.prog} --help")


def _parser() -> argparse.ArgumentParser:
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

    sub = verb("build", _build, "build the hardened archive into dist/", source, extra)
    sub.add_argument(
        "--toolchain", choices=config.TOOLCHAINS, default="rspack", help="webpack is upstream's own: slow, for fidelity"
    )
    sub.add_argument(
        "--unpatched", action="store_true", help="build upstream as it is, into dist/unpatched/: for comparison"
    )
    sub.add_argument("--write-baseline", action="store_true", help="with --unpatched: keep its sizes in baseline.json")
    sub.add_argument(
        "--substitute",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="an npm archive of your own for a package that is left out; not for a release, and the archive says so",
    )
    sub.add_argument("--no-wait", action="store_true", help="fail (exit code 75) when another build runs here")
    cli_series.register(verb, source, extra)
    sub = verb(
        "scan", _scan, "hold every host named in a folder against hosts.toml, and look for the SDKs of sdks.toml"
    )
    sub.add_argument("site", type=Path, metavar="DIR", help="an unpacked site")
    sub.add_argument("--propose", action="store_true", help="print hosts.toml as it would have to be, for review")
    sub = verb("ablate", _ablate, "leave out one patch at a time: the test that it names has to go red", extra)
    sub.add_argument("patches", nargs="*", metavar="PATCH", help="patch files (default: all of the project)")
    cli_evidence.arguments(
        verb("evidence", _evidence, "visit a built site in a sealed network and write down whom it talks to", source)
    )
    cli_stack.arguments(
        verb("stack", _stack, "run the site with an XMPP server in containers that reach nobody", source)
    )
    cli_upstream.register(verb, source)
    cli_attack.arguments(
        verb("attack", _attack, "try every way into a server of yours that needs no personal login", source)
    )
    cli_server.arguments(
        verb("check-server", cli_server.run, "read a server's configuration and name what it leaves open")
    )
    cli_lift.register(verb, source, extra)
    sub = verb("doctor", _doctor, "say what is missing on this machine, and what mends it")
    sub.add_argument("--offline", action="store_true", help="do not ask whether upstream and the registries answer")
    sub = verb("clean", _clean, "remove the work area of this project (dist/ stays)")
    sub.add_argument("--cache", action="store_true", help="remove the user's cache too: mirrors and npm packages")
    return parser


def _options(arguments: argparse.Namespace, project: config.Project) -> pipeline.Options:
    return pipeline.Options(
        sources=sources_of(arguments, project),
        toolchain=getattr(arguments, "toolchain", "rspack"),
        unpatched=getattr(arguments, "unpatched", False),
        wait=not getattr(arguments, "no_wait", False),
    )


def _build(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = _project(arguments)
    options = _options(arguments, project)
    ui.print(f"{project.label} ({options.variant}, Node {project.node})", "bold")
    if project.substitutes and options.unpatched:
        raise UsageError("the unpatched site takes no substitute: it is a control", hint="leave out --substitute")
    _warn(project, ui)
    if arguments.write_baseline and options.variant != "unpatched":
        raise UsageError("the baseline is upstream as it is", hint="hardener build --unpatched --write-baseline")
    result = pipeline.build(project, options, ui)
    if arguments.write_baseline:
        cache.write_json(project.root / BASELINE, {project.site.commit: result.packaged.sizes})
    _summary(project, result, ui)
    _warn(project, ui)
    return result.manifest | {"fresh": result.fresh, "dist": os.fspath(result.packaged.site.path.parent)}


def _warn(project: config.Project, ui: UI) -> None:
    """Say loudly, at both ends of a build and to those who want silence too, whose packages are in the bundle."""
    for one in project.substitutes:
        what = f"{one.package} {one.lock_entry['version']} is a substitute: {one.file} ({one.lock_entry['integrity']})"
        ui.problem(f"{what}. Nobody has reviewed it", "for a release, build without --substitute", word="SUBSTITUTE")


def _summary(project: config.Project, result: pipeline.Result, ui: UI) -> None:
    baseline = (cache.read_json(project.root / BASELINE) or {}).get(project.site.commit, {})
    rows = []
    for key, label in (
        ("js", "JavaScript"),
        ("js.gz", "JavaScript, gzip"),
        ("css", "CSS"),
        ("all", "all served files"),
    ):
        size, before = result.packaged.sizes[key], baseline.get(key)
        change = f"{100 * (size - before) / before:+.1f} %" if before else "unknown"
        rows.append((label, human(size), human(before) if before else "unknown", change))
    ui.print()
    ui.table("Sizes", ("", "this build", "unpatched", "change"), rows)
    if not baseline:
        ui.note("no sizes of the unpatched bundle at this pin: nox -s baseline")
    ui.print()
    for archive in (result.packaged.site, result.packaged.maps):
        ui.print(f"{archive.sha256}  {archive.path}")
    ui.print("done" if result.fresh else "nothing to do: the archive is there and its sum is right", "green")


def _scan(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    root = _project(arguments).root
    listed = root / HOSTS
    if arguments.propose:
        scanned = scanning.scan(arguments.site)
        proposal = scanning.propose(scanned, read_hosts(listed) if listed.exists() else ())
        if not arguments.json:
            _print(proposal)
        return {"proposal": proposal}
    forbidden = sdks.in_force(root / sdks.NAME)
    scanned = scanning.check(arguments.site, listed, forbidden)
    ui.print(
        f"{len(scanned.hosts)} hosts in {scanned.files} files ({human(scanned.size)}): all listed, all counts right; "
        f"none of {len(forbidden)} SDKs"
    )
    names = [sdk.name for sdk in forbidden]
    return {"files": scanned.files, "size": scanned.size, "hosts": scanned.hosts, "sdks_excluded": names}


def _ablate(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    results = ablation.ablate(_project(arguments), tuple(arguments.patches), ui)
    ui.table("Ablation", ("without", "its test", "is"), [(r.patch, r.evidence, r.verdict) for r in results])
    bad = [result for result in results if result.verdict != "red"]
    for result in bad:
        ui.note(f"{result.patch}: {result.detail}")
    return {"exit": ScanError.exit_code if bad else 0, "patches": [vars(result) for result in results]}


def _evidence(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    return cli_evidence.run(lambda: _project(arguments), arguments, ui)


def _stack(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    return cli_stack.run(_project(arguments), arguments, ui, _print)


def _attack(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    return cli_attack.run(arguments, lambda: _project(arguments), ui)


def _doctor(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    findings = doctors.examine(_project(arguments), online=not arguments.offline)
    for finding in findings:
        if finding.state == "missing" or not arguments.quiet:
            ui.finding(finding.state, finding.subject, finding.text, finding.remedy)
    missing = [finding for finding in findings if finding.state == "missing"]
    ui.print("all that a build needs is here" if not missing else f"{len(missing)} thing(s) missing")
    return {"exit": 8 if missing else 0, "findings": [vars(finding) for finding in findings]}


def _clean(arguments: argparse.Namespace, ui: UI) -> dict[str, Any]:
    project = _project(arguments)
    if unfinished := unsaved(project.work / cli_series.EDIT):
        raise UnfinishedError(
            f"{unfinished[0]} holds work that is in no series",
            hint=f"hardener regen, or throw it away: rm -r {unfinished[0]}",
        )
    if (project.work / "lift" / "state.json").exists():
        raise UnfinishedError(
            "a lift is under way, and its work lies there", hint="hardener lift --continue, or --abort"
        )
    removed = [project.work] + ([cache.home()] if arguments.cache else [])
    with cache.lock(project.work / "lock", waiting=lambda who: ui.note(f"{who} builds here: waiting")):
        for folder in removed:
            cache.remove(folder)
            ui.print(f"removed {folder}")
    return {"removed": [os.fspath(folder) for folder in removed]}
