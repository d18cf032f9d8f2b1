"""A docker-jitsi-meet project (env file, compose files, and what containers are given) as ``Deployment``s."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from hardener.servercheck.deployments import config_tree, directories, formats, images, java, nginx_site
from hardener.servercheck.deployments.environment import Environment
from hardener.servercheck.deployments.files import Folder, content
from hardener.servercheck.model import Deployment, Hit, Port, Proxy, Setting, Site, Unknown, Where
from hardener.servercheck.readers import compose, dotenv, hocon, javascript, lua, nginx, properties
from hardener.system import disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# In the order in which docker compose looks for them.
NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = tuple(name.replace("compose.y", "compose.override.y") for name in NAMES)
CONTAINERS = ("prosody", "jicofo", "web", "jvb")
VITAL = ("prosody", "jicofo")
# Files that the images write themselves at each start; all others in conf.d are the operator's.
GENERATED = frozenset("jitsi-meet.cfg.lua visitors.cfg.lua brewery.cfg.lua".split())
WRITTEN = re.compile(
    r"/config/(?:prosody\.cfg\.lua|jicofo\.conf|jvb\.conf|config\.js|nginx/(?:nginx|meet|ssl)\.conf|conf\.d/.*)"
)
# What a container may be given without changing what its image does; prosody's own plugins are judged by their names.
HARMLESS = re.compile(
    r"(?:/config|/prosody-plugins-custom|/storage|/var/lib/prosody|/var/log|/var/spool/cron/crontabs|/run/secrets|/tmp"
    r"|/etc/(?:localtime|timezone|hosts|letsencrypt|ssl|pki|ca-certificates)|/usr/share/zoneinfo"
    r"|/usr/local/share/ca-certificates)(?:/.*)?"
)
WEB = re.compile(r"/defaults(?:/.*)?|/etc/nginx(?:/.*)?|/etc/(?:cont-init|services|s6-overlay).*")
# Releases whose templates have been compared with the one that is modelled: docker-jitsi-meet's tags.
OLDEST, NEWEST = 9753, 11146
MOVING = frozenset({"", "latest", "stable", "unstable"})
TAG = re.compile(r"(?:stable-)?(\d{4,5})(?:-\d+)?")
# Variables that decide about login and roles: which container needs which.
NEEDED = {
    "prosody": "ENABLE_AUTH ENABLE_GUESTS AUTH_TYPE JWT_ALLOW_EMPTY JWT_APP_SECRET ENABLE_VISITORS"
    " ENABLE_JAAS_COMPONENTS JWT_ENABLE_DOMAIN_VERIFICATION WAIT_FOR_HOST_DISABLE_AUTO_OWNERS XMPP_MUC_MODULES"
    " GLOBAL_CONFIG XMPP_CONFIGURATION PROSODY_ENABLE_RATE_LIMITS JICOFO_AUTH_PASSWORD JVB_AUTH_PASSWORD"
    " LDAP_URL LDAP_BINDDN LDAP_FILTER LDAP_USE_TLS LDAP_START_TLS LDAP_TLS_CHECK_PEER",
    "jicofo": "ENABLE_AUTH AUTH_TYPE ENABLE_AUTO_OWNER ENABLE_AUTO_LOGIN JICOFO_ENABLE_AUTH JICOFO_AUTH_LIFETIME"
    " ENABLE_MODERATOR_CHECKS JICOFO_AUTH_PASSWORD",
    "web": "ENABLE_AUTH ENABLE_GUESTS TOKEN_AUTH_URL ENABLE_HTTP_REDIRECT CSP_HEADER DISABLE_DEEP_LINKING",
    "jvb": "JVB_DISABLE_STUN",
}
# Labels by which a front server finds out what to pass on, and the port that it takes without one.
PORT_LABEL = re.compile(r"traefik\.(?:http|tcp)\.services\.[^.]+\.loadbalancer\.server\.(?:port|url)")
FRONT_LABEL = re.compile(r"(?:traefik\.(?:http|tcp)\.(?:routers|services)\.|caddy)")
PATH_RULE = re.compile(r"Path(?:Prefix)?\(\s*[`\"']([^`\"']+)[`\"']")
DEFAULT_PORT = {"prosody": "5280", "jicofo": "8888", "jvb": "8080"}


def discover(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the env and compose files that docker compose reads in a folder."""
    env = folder / ".env"
    envs = [env] if disk.is_file(env) else []
    settings = dotenv.read(text, ".env")[0] if envs and isinstance(text := _content(env), str) else {}
    listed = settings.get("COMPOSE_FILE")
    if listed is not None and isinstance(listed.value, str) and listed.value:
        separator = settings.get("COMPOSE_PATH_SEPARATOR")
        names = listed.value.split(str(separator.value) if separator and separator.value else ":")
        return envs, [folder / name for name in names if name]
    inside = [folder / name for name in NAMES if (folder / name).is_file()][:1]
    overrides = [folder / name for name in OVERRIDES if (folder / name).is_file()][:1]
    return envs, inside + (overrides if inside else [])


def _content(path: Path) -> str | None:
    found = content(path)
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else None


def read(envs: Sequence[Path], composes: Sequence[Path]) -> Iterator[Deployment]:
    """Yield a deployment for each set of services; without a compose file, upstream's is assumed: it passes on all."""
    yield from _Project(list(envs), list(composes)).deployments()


class _Project:
    def __init__(self, envs: list[Path], composes: list[Path]) -> None:
        self.notes = Deployment("docker")
        self.base = composes[0].parent if composes else envs[0].parent
        beside = self.base / ".env"
        self.envs = envs or ([beside] if disk.is_file(beside) else [])
        self.composes = composes
        self.variables: dict[str, Setting] = {}
        for path in self.envs:
            settings, unclear = dotenv.read(self.text(path, None) or "", os.fspath(path))
            self.variables.update(settings)
            self.notes.unclear += unclear
        self.file = os.fspath((self.envs or self.composes)[0])
        self.project = compose.Project(self.variables, self.text)
        for path in composes:
            self.project.load(path, self.base)
            top = {key for tree in self.project.trees(path, None) for key in compose.entries(tree)}
            if "services" not in top and (reason := formats.of_keys(top)):
                self.notes.doubt(Where(os.fspath(path)), reason, vital=True)
        self.notes.unclear += self.project.unclear
        self.notes.files = list(dict.fromkeys([os.fspath(path) for path in self.envs] + self.project.files))
        self.missing = None if self.envs else Unknown("no .env is here: what compose passes on is not known")
        self.running = [service for service in self.project.services.values() if self.starts(service)]

    def text(self, path: Path, where: Where | None) -> str | None:
        """Return a file's content; what cannot be read is a doubt."""
        found = content(path)
        if isinstance(found, str):
            place = where or Where(os.fspath(path))
            self.notes.doubt(place, f"{path} {found}" if where else found, vital=True)
            return None
        return found.decode("utf-8", "replace")

    def starts(self, service: compose.Service) -> bool:
        """Return whether compose starts the service without an option for its profile."""
        profiles = self.variables.get("COMPOSE_PROFILES")
        on = {name.strip() for name in str(profiles.value).split(",")} if profiles is not None else set()
        reason = ""
        if service.profiles and not on & {*service.profiles, "*"}:
            reason = f"{service.name} is started only with --profile {service.profiles[0]}: not judged"
        elif service.replicas == "0":
            reason = f"{service.name} has no replicas: not judged"
        if reason and service.part:
            self.notes.doubt(service.where, reason)
        return not reason

    def deployments(self) -> Iterator[Deployment]:
        """Yield one deployment for each service of a kind; of a kind with fewer services, the first one counts."""
        parts = [[service for service in self.running if service.part == part] for part in CONTAINERS]
        made = []
        for chosen in zip_longest(*parts) if any(parts) else [(None,) * len(parts)]:
            services = dict(zip(CONTAINERS, chosen, strict=True))
            for part, found in zip(CONTAINERS, parts, strict=True):
                services[part] = services[part] or next(iter(found), None)
            made.append(self.deployment(services))
        self.beside(made[0])  # last: each deployment may add to the notes
        yield from made

    def deployment(self, services: dict[str, compose.Service | None]) -> Deployment:
        environments = {part: Environment(self.settings(part, services[part]), self.file) for part in CONTAINERS}
        result = images.deployment(environments, self.file)
        result.environment = self.file
        result.files = list(self.notes.files)
        for part, service in services.items():
            if service is None:
                for mount in [] if self.composes else _config(part, self.variables, self.file):
                    _Given(part, mount, result, self.base).read()
                continue
            self.missed(part, service, environments[part], result)
            self.released(part, service, result)
            if not service.upstream:
                _own_image(part, service, result)
            mounts = self.project.mounts(service)
            if not any(f"{mount.target}/".startswith("/config/") for mount in mounts):
                mounts += _config(part, self.variables, self.file)
            for mount in mounts:
                _Given(part, mount, result, self.base).read()
            for name, where in service.starts.items():
                if part in VITAL:
                    result.doubt(where, f"{name} of {service.name}: what the image does is not known", vital=True)
        for part in ("jicofo", "jvb"):
            _options(part, environments[part], result)
        return result

    def settings(self, part: str, service: compose.Service | None) -> dict[str, Setting]:
        """Return the variables of a container."""
        if service is None:
            if self.composes and part in VITAL:
                self.notes.doubt(Where(os.fspath(self.composes[0])), f"no service here runs {part}", vital=True)
            return dict(self.variables)

        def doubt(where: Where, reason: str) -> None:
            self.notes.doubt(where, reason, vital=part in VITAL)

        return compose.resolve(service, self.variables, self.env_file, doubt, self.missing)

    def env_file(self, setting: Setting, base: Path, needed: bool) -> dict[str, Setting] | None:
        path = base / str(setting.value)
        if setting.unknown or (needed and not disk.is_file(path)):
            self.notes.doubt(setting.where, "an env_file that is not here", vital=True)
            return None
        return self.project.env(path, setting.where, needed=needed)

    def missed(self, part: str, service: compose.Service, environment: Environment, result: Deployment) -> None:
        for name in NEEDED[part].split():
            if name in self.variables and name not in environment.settings and name not in service.passed:
                what = f"{name} does not reach {service.name} ({service.where})"
                result.found.append(Hit("env-not-passed", self.variables[name].where, what))

    def released(self, part: str, service: compose.Service, result: Deployment) -> None:
        """Note releases whose templates are not those that are modelled."""
        if not service.upstream or part not in VITAL:
            return
        if "$" not in service.image:
            _release(service.release, service.where, result, digest="@" in service.image)
        elif self.missing is None:
            result.doubt(service.where, "the image's name is taken from a variable that is not set here", vital=True)

    def beside(self, result: Deployment) -> None:
        """Add what belongs to the project as a whole."""
        version = self.variables.get("JITSI_IMAGE_VERSION")
        if version is not None:  # only for compose, in no container
            result.env["JITSI_IMAGE_VERSION"] = version
            if not self.composes and isinstance(version.value, str):
                _release(version.value, version.where, result, digest=False)
        result.unclear += self.notes.unclear
        sip = self.variables.get("JIGASI_SIP_URI")
        result.dial_in += [sip.where] if sip is not None and sip.value != "" else []
        for service in self.running:
            result.ports += service.ports
            if service.host_network is not None:
                names = [(port, number) for (part, number), port in compose.SERVICES.items() if part == service.part]
                own = {"s2s", "c2s-tls", "https"}  # not opened by the images themselves
                result.ports += [Port(port, number, service.host_network) for port, number in names if port not in own]
            if service.part == "jigasi":
                result.dial_in.append(service.where)
            if proxies := list(_published(service)):
                result.sites.append(Site(service.where, serves=False, front="labels", proxies=proxies))


def _release(tag: str, where: Where, result: Deployment, *, digest: bool) -> None:
    match = TAG.fullmatch(tag)
    if match is None and (tag not in MOVING or (digest and not tag)):
        result.doubt(where, f"the release of {tag or 'this digest'} is not known, and so are its templates", vital=True)
    elif match and int(match[1]) < OLDEST:
        reason = (
            f"release {match[1]} is older than stable-{OLDEST}: what its image makes of these variables is not known"
        )
        result.doubt(where, reason, vital=True)
    elif match and int(match[1]) > NEWEST:
        result.doubt(where, f"release {match[1]} is newer than stable-{NEWEST}, which is the newest that is known here")


def _own_image(part: str, service: compose.Service, result: Deployment) -> None:
    """Note an image that is not upstream's: what it makes of its variables is not known."""
    if part == "web":
        result.sites = [site for site in result.sites if site.front]
        result.doubt(service.where, "an image of your own: how its web server is configured was not read")
    else:
        reason = f"not upstream's image: what it makes of its variables is not known; check a copy of {part}'s files"
        result.doubt(service.where, reason, vital=True)


def _options(part: str, environment: Environment, result: Deployment) -> None:
    """Lay Java's options over the settings, and note variables that replace single ones."""
    for name, setting in environment.settings.items():
        if name.startswith("CONFIG_FORCE_"):
            result.doubt(setting.where, "this variable replaces a setting of the file", vital=part == "jicofo")
        elif name in java.VARIABLES and setting.value:
            if setting.unknown:
                result.doubt(setting.where, setting.value.reason, vital=part == "jicofo")
                continue
            found = properties.options(str(setting.value), setting.where.file, setting.where)
            if part == "jicofo":
                result.jicofo = java.started(found, result.jicofo, ("jicofo.",), result)
            else:
                result.bridge = java.started(found, result.bridge, ("videobridge.", "ice4j."), result)


def _published(service: compose.Service) -> Iterator[Proxy]:
    """Yield what a front server passes on to a service, by its labels or by nginx-proxy's variables."""
    enabled = service.labels.get("traefik.enable")
    if service.part not in DEFAULT_PORT or (enabled is not None and str(enabled.value).lower() == "false"):
        return
    labels = {name: setting for name, setting in service.labels.items() if FRONT_LABEL.match(name)}
    paths = [path for setting in labels.values() for path in PATH_RULE.findall(str(setting.value))]
    ports = [(setting, re.findall(r"\d{2,5}", str(setting.value))) for name, setting in labels.items()
             if PORT_LABEL.fullmatch(name) or name.startswith("caddy")]  # fmt: skip
    hosts = service.environment.get("VIRTUAL_HOST")
    if hosts is not None:
        ports.append((port := service.environment.get("VIRTUAL_PORT", hosts), re.findall(r"^\d+$", str(port.value))))
        path = service.environment.get("VIRTUAL_PATH")
        paths += [str(path.value)] if path is not None else []
        labels["VIRTUAL_HOST"] = hosts
    if not labels:
        return
    numbers = [(setting, number) for setting, found in ports for number in found]
    for setting, number in numbers or [(next(iter(labels.values())), DEFAULT_PORT[service.part])]:
        for path in paths or [""]:
            yield Proxy(
                path or "everything", f"{service.name}:{number}", setting.where, path or None, frozenset({number})
            )


def _config(part: str, variables: dict[str, Setting], file: str) -> list[compose.Mount]:
    """Return what upstream's compose file gives to a container: a folder in CONFIG."""
    config = variables.get("CONFIG")
    if config is None or config.unknown:
        return []
    root = Path(file).parent / Path(str(config.value)).expanduser()
    return [compose.Mount("/config", config.where, root / ("prosody/config" if part == "prosody" else part))]


class _Given:
    """The effect of a mount on a deployment."""

    def __init__(self, part: str, mount: compose.Mount, result: Deployment, base: Path) -> None:
        self.part = part
        self.mount = mount
        self.result = result
        self.base = base
        self.vital = part in VITAL

    def doubt(self, reason: str, *, vital: bool = True) -> None:
        self.result.doubt(self.mount.where, reason, vital=vital and self.vital)

    def read(self) -> None:
        """Read the files that the image adds to what it generates; what replaces something else is a doubt."""
        target = self.mount.target
        if self.part == "web":
            if WEB.fullmatch(target):
                self.result.sites = [site for site in self.result.sites if site.front]
                self.result.doubt(self.mount.where, f"{target} replaces what the image's web server has", vital=True)
                return
        elif self.part == "prosody" and target == directories.MOUNTED and (given := self.text()) is not None:
            # The image takes it in place of its template.
            self.result.directories = [directories.saslauthd(given, self.shown())]
            return
        elif self.vital and not HARMLESS.fullmatch(target):
            self.doubt(f"{target} takes the place of the image's own: what the container runs with is not known")
            return
        if not target.startswith("/config"):
            return
        if self.mount.text is not None:
            self.file(target, self.mount.text.encode(), self.mount.where.file)
        elif self.mount.source is None:
            self.doubt(f"{target}: {self.mount.reason}; what lies in it is not known")
        else:
            self.folder(self.mount.source, target)

    def text(self) -> str | None:
        """Return the content of a single file; None: it is not here, or not text."""
        found = content(self.mount.source) if self.mount.text is None and self.mount.source else None
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else self.mount.text

    def shown(self) -> str:
        """Return the name of the single file in findings."""
        return os.fspath(self.mount.source) if self.mount.source else self.mount.where.file

    def folder(self, source: Path, target: str) -> None:
        if disk.is_folder(source):
            self.inside(Folder(source, config_tree.doubts(self.result)), target)
        elif disk.is_there(source):
            whole = content(source)
            if isinstance(whole, str):
                vital = self.vital or _wanted(self.part, target)
                self.result.doubt(self.mount.where, f"{source} {whole}", vital=vital)
            else:
                self.file(target, whole, os.fspath(source))
        elif disk.is_hidden(source):
            self.result.doubt(self.mount.where, f"{source} cannot be read: what lies in it is not known", vital=True)
        elif not Path(os.path.normpath(source)).is_relative_to(
            os.path.normpath(self.base)
        ):  # docker makes those, empty
            self.doubt(f"{source} is not on this machine: what lies in it is not known")

    def inside(self, found: Folder, target: str) -> None:
        """Read the files of a folder; those that the container reads, and that cannot be read here, are vital."""
        for path in found.unreadable:
            name = os.path.normpath(f"{target}/{path.relative_to(found.root)}")
            if any(pattern.startswith(f"{name}/") for pattern in READ.get(self.part, ())):
                self.result.doubt(self.mount.where, f"{found.name(path)} cannot be read", vital=True)
        for path, relative in zip(found.paths, found.relative, strict=True):
            name = f"{target}/{relative}"
            if _wanted(self.part, name) and (path.name not in GENERATED or not self.vital):
                text = found.read(path)
                if text is not None:
                    self.apply(name, text, found.name(path))
                else:
                    self.result.doubt(self.mount.where, f"{found.name(path)} was not read", vital=True)
        self.result.files += found.read_files

    def file(self, name: str, text: bytes, shown: str) -> None:
        """Apply a file that is given by itself."""
        if WRITTEN.fullmatch(name) and Path(name).name in GENERATED | {"prosody.cfg.lua", "jicofo.conf"}:
            self.doubt(f"{name} is what the image writes itself: what the container runs with is not known")
        elif _wanted(self.part, name):
            self.apply(name, text, shown)
            self.result.files.append(shown)

    def apply(self, name: str, text: bytes, shown: str) -> None:
        """Lay the content of one file over the deployment."""
        result = self.result
        decoded = text.decode("utf-8", "replace")
        if name.endswith(".lua") and result.prosody is not None:
            result.unclear += lua.read(text, shown, result.prosody, self.nothing)
        elif name.endswith("custom-jicofo.conf"):
            settings, unclear = hocon.read(decoded, shown, self.absent)
            result.jicofo = (result.jicofo or {}) | settings
            result.unclear += unclear
        elif name.endswith("custom-jvb.conf"):
            settings, unclear = hocon.read(decoded, shown, self.absent)
            result.bridge = (result.bridge or {}) | settings
            result.unclear += unclear
        elif name.endswith("custom-config.js"):
            settings, unclear = javascript.read(text, shown)
            result.web = (result.web or {}) | settings
            result.unclear += unclear
        elif name.endswith(".properties"):
            made = dict(result.jicofo or {})
            java.old_jicofo(properties.read(decoded, shown), made, result)
            result.jicofo = made
        elif name.endswith(".conf"):
            directives, unclear = nginx.parse(decoded, shown, self.absent)
            result.unclear += unclear
            for site in result.sites[:1]:
                nginx_site.add_inside(site, directives)

    def nothing(self, pattern: str, where: Where) -> list[tuple[str, bytes]]:
        self.result.doubt(where, f"includes {pattern}, which is not here", vital=True)
        return []

    def absent(self, pattern: str, where: Where, _required: bool = True) -> list[tuple[str, str]]:
        """Return a path inside the container, which only the container has."""
        self.result.doubt(where, f"includes {pattern}, which is not here", vital=True)
        return []


READ = {
    "prosody": ("/config/conf.d/*.cfg.lua",),
    "jicofo": ("/config/custom-jicofo.conf", "/config/sip-communicator.properties"),
    "jvb": ("/config/custom-jvb.conf",),
    "web": ("/config/custom-config.js", "/config/nginx-custom/*.conf", "/config/nginx/custom-meet.conf"),
}


def _wanted(part: str, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in READ.get(part, ()))
