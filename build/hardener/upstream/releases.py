"""Upstream's releases: which refs are of the pinned one's kind, how they are ordered, which commits belong together."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.config import PIN
from hardener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hardener.config import Component, Project
    from hardener.git.history import History

_TAGS = "refs/tags/"


@dataclass(frozen=True)
class Release:
    """One column of a matrix: commits by component (those that are not known are left out), ``when`` in seconds."""

    label: str
    commits: Mapping[str, str]
    when: int


def pattern(ref: str) -> re.Pattern[str]:
    """Return what refs of the same kind look like: numbers may differ, and so may a commit id behind a plus sign.

    >>> bool(pattern("refs/tags/stable/jitsi-meet_10978").fullmatch("refs/tags/stable/jitsi-meet_830"))
    True
    >>> bool(pattern("refs/tags/stable/jitsi-meet_10978").fullmatch("refs/tags/stable/jitsi-meet_${VERSION}"))
    False
    >>> bool(pattern("refs/tags/v2156.0.0+3884dbd5").fullmatch("refs/tags/v2193.0.0+01daa07c"))
    True
    """
    plain, plus, _ = ref.partition("+")
    return re.compile(re.sub(r"\d+", r"\\d+", re.escape(plain)) + (r"\+[0-9a-f]{7,40}" if plus else ""))


def version(ref: str) -> tuple[int, ...]:
    """Return the numbers in a ref's last part, for order.

    >>> version("refs/tags/stable/jitsi-meet_10978"), version("v2156.0.0+3884dbd5"), version("v1.5-jitsi-3")
    ((10978,), (2156, 0, 0), (1, 5, 3))
    """
    return tuple(int(number) for number in re.findall(r"\d+", ref.rpartition("/")[2].partition("+")[0]))


def short(ref: str) -> str:
    """Return a tag's or branch's name as people write it."""
    return ref.removeprefix(_TAGS).removeprefix("refs/heads/")


def choose(
    project: Project, site: History, names: Sequence[str] = (), between: str = "", *, every: bool = False
) -> dict[str, dict[str, str]]:
    """Return the trees to look at: label -> component -> commit, where the commits of other components may be missing.

    ``names`` are refs or commit ids of the site, ``pin`` or names of trees; without any: all release tags of the site,
    the trees of upstream.toml and the pin. ``between`` is ``A..B`` (tags or numbers, both included, either may be
    missing); ``every`` adds the tags between releases (``jitsi-meet_NNNN`` beside ``stable/jitsi-meet_NNNN``).
    Raises UsageError for an unknown ref or a malformed range.
    """
    chosen: dict[str, dict[str, str]] = {}
    for name in names:
        commits = _tree(project, name)
        found = commits.get(project.site.name) or site.resolve(name)
        if not found:
            raise UsageError(
                f"{name!r} is not a tag, branch or commit of {project.site.name} here",
                hint="give a tag such as stable/jitsi-meet_10655, or more sources: --source NAME=URL-or-path",
            )
        chosen[name] = commits or {project.site.name: found}
    if not names:
        for ref, commit in _tags(project.site, site, between, every=every):
            chosen[short(ref)] = {project.site.name: commit}
        if not between:
            chosen |= {name: _tree(project, name) for name in (*project.trees, PIN)}
    return chosen


def columns(
    project: Project, histories: Mapping[str, History], chosen: Mapping[str, Mapping[str, str]]
) -> tuple[tuple[Release, ...], tuple[str, ...]]:
    """Return what :func:`choose` chose as releases by commit date, and notes on commits that no source has.

    Commits of other components that are missing are those that the release's own package.json names.
    """
    site, notes = project.site.name, []
    filled = {label: dict(commits) for label, commits in chosen.items()}
    for name, history in histories.items():
        absent = history.absent(commits[name] for commits in filled.values() if name in commits)
        for label, commits in filled.items():
            if commits.get(name) in absent:
                notes.append(f"{label}: no source has commit {commits.pop(name)[:12]} of {name}")
    _pair(project, histories, filled)
    dates = histories[site].dates(commits[site] for commits in filled.values() if site in commits)
    releases = [Release(label, commits, dates[commits[site]]) for label, commits in filled.items() if site in commits]
    # Of trees of one date, tags come before names such as 'pin'.
    releases.sort(key=lambda release: (release.when, not version(release.label), version(release.label)))
    return tuple(releases), tuple(notes)


def _tree(project: Project, name: str) -> dict[str, str]:
    if name != PIN and name not in project.trees:
        return {}
    pinned = {component.name: component.commit for component in project.components}
    return pinned | (dict(project.trees[name]) if name in project.trees else {})


def _tags(site: Component, history: History, between: str, *, every: bool) -> Iterable[tuple[str, str]]:
    """Yield release tags of the site in a range; with ``every``, also other tags of commits without one."""
    kinds = [pattern(site.ref or _TAGS + site.release)]
    if every:
        kinds.append(pattern(_TAGS + (site.ref or site.release).rpartition("/")[2]))
    low, high = _range(between)
    released: set[str] = set()
    for kind in kinds:
        for ref in sorted((ref for ref in history.refs if kind.fullmatch(ref)), key=version):
            commit = history.refs[ref]
            if commit not in released and (not low or low <= version(ref)) and (not high or version(ref) <= high):
                yield ref, commit
        released = {history.refs[ref] for ref in history.refs if kind.fullmatch(ref)}


def _range(between: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the two ends of ``A..B``.

    >>> _range("stable/jitsi-meet_9000..10655"), _range("9000..")
    (((9000,), (10655,)), ((9000,), ()))
    """
    if not between:
        return (), ()
    low, dots, high = between.partition("..")
    ends = version(low), version(high)
    if not dots or not any(ends) or any(bool(text) != bool(end) for text, end in zip((low, high), ends, strict=True)):
        raise UsageError(
            f"--range {between!r} is not A..B", hint="--range 9000..10655, or 9000.. for all from there on"
        )
    return ends


def _pair(project: Project, histories: Mapping[str, History], chosen: Mapping[str, dict[str, str]]) -> None:
    """Add the commits of needed components, as the package.json of those that need them names them."""
    for component in reversed(project.components):
        history = histories.get(component.name)
        needs = [need for need in (project.component(name) for name in component.needs) if need.name in histories]
        if history is None or not needs:
            continue
        manifests = {}
        for commits in chosen.values():
            at = commits.get(component.name)
            if at and at not in manifests:
                entry = history.slice(at, ["package.json"]).get("package.json")
                manifests[at] = entry.blob if entry else ""
        history.bring(filter(None, manifests.values()))
        contents = history.blobs(filter(None, manifests.values()))
        for commits in chosen.values():
            blob = manifests.get(commits.get(component.name, ""), "")
            for need in needs:
                if blob and need.name not in commits:
                    found = named_commit(contents[blob], need.package, histories[need.name])
                    commits.update({need.name: found} if found else {})


def named_commit(manifest: bytes, package: str, history: History) -> str | None:
    """Return the commit of another repository that a package.json depends on, or None where it names none that is here.

    Upstream has named it in two ways: ``github:jitsi/lib-jitsi-meet#COMMIT``, and the tarball of a release,
    ``.../releases/download/v2156.0.0+3884dbd5/lib-jitsi-meet.tgz``, whose tag ends in the commit.
    """
    try:
        asked = json.loads(manifest).get("dependencies", {}).get(package, "")
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError):
        return None
    match = re.search(r"/releases/download/([^/]+)/", str(asked)) or re.search(r"#([^#]+)$", str(asked))
    if not match:
        return None
    return history.resolve(match[1]) or history.resolve(match[1].rpartition("+")[2])
