"""delta: what upstream brings between two trees; every detector is shown something that it has to find."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from hardener.cli import main
from hardener.errors import ScanError
from hardener.git.history import open_history
from hardener.upstream.delta import detectors, diff, lockfile, report
from support.fakes import FakeUpstream, write_files, write_project

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.upstream.delta.diff import ComponentDelta

OLD = {
    "src/app.ts": b"export const known = 'https://known.example/a';\nawait fetch(known);\n",
    "src/other.ts": b"// see https://elsewhere.example/\nuse(config.oldSwitch);\n",
    "config.js": b"var config = {\n    // oldSwitch: true,\n};\n",
    "react/configType.ts": b"export interface IConfig {\n    old?: {\n        inner?: boolean;\n    };\n}\n",
    "react/configWhitelist.ts": b"export default [\n    'oldSwitch'\n];\n",
}
# detector -> file, what is added to it, the value that is reported
PLANTED = {
    "hosts": ("src/app.ts", "const u = 'wss://tracker.example/x';", "tracker.example"),
    "fetch": ("src/app.ts", "const r = await window.fetch(url);", "constr=awaitwindow.fetch(url);"),
    "xhr": ("src/app.ts", "const x = new XMLHttpRequest();", "constx=newXMLHttpRequest();"),
    "websocket": ("src/app.ts", "new WebSocket(u);", "newWebSocket(u);"),
    "beacon": ("src/app.ts", "navigator.sendBeacon(u);", "navigator.sendBeacon(u);"),
    "eventsource": ("src/app.ts", "new EventSource(u);", "newEventSource(u);"),
    "script": ("src/page.html", '<script src="x.js"></script>', '<scriptsrc="x.js"></script>'),
    "worker": ("src/app.ts", "const w = new Worker(u);", "constw=newWorker(u);"),
    "frame": ("src/app.ts", "window.open(u);", "window.open(u);"),
    "rtc": ("src/app.ts", "new RTCPeerConnection({});", "newRTCPeerConnection({});"),
    "eval": ("src/app.ts", "new Function(text)();", "newFunction(text)();"),
    "config": ("config.js", "    // newSwitch: 'x',", "newSwitch"),
    "config-type": (
        "react/configType.ts",
        "export interface IMore {\n    deep?: {\n        newSwitch?: string;\n    };\n}",
        "deep.newSwitch",
    ),
    "whitelist": ("react/configWhitelist.ts", "'newSwitch',", "newSwitch"),
    "option": ("src/app.ts", "if (options.config?.testing?.newSwitch) {}", "config.testing.newSwitch"),
}


def compared(folder: Path, after: dict[str, bytes | None]) -> ComponentDelta:
    """Return what is new when an upstream with OLD makes this change."""
    upstream = FakeUpstream(folder / "upstream.git")
    old = upstream.commit(OLD, "Old")
    new = upstream.commit(after, "New")
    component = upstream.component(exclude=("android",))
    return diff.compare_trees(open_history(component, [str(upstream.path)]), component, old, new)


class TestDetectors:
    """Each finds its target."""

    def test_all_are_planted_here(self):
        """A detector without a line of its own in this file would be untested."""
        assert set(PLANTED) == {detector.name for detector in detectors.DETECTORS}

    @pytest.mark.parametrize("name", PLANTED)
    def test_planted_line_is_found_and_placed(self, tmp_path, name):
        """With file and line, as something that the old tree does not have."""
        path, text, value = PLANTED[name]
        before = OLD.get(path, b"")

        delta = compared(tmp_path, {path: before + text.encode() + b"\n"})

        fresh = [addition for addition in delta.fresh[name] if addition.place.value == value]
        assert [(addition.place.path, addition.unknown) for addition in fresh] == [(path, True)]
        lines = (before.decode() + text).split("\n")
        assert lines[fresh[0].place.line - 1].strip() == fresh[0].place.text

    @pytest.mark.parametrize("name", PLANTED)
    def test_control_of_a_blind_detector_fails_the_report(self, monkeypatch, name):
        """An empty report must not come from a pattern that matches nothing any more."""
        blind = tuple(
            dataclasses.replace(detector, find=lambda _path, _text: iter(())) if detector.name == name else detector
            for detector in detectors.DETECTORS
        )
        monkeypatch.setattr(detectors, "DETECTORS", blind)

        with pytest.raises(ScanError, match=name):
            detectors.try_controls()

    def test_ordinary_code_is_not_reported(self, tmp_path):
        """Methods that are called like what is looked for, imports of our own files, types."""
        text = b"this.fetch(x);\nimport('./own');\nimport(\n    /* webpackChunkName: 'x' */ './own');\nconst a: Promise<object> = b;\n"

        delta = compared(tmp_path, {"src/new.ts": text})

        assert not any(fresh for fresh in delta.fresh.values())


class TestTrees:
    """New means: not in the old tree."""

    def test_same_tree_brings_nothing(self, tmp_path):
        """A change that touches none of it gives an empty report."""
        delta = compared(tmp_path, {"src/app.ts": OLD["src/app.ts"] + b"const x = 1;\n"})

        assert not any(delta.fresh.values())
        assert not any(delta.gone.values())
        assert (delta.commits, delta.files) == (1, 1)

    def test_moved_lines_are_not_new(self, tmp_path):
        """Code that goes to another file brings no new call."""
        delta = compared(tmp_path, {"src/app.ts": None, "src/moved.ts": OLD["src/app.ts"]})

        assert not any(delta.fresh.values())

    def test_second_place_of_a_known_host(self, tmp_path):
        """Is reported, but not as unknown: a file that did not change names it."""
        delta = compared(tmp_path, {"src/app.ts": OLD["src/app.ts"] + b"go('https://elsewhere.example/');\n"})

        assert [(addition.place.value, addition.unknown) for addition in delta.fresh["hosts"]] == [
            ("elsewhere.example", False)
        ]

    def test_what_the_build_never_reads_is_left_out(self, tmp_path):
        """A mobile app's hosts are not ours."""
        delta = compared(tmp_path, {"android/a.ts": b"fetch('https://mobile.example/');\n"})

        assert not any(delta.fresh.values())

    def test_gone(self, tmp_path):
        """What is not there any more is named."""
        delta = compared(tmp_path, {"src/app.ts": b"\n", "react/configWhitelist.ts": b"export default [];\n"})

        assert delta.gone["hosts"] == ("known.example",)
        assert delta.gone["whitelist"] == ("oldSwitch",)


def lock(**entries: dict[str, object]) -> str:
    """Return a lock with these packages from the usual registry."""
    known = {
        f"node_modules/{name}": {
            "version": "1.0.0",
            "resolved": f"https://registry.example/{name}-1.0.0.tgz",
            "integrity": "sha512-x",
        }
        | entry
        for name, entry in entries.items()
    }
    return json.dumps({"packages": {"": {}} | known})


class TestPackages:
    """Locks."""

    BEFORE = lock(a={}, b={})

    def compare(self, after: str) -> lockfile.Packages:
        return lockfile.compare({lockfile.LOCK: self.BEFORE}, {lockfile.LOCK: after})

    def test_same(self):
        """Nothing."""
        assert self.compare(self.BEFORE) == lockfile.Packages()

    def test_new_name_and_new_version(self):
        """A package of a new name is listed, one in another version counted."""
        after = lock(a={"version": "2.0.0", "resolved": "https://registry.example/a-2.0.0.tgz"}, c={})

        found = self.compare(after)

        assert (found.new, found.changed, found.gone) == (("c 1.0.0",), 1, ("b",))

    def test_from_elsewhere(self):
        """Another host than the usual registry is named, with what comes from there."""
        found = self.compare(lock(a={}, b={}, c={"resolved": "git+ssh://git@forge.example/c.git#1"}))

        assert found.hosts == ("forge.example",)
        assert found.foreign == ("c 1.0.0 from git+ssh://git@forge.example/c.git#1",)

    def test_without_integrity_and_with_script(self):
        """Both are named."""
        found = self.compare(lock(a={}, b={}, c={"integrity": ""}, d={"hasInstallScript": True, "dev": True}))

        assert found.unlocked == ("c 1.0.0",)
        assert found.scripts == ("d 1.0.0 (dev)",)

    def test_asked_for(self):
        """What package.json itself asks for again."""
        found = lockfile.compare({}, {lockfile.MANIFEST: json.dumps({"dependencies": {"x": "^1"}})})

        assert found.direct == ("x ^1",)


class TestSites:
    """Two built sites."""

    def test_hosts_and_calls_that_are_more(self, tmp_path):
        """Minified code is one line; its calls are counted nevertheless."""
        old = write_files(tmp_path / "old", {"app.js": b"a();fetch(b);const u='https://a.example'"})
        new = write_files(tmp_path / "new", {"app.js": b"a();fetch(b);fetch(c),new WebSocket('wss://b.example/')"})

        delta = diff.compare_sites(old, new)

        assert delta.hosts == {"b.example": (0, 1)}
        assert delta.calls == {"fetch": (1, 2), "websocket": (0, 1)}


class TestReport:
    """Markdown and JSON."""

    def test_markdown_cannot_be_broken_out_of(self, tmp_path):
        """Upstream's lines stay inside their code spans."""
        text = b"fetch(`x`); // `](https://evil.example)\n"

        delta = compared(tmp_path, {"src/new.ts": text})

        line = next(
            line for line in report.markdown("x", [delta]).split("\n") if "src/new.ts:1" in line and "fetch" in line
        )
        assert line.count("`") == 2

    def test_verb_writes_both_and_answers_in_json(self, tmp_path, capsys):
        """`hardener delta A B` by commits of the site."""
        upstream = FakeUpstream(tmp_path / "upstream.git")
        old = upstream.commit(OLD, "Old")
        new = upstream.commit({"src/app.ts": b"navigator.sendBeacon('https://tracker.example/');\n"}, "New")
        root = write_project(tmp_path / "project", upstream, commit=f'"{old}"', release='"v1"')

        code = main.main(["delta", "pin", new, "--project", str(root), "--json"])

        answer = json.loads(capsys.readouterr().out)
        assert code == 0
        assert [addition["place"]["value"] for addition in answer["components"][0]["fresh"]["hosts"]] == [
            "tracker.example"
        ]
        markdown = (root / ".work/delta" / f"v1..{new[:12]}.md").read_text("utf-8")
        assert "### sendBeacon" in markdown
        assert "tracker.example" in markdown
