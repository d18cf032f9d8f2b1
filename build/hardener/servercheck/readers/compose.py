"""Compose files as docker compose reads them: which services there are, and what each of them is given.

Follows the Compose Specification (https://github.com/compose-spec/compose-spec): several files over each other,
``extends``, ``include``, ``configs``, interpolation, merge keys, ``!reset`` and ``!override``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.servercheck.model import Port, Setting, Unclear, Unknown, Where
from hardener.servercheck.readers.dotenv import expand
from hardener.servercheck.readers.yaml_tree import Map, Scalar, Seq, Tree, documents
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Text = Callable[[Path, Where | None], str | None]

PARTS = ("prosody", "jicofo", "jvb", "web", "jigasi", "jibri")
LOCAL = re.compile(r"127\.\d+\.\d+\.\d+|\[?::1\]?|localhost")
# The ports that the images listen on, by what answers there. https://github.com/jitsi/docker-jitsi-meet
SERVICES = {
    ("prosody", "5222"): "c2s",
    ("prosody", "5223"): "c2s-tls",
    ("prosody", "5269"): "s2s",
    ("prosody", "5270"): "s2s",
    ("prosody", "5280"): "http",
    ("prosody", "5281"): "https",
    ("prosody", "5347"): "component",
    ("jicofo", "8888"): "jicofo-rest",
    ("jvb", "8080"): "bridge-rest",
}
# What takes the place of what the image starts with.
STARTS = ("entrypoint", "command", "volumes_from", "post_start", "pre_start")
DEPTH = 20
MOST = 1_000  # files that are included and services that are extended, all together
LISTED = 1_000  # ports of one range
GAP = "\x1a"  # in the place of a variable that is not known


@dataclass(frozen=True)
class Mount:
    """A file or folder that a container gets: a path here, a text, or neither (``reason``)."""

    target: str
    where: Where
    source: Path | None = None
    text: str | None = None
    reason: str = ""


@dataclass
class Service:
    """One service: ``environment`` holds what the file itself sets, ``passed`` the names taken from ``.env``."""

    name: str
    where: Where
    image: str = ""
    built: bool = False
    environment: dict[str, Setting] = field(default_factory=dict)
    passed: dict[str, Where] = field(default_factory=dict)
    env_files: list[tuple[Setting, Path, bool]] = field(default_factory=list)
    published: list[tuple[Tree, dict[str, Setting]]] = field(default_factory=list)
    mounts: dict[str, Mount] = field(default_factory=dict)
    used: list[tuple[str, str, Where]] = field(default_factory=list)  # configs and secrets: name, target
    starts: dict[str, Where] = field(default_factory=dict)
    labels: dict[str, Setting] = field(default_factory=dict)
    profiles: list[str] = field(default_factory=list)
    replicas: str = ""
    host_network: Where | None = None

    @property
    def part(self) -> str:
        """Return which of Jitsi's servers it is, by its image, or by its name where it has none."""
        last = re.split(r"[:@]", self.image.rpartition("/")[2])[0]
        words = set(re.split(r"[^a-z]+", (last or self.name).lower())) - {"exporter"}
        if "exporter" in last or ("exporter" in self.name and not last):
            return ""
        return next((part for part in PARTS if part in words or self.name == part), "")

    @property
    def upstream(self) -> bool:
        """Return whether the image is one of docker-jitsi-meet's, by its name."""
        pattern = rf"(?:^|/)jitsi/{self.part}(?::|@|$)|JITSI_IMAGE_REPO"
        return not self.built and re.search(pattern, self.image) is not None

    @property
    def release(self) -> str:
        """Return the image's tag."""
        return self.image.rpartition("/")[2].partition("@")[0].partition(":")[2]

    @property
    def ports(self) -> list[Port]:
        """Return the ports that others than this machine can reach."""
        return [port for node, env in self.published for port in _ports(self.part, node, env)]


class Project:
    """Services of one or more files. ``text(path, where)`` returns a file's content, or None, and reports why."""

    def __init__(self, variables: dict[str, Setting], text: Text) -> None:
        self.variables = variables
        self.text = text
        self.services: dict[str, Service] = {}
        self.unclear: list[Unclear] = []
        self.files: list[str] = []
        self.named: dict[str, tuple[Map, Path]] = {}  # configs and secrets of the top level
        self.volumes: dict[str, Map] = {}
        self.parsed: dict[Path, list[Tree]] = {}
        self.taken: list[Path] = []  # the file of each include and extends, as often as it is taken

    def doubt(self, where: Where, reason: str) -> None:
        self.unclear.append(Unclear(where, reason, vital=True))

    def take(self, path: Path, where: Where) -> bool:
        """Return whether another file may be taken; report the first that may not."""
        self.taken.append(path)
        if len(self.taken) == MOST + 1:
            self.doubt(where, f"more than {MOST} files are included and services extended: not read")
        return len(self.taken) <= MOST

    def load(self, path: Path, base: Path, where: Where | None = None, above: tuple[str, ...] = ()) -> None:
        """Lay a file over those before it; relative paths in it start at ``base``. ``above``: the files around it."""
        name, place = os.path.normpath(path), where or Where(os.fspath(path))
        if name in above or len(above) > DEPTH:
            self.doubt(place, "files include each other without end")
        elif self.take(path, place):
            for document in self.trees(path, where):
                self.document(document, path, base, (*above, name))

    def trees(self, path: Path, where: Where | None) -> list[Tree]:
        if path not in self.parsed:
            content = self.text(path, where)
            self.parsed[path], unclear = documents(content or "", os.fspath(path))
            self.unclear += unclear
            if content is not None:
                self.files.append(os.fspath(path))
        return self.parsed[path]

    def document(self, document: Tree, path: Path, base: Path, above: tuple[str, ...]) -> None:
        top = entries(document)
        for item in _items(top.get("include")):
            self.included(item, base, above)
        for name in ("configs", "secrets"):
            for key, node in entries(top.get(name)).items():
                if isinstance(node, Map):
                    self.named[key] = (node, base)
        for key, node in entries(top.get("volumes")).items():
            if isinstance(node, Map):
                self.volumes[key] = node
        for key, node in entries(top.get("services")).items():
            if node.tag == "!reset" or (isinstance(node, Scalar) and node.null and node.tag):
                self.services.pop(key, None)
            elif isinstance(node, Map):
                service = self.services.setdefault(key, Service(key, node.where))
                self.service(service, node, path, base, ())

    def included(self, item: Tree, base: Path, above: tuple[str, ...]) -> None:
        """Take the services of another project, with its own ``.env`` below this one's variables."""
        entry = entries(item)
        paths = [
            self.string(node) for node in _items(entry.get("path") or (item if isinstance(item, Scalar) else None))
        ]
        if not paths or any(isinstance(path, Unknown) for path in paths):
            self.doubt(item.where, "includes other compose files, which cannot be determined")
            return
        files = [base / str(path) for path in paths]
        folder = self.string(entry["project_directory"]) if "project_directory" in entry else files[0].parent
        inner = Project(dict(self.variables), self.text)
        inner.parsed, inner.unclear, inner.taken = self.parsed, self.unclear, self.taken
        inner.services, inner.named, inner.volumes, inner.files = self.services, self.named, self.volumes, self.files
        for node in _items(entry.get("env_file")) or [Scalar(os.fspath(files[0].parent / ".env"), item.where)]:
            name = self.string(node)
            known = None if isinstance(name, Unknown) else self.env(base / name, node.where, needed="env_file" in entry)
            inner.variables = {**(known or {}), **inner.variables}
        for file in files:
            inner.load(file, base / str(folder), item.where, above)

    def env(self, path: Path, where: Where, *, needed: bool) -> dict[str, Setting] | None:
        """Return the variables of an env file."""
        from hardener.servercheck.readers import dotenv  # noqa: PLC0415 (a name of this module, too)

        if not needed and not disk.is_file(path) and not disk.is_hidden(path):
            return None
        content = self.text(path, where)
        if content is None:
            return None
        settings, unclear = dotenv.read(content, os.fspath(path), self.variables)
        self.unclear += unclear
        self.files.append(os.fspath(path))
        return settings

    def string(self, node: Tree, unknown: str | None = None) -> str | Unknown:
        if not isinstance(node, Scalar):
            return Unknown("not a plain value")
        return expand(node.text, self.variables.get, unknown)

    def service(self, into: Service, body: Map, path: Path, base: Path, seen: tuple[tuple[Path, str], ...]) -> None:
        """Lay one entry of a service over what is known of it."""
        fields = body.entries
        if "extends" in fields:
            self.extended(into, fields["extends"], path, base, seen)
        for key, node in fields.items():
            if node.tag in {"!reset", "!override"}:
                _reset(into, key)
            if node.tag == "!reset":
                continue
            if key in STARTS:
                into.starts |= {key: node.where} if _items(node) else {}
            elif key in {"environment", "labels", "env_file", "ports", "volumes", "configs", "secrets"}:
                self.given(into, key, node, base)
            else:
                self.only(into, key, node)

    def only(self, into: Service, key: str, node: Tree) -> None:
        """Set a field of which the last one counts."""
        if key == "image":
            image = self.string(node)
            into.image = image if isinstance(image, str) else getattr(node, "text", "")
        elif key == "build":
            into.built = True
        elif key == "network_mode":
            into.host_network = node.where if self.string(node) == "host" else None
        elif key in {"scale", "deploy"}:
            count = entries(node).get("replicas") if key == "deploy" else node
            into.replicas = str(self.string(count)) if count is not None else into.replicas
        elif key == "profiles":
            into.profiles = [str(self.string(item)) for item in _items(node)]

    def given(self, into: Service, key: str, node: Tree, base: Path) -> None:
        """Read a field whose parts are laid over each other one by one."""
        if key == "environment":
            self.environment(into, node)
        elif key == "labels":
            into.labels.update({name: setting for name, setting in self.assigned(node) if setting is not None})
        elif key == "env_file":
            for item in _items(node):
                entry = entries(item)
                needed = str(self.string(entry["required"])).lower() != "false" if "required" in entry else True
                into.env_files.append((Setting(self.string(entry.get("path", item)), item.where), base, needed))
        elif key == "ports":
            into.published += [(item, self.variables) for item in _items(node)]
        elif key == "volumes":
            for item in _items(node):
                if mount := self.mount(item, base):
                    into.mounts[mount.target] = mount
        else:
            into.used += [self.use(item, "/run/secrets" if key == "secrets" else "") for item in _items(node)]

    def use(self, item: Tree, folder: str) -> tuple[str, str, Where]:
        """Return name, target and place of a config or secret that a service is given."""
        entry = entries(item)
        name = str(self.string(entry.get("source", item)))
        target = str(self.string(entry["target"])) if "target" in entry else name
        return name, target if target.startswith("/") else f"{folder}/{target}", item.where

    def extended(self, into: Service, node: Tree, path: Path, base: Path, seen: tuple[tuple[Path, str], ...]) -> None:
        entry = entries(node)
        name = self.string(entry.get("service", node))
        file = self.string(entry["file"]) if "file" in entry else None
        if isinstance(name, Unknown) or isinstance(file, Unknown):
            self.doubt(node.where, f"{into.name} extends a service that cannot be determined")
            return
        other = base / file if file is not None else path
        if (other, name) in seen or len(seen) > DEPTH:
            self.doubt(node.where, f"{into.name} extends itself")
            return
        if not self.take(other, node.where):
            return
        trees = self.trees(other, node.where)
        bodies = [body for tree in trees if isinstance(body := entries(entries(tree).get("services")).get(name), Map)]
        if not bodies:
            self.doubt(node.where, f"{into.name} extends {name}, which is not here")
        for body in bodies:
            self.service(into, body, other, other.parent if file is not None else base, (*seen, (other, name)))

    def environment(self, into: Service, node: Tree) -> None:
        for name, setting in self.assigned(node):
            if setting is None:
                into.passed[name] = node.where
                into.environment.pop(name, None)
            else:
                into.environment[name] = setting
                into.passed.pop(name, None)

    def assigned(self, node: Tree) -> Iterator[tuple[str, Setting | None]]:
        """Yield names and values of a mapping or of a list of ``NAME=value``; None: a name without a value."""
        for name, value in entries(node).items():
            null = isinstance(value, Scalar) and value.null
            yield name, None if null else Setting(self.string(value), _named(value.where, name))
        for item in node.items if isinstance(node, Seq) else ():
            filled = self.string(item)
            raw = item.text if isinstance(item, Scalar) else ""
            key, sign, rest = (raw if isinstance(filled, Unknown) else filled).partition("=")
            known = filled if isinstance(filled, Unknown) else rest
            yield key, Setting(known, _named(item.where, key)) if sign else None

    def mount(self, node: Tree, base: Path) -> Mount | None:
        entry = entries(node)
        if entry:
            kind = str(self.string(entry["type"])) if "type" in entry else "volume"
            source = str(self.string(entry["source"], GAP)) if "source" in entry else ""
            target = str(self.string(entry.get("target", node), GAP))
            bound = kind == "bind" or source.startswith((".", "/", "~"))
            if kind == "tmpfs":
                return None
        else:
            words = str(self.string(node, GAP)).split(":")
            source, target = (words[0], words[1]) if len(words) > 1 else ("", words[0])
            bound = source.startswith((".", "/", "~", GAP))
        target = os.path.normpath(target) if target else ""
        if not target or not isinstance(node, Scalar | Map):
            return None
        if GAP in source or GAP in target:
            return Mount(target, node.where, reason="its path is taken from a variable that is not set here")
        if not bound and source:
            device = self.device(source)
            if device is None:
                return Mount(target, node.where, reason=f"the volume {source} is docker's own")
            source = device
        return Mount(target, node.where, base / Path(source).expanduser()) if source else None

    def device(self, name: str) -> str | None:
        """Return the folder that a named volume is bound to."""
        options = entries(self.volumes[name].entries.get("driver_opts")) if name in self.volumes else {}
        device = self.string(options["device"]) if "device" in options else None
        return (
            device
            if isinstance(device, str) and "bind" in str(self.string(options.get("o", options["device"])))
            else None
        )

    def mounts(self, service: Service) -> list[Mount]:
        """Return all that a service is given, its configs and secrets too."""
        found = list(service.mounts.values())
        for name, target, where in service.used:
            node, base = self.named.get(name, (None, Path()))
            fields = node.entries if node is not None else {}
            if "content" in fields:
                text = self.string(fields["content"])
                reason = text.reason if isinstance(text, Unknown) else ""
                found.append(Mount(target, fields["content"].where, text=None if reason else str(text), reason=reason))
            elif "file" in fields and isinstance(path := self.string(fields["file"]), str):
                found.append(Mount(target, fields["file"].where, base / Path(path).expanduser()))
            else:
                found.append(Mount(target, where, reason=f"{name} is not in a file here"))
        return found


def resolve(
    service: Service,
    env: dict[str, Setting],
    files: Callable[[Setting, Path, bool], dict[str, Setting] | None],
    doubt: Callable[[Where, str], None],
    missing: Unknown | None = None,
) -> dict[str, Setting]:
    """Return what the container gets: what the file sets wins over what it passes on, that over ``env_file``.

    A name that is passed on without a value removes the one of ``env_file``, except in releases of docker compose from
    spring 2025: it counts as not set, and is reported to ``doubt``. ``missing``: why names that it passes on are not
    known.
    """
    result: dict[str, Setting] = {}
    for setting, base, needed in service.env_files:
        result.update(files(setting, base, needed) or {})
    for name, where in service.passed.items():
        if name in env:
            result[name] = env[name]
        elif missing is not None:
            result[name] = Setting(missing, Where(where.file, 0, ".env"))
        elif (lost := result.pop(name, None)) is not None:
            doubt(where, f"passes on {name}, which .env does not set: docker compose drops the value of {lost.where}")
    result.update(service.environment)
    return result


def _reset(into: Service, key: str) -> None:
    fresh = Service(into.name, into.where)
    fields = {
        "environment": "environment passed",
        "env_file": "env_files",
        "ports": "published",
        "volumes": "mounts",
        "configs": "used",
        "secrets": "used",
        "build": "built",
        "network_mode": "host_network",
        "deploy": "replicas",
        "scale": "replicas",
        "labels": "labels",
        "profiles": "profiles",
        "image": "image",
    }
    for name in fields.get(key, "").split():
        setattr(into, name, getattr(fresh, name))
    into.starts.pop(key, None)


def _ports(part: str, node: Tree, env: dict[str, Setting]) -> Iterator[Port]:
    entry = entries(node)
    if entry:
        texts = {
            key: str(expand(value.text, env.get, "0")) for key, value in entry.items() if isinstance(value, Scalar)
        }
        address, target = texts.get("host_ip", ""), texts.get("target", "")
    else:
        # A published port that is not set here still has its container port, which is what counts.
        words = str(expand(getattr(node, "text", ""), env.get, "0")).split("/")[0].rsplit(":", 2)
        address, target = (words[0] if len(words) == 3 else ""), words[-1]  # noqa: PLR2004 (address:port:port)
    first, _, last = target.partition("-")
    numbers = [first]
    if first.isdecimal() and last.isdecimal():
        numbers = [str(number) for number in range(int(first), min(int(last), int(first) + LISTED) + 1)]
    for number in numbers:
        if (service := SERVICES.get((part, number))) and not LOCAL.fullmatch(address):
            yield Port(service, number, node.where)


def entries(node: Tree | None) -> dict[str, Tree]:
    """Return keys and values of a mapping; of anything else, none."""
    return node.entries if isinstance(node, Map) else {}


def _items(node: Tree | None) -> list[Tree]:
    if isinstance(node, Seq):
        return node.items
    return [] if node is None or (isinstance(node, Scalar) and node.null) else [node]


def _named(where: Where, name: str) -> Where:
    return Where(where.file, where.line, name)
