"""The git repository that holds the project itself: its commit, its tags, and its files at another commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.errors import StackError, UsageError
from hardener.git.repository import PLAIN_ENVIRONMENT, PLAIN_OPTIONS
from hardener.system.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.system.process import Completed

# A tag counts by a key of allowed_signers only. Of an OpenPGP or X.509 signature git would accept any key of a keyring.
_SSH_ONLY = ("-c", "gpg.openpgp.program=false", "-c", "gpg.x509.program=false")


class Checkout:
    """The work tree of a git repository. Without one, its commit is empty and all its files count as changed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *words: str | Path) -> Completed:
        """Run git here; a non-zero status is the caller's to judge. A repository of another user is read as well."""
        trusted = ("-c", f"safe.directory={self.root}")
        return run(["git", *PLAIN_OPTIONS, *trusted, *words], cwd=self.root, env=PLAIN_ENVIRONMENT)

    def resolve(self, name: str) -> str:
        """Return the id of the commit that ``name`` denotes; empty where there is none."""
        done = self.git("rev-parse", "--quiet", "--verify", "--end-of-options", name + "^{commit}")
        return "" if done.status else done.text

    @property
    def commit(self) -> str:
        """Return the commit that is checked out; empty where this is not the top of a git work tree."""
        top = self.git("rev-parse", "--show-cdup")
        return "" if top.status or top.text else self.resolve("HEAD")

    def changes(self) -> tuple[str, ...]:
        """Return the paths that differ from the commit, also new ones that git does not ignore."""
        done = self.git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
        if done.status:
            return (".",)
        return tuple(entry[3:] for entry in done.text.split("\0") if entry)

    def tags(self, pattern: str, *more: str) -> tuple[str, ...]:
        """Return the tags whose names match a pattern, the newest version first."""
        return tuple(self.git("tag", "--list", "--sort=-version:refname", *more, pattern).text.split())

    def why_unsigned(self, tag: str, signers: Path) -> str:
        """Return why a tag has no good signature of a key in ``signers`` (OpenSSH's format); empty if it has one."""
        known = ("-c", f"gpg.ssh.allowedSignersFile={signers}")
        done = self.git(*_SSH_ONLY, *known, "verify-tag", f"refs/tags/{tag}")
        return done.complaint.partition("\n")[0] or "it has no signature" if done.status else ""

    def file(self, commit: str, path: str) -> bytes | None:
        """Return the content of a file at a commit; None where that commit has none of that name."""
        done = self.git("cat-file", "blob", f"{commit}:{path}")
        return None if done.status else done.stdout

    def changed(self, before: str, after: str, *paths: str) -> dict[str, str]:
        """Return the files below ``paths`` that differ between two commits, with A, M or D for added, changed, gone."""
        done = self.git("diff-tree", "-r", "-z", "--name-status", "--no-renames", before, after, "--", *paths)
        words = done.text.split("\0")
        return dict(zip(words[1::2], words[::2], strict=False))

    def copy(self, commit: str, target: Path) -> None:
        """Check a commit out into a new folder, as a clone that shares this repository's objects.

        Raises UsageError where the commit is not here, StackError where git fails.
        """
        if self.resolve(commit) != commit:
            raise UsageError(f"{self.root} has no commit {commit}", hint="fetch it: git fetch --tags")
        cloned = self.git("clone", "--quiet", "--shared", "--no-checkout", "--no-tags", self.root, target)
        done = cloned if cloned.status else Checkout(target).git("checkout", "--quiet", "--detach", commit)
        if done.status:
            raise StackError(f"git cannot check out {commit}: {done.complaint}", hint=f"is {target.parent} writable?")
