"""Is a folder what was released? Signature, sums, files beside them, and how many others built the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import UsageError
from hardener.release import signatures
from hardener.release.signatures import BUILDERS, REBUILD, RELEASE, SIGNATURE
from hardener.system import disk, stamps, sums
from hardener.system.sums import LOG, MANIFEST, SUMS

if TYPE_CHECKING:
    from pathlib import Path

_RECORDS = frozenset({SUMS, SIGNATURE, LOG})


@dataclass(frozen=True)
class Check:
    """One check of a release: its ``name``, whether it passed, and what was found."""

    name: str
    passed: bool
    found: str
    details: tuple[str, ...] = ()


def verify(folder: Path, signers: Path, *, threshold: int = 0, only: str = "") -> list[Check]:
    """Check the released files in ``folder``; all checks are made, whatever the others found.

    ``threshold`` is how many builders of ``allowed_signers`` have to have signed the same sums. With ``only``, the name
    of a file, other listed files need not be there. Raises UsageError where there is no ``SHA256SUMS`` or no list of
    signers, or where the sums are malformed.
    """
    listed = sums.read(folder)
    if not signers.is_file():
        raise UsageError(f"there is no {signers}", hint="name the list of the maintainers' keys: --signers FILE")
    if only and only not in listed:
        raise UsageError(f"{SUMS} does not list {only}", hint=f"it lists {', '.join(sorted(listed))}")
    checks = [_signature(folder, signers), _files(folder, listed, only)]
    if not only:
        checks.append(_unlisted(folder, listed))
    if MANIFEST in listed and (folder / MANIFEST).is_file():
        checks.append(_manifest(folder, listed))
    if threshold or (folder / BUILDERS).is_dir():
        checks.append(_builders(folder, signers, threshold))
    return checks


def _signature(folder: Path, signers: Path) -> Check:
    verdict = signatures.verify(folder, folder / SIGNATURE, RELEASE, signers)
    return Check("signature", verdict.good, f"signed by {verdict.principal}" if verdict.good else verdict.why)


def _files(folder: Path, listed: dict[str, str], only: str) -> Check:
    wrong = []
    for name in [only] if only else sorted(listed):
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is not there")
        elif stamps.file_digest(path) != listed[name]:
            wrong.append(f"{name} is another file than the one that was released")
    count = 1 if only else len(listed)
    return Check("sums", not wrong, f"{count - len(wrong)} of {count} files are those of {SUMS}", tuple(wrong))


def _unlisted(folder: Path, listed: dict[str, str]) -> Check:
    names = {path.name for path in folder.iterdir() if path.is_file()}
    strangers = sorted(names - _RECORDS - set(listed))
    found = f"{len(strangers)} files are not in {SUMS}" if strangers else f"no file that is not in {SUMS}"
    return Check("unlisted", not strangers, found, tuple(strangers))


def _manifest(folder: Path, listed: dict[str, str]) -> Check:
    """The manifest is about these archives."""
    manifest = disk.read_json(folder / MANIFEST)
    archives = manifest.get("archives", []) if isinstance(manifest, dict) else []
    wrong = [
        f"{archive['file']} has another sum in {SUMS}"
        for archive in archives
        if listed.get(archive["file"]) != archive["sha256"]
    ]
    found = f"{len(archives)} archives, as in {SUMS}" if archives and not wrong else "not about these archives"
    return Check("manifest", bool(archives) and not wrong, found, tuple(wrong))


def _builders(folder: Path, signers: Path, threshold: int) -> Check:
    agree, others = set(), []
    for signature in sorted((folder / BUILDERS).glob("*.sig")):
        verdict = signatures.verify(folder, signature, REBUILD, signers)
        if verdict.good:
            agree.add(verdict.principal)  # one builder counts once, however many signatures there are
        else:
            others.append(f"{signature.name}: {verdict.why}")
    found = f"{len(agree)} builders came to the same sums: {', '.join(sorted(agree)) or 'none'}"
    return Check("builders", len(agree) >= threshold, f"{found}; wanted: {threshold}", tuple(others))
