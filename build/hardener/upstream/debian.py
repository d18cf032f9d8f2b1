"""The versions of upstream's Debian packages that belong to a release, from the list that upstream publishes for apt.

They cannot be derived from the pin: each package counts its own builds. upstream's metapackage ``jitsi-meet`` names the
exact versions of the others. The list is in ``Release`` with its SHA-256, and ``Release`` is signed; gpgv checks that.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hardener import config
from hardener.errors import PinError, ScanError, UnreachableError, UsageError
from hardener.system import disk
from hardener.system.process import run
from hardener.upstream.lift import tomledit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hardener.config import Project

SOURCE = "https://download.jitsi.org/stable"
META = "jitsi-meet"
_TIMEOUT = (10, 60)  # seconds to connect, and between two bytes
_LARGEST = 100_000_000  # bytes
_LISTS = ("Packages", "Packages.gz")
_ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"


def fill_in(project: Project, source: str, key: Path, maintainer: str = "") -> dict[str, str]:
    """Write the versions of the project's release into ``[debian]`` of its upstream.toml, and return them.

    ``maintainer`` is for a table that is not there yet. Raises as :func:`look_up`.
    """
    if not project.debian and not maintainer:
        raise UsageError(
            "upstream.toml has no [debian] table", hint="hardener deb --look-up ... --maintainer 'NAME <MAIL>'"
        )
    versions = look_up(source, key, project.site.release)
    path = project.root / config.NAME
    disk.write(path, tomledit.debian(path.read_bytes().decode("utf-8"), versions, maintainer).encode())
    return versions


def look_up(source: str, key: Path, release: str) -> dict[str, str]:
    """Return the versions for ``[debian]`` of upstream.toml: version by package name.

    ``source`` is the address or folder of a flat repository, ``key`` a file with its public key, ``release`` the label
    of the pinned release. Raises ScanError where signature or sums are wrong, PinError where the list has no package of
    that release or names no exact versions, UnreachableError where there is no answer.
    """
    heads = _verified(source, key)
    sums = {name: (size, digest) for digest, size, name in _sums(heads)}
    name = next((name for name in _LISTS if name in sums), "")
    if not name:
        raise PinError(f"Release of {source} lists no Packages", hint=f"name a flat repository, such as {SOURCE}")
    content = _read(source, name)
    size, digest = sums[name]
    if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
        raise ScanError(f"{name} of {source} is not the list that its signed Release names", hint="try again later")
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode("utf-8", "replace")
    return _versions(text, release, source)


def _versions(text: str, release: str, source: str) -> dict[str, str]:
    found = [entry for entry in _entries(text) if entry.get("Version", "").startswith(f"{release}-")]
    if not found:
        raise PinError(
            f"{source} has no {META} {release}",
            hint="is it published there yet? or fill in the table by hand",
        )
    # Upstream's builds of one release are numbered -1, -2 ...: the last one is installed by apt.
    entry = max(found, key=lambda entry: [int(digits) for digits in re.findall(r"\d+", entry["Version"])])
    relations = f"{entry.get('Pre-Depends', '')}, {entry.get('Depends', '')}"
    versions = {META: entry["Version"]}
    for name in ("jitsi-meet-web", "jicofo", "jitsi-videobridge2"):
        match = re.search(rf"(?:^|[,\s]){re.escape(name)}\s*\(=\s*([^)\s]+)\s*\)", relations)
        if not match:
            raise PinError(
                f"{META} {entry['Version']} of {source} names no exact version of {name}",
                hint="fill [debian] in upstream.toml by hand",
            )
        versions[name] = match[1]
    return versions


def _entries(text: str) -> Iterator[dict[str, str]]:
    """Yield the paragraphs about the metapackage (deb822(5)), with folded lines joined."""
    for block in re.split(r"\n{2,}", re.sub(r"\n[ \t]+", " ", text)):
        fields = dict(re.findall(r"^([\w-]+): *(.*)$", block, re.MULTILINE))
        if fields.get("Package") == META:
            yield fields


def _verified(source: str, key: Path) -> str:
    """Return the content of Release once gpgv has accepted its signature."""
    if not key.is_file():
        raise UsageError(f"there is no key {key}", hint="get upstream's public key on a way that you trust: --key FILE")
    public = key.read_bytes()
    if public.lstrip().startswith(_ARMOUR):
        public = run(["gpg", "--batch", "--dearmor"], stdin=public).stdout  # gpgv of Debian 12 reads binary keys only
    release, signature = _read(source, "Release"), _read(source, "Release.gpg")
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in ("key", "Release", "Release.gpg")}
        for name, content in zip(files, (public, release, signature), strict=True):
            files[name].write_bytes(content)
        done = run(["gpgv", "--keyring", files["key"], files["Release.gpg"], files["Release"]])
    if done.status:
        raise ScanError(
            f"Release of {source} is not signed with the key in {key}",
            hint="look at the key's fingerprint; do not continue with an unsigned list",
            details=tuple(done.complaint.splitlines()),
        )
    return release.decode("utf-8", "replace")


def _sums(release: str) -> Iterator[tuple[str, int, str]]:
    """Yield SHA-256, size and name of each file in a Release."""
    part = re.search(r"^SHA256:[ \t]*\n((?:[ \t].*\n?)*)", release, re.MULTILINE)
    lines = re.findall(r"^\s+([0-9a-f]{64})\s+(\d{1,12})\s+(\S+)$", part[1] if part else "", re.MULTILINE)
    for digest, size, name in lines:
        yield digest, int(size), name.removeprefix("./")


def _read(source: str, name: str) -> bytes:
    if "://" not in source:
        path = Path(source) / name
        if not path.is_file():
            raise UsageError(f"there is no {path}", hint="name a folder with Release, Release.gpg and Packages")
        return path.read_bytes()
    if not source.startswith("https://"):
        raise UsageError(f"{source} is not an https address", hint=f"such as {SOURCE}, or a folder")
    import requests  # noqa: PLC0415 (a fifth of a second to load)

    where = f"{source.rstrip('/')}/{name}"
    try:
        answer = requests.get(where, timeout=_TIMEOUT, stream=True)
        content = answer.raw.read(_LARGEST, decode_content=True)
    except requests.exceptions.RequestException as error:
        raise UnreachableError(
            f"{where} does not answer ({type(error).__name__})", hint="check the network or proxy, or name a folder"
        ) from error
    if not answer.ok:
        raise UnreachableError(f"{where} answers with HTTP {answer.status_code}", hint="check the address")
    return bytes(content)
