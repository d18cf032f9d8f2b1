"""Compose files: which variables reach which service, and which ports are published.

Read as YAML nodes (never constructed), for their lines. Merge keys and anchors are followed; ``extends`` and
``include`` are not, and are told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from hardener.servercheck.model import Port, Setting, Unclear, Unknown, Where
from hardener.servercheck.readers.dotenv import expand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARTS = ("prosody", "jicofo", "jvb", "web", "jigasi", "jibri")
LOCAL = re.compile(r"127\.\d+\.\d+\.\d+|\[?::1\]?|localhost")
# The ports that the images listen on, by what answers there. https://github.com/jitsi/docker-jitsi-meet
SERVICES = {
    ("prosody", "5222"): "c2s",
    ("prosody", "5269"): "s2s",
    ("prosody", "5280"): "http",
    ("prosody", "5281"): "http",
    ("prosody", "5347"): "component",
    ("jicofo", "8888"): "jicofo-rest",
    ("jvb", "8080"): "bridge-rest",
}
MERGE = "tag:yaml.org,2002:merge"
DEPTH = 20


@dataclass
class Service:
    """One service: ``environment`` holds what the file itself sets, ``passed`` the names taken from ``.env``."""

    name: str
    part: str
    where: Where
    upstream: bool = True  # whether the image is one of docker-jitsi-meet's, by its name
    environment: dict[str, Setting] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    env_files: list[Setting] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)
    host_network: Where | None = None


def read(
    text: str, name: str, env: dict[str, Setting], services: dict[str, Service]
) -> tuple[dict[str, Service], list[Unclear]]:
    """The services of one file laid over those of the files before it; and what could not be told."""
    reader = _Reader(name, env, services)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = Where(name, mark.line + 1 if mark else 0)
        return services, [Unclear(where, "not valid YAML", vital=True)]
    for key, node in reader.pairs(root):
        if key == "include":
            reader.doubt(node, "includes other compose files, which were not read")
        elif key == "services":
            for service, body in reader.pairs(node):
                reader.service(service, body)
    return services, reader.unclear


class _Reader:
    def __init__(self, name: str, env: dict[str, Setting], services: dict[str, Service]) -> None:
        self.name = name
        self.env = env
        self.services = services
        self.unclear: list[Unclear] = []

    def where(self, node: yaml.Node, name: str = "") -> Where:
        return Where(self.name, node.start_mark.line + 1, name)

    def doubt(self, node: yaml.Node, reason: str) -> None:
        self.unclear.append(Unclear(self.where(node), reason, vital=True))

    def pairs(self, node: yaml.Node | None, depth: int = 0) -> Iterator[tuple[str, yaml.Node]]:
        """Keys and values of a mapping; merged ones first, so that own ones come later and win."""
        if not isinstance(node, yaml.MappingNode) or depth > DEPTH:
            return
        for key, value in node.value:
            if key.tag == MERGE:
                for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    yield from self.pairs(one, depth + 1)
        for key, value in node.value:
            if key.tag != MERGE and isinstance(key, yaml.ScalarNode):
                yield key.value, value

    def text(self, node: yaml.Node) -> str | Unknown:
        if not isinstance(node, yaml.ScalarNode):
            return Unknown("not a plain value")
        return expand(node.value, self.env.get)

    def service(self, name: str, body: yaml.Node) -> None:
        entries = dict(self.pairs(body))
        raw = entries["image"].value if "image" in entries and isinstance(entries["image"], yaml.ScalarNode) else ""
        image = raw if isinstance(filled := expand(raw, self.env.get), Unknown) else filled
        part = next((one for one in PARTS if re.search(rf"/{one}(?::|@|$)", image) or name == one), "")
        one = self.services.setdefault(name, Service(name, part, self.where(body)))
        one.part = one.part or part
        if "image" in entries or "build" in entries:
            one.upstream = re.search(rf"(?:^|/)jitsi/{part}(?::|@|$)|JITSI_IMAGE_REPO", image) is not None
        if "extends" in entries:
            self.doubt(entries["extends"], f"{name} extends another service, which was not followed")
        if "environment" in entries:
            self.environment(one, entries["environment"])
        for item in _items(entries.get("env_file")):
            path = dict(self.pairs(item)).get("path", item)
            one.env_files.append(Setting(self.text(path), self.where(item)))
        for item in _items(entries.get("ports")):
            self.port(one, item)
        mode = entries.get("network_mode")
        if isinstance(mode, yaml.ScalarNode) and mode.value == "host":
            one.host_network = self.where(mode)

    def environment(self, one: Service, node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            words = [(key, value, None if _empty(value) else self.text(value)) for key, value in self.pairs(node)]
        else:
            words = []
            for item in _items(node):
                name, sign, _ = item.value.partition("=") if isinstance(item, yaml.ScalarNode) else ("", "", "")
                value = self.text(item) if sign else None
                words.append((name, item, value.partition("=")[2] if isinstance(value, str) else value))
        for name, item, value in words:
            if value is None:
                one.passed.add(name)
                one.environment.pop(name, None)
            else:
                one.environment[name] = Setting(value, self.where(item, name))

    def port(self, one: Service, node: yaml.Node) -> None:
        where = self.where(node)
        if isinstance(node, yaml.MappingNode):
            entry = {key: str(self.text(value)) for key, value in self.pairs(node)}
            address, target = entry.get("host_ip", ""), entry.get("target", "")
        else:
            # A published port that is not set here still has its container port, which is what counts.
            raw = node.value if isinstance(node, yaml.ScalarNode) else ""
            filled = (
                re.sub(r"\$\{[^}]*?:?-([^}]*)\}", r"\1", raw)
                if isinstance(self.text(node), Unknown)
                else self.text(node)
            )
            words = re.sub(r"\$\{?\w+\}?", "0", str(filled)).split("/")[0].rsplit(":", 2)
            target = words[-1]
            address = words[0] if len(words) == 3 else ""  # noqa: PLR2004 (address:port:port)
        service = SERVICES.get((one.part, target))
        if service and not LOCAL.fullmatch(address):
            one.ports.append(Port(service, target, where))


def resolve(
    service: Service, env: dict[str, Setting], files: Callable[[Setting], dict[str, Setting] | None]
) -> dict[str, Setting]:
    """The environment that the container gets: what the file sets wins over what it passes on, that over env_file."""
    result: dict[str, Setting] = {}
    for one in service.env_files:
        result.update(files(one) or {})
    result.update({name: env[name] for name in service.passed if name in env})
    result.update(service.environment)
    return result


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return [] if node is None else [node]


def _empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == "" and node.style is None
