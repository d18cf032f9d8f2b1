"""cli/main.py: arguments in, exit code out; human output on standard error, JSON on standard output."""

from __future__ import annotations

import argparse
import errno
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hardener import __version__
from hardener.cli import assess, doctor, main
from hardener.errors import PatchError
from hardener.pipeline import build
from support.fakes import FakeUpstream, lines, standard, write_files, write_project, write_series

if TYPE_CHECKING:
    from collections.abc import Iterator

VERBS = ("build", "check", "scan", "doctor", "clean")


@pytest.fixture(autouse=True)
def _process_state() -> Iterator[None]:
    """Put back what main() sets for the whole process."""
    handler, root = signal.getsignal(signal.SIGTERM), logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    signal.signal(signal.SIGTERM, handler)
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def project(upstream: FakeUpstream, tmp_path: Path) -> Path:
    """Return a project that pins the fake upstream."""
    return write_project(tmp_path / "project", upstream)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command; its exit code, standard output and standard error."""
    code = main.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


class TestUsage:
    """Command lines that are wrong, and help."""

    @pytest.mark.parametrize(
        "words",
        [
            (),
            ("no-such-verb",),
            ("build", "--no-such-option"),
            ("build", "--toolchain", "rollup"),
            ("scan",),
            ("check", "--tree"),
        ],
        ids=" ".join,
    )
    def test_a_wrong_command_line_is_code_2(self, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
        assert main.main(words) == 2
        out, err = capsys.readouterr()
        assert (out, err.startswith("error: "), "hint:  hardener" in err) == ("", True, True)

    def test_help_lists_all_verbs(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main.main(["--help"])
        assert caught.value.code == 0
        listed = [
            line.split()[0]
            for line in capsys.readouterr().out.splitlines()
            if line.startswith("    ") and line[4] != " "
        ]
        assert set(VERBS) <= set(listed)

    @pytest.mark.parametrize("verb", VERBS)
    def test_each_verb_explains_itself(self, capsys: pytest.CaptureFixture[str], verb: str) -> None:
        with pytest.raises(SystemExit) as caught:
            main.main([verb, "--help"])
        out = capsys.readouterr().out
        assert caught.value.code == 0
        assert all(option in out for option in ("--project", "--json", "--quiet", "--verbose"))

    @pytest.mark.parametrize("module", main.MODULES)
    def test_each_module_has_the_verbs_under_which_it_is_found(self, module: str) -> None:
        verbs: list[str] = []

        def verb(name: str, *_: object) -> argparse.ArgumentParser:
            verbs.append(name)
            return argparse.ArgumentParser()

        importlib.import_module(f"hardener.cli.{module}").register(verb, None, None)
        assert tuple(verbs) == main.MODULES[module]

    @pytest.mark.parametrize(
        ("words", "module", "loaded"),
        [
            ("build", "requests", False),
            ("attack", "requests", True),
            ("release", "jsonschema", False),
            ("assess", "jsonschema", False),
            ("--help", "unidiff", True),
            ("--version", "unidiff", False),
        ],
    )
    def test_what_takes_long_to_import_waits_until_it_is_needed(self, words: str, module: str, loaded: bool) -> None:
        """Those that are loaded are the control."""
        asks = (
            "import sys; from hardener.cli import main; main._parser([sys.argv[1]]); print(sys.argv[2] in sys.modules)"
        )
        found = subprocess.run([sys.executable, "-c", asks, words, module], check=True, capture_output=True, text=True)
        assert found.stdout.strip() == str(loaded)

    @pytest.mark.parametrize(
        ("words", "meant"),
        [
            (["biuld"], "build"),
            (["check-sever", "."], "check-server"),
            (["build", "--unpached"], "--unpatched"),
            (["build", "--toolchan=webpack"], "--toolchain"),
            (["build", "--toolchain", "webpak"], "webpack"),
        ],
    )
    def test_a_mistyped_word_gets_the_nearest_one(
        self, capsys: pytest.CaptureFixture[str], words: list[str], meant: str
    ) -> None:
        assert main.main(words) == 2
        assert f"did you mean {meant}?" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "words", [["--verbose", "doctor"], ["--project", "x", "doctor"], ["--project=x", "doctor"]]
    )
    def test_an_option_before_the_subcommand_is_explained(
        self, capsys: pytest.CaptureFixture[str], words: list[str]
    ) -> None:
        assert main.main(words) == 2
        err = capsys.readouterr().err
        assert "write it after the subcommand" in err
        assert "did you mean" not in err

    def test_an_option_of_another_subcommand_is_not_proposed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main.main(["sign", "KEY", "--signers", "FILE"]) == 2
        assert "did you mean --signers?" not in capsys.readouterr().err

    @pytest.mark.parametrize("option", ["--jsn", "--zzzzzz"])
    def test_a_mistyped_option_gets_the_help_of_its_subcommand(
        self, capsys: pytest.CaptureFixture[str], option: str
    ) -> None:
        assert main.main(["compare", option]) == 2
        assert "hardener compare --help" in capsys.readouterr().err

    def test_a_word_that_is_near_to_none_gets_the_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main.main(["frobnicate"]) == 2
        assert "hint:  hardener --help" in capsys.readouterr().err

    def test_the_version_is_said(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main.main(["--version"])
        assert capsys.readouterr().out == f"hardener {__version__}\n"


class TestErrors:
    """What goes wrong."""

    @pytest.mark.parametrize("verb", ["build", "check", "doctor", "clean"])
    def test_no_project_is_code_2_with_a_hint(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        code, out, err = run(capsys, verb)
        assert (code, out) == (2, "")
        assert "error: there is no upstream.toml" in err
        assert "hint:" in err

    def test_a_project_that_is_not_there_is_code_2(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        code, _, err = run(capsys, "build", "--project", tmp_path / "none")
        assert (code, "hint:" in err) == (2, True)

    def test_a_mistake_in_upstream_toml_is_code_3(self, capsys: pytest.CaptureFixture[str], project: Path) -> None:
        (project / "upstream.toml").write_text("[project]\n")
        code, _, err = run(capsys, "check", "--project", project)
        assert code == 3
        assert "'name' is missing" in err
        assert "Traceback" not in err

    def test_with_json_the_error_is_one_object_on_standard_output(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        error = PatchError("1 patch does not fit", hint="hardener check", details=("a.patch: conflict",))
        monkeypatch.setattr(build, "build", lambda *_: (_ for _ in ()).throw(error))
        code, out, err = run(capsys, "build", "--json", "--project", project)
        assert code == 5
        assert json.loads(out) == {
            "error": "1 patch does not fit",
            "hint": f"hardener check --project {project}",
            "details": ["a.patch: conflict"],
            "exit": 5,
        }
        assert "1 patch does not fit" in err

    def test_a_bug_is_code_70_with_its_traceback(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(build, "build", lambda *_: [][1])  # noqa: PLE0643
        code, out, err = run(capsys, "build", "--project", project)
        assert (code, out) == (70, "")
        assert "Traceback (most recent call last)" in err
        assert "[][1]" in err, "source lines are shown as they are"
        assert "IndexError" in err
        assert "bug in hardener" in err

    @pytest.mark.parametrize(
        "subcommand", [("verify",), ("sign", "KEY", "--dist"), ("check-server",), ("check", "--project")]
    )
    def test_a_path_that_the_system_refuses_is_code_2_with_the_path(
        self, capsys: pytest.CaptureFixture[str], subcommand: tuple[str, ...]
    ) -> None:
        code, _, err = run(capsys, *subcommand, "x" * 5000)
        assert code == 2
        assert "File name too long" in err
        assert "Traceback" not in err

    def test_a_file_in_the_place_of_a_folder_is_code_2(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        code, out, err = run(capsys, "check", "--json", "--project", tmp_path / "file")
        assert (code, json.loads(out)["exit"]) == (2, 2)
        assert f"{tmp_path}/file/upstream.toml: Not a directory" in err

    def test_a_file_in_the_place_of_a_folder_to_write_into_is_code_2(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = project / "upstream.toml"
        monkeypatch.setattr(build, "build", lambda *_: place.mkdir(exist_ok=True))
        code, _, err = run(capsys, "build", "--project", project)
        assert code == 2
        assert f"cannot read or write {place}: File exists" in err

    @pytest.mark.parametrize("below", ["", "report"])
    def test_a_place_of_the_command_line_that_cannot_be_made_is_code_2(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch, below: str
    ) -> None:
        place = Path("/proc/hardener")  # no folder can be made there
        monkeypatch.setattr(assess, "_bundle", lambda *_: (place / below).mkdir())
        code, _, err = run(capsys, "assess", "bundle", project, "--out", place, "--project", project)
        assert (code, "cannot read or write /proc/hardener" in err) == (2, True)

    @pytest.mark.parametrize(
        ("number", "code"),
        [(errno.ENOENT, 2), (errno.EINVAL, 2), (errno.ENODEV, 2), (errno.ENOSPC, 8), (errno.EDQUOT, 8)],
    )
    def test_a_place_named_from_here_is_found_and_a_full_disk_is_code_8(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
    ) -> None:
        def refuse(*_words: object) -> None:
            raise OSError(number, os.strerror(number), str(project / "out" / "report"))

        monkeypatch.chdir(project)
        monkeypatch.setattr(assess, "_bundle", refuse)
        found, _, err = run(capsys, "assess", "bundle", project, "--out", "out", "--project", project)
        assert (found, "Traceback" in err, "hint:" in err) == (code, False, True)

    def test_a_cache_that_cannot_be_made_is_code_2(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", "/proc/hardener/cache")
        code, _, err = run(capsys, "check", "--project", project)
        assert (code, "cannot read or write /proc/hardener" in err) == (2, True), err

    def test_a_missing_file_that_no_one_named_is_a_bug(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(assess, "_bundle", lambda *_: (tmp_path / "other").read_text())
        assert run(capsys, "assess", "bundle", project, "--project", project)[0] == main.BUG

    @pytest.mark.parametrize(
        "words",
        [
            ("assess", "init", "--language", "de", "FILE"),
            ("assess", "--language", "de", "init", "FILE"),
            ("assess", "init", "FILE", "--language", "de"),
        ],
    )
    def test_options_may_come_between_arguments(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...]
    ) -> None:
        path = tmp_path / "operator.toml"
        assert run(capsys, *(path if word == "FILE" else word for word in words))[0] == 0
        assert "Erklärung" in path.read_text("utf-8")

    def test_a_part_of_an_option_is_not_the_option(self, capsys: pytest.CaptureFixture[str], project: Path) -> None:
        code, _, err = run(capsys, "explain", "x", "--project", project, "--jso")
        assert code == 2
        assert "did you mean --json?" in err

    def test_a_file_that_may_not_be_read_is_code_2(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_words: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", "/srv/secret")

        monkeypatch.setattr(build, "build", refuse)
        code, _, err = run(capsys, "build", "--project", project)
        assert code == 2
        assert "/srv/secret: Permission denied" in err

    def test_an_interrupt_is_code_130(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(build, "build", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        code, out, err = run(capsys, "build", "--project", project)
        assert (code, out) == (130, "")
        assert "interrupted" in err
        assert "Traceback" not in err

    def test_a_request_to_terminate_is_an_interrupt(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(build, "build", lambda *_: signal.raise_signal(signal.SIGTERM))
        assert run(capsys, "build", "--project", project)[0] == 130

    @pytest.mark.parametrize("words", [("--upstream", "nope=/x"), ("--upstream", "fake")])
    def test_a_wrong_source_is_code_2(
        self, capsys: pytest.CaptureFixture[str], project: Path, words: tuple[str, ...]
    ) -> None:
        code, _, err = run(capsys, "check", "--project", project, *words)
        assert (code, "hint:" in err) == (2, True)


class TestCheck:
    """hardener check."""

    def test_a_series_that_fits(
        self, capsys: pytest.CaptureFixture[str], project: Path, upstream: FakeUpstream
    ) -> None:
        message = standard("Say nine", upstream.head)
        write_series(project / "patches/fake", {"a.patch": upstream.patch({"src/app.js": lines(l9="nine")}, message)})
        code, out, err = run(capsys, "check", "--json", "--project", project)
        assert code == 0, err
        assert "all patches and overlays fit; 2 upstream lines touched, 6 shown as context" in err
        assert json.loads(out)["components"] == [{"name": "fake", "base": upstream.head, "results": ["a.patch: clean"]}]

    def test_a_series_that_does_not_fit_is_code_5(
        self, capsys: pytest.CaptureFixture[str], project: Path, upstream: FakeUpstream
    ) -> None:
        base = upstream.commit({"src/app.js": lines(l9="other")})
        write_series(project / "patches/fake", {"a.patch": upstream.patch({"src/app.js": lines(l9="nine")}, base=base)})
        code, _, err = run(capsys, "check", "--project", project)
        assert code == 5
        assert "a.patch: conflict" in err

    def test_it_is_found_from_a_folder_below(
        self, capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (project / "docs").mkdir()
        monkeypatch.chdir(project / "docs")
        assert run(capsys, "check", "--quiet") == (0, "", "")

    def test_another_tree(self, capsys: pytest.CaptureFixture[str], project: Path) -> None:
        assert run(capsys, "check", "--tree", "next", "--project", project)[0] == 0

    def test_an_unknown_tree_is_code_2(self, capsys: pytest.CaptureFixture[str], project: Path) -> None:
        code, _, err = run(capsys, "check", "--tree", "nope", "--project", project)
        assert code == 2
        assert "hint:  the trees are: pin, next" in err


SDKS = '[[sdk]]\nname = "spy"\nreason = "it spies"\nfingerprints = ["spy.collect"]\n'


class TestScan:
    """hardener scan."""

    def test_a_site_that_is_clean(self, capsys: pytest.CaptureFixture[str], project: Path) -> None:
        write_files(project, {"hosts.toml": "", "sdks.toml": SDKS, "site/a.js": "x"})
        code, out, err = run(capsys, "scan", project / "site", "--json", "--project", project)
        assert (code, json.loads(out)["files"]) == (0, 1)
        assert json.loads(out)["sdks_excluded"] == ["spy"]
        assert "0 hosts in 1 files" in err

    def test_a_leak_is_code_7(self, capsys: pytest.CaptureFixture[str], project: Path) -> None:
        write_files(project, {"hosts.toml": "", "sdks.toml": SDKS, "site/a.js": "'https://t.evil.example'"})
        code, _, err = run(capsys, "scan", project / "site", "--project", project)
        assert code == 7
        assert "t.evil.example" in err
        assert "a.js:9" in err

    def test_an_sdk_is_code_7(self, capsys: pytest.CaptureFixture[str], project: Path) -> None:
        write_files(project, {"hosts.toml": "", "sdks.toml": SDKS, "site/a.js": "a();spy.collect()"})
        code, _, err = run(capsys, "scan", project / "site", "--project", project)
        assert code == 7
        assert "spy: fingerprint 'spy.collect' in a.js:4" in err

    def test_a_proposal_goes_to_standard_output(self, capsys: pytest.CaptureFixture[str], project: Path) -> None:
        write_files(project, {"site/a.js": "'https://t.evil.example'"})
        code, out, err = run(capsys, "scan", project / "site", "--propose", "--project", project)
        assert (code, err) == (0, "")
        assert 'host = "t.evil.example"' in out

    def test_what_is_no_folder_is_code_2(self, capsys: pytest.CaptureFixture[str], project: Path) -> None:
        write_files(project, {"hosts.toml": "", "sdks.toml": SDKS})
        assert run(capsys, "scan", project / "nope", "--project", project)[0] == 2


class TestClean:
    """hardener clean."""

    def test_the_work_area_goes_and_dist_stays(
        self, capsys: pytest.CaptureFixture[str], project: Path, cache_home: Path
    ) -> None:
        write_files(project, {".work/x": "", "dist/y": ""})
        write_files(cache_home, {"z": ""})
        code, out, _ = run(capsys, "clean", "--json", "--project", project)
        assert (code, json.loads(out)) == (0, {"removed": [str(project / ".work")]})
        assert not (project / ".work").exists()
        assert (project / "dist/y").exists()
        assert (cache_home / "z").exists()

    def test_the_cache_goes_when_it_is_asked_for(
        self, capsys: pytest.CaptureFixture[str], project: Path, cache_home: Path
    ) -> None:
        write_files(cache_home, {"z": ""})
        assert run(capsys, "clean", "--cache", "--project", project)[0] == 0
        assert not cache_home.exists()

    def test_a_folder_with_brackets_is_shown_as_it_is(self, capsys: pytest.CaptureFixture[str], project: Path) -> None:
        moved = project.rename(project.with_name("[old] project"))
        code, _, err = run(capsys, "clean", "--project", moved)
        assert (code, err) == (0, f"removed {moved / '.work'}\n")


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("optional", 0), ("missing", 8)])
def test_doctor_fails_for_what_a_build_needs(
    capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch, state: str, code: int
) -> None:
    finding = doctor.Finding("nginx", state, "not found", "apt-get install nginx-light")
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: (finding,))
    answer, out, err = run(capsys, "doctor", "--json", "--project", project)
    assert answer == code
    assert json.loads(out)["findings"] == [vars(finding)]
    assert "apt-get install nginx-light" in err


def test_serve_before_a_build_names_the_demo_where_it_is_built(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hints = []
    for _attempt in range(2):
        assert main.main(["serve", "--project", str(project)]) == 2
        hints.append(capsys.readouterr().err.partition("hint:  ")[2])
        write_files(project / ".work/demo/project/.work/hardened/site", {"index.html": "page"})
    shown = f"to show the demo: --project {project}/.work/demo/project"
    assert [shown in hint for hint in hints] == [False, True]
