"""From anything to what we do about it: a host, a file, a patch, a configuration key, a module, an overlay.

Looks through patches, overlays, aliases, removals and the lists of hosts and SDKs, and says for each find why it is
there, which test is red without it, and where it is with upstream.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hardener.config import PIN
from hardener.errors import UsageError
from hardener.git.fetch import mirror_of
from hardener.git.repository import Repository
from hardener.policy.hosts import NAME as HOSTS
from hardener.policy.hosts import read_hosts
from hardener.policy.sdks import NAME as SDKS
from hardener.policy.sdks import find_modules, read_sdks
from hardener.series import header, overlay
from hardener.series import patch as patches
from hardener.series.extras import layers_of
from hardener.series.lists import REMOVALS, read_removals, read_series
from hardener.series.table import upstream_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.series.extras import Layer
    from hardener.series.patch import Patch

_SHOWN = 3  # lines of a file that names the word
_NEAR = 5
_ALIKE = 0.75  # difflib.SequenceMatcher.ratio(): a slip of the keyboard, not another word
_SHORTEST = 4  # letters of a name that is worth looking for


@dataclass(frozen=True)
class Find:
    """One thing of ours that the word is about; ``how`` says in what way, ``where`` the file of the project."""

    kind: str
    name: str
    where: str
    how: str
    why: str
    test: str = ""
    upstream: str = ""


@dataclass
class _Question:
    """The word that was asked, and every name that it could have been."""

    word: str
    known: set[str] = field(default_factory=set)

    def names(self, path: str) -> bool:
        """Return whether a path of a tree is the word, lies in the folder that it is, or has it as its last part."""
        self.known |= {path, path.rsplit("/", 1)[-1]}
        word = self.word.strip("/")
        return path.strip("/") == word or path.startswith(word + "/") or path.endswith("/" + word)

    def within(self, text: str) -> list[int]:
        """Return the lines of a text, from 1, in which the word is by itself."""
        pattern = re.compile(rf"(?<![\w-]){re.escape(self.word)}(?![\w-])", re.IGNORECASE)
        return [number for number, line in enumerate(text.split("\n"), 1) if pattern.search(line)]


def explain(project: Project, word: str, component: str = "") -> tuple[Find, ...]:
    """Return everything of ours that a word is about; with ``component``, a path of that component's tree only.

    Raises UsageError with near misses where nothing is found.
    """
    asked = _Question(word.removesuffix(".patch"))
    components = [project.component(component)] if component else list(project.components)
    finds: list[Find] = []
    for searched in components:
        for layer in layers_of(project, searched):
            finds += _in_patches(asked, project, searched, layer)
            finds += _in_removals(asked, project, searched, layer)
            finds += _in_overlays(asked, project, searched, layer)
        if not component:
            found = {(find.kind, find.name) for find in finds}
            finds += [find for find in _in_what_goes(asked, project, searched) if (find.kind, find.name) not in found]
    if not component:
        finds += [*_in_hosts(asked, project), *_in_sdks(asked, project)]
        if asked.word not in asked.known and all(find.kind != "patch" for find in finds):
            finds = _of_the_owner(asked, project) + finds
    if component:
        finds = [find for find in finds if not find.how.startswith("names it")]
    if not finds:
        raise _nothing(project, asked, component)
    # What the word is comes before what only mentions it.
    return tuple(sorted(finds, key=lambda find: find.how.startswith("names it ") and "no more" not in find.how))


def _place(project: Project, path: Path) -> str:
    return path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else str(path)


def _in_patches(asked: _Question, project: Project, component: Component, layer: Layer) -> Iterator[Find]:
    for path in read_series(layer.patches):
        patch = patches.read(path)
        stem = patch.name.removesuffix(".patch")
        asked.known.add(stem)
        touched = [p for p in dict.fromkeys(p for t in patch.touches for p in (t.old, t.new) if p) if asked.names(p)]
        named = _changed_lines(asked, patch)
        if stem == asked.word:
            how = f"is this patch of {component.name}"
        elif touched:
            how = f"changes {', '.join(touched)} of {component.name}"
        elif named:
            how = f"names it in {component.name}: {named[0]}" + (f" (and {len(named) - 1} more)" if named[1:] else "")
        elif asked.within(patch.message):
            how = "names it in its description"
        else:
            continue
        yield Find(
            "patch",
            stem,
            _place(project, path),
            how,
            f"{patch.subject}. {' '.join(header.body(patch.description).prose.split())}",
            patch.fields.get("Evidence", ""),
            upstream_state(patch),
        )


def _of_the_owner(asked: _Question, project: Project) -> list[Find]:
    """Return the patches whose message names the owner of a host: Gravatar for gravatar.com.

    A name that many messages have, such as that of upstream itself, says nothing.
    """
    *_, owner, end = ["", *asked.word.split(".")]
    if len(owner) < _SHORTEST or not end.isalpha():
        return []
    question = _Question(owner)
    layers = [(component, layer) for component in project.components for layer in layers_of(project, component)]
    finds = [find for component, layer in layers for find in _in_patches(question, project, component, layer)]
    return [replace(find, how=f"names {owner} in its description") for find in finds] if len(finds) <= _NEAR else []


def _changed_lines(asked: _Question, patch: Patch) -> list[str]:
    text = patch.content.partition(b"\ndiff --git ")[2].decode("utf-8", "replace")
    lines = [line for line in text.split("\n") if line[:1] in "+-" and not line.startswith(("+++ ", "--- "))]
    return [lines[number - 1].strip() for number in asked.within("\n".join(line[1:] for line in lines))]


def _in_removals(asked: _Question, project: Project, component: Component, layer: Layer) -> Iterator[Find]:
    for removal in read_removals(layer.patches):
        below = removal.path.endswith("/") and asked.word.startswith(removal.path)
        where = _place(project, layer.patches / REMOVALS)
        if asked.names(removal.path) or below:
            yield Find("removal", removal.path, where, f"goes from {component.name}", removal.reason)
        elif asked.within(removal.reason):
            yield Find("removal", removal.path, where, f"names it; goes from {component.name}", removal.reason)


def _in_overlays(asked: _Question, project: Project, component: Component, layer: Layer) -> Iterator[Find]:
    trees = (PIN, *project.trees)
    overlays = overlay.read(layer.overlays, trees)
    for file in overlays.files:
        path = layer.overlays / file.path
        lines = asked.within(path.read_bytes().decode("utf-8", "replace"))
        if asked.names(file.path):
            how = f"{file.action}s the file of {component.name}" if file.action != "add" else "is a file of ours"
        elif lines:
            more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
            how = f"names it in line {', '.join(map(str, lines[:_SHOWN]))}{more}"
        elif asked.within(file.reason):
            how = "names it as its reason"
        else:
            continue
        yield Find("overlay", file.path, _place(project, path), how, file.reason)
    for alias in overlays.aliases:
        module = alias.module.removesuffix("$")
        asked.known |= {module, alias.package}
        if asked.word in (module, alias.module, alias.package) or asked.names(alias.file):
            where = _place(project, layer.overlays / overlay.NAME)
            yield Find("alias", module, where, f"who imports it gets {alias.file}", alias.reason)


def _upstream(component: Component) -> Repository | None:
    """Return the mirror, where the cache has the pinned commit."""
    mirror = mirror_of(component)
    repository = Repository(mirror)
    return repository if mirror.exists() and repository.commit(component.commit) else None


def _in_what_goes(asked: _Question, project: Project, component: Component) -> Iterator[Find]:
    """Yield upstream's files that we remove or replace and that name the word: it goes with them."""
    ours = layers_of(project, component)[0]
    going = {removal.path: ("removal", removal.reason) for removal in read_removals(ours.patches)}
    overlays = overlay.read(ours.overlays, (PIN,))
    going |= {file.path: ("overlay", file.reason) for file in overlays.files if file.action == "replace"}
    repository = _upstream(component) if going else None
    if repository is None:
        return
    words = ("grep", "--ignore-case", "--count", "--fixed-strings", "--full-name", "-z", "-e", asked.word)
    # One path that is not there does not matter to git grep; a file that was not fetched would, and none of these is.
    done = repository.git(*words, component.commit, "--", *(f":(top,literal){path}" for path in going))
    for path, count in re.findall(r"[0-9a-f]{40}:([^\0]+)\0(\d+)\n", done.stdout.decode("utf-8", "replace")):
        place = next(name for name in going if path == name or path.startswith(name))
        kind, reason = going[place]
        where = ours.patches / REMOVALS if kind == "removal" else ours.overlays / path
        how = f"upstream's file names it in {count} line{'' if count == '1' else 's'}; it is replaced or removed here"
        yield Find(kind, path, _place(project, where), how, reason)


def _in_hosts(asked: _Question, project: Project) -> Iterator[Find]:
    word = asked.word.lower()
    for folder in (project.root, *project.extras):
        path = folder / HOSTS
        for entry in read_hosts(path, downstream=folder != project.root) if path.exists() else ():
            asked.known.add(entry.host)
            if entry.host == word or entry.host.endswith("." + word) or word.endswith("." + entry.host):
                count = f"{entry.count} times in served files, {entry.maps} in source maps"
                yield Find(
                    "host",
                    entry.host,
                    _place(project, path),
                    f"is in the bundle as {entry.kind}: {count}",
                    entry.reason,
                )


def _in_sdks(asked: _Question, project: Project) -> Iterator[Find]:
    modules = (asked.word, f"node_modules/{asked.word}/package.json")
    paths = [path for folder in (project.root, *project.extras) if (path := folder / SDKS).exists()]
    entries = [(path, sdk) for path in paths for sdk in read_sdks(path, downstream=path.parent != project.root)]
    # An operator's entry takes the place of ours of that name, and allows the SDK where it has no rule.
    for name, (path, sdk) in {sdk.name: (path, sdk) for path, sdk in entries}.items():
        asked.known.add(name)
        theirs = [entry for _, entry in entries if entry.name == name]
        rules = [rule for sdk in theirs for rule in (*sdk.modules, *sdk.fingerprints) if asked.within(rule)]
        rules += [trace.rule for trace in find_modules(modules, "", theirs)]
        if rules or asked.word.lower() == name:
            allowed = not (sdk.modules or sdk.fingerprints)
            how = "may be in a bundle here" if allowed else "must not be in a bundle"
            yield Find("sdk", name, _place(project, path), how + (f": {rules[0]}" if rules else ""), sdk.reason)


def _nothing(project: Project, asked: _Question, component: str) -> UsageError:
    message = f"this project changes and lists nothing named {asked.word!r}"
    known = asked.known | _identifiers(project)
    if component:
        pinned = project.component(component)
        repository = _upstream(pinned)
        files = repository.entries(pinned.commit) if repository else {}
        if asked.word in files:
            known, message = asked.known, f"{message}: it is upstream's file of {component} as it is"
        elif files:
            known, message = asked.known | set(files), f"{message}: {component} has no such file at the pin"
    parts = sorted((name for name in known if asked.word.lower() in name.lower()), key=len)
    near = [*parts, *difflib.get_close_matches(asked.word, known, n=_NEAR, cutoff=_ALIKE)]
    near = list(dict.fromkeys(name for name in near if name != asked.word))[:_NEAR]
    return UsageError(
        message,
        hint=" ".join(("hardener explain", component, near[0])).replace("  ", " ")
        if near
        else "hardener explain WORD: a host, a file, a patch, a configuration key or an npm module",
        details=tuple(f"near: {name}" for name in near),
    )


def _identifiers(project: Project) -> set[str]:
    """Return names in our overlays and changed lines that may be configuration keys."""
    texts = [
        path.read_bytes().decode("utf-8", "replace")
        for component in project.components
        for layer in layers_of(project, component)
        for path in (*layer.overlays.rglob("*.js"), *layer.overlays.rglob("*.ts"), *layer.patches.glob("*.patch"))
    ]
    return {name for text in texts for name in re.findall(r"[A-Za-z_$][\w$]{4,}", text)}
