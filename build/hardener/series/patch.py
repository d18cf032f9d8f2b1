"""One patch file: its header (DEP-3 names) and what its diff touches.

unidiff reads and judges here; it never applies anything. The applier is ``git apply`` (series/apply.py), so the
judgement may
only be stricter than git's, never laxer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.parser import HeaderParser
from email.utils import parseaddr, parsedate_to_datetime
from typing import TYPE_CHECKING

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from hardener.errors import PatchError
from hardener.git.repository import EXECUTABLE, REGULAR, Identity
from hardener.series.lists import safe_path

if TYPE_CHECKING:
    from pathlib import Path

    from unidiff.patch import PatchedFile

FIELDS = (
    "Reason",
    "Forwarded",
    "Upstream-Status",
    "Applied-Upstream",
    "Base",
    "Requires",
    "Overlay",
    "Security",
    "Evidence",
    "Last-Update",
)


@dataclass(frozen=True)
class Touch:
    """The change of a patch to one file: ``old`` and ``new`` path (None: not there), blob ids where it names them."""

    old: str | None
    new: str | None
    added: int
    removed: int
    hunks: int
    old_blob: str = ""
    new_blob: str = ""
    mode_change: str = ""

    @property
    def path(self) -> str:
        """Return the path to show."""
        return self.new or self.old or ""


@dataclass(frozen=True)
class Patch:
    """A patch file as it was read: header and touched files; ``content`` is what git is given, byte for byte.

    ``notes`` is what a person wrote between a line ``---`` and the diff: no part of a commit (git-am(1)).
    """

    name: str
    content: bytes
    author: Identity
    subject: str
    description: str
    fields: dict[str, str]
    touches: tuple[Touch, ...]
    notes: str = ""

    @property
    def message(self) -> str:
        """Return the commit message that ``git am --keep-non-patch`` would give it."""
        return f"{self.subject}\n\n{self.description}\n" if self.description else self.subject + "\n"

    @property
    def requires(self) -> tuple[str, ...]:
        """Return names of the patches that have to be applied before this one."""
        return tuple(self.fields.get("Requires", "").replace(",", " ").split())

    @property
    def overlay(self) -> dict[str, str]:
        """Return our files, and removals, that belong to the change: path here -> path where upstream should have
        it.
        """
        entries = [entry.split() for entry in self.fields.get("Overlay", "").split(",") if entry.strip()]
        return {words[0]: words[-1] for words in entries}

    @property
    def reads(self) -> frozenset[str]:
        """Return paths without which it cannot fit a tree. What it makes itself, and then changes, is not among
        them.
        """
        made = {touch.new for touch in self.touches if touch.new != touch.old}
        return frozenset(touch.old for touch in self.touches if touch.old and touch.old not in made)

    @property
    def leaves(self) -> frozenset[str]:
        """Return paths without which it cannot be in a tree already: those that :attr:`reads` is to its reverse."""
        taken = {touch.old for touch in self.touches if touch.new != touch.old}
        return frozenset(touch.new for touch in self.touches if touch.new and touch.new not in taken)


def read(path: Path) -> Patch:
    """Read and judge one patch file.

    Raises PatchError, with the reason, for: an empty or truncated file, lines that belong to no hunk, a path that
    leaves the tree or reaches into ``.git``, a symbolic link, a submodule, a binary hunk, or a mode other than 100644
    and 100755. Renames, copies, mode changes and CRLF line ends are allowed and kept as they are.
    """
    content = path.read_bytes()
    try:
        return parse(path.name, content)
    except ValueError as error:
        raise PatchError(
            f"{path}: {error}", hint="write it again from a commit: git format-patch --full-index -1"
        ) from error


def parse(name: str, content: bytes) -> Patch:
    """Parse the bytes of a patch file; raises ValueError with what is wrong."""
    if not content.strip():
        raise ValueError("the file is empty")
    head, notes, diff = _split(content)
    subject, description, fields, author = _header(head)
    # surrogateescape: upstream's bytes need not be UTF-8, and nothing here is written back.
    text = diff.decode("utf-8", "surrogateescape")
    _account_for_lines(text)
    try:
        patched = PatchSet(_lines(text))
    except UnidiffParseError as error:
        raise ValueError(f"truncated or malformed: {error}") from error
    touches = tuple(_touch(file) for file in patched)
    if not touches:
        raise ValueError("no file is touched: there is no diff in it")
    return Patch(name, content, author, subject, description, fields, touches, notes)


def context_lines(content: bytes) -> int:
    """Return how many lines of upstream a patch file shows that it does not change.

    >>> context_lines(b"--- a/x\\n+++ b/x\\n@@ -1,2 +1,1 @@\\n one\\n-two\\n")
    1
    """
    return len(re.findall(rb"^ ", content.partition(b"\n@@ ")[2], re.MULTILINE))


def _lines(text: str) -> list[str]:
    """Return lines that end only at \\n: str.splitlines would also break at \\r, \\f and others inside a line."""
    return [line + "\n" for line in text.removesuffix("\n").split("\n")]


# What 'git format-patch' writes there by itself: which files a patch changes, and by how much.
_STATISTICS = re.compile(
    rb"^ (?:.* \| +(?:\d+ [-+]*|Bin.*|Unmerged)|\d+ files? changed.*|(?:create|delete) mode .*|mode change .*"
    rb"|(?:rename|copy|rewrite) .*\(\d+%\))[ \t]*\r?$",
    re.MULTILINE,
)


def _split(content: bytes) -> tuple[bytes, str, bytes]:
    """Return the mail's header and text, the notes behind its line ``---``, and the diff."""
    match = re.search(rb"^(?:diff --git |--- )(?!-)", content, re.MULTILINE)
    if not match:
        raise ValueError("no file is touched: there is no diff in it")
    head, *rest = re.split(rb"^---[ \t]*\r?\n", content[: match.start()], maxsplit=1, flags=re.MULTILINE)
    notes = _STATISTICS.sub(b"", b"".join(rest)).decode("utf-8", "replace").strip()
    return head, notes, content[match.start() :]


def _header(head: bytes) -> tuple[str, str, dict[str, str], Identity]:
    head = re.sub(rb"\AFrom [0-9a-f]{40} .*\n", b"", head)
    if not re.match(rb"(?:From|Subject|Date): ", head):
        raise ValueError("no mail header: it has to start with From:, Date: and Subject:")
    text = head.decode("utf-8", "replace").replace("\r\n", "\n")
    message = HeaderParser().parsestr(text)
    values = {key: _decoded(key, message.get(key, "")) for key in ("From", "Date", "Subject")}
    missing = [key for key, value in values.items() if not value.strip()]
    if missing:
        raise ValueError(f"the mail header lacks {', '.join(missing)}")
    person, email = parseaddr(values["From"])
    if not email:
        raise ValueError(f"From: {values['From']!r} names no author")
    try:
        parsedate_to_datetime(values["Date"])
    except ValueError as error:
        raise ValueError(f"Date: {values['Date']!r} is not a date") from error
    body = text.partition("\n\n")[2].strip()
    fields = {}
    for key, value in re.findall(r"^([A-Z][\w-]+):[ \t]*(.*)$", body, re.MULTILINE):
        if key in FIELDS:
            fields[key] = value.strip()
    # As git am --keep-non-patch: only the tag that a mailed patch carries goes.
    subject = re.sub(r"^\[PATCH[^\]]*\]\s*", "", re.sub(r"\s*\n\s*", " ", values["Subject"]))
    return subject, body, fields, Identity(person or email, email, values["Date"])


def _decoded(key: str, value: str) -> str:
    """Return a header's value with its encoded words (RFC 2047) decoded."""
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, ValueError, HeaderParseError) as error:
        raise ValueError(f"{key}: cannot be decoded: {error}") from error


_EXTENDED = re.compile(
    r"(?:diff --git |index |--- |\+\+\+ |old mode |new mode |new file mode |deleted file mode |similarity index "
    r"|dissimilarity index |rename from |rename to |copy from |copy to |Binary files )"
)
# Blank lines, or what git format-patch --signature writes at the end.
_SIGNATURE = re.compile(r"(?:-- \n[^\n]*)?\n*")
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")


def _account_for_lines(text: str) -> None:
    """Check that each line belongs to a header or a hunk: git and unidiff both skip what they do not know, silently."""
    if not text.endswith("\n"):
        raise ValueError("truncated: the last line has no line end")
    old = new = 0
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line.startswith("\\ "):  # "\ No newline at end of file"
            continue
        if old or new:
            old -= line[:1] in (" ", "-")
            new -= line[:1] in (" ", "+")
            if line[:1] not in (" ", "-", "+") or old < 0 or new < 0:
                raise ValueError(f"truncated or malformed: diff line {number} does not belong to the hunk it is in")
        elif hunk := _HUNK.match(line):
            old, new = (int(count) if count is not None else 1 for count in hunk.groups())
        elif _SIGNATURE.fullmatch("\n".join(lines[number - 1 :])):
            return
        elif line.startswith("GIT binary patch"):
            return  # refused as such, with a better reason, in _touch
        elif not _EXTENDED.match(line):
            raise ValueError(f"diff line {number} belongs to no hunk: {line[:60]!r}")


# The null id or the empty blob's: a file that is added or deleted without a line in it.
_NO_CONTENT = r"0+|e69de29[0-9a-f]*"


def _touch(file: PatchedFile) -> Touch:
    info = str(file.patch_info or "")
    if file.is_binary_file or "GIT binary patch" in info:
        raise ValueError(f"{file.path}: binary hunk (put the file into overlays/ instead)")
    modes = re.findall(r"^(?:old|new|new file|deleted file) mode (\d+)$", info, re.MULTILINE)
    modes += re.findall(r"^index [0-9a-f]+\.\.[0-9a-f]+ (\d+)$", info, re.MULTILINE)
    for mode in modes:
        if mode not in (REGULAR, EXECUTABLE):
            kind = {"120000": "a symbolic link", "160000": "a submodule"}.get(mode, "not a regular file")
            raise ValueError(f"{file.path}: mode {mode} is {kind}; only regular files may be patched")
    old, new = (_path(side, prefix) for side, prefix in ((file.source_file, "a/"), (file.target_file, "b/")))
    blobs = re.search(r"^index ([0-9a-f]+)\.\.([0-9a-f]+)", info, re.MULTILINE)
    _judge_moves(file.path, info, old, new)
    if not len(file):
        if blobs and blobs[1] != blobs[2] and not all(re.fullmatch(_NO_CONTENT, blob) for blob in blobs.groups()):
            raise ValueError(f"{file.path}: truncated: its content changes, but there is no hunk")
        if not (modes or file.is_rename or old is None or new is None):
            raise ValueError(f"{file.path}: the diff changes nothing")
    change = re.search(r"^old mode (\d+)\nnew mode (\d+)$", info, re.MULTILINE)
    return Touch(
        old=old,
        new=new,
        added=file.added,
        removed=file.removed,
        hunks=len(file),
        old_blob=blobs[1] if blobs else "",
        new_blob=blobs[2] if blobs else "",
        mode_change=" -> ".join(change.groups()) if change else "",
    )


def _judge_moves(path: str, info: str, old: str | None, new: str | None) -> None:
    """Check that git renames and copies from and to the paths that are judged and shown."""
    for verb, side, said in re.findall(r"^(rename|copy) (from|to) (.*)$", info, re.MULTILINE):
        name = _unquote(said) if said.startswith('"') else said
        if not safe_path(name) or name != (old if side == "from" else new):
            raise ValueError(f"{path}: {verb} {side} {said!r} is not the path of the diff's first line, or unsafe")


def _path(side: str, prefix: str) -> str | None:
    if side == "/dev/null":
        return None
    if side.startswith('"'):
        side = _unquote(side)
    path = side.removeprefix(prefix)
    if path == side or not safe_path(path):
        raise ValueError(
            f"the path {side!r} is absolute, leaves the tree, reaches into .git, or lacks its {prefix} prefix"
        )
    return path


def _unquote(text: str) -> str:
    """Undo git's C-style quoting of unusual path names (core.quotePath in git-config(1)).

    >>> _unquote('"a/\\\\303\\\\244\\\\t"')
    'a/\u00e4\\t'
    """
    raw = text.strip('"').encode("latin-1", "backslashreplace").decode("unicode_escape")
    return raw.encode("latin-1").decode("utf-8", "surrogateescape")
