"""upstream/drift/matrix.py, upstream/drift/cells.py, upstream/drift/ages.py, upstream/releases.py, git/history.py:
the series against upstream's releases, without a checkout.
"""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import hypothesis.strategies as st
import pytest

from hardener import config
from hardener.errors import PinError, StackError, UnreachableError, UsageError
from hardener.git.history import open_history
from hardener.git.repository import Index, Repository
from hardener.git.trees import Trees
from hardener.series import patch
from hardener.series.apply import Status, try_apply
from hardener.series.lists import read_series
from hardener.upstream.drift import report
from hardener.upstream.drift.ages import DAY, Turn
from hardener.upstream.drift.cells import Engine
from hardener.upstream.drift.matrix import drift
from hardener.upstream.releases import named_commit
from support.fakes import EXECUTABLE, SUBMODULE, SYMLINK, FakeUpstream, git, lines, write_files, write_series

if TYPE_CHECKING:
    from hardener.upstream.drift.matrix import Drift, Row

pytestmark = pytest.mark.processes

UTIL = b"export const one = 1;\nexport const two = 2;\nexport const three = 3;\n"
HOSTILE = '<img src=x onerror="alert(1)">'
LETTERS = {letter: status for status, letter in report.LETTERS.items()}


@pytest.fixture
def project(upstream: FakeUpstream, tmp_path: Path) -> config.Project:
    """Provide an upstream with six releases, and a patch of line 15 written for the fifth: every state but a clean
    one occurs.

    v1.0 has the change already, in v1.1 the file is called differently, in v1.2 it is not there, in v1.3 a person
    else changed the line, in v1.4 (the pin) it fits, in v1.5 it fits further down.
    """
    upstream.commit({"src/app.js": lines(l15="ours")}, "Ours")
    upstream.tag("v1.0")
    upstream.commit({"src/app.js": None, "src/app.ts": lines(l3="typed")}, "To TypeScript")
    upstream.tag("v1.1")
    upstream.commit({"src/app.ts": None}, "Away with it")
    upstream.tag("v1.2", annotated=True)
    upstream.commit({"src/app.js": lines(l15="theirs")}, "Theirs")
    upstream.tag("v1.3")
    upstream.commit({"README.md": b"# changed\n"}, "Unrelated")
    upstream.commit({"src/app.js": lines()}, "As it was")
    upstream.tag("v1.4")
    return pinned(upstream, tmp_path, "v1.4")


def pinned(upstream: FakeUpstream, tmp_path: Path, tag: str, **patches: bytes) -> config.Project:
    """Return a project at the newest commit, with a patch of line 15 or with these; then one more release."""
    series = {f"{name}.patch": content for name, content in patches.items()}
    series = series or {"ours.patch": upstream.patch({"src/app.js": lines(l15="ours")}, "Ours\n\nReason: build\n")}
    text = f"""[project]
name = "fake"
revision = 1
node = 24
[component.fake]
repository = "{upstream.path}"
commit = "{upstream.head}"
release = "v1"
ref = "refs/tags/{tag}"
"""
    root = write_files(tmp_path / "project", {"upstream.toml": text})
    write_series(root / "patches" / "fake", series)
    upstream.commit({"src/app.js": lines(l1="one\nmore")}, "More at the top")
    upstream.tag("v1.5")
    return config.load(root)


def look(project: config.Project, *names: str, between: str = "", **options: bool) -> Drift:
    """Return the matrix, from the repository that upstream.toml names."""
    return drift(project, {}, names, between, **options)


def only(result: Drift) -> Row:
    """Return the one row."""
    (row,) = result.rows
    return row


class TestMatrix:
    """What is in the cells."""

    def test_every_state_is_told_apart(self, project: config.Project) -> None:
        result = look(project)
        assert [release.label for release in result.releases] == ["v1.0", "v1.1", "v1.2", "v1.3", "v1.4", "pin", "v1.5"]
        assert report.strip(only(result)) == "mv-X··o"
        cells = only(result).cells
        assert [cell.detail for cell in cells[:4]] == [
            "the tree has this change already",
            "src/app.js is now src/app.ts",
            "src/app.js",
            "hunk at src/app.js:12",
        ]
        assert cells[-1].offsets == (1,)

    def test_no_work_tree_and_no_file_is_written_at_the_source(
        self, project: config.Project, upstream: FakeUpstream
    ) -> None:
        before = sorted(path for path in upstream.path.rglob("*") if path.is_file())
        look(project)
        assert sorted(path for path in upstream.path.rglob("*") if path.is_file()) == before

    def test_equal_cells_are_computed_once_and_not_at_all_the_second_time(
        self, project: config.Project, upstream: FakeUpstream
    ) -> None:
        first = look(project)
        # v1.4 and the pin are one tree, so that six of seven are different.
        assert (first.size, first.distinct) == (7, 6)
        assert first.computed >= 6
        again = look(project)
        assert (again.computed, again.rows, again.releases) == (0, first.rows, first.releases)
        upstream.commit({"README.md": b"# again\n"}, "Nothing that matters")
        upstream.tag("v1.6")
        grown = look(project)
        assert (grown.computed, grown.size) == (0, 8)

    def test_a_changed_patch_is_looked_at_anew(self, project: config.Project, upstream: FakeUpstream) -> None:
        look(project)
        other = upstream.patch({"src/app.js": lines(l1="one\nmore", l20="other")}, "Other\n\nReason: build\n")
        (project.root / "patches" / "fake" / "ours.patch").write_bytes(other)
        result = look(project)
        assert result.computed > 0
        assert report.strip(only(result)) == "ov-ooo·"

    def test_since_and_broke_name_release_and_commit(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        upstream.commit({"src/app.js": lines(l15="theirs")}, "Theirs")
        upstream.tag("v1.3")
        upstream.commit({"src/app.js": lines(l15="theirs", l30="last")}, "At the end")
        made = upstream.commit({"src/app.js": lines(l30="last")}, "As it was")
        upstream.commit({"src/app.js": lines()}, "The end as it was")
        upstream.tag("v1.4")
        project = pinned(upstream, tmp_path, "v1.4")
        upstream.commit({"src/app.js": lines(l2="two\nmore")}, "More again")
        broke = upstream.commit({"src/app.js": lines(l15="theirs")}, "Theirs again")
        upstream.commit({"src/app.js": lines(l15="theirs", l30="last")}, "At the end again")
        upstream.tag("v1.6")
        row = only(look(project))
        assert (row.since.release, row.since.commit, row.since.subject) == ("v1.4", made, "As it was")
        assert (row.broke.release, row.broke.commit, row.broke.subject) == ("v1.6", broke, "Theirs again")

    def test_a_patch_that_never_fitted_has_no_turns(self, project: config.Project) -> None:
        row = only(look(project, "v1.2", "v1.3"))
        assert (row.since, row.broke, [cell.fits for cell in row.cells]) == (None, None, [False, False])

    def test_burden_is_lines_times_commits_a_year(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        for number in range(6):
            upstream.commit({"src/util.js": UTIL + b"// %d\n" % number}, "Churn")
        row = only(
            look(
                pinned(
                    upstream,
                    tmp_path,
                    "v1.0",
                    two=upstream.patch({"src/util.js": UTIL}, "Two\n\nReason: build\n"),
                ),
                "pin",
            )
        )
        # One line goes; six changes and the commit that made the file, within the last two years.
        assert (row.lines, row.churn, row.burden) == (1, 3.5, 3.5)


class TestTrees:
    """Trees are read once, and git is asked only where it could say yes."""

    def test_they_hold_what_ls_tree_says(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        """Regular files with their mode, of several commits at once; links and submodules are not files."""
        first = upstream.head
        modes = {"link": SYMLINK, "sub": SUBMODULE, "a/b/run.sh": EXECUTABLE}
        files = {"link": b"/etc/passwd", "sub": first.encode(), "a/b/run.sh": b"#!/bin/sh\n", "a/\u00e4 b.js": b"x\n"}
        second = upstream.commit(files, "Of each kind", modes=modes)
        history = open_history(pinned(upstream, tmp_path, "v1").site, ())
        trees = Trees(history, lambda path, _blob: not path.startswith("lang/"))

        trees.read([first, second, first])

        for commit in (first, second):
            listed = {path: entry for path, entry in history.entries(commit).items() if not path.startswith("lang/")}
            assert trees.files(commit) == listed
        assert trees.files(second)["a/b/run.sh"].mode == EXECUTABLE
        assert not {"link", "sub"} & trees.files(second).keys()

    def test_git_is_not_asked_about_a_file_that_is_not_there(
        self, project: config.Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Moved and gone are determined without a process; where the file is there, one is needed (the control)."""
        history = open_history(project.site, ())
        series = [patch.read(path) for path in read_series(project.patches(project.site))]
        engine = Engine(history, series, {})
        monkeypatch.setattr(Index, "git", lambda *_, **__: pytest.fail("git was asked"))

        cells = engine.fill([history.refs["refs/tags/v1.1"], history.refs["refs/tags/v1.2"]])

        assert [cell["ours.patch"].status for cell in cells.values()] == [Status.MOVED, Status.GONE]
        with pytest.raises(pytest.fail.Exception, match="git was asked"):
            engine.fill([history.refs["refs/tags/v1.3"]])

    def test_a_file_that_a_patch_removes_and_that_is_gone_is_merged(
        self, upstream: FakeUpstream, tmp_path: Path
    ) -> None:
        """Its absence is the change itself; a file that is made and is there already is, too."""
        away = upstream.patch({"src/util.js": None, "src/new.js": b"new\n"}, "Move\n\nReason: build\n")
        project = pinned(upstream, tmp_path, "v1", ours=away)
        upstream.commit({"src/util.js": None, "src/new.js": b"new\n"}, "They do it, too")
        upstream.tag("v1.6")

        result = look(project, "v1.5", "v1.6")

        assert [cell and cell.status for cell in only(result).cells] == [Status.CLEAN, Status.MERGED]


class TestStack:
    """Patches that build on others."""

    def test_each_is_tried_on_what_the_earlier_ones_that_fit_make(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        first = upstream.patch({"src/app.js": lines(l9="nine")}, "First\n\nReason: build\n")
        between = upstream.commit({"src/app.js": lines(l9="nine")})
        upstream.commits.pop()
        second = upstream.patch({"src/app.js": lines(l9="NINE")}, "Second\n\nReason: build\n", base=between)
        git(upstream.path, "update-ref", "refs/heads/main", upstream.head)
        project = pinned(upstream, tmp_path, "v1.0", first=first, second=second)
        upstream.commit({"src/app.js": lines(l9="theirs")}, "Theirs")
        upstream.tag("v1.6")
        result = look(project, "pin", "v1.6")
        assert [report.strip(row) for row in result.rows] == ["·X", "·X"]
        assert [row.cells[1].behind for row in result.rows] == [(), ("first.patch",)]
        again = look(project, "pin", "v1.6", "v1.5")
        assert [report.strip(row) for row in again.rows] == ["·oX", "·oX"]

    @hypothesis.settings(max_examples=12, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
    @hypothesis.given(data=st.data())
    def test_a_build_says_the_same_of_every_cell(
        self, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """The oracle: the applier on a full index of the whole tree, for random trees and stacked random patches."""
        folder = tmp_path_factory.mktemp("oracle")
        upstream = FakeUpstream.with_release(folder / "upstream.git")
        base = upstream.head
        numbers = st.integers(1, 30)
        edits = data.draw(st.lists(st.tuples(numbers, st.sampled_from("ab")), min_size=1, max_size=4))
        series, state, before = {}, {}, base
        for place, (number, word) in enumerate(edits):
            state[f"l{number}"] = f"{word}{number}"
            after = upstream.commit({"src/app.js": lines(**state)}, parent=before)
            upstream.commits.pop()
            diff = git(upstream.path, "diff", before, after)
            if diff:
                series[f"p{place}.patch"] = upstream.format_patch(before, after)
            before = after
        git(upstream.path, "update-ref", "refs/heads/main", base)
        patches = write_series(folder / "patches", series)
        theirs = st.lists(st.tuples(numbers, st.sampled_from(("", "ab", "a", "x\ny"))), max_size=5)
        for _ in range(4):
            words = {f"l{n}": f"{w}{n}" if w in ("a", "b") else w for n, w in data.draw(theirs)}
            where = data.draw(st.sampled_from(("src/app.js", "src/app.ts", "lib/app.js")))
            upstream.commit({"src/app.js": None, "src/app.ts": None, "lib/app.js": None} | {where: lines(**words)})
        history = open_history(upstream.component(), [str(upstream.path)])
        read = [patch.read(path) for path in read_series(patches)]
        cells = Engine(history, read, {}).fill(upstream.commits)
        for commit in upstream.commits:
            expected = {
                result.name: (result.status, result.offsets, result.detail)
                for result in try_apply("fake", upstream.path, commit, patches).results
            }
            assert {n: (c.status, c.offsets, c.detail) for n, c in cells[commit].items()} == expected


class TestReleases:
    """Which trees are looked at."""

    def test_a_range_holds_both_ends(self, project: config.Project) -> None:
        labels = [release.label for release in look(project, between="v1.1..v1.3").releases]
        assert labels == ["v1.1", "v1.2", "v1.3"]
        assert [release.label for release in look(project, between="v1.4..").releases] == ["v1.4", "v1.5"]

    def test_other_tags_are_no_releases_unless_every_one_is_wanted(
        self, upstream: FakeUpstream, tmp_path: Path
    ) -> None:
        project = pinned(upstream, tmp_path, "stable/meet_1")
        upstream.tag("stable/meet_2")
        upstream.tag("stable/meet_${VERSION}")
        upstream.commit({"README.md": b"# x\n"})
        upstream.tag("meet_3")
        assert [r.label for r in look(project).releases] == ["pin", "stable/meet_2"]
        assert [r.label for r in look(project, every=True).releases] == ["pin", "stable/meet_2", "meet_3"]

    @pytest.mark.parametrize("between", ["v1.1", "..", "a..b", "v1.1...", ""])
    def test_a_malformed_range_is_a_usage_error(self, project: config.Project, between: str) -> None:
        if not between:
            assert look(project).releases
            return
        with pytest.raises(UsageError, match=r"is not A\.\.B"):
            look(project, between="x" if between == "v1.1..." else between)

    def test_an_empty_range_and_an_unknown_ref_are_usage_errors(self, project: config.Project) -> None:
        with pytest.raises(UsageError, match="no release is in that range") as empty:
            look(project, between="v7.0..v8.0")
        assert "--source" in empty.value.hint
        with pytest.raises(UsageError, match=r"'v9\.9' is not a tag, branch or commit of fake") as caught:
            look(project, "v9.9")
        assert "--source" in caught.value.hint

    def test_a_commit_that_no_source_has_is_noted(self, project: config.Project) -> None:
        text = (project.root / "upstream.toml").read_text("utf-8")
        missing = "0123456789" * 4
        (project.root / "upstream.toml").write_text(text + f'[tree.next]\nfake = "{missing}"\n', "utf-8")
        result = look(config.load(project.root))
        assert result.notes == (f"next: no source has commit {missing[:12]} of fake",)
        assert "next" not in [release.label for release in result.releases]

    @pytest.mark.parametrize(
        "named",
        [
            "github:fake/lib#{commit}",
            "https://forge.example/fake/lib/releases/download/v1.0/lib.tgz",
            "https://forge.example/fake/lib/releases/download/v9.0.0+{short}/lib.tgz",
        ],
    )
    def test_the_library_is_the_one_that_package_json_names(self, upstream: FakeUpstream, named: str) -> None:
        wanted = upstream.head
        upstream.commit({"README.md": b"# later\n"})
        text = json.dumps({"dependencies": {"lib": named.format(commit=wanted, short=wanted[:8])}}).encode()
        history = open_history(upstream.component(), [str(upstream.path)])
        assert named_commit(text, "lib", history) == wanted

    @pytest.mark.parametrize(
        "text", [b"", b"[]", b'{"dependencies": {"lib": "1.2.3"}}', b'{"dependencies": {"lib": "x#no"}}']
    )
    def test_what_names_no_commit_is_none(self, upstream: FakeUpstream, text: bytes) -> None:
        history = open_history(upstream.component(), [str(upstream.path)])
        assert named_commit(text, "lib", history) is None

    def test_two_components_move_together(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        library = FakeUpstream.with_release(tmp_path / "library.git")
        old = library.head
        library.commit({"src/util.js": UTIL.replace(b"1", b"11")}, "Other")
        for tag, commit in (("v2.0", old), ("v2.1", library.head)):
            upstream.commit({"package.json": json.dumps({"dependencies": {"lib": f"x#{commit}"}}).encode()})
            upstream.tag(tag)
        text = f"""[project]
name = "fake"
revision = 1
node = 24
[component.library]
repository = "{library.path}"
commit = "{library.head}"
release = "v1"
package = "lib"
[component.fake]
repository = "{upstream.path}"
commit = "{upstream.head}"
release = "v2.1"
ref = "refs/tags/v2.1"
needs = ["library"]
"""
        root = write_files(tmp_path / "project", {"upstream.toml": text})
        change = library.patch({"src/util.js": UTIL.replace(b"1", b"eleven")}, "C\n\nReason: build\n", base=old)
        write_series(root / "patches" / "library", {"c.patch": change})
        result = look(config.load(root))
        assert [release.label for release in result.releases] == ["v1.0", "v2.0", "v2.1", "pin"]
        assert report.strip(only(result)) == " ·XX"


class TestSources:
    """Where history comes from."""

    def test_what_one_source_lacks_another_may_have(
        self, project: config.Project, upstream: FakeUpstream, tmp_path: Path
    ) -> None:
        bare = tmp_path / "pin-only.git"
        git(bare, "init", "--quiet", "--bare")
        git(bare, "fetch", "--quiet", "--no-tags", str(upstream.path), "refs/heads/main:refs/heads/main")
        alone = drift(project, {"fake": [str(bare)]})
        assert [release.label for release in alone.releases] == ["pin"]
        both = drift(project, {"fake": [str(bare), str(upstream.path)]})
        assert len(both.releases) == 7

    def test_a_folder_without_a_repository_is_code_4(self, project: config.Project, tmp_path: Path) -> None:
        with pytest.raises(UnreachableError, match="is not a git repository") as caught:
            drift(project, {"fake": [str(tmp_path)]})
        assert (caught.value.exit_code, "--source" in caught.value.hint) == (4, True)

    def test_a_shallow_clone_is_refused_with_the_command_that_deepens_it(
        self, project: config.Project, upstream: FakeUpstream, tmp_path: Path
    ) -> None:
        shallow = tmp_path / "shallow.git"
        git(shallow, "init", "--quiet", "--bare")
        git(shallow, "fetch", "--quiet", "--depth=1", f"file://{upstream.path}", "main:main")
        with pytest.raises(PinError, match="is a shallow clone") as caught:
            drift(project, {"fake": [str(shallow)]})
        assert "--unshallow" in caught.value.hint

    def test_a_url_is_fetched_without_files_and_files_follow_when_needed(
        self, project: config.Project, upstream: FakeUpstream, cache_home: Path
    ) -> None:
        result = drift(project, {"fake": [f"file://{upstream.path}"]})
        assert report.strip(only(result)) == "mv-X··o"
        here = Repository(cache_home / "history" / "fake.git").output(
            "cat-file", "--batch-all-objects", "--batch-check=%(objectname)"
        )
        assert upstream.blob("src/app.js") in here
        assert upstream.blob("static/old.html") not in here

    def test_a_url_is_asked_again_with_fetch_only(self, project: config.Project, upstream: FakeUpstream) -> None:
        where = {"fake": [f"file://{upstream.path}"]}
        assert len(drift(project, where).releases) == 7
        upstream.commit({"README.md": b"# newer\n"})
        upstream.tag("v1.6")
        assert len(drift(project, where).releases) == 7
        result = drift(project, where, fetch=True)
        assert result.releases[-1].label == "v1.6"
        assert "--fetch" in result.notes[0]

    def test_a_url_is_not_asked_for_a_detail(self, upstream: FakeUpstream, tmp_path: Path) -> None:
        """Without ``ask`` there is what an earlier command has brought: at first nothing."""
        component = upstream.component()
        url = [f"file://{upstream.path}"]
        assert not open_history(component, url, ask=False).refs
        brought = open_history(component, url).refs
        assert brought
        assert open_history(component, url, ask=False).refs == brought

    def test_a_url_that_is_not_there_is_code_4(self, project: config.Project, tmp_path: Path) -> None:
        with pytest.raises(UnreachableError) as caught:
            drift(project, {"fake": [f"file://{tmp_path}/nothing.git"]})
        assert caught.value.exit_code == 4

    def test_a_file_that_no_source_has_is_an_error_not_a_conflict(
        self, project: config.Project, upstream: FakeUpstream
    ) -> None:
        blob = upstream.blob("src/app.js")
        for pack in (upstream.path / "objects" / "pack").glob("*.pack"):
            content = pack.read_bytes()
            pack.unlink()
            pack.with_suffix(".idx").unlink()
            git(upstream.path, "unpack-objects", "-q", stdin=content)
        (upstream.path / "objects" / blob[:2] / blob[2:]).unlink()
        with pytest.raises(StackError) as caught:
            look(project)
        assert "--source" in caught.value.hint


class _Page(HTMLParser):
    """Counts what matters of the heat map."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))


class TestReport:
    """The heat map."""

    def test_it_loads_and_runs_nothing_and_every_cell_has_words(self, project: config.Project) -> None:
        text = report.html(look(project), 'Drift of <"us">')
        page = _Page(text)
        assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object"}
        assert "url(" not in text
        assert "://" not in text
        assert "default-src 'none'" in text
        assert "Drift of &lt;&#34;us&#34;&gt;" in text
        cells = [attributes for tag, attributes in page.tags if tag == "td" and "colspan" in attributes]
        assert sum(int(cell["colspan"]) for cell in cells) == 7
        assert [cell["class"] for cell in cells] == [
            "merged-upstream",
            "target-moved",
            "target-gone",
            "conflict",
            "clean",
            "offset",
        ]
        assert cells[3]["title"] == "v1.3: conflict: hunk at src/app.js:12"
        assert cells[4]["title"] == "v1.4 to pin: clean"
        assert {attributes["scope"] for tag, attributes in page.tags if tag == "th"} == {"row", "col", "colgroup"}

    def test_hostile_values_are_escaped(self, project: config.Project) -> None:
        drift = look(project)
        row = replace(drift.rows[0], component=HOSTILE, patch=HOSTILE, subject=HOSTILE)
        cells = tuple(cell and replace(cell, detail=HOSTILE) for cell in row.cells)
        row = replace(row, broke=Turn(HOSTILE, "a" * 40, HOSTILE), cells=cells)
        releases = tuple(replace(release, label=HOSTILE) for release in drift.releases)
        drift = replace(drift, rows=(row,), releases=releases, notes=(HOSTILE,))
        text = report.html(drift, HOSTILE)
        assert "<img" not in text
        assert 'onerror="' not in text
        assert text.count("&lt;img src=x") > 10

    def test_all_states_have_a_letter_and_a_colour(self) -> None:
        assert set(report.LETTERS) == set(Status)
        assert len(set(report.LETTERS.values())) == len(Status)
        template = (Path(report.__file__).parent / "templates/report.html").read_text("utf-8")
        assert all(f".{status.value}{{" in template for status in Status)

    def test_json_is_the_whole_matrix(self, project: config.Project) -> None:
        answer = json.loads(json.dumps(look(project).as_json()))
        assert answer["cells"]["all"] == 7
        assert [cell["status"] for cell in answer["rows"][0]["cells"]][:2] == ["merged-upstream", "target-moved"]
        assert answer["releases"][1]["when"] - answer["releases"][0]["when"] < DAY
