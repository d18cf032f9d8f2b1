"""A small upstream to test against: a real git repository whose ids are the same on every machine and every day."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from hardener.config import Component

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

AUTHOR = "Uta Upstream <uta@upstream.example>"
START = 1_700_000_000  # 2023-11-14T22:13:20Z, the first commit; each later one is an hour younger
EXECUTABLE, SYMLINK, SUBMODULE = "100755", "120000", "160000"

ODD_NAME = "src/größe & maß.txt"
LINES = [f"line {number}\n" for number in range(1, 31)]
FILES: dict[str, bytes] = {
    "README.md": b"# Fake Meet\n",
    "src/app.js": "".join(LINES).encode(),
    "src/util.js": b"export const one = 1;\nexport const two = 2;\nexport const three = 3;\n",
    "src/windows.txt": b"first\r\nsecond\r\nthird\r\nfourth\r\n",
    ODD_NAME: "eins\nzwei\ndrei\nvier\nfünf\n".encode(),
    "bin/run.sh": b"#!/bin/sh\nexec node src/app.js\n",
    "lang/main.json": b'{\n    "title": "Meet",\n    "menu": {\n        "open": "Open"\n    }\n}\n',
    "static/old.html": b"<p>old</p>\n",
    "static/older/index.html": b"<p>older</p>\n",
    "android/Main.java": b"class Main {}\n",
    "android/res/icon.txt": b"an icon\n",
}


def lines(**changed: str) -> bytes:
    """Return src/app.js with some lines changed: ``lines(l3="new")`` changes line 3, an empty text deletes it."""
    text = list(LINES)
    for key, value in changed.items():
        text[int(key[1:]) - 1] = value + "\n" if value else ""
    return "".join(text).encode()


def git(folder: Path, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
    """Run git on a bare repository, free of any configuration; its standard output."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    clean |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    argv = ["git", "--git-dir", str(folder), *words]
    done = subprocess.run(argv, input=stdin, env=clean | dict(env or {}), capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr.decode()}"
    return done.stdout


class FakeUpstream:
    """A bare repository with one branch, ``main``, that grows by :meth:`commit`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commits: list[str] = []
        path.mkdir(parents=True)
        git(path, "init", "--quiet", "--bare", "--initial-branch=main")

    @classmethod
    def with_release(cls, path: Path, more: Mapping[str, bytes | None] | None = None) -> FakeUpstream:
        """Return an upstream with :data:`FILES` (and ``more``) as release v1.0."""
        upstream = cls(path)
        upstream.commit(FILES | dict(more or {}), "Release 1.0", modes={"bin/run.sh": EXECUTABLE})
        upstream.tag("v1.0")
        return upstream

    def copy(self, path: Path) -> FakeUpstream:
        """Return another repository with the same content: quicker than to make it again."""
        shutil.copytree(self.path, path)
        twin = copy.copy(self)
        twin.path, twin.commits = path, [*self.commits]
        return twin

    @property
    def head(self) -> str:
        """Return the newest commit."""
        return self.commits[-1]

    def commit(
        self,
        files: Mapping[str, bytes | None],
        message: str = "Change",
        *,
        modes: Mapping[str, str] | None = None,
        parent: str | None = None,
    ) -> str:
        """Add a commit that writes these files (None removes one) and return its id.

        ``parent`` takes another commit than the newest: then ``main`` is moved to the new branch of history. A file
        with mode ``SYMLINK`` or ``SUBMODULE`` holds its target.
        """
        before = parent or (self.head if self.commits else None)
        when = f"{START + 3600 * len(self.commits)} +0000"
        text = message.encode()
        stream = [b"commit refs/heads/main\n", f"author {AUTHOR} {when}\ncommitter {AUTHOR} {when}\n".encode()]
        stream += [b"data %d\n%s\n" % (len(text), text)]
        stream += [f"from {before}\n".encode()] if before else []
        for path, content in sorted(files.items()):
            mode = (modes or {}).get(path, "100644")
            if content is None:
                stream.append(f"D {path}\n".encode())
            elif mode == SUBMODULE:
                stream.append(f"M {mode} {content.decode()} {path}\n".encode())
            else:
                stream.append(f"M {mode} inline {path}\ndata {len(content)}\n".encode() + content + b"\n")
        git(self.path, "fast-import", "--quiet", "--force", stdin=b"".join(stream))
        self.commits.append(self.rev_parse("refs/heads/main"))
        return self.head

    def rename(self, old: str, new: str, message: str = "Move") -> str:
        """Add a commit that moves one file as it is."""
        return self.commit({old: None, new: self.read(old)}, message)

    def tag(self, name: str, *, annotated: bool = False, commit: str = "") -> str:
        """Return name a commit (the newest); returns the id of the commit or, where annotated, of the tag object."""
        words = ["tag", "--force", *(["-a", "-m", name] if annotated else []), name, commit or self.head]
        git(self.path, *words, env=_person("COMMITTER"))
        return self.rev_parse(f"refs/tags/{name}")

    def rev_parse(self, name: str) -> str:
        """Return the object id that a name denotes."""
        return git(self.path, "rev-parse", "--verify", name).decode().strip()

    def read(self, path: str, commit: str = "") -> bytes:
        """Return a file's content at a commit (the newest)."""
        return git(self.path, "cat-file", "blob", f"{commit or self.head}:{path}")

    def blob(self, path: str, commit: str = "") -> str:
        """Return a file's blob id at a commit (the newest)."""
        return self.rev_parse(f"{commit or self.head}:{path}")

    def refs(self) -> bytes:
        """Return all refs and what they name."""
        return git(self.path, "for-each-ref")

    def format_patch(self, before: str, after: str, message: str = "Change\n\nReason: local-policy\n") -> bytes:
        """Return the change from one commit to another as ``git format-patch`` writes it in the series' canonical
        form.
        """
        env = _person("AUTHOR") | _person("COMMITTER")
        tree = self.rev_parse(after + "^{tree}")
        commit = git(self.path, "commit-tree", tree, "-p", before, "-F", "-", stdin=message.encode(), env=env)
        words = (
            "--stdout",
            "-1",
            "--keep-subject",
            "--full-index",
            "--zero-commit",
            "--no-signature",
            "--no-stat",
            "-M",
        )
        return git(self.path, "format-patch", *words, commit.decode().strip())

    def patch(
        self, files: Mapping[str, bytes | None], message: str = "Change", *, base: str = "", **more: dict[str, str]
    ) -> bytes:
        """Return a patch that makes this change on ``base`` (the newest commit); the upstream is left as it was."""
        start, main = base or self.head, self.head
        after = self.commit(files, parent=start, **more)
        self.commits.pop()
        git(self.path, "update-ref", "refs/heads/main", main)
        return self.format_patch(start, after, message)

    def component(self, **values: object) -> Component:
        """Return a component of upstream.toml that pins the newest commit."""
        defaults = {"name": "fake", "repository": str(self.path), "commit": self.head, "release": "v1.0"}
        return Component(**(defaults | values))  # type: ignore[arg-type]


def _person(role: str) -> dict[str, str]:
    name, email = AUTHOR.removesuffix(">").split(" <")
    return {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": email, f"GIT_{role}_DATE": f"{START} +0000"}


def standard(subject: str, base: str, **fields: str) -> str:
    """Return a commit message by the header standard: ``standard("Do it", pin, Upstream_Status="Pending")``; ""
    leaves out.
    """
    values = {
        "Reason": "local-policy",
        "Forwarded": "not-needed",
        "Upstream-Status": "Inappropriate only for us",
        "Base": base,
        "Evidence": "tests/test_it.py::test_it",
        "Last-Update": "2023-11-15",
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    block = "".join(f"{name}: {value}\n" for name, value in values.items() if value)
    return f"{subject}\n\nUpstream does this, and we want that.\n\n{block}"


def write_project(root: Path, upstream: FakeUpstream, **component: str) -> Path:
    """Return a project that pins the upstream's newest commit as component ``fake``, with the test that patches
    name; ``component`` has further keys, or other values, as TOML.
    """
    keys = {"repository": f'"{upstream.path}"', "commit": f'"{upstream.head}"', "release": '"v1.0"'} | component
    table = "".join(f"{key} = {value}\n" for key, value in keys.items())
    text = f"""[project]
name = "fake"
revision = 1
node = 24
[component.fake]
{table}[tree.next]
fake = "{upstream.head}"
"""
    return write_files(root, {"upstream.toml": text, "tests/test_it.py": "def test_it():\n    assert True\n"})


def write_series(folder: Path, patches: Mapping[str, bytes], removals: str = "") -> Path:
    """Return a component's patch folder: the patches in this order, and ``remove.list`` where there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in patches.items():
        (folder / name).write_bytes(content)
    (folder / "series").write_text("".join(f"{name}\n" for name in patches), "utf-8")
    if removals:
        (folder / "remove.list").write_text(removals, "utf-8")
    return folder


def write_files(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """Write files below a folder (made where it is missing)."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder
