"""The subcommand ``assess``: its actions, their exit codes and their answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hardener.assessment import result, run
from hardener.cli import main as cli
from support import assessed
from support.assessed import NOW

if TYPE_CHECKING:
    from support.assessed import Service


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return assessed.finished(tmp_path_factory.mktemp("cli"))


@pytest.fixture(scope="module")
def done(made: Service) -> run.Assessed:
    return run.bundle(made.order(), NOW)


def test_the_command_line_gives_the_exit_code_and_the_result(
    made: Service, done: run.Assessed, capsys: pytest.CaptureFixture[str]
) -> None:
    out = made.folder / "cli"
    words = ["assess", "bundle", str(made.site), "--project", str(made.root), "--out", str(out), "--json", "-q"]
    assert cli.main(words) == 12
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["worst"]) == (result.SCHEMA, "grey")
    assert cli.main(["assess", "diff", str(done.folder), str(done.folder), "-q"]) == 0
    assert cli.main(["assess", "diff", str(done.folder), str(out), "-q"]) == 7
    compared = ["assess", "compare", str(done.folder), str(out), "--out", str(made.folder / "both"), "-q"]
    assert cli.main([*compared, "--project", str(made.root)]) == 0
    assert {path.name for path in (made.folder / "both").iterdir()} == {"comparison.en.html", "comparison.de.html"}
    assert cli.main(["assess", "init", str(made.folder / "new.toml"), "--language", "de", "-q"]) == 0
    assert cli.main(["assess", "bundle", "-q"]) == 2
    assert cli.main(["assess", "compare", str(done.folder), "-q"]) == 2


def test_an_interrupted_visit_names_the_option_that_resumes_it(
    made: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_arguments: object) -> run.Assessed:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "service", interrupted)
    words = ["assess", "service", "https://meet.example.org", "--project", str(made.root)]
    assert cli.main(words) == 130
    assert "--resume" in capsys.readouterr().err
