"""The two flavours of the stack behind one interface: which services there are, and where their images come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.proof.stack import contexts, docker, images
from hardener.proof.stack.docker import NoDockerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PULLING = 600  # seconds for a registry to deliver upstream's images (about 1 GB)


@dataclass(frozen=True)
class Flavour:
    """A flavour: its Compose files, its services, and Prosody's configuration inside its container."""

    name: str
    services: frozenset[str]
    configuration: str

    @property
    def files(self) -> tuple[Path, ...]:
        """Return its Compose files, in the order in which they are merged."""
        return contexts.DOCKER / "compose.yml", contexts.DOCKER / f"compose.{self.name}.yml"


FLAVOURS = {
    flavour.name: flavour
    for flavour in (
        Flavour("local", frozenset({"web", "prosody", "jicofo"}), "/data/config/prosody.cfg.lua"),
        Flavour("official", frozenset({"web", "prosody", "jicofo", "jvb"}), "/config/prosody.cfg.lua"),
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
    on = images.base(tell)

    def build(role: str, files: Mapping[str, bytes | Path]) -> str:
        tell(f"image of {role}")
        return images.build(role, files, on)[0]

    made = {"WEB_IMAGE": build("web", contexts.web(contexts.read_site(site)))}
    if flavour.name == "local":
        made["PROSODY_IMAGE"] = build("prosody", contexts.prosody(plugins))
        made["FOCUS_IMAGE"] = build("focus", contexts.focus())
    else:
        names = {"PROSODY_IMAGE": "prosody", "FOCUS_IMAGE": "jicofo", "JVB_IMAGE": "jvb"}
        made |= {variable: _pull(upstream[role], tell) for variable, role in names.items()}
    return made


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
