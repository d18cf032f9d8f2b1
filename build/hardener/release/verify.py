"""Is a folder what was released? Signature, sums, files beside them, provenance, and how many others built the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.errors import UsageError
from hardener.release import comparison, provenance, signatures
from hardener.release.comparison import Same
from hardener.release.signatures import REBUILD, RELEASE
from hardener.system import disk, sums
from hardener.system.sums import BUILDERS, LOG, MANIFEST, SIGNATURE, SUMS, UNRELEASED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_RECORDS = frozenset({SUMS, SIGNATURE, LOG})
_OTHER_LIST = "name the list of the maintainers' keys: --signers FILE"
_LARGEST_MANIFEST = 10_000_000  # bytes
BUILT_FROM = frozenset({"sums", "manifest", "provenance"})  # the checks that a rebuild rests on


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
        raise UsageError(f"there is no {signers}", hint=_OTHER_LIST)
    if only and only not in listed:
        raise UsageError(f"{SUMS} does not list {only}", hint=f"it lists {', '.join(sorted(listed))}")
    checks = [_signature(folder, signers), _files(folder, listed, only)]
    if not only:
        checks.append(_unlisted(folder, listed))
    if UNRELEASED in listed:
        checks.append(Check("release", passed=False, found="these files are of a dry run"))
    if MANIFEST in listed and (folder / MANIFEST).is_file():
        checks.append(_manifest(folder, listed))
    if any(name.endswith(provenance.SUFFIX) for name in listed):
        checks.append(_provenance(folder, listed))
    if threshold or (folder / BUILDERS).is_dir():
        checks.append(_builders(folder, signers, threshold))
    return checks


def _signature(folder: Path, signers: Path) -> Check:
    verdict = signatures.verify(folder, folder / SIGNATURE, RELEASE, signers)
    found = f"signed by {verdict.principal}" if verdict.good else verdict.why
    return Check("signature", verdict.good, found, () if verdict.good else (f"checked with {signers}; {_OTHER_LIST}",))


def _files(folder: Path, listed: dict[str, str], only: str) -> Check:
    wrong = sums.problems(folder, {only: listed[only]} if only else listed)
    count = 1 if only else len(listed)
    return Check("sums", not wrong, f"{count - len(wrong)} of {count} files are those of {SUMS}", tuple(wrong))


def _unlisted(folder: Path, listed: dict[str, str]) -> Check:
    """Name all that is in the folder besides released files: also folders, links and devices."""
    names = {path.name for path in folder.iterdir()} - _RECORDS - set(listed)
    builders = folder / BUILDERS
    if BUILDERS in names and builders.is_dir() and not builders.is_symlink():
        names.remove(BUILDERS)
        names |= {f"{BUILDERS}/{path.name}" for path in builders.iterdir() if not _is_signature(path)}
    strangers = tuple(name if name.isprintable() else ascii(name) for name in sorted(names))
    found = f"{len(strangers)} files or folders are not in {SUMS}" if strangers else f"nothing that is not in {SUMS}"
    return Check("unlisted", not strangers, found, strangers)


def _is_signature(path: Path) -> bool:
    return path.suffix == ".sig" and path.is_file() and not path.is_symlink()


def _manifest(folder: Path, listed: dict[str, str]) -> Check:
    """Check that the manifest is about these archives."""
    file = folder / MANIFEST
    manifest: Any = disk.read_json(file) if file.stat().st_size <= _LARGEST_MANIFEST else None
    try:
        archives = [(str(archive["file"]), archive["sha256"]) for archive in manifest["archives"]]
    except (TypeError, KeyError):
        return Check("manifest", passed=False, found=f"{MANIFEST} is not a manifest of hardener")
    wrong = [f"{name!r} has another sum in {SUMS}" for name, digest in archives if listed.get(name) != digest]
    found = f"{len(archives)} archives, as in {SUMS}" if archives and not wrong else "not about these archives"
    return Check("manifest", bool(archives) and not wrong, found, tuple(wrong))


def _provenance(folder: Path, listed: Mapping[str, str]) -> Check:
    """The statement of provenance is valid, and about all other files."""
    statement = provenance.find(folder, listed)
    wrong = statement.problems
    found = "no statement about these files" if wrong else f"commit {provenance.commit_of(statement.document)}"
    return Check("provenance", not wrong, found, wrong)


def compared(folder: Path, rebuilt: Path, *, only: str = "") -> tuple[Check, Same, tuple[str, ...]]:
    """Compare released files with rebuilt ones; returns also the verdict, and the names of files that differ."""
    listed, made = sums.read(folder), sums.read(rebuilt)
    results = comparison.compare(folder, rebuilt, [only] if only else listed, () if only else made)
    verdict = comparison.verdict(results)
    unlike = [result for result in results if result.same is not Same.BYTES]
    details = tuple(
        f"{result.name}: {result.same}" + (f": {', '.join(result.details)}" if result.details else "")
        for result in unlike
    )
    found = f"{len(results) - len(unlike)} of {len(results)} files are identical"
    found += f"; the others: {verdict}" if verdict is Same.CONTENT else ""
    differing = tuple(result.name for result in unlike if result.same is Same.NO)
    return Check("rebuild", verdict is not Same.NO, found, details), verdict, differing


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
