"""Export a patch for upstream: a branch on upstream's own, with one self-contained commit.

The patch is applied to upstream's default branch without the rest of the series (that it fits alone is what a pull
request needs, and series order hides it). Files of ours that its ``Overlay:`` field names are folded in, at the place
that it gives, with the imports that lead to them. Message in upstream's convention; mbox, bundle and the text of a pull
request beside it.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from hardener.config import PIN
from hardener.errors import OverlayError, PatchError, StackError, UsageError
from hardener.git.history import History, open_history
from hardener.git.repository import PLAIN_ENVIRONMENT, REGULAR, Index, inside
from hardener.series import overlay
from hardener.series import patch as patches
from hardener.series.apply import Status, judge
from hardener.series.header import body
from hardener.series.lists import read_removals, read_series
from hardener.system import disk
from hardener.system.process import run
from hardener.upstream.submit.lint import Verdict, lint
from hardener.upstream.submit.message import Exported, fix, pull_request
from hardener.upstream.submit.message import subject as derived_subject
from hardener.upstream.submit.review import remarks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hardener.config import Component, Project
    from hardener.series.patch import Patch

STATE = "export.json"


def find(project: Project, name: str) -> tuple[Component, Patch]:
    """Return a patch of the project by its file name (``.patch`` may be left out). Raises UsageError with the nearest
    name.
    """
    wanted = name.rpartition("/")[2].removesuffix(".patch") + ".patch"
    known = {path.name: (c, path) for c in project.components for path in read_series(project.patches(c))}
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=1)
        raise UsageError(
            f"there is no patch {wanted}", hint=f"did you mean {near[0]}?" if near else "see patches/*/series"
        )
    component, path = known[wanted]
    return component, patches.read(path)


def upstream(
    project: Project,
    name: str,
    sources: Mapping[str, Sequence[str]],
    *,
    onto: str = "",
    subject: str = "",
    disclosed: bool = False,
    linting: bool = True,
    fix: bool = False,
    force: bool = False,
    fetch: bool = False,
    tell: Callable[[str, float | None], None] = lambda _text, _share: None,
) -> Exported:
    """Export one patch below ``.work/upstream``, onto upstream's default branch or ``onto``.

    ``fix`` lets upstream's eslint fix the commit. Raises UsageError for a patch that is not for upstream, for one with
    ``Security: yes`` unless ``disclosed``, and for a branch that a person has worked on (unless ``force``); PatchError
    if it does not fit without the others; OverlayError for a file of ours that does not fit.
    """
    component, patch = find(project, name)
    _may_go_out(patch, disclosed=disclosed)
    tell("history", None)
    history = open_history(component, sources.get(component.name, ()), fetch=fetch, tell=tell)
    base = history.resolve(onto or history.default_branch)
    if not base:
        raise UsageError(
            f"{onto or 'a default branch'} is not in {component.name}'s history", hint="--onto REF, or more: --source"
        )
    home = project.work / "upstream" / component.name / patch.name.removesuffix(".patch")
    branch = f"hardener/{patch.name.removesuffix('.patch')}"
    if not force:
        _spare_work(history, home, branch)
    status, tree, files = _change(history, project, component, patch, base)
    line = subject or derived_subject(history, patch, base)
    message = f"{line}\n\n{body(patch.description).prose}\n"
    commit = history.commit_tree(tree, base, message, patch.author, patch.author)
    tell("writing the work tree", None)
    _write_tree(history, component, branch, base, commit, home / "tree")
    disk.write_json(home / STATE, {"commit": commit})
    verdicts: tuple[Verdict, ...] = ()
    missing: tuple[str, ...] = ()
    if linting:
        tell("upstream's eslint and tsc", None)

        def switch(to: str) -> None:
            _git(home / "tree", "checkout", "--quiet", branch if to == commit else to)

        verdicts, missing = lint(home / "tree", files, component.tsconfig, switch, base, commit, fix=fix)
        commit = _amended(home / "tree", patch) or commit
        disk.write_json(home / STATE, {"commit": commit})
    told = remarks(history, component, base, commit, files, (message,), project.root)
    tree_folder = home / "tree"
    exported = Exported(
        component.name,
        patch.name,
        base,
        commit,
        branch,
        line,
        status,
        files,
        home,
        tree_folder,
        verdicts,
        missing,
        told,
    )
    _write_beside(history, patch, exported)
    return exported


def _may_go_out(patch: Patch, *, disclosed: bool) -> None:
    reason = patch.fields.get("Reason", "")
    if reason != "upstreamable":
        raise UsageError(
            f"{patch.name} is not for upstream (Reason: {reason or 'missing'})",
            hint="where that has changed, write Reason: upstreamable into its header first",
        )
    if patch.fields.get("Security") == "yes" and not disclosed:
        raise UsageError(
            f"{patch.name} is not exported: it has Security: yes, so it reveals how upstream can be attacked",
            hint="report it by the way that upstream's SECURITY.md names; once upstream has agreed: --disclosed",
        )


def _spare_work(history: History, home: Path, branch: str) -> None:
    """Refuse to write over commits or changes that a person has made on the branch."""
    tip = history.commit(f"refs/heads/{branch}")
    ours = (disk.read_json(home / STATE) or {}).get("commit")
    tree = home / "tree"
    dirty = tree.exists() and _git(tree, "status", "--porcelain") != ""
    if (tip and ours and tip != ours) or dirty:
        raise UsageError(
            f"a person has worked on {branch} in {tree}", hint="carry it over into the patch, then: --force"
        )


def _change(
    history: History, project: Project, component: Component, patch: Patch, base: str
) -> tuple[Status, str, tuple[str, ...]]:
    """Return the tree of ``base`` with the patch and its overlay files; how the patch fitted, and which files
    differ.
    """
    listing = history.entries(base)
    history.bring(listing[t.old].blob for t in patch.touches if t.old in listing)
    with history.index(base) as index:
        done = index.git("apply", "--cached", "--verbose", "--whitespace=nowarn", "-", stdin=patch.content)
        if done.status:
            merged = index.git("apply", "--cached", "--check", "--reverse", "-", stdin=patch.content).status == 0
            present = {path: entry.blob for path, entry in listing.items()}
            status, detail = (Status.MERGED, "upstream has it") if merged else judge(patch, present, done.complaint)
            needs = f"; it requires {', '.join(patch.requires)}, which would have to go first" if patch.requires else ""
            raise PatchError(
                f"{patch.name} does not apply without the others on {base[:12]}: {status.value}, {detail}{needs}",
                hint="rewrite it for upstream's branch, or name the branch: --onto REF",
            )
        status = Status.OFFSET if "(offset " in done.complaint else Status.CLEAN
        _fold(index, project, component, patch, {path: entry.blob for path, entry in listing.items()})
        tree = index.tree()
    return status, tree, tuple(history.changed(base, tree))


def _fold(index: Index, project: Project, component: Component, patch: Patch, upstreams: Mapping[str, str]) -> None:
    folder = project.overlays(component)
    known = {file.path: file for file in overlay.read(folder, (PIN, *project.trees)).files}
    gone = {removal.path for removal in read_removals(project.patches(component))}
    for path, place in patch.overlay.items():
        if path in gone:
            if path not in upstreams:
                raise OverlayError(
                    f"{patch.name}: Overlay names {path}, which upstream no longer has", hint="leave it out"
                )
            index.drop([path])
            continue
        file = known.get(path)
        if file is None or file.action == "merge":
            raise OverlayError(
                f"{patch.name}: Overlay names {path}, which overlays.toml neither adds nor replaces",
                hint="name files of overlays.toml and remove.list; texts of lang/ go to upstream by hand",
            )
        if file.action == "replace" and upstreams.get(path) not in file.replaces:
            raise OverlayError(
                f"{patch.name}: {path} was written against another version of upstream's file",
                hint=f"carry it over, then add {upstreams.get(path, 'its blob id')} to its 'replaces'",
            )
        index.put(place, REGULAR, (folder / path).read_bytes())
    moved = {path: place for path, place in patch.overlay.items() if path != place and path not in gone}
    if moved:
        _fix_imports(index, {t.new for t in patch.touches if t.new} | set(moved.values()), moved)


def _fix_imports(index: Index, files: set[str], moved: Mapping[str, str]) -> None:
    """Let relative imports follow files that are elsewhere upstream, in the files that the change touches."""
    entries = {}
    for line in index.output("ls-files", "-s", "-z").split("\0"):
        head, _, path = line.partition("\t")
        if path in files:
            entries[path] = head.split(" ")[:2]
    came_from = {place: path for path, place in moved.items()}
    for path, (mode, blob) in entries.items():
        old = index.repository.blob(blob)
        new = fix(old.decode("utf-8", "surrogateescape"), path, came_from.get(path, path), moved)
        if (content := new.encode("utf-8", "surrogateescape")) != old:
            index.put(path, mode, content)


def _write_tree(history: History, component: Component, branch: str, base: str, commit: str, tree: Path) -> None:
    """Write a work tree at the branch, less the paths that the component excludes (sparse, so git sees no change)."""
    kept = {entry.blob for path, entry in history.entries(commit).items() if not inside(path, component.exclude)}
    history.bring(kept & {entry.blob for entry in history.entries(base).values()})
    disk.remove(tree)
    tree.parent.mkdir(parents=True, exist_ok=True)
    history.output("worktree", "prune")
    history.output("worktree", "add", "--quiet", "--force", "--no-checkout", "-B", branch, str(tree.absolute()), commit)
    patterns = ["/*", *(f"!/{path}/" for path in component.exclude)]
    _git(tree, "sparse-checkout", "set", "--no-cone", *patterns)
    # Files that are left out need not be here, also when a person commits: git asks for them unless some remote may
    # have them (must_check_existence() in git's cache-tree.c).
    _git(tree, "config", "--worktree", "remote.elsewhere.promisor", "true")
    _git(tree, "checkout", "--quiet", branch)


def _amended(tree: Path, patch: Patch) -> str:
    """Return the commit with what eslint changed in the tree; "" where it changed nothing."""
    if not _git(tree, "status", "--porcelain"):
        return ""
    who = {
        "GIT_COMMITTER_NAME": patch.author.name,
        "GIT_COMMITTER_EMAIL": patch.author.email,
        "GIT_COMMITTER_DATE": patch.author.date,
    }
    _git(tree, "commit", "--quiet", "--amend", "--no-edit", "--no-verify", "--all", env=who)
    return _git(tree, "rev-parse", "HEAD")


def _git(tree: Path, *words: str, env: Mapping[str, str] | None = None) -> str:
    # attributes and line ends are upstream's own here, as in any clone; the user's configuration is not asked.
    done = run(["git", *words], cwd=tree, env=PLAIN_ENVIRONMENT | dict(env or {}))
    if done.status:
        raise StackError(f"git {words[0]} failed in {tree}: {done.complaint}", hint=f"remove {tree} and try again")
    return done.text


def _write_beside(history: History, patch: Patch, exported: Exported) -> None:
    name = patch.name.removesuffix(".patch")
    words = ("--stdout", "-1", "--full-index", "--no-signature")
    mail = history.git("format-patch", *words, exported.commit)
    disk.write(exported.folder / f"{name}.mbox", mail.stdout)
    bundle = exported.folder / f"{name}.bundle"
    history.output("bundle", "create", "--quiet", bundle, f"refs/heads/{exported.branch}", f"^{exported.base}")
    disk.write(exported.folder / "pull-request.md", pull_request(patch, exported).encode())
