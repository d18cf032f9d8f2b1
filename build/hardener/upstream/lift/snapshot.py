"""The project's own files around a lift: kept before it, put back by ``--abort``, committed after it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hardener.config import NAME as UPSTREAM
from hardener.errors import ConfigError, StackError
from hardener.git import leftovers
from hardener.series.lists import REMOVALS
from hardener.system import disk, stamps
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hardener.config import Project

FILES = ("patches", "overlays", UPSTREAM)


def snapshot(project: Project, target: Path) -> None:
    """Keep what a lift may write."""

    def fill(folder: Path) -> None:
        for name, path in _files(project.root).items():
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            copy.chmod(path.stat().st_mode)

    disk.replace_folder(target, fill)


def changed(project: Project, saved: Path) -> list[str]:
    """Return files that are not as :func:`snapshot` kept them, by their path below the project."""
    before, now = _files(saved), _files(project.root)
    both = before.keys() & now.keys()
    other = {name for name in both if before[name].read_bytes() != now[name].read_bytes()}
    return sorted((before.keys() ^ now.keys()) | other)


def edited(project: Project, saved: Path, component: str = "") -> list[str]:
    """Return those of them that people edit during a lift: overlays and lists (of one component, or of all)."""
    names = changed(project, saved)
    mine = [name for name in names if name.startswith("overlays/") or name.endswith("/" + REMOVALS)]
    return [name for name in mine if not component or name.split("/")[1] == component]


def restore(project: Project, saved: Path, aside: Path) -> list[str]:
    """Put everything back; what was there instead is kept below ``aside``. Returns the paths that were put back."""
    before, now = _files(saved), _files(project.root)
    names = changed(project, saved)
    for name in names:
        if name in now:
            disk.write(aside / name, now[name].read_bytes())
    for name in names:
        path = project.root / name
        if name in before:
            disk.write(path, before[name].read_bytes())
            path.chmod(before[name].stat().st_mode)
        else:
            path.unlink()
    return names


def digest(project: Project, name: str) -> str:
    """Digest of a file of the project; empty where it is gone."""
    path = project.root / name
    return stamps.file_digest(path) if path.is_file() else ""


def _files(root: Path) -> dict[str, Path]:
    found = {}
    for name in FILES:
        top = root / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file():
                found[path.relative_to(root).as_posix()] = path
    return found


def uncommitted(project: Project) -> tuple[str, list[str]]:
    """Return the project's commit ('' where it is not a git work tree), and what a lift would write that is not
    committed.
    """
    git: list[str | Path] = ["git", "-C", project.root]
    head = run([*git, "rev-parse", "--verify", "--quiet", "HEAD"])
    if head.status:
        return "", []
    there = [name for name in FILES if (project.root / name).exists()]
    status = run([*git, "status", "--porcelain=v1", "--untracked-files=all", "-z", "--", *there])
    if status.status:
        raise StackError(f"git status failed in {project.root}: {status.complaint}", hint="fix it, then start again")
    lines = status.stdout.decode("utf-8", "replace").split("\0")
    return head.text, [line[3:] for line in lines if line]


def commit(project: Project, names: Sequence[str], message: str) -> None:
    """Commit these files and nothing else, as the person who runs us; nothing where they are as HEAD has them.

    Raises ConfigError with what git (or a hook of the project) said.
    """
    git: list[str | Path] = ["git", "-C", project.root]
    # Asked file by file: a path that neither the index nor the folder has would be an error for 'git add'.
    status = run([*git, "status", "--porcelain=v1", "--untracked-files=all", "--no-renames", "-z", "--", *names])
    todo = [line[3:] for line in status.stdout.decode("utf-8", "surrogateescape").split("\0") if line] if names else []
    if not todo:
        return
    # 'git status -z' names paths from the top of the work tree.
    git = ["git", "-C", run([*git, "rev-parse", "--show-toplevel"]).text]
    for words, text in ((["add", "--all"], ""), (["commit", "--quiet", "--only", "--file=-"], message)):
        done = run([*git, *words, "--", *todo], stdin=text.encode())
        if done.status:
            raise ConfigError(
                f"git {words[0]} failed in {project.root}: {done.complaint}",
                hint="fix it, then: hardener lift --continue (with --no-commit, to commit by yourself)",
            )


def made(project: Project, head: str) -> list[str]:
    """Return the commits that a lift made since ``head``, oldest first: their last line says so."""
    if not head:
        return []
    words = ["rev-list", "--reverse", "--extended-regexp", r"--grep=^Lift: (routine|by-hand|dropped)$", f"{head}..HEAD"]
    return run(["git", "-C", project.root, *words]).text.split()


def clear_locks(project: Project, since: float) -> None:
    """Remove lock files that a lift which was killed while it committed left in the project's repository.

    Younger than ``since`` (seconds since 1970), when it began to commit; others are not ours. Raises BusyError where a
    git is at work there.
    """
    found = run(
        ["git", "-C", project.root, "rev-parse", "--path-format=absolute", "--absolute-git-dir", "--git-common-dir"]
    )
    if found.status == 0:  # a linked work tree has a folder of its own, and refs in the common one
        for folder in dict.fromkeys(found.stdout.decode().splitlines()):
            leftovers.clear(Path(folder), since=since, locks_only=True)


def take_back(project: Project, head: str) -> None:
    """Move the branch back to ``head`` without touching files."""
    done = run(["git", "-C", project.root, "reset", "--quiet", "--mixed", head])
    if done.status:
        raise StackError(f"git reset failed in {project.root}: {done.complaint}", hint=f"git reset --mixed {head}")
