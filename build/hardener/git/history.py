"""The history of a component: every release, branch and commit of upstream, beside the mirror that holds only the pin.

A source that is a path is read where it lies (git's ``objects/info/alternates``): nothing is copied and nothing is
written to it. A source that is a URL is fetched into the user's cache once, commits and trees only
(``--filter=blob:none``); files follow by blob id when they are needed. A component may have several sources, because a
mirror need not hold all that upstream has: what the first one lacks, the next one may have.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import PinError, StackError, UnreachableError
from hardener.git import mirror
from hardener.git.repository import EXECUTABLE, REGULAR, Entry, Repository
from hardener.system import disk, stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hardener.config import Component

_FETCHED = "refs/upstream/"


class History(Repository):
    """A bare repository that sees all objects of its sources; ``refs`` are their branches and tags: name -> commit."""

    def __init__(
        self, path: Path, refs: Mapping[str, str], default_branch: str, remotes: tuple[str, ...], asked: int
    ) -> None:
        super().__init__(path)
        self.refs = refs
        self.default_branch = default_branch
        self.remotes = remotes
        self.asked = asked

    @property
    def note(self) -> str:
        """Return how old the answers of remote sources are; empty where all sources are paths."""
        return f"as asked on {datetime.fromtimestamp(self.asked, UTC):%Y-%m-%d}; newer: --fetch" if self.asked else ""

    def resolve(self, name: str) -> str | None:
        """Return the commit of a branch, tag or (abbreviated) commit id, or None."""
        for full in (name, f"refs/tags/{name}", f"refs/heads/{name}"):
            if full in self.refs:
                return self.refs[full]
        return self.commit(name) if re.fullmatch(r"[0-9a-f]{7,40}", name) else None

    def slice(self, commit: str, paths: Iterable[str]) -> dict[str, Entry]:
        """Return the files among ``paths`` that a commit has."""
        wanted = sorted(set(paths))
        text = self.output("ls-tree", "-z", "--full-tree", commit, "--", *wanted) if wanted else ""
        lines = (line.partition("\t") for line in text.split("\0") if line)
        found = {path: Entry(head.split(" ")[0], head.split(" ")[2]) for head, _, path in lines}
        return {path: entry for path, entry in found.items() if entry.mode in (REGULAR, EXECUTABLE)}

    def absent(self, ids: Iterable[str], kind: str = "commit") -> set[str]:
        """Return those of these ids that no source has as a commit (or as another kind of object)."""
        wanted = sorted(set(ids))
        done = self.git("cat-file", "--batch-check", stdin="".join(f"{object_id}\n" for object_id in wanted).encode())
        there = {words[0] for words in (line.split(" ") for line in done.text.splitlines()) if words[1:2] == [kind]}
        return set(wanted) - there

    def parent(self, commit: str) -> str | None:
        """Return the first parent of a commit."""
        return self.commit(f"{commit}^")

    def dates(self, commits: Iterable[str]) -> dict[str, int]:
        """Return committer dates in seconds since 1970."""
        wanted = sorted(set(commits))
        if not wanted:
            return {}
        text = self.output(
            "log", "--no-walk=unsorted", "--stdin", "--format=%H %ct", stdin="\n".join(wanted).encode() + b"\n"
        )
        return {commit: int(seconds) for commit, seconds in (line.split(" ") for line in text.splitlines())}

    def touching(self, before: str, after: str, paths: Sequence[str]) -> list[str]:
        """Return commits that ``after`` has and ``before`` lacks and that touch one of the paths, oldest first."""
        return self.output(
            "log", "--topo-order", "--reverse", "--format=%H", f"{before}..{after}", "--", *paths
        ).splitlines()

    def churn(self, commit: str, since: int, paths: Sequence[str]) -> dict[str, int]:
        """Return how many commits before ``commit`` and after ``since`` (seconds since 1970) touch each path."""
        counts = dict.fromkeys(paths, 0)
        words = ("--no-renames", "--no-merges", "--name-only", "-z", "--format=", f"--since=@{since}")
        text = self.output("log", *words, commit, "--", *paths) if paths else ""
        for path in text.replace("\n", "\0").split("\0"):
            if path in counts:
                counts[path] += 1
        return counts

    def subject(self, commit: str) -> str:
        """Return the first line of a commit's message."""
        return self.output("show", "-s", "--format=%s", commit)

    def blobs(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Return the content of blobs, read by one process."""
        wanted = sorted(set(ids))
        return dict(self.objects(wanted, "blob"))

    def objects(self, names: Sequence[str], kind: str) -> list[tuple[str, bytes]]:
        """Return id and content of objects, in the order of their names (gitrevisions(7)), read by one process.

        Raises StackError where one is not here, or is of another kind.
        """
        if not names:
            return []
        answer = self.git("cat-file", "--batch", stdin="".join(f"{name}\n" for name in names).encode()).stdout
        found, at = [], 0
        for name in names:
            end = answer.index(b"\n", at)
            thing, *words = answer[at:end].decode().split(" ")
            if words[:1] != [kind]:
                raise self._lacks([name])
            at = end + 1 + int(words[1]) + 1
            found.append((thing, answer[end + 1 : at - 1]))
        return found

    def bring(self, ids: Iterable[str]) -> None:
        """Make sure that these blobs are here: ask the remote sources for those that are not.

        Raises UnreachableError when a remote does not answer, StackError when no source has them.
        """
        wanted = set(ids)
        if self.remotes:
            # A listing of what is here; asking for single objects would make git fetch each on its own.
            here = self.output("cat-file", "--batch-all-objects", "--batch-check=%(objectname)", "--unordered")
            wanted -= set(here.splitlines())
        elif wanted:
            wanted = self.absent(wanted, "blob")
        if not wanted:
            return
        if not self.remotes:
            raise self._lacks(sorted(wanted))
        from hardener.git.remote import Transfer  # noqa: PLC0415 (a quarter of a second to load, seldom needed)

        refusal: UnreachableError | None = None
        for remote in self.remotes:
            try:
                with mirror.held(self.path):
                    mirror.make(self.path, remote)
                    Transfer(self.path, remote, lambda _text, _share: None).blobs(sorted(wanted))
            except UnreachableError as error:
                refusal = error
            else:
                return
        raise refusal or self._lacks(sorted(wanted))

    def _lacks(self, ids: Sequence[str]) -> StackError:
        return StackError(
            f"none of the sources has the object {ids[0]}" + (f" (and {len(ids) - 1} more)" if ids[1:] else ""),
            hint="name a complete repository: --source NAME=URL-or-path",
        )


def open_history(
    component: Component,
    sources: Sequence[str],
    *,
    fetch: bool = False,
    ask: bool = True,
    tell: Callable[[str, float], None] = lambda _text, _share: None,
) -> History:
    """Return the history of a component from ``sources`` (URLs or paths; none: the repository in upstream.toml).

    A URL is asked when it never was, or with ``fetch``; without ``ask``, never: then there is what an earlier command
    has brought. Raises UnreachableError when one does not answer or a path is
    not a repository, PinError for a path that holds no history (a shallow clone).
    """
    path = stamps.home() / "history" / f"{component.name}.git"
    wheres = tuple(dict.fromkeys(sources)) or (component.repository,)
    remotes = tuple(where for where in wheres if "://" in where)
    locals_ = [_git_folder(Path(where)) for where in wheres if "://" not in where]
    with mirror.held(path):
        repository = Repository(path)
        mirror.make(path)
        if not mirror.readable(path):
            tell("git could not read it, so it is made again", 0.0)
            mirror.put_aside(path)
            mirror.make(path)
        alternates = "".join(f"{folder / 'objects'}\n" for folder in locals_)
        disk.write(path / "objects" / "info" / "alternates", alternates.encode())
        asked = stamps.Stamp(path / "hardener-asked.json")
        facts = asked.facts(stamps.key(remotes))
        if ask and remotes and (fetch or facts is None):
            facts = {"at": _ask(path, remotes, tell)}
            asked.set(stamps.key(remotes), facts)
    refs: dict[str, str] = {}
    branch = ""
    for folder in locals_:
        source = Repository(folder)
        here, head = _refs(source, "refs/")
        refs = here | refs
        branch = branch or head
    if remotes:
        refs = _refs(repository, _FETCHED)[0] | refs
    branches = (branch, "refs/heads/master", "refs/heads/main")
    return History(
        path, refs, next((b for b in branches if b in refs), ""), remotes, int(facts["at"]) if facts and remotes else 0
    )


def _ask(path: Path, remotes: Sequence[str], tell: Callable[[str, float], None]) -> int:
    from hardener.git.remote import Transfer  # noqa: PLC0415 (as above)

    for remote in remotes:
        mirror.make(path, remote)
        Transfer(path, remote, tell).history(_FETCHED)
    return int(datetime.now(UTC).timestamp())


def _git_folder(where: Path) -> Path:
    folder = next((path for path in (where / ".git", where) if (path / "objects").is_dir()), None)
    if folder is None:
        raise UnreachableError(
            f"{where} is not a git repository", hint="--source NAME=WHERE: the folder of a clone (not of a work tree)"
        )
    if (folder / "shallow").exists():
        raise PinError(f"{where} is a shallow clone, without history", hint=f"git -C {where} fetch --unshallow --tags")
    return folder.resolve()


def _refs(repository: Repository, prefix: str) -> tuple[dict[str, str], str]:
    """Return branches and tags under a prefix, by their full upstream name, and the branch that HEAD names, if it is
    one of them; an annotated tag means its commit.
    """
    refs, head = {}, ""
    form = "--format=%(HEAD)%(refname) %(objecttype) %(objectname) %(*objecttype) %(*objectname)"
    for line in repository.output("for-each-ref", form, f"{prefix}heads", f"{prefix}tags").splitlines():
        name, *things = line[1:].split(" ")
        for kind, thing in zip(things[::2], things[1::2], strict=True):
            if kind == "commit":
                refs["refs/" + name.removeprefix(prefix)] = thing
                head = name if line.startswith("*") else head
    return refs, head
