"""The subcommand of the evidence run: ``hardener evidence``."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.cli.options import project_of, sources_of
from hardener.errors import ScanError, StackError, UnreachableError, UsageError
from hardener.pipeline import proofs
from hardener.proof import stack
from hardener.proof.stack import contexts, staging
from hardener.proof.stack.docker import NoDockerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from hardener.proof.evidence.campaign import Result, Scope
    from hardener.proof.evidence.relay import Real
    from hardener.ui import UI

# What is shown of the client must not rest on the server: participants may send what they like.
_LAX = {"XMPP_MUC_CONFIGURATION": 'modules_disabled = { "muc_known_stanzas" }'}


def register(subcommand: Callable[..., argparse.ArgumentParser], source: Any, _extra: Any) -> None:
    """Add the subcommand to the command line; ``source`` is the parser of the option that it shares."""
    parser = subcommand(
        "evidence", _evidence, "visit a built site in a sealed network and record which hosts it contacts", source
    )
    parser.add_argument("site", type=Path, metavar="DIR", help="an unpacked site")
    parser.add_argument("--control", type=Path, metavar="DIR", help="the unpatched site, where contacts must be found")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="journeys, attacks or JOURNEY+ATTACK")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs side by side (default: 1)")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--shard", default="", metavar="I/N", help="one of N parts, for N machines")
    part.add_argument(
        "--merge", type=Path, nargs="+", default=[], metavar="DIR", help="judge the records of all shards (their --out)"
    )
    parser.add_argument(
        "--since", default="", metavar="REF", help="only runs that the change since a commit can have touched"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the record goes (default: .work/evidence)")
    real = parser.add_mutually_exclusive_group()
    real.add_argument(
        "--stack",
        action="store_true",
        help="end with 8 if calls on real servers are not possible (default: skip and report them)",
    )
    real.add_argument("--no-stack", action="store_true", help="leave out calls on real servers")


def _evidence(given: argparse.Namespace, ui: UI) -> dict[str, Any]:
    """Visit the site, and the control if there is one; exit code 7 where a verdict is not clean or proves nothing."""
    try:
        from hardener.proof.evidence import campaign, selection  # noqa: PLC0415 (Playwright is a tool of the tests)
    except ModuleNotFoundError as error:
        raise StackError(f"{error.name} is not installed", hint="uv sync (the dev group brings it)") from error
    for site in filter(None, (given.site, given.control)):
        campaign.refuse_no_site(site)
    project = project_of(given)
    out = given.out or project.work / "evidence"
    pairs = selection.plan(given.only)
    if given.since:
        touched = selection.since(project.root, given.since, pairs)
        for reason, paths in touched.reasons.items():
            more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""  # noqa: PLR2004 (examples)
            ui.note(f"{reason}: {', '.join(paths[:3])}{more}")
        pairs = touched.pairs
        if not pairs:
            ui.print(f"nothing that changed since {given.since} can touch a run: none is made", "green")
            return {"exit": 0, "runs": 0, "reasons": touched.reasons}
    if given.shard:
        pairs = selection.Shard.parse(given.shard).take(pairs)
        if not pairs:
            raise UsageError(f"the shard {given.shard} has no run", hint="use fewer shards")
    partly = given.only or given.no_stack or given.shard or given.since
    whole = bool(given.control) and not partly
    scope = campaign.Scope(pairs, given.jobs, given.only, given.shard, given.since)
    with proofs.proving(project.root if whole else Path(), "evidence", given.site, whole=whole) as findings:
        if given.merge:
            results = _merged(given, out, scope)
        else:
            wanted = any(journey.people for journey, _attack in pairs)
            with _servers(given, ui) if wanted else contextlib.nullcontext((None, "")) as (real, missing):
                results = [campaign.run(given.site, out / "site", ui, scope, real, missing)]
                if given.control:
                    fewer = replace(scope, pairs=selection.of_control(pairs))
                    results.append(campaign.run(given.control, out / "control", ui, fewer, real, missing))
        problems = campaign.weak_control(results[1].summary) if given.control else []
        _fill(findings, results[0].summary, problems)
    return _told(results, problems, ui)


def _merged(given: argparse.Namespace, out: Path, scope: Scope) -> list[Result]:
    """Return the results of shards that were run elsewhere, for the site and for the control."""
    from hardener.proof.evidence import merging  # noqa: PLC0415 (as above)

    sides = {"site": given.site, "control": given.control}
    return [
        merging.merge(site, [folder / side for folder in given.merge], out / side, scope, control=side == "control")
        for side, site in sides.items()
        if site
    ]


def _told(results: list[Result], problems: list[str], ui: UI) -> dict[str, Any]:
    """Print the results; returns the answer of the subcommand."""
    from hardener.proof.evidence import report as reporting  # noqa: PLC0415 (as above)

    for problem in problems:
        ui.print(problem, "red")
    result, sides = results[0], [result.summary for result in results]
    heads = ("", "site", "control")[: len(sides) + 1]
    ui.table("Whom the browser talked to", heads, [row[: len(heads)] for row in reporting.compare(sides[0], sides[-1])])
    for name, *hosts in reporting.contacts(sides[0], sides[-1]):
        ui.print(f"{name}\n    site:    {hosts[0]}" + (f"\n    control: {hosts[1]}" if len(sides) > 1 else ""))
    if result.summary["unproven"]:
        ui.note(f"ended early, so they prove less: {', '.join(result.summary['unproven'])}")
    if skipped := result.summary["skipped"]:
        ui.note(f"{len(skipped)} calls on real servers were skipped: {skipped[0]['reason']}")
    for reason in result.summary["void_because"]:
        ui.print(reason, "red")
    if any(not side["shard"] and side["void_because"] and side["networks"] > 1 for side in sides):
        ui.note(f"the machine may be too slow for {result.summary['networks']} networks side by side: use fewer --jobs")
    ui.print(f"{result.summary['verdict']}: {result.folder / 'index.html'}", "green" if result.clean else "red")
    answer = dict(zip(("site", "control"), sides, strict=False))
    return answer | {"exit": ScanError.exit_code if problems or not result.clean else 0}


def _fill(findings: proofs.Findings, summary: dict[str, Any], problems: list[str]) -> None:
    """Fill in what the run found: a run that ended early counts as skipped, because it proves less."""
    findings.passed = summary["totals"]["completed"]
    findings.failed += problems
    if summary["verdict"] != "clean":
        findings.failed += [f"the verdict is {summary['verdict']}", *summary["void_because"]]
    findings.skipped += [proofs.Skip(skip["run"], skip["reason"]) for skip in summary["skipped"]]
    findings.skipped += [proofs.Skip(run, "it ended early") for run in summary["unproven"]]


@contextlib.contextmanager
def _servers(given: argparse.Namespace, ui: UI) -> Iterator[tuple[Real | None, str]]:
    """Yield real servers for the time of the run, in a stack of its own; or none, and why."""
    from hardener.proof.evidence.relay import Real  # noqa: PLC0415 (as above)
    from hardener.proof.evidence.site import HOST  # noqa: PLC0415

    if given.no_stack:
        yield None, "--no-stack was given"
        return
    here = project_of(given)
    name = stack.default_name(here.root) + "-evidence"  # a person's own stack is left alone
    try:
        try:
            flavour = stack.chosen()
            # The page's own server passes the bridge's WebSocket on.
            bridged = "JVB_WS_DOMAIN" in stack.FLAVOURS[flavour].settings
            bridge = {"JVB_WS_DOMAIN": HOST, "JVB_WS_TLS": "true"} if bridged else {}
            sources = sources_of(given, here)
            running = staging.up(
                here, name, ui, site=given.site, sources=sources, flavour=flavour, settings=_LAX | bridge
            )
        except (NoDockerError, UnreachableError) as error:
            if given.stack:
                raise
            yield None, f"{error.message} ({error.hint})"
            return
        config = contexts.settings(running.flavour).decode("utf-8")
        address = stack.address(name, "jvb") if bridged else ""
        yield Real(running.url, running.domain, running.users, config, bridge=address), ""
    finally:
        with stack.lock(ui.waits):
            stack.down(name, staging.folder(here, name))
