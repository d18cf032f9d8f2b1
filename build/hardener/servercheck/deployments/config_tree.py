"""A folder of configuration files as a ``Deployment``: a Debian ``/etc``, a container's ``/config``, or a copy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.deployments import nginx_site
from hardener.servercheck.deployments.files import Folder
from hardener.servercheck.model import GLOBAL, Deployment, Prosody, Setting, Table, Where, strings
from hardener.servercheck.readers import hocon, javascript, lua, nginx

if TYPE_CHECKING:
    from pathlib import Path

# The images' own plugin folder: what is configured there is configured by variables.
CONTAINER = "/prosody-plugins"
SIP_ACCOUNT = re.compile(r"net\.java\.sip\.communicator\.impl\.protocol\.sip\.\w+\.ACCOUNT_UID\s*=\s*SIP\\?:(\S+)")
OLD_JICOFO = re.compile(r"\s*(org\.jitsi\.jicofo\.(?:auth\.\w+|DISABLE_AUTO_OWNER))\s*=")
OLD_STUN = re.compile(r"org\.ice4j\.ice\.harvest\.STUN_MAPPING_HARVESTER_ADDRESSES\s*=\s*(\S+)")
VITAL = (".lua", "jicofo.conf")
# nginx' own lists of types and parameters, and what says which ciphers are used.
HARMLESS = re.compile(r"(^|/)(mime\.types|(fastcgi|proxy|scgi|uwsgi)_params|fastcgi\.conf|[\w.-]*ssl[\w.-]*)$")


def read(root: Path) -> Deployment:
    """Read everything in the folder that belongs to a deployment; what is missing is told."""
    result = Deployment("files")
    folder = Folder(root, lambda where, reason: result.doubt(where, reason, vital=where.file.endswith(VITAL)))
    prosody(folder, result)
    jicofo(folder, result)
    bridge(folder, result)
    web(folder, result)
    site(folder, result)
    for path in folder.find("jigasi/sip-communicator.properties", "jigasi/*.properties"):
        text = (folder.read(path) or b"").decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if SIP_ACCOUNT.match(line.strip()):
                result.dial_in.append(Where(folder.name(path), number))
    result.files = list(dict.fromkeys(folder.read_files))
    return result


def prosody(folder: Folder, result: Deployment) -> None:
    """prosody.cfg.lua with what it includes, or the single files where the main one is missing."""
    mains = folder.find("prosody.cfg.lua", "prosody.cfg.lua.j2")
    starts = mains[:1] or folder.find("conf.d/*.cfg.lua") or folder.find("*.cfg.lua")
    if not starts:
        return
    if len(mains) > 1:
        others = ", ".join(folder.name(one) for one in mains[1:])
        result.doubt(
            Where(folder.name(mains[0])),
            f"several servers in one folder; check these on their own: {others}",
            vital=True,
        )
    made = Prosody()
    if not mains:
        result.doubt(
            Where(folder.name(starts[0])),
            "prosody.cfg.lua is not here: what it sets for all hosts is not known",
            vital=True,
        )
    for start in starts:
        text = folder.read(start)
        if text is not None:
            result.unclear += lua.read(
                text, folder.name(start), made, lambda pattern, where: folder.include(pattern, where, needed=True)
            )
    result.prosody = made
    paths = {one.value for one in strings(made.get(GLOBAL, "plugin_paths"))}
    if any(one.startswith(CONTAINER) for one in paths):
        result.form = "docker"
    if not made.hosts:
        result.doubt(
            Where(folder.name(starts[0])), "no VirtualHost: this is not the configuration that is in use", vital=True
        )
    for section in made.sections.values():
        secret = section.settings.get("component_secret")
        if secret is not None:
            result.secrets.append(
                Setting(secret.value, Where(secret.where.file, secret.where.line, f"{section.name}.component_secret"))
            )


def jicofo(folder: Folder, result: Deployment) -> None:
    """jicofo.conf, and what stood in its older file."""
    result.jicofo = _hocon(folder, result, "jicofo.conf", "jicofo.conf.j2")
    for key, one in (result.jicofo or {}).items():
        if key.endswith(".password"):
            result.secrets.append(one)
    for path in folder.find("jicofo/sip-communicator.properties"):
        text = (folder.read(path) or b"").decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if match := OLD_JICOFO.match(line):
                where = Where(folder.name(path), number, match[1])
                result.doubt(
                    where, "set in the file of older releases; set it in jicofo.conf and remove it here", vital=True
                )


def bridge(folder: Folder, result: Deployment) -> None:
    """jvb.conf, and the STUN servers of its older file."""
    made = _hocon(folder, result, "jvb.conf")
    for key, one in (made or {}).items():
        if key.lower().endswith(".password"):
            result.secrets.append(Setting(one.value, Where(one.where.file, one.where.line, f"videobridge.{key}")))
    for path in folder.find("videobridge/sip-communicator.properties"):
        text = (folder.read(path) or b"").decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if match := OLD_STUN.match(line.strip()):
                where = Where(folder.name(path), number)
                made = made or {}
                made["ice4j.harvest.mapping.stun.addresses"] = Setting(Table((Setting(match[1], where),)), where)
    result.bridge = made


def _hocon(folder: Folder, result: Deployment, *names: str) -> dict[str, Setting] | None:
    found = [one for name in names for one in folder.find(name)]
    if not found:
        return None

    def include(name: str, where: Where) -> tuple[str, str] | None:
        # HOCON: a file that is not there is an empty one, unless it is required(...).
        found = folder.include(name, where, needed=False)
        return (found[0][0], found[0][1].decode("utf-8", "replace")) if found else None

    text = folder.read(found[0])
    if text is None:
        return None
    settings, unclear = hocon.read(text.decode("utf-8", "replace"), folder.name(found[0]), include)
    result.unclear += unclear
    return settings


def web(folder: Folder, result: Deployment) -> None:
    """The config.js that is served."""
    found = folder.find("meet/*-config.js") or folder.find("config.js") or folder.find("*-config.js")
    found = [one for one in found if not one.name.endswith("interface_config.js")]
    if not found:
        return
    if len(found) > 1:
        result.doubt(Where(folder.name(found[0])), f"{len(found)} files like this: only this one was read")
    text = folder.read(found[0])
    if text is not None:
        result.web, unclear = javascript.read(text, folder.name(found[0]))
        result.unclear += unclear
        if not result.web:
            result.doubt(Where(folder.name(found[0])), "sets nothing in config: this is not the client's configuration")


def site(folder: Folder, result: Deployment) -> None:
    """The nginx servers, in the first place where one of them has the client."""

    def include(pattern: str, where: Where) -> list[tuple[str, str]]:
        found = folder.include(pattern, where, needed=False, upwards=True)
        if not found and not any(sign in pattern for sign in "*?[") and not HARMLESS.search(pattern):
            # What it passes on is not known.
            result.doubt(where, f"includes {pattern}, which is not here", vital=True)
        return [(name, content.decode("utf-8", "replace")) for name, content in found]

    starts = (
        folder.find("nginx/nginx.conf", "nginx.conf"),
        folder.find("sites-enabled/*"),
        folder.find("nginx/conf.d/*.conf", "site-confs/*"),
        folder.find("sites-available/*"),
        folder.find("nginx/*.conf", "meet.conf", "site.conf"),
    )
    for files in starts:
        directives: list[nginx.Directive] = []
        for path in files:
            text = folder.read(path)
            if text is not None:
                more, unclear = nginx.parse(text.decode("utf-8", "replace"), folder.name(path), include)
                directives += more
                result.unclear += unclear
        found = nginx_site.sites(directives)
        result.sites = found if any(one.serves for one in found) else result.sites or found
        if any(one.serves for one in result.sites):
            return
    if folder.find("apache2/sites-enabled/*"):
        result.doubt(
            Where(folder.name(folder.find("apache2/sites-enabled/*")[0])), "Apache's configuration is not read here"
        )
