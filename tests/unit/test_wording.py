"""wordlist.toml: the project uses none of its expressions and names, and a planted one is found in each kind of text."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from support import wording

ROOT = Path(__file__).parents[2]
WORDS = wording.words_of(ROOT)
NAMES = wording.names_of(ROOT)
PLANTED = {
    "page": ("docs/operator.md", "Whoever reads this, reads it."),
    "across lines": ("docs/operator.md", "The list is held\nagainst the file."),
    "across lines of a docstring": (
        "build/hardener/ui.py",
        'def run():\n    """Wait.\n\n    The list is held\n    against it.\n    """\n',
    ),
    "across lines of a comment": ("build/hardener/ui.py", "# It is held\n# against the file.\nx = 1\n"),
    "comment of TypeScript": ("overlays/jitsi-meet/a.ts", "const a = 1;\n\n/**\n * Returns what goes\n * on.\n */\n"),
    "line comment of TypeScript": ("overlays/jitsi-meet/a.tsx", "const a = 1; // nobody reads it\n"),
    "docstring": ("build/hardener/ui.py", 'def run():\n    """What mends it."""\n'),
    "comment": ("build/hardener/ui.py", "x = 1  # nobody reads it\n"),
    "message": ("build/hardener/ui.py", 'raise ValueError("the hint mends it")\n'),
    "formatted message": ("build/hardener/ui.py", 'raise ValueError(f"{name} stands in {path}")\n'),
    "docstring of a test": ("tests/unit/test_ui.py", '"""Nobody logs in."""\n'),
    "is no": ("build/hardener/ui.py", 'raise ValueError(f"{path} is no folder")\n'),
    "subject of a patch": ("patches/jitsi-meet/x.patch", "Subject: Let nobody in\n\nBody\n\ndiff --git a/x b/x\n"),
    "reason": ("hosts.toml", 'reason = "made anew"\n'),
}
FINE = {
    "code in a page": ("docs/operator.md", "Use `nobody` as user:\n\n    chown nobody file\n"),
    "code of TypeScript": ("overlays/jitsi-meet/a.ts", "const nobody = 'https://nobody/stands'; // fine\n"),
    "identifier": ("build/hardener/ui.py", "nobody = doors = verb = 1\n"),
    "value in a message": ("build/hardener/ui.py", 'raise ValueError(f"the {verb} failed")\n'),
    "key": ("build/hardener/ui.py", 'answer = {"mend": 1}\n'),
    "data of a test": ("tests/unit/test_ui.py", 'name = "nobody knows"\n'),
    "lines of a patch": ("patches/jitsi-meet/x.patch", "Subject: Fix\n\ndiff --git a/x b/x\n+// nobody\n"),
    "id of a finding": ("build/hardener/servercheck/findings.toml", "[nobody-moderates]\n"),
    "stand-in": ("docs/operator.md", "A stand-in for Jicofo."),
    "there is no": ("docs/operator.md", "There is no bridge, and there are no accounts."),
}
BOUND = (
    "one = 1",
    "a, (b, *one) = rest",
    "for one in many: pass",
    "found = [one for one in many]",
    "found = [one for each in many if (one := each)]",
    "key = lambda one: one.name",
    "def find(*, one): pass",
    "def find(*one): pass",
    "def find(a, /, **one): pass",
    "with open(path) as one: pass",
    "try: run()\nexcept OSError as one: pass",
    "import module as one",
    "match value:\n    case [first, *one]: pass",
    "match value:\n    case {'key': one, **rest}: pass",
    "match value:\n    case {**one}: pass",
    "def one(): pass",
)


def test_no_expression_of_the_list_is_used() -> None:
    assert [str(hit) for hit in wording.search(ROOT)] == []


@pytest.mark.parametrize(("path", "text"), PLANTED.values(), ids=PLANTED)
def test_a_planted_expression_is_found(path: str, text: str) -> None:
    assert list(wording.hits_in(path, text, WORDS))


@pytest.mark.parametrize(("path", "text"), FINE.values(), ids=FINE)
def test_other_uses_are_allowed(path: str, text: str) -> None:
    assert [str(hit) for hit in wording.hits_in(path, text, WORDS)] == []


@pytest.mark.parametrize("statement", BOUND)
def test_a_variable_of_a_forbidden_name_is_found(statement: str) -> None:
    (hit,) = wording.variables_in("build/hardener/ui.py", f'"""Name one."""\n\n{statement}\n', NAMES)

    assert (hit.found, hit.instead) == ("one", NAMES["one"])


def test_other_uses_of_a_forbidden_name_are_allowed() -> None:
    text = 'key = {"one": found.one, "other": "one of many", "third": pick(one=1)}  # one of many\n'

    assert list(wording.variables_in("build/hardener/ui.py", text, NAMES)) == []


def test_a_checkout_is_searched_for_both(tmp_path: Path) -> None:
    shutil.copy(ROOT / wording.LIST, tmp_path)
    (tmp_path / "module.py").write_text('"""Made anew."""\n\nfor one in (): pass\n')
    for words in (("init", "--quiet"), ("add", ".")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)

    assert [(hit.line, hit.found) for hit in wording.search(tmp_path)] == [(1, "anew"), (3, "one")]


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
