"""The report of a result: one HTML page for each language, and the same page printed as PDF by Chromium.

The page has no script and loads nothing; every value is escaped (templates/report.html). It depends only on the result.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.assessment import wording
from hardener.assessment.catalogue import COLUMNS, LANGUAGES, LIGHTS
from hardener.errors import StackError
from hardener.proof import chromium
from hardener.proof.redact import HIDDEN
from hardener.system import disk, process, templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NO_BROWSER = "apt-get install chromium; or print the HTML page from any browser"


def page(result: Mapping[str, Any], language: str) -> str:
    """Return the report of a result in a language."""
    t = wording.labels(language)
    return templates.render(
        __package__,
        "report.html",
        result=result,
        language=language,
        t=t,
        columns=COLUMNS,
        counts=_counts(result),
        first=[item for light in ("red", "yellow") for item in _with(result, light)],
        pending=_pending(result),
        files=sorted({(file["path"], file["sha256"]) for verdict in _verdicts(result) for file in verdict["evidence"]}),
    ).replace(HIDDEN, t["hidden"])


def _verdicts(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [verdict for item in result["results"] for verdict in item["lights"].values()]


def _counts(result: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return how many mandatory criteria of each column have which light."""
    found = {column: dict.fromkeys(LIGHTS, 0) for column in COLUMNS}
    for item in result["results"]:
        for column, verdict in item["lights"].items():
            found[column][verdict["light"]] += item["mandatory"]
    return found


def _with(result: Mapping[str, Any], light: str) -> list[dict[str, Any]]:
    """Return the mandatory criteria with a light in an assessed column: criterion, and its columns with it."""
    found = []
    for item in result["results"]:
        names = [
            column
            for column, verdict in item["lights"].items()
            if verdict["light"] == light and column in result["assessed"]
        ]
        if names and item["mandatory"]:
            found.append({"item": item, "light": light, "columns": names})
    return found


def _pending(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the mandatory criteria that are not decided, those with the same column and reason together."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in _with(result, "grey"):
        for column in entry["columns"]:
            reason = entry["item"]["lights"][column]["reason"]
            group = groups.setdefault((column, reason["en"]), {"column": column, "reason": reason, "items": []})
            group["items"].append(entry["item"])
    return sorted(groups.values(), key=lambda group: COLUMNS.index(group["column"]))


def table(results: Sequence[Mapping[str, Any]], language: str) -> str:
    """Return the page that compares several results, as a regulator's overview does."""
    ids = list(dict.fromkeys(item["id"] for result in results for item in result["results"]))
    found = [{item["id"]: item for item in result["results"]} for result in results]
    rows = [
        {
            "id": identifier,
            "title": next(items[identifier]["title"] for items in found if identifier in items),
            "mandatory": any(identifier in items and items[identifier]["mandatory"] for items in found),
            "cells": [items.get(identifier) for items in found],
        }
        for identifier in ids
    ]
    t = wording.labels(language)
    return templates.render(
        __package__,
        "comparison.html",
        results=results,
        rows=rows,
        language=language,
        t=t,
        columns=COLUMNS,
        catalogues=len({result["catalogue"]["sha256"] for result in results}),
        revised=[row["id"] for row in rows if len({cell["revision"] for cell in row["cells"] if cell}) > 1],
    ).replace(HIDDEN, t["hidden"])


def name_of(result: Mapping[str, Any]) -> str:
    """Return what a result is about, in a few words."""
    service = result["service"]
    return str(service["name"] if service else result["subject"]["name"])


def write(folder: Path, pages: Mapping[str, str]) -> list[Path]:
    """Write pages by name; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {folder / name: text.encode() for name, text in pages.items()}
    disk.write_all(contents)
    return list(contents)


def pages_of(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the report in all languages, by file name."""
    return {f"report.{language}.html": page(result, language) for language in LANGUAGES}


def print_pdf(html: Path) -> Path:
    """Print a page with Chromium; returns the PDF beside it. Raises StackError where that is not possible."""
    browser = chromium.browser() or shutil.which("google-chrome")
    if not browser:
        raise StackError("Chromium is not installed, which prints the PDF", hint=_NO_BROWSER)
    target = html.with_suffix(".pdf")
    with tempfile.TemporaryDirectory(prefix="hardener-print-") as scratch:
        made = Path(scratch) / target.name
        # The page has no script and loads nothing: the sandbox, which root cannot have, protects nothing here.
        argv = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--no-pdf-header-footer", f"--user-data-dir={scratch}/profile", f"--print-to-pdf={made}",
            html.resolve().as_uri(),
        ]  # fmt: skip
        done = process.run(argv)
        if done.status or not made.is_file():
            raise StackError("Chromium did not print the page", hint=_NO_BROWSER, details=(done.complaint[-500:],))
        disk.write(target, made.read_bytes())
    return target
