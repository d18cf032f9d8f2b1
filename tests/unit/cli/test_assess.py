"""The subcommand ``assess``: its actions, their exit codes and their answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hardener.assessment import result, run
from hardener.assessment.catalogue import COLUMNS
from hardener.cli import assess
from hardener.cli import main as cli
from hardener.errors import BusyError
from hardener.system import locks
from support import assessed
from support.assessed import NOW

if TYPE_CHECKING:
    from hardener.assessment.service.visit import Plan
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


def test_a_comparison_says_for_which_columns_nothing_was_given(
    made: Service, done: run.Assessed, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = made.folder / "lacking.json"
    lacking.write_text(json.dumps(done.result | {"assessed": ["bundle"]}))
    words = ["assess", "compare", str(done.folder), str(lacking), "--out", str(made.folder / "two")]
    assert cli.main([*words, "--project", str(made.root)]) == 0
    shown = capsys.readouterr().err.partition("worst mandatory")[2]
    assert shown.count("not assessed") == len(COLUMNS) - 1


def test_a_visit_without_a_browser_says_so(
    made: Service, done: run.Assessed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = done.result["subject"] | {"kind": "service", "requests": {"sent": 1, "most": 2}}
    monkeypatch.setattr(run, "service", lambda *_: replace(done, result=done.result | {"subject": subject}))
    cli.main(["assess", "service", "https://meet.example.org", "--project", str(made.root)])
    assert "no visit with a browser: no running service was visited" in " ".join(capsys.readouterr().err.split())


def test_an_interrupted_visit_names_the_option_that_resumes_it(
    made: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_arguments: object) -> run.Assessed:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "service", interrupted)
    words = ["assess", "service", "https://meet.example.org", "--project", str(made.root)]
    assert cli.main(words) == 130
    said = capsys.readouterr().err
    assert "--resume" in said
    assert "resumes where it stopped" not in said


def test_visits_of_one_service_wait_for_each_other(made: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def visit(order: run.Order, plan: Plan, *_more: object) -> run.Assessed:
        with locks.lock(plan.kept.with_suffix(".lock"), wait=False):
            raise AssertionError("a second visit could begin")

    monkeypatch.setattr(run, "service", visit)
    assert (
        cli.main(["assess", "service", "https://meet.example.org", "--project", str(made.root)]) == BusyError.exit_code
    )


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    ("positionals", "option"),
    [
        (("service", "https://meet.example.org"), ("--room", "x")),
        (("bundle", "DIR"), ("--server", "x")),
        (("diff", "a"), ("--json",)),
    ],
)
def test_options_are_taken_before_between_and_after_the_positionals(
    positionals: tuple[str, ...],
    option: tuple[str, ...],
    place: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(assess, f"_{positionals[0]}", lambda given, _ui: seen.append(given) or {})
    words = [*positionals[:place], *option, *positionals[place:]]
    assert cli.main(["assess", *words]) == 0
    name = option[0].removeprefix("--")
    assert (seen[0].action, *seen[0].paths) == positionals
    assert getattr(seen[0], name) in ((True,) if len(option) == 1 else (option[1], Path(option[1]), [Path(option[1])]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare", "--full", "a", "b"), "assess compare does not take --full"),
        (("bundle", "a", "--login-file", "b"), "assess bundle does not take --login-file"),
        (("bundle", "--resume", "a"), "assess bundle does not take --resume"),
        (("diff", "--out", "x", "a", "b"), "assess diff does not take --out"),
        (("init", "a", "--pdf"), "assess init does not take --pdf"),
        (("service", "https://x", "--language", "de"), "assess service does not take --language"),
        (("service", "--rom", "x", "https://x"), "unrecognized arguments: --rom"),
        (("service", "--room"), "expected one argument"),
        (("--room", "x", "https://x"), "the action comes first: hardener assess service https://x"),
        (("a", "bundle"), "the action comes first: hardener assess bundle a"),
        (("bundel", "a"), "did you mean bundle?"),
        (("bundle", "https://x"), "for a running service: hardener assess service https://x"),
        (("service", "a", "--pdf", "b"), "assess service was given too many arguments: a, b"),
        (
            ("bundle", "--operator", "a"),
            "assess bundle was given not enough arguments hint: hardener assess bundle DIR",
        ),
        (("diff", "a"), "assess diff was given not enough arguments: a"),
        (("bundle", __file__, "--operator", str(Path(__file__).parent)), f"--operator {__file__}"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused_with_a_hint(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["assess", *words]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert "hint:" in said
