"""The flavours of the stack behind one interface: which services there are, and where their images come from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.proof.stack import contexts, docker, images
from hardener.proof.stack.docker import NoDockerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PULLING = 600  # seconds for a registry to deliver upstream's images (about 1 GB)
JITSI = "HARDENER_JITSI"  # names the folder with Jicofo and the bridge
_WANTED = (
    "jicofo/jicofo.jar", "jicofo/jicofo.sh", "jitsi-videobridge/jitsi-videobridge.jar", "jitsi-videobridge/jvb.sh",
)  # fmt: skip
_OF_JICOFO = ("ENABLE_AUTO_OWNER", "JICOFO_ENABLE_AUTH")


@dataclass(frozen=True)
class Flavour:
    """A flavour: its services, Prosody's configuration inside its container, its Compose files, and the settings that
    it has beside Prosody's.
    """

    name: str
    services: frozenset[str]
    configuration: str
    parts: tuple[str, ...]
    settings: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Return its Compose files, in the order in which they are merged."""
        return contexts.DOCKER / "compose.yml", *(contexts.DOCKER / f"compose.{part}.yml" for part in self.parts)


_DEBIANS = "/data/config/prosody.cfg.lua"
FLAVOURS = {
    flavour.name: flavour
    for flavour in (
        Flavour("local", frozenset({"web", "prosody", "jicofo"}), _DEBIANS, ("prosody", "local")),
        Flavour(
            "debian",
            frozenset({"web", "prosody", "jicofo", "jvb"}),
            _DEBIANS,
            ("prosody", "debian"),
            (*_OF_JICOFO, "ENABLE_SCTP", "JVB_WS_DOMAIN", "JVB_WS_TLS"),
        ),
        Flavour(
            "official",
            frozenset({"web", "prosody", "jicofo", "jvb"}),
            "/config/prosody.cfg.lua",
            ("official",),
            _OF_JICOFO,
        ),
    )
}


def prepare(
    flavour: Flavour,
    site: Path,
    plugins: dict[str, bytes],
    upstream: Mapping[str, str],
    tell: Callable[[str], None],
) -> dict[str, str]:
    """Make sure that all images are here: variable of the Compose files -> image.

    ``upstream`` names upstream's images for the flavour 'official' (prosody, jicofo, jvb -> reference); they are
    returned by digest, so that a stack is known by what runs in it. Raises NoDockerError when one
    cannot be had, StackError when one cannot be built.
    """
    servers = folder_of_servers() if flavour.name == "debian" else Path()
    on = images.base(tell)

    def build(role: str, files: Mapping[str, bytes | Path]) -> str:
        tell(f"image of {role}")
        return images.build(role, files, on)[0]

    made = {"WEB_IMAGE": build("web", contexts.web(contexts.read_site(site), flavour.name))}
    if flavour.name == "official":
        names = {"PROSODY_IMAGE": "prosody", "FOCUS_IMAGE": "jicofo", "JVB_IMAGE": "jvb"}
        return made | {variable: _pull(upstream[role], tell) for variable, role in names.items()}
    made["PROSODY_IMAGE"] = build("prosody", contexts.prosody(plugins))
    if flavour.name == "local":
        return made | {"FOCUS_IMAGE": build("focus", contexts.focus())}
    made["FOCUS_IMAGE"] = build("jicofo", contexts.jicofo(servers))
    return made | {"JVB_IMAGE": build("jvb", contexts.jvb(servers))}


def folder_of_servers() -> Path:
    """Return the folder that HARDENER_JITSI names; raises NoDockerError where Jicofo and the bridge are not in it."""
    named = os.environ.get(JITSI, "")
    missing = [name for name in _WANTED if not (Path(named) / name).is_file()]
    if not named or missing:
        raise NoDockerError(
            f"{JITSI} does not name a folder with Jicofo and the videobridge"
            + (f": {named} lacks {missing[0]}" if named else ""),
            hint="docs/maintaining.md#the-debian-flavour; or: hardener stack up --flavour local",
        )
    return Path(named)


def _pull(reference: str, tell: Callable[[str], None]) -> str:
    if images.identity(reference) is None:
        tell(f"pulling {reference}")
        pulled = images.pull(reference, PULLING)
        if pulled.status:
            raise NoDockerError(
                f"{reference} cannot be pulled",
                hint="hardener stack up --flavour local, or docker load the image",
                details=tuple(pulled.complaint.splitlines()[-3:]),
            )
    digests = docker.output("image", "inspect", "--format", "{{range .RepoDigests}}{{.}} {{end}}", reference).split()
    return digests[0] if digests else reference
