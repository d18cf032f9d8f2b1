"""A small project to lift: two upstreams, of which the site asks for the other one as upstream does, and their series.

From v1 to v2 the site's upstream does one of everything: it moves lines, changes a line that a patch changes, takes a
patch over, renames a file, changes a file that an overlay replaces, and removes one that remove.list removes.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from support.fakes import FILES, FakeUpstream, lines, write_files, write_series

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TAKEN, OURS, THEIRS = "taken by upstream", "ours", "theirs"
README, README2, OWN = b"# Fake Meet\n", b"# Fake Meet 2\n", b"# Ours\n"
WORKER = b"new worker\n"
UTIL2 = FILES["src/util.js"] + b"export const four = 4;\n"


def message(subject: str, **fields: str) -> str:
    """Return a patch's message with the header that the standard asks for."""
    known = {
        "Reason": "local-policy",
        "Forwarded": "not-needed",
        "Upstream-Status": "Inappropriate a test",
        "Base": "0" * 40,
        **fields,
        "Evidence": f"tests/e2e/test_x.py::test_{subject.split(maxsplit=1)[0].lower()}",
        "Last-Update": "2020-01-01",
    }
    return f"{subject}\n\nWhy this is.\n\n" + "".join(f"{name}: {value}\n" for name, value in known.items())


def manifest(lib: str) -> dict[str, bytes]:
    """Return the site's package.json and lock, which ask for a release of the library."""
    url = f"https://example.org/lib/releases/download/{lib}/lib.tgz"
    lock = {"packages": {"": {}, "node_modules/lib-fake": {"version": "0.0.0", "resolved": url}}}
    return {
        "package.json": json.dumps({"dependencies": {"lib-fake": url}}).encode(),
        "package-lock.json": json.dumps(lock).encode(),
        ".nvmrc": b"v24\n",
    }


class World:
    """Both upstreams and a project, a git repository, that pins their v1."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.lib = FakeUpstream.with_release(folder / "lib.git")
        self.lib1 = self.lib.head
        self.lib.tag(f"v1.0.0+{self.lib1[:8]}")
        self.lib2 = self.lib.commit({"src/app.js": b"// new\n" + lines()}, "Head line")
        self.lib.tag(f"v2.0.0+{self.lib2[:8]}")
        three = {f"src/{name}.js": lines() for name in "abc"}
        self.site = FakeUpstream(folder / "site.git")
        self.site1 = self.site.commit(FILES | three | manifest(f"v1.0.0+{self.lib1[:8]}"), "Release 1")
        self.site.tag("stable/site_101")
        self.site.commit({"src/a.js": b"// a\n// b\n" + lines()}, "Two lines on top of a")
        self.culprit = self.site.commit({"src/b.js": lines(l12=THEIRS)}, "Say it in their words")
        self.site.commit({"src/b.js": lines(l12=THEIRS, l29="elsewhere")}, "A line far away")
        self.taker = self.site.commit({"src/c.js": lines(l7=TAKEN)}, "Take the patch over")
        self.site.commit({"src/util.js": None, "src/lib/util.js": UTIL2}, "Move util")
        self.site.commit({"README.md": README2, "static/old.html": None}, "Tidy up")
        self.site2 = self.site.commit(manifest(f"v2.0.0+{self.lib2[:8]}") | {"src/worker.js": WORKER}, "Release 2")
        self.site.tag("stable/site_102")
        self._project()

    def copy(self, root: Path) -> World:
        """Return the same world with a copy of the project."""
        other = copy.copy(self)
        other.root = shutil.copytree(self.root, root)
        return other

    def patches(self) -> Mapping[str, bytes]:
        """Return the site's series, on v1."""

        def patch(subject: str, path: str, content: bytes) -> bytes:
            return self.site.patch({path: content}, message(subject), base=self.site1)

        return {
            "moves.patch": patch("Moves", "src/a.js", lines(l20=OURS)),
            "conflicts.patch": patch("Conflicts", "src/b.js", lines(l12=OURS)),
            "taken.patch": patch("Taken", "src/c.js", lines(l7=TAKEN)),
            "follows.patch": patch("Follows", "src/util.js", FILES["src/util.js"].replace(b"two = 2", b"two = 22")),
        }

    def _project(self) -> None:
        write_files(
            self.root,
            {
                "upstream.toml": f"""# The pin.
[project]
name = "fake"
revision = 3 # raise it
node = 24

[component.lib]
repository = "{self.lib.path}"
commit = "{self.lib1}" # the library
release = "v1.0.0"
ref = "refs/tags/v1.0.0+{self.lib1[:8]}"
package = "lib-fake"

[component.site]
repository = "{self.site.path}"
commit = "{self.site1}"
release = "2.0.101"
ref = "refs/tags/stable/site_101"
needs = ["lib"]
exclude = ["android"]

[tree.next]
site = "{self.site2}"
lib = "{self.lib2}"
""",
                "overlays/site/README.md": OWN,
                "overlays/site/src/worker.js": b"no worker\n",
                "overlays/site/overlays.toml": f"""# Ours.

[[file]]
path = "README.md"
action = "replace"
replaces = "{self.site.blob("README.md", self.site1)}"
reason = "Our name"

# For the next release.
[[file]]
path = "src/worker.js"
action = "replace"
replaces = "{self.site.blob("src/worker.js", self.site2)}"
only = ["next"]
reason = "No worker"
""",
                ".gitignore": ".work/\n",
                "patches/README.md": "# Patches\n",
            },
        )
        write_series(self.root / "patches" / "site", self.patches(), "static/old.html # old\n")
        base = {"src/app.js": lines(l20=OURS)}
        write_series(
            self.root / "patches" / "lib", {"library.patch": self.lib.patch(base, message("Library"), base=self.lib1)}
        )
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "A Maintainer")
        self.git("config", "user.email", "maintainer@example.org")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=Begin")

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Run plain git, as a person types it (in the project), and return what it printed."""
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or self.root,
            capture_output=True,
            check=False,
            text=True,
            env={**os.environ, "GIT_EDITOR": "true"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def tree(self, component: str = "site") -> Path:
        """Return where a person resolves."""
        return self.root / ".work" / "lift" / component

    def read(self, name: str) -> str:
        """Return a file of the project."""
        return (self.root / name).read_text("utf-8")

    def files(self) -> dict[str, bytes]:
        """Return all that a lift may write."""
        tops = (
            self.root / "upstream.toml",
            *sorted((self.root / "patches").rglob("*")),
            *sorted((self.root / "overlays").rglob("*")),
        )
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in tops if path.is_file()}

    def subjects(self) -> list[str]:
        """Return the project's commits since its first one, oldest first."""
        return self.git("log", "--reverse", "--format=%s").splitlines()[1:]
