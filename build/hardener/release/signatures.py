"""Signatures over ``SHA256SUMS`` with OpenSSH keys: made and checked by ``ssh-keygen -Y``, which every server has.

A key signs in one namespace: a release, or a rebuild that came to the same sums. ``allowed_signers`` names the keys,
with their namespaces and the time in which they are valid (ssh-keygen(1), "ALLOWED SIGNERS"; the format of a signature
is OpenSSH's PROTOCOL.sshsig).
"""

from __future__ import annotations

import base64
import binascii
import shlex
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hardener.errors import StackError, UsageError
from hardener.system import disk, sums
from hardener.system.process import run
from hardener.system.sums import BUILDERS, SIGNATURE, SUMS, UNRELEASED

RELEASE, REBUILD = "hardener-release", "hardener-rebuild"
SIGNERS = "allowed_signers"
_KINDS = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com")
_MAGIC = b"SSHSIG"
_SHOWN = 8  # files in one error
_LARGEST = 10_000  # bytes of a signature; one with Ed25519 has less than 500


@dataclass(frozen=True)
class Verdict:
    """The value of a signature: ``principal`` of ``allowed_signers`` if it is ``good``, else the reason in ``why``."""

    good: bool
    principal: str = ""
    why: str = ""


def sign(folder: Path, key: Path, builder: str = "", signers: Path | None = None) -> Path:
    """Sign ``folder/SHA256SUMS`` with a private key, or one whose public half an agent or token knows.

    With ``builder`` it is the signature of a rebuild and goes to ``SHA256SUMS.d/<builder>.sig``. Returns its path.
    Raises UsageError for malformed sums, a listed file that is missing or another one, files of a dry run, another kind
    of key than Ed25519, or one that ``signers`` does not permit (without such a list, each key may sign), StackError
    where ssh-keygen fails.
    """
    listed = sums.read(folder)  # what no verification would accept is not signed
    if wrong := sums.problems(folder, listed):
        raise UsageError(
            f"{len(wrong)} of {len(listed)} files in {folder} are not those of {SUMS}",
            hint=f"get or build the files again; see them all: hardener verify {shlex.quote(str(folder))}",
            details=tuple(wrong[:_SHOWN]),
        )
    signature = signature_of((folder / SUMS).read_bytes(), key, REBUILD if builder else RELEASE, signers)
    if UNRELEASED in listed and not builder:
        raise UsageError(f"{folder} is of a dry run", hint="hardener release, without --dry-run, writes what is signed")
    path = folder / BUILDERS / f"{builder}.sig" if builder else folder / SIGNATURE
    disk.write(path, signature)
    return path


def signature_of(content: bytes, key: Path, namespace: str, signers: Path | None = None) -> bytes:
    """Return a signature over some bytes; raises UsageError and StackError as :func:`sign` does."""
    if not key.is_file():
        raise UsageError(f"there is no key {key}", hint="create a key: ssh-keygen -t ed25519 -f KEY")
    done = run(["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", key], stdin=content)
    if done.status:
        raise StackError(
            f"ssh-keygen does not sign with {key}: {done.complaint}",
            hint=f"can it be read? ssh-keygen -y -f {key} (with a passphrase, use the agent: ssh-add {key})",
        )
    if (kind := _kind(_key(done.stdout))) not in _KINDS:
        raise UsageError(f"{key} is a key of the kind {kind}", hint="use Ed25519: ssh-keygen -t ed25519 -f KEY")
    if signers:
        _refuse_unlisted(content, done.stdout, key, namespace, signers)
    return done.stdout


def _refuse_unlisted(content: bytes, signature: bytes, key: Path, namespace: str, signers: Path) -> None:
    """Raise UsageError for a signature that ``verify`` would not accept with this list, with the line to add."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / SUMS).write_bytes(content)
        (folder / SIGNATURE).write_bytes(signature)
        verdict = verify(folder, folder / SIGNATURE, namespace, signers)
    if not verdict.good:
        public = _key(signature)
        line = f'NAME@example.org namespaces="{namespace}" {_kind(public)} {base64.b64encode(public).decode()}'
        raise UsageError(
            f"{signers} does not permit {key} to sign in the namespace {namespace}: {verdict.why}",
            hint="use a key that it lists, or add this line with your address; another list: --signers FILE",
            details=(line,),
        )


def verify(folder: Path, signature: Path, namespace: str, signers: Path) -> Verdict:
    """Check a signature over ``folder/SHA256SUMS`` in a namespace against ``allowed_signers``.

    A key may have several lines, for two namespaces or after a change of its validity. ssh-keygen names only the first
    one, so each line of the key is checked by itself. The first that permits the signature gives the principal, so a
    key has only one. Certificates are refused: their holder has a new principal with each of them.
    """
    if not signature.is_file():
        return Verdict(good=False, why=f"{signature.name} is not there")
    if not signers.is_file():
        return Verdict(good=False, why=f"there is no {signers}")
    try:
        key = key_of(signature)
    except ValueError as error:
        return Verdict(good=False, why=f"{signature.name} is not a signature of ssh-keygen: {error}")
    if (kind := _kind(key)) not in _KINDS:
        return Verdict(good=False, why=f"{signature.name} is of a key of the kind {kind!r}, not of Ed25519")
    encoded = base64.b64encode(key)
    verdict = Verdict(good=False, why=f"{signers.name} has no key for it that is valid today")
    for line in signers.read_bytes().splitlines():
        if encoded in line.split() and not line.lstrip().startswith(b"#"):
            with tempfile.NamedTemporaryFile() as file:
                file.write(line + b"\n")
                file.flush()
                found = _verify_line(folder, signature, namespace, Path(file.name))
            if found.good:
                return found
            verdict = found if found.why else verdict
    return verdict


def _verify_line(folder: Path, signature: Path, namespace: str, signers: Path) -> Verdict:
    words = ["ssh-keygen", "-Y"]
    found = run([*words, "find-principals", "-s", signature, "-f", signers])
    principal = found.text.partition("\n")[0]
    if found.status or not principal:
        return Verdict(good=False)
    done = run(
        [*words, "verify", "-f", signers, "-I", principal, "-n", namespace, "-s", signature],
        stdin=(folder / SUMS).read_bytes(),
    )
    if done.status:
        complaint = done.complaint.removeprefix(f"{signers}:1: ")
        return Verdict(good=False, principal=principal, why=f"the key of {principal}: {complaint}")
    return Verdict(good=True, principal=principal)


def key_of(signature: Path) -> bytes:
    """Return the public key in a signature; raises ValueError if it is not a signature."""
    if signature.stat().st_size > _LARGEST:
        raise ValueError("it is too large")
    return _key(signature.read_bytes())


def _key(signature: bytes) -> bytes:
    lines = signature.decode("ascii", "replace").split()
    text = "".join(lines[3:-3])  # between BEGIN SSH SIGNATURE and END SSH SIGNATURE
    try:
        blob = base64.b64decode(text, validate=True)
        if not blob.startswith(_MAGIC):
            raise ValueError("it does not begin with SSHSIG")
        (size,) = struct.unpack_from(">I", blob, len(_MAGIC) + 4)  # after the version
        return blob[len(_MAGIC) + 8 :][:size]
    except (binascii.Error, struct.error) as error:
        raise ValueError(str(error)) from error


def _kind(key: bytes) -> str:
    """Return the kind of a public key: its first string (RFC 4253, 6.6).

    >>> _kind(b"\\0\\0\\0\\x07ssh-rsa...")
    'ssh-rsa'
    """
    size = int.from_bytes(key[:4], "big")
    return key[4:][:size].decode("ascii", "replace")
