"""Read the TOML files of the project: each table is compared with a description of its keys.

A mistake is a ConfigError that names the file, the line where it can be found, the table and the key; the hint says
what is allowed, and which allowed word is nearest.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

SENTENCE = r"(?s).*\S.*"


@dataclass(frozen=True)
class Key:
    """One key of a table: which values it ``accepts``, what is ``allowed`` in words, and how a value is converted."""

    accepts: Callable[[Any], bool]
    allowed: str
    required: bool = False
    convert: Callable[[Any], Any] = lambda value: value
    choices: tuple[str, ...] = ()


def text(allowed: str, pattern: str = SENTENCE, *, required: bool = False) -> Key:
    """Describe a text of which the whole matches ``pattern``."""
    return Key(_matcher(pattern), allowed, required)


def texts(allowed: str, pattern: str = SENTENCE, *, distinct: bool = False) -> Key:
    """Describe a list of texts, read as a tuple; with ``distinct`` no text may occur twice."""
    matches = _matcher(pattern)
    return Key(
        lambda value: (
            isinstance(value, list) and all(map(matches, value)) and not (distinct and len(set(value)) < len(value))
        ),
        allowed,
        convert=tuple,
    )


def text_or_texts(allowed: str, pattern: str = SENTENCE, *, required: bool = False, least: int = 0) -> Key:
    """Describe a text or a list of at least ``least`` texts, read as a tuple."""
    matches = _matcher(pattern)
    return Key(
        lambda value: len(_listed(value)) >= least and all(map(matches, _listed(value))),
        allowed,
        required,
        convert=lambda value: tuple(_listed(value)),
    )


def choice(words: Sequence[str], *, required: bool = False) -> Key:
    """Describe a text that is one of ``words``."""
    return Key(lambda value: value in words, ", ".join(words), required, choices=tuple(words))


def whole(allowed: str, least: int, *, required: bool = False) -> Key:
    """Describe a whole number that is not below ``least``."""
    return Key(lambda value: type(value) is int and value >= least, allowed, required)


def pairs(allowed: str, name: str, pattern: str) -> Key:
    """Describe a table of texts, read as a sorted tuple of pairs; names match ``name``, values ``pattern``."""
    named, matches = _matcher(name), _matcher(pattern)
    return Key(
        lambda value: isinstance(value, dict) and all(map(named, value)) and all(map(matches, value.values())),
        allowed,
        convert=lambda value: tuple(sorted(value.items())),
    )


def _matcher(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Table:
    """One table that has been read: its values by key, without the optional keys that are not there."""

    document: Document
    title: str  # as it is written: [project], [[host]]
    number: int  # of several [[title]], from 1; 0 for a table that has its own name
    values: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        """Return the value of a required key."""
        return self.values[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key that need not be there."""
        return self.values.get(key, default)

    def error(self, problem: str, hint: str, key: str = "") -> ConfigError:
        """Return the error for a mistake in this table, at the line of ``key`` if the table has it."""
        title = f"{self.title} {self.number}" if self.number else self.title
        return ConfigError(f"{self.document.place(self.title, self.number, key)}: {title}: {problem}", hint=hint)


@dataclass(frozen=True)
class Document:
    """A parsed TOML file."""

    path: Path | Traversable
    text: str
    data: Mapping[str, Any]

    def holds(self, *titles: str) -> None:
        """Raise ConfigError for a top-level key that is not one of these tables, written as ``[x]`` or ``[[x]]``."""
        names = {re.sub(r"[\[\]]|\..*", "", title): title for title in titles}
        for key in self.data:
            if key not in names:
                near = names.get(nearest(key, names), "")
                raise ConfigError(f"{self.place('', 0, key)}: unknown key {key!r}", hint=_hint(near, ", ".join(titles)))

    def table(self, name: str, keys: Mapping[str, Key]) -> Table:
        """Return the table ``[name]``; raises ConfigError when it is missing or malformed."""
        return self._table(f"[{name}]", 0, self.data.get(name), keys)

    def named_tables(self, name: str, keys: Mapping[str, Key]) -> dict[str, Table]:
        """Return the tables ``[name.NAME]`` by NAME; raises ConfigError for a malformed one."""
        found = self.data.get(name, {})
        if not isinstance(found, dict):
            problem = f"{self.place('', 0, name)}: {name!r} is not a table"
            raise ConfigError(problem, hint=f"write [{name}.NAME] with keys below it")
        return {key: self._table(f"[{name}.{key}]", 0, value, keys) for key, value in found.items()}

    def tables(self, name: str, keys: Mapping[str, Key], *, unique: str = "") -> list[Table]:
        """Return the tables ``[[name]]``; raises ConfigError for a malformed one, and for a ``unique`` key's value that
        two of them have.
        """
        title = f"[[{name}]]"
        found = self.data.get(name, [])
        if not isinstance(found, list):
            problem = f"{self.place('', 0, name)}: {name!r} is not a table of the form {title}"
            raise ConfigError(problem, hint=f"write {title} with keys below it")
        tables = [self._table(title, number, value, keys) for number, value in enumerate(found, 1)]
        seen: set[Any] = set()
        for table in tables:
            if unique and table[unique] in seen:
                raise table.error(f"{table[unique]} is listed twice", f"write one {title} for each {unique}", unique)
            seen.add(table[unique] if unique else "")
        return tables

    def _table(self, title: str, number: int, found: Any, keys: Mapping[str, Key]) -> Table:
        table = Table(self, title, number, {})
        if not isinstance(found, dict):
            raise table.error(
                "the table is missing" if found is None else "not a table", f"write {title} with: {', '.join(keys)}"
            )
        for name in found:
            if name not in keys:
                raise table.error(f"unknown key {name!r}", _hint(nearest(name, keys), ", ".join(keys)), name)
        for name, key in keys.items():
            if name not in found:
                if key.required:
                    raise table.error(f"{name!r} is missing", f"{name} is {_one_of(key)}{key.allowed}")
            elif not key.accepts(found[name]):
                near = nearest(found[name], key.choices) if isinstance(found[name], str) else ""
                raise table.error(f"{name} = {found[name]!r}", _hint(near, key.allowed), name)
        return Table(self, title, number, {name: keys[name].convert(value) for name, value in found.items()})

    def place(self, title: str, number: int, key: str) -> str:
        """Return ``path:line`` of a key of a table, or of its header; only the path where the line cannot be found.

        ``tomllib`` gives no lines. A header is searched for in the text, and counted: what looks like one inside a
        text of several lines makes the number of headers wrong, and then no line is named.
        """
        start, lines = 0, self.text.splitlines()
        if title:
            parts = re.split(r"\.", title.strip("[]"), maxsplit=1)
            name = r"\s*\.\s*".join(rf"[\"']?{re.escape(part)}[\"']?" for part in parts)
            brackets = (r"\[\[", r"\]\]") if number else (r"\[", r"\]")
            header = re.compile(rf"\s*{brackets[0]}\s*{name}\s*{brackets[1]}\s*(?:#.*)?")
            headers = [index for index, line in enumerate(lines, 1) if header.fullmatch(line)]
            expected = len(self.data.get(parts[0], ())) if number else 1
            if len(headers) != expected:
                return f"{self.path}"
            start = headers[max(number - 1, 0)]
        wanted = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
        top = re.compile(rf"\s*\[+\s*[\"']?{re.escape(key)}\b")
        for index, line in enumerate(lines[start:], start + 1):
            if key and (wanted.match(line) or (not title and top.match(line))):
                return f"{self.path}:{index}"
            if title and line.lstrip().startswith("["):
                break
        return f"{self.path}:{start}" if start else f"{self.path}"


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the word that was probably meant; empty if none is near.

    >>> nearest("Reasons", ["reason", "count"]), nearest("x", ["reason"])
    ('reason', '')
    """
    return next(iter(difflib.get_close_matches(word.lower(), list(words), n=1)), "")


def _one_of(key: Key) -> str:
    return "one of " if key.choices else ""


def _hint(near: str, allowed: str) -> str:
    return f"did you mean {near}? allowed: {allowed}" if near else f"allowed: {allowed}"


def load(path: Path | Traversable) -> Document:
    """Parse a TOML file; raises UsageError when it is missing, ConfigError with line and column when malformed."""
    text = ""
    try:
        text = path.read_bytes().decode("utf-8")
        return Document(path, text, tomllib.loads(text))
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} does not exist", hint="run inside a hardener project, or name one: --project DIR"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: lists or tables are nested too deeply", hint="the keys need two levels") from error
    except ValueError as error:  # also of a number with more digits than Python converts
        hint = "the file must be valid TOML 1.0 in UTF-8"
        if re.search(r"(?m)^[^#\n]*=\s*\d{1,2}\.\d{1,2}\.\d{4}\s*(?:#.*)?$", text):
            hint += "; a date is written as 2026-03-01"
        elif "Invalid date" in str(error):
            hint += "; the calendar does not have this day"
        elif "Invalid value" in str(error):
            hint += '; a text is in straight quotes: name = "..."'
        raise ConfigError(f"{path}: {error}", hint=hint) from error
