"""errors.py: every class has the exit code of docs/reference.md#exit-codes."""

from __future__ import annotations

import pytest

from hardener import errors

TABLE = {
    errors.UsageError: 2,
    errors.ConfigError: 3,
    errors.PinError: 3,
    errors.UnreachableError: 4,
    errors.PatchError: 5,
    errors.UnfinishedError: 5,
    errors.OverlayError: 5,
    errors.InstallError: 6,
    errors.BundleError: 6,
    errors.ScanError: 7,
    errors.StackError: 8,
    errors.BusyError: 75,
}


@pytest.mark.parametrize(("kind", "code"), TABLE.items(), ids=lambda value: getattr(value, "__name__", value))
def test_each_class_has_its_exit_code(kind: type[errors.HardenerError], code: int) -> None:
    assert code == kind("x").exit_code


def test_no_class_is_missing_from_the_table() -> None:
    assert set(TABLE) == set(errors.HardenerError.__subclasses__())


def test_an_error_carries_message_hint_and_details() -> None:
    error = errors.PatchError("does not fit", hint="fix it", details=("a.patch", "b.patch"))
    assert (error.message, error.hint, error.details) == ("does not fit", "fix it", ("a.patch", "b.patch"))
    assert str(error) == "does not fit"
