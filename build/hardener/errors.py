"""Errors that a user can act on.

Each class has one exit code of docs/reference.md#exit-codes. A message says what is wrong, the hint is the command or
setting that fixes it. Any other exception is a bug in hardener (exit code 70).
"""

from __future__ import annotations

from typing import ClassVar


class HardenerError(Exception):
    """Base class of all errors that are not bugs.

    ``message`` is one sentence, ``hint`` is the command or setting that fixes it, ``details`` are further lines
    (the failing patches, say) that are shown below the message.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class UsageError(HardenerError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class ConfigError(HardenerError):
    """A file of the project (upstream.toml, overlays.toml, hosts.toml, series ...) is wrong."""

    exit_code = 3


class PinError(HardenerError):
    """The source does not contain the commit that upstream.toml pins."""

    exit_code = 3


class UnreachableError(HardenerError):
    """Upstream, a package registry or an assessed service does not answer."""

    exit_code = 4


class PatchError(HardenerError):
    """At least one patch of a series does not fit."""

    exit_code = 5


class UnfinishedError(HardenerError):
    """A person's work is in the way: it has to be finished, taken over or put aside first. Nothing was touched."""

    exit_code = 5


class OverlayError(HardenerError):
    """An overlay does not fit the patched tree."""

    exit_code = 5


class InstallError(HardenerError):
    """The npm packages could not be installed as locked."""

    exit_code = 6


class BundleError(HardenerError):
    """The bundler, a deploy step or the type check failed."""

    exit_code = 6


class ScanError(HardenerError):
    """The bundle holds something that it must not."""

    exit_code = 7


class StackError(HardenerError):
    """A requirement of a step (disk space, a tool, a service) is not available on this machine."""

    exit_code = 8


class BusyError(HardenerError):
    """Another hardener holds the lock and waiting was not wanted (EX_TEMPFAIL of sysexits.h)."""

    exit_code = 75
