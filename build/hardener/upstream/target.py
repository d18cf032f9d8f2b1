"""Which commits a release means: the site's own, and those of the components that its package.json leads to.

Upstream pulls lib-jitsi-meet and strophejs as release tarballs, whose address ends in the release's tag
(``.../releases/download/v2156.0.0+3884dbd5/lib-jitsi-meet.tgz``). The tag leads to the commit, and where it carries
the commit's first digits, both have to agree.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from hardener.config import PIN
from hardener.errors import PinError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hardener.config import Component, Project
    from hardener.git.history import History

_TAGS, _HEADS = "refs/tags/", "refs/heads/"
_SUFFIX = re.compile(r"\+([0-9a-f]{7,40})$")
_ADDRESSES = (
    re.compile(r"/releases/download/([^/]+)/[^/]+$"),
    re.compile(r"/(?:archive|tarball)/(?:refs/tags/)?([^/]+?)(?:\.tar\.gz|\.tgz|\.zip)?$"),
    re.compile(r"^(?:git\+|git:|github:|https://github\.com/)[^#]+#(?:semver:)?(.+)$"),
)


@dataclass(frozen=True)
class Target:
    """The target of a component: its new ``commit``, ``release`` and ``ref``; ``how`` says in words what named it."""

    component: str
    commit: str
    release: str
    ref: str
    how: str


@dataclass(frozen=True)
class Goal:
    """The target of a lift: one target a component in build order, and Node's major version there."""

    targets: tuple[Target, ...]
    node: int
    notes: tuple[str, ...] = ()

    def target(self, component: str) -> Target:
        """Return the target of that component."""
        return next(target for target in self.targets if target.component == component)

    def apply(self, component: Component) -> Component:
        """Return the component at its new pin."""
        target = self.target(component.name)
        return replace(component, commit=target.commit, release=target.release, ref=target.ref)


def pinned(project: Project) -> Goal:
    """Return where the project is now."""
    return Goal(tuple(_kept(component) for component in project.components), project.node)


def resolve(
    project: Project, histories: Mapping[str, History], wanted: str, given: Mapping[str, str] | None = None
) -> Goal:
    """Find the commits that ``wanted`` means.

    ``wanted`` is a [tree.NAME] of upstream.toml, a tag or branch of the site's repository, the number of a release as
    in the pin's tag (``10978``), its label (``2.0.10978``), or a commit id. ``given`` overrides single components:
    name -> tag, branch or commit. Raises UsageError for what names nothing, PinError where package.json, its lock and
    the tags contradict each other.
    """
    chosen = dict(given or {})
    site = project.site
    if site.name in chosen:
        raise UsageError(f"--at {site.name}=...: --to sets the target of the site", hint="--at is for other components")
    fixed: Mapping[str, str] = {}
    if wanted == PIN:
        fixed = {component.name: component.commit for component in project.components}
    elif wanted in project.trees:
        fixed = {component.name: component.commit for component in project.components} | dict(project.trees[wanted])
    name = fixed.get(site.name, "") or wanted
    found: dict[str, Target] = {}
    notes: list[str] = []
    found[site.name] = _site(site, histories[site.name], name, f"[tree.{wanted}]" if fixed else "--to")
    for component in reversed(project.components):
        for need in (project.component(name) for name in component.needs):
            target, note = _needed(component, need, histories, found, chosen.get(need.name, ""))
            notes += [note] if note else []
            pinned = fixed.get(need.name, target.commit)
            if pinned != target.commit:
                raise PinError(
                    f"[tree.{wanted}] has {need.name} at {pinned[:12]}, but {target.how} is {target.commit[:12]}",
                    hint=f"fix [tree.{wanted}] in upstream.toml, or name it: --at {need.name}=COMMIT",
                )
            earlier = found.setdefault(need.name, target)
            if earlier.commit != target.commit:
                raise PinError(
                    f"{need.name}: {earlier.how} and {target.how} are different commits",
                    hint=f"name it: --at {need.name}=COMMIT",
                )
    targets = tuple(found.get(part.name) or _kept(part) for part in project.components)
    return Goal(targets, _node(project, histories[site.name], found[site.name].commit), tuple(notes))


def read_text(history: History, commit: str, path: str) -> str | None:
    """Return a file of a commit, fetched if need be; None where the commit has none."""
    entry = history.slice(commit, [path]).get(path)
    if entry is None:
        return None
    history.bring([entry.blob])
    return history.blob(entry.blob).decode("utf-8", "replace")


def _site(site: Component, history: History, name: str, how: str) -> Target:
    number, before_ref, before_release = _pattern(site)
    names = [name]
    if number:
        names += [before_ref + name, before_ref + name.removeprefix(before_release)]
    for short_name in names:
        for full in (short_name, _TAGS + short_name, _HEADS + short_name):
            if full in history.refs and (commit := history.resolve(full)):
                return Target(site.name, commit, _label(site, full, commit), _ref(full), f"{how}: {full}")
    commit = history.resolve(name)
    if commit is None:
        close = [ref for ref in history.refs if ref.startswith(_TAGS + before_ref)] if number else []
        newest = ", ".join(ref.removeprefix(_TAGS) for ref in sorted(close, key=_numeric)[-3:])
        raise UsageError(
            f"{site.name} has no tag, branch or commit {name!r}",
            hint=f"the newest releases there: {newest}" if newest else "name a tag, a branch or a commit id",
        )
    return _of_commit(site, history, commit, f"{how}: {commit[:12]}")


def _of_commit(component: Component, history: History, commit: str, how: str) -> Target:
    """Return a target for a bare commit: with the tag that names it, if there is one of the pin's kind."""
    if commit == component.commit:
        return Target(component.name, commit, component.release, component.ref, how)
    _, before_ref, _ = _pattern(component)
    tags = sorted(ref for ref, named in history.refs.items() if named == commit and ref.startswith(_TAGS))
    alike = [ref for ref in tags if before_ref and ref.startswith(_TAGS + before_ref)]
    full = next(iter(alike or [ref for ref in tags if _SUFFIX.search(ref)]), "")
    return Target(component.name, commit, _label(component, full, commit), _ref(full), how)


def _needed(
    component: Component, need: Component, histories: Mapping[str, History], found: Mapping[str, Target], given: str
) -> tuple[Target, str]:
    """Return where ``component``'s package.json sends ``need``, and a note where it names no commit."""
    history, at = histories[need.name], found[component.name].commit
    if given:
        commit = history.resolve(given)
        if commit is None:
            raise UsageError(f"--at {need.name}={given}: no such tag, branch or commit", hint="a commit id will do")
        return _of_commit(need, history, commit, f"--at {need.name}={given}"), ""
    address = _dependency(component, need, histories[component.name], at)
    how = f"{address or 'nothing'} of {component.name}'s package.json"
    if address == _dependency(component, need, histories[component.name], component.commit):
        return Target(need.name, need.commit, need.release, need.ref, how), ""
    match = next(filter(None, (pattern.search(unquote(address)) for pattern in _ADDRESSES)), None)
    if not match:
        return _kept(need), f"{need.name} stays at its pin: {how} names no commit"
    tag = match[1]
    commit = history.resolve(_TAGS + tag) if _TAGS + tag in history.refs else None
    digits = _SUFFIX.search(tag)
    if commit is None:
        commit = history.resolve(digits[1] if digits else tag)
        if commit is None:
            raise PinError(f"{need.name} has no {tag!r} ({how})", hint=f"name its commit: --at {need.name}=COMMIT")
        return Target(need.name, commit, _label(need, _TAGS + tag, commit), "", how), ""
    if digits and not commit.startswith(digits[1]):
        raise PinError(
            f"{need.name}: the tag {tag} names {commit}, which does not begin with {digits[1]}",
            hint="find out why before you continue: a tag that was moved is a warning sign",
        )
    return Target(need.name, commit, _label(need, _TAGS + tag, commit), _TAGS + tag, how), ""


def _dependency(component: Component, need: Component, history: History, commit: str) -> str:
    """Return what package.json says about a package, compared with the lock beside it."""
    package = _json(history, component, commit, "package.json")
    value = next(
        (
            str(package[key][need.package])
            for key in ("dependencies", "devDependencies")
            if need.package in package.get(key, {})
        ),
        "",
    )
    lock = _json(history, component, commit, "package-lock.json").get("packages", {})
    resolved = str(lock.get(f"node_modules/{need.package}", {}).get("resolved", value))
    if "://" in value and unquote(resolved) != unquote(value):
        raise PinError(
            f"{component.name} {commit[:12]}: package.json has {need.package} at {value}, its lock at {resolved}",
            hint=f"find out which commit upstream means, and name it: --at {need.name}=COMMIT",
        )
    return value


def _json(history: History, component: Component, commit: str, path: str) -> dict[str, Any]:
    text = read_text(history, commit, path)
    try:
        value = json.loads(text) if text is not None else {}
    except json.JSONDecodeError as error:
        raise PinError(
            f"{component.name} {commit[:12]}: {path}: {error}", hint="another commit, or --at NAME=COMMIT"
        ) from error
    return value if isinstance(value, dict) else {}


def _node(project: Project, history: History, commit: str) -> int:
    """Return the major version of Node that upstream's .nvmrc names; the pin's where it names none."""
    match = re.match(r"\s*v?(\d+)", read_text(history, commit, ".nvmrc") or "")
    return int(match[1]) if match else project.node


def _kept(component: Component) -> Target:
    return Target(component.name, component.commit, component.release, component.ref, "the pin")


def _ref(full: str) -> str:
    """Return the ref to write down: only a tag, as a branch moves, and a build would stop then."""
    return full if full.startswith(_TAGS) else ""


def _pattern(component: Component) -> tuple[str, str, str]:
    """Return what the pin's tag and label have in common at their end, and what is before it in each.

    >>> from hardener.config import Component
    >>> _pattern(Component("x", "/", "", "2.0.10978", "refs/tags/stable/jitsi-meet_10978"))
    ('10978', 'stable/jitsi-meet_', '2.0.')
    """
    tag = component.ref.removeprefix(_TAGS) if component.ref.startswith(_TAGS) else ""
    match = re.search(r"[\d.]*\d$", component.release)
    for start in range(match.start() if match else len(component.release), len(component.release)):
        tail = component.release[start:]
        if tag.endswith(tail) and tail[0].isdigit() and not component.release[start - 1 : start].isdigit():
            return tail, tag.removesuffix(tail), component.release.removesuffix(tail)
    return "", "", ""


def _label(component: Component, full: str, commit: str) -> str:
    """Return the release's label, made as the pin's was made from its ref; a commit without tag is labelled by its
    id.
    """
    tag = full.removeprefix(_TAGS)
    number, before_ref, before_release = _pattern(component)
    if full.startswith(_HEADS):
        tag = f"{full.removeprefix(_HEADS)}-{commit[:8]}"
    elif number and tag.startswith(before_ref):
        tag = before_release + tag.removeprefix(before_ref)
    elif not full:
        tag = commit[:12]
    if component.ref.endswith(f"{component.release}+{component.commit[:8]}"):
        tag = _SUFFIX.sub("", tag)
    return re.sub(r"[^\w.+-]", "-", tag)


def _numeric(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
