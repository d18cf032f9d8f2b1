"""Upstream's own linter and type checker on a work tree, in the versions that upstream locks.

``npm ci --ignore-scripts`` installs upstream's whole lock, less what no registry serves (release tarballs, packages
from git) and what only these need. Upstream's tree is not free of complaints without them, so what counts is the
difference: what the tools say with the change and do not say without it. File, rule and words are compared, not line
numbers.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.errors import InstallError
from hardener.system import disk, node, stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LINTED = (".js", ".ts", ".tsx")
NATIVE = "tsconfig.native.json"  # upstream's second one: the apps share most of the files
_ORDER = "import/order"
_REGISTRY = re.compile(r"https://[^/]+/(?:@[^/]+/)?[^/]+/-/[^/]+\.tgz")
_TSC = re.compile(r"^(?P<file>[^(\n]+)\((?P<line>\d+),\d+\): error (?P<code>TS\d+): (?P<text>.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """The messages of a tool: ``new`` complaints, and how many upstream's tree has without the change."""

    tool: str
    scope: str
    new: tuple[str, ...]
    old: int

    @property
    def green(self) -> bool:
        """Return whether the change adds no complaint."""
        return not self.new

    def __str__(self) -> str:
        """Return one line for a person."""
        said = f"{len(self.new)} new complaint(s)" if self.new else "no new complaint"
        return f"{self.tool} on {self.scope}: {said}" + (f" ({self.old} without the change)" if self.old else "")


def lint(
    tree: Path,
    changed: Sequence[str],
    tsconfig: str,
    switch: Callable[[str], None],
    base: str,
    change: str,
    *,
    fix: bool = False,
) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """Run eslint on the changed files and tsc on the project; returns verdicts, and npm packages that are missing.

    tsc runs with the configuration of the site and, where upstream has one, with that of the apps. Imports that are in
    another order than upstream's eslint wants are sorted: a file of ours is elsewhere upstream. ``switch`` checks a
    commit out in ``tree``; ``change`` is checked out before and after. With ``fix`` eslint fixes in ``tree`` what it
    can of what it has to say about the change, as upstream's ``lint-fix`` does. Raises InstallError where the tools
    cannot be installed or do not start, UnreachableError when the registry does not answer.
    """
    modules, absent = _modules(tree)
    link = tree / "node_modules"
    disk.remove(link)
    link.symlink_to(modules)
    verdicts = []
    configurations = [
        name for name in dict.fromkeys((tsconfig, NATIVE)) if name and (name == tsconfig or (tree / name).exists())
    ]
    try:
        files = sorted(path for path in changed if path.endswith(LINTED))
        with_change = _eslint(tree, [path for path in files if (tree / path).exists()])
        without: Counter[str] = Counter()
        before = None
        if with_change or configurations:
            key = stamps.key(base, modules.parent.name, configurations, stamps.file_digest_of(__file__))
            stamp = stamps.Stamp(stamps.home() / "upstream-lint" / f"{key}.json")
            before = stamp.facts(key)
            if before is None or with_change:
                switch(base)
                without = _eslint(tree, [path for path in files if (tree / path).exists()]) if with_change else without
                before = before or {name: list(_tsc(tree, name).elements()) for name in configurations}
                stamp.set(key, before)
                switch(change)
        present = [path for path in files if (tree / path).exists()]
        new = _added(with_change, without)
        if fix and new:
            _eslint(tree, present, "--fix")
        elif any(f": {_ORDER}: " in complaint for complaint in new):
            _sort_imports(tree, present)
        if new:
            with_change = _eslint(tree, present)
        scope = f"{len(files)} changed file(s)"
        verdicts.append(Verdict("eslint", scope, _added(with_change, without), without.total()))
        for name in configurations:
            known = Counter((before or {}).get(name, ()))
            verdicts.append(Verdict("tsc", name, _added(_tsc(tree, name), known), known.total()))
    finally:
        disk.remove(link)
    return tuple(verdicts), absent


def _added(after: Counter[str], before: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted((after - before).elements()))


def _modules(tree: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the ``node_modules`` for upstream's tools, from the user's cache, and the packages that it lacks."""
    manifest, lock = (json.loads((tree / name).read_bytes()) for name in ("package.json", "package-lock.json"))
    packages: dict[str, dict[str, Any]] = lock["packages"]
    foreign = {path for path, entry in packages.items() if path and not _served(entry)}
    names = {path.removeprefix("node_modules/") for path in foreign if path.count("node_modules/") == 1}
    for group in ("dependencies", "devDependencies", "optionalDependencies"):
        for holder in (manifest, packages[""]):
            if group in holder:
                holder[group] = {name: version for name, version in holder[group].items() if name not in names}
    manifest.pop("scripts", None)
    keep = _needed({path: entry for path, entry in packages.items() if path not in foreign})
    lock["packages"] = {path: entry for path, entry in packages.items() if path in keep}
    lock.pop("dependencies", None)
    files = {
        "package.json": disk.json_bytes(manifest),
        "package-lock.json": disk.json_bytes(lock),
        ".npmrc": node.npmrc(tree),
    }
    return node.stored_modules(files), tuple(sorted(names))


def _served(entry: Mapping[str, Any]) -> bool:
    address = entry.get("resolved")
    return bool(entry.get("inBundle")) or (
        not entry.get("link") and (address is None or bool(_REGISTRY.fullmatch(address)))
    )


def _needed(packages: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the lock's paths that are reached from the root: Node's walk up the folders, done on the lock's keys."""
    reached, queue = {""}, [""]
    while queue:
        path = queue.pop()
        entry = packages[path]
        groups = ("dependencies", "optionalDependencies", "peerDependencies", *(() if path else ("devDependencies",)))
        for name in {name for group in groups for name in entry.get(group, {})}:
            found = _find(packages, path, name)
            if found is not None and found not in reached:
                reached.add(found)
                queue.append(found)
    return reached


def _find(packages: Mapping[str, Any], path: str, name: str) -> str | None:
    while True:
        candidate = f"{path}/node_modules/{name}" if path else f"node_modules/{name}"
        if candidate in packages:
            return candidate
        if not path:
            return None
        path = path.rpartition("/node_modules/")[0] if "/node_modules/" in path else ""


def _eslint(tree: Path, files: Sequence[str], *more: str) -> Counter[str]:
    if not files:
        return Counter()
    script = tree / "node_modules" / "eslint" / "bin" / "eslint.js"
    # --max-warnings as in upstream's own script; the exit status says no more than the messages do.
    done = node.node(
        script, *more, "--format", "json", "--max-warnings", "0", "--ext", ",".join(LINTED), "--", *files, cwd=tree
    )
    try:
        reports = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise InstallError(
            f"upstream's eslint does not run: {_last(done.complaint)}",
            hint="hardener upstream --verbose shows the complete output",
        ) from error
    return Counter(
        f"{os.path.relpath(report['filePath'], tree.resolve())}: {message['ruleId'] or 'error'}: {message['message']}"
        for report in reports
        for message in report["messages"]
    )


def _sort_imports(tree: Path, files: Sequence[str]) -> None:
    """Let upstream's eslint fix the order of imports, by its own settings, and nothing else."""
    script = tree / "node_modules" / "eslint" / "bin" / "eslint.js"
    done = node.node(script, "--print-config", files[0], cwd=tree)
    settings = json.loads(done.stdout or b"{}")
    kept = {key: settings[key] for key in ("parser", "parserOptions", "settings", "env") if settings.get(key)}
    only = kept | {"root": True, "plugins": ["import"], "rules": {_ORDER: settings.get("rules", {}).get(_ORDER, "off")}}
    with tempfile.TemporaryDirectory(prefix="hardener-eslint-") as folder:
        path = Path(folder) / "eslintrc.json"
        disk.write_json(path, only)
        _eslint(tree, files, "--fix", "--no-eslintrc", "--no-inline-config", "--config", str(path))


def _tsc(tree: Path, tsconfig: str) -> Counter[str]:
    script = tree / "node_modules" / "typescript" / "bin" / "tsc"
    done = node.node(script, "--noEmit", "--pretty", "false", "--project", tsconfig, cwd=tree)
    output = done.stdout.decode("utf-8", "replace")
    found = Counter(f"{match['file']}: {match['code']}: {match['text']}" for match in _TSC.finditer(output))
    if done.status and not found:
        raise InstallError(
            f"upstream's tsc does not run: {_last(done.complaint)}",
            hint="hardener upstream --verbose shows the complete output",
        )
    return found


def _last(complaint: str) -> str:
    return complaint.splitlines()[-1] if complaint else "no output"
