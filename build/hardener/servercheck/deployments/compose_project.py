"""A docker-jitsi-meet project (env file, compose files, and what lies in its CONFIG folder) as a ``Deployment``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hardener.servercheck.deployments import config_tree, images, nginx_site
from hardener.servercheck.deployments.environment import Environment
from hardener.servercheck.deployments.files import Folder
from hardener.servercheck.model import Deployment, Hit, Port, Setting, Where
from hardener.servercheck.readers import compose, dotenv, hocon, javascript, lua, nginx

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTAINERS = ("prosody", "jicofo", "web", "jvb")
# Files that the images write themselves at each start; all others in conf.d are the operator's.
GENERATED = frozenset({"jitsi-meet.cfg.lua", "visitors.cfg.lua", "brewery.cfg.lua"})
# Variables that decide about login and roles: which container needs which.
NEEDED = {
    "prosody": "ENABLE_AUTH ENABLE_GUESTS AUTH_TYPE JWT_ALLOW_EMPTY JWT_APP_SECRET ENABLE_VISITORS"
    " ENABLE_JAAS_COMPONENTS JWT_ENABLE_DOMAIN_VERIFICATION WAIT_FOR_HOST_DISABLE_AUTO_OWNERS XMPP_MUC_MODULES"
    " GLOBAL_CONFIG XMPP_CONFIGURATION PROSODY_ENABLE_RATE_LIMITS JICOFO_AUTH_PASSWORD JVB_AUTH_PASSWORD",
    "jicofo": "ENABLE_AUTH AUTH_TYPE ENABLE_AUTO_OWNER ENABLE_AUTO_LOGIN JICOFO_ENABLE_AUTH JICOFO_AUTH_LIFETIME"
    " ENABLE_MODERATOR_CHECKS JICOFO_AUTH_PASSWORD",
    "web": "ENABLE_AUTH ENABLE_GUESTS TOKEN_AUTH_URL ENABLE_HTTP_REDIRECT CSP_HEADER DISABLE_DEEP_LINKING",
    "jvb": "JVB_DISABLE_STUN",
}


def from_environment(envs: Sequence[Path], composes: Sequence[Path]) -> Deployment:
    """Read the project; without a compose file, upstream's is assumed, which passes on all variables."""
    variables: dict[str, Setting] = {}
    notes = Deployment("docker")
    for path in envs:
        text = _text(path, notes)
        settings, unclear = dotenv.read(text, str(path))
        variables.update(settings)
        notes.unclear += unclear
    file = str((list(envs) or list(composes))[0])
    services = _services(composes, variables, notes)
    environments: dict[str, Environment] = {}
    missing: list[Hit] = []
    foreign: dict[str, Where] = {}
    for part in CONTAINERS:
        own = [one for one in services.values() if one.part == part]
        settings = dict(variables)
        if own:
            if not own[0].upstream:
                foreign[part] = own[0].where
            settings = compose.resolve(own[0], variables, lambda one: _env_file(one, composes, notes))
            missing += [
                Hit("env-not-passed", variables[name].where, f"{name} does not reach {own[0].name} ({own[0].where})")
                for name in NEEDED[part].split()
                if name in variables and name not in settings and name not in own[0].passed
            ]
        elif composes and part in {"prosody", "jicofo"}:
            notes.doubt(Where(str(composes[0])), f"no service here runs {part}", vital=True)
        environments[part] = Environment(settings, file)
    result = images.deployment(environments, file)
    result.environment = file
    if "JITSI_IMAGE_VERSION" in variables:  # for compose alone, in no container
        result.env["JITSI_IMAGE_VERSION"] = variables["JITSI_IMAGE_VERSION"]
    result.unclear += notes.unclear
    result.files = [str(one) for one in (*envs, *composes)]
    result.found += missing
    _own_images(result, foreign)
    sip = variables.get("JIGASI_SIP_URI")
    result.dial_in += [sip.where] if sip is not None and sip.value != "" else []
    for one in services.values():
        result.ports += one.ports
        if one.host_network is not None:
            names = [(port, number) for (part, number), port in compose.SERVICES.items() if part == one.part]
            result.ports += [Port(port, number, one.host_network) for port, number in names]
        if one.part == "jigasi":
            result.dial_in.append(one.where)
    _custom(variables, file, result)
    return result


def _own_images(result: Deployment, foreign: dict[str, Where]) -> None:
    """Images that are not upstream's: what they make of their variables is not known."""
    for part, where in foreign.items():
        if part == "web":
            result.sites = []
            result.doubt(where, "an image of your own: how its web server is configured was not read")
        else:
            reason = (
                f"not upstream's image: what it makes of its variables is not known; check a copy of {part}'s files"
            )
            result.doubt(where, reason, vital=True)


def _services(composes: Sequence[Path], variables: dict[str, Setting], notes: Deployment) -> dict[str, compose.Service]:
    services: dict[str, compose.Service] = {}
    for path in composes:
        services, unclear = compose.read(_text(path, notes), str(path), variables, services)
        notes.unclear += unclear
    return services


def _text(path: Path, notes: Deployment) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        notes.doubt(Where(str(path)), f"cannot be read: {error.strerror}", vital=True)
        return ""


def _env_file(setting: Setting, composes: Sequence[Path], notes: Deployment) -> dict[str, Setting] | None:
    path = composes[0].parent / str(setting.value)
    if setting.unknown or not path.is_file():
        notes.doubt(setting.where, "an env_file that is not here", vital=True)
        return None
    settings, unclear = dotenv.read(_text(path, notes), str(path))
    notes.unclear += unclear
    return settings


def _custom(variables: dict[str, Setting], file: str, result: Deployment) -> None:
    """Files of the operator in the CONFIG folder, which the images add to what they generate."""
    config = variables.get("CONFIG")
    if config is None or config.unknown:
        return
    root = Path(str(config.value)).expanduser()
    root = root if root.is_absolute() else Path(file).parent / root
    if not root.is_dir():
        result.doubt(
            config.where, f"{config.value} is not on this machine: custom-config.js and the like were not read"
        )
        return
    folder = Folder(root, config_tree.doubts(result))
    for path in folder.find("jicofo/custom-jicofo.conf"):
        settings, unclear = hocon.read(
            (folder.read(path) or b"").decode("utf-8", "replace"), folder.name(path), lambda _n, _w: None
        )
        result.jicofo = (result.jicofo or {}) | settings
        result.unclear += unclear
    for path in folder.find("web/custom-config.js"):
        settings, unclear = javascript.read(folder.read(path) or b"", folder.name(path))
        result.web = (result.web or {}) | settings
        result.unclear += unclear
    for path in folder.find("conf.d/*.cfg.lua"):
        if path.name not in GENERATED and result.prosody is not None:
            result.unclear += lua.read(folder.read(path) or b"", folder.name(path), result.prosody, lambda _p, _w: [])
    for path in folder.find("nginx-custom/*.conf", "nginx/custom-meet.conf"):
        text = (folder.read(path) or b"").decode("utf-8", "replace")
        directives, unclear = nginx.parse(
            text, folder.name(path), lambda pattern, where: _absent(result, pattern, where)
        )
        result.unclear += unclear
        for site in result.sites[:1]:
            site.proxies += nginx_site.passed_on(directives)
    result.files += folder.read_files


def _absent(result: Deployment, pattern: str, where: Where) -> list[tuple[str, str]]:
    """A path inside the container, which only the container has."""
    result.doubt(where, f"includes {pattern}, which is not here", vital=True)
    return []
