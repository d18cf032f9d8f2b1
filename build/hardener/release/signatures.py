"""Signatures over ``SHA256SUMS`` with OpenSSH keys: made and checked by ``ssh-keygen -Y``, which every server has.

A key signs in one namespace: a release, or a rebuild that came to the same sums. ``allowed_signers`` names the keys,
with their namespaces and the time in which they are valid (ssh-keygen(1), "ALLOWED SIGNERS"; the format of a signature
is OpenSSH's PROTOCOL.sshsig).
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import StackError, UsageError
from hardener.system import disk, sums
from hardener.system.process import run
from hardener.system.sums import SUMS

if TYPE_CHECKING:
    from pathlib import Path

RELEASE, REBUILD = "hardener-release", "hardener-rebuild"
SIGNATURE, BUILDERS, SIGNERS = f"{SUMS}.sig", f"{SUMS}.d", "allowed_signers"
_KINDS = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com")
_MAGIC = b"SSHSIG"


@dataclass(frozen=True)
class Verdict:
    """The value of a signature: ``principal`` of ``allowed_signers`` if it is ``good``, else the reason in ``why``."""

    good: bool
    principal: str = ""
    why: str = ""


def sign(folder: Path, key: Path, builder: str = "") -> Path:
    """Sign ``folder/SHA256SUMS`` with a private key, or one whose public half an agent or token knows.

    With ``builder`` it is the signature of a rebuild and goes to ``SHA256SUMS.d/<builder>.sig``. Returns its path.
    Raises UsageError for a missing file, malformed sums or another kind of key than Ed25519, StackError where
    ssh-keygen fails.
    """
    sums.read(folder)  # what no verification would accept is not signed
    content = _content(folder)
    if not key.is_file():
        raise UsageError(f"there is no key {key}", hint="create a key: ssh-keygen -t ed25519 -f KEY")
    done = run(["ssh-keygen", "-q", "-Y", "sign", "-n", REBUILD if builder else RELEASE, "-f", key], stdin=content)
    if done.status:
        raise StackError(f"ssh-keygen does not sign with {key}: {done.complaint}", hint=f"ssh-keygen -y -f {key}")
    if (kind := kind_of(done.stdout)) not in _KINDS:
        raise UsageError(f"{key} is a key of the kind {kind}", hint="use Ed25519: ssh-keygen -t ed25519 -f KEY")
    path = folder / BUILDERS / f"{builder}.sig" if builder else folder / SIGNATURE
    disk.write(path, done.stdout)
    return path


def verify(folder: Path, signature: Path, namespace: str, signers: Path) -> Verdict:
    """Check a signature over ``folder/SHA256SUMS`` in a namespace against ``allowed_signers``."""
    if not signature.is_file():
        return Verdict(good=False, why=f"{signature.name} is not there")
    try:
        kind_of(signature.read_bytes())
    except ValueError as error:
        return Verdict(good=False, why=f"{signature.name} is no signature of ssh-keygen: {error}")
    words = ["ssh-keygen", "-Y"]
    found = run([*words, "find-principals", "-s", signature, "-f", signers])
    principal = found.text.partition("\n")[0]
    if found.status or not principal:
        return Verdict(good=False, why=f"{signers.name} has no key for it that is valid today")
    done = run(
        [*words, "verify", "-f", signers, "-I", principal, "-n", namespace, "-s", signature],
        stdin=_content(folder),
    )
    if done.status:
        return Verdict(good=False, principal=principal, why=f"the key of {principal}: {done.complaint}")
    return Verdict(good=True, principal=principal)


def kind_of(signature: bytes) -> str:
    """Return the kind of key that made a signature; raises ValueError for what is no signature."""
    lines = signature.decode("ascii", "replace").split()
    text = "".join(lines[3:-3])  # between BEGIN SSH SIGNATURE and END SSH SIGNATURE
    try:
        blob = base64.b64decode(text, validate=True)
        if not blob.startswith(_MAGIC):
            raise ValueError("it does not begin with SSHSIG")
        (size,) = struct.unpack_from(">I", blob, len(_MAGIC) + 8)  # after the version and the key's own length
        return blob[len(_MAGIC) + 12 :][:size].decode("ascii")
    except (binascii.Error, struct.error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


def _content(folder: Path) -> bytes:
    return (folder / SUMS).read_bytes()
