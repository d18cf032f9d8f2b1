"""The subcommand of the traffic light: ``hardener assess bundle|service|compare|diff|init``."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.assessment import comparison, declaration, report, result, run
from hardener.assessment.catalogue import COLUMNS, LANGUAGES, PROFILES
from hardener.assessment.sensors.browsed import BROWSER
from hardener.assessment.service import logins
from hardener.assessment.service.client import origin_of
from hardener.assessment.service.visit import Plan
from hardener.assessment.wording import labels
from hardener.cli.options import project_of
from hardener.errors import ScanError, UsageError
from hardener.system import locks, stamps, tables

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from hardener.assessment.run import Assessed
    from hardener.config import Project
    from hardener.ui import UI

LIBRARY = "libs/lib-jitsi-meet.min.js"  # each release of Jitsi Meet has it
_ACTIONS = {
    "bundle": "DIR: assess an unpacked bundle",
    "service": "https://HOST: assess your own running service",
    "compare": "RESULT RESULT ...: write a table of several services",
    "diff": "OLD NEW: list the lights that changed",
    "init": "FILE: write a template of the operator's declaration",
}
# The actions that an option is for: another one would ignore it.
_REPORTS = ("bundle", "service")
_FOR = {
    **dict.fromkeys(("server", "operator", "profile", "release", "full", "name"), _REPORTS),
    **dict.fromkeys(("room", "login_file", "attack", "ca_file", "resume"), ("service",)),
    **dict.fromkeys(("pdf", "out"), (*_REPORTS, "compare")),
    "language": ("init",),
}
_STYLES = {"red": "red", "yellow": "yellow", "green": "green", "grey": ""}


def register(subcommand: Callable[..., argparse.ArgumentParser], _source: Any, _extra: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subcommand(
        "assess", _assess, "assess a bundle, a running service, a server's files and an organisation as traffic lights"
    )
    parser.add_argument(
        "action", metavar="|".join(_ACTIONS), help="; ".join(f"{name} {text}" for name, text in _ACTIONS.items())
    )
    parser.add_argument("paths", nargs="*", metavar="PATH|URL", help="folders, files or the address of the action")
    parser.add_argument(
        "--server", action="append", type=Path, default=[], metavar="DIR|ENV-FILE",
        help="the server's files, as for check-server (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--operator", "--declaration", type=Path, metavar="FILE", help="the operator's declaration (operator.toml)"
    )
    parser.add_argument(
        "--profile", choices=PROFILES, default="", help="risk profile (default: the declaration's, or high)"
    )
    parser.add_argument(
        "--release", type=Path, metavar="DIR", help="released files to compare the bundle with (default: dist/)"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="read the records of evidence and browser tests of exactly this bundle, or of the delivered release",
    )
    parser.add_argument("--room", default="", metavar="NAME", help="a room that is asked for (default: a random name)")
    parser.add_argument(
        "--login-file", type=Path, metavar="FILE", help="a test account: user and password, one a line (service)"
    )
    parser.add_argument(
        "--attack", action="store_true",
        help="also try hundreds of ways into the service, as hardener attack does; needs [attack] in the declaration",
    )  # fmt: skip
    parser.add_argument("--ca-file", default="", metavar="FILE", help="authority of the service's certificate")
    parser.add_argument(
        "--resume", action="store_true", help="use the finished steps of an interrupted visit (of the last 24 hours)"
    )
    parser.add_argument("--name", default="", help="name of the subject in the report")
    parser.add_argument(
        "--language", choices=LANGUAGES, default="", help="language of the template (init; default: en)"
    )
    parser.add_argument("--pdf", action="store_true", help="also print the pages as PDF (needs Chromium)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the report goes (default: .work/assess)")


def _assess(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    actions: dict[str, Callable[[argparse.Namespace, UI], dict[str, Any]]] = {
        "bundle": _bundle,
        "service": _service,
        "compare": _compare,
        "diff": _diff,
        "init": _init,
    }
    if given.action not in actions:
        raise UsageError(f"assess has no action {given.action!r}", hint=_meant(given))
    for option, actions_of in _FOR.items():
        if getattr(given, option) and given.action not in actions_of:
            name = f"--{option.replace('_', '-')}"
            raise UsageError(
                f"assess {given.action} does not take {name}",
                hint=f"leave it out; {name} is for: {', '.join(f'assess {action}' for action in actions_of)}",
            )
    return actions[given.action](given, ui)


def _meant(given: argparse.Namespace) -> str:
    """Return the hint for a wrong action: the words in another order, an address without an action, or a slip."""
    first = next((word for word in given.paths if word in _ACTIONS), "service" if "://" in given.action else "")
    if first:
        return f"the action comes first: hardener assess {first} {given.action}"
    near = tables.nearest(given.action, _ACTIONS)
    return f"did you mean {near}?" if near else f"actions: {', '.join(_ACTIONS)}"


def _paths(given: argparse.Namespace, least: int, most: int) -> list[str]:
    if not least <= len(given.paths) <= most:
        number = "not enough" if len(given.paths) < least else "too many"
        shown = f": {', '.join(given.paths)}" if given.paths else ""
        raise UsageError(
            f"assess {given.action} was given {number} arguments{shown}",
            hint=f"hardener assess {given.action} {_ACTIONS[given.action]}",
        )
    return list(given.paths)


def _order(given: argparse.Namespace, project: Project, site: Path) -> run.Order:
    return run.Order(
        site,
        project.root,
        given.out or project.work / "assess",
        tuple(given.server),
        given.operator,
        given.profile,
        given.release or project.dist,
        given.full,
        given.name,
    )


def _bundle(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    (path,) = _paths(given, 1, 1)
    if "://" in path:
        raise UsageError(f"{path} is not a folder", hint=f"for a running service: hardener assess service {path}")
    site = Path(path)
    if site.is_file() and given.operator and given.operator.is_dir():
        raise UsageError(
            f"{path} is a file and --operator {given.operator} is a folder",
            hint=f"in the other order: hardener assess bundle {given.operator} --operator {path}",
        )
    project = project_of(given)
    order = _order(given, project, site)
    if (site / "index.html").is_file() and not (site / LIBRARY).is_file():
        ui.note(f"{path} has no {LIBRARY}: the criteria are those of Jitsi Meet, which this may not be")
    with ui.step("assess", order.name or site.name) as line:
        assessed = run.bundle(order, dt.datetime.now(dt.UTC), line.tell)
        line.say(f"{len(assessed.result['results'])} criteria")
    return _shown(assessed, given, ui)


def _service(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    (address,) = _paths(given, 1, 1)
    if given.room and not re.fullmatch(r"[\w-]{1,100}", given.room):
        raise UsageError("--room is not the name of a room", hint="letters, digits, '-' and '_'; a room without people")
    if given.ca_file and not Path(given.ca_file).is_file():
        raise UsageError(f"there is no {given.ca_file}", hint="--ca-file FILE.pem")
    project = project_of(given)
    kept = project.work / "assess-service" / stamps.key(origin_of(address))[:16]
    account = logins.read_account(given.login_file) if given.login_file else None
    plan = Plan(address, kept, given.room, given.ca_file, account, given.resume, given.attack)
    order = _order(given, project, kept / "site")
    with ui.step("assess", given.name or origin_of(address)) as line:
        try:
            # Visits of one service keep their steps in one folder.
            with locks.lock(kept.with_suffix(".lock"), waiting=ui.waits):
                assessed = run.service(order, plan, dt.datetime.now(dt.UTC), line.tell)
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt("finished steps are kept: repeat the command with --resume") from stop
        sent = assessed.result["subject"]["requests"]
        line.say(f"{len(assessed.result['results'])} criteria, {sent['sent']} requests of at most {sent['most']}")
    return _shown(assessed, given, ui)


def _shown(assessed: Assessed, given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    made = assessed.result
    lights = {
        column: [item["lights"][column]["light"] for item in made["results"] if column in item["lights"]]
        for column in COLUMNS
    }
    rows = [
        (
            _title(column),
            _column(made, column),
            *(lights[column].count(light) if column in made["assessed"] else "" for light in _STYLES),
        )
        for column in COLUMNS
    ]
    ui.table("Lights of all criteria", ("", "worst mandatory", *map(_word, _STYLES)), rows)
    for item in made["results"]:
        for column, verdict in item["lights"].items():
            if column in made["assessed"] and verdict["light"] in {"red", "yellow"}:
                reason = verdict["reason"]["en"]
                ui.print(
                    f"{verdict['light']}: {item['id']} ({_title(column)}) {item['title']['en']}: {reason}",
                    _STYLES[verdict["light"]],
                )
    _notes(made, ui)
    pages = list(assessed.pages)
    if given.pdf:
        pages += [report.print_pdf(page) for page in assessed.pages]
    ui.print(f"{_word(made['worst'])}: {', '.join(str(page) for page in pages)}", _STYLES[made["worst"]])
    return made | {"exit": result.exit_code(made, ScanError.exit_code)}


def _notes(made: Mapping[str, Any], ui: UI) -> None:
    """Print what concerns waivers, calibrations and the declaration as a whole."""
    for item in made["results"]:
        if item["unused_waiver"]:
            ui.note(f"{item['id']}: the waiver has no effect, because no light of the criterion is red")
        if item["expired_waiver"]:
            ui.note(f"{item['id']}: the waiver expired on {item['expired_waiver']['until']}")
    for entry in made["calibration"]:
        if entry["state"] == "failed":
            ui.print(f"{entry['sensor']}: {entry['reason']['en']}: its criteria are not decided", "red")
            ui.print("  Its lists may be those of another project: name hardener's checkout with --project.")
        elif entry["sensor"] == BROWSER.name and entry["state"] == "not-run" and made["subject"]["kind"] == "service":
            ui.note(f"no visit with a browser: {entry['reason']['en']}")
    if made["service"] and (left := declaration.left_of_template(made["service"])):
        ui.note(f"the declaration still has what the template says: fill in {' and '.join(left)} of [service]")


def _compare(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    results = [result.read(Path(path)) for path in _paths(given, 2, 20)]
    out = given.out or project_of(given).work / "assess"
    pages = report.write(out, comparison.pages(results))
    if given.pdf:
        pages += [report.print_pdf(page) for page in pages]
    rows = comparison.rows(results)
    shown = [
        (name, *(_column(made, column) for column in COLUMNS), _word(made["worst"]))
        for (name, *_lights), made in zip(rows, results, strict=True)
    ]
    ui.table("Services", ("", *map(_title, COLUMNS), "worst mandatory"), shown)
    ui.print(", ".join(map(str, pages)))
    return {"services": [dict(zip(("name", *COLUMNS, "worst"), row, strict=True)) for row in rows]}


def _diff(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """List changes; exit code 7 if a mandatory light got worse."""
    old, new = (result.read(Path(path)) for path in _paths(given, 2, 2))
    found = comparison.changes(old, new)
    for change in found:
        lights = f"{_word(change.before)} -> {_word(change.after)}"
        revised = " (the rule changed, too)" if change.revised else ""
        text = f"{change.kind}: {change.id} ({_title(change.column)}) {lights}: {change.title}{revised}"
        ui.print(text, "red" if change.worse else "")
    if not found:
        ui.print("no light changed", "green")
    for column in COLUMNS:
        if (column in old["assessed"]) != (column in new["assessed"]):
            ui.note(f"{_title(column)}: assessed in the {'old' if column in old['assessed'] else 'new'} result only")
    if old["catalogue"]["sha256"] != new["catalogue"]["sha256"]:
        versions = " and ".join(
            f"{made['catalogue']['version']} ({made['catalogue']['sha256'][:8]})" for made in (old, new)
        )
        ui.note(f"the results rest on different versions of the catalogue: {versions}")
    changes = [change.__dict__ | {"worse": change.worse, "kind": change.kind} for change in found]
    return {"changes": changes, "exit": ScanError.exit_code if comparison.worse(found) else 0}


def _column(made: Mapping[str, Any], column: str) -> str:
    """Return the light of a column in words, or that nothing was given for it."""
    return _word(made["columns"][column]) if column in made["assessed"] else "not assessed"


def _title(column: str) -> str:
    """Return a column as reports call it."""
    return str(labels("en")["columns"][column]).lower()


def _word(light: str) -> str:
    """Return a light as reports call it."""
    return str(labels("en")["lights"].get(light, light))


def _init(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    path = Path(_paths(given, 1, 1)[0])
    declaration.write_template(path, given.language or LANGUAGES[0])
    ui.print(
        f"{path}: fill it in, then: hardener assess bundle DIR --operator {path}"
        f", or hardener assess service https://HOST --operator {path}"
    )
    return {"file": str(path)}
