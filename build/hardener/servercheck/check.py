"""``check``: read a deployment's configuration and say what it leaves open."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

from hardener.errors import UsageError
from hardener.servercheck.deployments import compose_project, config_tree
from hardener.servercheck.deployments.files import content
from hardener.servercheck.model import Deployment, Hit, Where
from hardener.servercheck.readers import dotenv
from hardener.servercheck.rules import directories, host, login, modules, roles, web
from hardener.system import tables
from hardener.system.tables import choice, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MOST = 20  # findings of one kind in one file
SEVERITIES = ("critical", "warning", "note")
_KEYS = {
    "severity": choice(SEVERITIES, required=True),
    **dict.fromkeys(("title", "means", "docker", "files", "source"), text("a sentence", required=True)),
}
UNKNOWN = "module-unknown"
# Each .env of docker-jitsi-meet has some of these: gen-passwords.sh writes the first two.
_VARIABLES = re.compile(
    r"(JICOFO|JVB|AUTH|ENABLE|GLOBAL|JIBRI|JIGASI|JITSI|JWT|LDAP|LETSENCRYPT|MATRIX|PROSODY|TOKEN|TURNS?|VISITORS|XMPP)_\w+"
    r"|PUBLIC_URL"
)
_WHAT_TO_NAME = "name a folder with the servers' files, such as /etc, or the folder or .env of docker-jitsi-meet"


@dataclass(frozen=True)
class Finding:
    """A finding with its place, its meaning and its fix.

    ``about`` is the header or the part of the deployment that is missing, if the finding is about one.
    """

    id: str
    severity: str
    file: str
    line: int
    name: str
    what: str
    title: str
    means: str
    fix: str
    source: str
    about: str = ""

    @property
    def where(self) -> str:
        """Return the place as one line."""
        return str(Where(self.file, self.line, self.name))


@dataclass(frozen=True)
class Checked:
    """All findings, the critical ones first, and the files that were read.

    ``vouched`` are the unknown modules of Prosody that the caller has reviewed.
    """

    findings: tuple[Finding, ...]
    files: tuple[str, ...]
    forms: tuple[str, ...]
    vouched: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of findings of each severity."""
        return {name: sum(finding.severity == name for finding in self.findings) for name in SEVERITIES}

    @property
    def open(self) -> bool:
        """Return whether a finding is critical: a way in or a role without a login, or an unknown state."""
        return self.counts["critical"] > 0

    def as_dict(self) -> dict[str, Any]:
        """Return the answer for ``--json``; ``cure`` and ``door`` are the former names of ``fix`` and ``critical``."""
        return {
            "findings": [asdict(finding) | {"cure": finding.fix} for finding in self.findings],
            "counts": self.counts | {"door": self.counts["critical"]},
            "files": list(self.files),
            "forms": list(self.forms),
            "vouched": list(self.vouched),
        }


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Return the possible findings: ``findings.toml``."""
    document = tables.load(resources.files("hardener.servercheck").joinpath("findings.toml"))
    return {name: dict(document.table(name, _KEYS).values) for name in document.data}


def check(paths: Sequence[Path], vouched: Sequence[str] = ()) -> Checked:
    """Check the deployment that the paths name together: env and compose files, or folders, or both.

    Folders may be parts of one deployment (Prosody's machine, the web server's). ``vouched`` are unknown modules of
    Prosody that are left out of the findings: the caller has reviewed them. Raises UsageError for a path that does not
    exist or has no configuration of these servers, and for a vouched module without a finding.
    """
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no {path}", hint="name a folder (/etc), an env file (.env) or a compose file")
    deployments = list(_deployments(list(paths)))
    findings: dict[Finding, None] = {}
    unknown = {
        hit.names["module"] for deployment in deployments for hit in modules.check(deployment) if hit.id == UNKNOWN
    }
    if idle := sorted(set(vouched) - unknown):
        raise UsageError(
            f"--vouch-for is not needed for {', '.join(idle)}",
            hint=f"unknown modules here: {', '.join(sorted(unknown)) or 'none'}",
        )
    for deployment in deployments:
        findings.update(dict.fromkeys(_findings(deployment, frozenset(vouched))))
    ordered = _few(
        sorted(
            findings, key=lambda finding: (SEVERITIES.index(finding.severity), finding.id, finding.file, finding.line)
        )
    )
    files = dict.fromkeys(name for deployment in deployments for name in deployment.files)
    forms = dict.fromkeys(deployment.form for deployment in deployments)
    return Checked(tuple(ordered), tuple(files), tuple(forms), tuple(sorted(set(vouched))))


def _few(findings: list[Finding]) -> list[Finding]:
    """Return the findings with those of one kind in one file cut off after the first few: a file may be anything."""
    shown: list[Finding] = []
    counts = Counter((finding.id, finding.file) for finding in findings)
    seen: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        kind = (finding.id, finding.file)
        seen[kind] += 1
        if seen[kind] <= MOST:
            shown.append(finding)
        elif seen[kind] == MOST + 1:
            rest = counts[kind] - MOST
            shown.append(replace(finding, name="", what=f"{rest} more of this kind in this file, from this line on"))
    return shown


def _deployments(paths: list[Path]) -> Iterator[Deployment]:
    envs, composes, folders = [], [], []
    for path in paths:
        if path.is_dir():
            env, inside = compose_project.discover(path)
            envs += env
            composes += inside
            if not inside and not env:
                folders.append(path)
        elif path.suffix in {".yml", ".yaml"}:
            composes.append(path)
        elif path.suffix in {".lua", ".js", ".conf", ".hocon"}:
            raise UsageError(f"{path} is one file of a deployment", hint=f"name its folder: {path.parent}")
        else:
            envs.append(path)
    if envs or composes:
        if not composes:
            _expect_variables(envs)
        yield from compose_project.read(envs, composes)
    if folders:
        yield _of_folders(folders)


def _of_folders(folders: list[Path]) -> Deployment:
    parts = [config_tree.read(folder) for folder in folders]
    for folder, part in zip(folders, parts, strict=True):
        if not part.files and not part.unclear:
            raise UsageError(
                f"{folder} has no configuration of Prosody, Jicofo, the bridge, nginx or the client",
                hint=_WHAT_TO_NAME,
            )
    whole = _together(parts)
    if not whole.files:
        whole.environment = os.fspath(folders[0])
    return whole


def _expect_variables(envs: list[Path]) -> None:
    """Raise UsageError for files without a variable of docker-jitsi-meet, whose defaults would be judged."""
    texts = {path: content(path) for path in envs}
    for path, found in texts.items():
        if isinstance(found, bytes) and any(
            _VARIABLES.fullmatch(name) for name in dotenv.read(found.decode("utf-8", "replace"), os.fspath(path))[0]
        ):
            return
    path, found = next(iter(texts.items()))
    reason = found if isinstance(found, str) else "has no variable of docker-jitsi-meet"
    raise UsageError(f"{path} {reason}", hint=_WHAT_TO_NAME)


def _together(parts: list[Deployment]) -> Deployment:
    """Return the parts of one deployment as one; the first that has a part has it."""
    whole = parts[0]
    for part in parts[1:]:
        for name in ("prosody", "jicofo", "bridge", "web"):
            if getattr(whole, name) is None:
                setattr(whole, name, getattr(part, name))
            elif getattr(part, name) is not None:
                whole.doubt(
                    Where(part.files[-1] if part.files else ""), f"a second {name}: check it on its own", vital=True
                )
        whole.form = part.form if part.form == "docker" else whole.form
        whole.sites += part.sites
        whole.unclear += part.unclear
        whole.secrets += part.secrets
        whole.dial_in += part.dial_in
        whole.directories += part.directories
        for name, lists in part.sasl.items():
            whole.sasl[name] = whole.sasl.get(name, []) + lists
        whole.passwords_kept = whole.passwords_kept or part.passwords_kept
        whole.ldap_conf = whole.ldap_conf or part.ldap_conf
        whole.files += part.files
    return whole


def _findings(deployment: Deployment, vouched: frozenset[str]) -> Iterator[Finding]:
    for rules in (login, directories, roles, web, host, modules):
        for hit in rules.check(deployment):
            if hit.id != UNKNOWN or hit.names["module"] not in vouched:
                yield _finding(hit, deployment.form)
    yield from (_finding(hit, deployment.form) for hit in deployment.found)
    for doubt in deployment.unclear:
        yield _finding(
            Hit("cannot-tell" if doubt.vital else "cannot-tell-minor", doubt.where, doubt.reason), deployment.form
        )
    place = Where(deployment.environment or ", ".join(deployment.files[:1]))
    for name, kind, what in (
        ("prosody", "cannot-tell", "no configuration of Prosody here: who gets in is not known"),
        ("jicofo", "cannot-tell", "no jicofo.conf here: who becomes moderator is not known"),
        ("web", "cannot-tell-minor", "no config.js here"),
    ):
        if getattr(deployment, name) is None:
            yield _finding(Hit(kind, place, what, {"part": name}), deployment.form)
    if not any(site.serves or site.front for site in deployment.sites):
        what = "no nginx server here that serves the client"
        yield _finding(Hit("cannot-tell-minor", place, what, {"part": "nginx"}), deployment.form)


def _finding(hit: Hit, form: str) -> Finding:
    entry = catalogue()[hit.id]
    fix = Template(entry[form]).safe_substitute(hit.names)
    place = hit.where
    return Finding(
        hit.id,
        entry["severity"],
        place.file,
        place.line,
        place.name,
        hit.what,
        entry["title"],
        entry["means"],
        fix,
        entry["source"],
        hit.names.get("header") or hit.names.get("part", ""),
    )
