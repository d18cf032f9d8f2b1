"""The records of all shards of a run, as one record with one verdict."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from hardener.errors import UsageError
from hardener.pipeline.proofs import site_digest
from hardener.proof.evidence import campaign, record
from hardener.proof.evidence.selection import Shard, name_of, of_control
from hardener.proof.evidence.verdict import CANARY
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hardener.proof.evidence.campaign import Result, Scope

_AGAIN = "run the missing shards, on the same site and with the same options"


def merge(site: Path, parts: Sequence[Path], out: Path, scope: Scope, *, control: bool = False) -> Result:
    """Judge the records in ``parts`` (folders with events.ndjson and summary.json) as one; writes what a run writes.

    ``control`` says that the site is the unpatched one, which makes fewer runs. Raises UsageError where the records are
    not all shards of ``scope`` on this site.
    """
    shards = _shards(site, parts, scope)
    pairs = scope.pairs
    made = {run["run"] for summary in shards.values() for run in (*summary["runs"], *summary["skipped"])}
    wanted = of_control(pairs) if control else pairs
    if missing := sorted({name_of(*pair) for pair in wanted} - made):
        raise UsageError(f"the shards do not have {', '.join(missing[:5])}", hint=_AGAIN)
    campaign.clear(out)
    lines = []
    for folder, summary in zip(parts, shards.values(), strict=True):
        lines += [_marked(event, summary["shard"]) for event in record.read(folder / campaign.EVENTS)]
        for picture in sorted((folder / campaign.PICTURES).glob("*.png")):
            shutil.copyfile(picture, out / campaign.PICTURES / picture.name)
    text = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in lines)
    disk.write(out / campaign.EVENTS, text.encode(errors="backslashreplace"))
    every = list(shards.values())
    facts = {key: every[0][key] for key in ("site_sha256", "browser", "only", "since")}
    facts |= {"site": str(site), "shard": "", "date": min(summary["date"] for summary in every)}
    facts |= {"targets": sorted({target for summary in every for target in summary["targets"]})}
    facts |= {key: round(sum(summary[key] for summary in every), 1) for key in ("networks", "seconds")}
    return campaign.finish(out, pairs, facts)


def _shards(site: Path, parts: Sequence[Path], scope: Scope) -> dict[Path, dict[str, Any]]:
    """Return the summary of each part, where they are all shards of one run on this site."""
    digest = site_digest(site)
    shards: dict[Path, dict[str, Any]] = {}
    for folder in parts:
        summary = disk.read_json(folder / campaign.SUMMARY)
        if not isinstance(summary, dict) or not summary.get("shard"):
            raise UsageError(f"{folder} is not the record of a shard", hint="hardener evidence --shard 1/3 --out DIR")
        if summary["site_sha256"] != digest:
            raise UsageError(f"{folder} is about another site than {site}", hint=_AGAIN)
        shards[folder] = summary
    numbers = [Shard.parse(summary["shard"]) for summary in shards.values()]
    wanted = [Shard(number, numbers[0].of) for number in range(1, numbers[0].of + 1)]
    asked = [[summary["only"], summary["since"]] for summary in shards.values()]
    same = all(selection == [list(scope.only), scope.since] for selection in asked)
    if sorted(numbers, key=lambda shard: (shard.of, shard.number)) != wanted or not same:
        named = ", ".join(f"{shard.number}/{shard.of}" for shard in numbers)
        raise UsageError(f"the shards {named} are not the run that was asked for", hint=_AGAIN)
    return shards


def _marked(event: Mapping[str, Any], shard: str) -> dict[str, Any]:
    """Return an event with the shard in the name of its network, and of its run where each shard has one."""
    marked = dict(event)
    if event["run"].startswith(CANARY):
        marked["run"] = f"{event['run']}, shard {shard}"
    if "network" in event:
        marked["network"] = f"{shard}, {event['network']}"
    return marked
