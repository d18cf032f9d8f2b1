"""upstream/submit/export.py, upstream/submit/message.py, upstream/submit/lint.py: one patch as upstream would like to
have it.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from hardener import config
from hardener.errors import OverlayError, PatchError, UsageError
from hardener.series.extras import layers_of
from hardener.series.lint import lint
from hardener.system import node
from hardener.system.process import run
from hardener.upstream.submit import export as upstreaming
from hardener.upstream.submit import lint as upstream_lint
from hardener.upstream.submit.export import Exported, find, upstream
from support.fakes import FakeUpstream, git, lines, write_files, write_project, write_series

pytestmark = pytest.mark.processes

FIELDS = "Reason: upstreamable\nForwarded: no\nUpstream-Status: Pending\nEvidence: tests/e2e/test_x.py::test_y\n"
WHY = "Apply ours\n\nUpstream does this, which is wrong.\n\n"


@pytest.fixture
def project(upstream: FakeUpstream, tmp_path: Path) -> config.Project:
    """Four patches for the release; upstream's branch is one commit further."""
    upstream.commit({"src/app.js": lines(l30="last")}, "feat(src): last line")
    before = upstream.head
    hooked = lines(l15="import { ours } from './hardener/ours';", l30="last")
    series = {
        "plain.patch": upstream.patch({"src/app.js": lines(l5="five", l30="last")}, WHY + FIELDS),
        "stacked.patch": stacked(upstream, before),
        "hook.patch": upstream.patch(
            {"src/app.js": hooked},
            WHY + FIELDS + "Overlay: src/hardener/ours.js as src/base/ours.js, static/old.html\n",
        ),
        "secret.patch": upstream.patch({"src/util.js": b"safe\n"}, WHY + FIELDS + "Security: yes\n"),
        "policy.patch": upstream.patch({"README.md": b"# ours\n"}, WHY + "Reason: local-policy\n"),
    }
    root = write_files(
        write_project(tmp_path / "project", upstream, exclude='["android"]'),
        {
            "overlays/fake/src/hardener/ours.js": "import { one } from '../util';\nexport const ours = one;\n",
            "overlays/fake/overlays.toml": '[[file]]\npath = "src/hardener/ours.js"\naction = "add"\nreason = "ours"\n',
        },
    )
    write_series(root / "patches" / "fake", series, "static/old.html # old\n")
    git(upstream.path, "update-ref", "refs/heads/main", upstream.head)
    upstream.commit({"src/app.js": b"// new\n" + lines(l30="last")}, "feat(src): head")
    return config.load(root)


def stacked(upstream: FakeUpstream, base: str) -> bytes:
    """Return a patch that fits on plain.patch only."""
    plain = upstream.commit({"src/app.js": lines(l5="five", l30="last")}, parent=base)
    upstream.commits.pop()
    change = {"src/app.js": lines(l5="FIVE", l30="last")}
    content = upstream.patch(change, WHY + FIELDS + "Requires: plain\n", base=plain)
    git(upstream.path, "update-ref", "refs/heads/main", base)
    return content


def export(project: config.Project, name: str, **options: object) -> Exported:
    """Export without upstream's tools."""
    return upstream(project, name, {}, linting=False, **options)  # type: ignore[arg-type]


def in_tree(done: Exported, *words: str) -> str:
    """Return what git says in the exported work tree."""
    return run(["git", *words], cwd=done.tree).text


class TestBranch:
    """The branch that is made."""

    def test_one_commit_on_upstreams_branch_with_this_patch_alone(
        self, project: config.Project, upstream: FakeUpstream
    ) -> None:
        done = export(project, "plain")
        assert (done.base, done.status.value, done.files) == (upstream.head, "offset", ("src/app.js",))
        assert in_tree(done, "log", "--format=%H", "-2").split() == [done.commit, upstream.head]
        assert in_tree(done, "branch", "--show-current") == "hardener/plain"
        assert in_tree(done, "status", "--porcelain") == ""
        assert in_tree(done, "diff", "--numstat", "HEAD^", "HEAD") == "1\t1\tsrc/app.js"

    def test_message_in_upstreams_convention_without_our_fields(self, project: config.Project) -> None:
        done = export(project, "plain")
        assert (
            in_tree(done, "log", "-1", "--format=%B") == "fix(src): apply ours\n\nUpstream does this, which is wrong."
        )
        assert export(project, "plain", subject="feat(x): other").subject == "feat(x): other"
        path = project.root / "patches/fake/plain.patch"
        path.write_bytes(path.read_bytes().replace(b"Subject: Apply ours", b"Subject: feat(other): apply ours"))
        assert export(project, "plain").subject == "feat(other): apply ours", "it follows the convention already"

    def test_excluded_folders_stay_away_and_git_sees_no_change(self, project: config.Project) -> None:
        done = export(project, "plain")
        assert (done.tree / "src" / "app.js").exists()
        assert not (done.tree / "android").exists()

    def test_overlay_files_go_where_the_field_says_and_imports_follow(self, project: config.Project) -> None:
        done = export(project, "hook")
        assert done.files == ("src/app.js", "src/base/ours.js", "static/old.html")
        assert "import { ours } from './base/ours';" in (done.tree / "src" / "app.js").read_text("utf-8")
        assert (done.tree / "src" / "base" / "ours.js").read_text("utf-8").startswith("import { one } from '../util';")
        assert not (done.tree / "static" / "old.html").exists()

    def test_mail_bundle_and_text_hold_the_commit(
        self, project: config.Project, upstream: FakeUpstream, tmp_path: Path
    ) -> None:
        done = export(project, "hook")
        clone = tmp_path / "clone"
        run(["git", "clone", "--quiet", upstream.path, clone])
        fetched = run(["git", "fetch", "--quiet", done.folder / "hook.bundle", done.branch], cwd=clone)
        assert fetched.status == 0, fetched.complaint
        assert run(["git", "rev-parse", "FETCH_HEAD"], cwd=clone).text == done.commit
        person = {"GIT_COMMITTER_NAME": "c", "GIT_COMMITTER_EMAIL": "c@c.example"}
        applied = run(["git", "am", "--quiet", done.folder / "hook.mbox"], cwd=clone, env=person)
        assert applied.status == 0, applied.complaint
        assert run(["git", "rev-parse", "HEAD^{tree}"], cwd=clone).text == in_tree(done, "rev-parse", "HEAD^{tree}")
        text = (done.folder / "pull-request.md").read_text("utf-8")
        assert text.startswith("# fix(src): apply ours\n")
        for wanted in ("which is wrong", "src/base/ours.js", "not run yet", "`test_y`", "licence agreement"):
            assert wanted in text
        assert "tests/e2e" not in text

    def test_again_is_the_same_and_somebodys_work_is_spared(self, project: config.Project) -> None:
        done = export(project, "plain")
        assert export(project, "plain").commit == done.commit
        (done.tree / "src" / "app.js").write_text("mine\n", "utf-8")
        with pytest.raises(UsageError, match="a person has worked on") as caught:
            export(project, "plain")
        assert "--force" in caught.value.hint
        run(["git", "-c", "user.name=a", "-c", "user.email=a@a.example", "commit", "-qam", "mine"], cwd=done.tree)
        with pytest.raises(UsageError, match="a person has worked on"):
            export(project, "plain")
        assert export(project, "plain", force=True).commit == done.commit

    def test_onto_another_branch_or_commit(self, project: config.Project, upstream: FakeUpstream) -> None:
        done = export(project, "plain", onto=upstream.commits[1])
        assert (done.base, done.status.value) == (upstream.commits[1], "clean")
        with pytest.raises(UsageError, match="no-such is not in"):
            export(project, "plain", onto="no-such")


OPTIONS = b"var config = {\n    // Enables it.\n    // enableIt: true,\n    other: 1\n};\n"
FEATURE = b"import { IT } from './names';\n\nexport const LIMIT = 5;\nexport const on = config.enableIt;\n"


class TestRemarks:
    """Questions of a reviewer, each with the change that it is about; the control is a change that raises none."""

    @pytest.fixture
    def feature(self, project: config.Project, upstream: FakeUpstream) -> FakeUpstream:
        """Return upstream with a documented feature, its tests, a second user and an app."""
        files = {
            "config.js": OPTIONS,
            "src/feature.ts": FEATURE,
            "src/feature.spec.ts": b"import { on } from './feature';\n",
            "src/names.ts": b"export const IT = 'it';\n",
            "src/user.ts": b"import { LIMIT } from './feature';\n",
            "src/app.native.ts": b"import { IT } from './names';\n",
        }
        upstream.commit(files, "feat(src): feature")
        return upstream

    def asked(self, project: config.Project, content: bytes) -> Exported:
        """Export this patch."""
        folder = project.root / "patches/fake"
        write_files(folder, {"asked.patch": content, "series": (folder / "series").read_text() + "asked.patch\n"})
        return export(project, "asked")

    @pytest.mark.parametrize(
        ("files", "said"),
        [
            ({"src/feature.ts": FEATURE.replace(b"config.enableIt", b"false")},
             "src/feature.ts no longer reads enableIt, which config.js documents: upstream will ask for a switch"),
            ({"src/feature.ts": FEATURE.replace(b"LIMIT = 5", b"LIMIT = 7")},
             "LIMIT of src/feature.ts changes; it is also used by src/user.ts"),
            ({"src/feature.ts": FEATURE + b"more();\n"},
             "src/feature.ts has a unit test, src/feature.spec.ts, which the patch does not extend"),
            ({"src/names.ts": None, "src/feature.ts": FEATURE.replace(b"import { IT } from './names';\n", b"")},
             "src/app.native.ts imports ./names: src/names.ts is removed"),
            ({"src/user.ts": b"// overlays/fake/overlays.toml has it\n"},
             "src/user.ts names overlays/fake/overlays.toml, which is a path of our repository"),
            ({"src/user.ts": b"export const hardener = 1;\n"}, "src/user.ts names hardener: export const hardener = 1;"),
        ],
    )  # fmt: skip
    def test_each_is_asked(
        self, project: config.Project, feature: FakeUpstream, files: dict[str, bytes | None], said: str
    ) -> None:
        content = feature.patch(files, WHY + FIELDS)
        done = self.asked(project, content)
        assert said in done.remarks
        assert f"- To settle: {said}." in (done.folder / "pull-request.md").read_text("utf-8")

    def test_a_change_without_any_is_not_asked_about(self, project: config.Project, feature: FakeUpstream) -> None:
        content = feature.patch({"src/names.ts": b"export const IT = 'it';\nfine();\n"}, WHY + FIELDS)
        assert self.asked(project, content).remarks == ()

    def test_the_message_is_read_as_well(self, project: config.Project, feature: FakeUpstream) -> None:
        why = WHY.replace("is wrong", "is wrong (patches/fake/series)")
        content = feature.patch({"src/names.ts": b"export const IT = 'it';\nfine();\n"}, why + FIELDS)
        assert self.asked(project, content).remarks == (
            "the message names patches/fake/series, which is a path of our repository",
        )


class TestRefusals:
    """What does not go out."""

    def test_security_relevant_ones_are_held_back_until_disclosed(self, project: config.Project) -> None:
        with pytest.raises(UsageError, match="is not exported") as caught:
            export(project, "secret")
        assert "--disclosed" in caught.value.hint
        assert not (project.work / "upstream").exists()
        assert export(project, "secret", disclosed=True).files == ("src/util.js",)

    def test_local_policy_stays_here(self, project: config.Project) -> None:
        with pytest.raises(UsageError, match="is not for upstream"):
            export(project, "policy", disclosed=True)

    def test_one_that_needs_another_does_not_stand_alone(self, project: config.Project) -> None:
        with pytest.raises(
            PatchError, match=r"does not apply without the others .* conflict.* requires plain"
        ) as caught:
            export(project, "stacked")
        assert caught.value.exit_code == 5

    def test_one_that_upstream_has_says_so(self, project: config.Project, upstream: FakeUpstream) -> None:
        upstream.commit({"src/app.js": b"// new\n" + lines(l5="five", l30="last")}, "Taken")
        with pytest.raises(PatchError, match="merged-upstream"):
            export(project, "plain")

    def test_an_unknown_name_gets_the_nearest(self, project: config.Project) -> None:
        with pytest.raises(UsageError) as caught:
            find(project, "plian")
        assert caught.value.hint == "did you mean plain.patch?"

    @pytest.mark.parametrize(
        ("field", "said"),
        [
            ("Overlay: src/hardener/none.js", "which overlays.toml neither adds"),
            ("Overlay: static/never.html", "which overlays.toml neither adds"),
        ],
    )
    def test_an_overlay_that_is_not_there(self, project: config.Project, field: str, said: str) -> None:
        path = project.root / "patches" / "fake" / "hook.patch"
        content = path.read_bytes().decode()
        start = content.index("Overlay:")
        path.write_text(content[:start] + field + content[content.index("\n", start) :], "utf-8")
        with pytest.raises(OverlayError, match=said):
            export(project, "hook")


def test_check_refuses_an_overlay_that_is_nowhere(project: config.Project, upstream: FakeUpstream) -> None:
    (layer,) = layers_of(project, project.site)
    path = layer.patches / "hook.patch"

    def findings() -> list[str]:
        judged = lint(project.site, upstream.path, project.site.commit, layer, dt.date(2026, 11, 24))
        return [finding.text for finding in judged.findings if finding.rule == "overlay"]

    assert findings() == []
    path.write_bytes(path.read_bytes().replace(b"Overlay: src/hardener/ours.js", b"Overlay: src/hardener/none.js"))
    (said,) = findings()
    assert said.startswith("Overlay names src/hardener/none.js, which is neither in")


LOCK = {
    "lockfileVersion": 3,
    "packages": {
        "": {
            "dependencies": {"here": "1.0.0", "tarball": "https://forge.example/t.tgz"},
            "devDependencies": {"eslint": "8.0.0"},
        },
        "node_modules/here": {"version": "1.0.0", "resolved": "https://r.example/here/-/here-1.0.0.tgz"},
        "node_modules/tarball": {
            "version": "2.0.0",
            "resolved": "https://forge.example/t.tgz",
            "dependencies": {"deep": "1"},
        },
        "node_modules/tarball/node_modules/inner": {"version": "1.0.0"},
        "node_modules/deep": {"version": "1.0.0", "resolved": "https://r.example/deep/-/deep-1.0.0.tgz"},
        "node_modules/eslint": {
            "version": "8.0.0",
            "resolved": "https://r.example/eslint/-/eslint-8.0.0.tgz",
            "dependencies": {"nested": "1"},
        },
        "node_modules/eslint/node_modules/nested": {
            "version": "1.0.0",
            "resolved": "https://r.example/nested/-/nested-1.0.0.tgz",
            "dependencies": {"here": "1"},
        },
    },
}


class TestTools:
    """Upstream's linter and type checker."""

    def test_installed_is_upstreams_lock_less_what_no_registry_serves(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: dict[str, bytes] = {}

        def stored(files: dict[str, bytes]) -> Path:
            asked.update(files)
            return tmp_path / "store" / "node_modules"

        monkeypatch.setattr(node, "stored_modules", stored)
        manifest = LOCK["packages"][""] | {"name": "x", "scripts": {"postinstall": "rm -rf /"}}
        write_files(tmp_path, {"package.json": json.dumps(manifest), "package-lock.json": json.dumps(LOCK)})
        _, absent = upstream_lint._modules(tmp_path)
        assert absent == ("tarball",)
        assert sorted(json.loads(asked["package-lock.json"])["packages"]) == [
            "",
            "node_modules/eslint",
            "node_modules/eslint/node_modules/nested",
            "node_modules/here",
        ]
        assert "scripts" not in json.loads(asked["package.json"])
        assert json.loads(asked["package.json"])["dependencies"] == {"here": "1.0.0"}

    def test_only_what_the_change_adds_counts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand-ins for the tools print what they find in the tree, one complaint a line of a file."""
        modules = write_files(
            tmp_path / "store" / "node_modules",
            {
                "eslint/bin/eslint.js": """
                    const fs = require('fs');
                    const files = process.argv.slice(process.argv.indexOf('--') + 1);
                    if (process.argv.includes('--fix'))
                        files.forEach(f => fs.writeFileSync(f, fs.readFileSync(f, 'utf8').replace('bad two', 'good')));
                    console.log(JSON.stringify(files.map(f => ({ filePath: require('path').resolve(f),
                        messages: fs.readFileSync(f, 'utf8').split('\\n').filter(l => l.startsWith('bad'))
                            .map((l, i) => ({ ruleId: 'no-bad', message: l, line: i })) }))));""",
                "typescript/bin/tsc": """
                    const bad = require('fs').readFileSync('a.ts', 'utf8').split('\\n').filter(l => l.startsWith('bad'));
                    bad.forEach((l, i) => console.log(`a.ts(${i + 1},1): error TS1: ${l}`));
                    process.exit(bad.length ? 2 : 0);""",
            },
        )
        monkeypatch.setattr(upstream_lint, "_modules", lambda _tree: (modules, ("tarball",)))
        tree = tmp_path / "tree"
        contents = {"base": "bad one\ngood\n", "change": "good\nbad one\nbad two\n", "fine": "bad one\n"}

        def switch(to: str) -> None:
            write_files(tree, {"a.ts": contents[to]})

        for change, new in (("change", ("a.ts: no-bad: bad two", "a.ts: TS1: bad two")), ("fine", ())):
            switch(change)
            verdicts, absent = upstream_lint.lint(
                tree, ["a.ts", "gone.ts", "x.css"], "tsconfig.json", switch, "base", change
            )
            assert tuple(complaint for verdict in verdicts for complaint in verdict.new) == new
            assert [verdict.old for verdict in verdicts] == [1, 1]
            assert [verdict.green for verdict in verdicts] == [not new, not new]
            assert absent == ("tarball",)
            assert (tree / "a.ts").read_text("utf-8") == contents[change]
            assert not (tree / "node_modules").exists()
        verdicts, _ = upstream_lint.lint(tree, ["a.ts"], "tsconfig.json", switch, "base", "fine", fix=True)
        assert (tree / "a.ts").read_text("utf-8") == contents["fine"], "what upstream has is upstream's"
        switch("change")
        verdicts, _ = upstream_lint.lint(tree, ["a.ts"], "tsconfig.json", switch, "base", "change", fix=True)
        assert all(verdict.green for verdict in verdicts)
        assert (tree / "a.ts").read_text("utf-8") == "good\nbad one\ngood\n"

    def test_the_apps_are_type_checked_and_moved_imports_are_sorted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Stand-ins: eslint wants sorted lines and has another complaint, which stays; tsc fails for the apps only."""
        modules = write_files(
            tmp_path / "store" / "node_modules",
            {
                "eslint/bin/eslint.js": """
                    const fs = require('fs'), words = process.argv;
                    const rules = { 'import/order': 'error', 'no-bad': 'error' };
                    if (words.includes('--print-config')) {
                        console.log(JSON.stringify({ parser: 'p', rules }));
                        process.exit();
                    }
                    const files = words.slice(words.indexOf('--') + 1);
                    if (words.includes('--fix')) {
                        const config = JSON.parse(fs.readFileSync(words[words.indexOf('--config') + 1]));
                        const only = JSON.stringify(config.rules) === JSON.stringify({ 'import/order': 'error' });
                        files.forEach(f => only && config.root && fs.writeFileSync(
                            f, fs.readFileSync(f, 'utf8').trim().split('\\n').sort().join('\\n') + '\\n'));
                    }
                    console.log(JSON.stringify(files.map(f => {
                        const lines = fs.readFileSync(f, 'utf8').trim().split('\\n');
                        const messages = lines.filter(l => l.startsWith('bad')).map(l => ({ ruleId: 'no-bad', message: l }));
                        if (lines.join() !== [ ...lines ].sort().join())
                            messages.push({ ruleId: 'import/order', message: 'sort it' });
                        return { filePath: require('path').resolve(f), messages };
                    })));""",
                "typescript/bin/tsc": """
                    if (!process.argv.includes('tsconfig.native.json')) process.exit(0);
                    const bad = require('fs').readFileSync('a.ts', 'utf8').includes('web only');
                    if (bad) console.log('a.ts(1,1): error TS2: no such thing in an app');
                    process.exit(bad ? 2 : 0);""",
            },
        )
        monkeypatch.setattr(upstream_lint, "_modules", lambda _tree: (modules, ()))
        tree = write_files(tmp_path / "tree", {"tsconfig.native.json": "{}"})
        contents = {"base": "import a\n", "change": "import b // web only\nimport a\nbad\n"}

        def switch(to: str) -> None:
            write_files(tree, {"a.ts": contents[to]})

        switch("change")
        verdicts, _ = upstream_lint.lint(tree, ["a.ts"], "tsconfig.web.json", switch, "base", "change")
        assert [(verdict.scope, verdict.new) for verdict in verdicts] == [
            ("1 changed file(s)", ("a.ts: no-bad: bad",)),
            ("tsconfig.web.json", ()),
            ("tsconfig.native.json", ("a.ts: TS2: no such thing in an app",)),
        ]
        assert (tree / "a.ts").read_text("utf-8").splitlines() == ["bad", "import a", "import b // web only"]

    def test_what_eslint_mends_becomes_part_of_the_commit(
        self, project: config.Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def mending(tree: Path, *_: object, fix: bool) -> tuple[tuple[()], tuple[()]]:
            if fix:
                (tree / "README.md").write_text("mended\n", "utf-8")
            return (), ()

        monkeypatch.setattr(upstreaming, "lint", mending)
        plain = upstream(project, "plain", {})
        mended = upstream(project, "plain", {}, fix=True)
        assert mended.commit != plain.commit
        assert in_tree(mended, "log", "-2", "--format=%H").split() == [mended.commit, mended.base]
        assert in_tree(mended, "status", "--porcelain") == ""
        assert (mended.folder / "plain.mbox").read_text("utf-8").count("+mended") == 1
        assert upstream(project, "plain", {}, fix=True).commit == mended.commit

    def test_what_is_left_out_need_not_be_there_to_commit(
        self, project: config.Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A source without the excluded files (a partial clone, a mirror with gaps) will do, for a person as well."""
        source = Path(project.site.repository)
        blob = git(source, "rev-parse", "HEAD:android/Main.java").decode().strip()
        (source / "objects" / blob[:2] / blob[2:]).unlink()

        def mending(tree: Path, *_: object, **__: bool) -> tuple[tuple[()], tuple[()]]:
            (tree / "README.md").write_text("mended\n", "utf-8")
            return (), ()

        monkeypatch.setattr(upstreaming, "lint", mending)
        mended = upstream(project, "plain", {}, fix=True)
        person = ("-c", "user.name=Mia", "-c", "user.email=mia@example.org")
        in_tree(mended, *person, "commit", "--quiet", "--amend", "--reset-author", "--no-edit")
        assert in_tree(mended, "log", "-1", "--format=%an") == "Mia"
