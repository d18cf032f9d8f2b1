"""The pages: every link leads to a place that exists, and every command is one that the programs accept."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

from hardener.cli import main
from hardener.errors import UsageError
from hardener.release import debian
from hardener.series.apply import try_apply
from support import packaging
from support.fakes import FakeUpstream, lines, write_series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
MARKDOWN = MarkdownIt().enable("table")
LISTED = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
FILES = [path for path in LISTED.split("\0") if path and (ROOT / path).is_file()]
PAGES = [path for path in FILES if path.endswith(".md") and not path.startswith("tests/minimeet/upstream/")]
# A page as comments, messages and hints name it: from the root of the project.
NAMED = re.compile(r"(?<![\w./-])((?:docs/(?:adr/)?[\w.-]+|HACKING|CONTRIBUTING|SECURITY)\.md(?:#[\w-]+)?)(?![\w/-])")
SHELL = {"", "sh", "bash"}
PROGRAMS = {"hardener", ".venv/bin/hardener", "nox", ".venv/bin/nox", "make"}
UPSTREAMS_TARGET = "deploy"  # of upstream's own Makefile
SUBCOMMANDS = sorted(name for names in main.MODULES.values() for name in names)
# Words of the pages that mean a value of the reader.
OPTIONAL = re.compile(r"…|\.\.\.")


@cache
def _tokens(page: str) -> tuple[Token, ...]:
    return tuple(MARKDOWN.parse((ROOT / page).read_text(encoding="utf-8")))


@cache
def _anchors(page: str) -> frozenset[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    found: list[str] = []
    tokens = _tokens(page)
    for token, text in itertools.pairwise(tokens):
        if token.type == "heading_open":
            plain = "".join(child.content for child in text.children or () if child.type in {"text", "code_inline"})
            found.append(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    assert len(found) == len(set(found)), f"{page} has a heading twice: its anchor is ambiguous"
    return frozenset(found)


def _links(page: str) -> Iterator[str]:
    for token in _tokens(page):
        for child in token.children or ():
            if child.type == "link_open":
                yield str(child.attrGet("href"))


def _broken(link: str, page: str) -> str:
    """Return why a link leads nowhere; empty if it leads to a place that exists, or to another site."""
    if re.match(r"[a-z]+:", link):
        return ""
    path, _, anchor = unquote(link).partition("#")
    target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
    if not target.exists():
        return f"{page}: {link}: there is no such file"
    if anchor and anchor not in _anchors(target.relative_to(ROOT).as_posix()):
        return f"{page}: {link}: {target.name} has no such heading"
    return ""


def test_every_link_of_a_page_leads_somewhere() -> None:
    broken = [reason for page in PAGES for link in _links(page) if (reason := _broken(link, page))]

    assert broken == []


def test_every_page_that_a_file_names_exists() -> None:
    """Hints, messages and comments name pages from the root of the project, some with a heading."""
    broken = []
    for path in FILES:
        if path in PAGES or path.startswith("tests/minimeet/upstream/") or path == "tests/unit/test_docs.py":
            continue
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        named = (match[1] for match in NAMED.finditer(text))
        broken += [f"{path}: {reason}" for name in named if (reason := _broken(name, "README.md"))]

    assert broken == []


@pytest.mark.parametrize("link", ["docs/nowhere.md", "docs/design.md#nowhere", "#nowhere"])
def test_a_broken_link_is_found(link: str) -> None:
    assert _broken(link, "README.md")
    assert not NAMED.search(link) or _broken(NAMED.search(link)[1], "README.md")  # type: ignore[index]


def _shell_lines(page: str) -> Iterator[str]:
    """Yield the lines of indented and fenced blocks without a language, joined where they are continued."""
    for token in _tokens(page):
        if token.type == "code_block" or (token.type == "fence" and token.info.strip() in SHELL):
            yield from token.content.replace("\\\n", " ").splitlines()


def _inline(page: str) -> Iterator[str]:
    for token in _tokens(page):
        for child in token.children or ():
            if child.type == "code_inline":
                yield child.content


def _calls(line: str) -> Iterator[list[str]]:
    """Yield the calls of hardener, nox and make in a line, without variables, comments and redirections."""
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|>")
        lexer.wordchars += "…:@+,%{}[]"
        words = list(lexer)
    except ValueError:
        return
    call: list[str] = []
    for word in [*words, ";"]:
        if not set(word) - set(";&|>"):
            if call and call[0] in PROGRAMS and call[1:2] != ["="]:
                yield call
            call = []
        elif call or not re.match(r"[A-Z_]+=", word):
            call.append(word)


def _refused(words: list[str], *, whole: bool) -> str:
    """Return what is wrong with a call; a mention in a sentence may leave out what is required."""
    program, *words = words
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = {*re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE), UPSTREAMS_TARGET}
        return f"make has no target {words[0]}" if words and words[0] not in targets else ""
    if Path(program).name == "nox":
        return _refused_session(words, whole=whole)
    words = [word for word in words if not OPTIONAL.fullmatch(word)]
    if words and words[0] in SUBCOMMANDS:
        return _refused_arguments(words, whole=whole)
    known = not words or words[0] in {"SUBCOMMAND", "--help", "--version"}
    return "" if known else f"hardener has no subcommand {words[0]}"


def _refused_arguments(words: list[str], *, whole: bool) -> str:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            main._parser(words).parse_args(words)
    except SystemExit:  # --help prints and ends
        return ""
    except UsageError as error:
        incomplete = "required" in error.message or "expected" in error.message
        return "" if incomplete and not whole else f"hardener {' '.join(words)}: {error.message}"
    return ""


def _refused_session(words: list[str], *, whole: bool) -> str:
    if words[:1] != ["-s"]:
        return "" if words == ["-l"] or not words else f"nox {' '.join(words)}: no session"
    source = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    sessions = re.findall(r"@nox\.session(?:\((?:name=\"([\w-]+)\", )?[^)]*\))?\ndef (\w+)", source)
    names = {name or function for name, function in sessions}
    if words[1] not in names:
        return f"nox has no session {words[1]}"
    rest = words[words.index("--") + 1 :] if "--" in words else []
    if words[1] in SUBCOMMANDS and words[1] not in {"evidence", "attack"}:
        return _refused_arguments([words[1], *rest], whole=whole and bool(rest))
    return ""


@pytest.mark.parametrize("path", PAGES)
def test_every_command_of_a_page_is_accepted(path: str) -> None:
    blocks = [call for line in _shell_lines(path) for call in _calls(line)]
    mentions = [call for text in _inline(path) for call in _calls(text)]
    refused = [_refused(call, whole=True) for call in blocks] + [_refused(call, whole=False) for call in mentions]

    assert [reason for reason in refused if reason] == []


@pytest.mark.parametrize(
    "line",
    [
        "hardener biuld",
        "hardener build --unpached",
        "hardener stack sideways",
        "hardener scan",
        "nox -s nothing",
        "nox -s lift -- --too 1",
        "make nothing",
        "cd site && hardener check --tee master",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    assert [reason for call in _calls(line) if (reason := _refused(call, whole=True))]


@pytest.mark.parametrize("path", PAGES)
def test_every_shell_block_of_a_page_can_be_parsed(path: str) -> None:
    """Blocks marked as shell have no syntax error; placeholders are plain words."""
    for token in _tokens(path):
        if token.type == "fence" and token.info.strip() in {"sh", "bash"}:
            checked = subprocess.run(["sh", "-n"], input=token.content, capture_output=True, text=True, check=False)
            assert checked.returncode == 0, f"{path}: {checked.stderr}"


def test_the_reference_lists_every_subcommand() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    table = text[text.index("## Subcommands") : text.index("Options of every subcommand")]

    assert sorted(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == SUBCOMMANDS


AUDITOR = ("docs/auditor.md", "docs/auditor.de.md")


def _block(path: str, begins: str) -> str:
    """Return the block of commands that begins so."""
    (found,) = (token.content for token in _tokens(path) if token.content.startswith(begins))
    return found


@pytest.mark.parametrize("path", AUDITOR)
def test_the_commands_of_an_auditor_make_the_patched_commit(path: str, upstream: FakeUpstream, tmp_path: Path) -> None:
    """Run the commands for following a change, with another upstream and another series."""
    first, second = upstream.patch({"README.md": b"# Ours\n"}), upstream.patch({"src/app.js": lines(l9="nine")})
    series = write_series(tmp_path / "patches" / "strophejs", {"a.patch": first, "b.patch": second})
    commands = _block(path, "git clone https://github.com/jitsi/strophejs")
    commands = commands.replace("https://github.com/jitsi/strophejs", f"{upstream.path} strophejs")
    commands = re.sub(r"git checkout [0-9a-f]{40}", f"git checkout --quiet {upstream.head}", commands)
    commands = commands.replace("HARDENER/", f"{tmp_path}/")

    done = subprocess.run(["sh", "-ec", commands], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == try_apply("fake", upstream.path, upstream.head, series).commit


@pytest.mark.parametrize("path", AUDITOR)
def test_the_command_that_compares_two_archives_shows_a_difference(path: str, tmp_path: Path) -> None:
    command = _block(path, "for a in mine theirs")
    for archive, text in (("mine", "1"), ("theirs", "2")):
        (tmp_path / "index.html").write_text(text, encoding="utf-8")
        subprocess.run(["tar", "-czf", f"{archive}.tar.gz", "index.html"], cwd=tmp_path, check=True)

    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, "mine/index.html theirs/index.html" in done.stdout) == (1, True), done.stderr


@pytest.mark.parametrize("path", AUDITOR)
def test_the_commands_that_compare_a_package_with_the_archive_show_what_is_missing(path: str, tmp_path: Path) -> None:
    """Run those for the Debian package, with another site; those for an image need tools that few machines have."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("dpkg-deb is not installed")
    site, project = packaging.site(tmp_path), packaging.project(tmp_path)
    ((name, package), _meta) = debian.packages(project, site, packaging.EPOCH)
    archive, unpacked, compare, *_image = _block(path, "mkdir site && tar").splitlines()
    subprocess.run(["tar", "-czf", archive.split()[-1], "-C", "site", "."], cwd=tmp_path, check=True)
    shutil.rmtree(site)
    (tmp_path / name).write_bytes(package)

    def run(command: str) -> list[str]:
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert not done.stderr, done.stderr
        return done.stdout.splitlines()

    run(archive)
    run(unpacked)
    same = ["Only in site: LICENSE", "Only in site: config.js"]
    assert [line for line in run(compare) if ".map" not in line] == same
    (tmp_path / "site" / "index.html").write_text("other")
    assert any(line.startswith("diff") for line in run(compare))
