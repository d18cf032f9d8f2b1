"""wordlist.toml: the project's prose uses none of its expressions, and a planted one is found in each kind of text."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import wording

ROOT = Path(__file__).parents[2]
WORDS = wording.words_of(ROOT)
PLANTED = {
    "page": ("docs/operator.md", "Whoever reads this, reads it."),
    "across lines": ("docs/operator.md", "The list is held\nagainst the file."),
    "docstring": ("build/hardener/ui.py", 'def run():\n    """What mends it."""\n'),
    "comment": ("build/hardener/ui.py", "x = 1  # nobody reads it\n"),
    "message": ("build/hardener/ui.py", 'raise ValueError("the hint mends it")\n'),
    "formatted message": ("build/hardener/ui.py", 'raise ValueError(f"{name} stands in {path}")\n'),
    "docstring of a test": ("tests/unit/test_ui.py", '"""Nobody logs in."""\n'),
    "subject of a patch": ("patches/jitsi-meet/x.patch", "Subject: Let nobody in\n\nBody\n\ndiff --git a/x b/x\n"),
    "reason": ("hosts.toml", 'reason = "made anew"\n'),
}
FINE = {
    "code in a page": ("docs/operator.md", "Use `nobody` as user:\n\n    chown nobody file\n"),
    "identifier": ("build/hardener/ui.py", "nobody = doors = verb = 1\n"),
    "value in a message": ("build/hardener/ui.py", 'raise ValueError(f"the {verb} failed")\n'),
    "key": ("build/hardener/ui.py", 'answer = {"mend": 1}\n'),
    "data of a test": ("tests/unit/test_ui.py", 'name = "nobody knows"\n'),
    "lines of a patch": ("patches/jitsi-meet/x.patch", "Subject: Fix\n\ndiff --git a/x b/x\n+// nobody\n"),
    "id of a finding": ("build/hardener/servercheck/findings.toml", "[nobody-moderates]\n"),
    "stand-in": ("docs/operator.md", "A stand-in for Jicofo."),
    "there is no": ("docs/operator.md", "There is no bridge, and there are no accounts."),
}


def test_no_expression_of_the_list_is_used() -> None:
    assert [str(hit) for hit in wording.search(ROOT)] == []


@pytest.mark.parametrize(("path", "text"), PLANTED.values(), ids=PLANTED)
def test_a_planted_expression_is_found(path: str, text: str) -> None:
    assert list(wording.hits_in(path, text, WORDS))


@pytest.mark.parametrize(("path", "text"), FINE.values(), ids=FINE)
def test_other_uses_are_allowed(path: str, text: str) -> None:
    assert [str(hit) for hit in wording.hits_in(path, text, WORDS)] == []


def test_a_hit_names_file_line_and_proposal() -> None:
    (hit,) = wording.hits_in("docs/design.md", "Fine.\n\nIt is made anew.\n", WORDS)

    assert str(hit) == "docs/design.md:3: 'anew': write again"


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.pattern.pattern)
def test_each_exception_is_used(word: wording.Word) -> None:
    """An exception for a file that does not use the expression is stale."""
    everywhere = wording.Word(word.pattern, word.instead, ())
    for allowed in word.allow:
        files = [path for path in ROOT.glob(allowed.replace("/*", "/**/*")) if path.suffix in {".py", ".md", ".patch"}]
        texts = ((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in files)
        assert any(next(wording.hits_in(path, text, [everywhere]), None) for path, text in texts), allowed
