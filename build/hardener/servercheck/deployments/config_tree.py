"""A folder of configuration files as a ``Deployment``: a Debian ``/etc``, a container's ``/config``, or a copy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hardener.servercheck.deployments import directories, formats, front_servers, java, nginx_site
from hardener.servercheck.deployments.files import WILDCARD, Folder
from hardener.servercheck.model import GLOBAL, Deployment, Prosody, Setting, Table, Where, strings
from hardener.servercheck.readers import hocon, javascript, lua, nginx, properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# The images' own plugin folder: what is configured there is configured by variables.
CONTAINER = "/prosody-plugins"
SIP_ACCOUNT = re.compile(r"net\.java\.sip\.communicator\.impl\.protocol\.sip\.\w+\.ACCOUNT_UID\s*=\s*SIP\\?:(\S+)")
OLD_STUN = re.compile(r"org\.ice4j\.ice\.harvest\.STUN_MAPPING_HARVESTER_ADDRESSES\s*=\s*(\S+)")
# A file or folder that login, roles or what is passed on may depend on.
VITAL = re.compile(
    r"\.lua$|jicofo\.conf$|jicofo/config$|\.properties$"
    r"|(?:^|/)(?:nginx|prosody|jicofo|sites-enabled|conf\.d|site-confs|caddy|haproxy|traefik|apache2|httpd)(?:/|$)"
    r"|(?:^|/)jicofo\.service(?:\.d)?(?:/|$)|(?:^|/)(?:etc|default|jitsi|sasl2?|systemd(?:/system)?)$"
)
# nginx' own lists of types and parameters, and what says which ciphers are used.
HARMLESS = re.compile(
    r"(^|/)(mime\.types|(fastcgi|proxy|scgi|uwsgi)_params(_(no|with)_auth)?|fastcgi\.conf|options-ssl-nginx\.conf"
    r"|(snippets/)?(ssl|tls)[-_](params|ciphers|options|settings|parameters|config|dhparams?)(\.conf)?|snakeoil\.conf"
    r"|security\.conf\.inc)$"
)
# Modules of nginx' files in sites-available that would pass something on.
PASSES = re.compile(r"(?m)^[^#\n]*\b(?:proxy|grpc|fastcgi|uwsgi)_pass\b")
OPTIONS = ("jicofo/config", "jicofo/*.sh", "default/jicofo", "jicofo.service", "jicofo.service.d/*.conf")
BRIDGE_OPTIONS = ("videobridge/config", "default/jitsi-videobridge", "jitsi-videobridge2.service.d/*.conf")
# Where a service reads its files, in a folder that is /etc, holds it, or is part of it; others may be backups.
STANDARD = re.compile(
    r"(?:etc/)?(?:(?:jitsi/)?(?:jicofo|videobridge|jvb)/|default/|systemd/system/(?:[\w-]+\.service\.d/)?)?[^/]+"
)
# What HOCON adds to the name in an include (HOCON.md, "Include semantics: file formats and extensions").
HOCON_ENDINGS = (".conf", ".json", ".properties")
# Debian's examples, which no server has in use.
EXAMPLES = frozenset({"example.com.cfg.lua", "localhost.cfg.lua", "migrator.cfg.lua"})


def read(root: Path) -> Deployment:
    """Read everything in the folder that belongs to a deployment; note what is missing."""
    result = Deployment("files")
    folder = Folder(root, doubts(result))
    prosody(folder, result)
    directories.of_folder(folder, result)
    jicofo(folder, result)
    bridge(folder, result)
    web(folder, result)
    site(folder, result)
    for path in folder.find("jigasi/sip-communicator.properties", "jigasi/*.properties"):
        text = folder.text(path)
        for number, line in enumerate(text.splitlines(), 1):
            if SIP_ACCOUNT.match(line.strip()):
                result.dial_in.append(Where(folder.name(path), number))
    formats.unread(folder, result)
    result.files = list(dict.fromkeys(folder.read_files))
    return result


def doubts(result: Deployment) -> Callable[[Where, str, bool], None]:
    """Return the function to which a Folder reports its doubts."""
    return lambda where, reason, vital: result.doubt(where, reason, vital=vital or bool(VITAL.search(where.file)))


def prosody(folder: Folder, result: Deployment) -> None:
    """Read prosody.cfg.lua with what it includes, or the single files where the main one is missing."""
    mains = folder.find("prosody.cfg.lua")
    starts = mains[:1] or folder.find("conf.d/*.cfg.lua") or folder.find("*.cfg.lua")
    if not starts:
        return
    if len(mains) > 1:
        others = ", ".join(folder.name(main) for main in mains[1:])
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
    empty: list[tuple[str, Where]] = []

    def include(pattern: str, where: Where) -> list[tuple[str, bytes]]:
        found = folder.include(pattern, where, needed=True)
        if not found:
            empty.append((pattern, where))
        return found

    for start in starts:
        text = folder.read(start)
        if text is not None:
            result.unclear += lua.read(text, folder.name(start), made, include)
    unread = [path for path in folder.find("*.cfg.lua") if not folder.was_read(path) and path.name not in EXAMPLES]
    for pattern, where in empty[:1] if unread else []:
        reason = f"nothing here matches {pattern}, and {folder.name(unread[0])} was not read: lost links of a copy?"
        result.doubt(where, reason, vital=True)
    result.prosody = made
    _judge(folder, starts[0], made, result)


def _judge(folder: Folder, start: Path, made: Prosody, result: Deployment) -> None:
    """Note what is missing, and take the secrets out of what was read."""
    paths = {string.value for string in strings(made.get(GLOBAL, "plugin_paths"))}
    if any(path.startswith(CONTAINER) for path in paths):
        result.form = "docker"
    if not made.hosts or not any(section.module == "muc" for section in made.components):
        missing = "Component for rooms" if made.hosts else "VirtualHost"
        reason = f"no {missing}: this is not the whole configuration that is in use"
        result.doubt(Where(folder.name(start)), reason, vital=True)
    for section in made.sections.values():
        secret = section.settings.get("component_secret")
        if secret is not None:
            result.secrets.append(
                Setting(secret.value, Where(secret.where.file, secret.where.line, f"{section.name}.component_secret"))
            )


def jicofo(folder: Folder, result: Deployment) -> None:
    """Read jicofo.conf, and what was in its older file."""
    result.jicofo = _hocon(folder, result, "jicofo.conf")
    for key, setting in (result.jicofo or {}).items():
        if key.endswith(".password"):
            result.secrets.append(setting)
    made = dict(result.jicofo or {})
    for path in _standard(folder, "sip-communicator.properties"):
        if path.parent.name not in {"videobridge", "jigasi", "jibri", "jvb"}:
            text = folder.text(path)
            java.old_jicofo(properties.read(text, folder.name(path)), made, result)
    started = java.started(_options(folder, OPTIONS, result), made, ("jicofo.",), result) or {}
    result.jicofo = started if started or result.jicofo is not None else None


def _options(folder: Folder, names: tuple[str, ...], result: Deployment) -> Iterator[tuple[str, Setting]]:
    """Yield the system properties of a service's start."""
    for path in (path for name in names for path in _standard(folder, name)):
        text = folder.text(path)
        java.forced(text, folder.name(path), result)
        yield from properties.options(text, folder.name(path))


def bridge(folder: Folder, result: Deployment) -> None:
    """Read jvb.conf, and the STUN servers of its older file."""
    made = _hocon(folder, result, "jvb.conf")
    for key, setting in (made or {}).items():
        if key.lower().endswith(".password"):
            result.secrets.append(
                Setting(setting.value, Where(setting.where.file, setting.where.line, f"videobridge.{key}"))
            )
    for path in folder.find("videobridge/sip-communicator.properties"):
        text = folder.text(path)
        for number, line in enumerate(text.splitlines(), 1):
            if match := OLD_STUN.match(line.strip()):
                where = Where(folder.name(path), number)
                made = made or {}
                made["ice4j.harvest.mapping.stun.addresses"] = Setting(Table((Setting(match[1], where),)), where)
    result.bridge = java.started(_options(folder, BRIDGE_OPTIONS, result), made, ("videobridge.", "ice4j."), result)


def _standard(folder: Folder, pattern: str) -> list[Path]:
    """Return the files at the standard place; where none is there, all."""
    found = folder.find(pattern)
    return [path for path in found if STANDARD.fullmatch(path.relative_to(folder.root).as_posix())] or found


def _hocon(folder: Folder, result: Deployment, name: str) -> dict[str, Setting] | None:
    found = _standard(folder, name)
    if not found:
        return None
    if len(found) > 1:
        others = ", ".join(folder.name(path) for path in found[1:])
        reason = f"several files of this name, and not known which one is in use; check these on their own: {others}"
        result.doubt(Where(folder.name(found[0])), reason, vital=True)

    def include(name: str, where: Where, required: bool) -> list[tuple[str, str]]:
        # HOCON: without an ending, all three are read and the first one wins; a file that is not there is an empty one,
        # unless it is required(...).
        endings = ("",) if name.endswith(HOCON_ENDINGS) else HOCON_ENDINGS
        files = [file for ending in reversed(endings) for file in folder.include(name + ending, where, needed=False)]
        if not files and (required or not folder.covers(name, folder.beside(where.file))):
            result.doubt(where, f"includes {name}, which is not here", vital=True)
        if any(file.endswith(".properties") for file, _ in files):
            result.doubt(where, f"includes {name}, whose .properties form is not read", vital=True)
        return [(file, content.decode("utf-8", "replace")) for file, content in files]

    text = folder.read(found[0])
    if text is None:
        return None
    settings, unclear = hocon.read(text.decode("utf-8", "replace"), folder.name(found[0]), include)
    result.unclear += unclear
    return settings


def web(folder: Folder, result: Deployment) -> None:
    """Read the config.js that is served."""
    found = folder.find("meet/*-config.js") or folder.find("config.js") or folder.find("*-config.js")
    found = [path for path in found if not path.name.endswith("interface_config.js")]
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
    """Read the nginx servers, in the first place where one of them has the client, and other front servers."""
    empty: list[tuple[str, Where]] = []

    def include(pattern: str, where: Where) -> list[tuple[str, str]]:
        found = folder.include(pattern, where, needed=False, main="nginx.conf")
        if not found and WILDCARD.search(pattern):
            empty.append((pattern, where))
        elif not found and not HARMLESS.search(pattern):
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
            text = None if front_servers.is_apache(path, "") else folder.read(path)
            shown = (text or b"").decode("utf-8", "replace")
            if not front_servers.is_apache(path, shown):
                more, unclear = nginx.parse(shown, folder.name(path), include)
                directives += more
                result.unclear += unclear
        if nginx_site.too_many(directives):
            reason = f"more than {nginx_site.MOST} servers: the others were not judged"
            result.doubt(directives[0].where, reason, vital=True)
        found = nginx_site.sites(directives)
        result.sites = found if any(server.serves for server in found) else result.sites or found
        if any(server.serves for server in result.sites):
            break
    _lost_links(folder, empty, result)
    front_servers.read(folder, result)


def _lost_links(folder: Folder, empty: list[tuple[str, Where]], result: Deployment) -> None:
    """Note a wildcard without files beside files that were not read and pass something on."""
    for pattern, where in empty:
        if "sites-enabled" not in pattern:
            continue
        for path in folder.find("sites-available/*"):
            text = b"" if folder.was_read(path) else (folder.read(path) or b"")
            if PASSES.search(text.decode("utf-8", "replace")):
                reason = f"nothing here matches {pattern}, and {folder.name(path)} is not used: lost links of a copy?"
                result.doubt(where, reason, vital=True)
                return
