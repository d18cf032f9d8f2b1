"""Message and pull request in upstream's convention, and adapted imports."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.series.header import body

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.git.history import History
    from hardener.series.apply import Status
    from hardener.series.patch import Patch
    from hardener.upstream.submit.lint import Verdict

_CONVENTION = re.compile(r"(?:fix|feat|ref) ?\(([^)]+)\):? ")
_VAGUE = ("react", "features", "base", "modules", "components", "web", "native")
_IMPORT = re.compile(r"""((?:from|import|require\()\s*)(['"])(\.{1,2}/[^'"]+)\2""")
_ENDINGS = ("", ".ts", ".tsx", ".js", ".web.ts", ".web.tsx", ".web.js")


@dataclass(frozen=True)
class Exported:
    """A patch on upstream's branch: ``tree`` is the work tree, the files lie beside it in ``folder``.

    ``status`` is the result of applying it without the others, ``verdicts`` are the answers of upstream's tools (none:
    not run), ``missing`` are npm packages that they did not have, ``remarks`` what a person has to settle first.
    """

    component: str
    patch: str
    base: str
    commit: str
    branch: str
    subject: str
    status: Status
    files: tuple[str, ...]
    folder: Path
    tree: Path
    verdicts: tuple[Verdict, ...]
    missing: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def green(self) -> bool:
        """Return whether upstream's tools have nothing to say about the change."""
        return all(verdict.green for verdict in self.verdicts)


def subject(history: History, patch: Patch, base: str) -> str:
    """Return the patch's subject in upstream's convention: with the scope that upstream gives to changes of these
    files.

    That is the most frequent one among those that name a folder on the way to them, else the innermost folder.
    """
    if _CONVENTION.match(patch.subject):
        return patch.subject
    paths = sorted({touch.old or touch.path for touch in patch.touches})
    folders = [part for path in paths for part in path.split("/")[:-1] if part not in _VAGUE]
    log = history.output("log", "-200", "--format=%s", base, "--", *paths).splitlines()
    said = Counter(match[1] for match in map(_CONVENTION.match, log) if match)
    scopes = [scope for scope, _ in said.most_common() if set(scope.lower().split("/")) <= {f.lower() for f in folders}]
    scope = scopes[0] if scopes else (folders or ["all"])[-1]
    return f"fix({scope}): {patch.subject[:1].lower()}{patch.subject[1:]}"


def fix(text: str, path: str, was: str, moved: Mapping[str, str]) -> str:
    """Return a module's text whose relative imports are right at ``path``, written at ``was``; ``moved``: old -> new
    path.

    >>> moved = {"x/hardener/a.ts": "x/base/a/o.ts"}
    >>> fix("import { a } from '../../hardener/a';", "x/base/b/c.ts", "x/base/b/c.ts", moved)
    "import { a } from '../a/o';"
    >>> fix("import '../base/b';", "x/base/a/o.ts", "x/hardener/a.ts", {})
    "import '../b';"
    """

    def follow(match: re.Match[str]) -> str:
        start, quote, said = match.groups()
        target = posixpath.normpath(posixpath.join(posixpath.dirname(was), said))
        for ending in _ENDINGS:
            if target + ending in moved:
                target = moved[target + ending].removesuffix(ending)
                break
        else:
            if path == was:
                return match[0]
        leads = posixpath.relpath(target, posixpath.dirname(path) or ".")
        return f"{start}{quote}{leads if leads.startswith('.') else './' + leads}{quote}"

    return _IMPORT.sub(follow, text)


def pull_request(patch: Patch, exported: Exported) -> str:
    """Return the text of the pull request: what, why, how tested, and what upstream asks of contributors."""
    tested = [f"- {verdict}" for verdict in exported.verdicts] or ["- upstream's linter and type checker: not run yet"]
    for verdict in exported.verdicts:
        tested += [f"  - {complaint}" for complaint in verdict.new]
    if exported.missing:
        tested.append(f"- without these packages, which no registry serves: {', '.join(exported.missing)}")
    tested.append("- not run: upstream's end-to-end tests")
    if evidence := patch.fields.get("Evidence"):
        # Its name only: upstream has no such path.
        tested.append(
            f"- a browser test outside of this repository, red without the change: `{evidence.rpartition('::')[2]}`"
        )
    return "\n".join(
        [
            f"# {exported.subject}",
            "",
            "## What and why",
            "",
            body(patch.description).prose,
            "",
            "## Files",
            "",
            *(f"- {path}" for path in exported.files),
            "",
            "## How tested",
            "",
            f"On {exported.base}, with only this change:",
            "",
            *tested,
            "",
            "## Before you send it",
            "",
            "- Jitsi takes contributions under its contributor licence agreement: https://jitsi.org/icla (people),",
            "  https://jitsi.org/ccla (companies). The person who opens the pull request must have signed it.",
            "- Make yourself the author: git commit --amend --reset-author",
            *(f"- To settle: {remark}." for remark in exported.remarks),
            "- Remove this section, and what is red above.",
            "",
        ]
    )
