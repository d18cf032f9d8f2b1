"""lift: what becomes of upstream's packages and image in upstream.toml."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hardener import config
from hardener.cli import lift, main
from hardener.errors import ScanError
from hardener.upstream import debian
from support import packaging

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DEBIAN = """[debian]
maintainer = "A <a@example.org>"
jitsi-meet = "2.0.9999-1"
jitsi-meet-web = "1"
jicofo = "1"
jitsi-videobridge2 = "1"
"""
IMAGE = f'[image]\nbase = "docker.io/jitsi/web:stable-9999@sha256:{"0" * 64}"\n'


class Notes:
    """Collects the notes for a person."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Take a note."""
        self.notes.append(text)


def look_up(root: Path, tables: str, source: str = "") -> tuple[dict[str, str], list[str]]:
    """Run what follows a lift; returns the versions, and the notes."""
    component = f'[component.meet]\nrepository = "/m"\ncommit = "{packaging.COMMIT}"\nrelease = "2.0.10978"\n'
    text = f'[project]\nname = "meet"\nrevision = 1\nnode = 24\n{component}{tables}'
    (root / "upstream.toml").write_text(text)
    ui: Any = Notes()
    arguments: Any = SimpleNamespace(look_up=source, key=root / "key")
    return lift._look_up(arguments, config.load(root), ui), ui.notes


def test_tables_of_the_former_release_are_named(tmp_path: Path) -> None:
    assert look_up(tmp_path, "") == ({}, [])
    versions, notes = look_up(tmp_path, DEBIAN + IMAGE)
    assert (versions, [note.partition("]")[0] for note in notes]) == ({}, ["[image", "[debian"])


def test_versions_are_filled_in_where_a_source_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"jitsi-meet": "2.0.10978-1", "jitsi-meet-web": "2", "jicofo": "2", "jitsi-videobridge2": "2"}
    monkeypatch.setattr(debian, "look_up", lambda *_: found)
    versions, notes = look_up(tmp_path, DEBIAN, "https://packages.example.org")
    assert (versions, len(notes)) == (found, 1)
    assert config.load(tmp_path).debian == config.Debian("A <a@example.org>", "2.0.10978-1", "2", "2", "2")


def test_a_finished_lift_does_not_fail_where_the_list_is_not_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> dict[str, str]:
        raise ScanError("not signed", hint="look at the key")

    monkeypatch.setattr(debian, "look_up", refuse)
    versions, notes = look_up(tmp_path, DEBIAN, "https://packages.example.org")
    assert (versions, notes) == ({}, ["[debian] of upstream.toml is not filled in: not signed (look at the key)"])


def test_a_source_without_its_key_is_refused_before_the_lift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look_up(tmp_path, "")
    assert (
        main.main(["lift", "--project", str(tmp_path), "--to", "x", "--look-up", "https://packages.example.org"]) == 2
    )
    assert "--look-up and --key belong together" in capsys.readouterr().err
