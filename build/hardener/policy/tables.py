"""Read TOML files and the lists of tables in them, with errors that name the file and the key."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from hardener.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; raises UsageError when it is missing, ConfigError with line and column when malformed."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} does not exist", hint="run inside a hardener project, or name one: --project DIR"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}", hint="the file must be valid TOML 1.0 in UTF-8") from error


def tables(path: Path, data: Mapping[str, Any], key: str) -> list[Any]:
    """The ``[[key]]`` tables of a parsed file; raises ConfigError when there is something else under that name."""
    found = data.get(key, [])
    if not isinstance(found, list):
        raise ConfigError(
            f"{path}: {key!r} is not a table of the form [[{key}]]", hint=f"write [[{key}]] with keys below it"
        )
    return found


def only_tables(path: Path, key: str) -> list[Any]:
    """The ``[[key]]`` tables of a file that holds nothing else; raises ConfigError when it does."""
    data = read_toml(path)
    for name in data:
        if name != key:
            raise ConfigError(f"{path}: unknown key {name!r}", hint=f"allowed: [[{key}]] tables")
    return tables(path, data, key)
