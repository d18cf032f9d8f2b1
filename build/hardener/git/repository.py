"""Git as hardener uses it: a bare repository, a temporary index, objects by id. No work tree of git's own.

Local work runs without the user's and the system's git configuration (``core.autocrlf``, ``apply.whitespace`` and
friends would change bytes); only fetching, in git/fetch.py, keeps it, because it holds proxies and credentials.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.errors import StackError
from hardener.system import disk
from hardener.system.process import Completed, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# For any git command whose outcome must not depend on whose machine it runs on.
PLAIN_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",  # refs/replace would show other files under the pinned id
}
PLAIN_OPTIONS = ("-c", f"core.attributesFile={os.devnull}")
REGULAR, EXECUTABLE, LINK = "100644", "100755", "120000"


@dataclass(frozen=True)
class Entry:
    """One file of a tree: its mode in octal as git writes it, its blob id."""

    mode: str
    blob: str


@dataclass(frozen=True)
class Identity:
    """Author or committer; ``date`` is anything that ``GIT_AUTHOR_DATE`` takes (git-commit-tree(1))."""

    name: str
    email: str
    date: str


class Repository:
    """A bare repository, driven through git's plumbing commands."""

    def __init__(self, path: Path, env: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._env = dict(env or {})

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Repository]:
        """Provide the same repository, whose new objects go into a temporary folder and are gone when the block
        ends.
        """
        with tempfile.TemporaryDirectory(prefix="hardener-objects-") as folder:
            objects = {
                "GIT_OBJECT_DIRECTORY": folder,
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.fspath(self.path.absolute() / "objects"),
            }
            yield Repository(self.path, objects)

    def git(
        self, *words: str | Path, env: Mapping[str, str] | None = None, stdin: bytes = b"", cwd: Path | None = None
    ) -> Completed:
        """Run git here; a non-zero status is the caller's to judge."""
        environment = PLAIN_ENVIRONMENT | self._env | dict(env or {})
        return run(["git", *PLAIN_OPTIONS, "--git-dir", self.path, *words], env=environment, stdin=stdin, cwd=cwd)

    def output(self, *words: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """Return the standard output of a git command that has to succeed."""
        done = self.git(*words, stdin=stdin, env=env)
        if done.status:
            raise StackError(f"git {words[0]} failed in {self.path}: {done.complaint}", hint="hardener clean --cache")
        return done.text

    def commit(self, name: str) -> str | None:
        """Return the id of the commit that ``name`` denotes, or None where it is not here or is not a commit."""
        done = self.git("rev-parse", "--quiet", "--verify", "--end-of-options", name + "^{commit}")
        return done.text if done.status == 0 else None

    def ends_at(self, commit: str) -> bool:
        """Return whether this is a commit from which git can walk: its parents are here, or it is noted as an end of
        history.
        """
        done = self.git("rev-list", "--max-count=2", commit)
        return done.status == 0 and done.text.split("\n")[0] == commit

    def tree_of(self, commit: str) -> str:
        """Return the tree id of a commit."""
        return self.output("rev-parse", "--verify", "--end-of-options", commit + "^{tree}")

    def committed(self, commit: str) -> int:
        """Return the committer date of a commit, in seconds since 1970."""
        return int(self.output("show", "-s", "--format=%ct", commit))

    def entries(self, tree: str, *, links: bool = False) -> dict[str, Entry]:
        """Return all files of a tree or commit, by path; submodules are left out, symbolic links unless ``links``."""
        found = {}
        for line in self.output("ls-tree", "-r", "-z", "--full-tree", tree).split("\0"):
            if line:
                head, path = line.split("\t", 1)
                mode, _, blob = head.split(" ")
                if mode in (REGULAR, EXECUTABLE) or (links and mode == LINK):
                    found[path] = Entry(mode, blob)
        return found

    def blob(self, blob: str) -> bytes:
        """Return the content of a blob."""
        done = self.git("cat-file", "blob", blob)
        if done.status:
            raise StackError(f"{self.path} lacks the object {blob}", hint="hardener clean --cache, then build again")
        return done.stdout

    def missing(self, tree: str) -> set[str]:
        """Return the objects of a tree that this repository lacks (a partial clone holds only what was asked for)."""
        lines = self.output("rev-list", "--objects", "--missing=print", f"{tree}^{{tree}}").splitlines()
        return {line[1:] for line in lines if line.startswith("?")}

    def changed(self, before: str, after: str) -> list[str]:
        """Return paths that differ between two trees."""
        text = self.output("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, after)
        return [path for path in text.split("\0") if path]

    @contextlib.contextmanager
    def index(self, tree: str) -> Iterator[Index]:
        """Provide a temporary index that holds a tree; it is gone when the block ends."""
        with tempfile.TemporaryDirectory(prefix="hardener-index-") as folder:
            index = Index(self, Path(folder) / "index")
            index.output("read-tree", tree)
            yield index

    @contextlib.contextmanager
    def small_index(self, entries: Mapping[str, Entry]) -> Iterator[Index]:
        """Provide a temporary index that holds only these files: what is enough for patches that touch no others."""
        with tempfile.TemporaryDirectory(prefix="hardener-index-") as folder:
            index = Index(self, Path(folder) / "index")
            lines = "".join(f"{entry.mode} {entry.blob}\t{path}\0" for path, entry in entries.items())
            index.output("update-index", "-z", "--index-info", stdin=lines.encode("utf-8", "surrogateescape"))
            yield index

    def commit_tree(self, tree: str, parent: str, message: str, author: Identity, committer: Identity) -> str:
        """Write a commit object; its id depends on nothing but the arguments."""
        env = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": author.date,
            "GIT_COMMITTER_NAME": committer.name,
            "GIT_COMMITTER_EMAIL": committer.email,
            "GIT_COMMITTER_DATE": committer.date,
        }
        return self.output("commit-tree", tree, "-p", parent, "-F", "-", stdin=message.encode(), env=env)


class Index:
    """A git index outside any work tree: what patches are applied to."""

    def __init__(self, repository: Repository, path: Path) -> None:
        self.repository = repository
        self._env = {"GIT_INDEX_FILE": str(path)}

    def git(self, *words: str | Path, stdin: bytes = b"") -> Completed:
        """Run git with this index."""
        return self.repository.git(*words, env=self._env, stdin=stdin)

    def output(self, *words: str | Path, stdin: bytes = b"") -> str:
        """Return the standard output of a git command with this index that has to succeed."""
        return self.repository.output(*words, env=self._env, stdin=stdin)

    def tree(self) -> str:
        """Write the index as a tree. Blobs that a partial clone never fetched may stay away."""
        return self.output("write-tree", "--missing-ok")

    def entries(self) -> dict[str, Entry]:
        """Return all files and symbolic links of the index, by path; submodules are left out."""
        found = {}
        for line in self.output("ls-files", "--stage", "-z").split("\0"):
            if line:
                head, path = line.split("\t", 1)
                mode, blob, _ = head.split(" ")
                if mode in (REGULAR, EXECUTABLE, LINK):
                    found[path] = Entry(mode, blob)
        return found

    def put(self, path: str, mode: str, content: bytes) -> None:
        """Write a file into the index."""
        blob = self.output("hash-object", "-w", "--stdin", stdin=content)
        self.output("update-index", "-z", "--index-info", stdin=f"{mode} {blob}\t{path}\0".encode())

    def put_files(self, files: Mapping[str, tuple[str, Path]]) -> None:
        """Write files that lie on disk into the index: path in the tree -> mode, where the file lies.

        Two processes for any number of files. Names with a line break go one by one (``--stdin-paths``).
        """
        several = {path: entry for path, entry in files.items() if "\n" not in str(entry[1])}
        for path, (mode, file) in files.items():
            if path not in several:
                self.put(path, mode, file.read_bytes())
        if not several:
            return
        names = "".join(f"{file.absolute()}\n" for _, file in several.values())
        blobs = self.output("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=os.fsencode(names)).split("\n")
        lines = "".join(
            f"{mode} {blob}\t{path}\0" for (path, (mode, _)), blob in zip(several.items(), blobs, strict=True)
        )
        self.output("update-index", "-z", "--index-info", stdin=lines.encode())

    def drop(self, paths: Iterable[str]) -> None:
        """Remove files from the index."""
        lines = "".join(f"0 {'0' * 40}\t{path}\0" for path in paths)
        self.output("update-index", "-z", "--index-info", stdin=lines.encode())

    def checkout(self, target: Path) -> None:
        """Write all files of the index below ``target``."""
        done = self.repository.git(
            f"--work-tree={target}", "checkout-index", "--all", "--force", env=self._env, cwd=target
        )
        if done.status:
            disk.refuse_full_disk(done.complaint, target)
            raise StackError(f"git checkout-index failed: {done.complaint}", hint="hardener clean --cache")


def inside(path: str, folders: Iterable[str]) -> bool:
    """Return whether a path is one of the folders or lies below one."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)
