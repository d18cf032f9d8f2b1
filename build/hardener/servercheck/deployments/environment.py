"""The variables of one container of docker-jitsi-meet, read as its templates read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hardener.servercheck.model import Setting, Unknown, Where

TRUE, FALSE = frozenset("1 t T TRUE true True".split()), frozenset("0 f F FALSE false False".split())


@dataclass
class Environment:
    """The variables of one container; unset ones have the image's default and the file's name as their place."""

    settings: dict[str, Setting]
    file: str
    doubts: list[tuple[Where, str]] = field(default_factory=list)

    def absent(self, name: str) -> Where:
        return Where(self.file, 0, f"{name} is not set")

    def where(self, name: str) -> Where:
        setting = self.settings.get(name)
        return setting.where if setting else self.absent(name)

    def text(self, name: str, default: str = "") -> Setting:
        """Return a variable, or the image's default: as in sprig's ``default``, an empty one counts as unset."""
        setting = self.settings.get(name)
        if setting is not None and setting.unknown:
            self.doubts.append((setting.where, setting.value.reason))
        elif setting is not None and setting.value != "":
            return setting
        return Setting(default, self.where(name))

    def flag(self, name: str, default: Any) -> Setting:
        """Return a switch as upstream's tpl reads it (https://github.com/jitsi/tpl, func.go): Go's ParseBool, no
        quotes.
        """
        setting = self.text(name)
        if (raw := self.settings.get(name)) is not None and raw.unknown:
            return raw
        if setting.value == "":
            return Setting(default, setting.where)
        value = str(setting.value).replace('"', "").replace("'", "")
        if value in TRUE | FALSE:
            return Setting(value in TRUE, setting.where)
        self.doubts.append((setting.where, f"{value!r} is neither 1 nor 0: the container would not start"))
        return Setting(Unknown("neither 1 nor 0"), setting.where)

    def on(self, name: str, default: bool = False) -> bool:
        """Return a switch; what cannot be determined counts as unset, and is in ``doubts``."""
        value = self.flag(name, default).value
        return default if isinstance(value, Unknown) else bool(value)

    def words(self, name: str) -> list[Setting]:
        """Return a list with commas."""
        setting = self.text(name)
        return (
            [] if setting.unknown else [Setting(word, setting.where) for word in str(setting.value).split(",") if word]
        )
