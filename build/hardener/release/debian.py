"""The Debian packages: jitsi-meet-web-hardened in the place of jitsi-meet-web, and a metapackage in that of jitsi-meet.

The relations keep a machine on one release, whatever is upgraded (docs/adr/0017-packages.md):

* Each package provides upstream's with upstream's version, and conflicts with it, so dpkg replaces one by the other.
* The metapackage asks for the exact versions of the servers, as upstream's does. It has a name of its own, so that
  a next release of upstream does not take it away.
* The web package breaks newer configuration packages, so that an upgrade keeps them back until ours is there. It does
  not break older ones: dpkg could then not unpack a joint upgrade.
"""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime
from importlib import resources
from typing import TYPE_CHECKING

from hardener.errors import ConfigError
from hardener.release import deb, tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hardener.config import Debian, Project

WEB, META = "jitsi-meet-web-hardened", "jitsi-meet-hardened"
SNIPPETS = f"usr/share/{WEB}/nginx"
# The name that the manual installation gave it: both at once would define each zone twice, and nginx would not start.
ZONES = "etc/nginx/conf.d/hardener-zones.conf"
_LOCAL = "/etc/nginx/hardener"
_SPLIT = "1.0.1525-1"  # up to here upstream's jitsi-meet had the files of the site
_ABOUT = """The web client of Jitsi Meet, built from its pinned source with a reviewed
series of patches: participants log in with a personal account before a
meeting, and browsers contact the operator's own servers only."""
_HINT = (
    "fill in [debian] of upstream.toml: hardener deb --look-up SOURCE --key FILE "
    "--maintainer 'NAME <MAIL>' (docs/reference.md#upstreamtoml)"
)


def version(project: Project) -> str:
    """Return the version of our packages."""
    return f"{project.site.release}+{project.revision}"


def upstreams(project: Project) -> Debian:
    """Return the versions of upstream's packages; raises ConfigError where upstream.toml has none of this release."""
    debian = project.debian
    if debian is None:
        raise ConfigError("upstream.toml has no [debian] table, and our packages name those of upstream", hint=_HINT)
    if not debian.jitsi_meet.startswith(f"{project.site.release}-"):
        raise ConfigError(
            f"upstream.toml: [debian]: jitsi-meet {debian.jitsi_meet} is not a package of {project.site.release}",
            hint=_HINT,
        )
    return debian


def packages(
    project: Project, site: Path, mtime: int, documents: Mapping[str, bytes] | None = None
) -> list[tuple[str, bytes]]:
    """Return both packages: file name and content.

    ``site`` is the built site, ``mtime`` its time in seconds since 1970; ``documents`` are further files for
    ``/usr/share/doc`` by their names, such as the bill of materials. Raises ConfigError as :func:`upstreams`.
    """
    debian = upstreams(project)
    changes = project.root / "CHANGELOG.md"
    documents = dict(documents or {}) | ({"CHANGELOG.md": changes.read_bytes()} if changes.is_file() else {})
    snippets = {name: text.encode() for name, text in tree.snippets(f"/{SNIPPETS}", _LOCAL).items()}
    files = {f"{tree.WEB_ROOT}/{name}": content for name, content in tree.served(site).items()}
    if (site / "config.js").is_file():
        files[f"usr/share/{WEB}/config.js"] = (site / "config.js").read_bytes()
    files[ZONES] = snippets.pop("zones.conf")
    files[f"{SNIPPETS}/brotli/brotli.conf"] = snippets.pop("brotli.conf")
    files |= {f"{SNIPPETS}/{name}": content for name, content in snippets.items()}
    files |= _documents(project, debian, WEB, mtime, documents)
    web, meta = _web(project, debian), _meta(project, debian)
    scripts = {name: _file(name).encode() for name in ("postinst", "postrm")}
    return [
        (deb.file_name(web), deb.build(web, files, mtime, conffiles=(ZONES,), scripts=scripts)),
        (deb.file_name(meta), deb.build(meta, _documents(project, debian, META, mtime), mtime)),
    ]


def upgrade_line(project: Project) -> str:
    """Return the command that installs this release, also over a newer one: apt changes all packages only together."""
    debian = upstreams(project)
    wanted = {META: version(project), WEB: version(project), "jicofo": debian.jicofo}
    wanted |= {"jitsi-videobridge2": debian.jitsi_videobridge2}
    wanted |= {f"jitsi-meet-{name}": debian.jitsi_meet_web for name in ("web-config", "prosody", "turnserver")}
    return f"apt install --allow-downgrades {' '.join(f'{name}={number}' for name, number in wanted.items())}"


def _web(project: Project, debian: Debian) -> dict[str, str]:
    number = debian.jitsi_meet_web
    return _head(project, debian, WEB) | {
        "Suggests": "nginx, libnginx-mod-http-brotli-static",
        "Provides": f"jitsi-meet-web (= {number})",
        "Conflicts": "jitsi-meet-web",
        "Replaces": f"jitsi-meet-web, jitsi-meet (<= {_SPLIT})",
        "Breaks": ", ".join(
            f"jitsi-meet-{name} (>> {number})" for name in ("prosody", "tokens", "turnserver", "web-config")
        ),
        "Description": f"video conferences with a login, without third parties\n{_ABOUT}",
    }


def _meta(project: Project, debian: Debian) -> dict[str, str]:
    number = debian.jitsi_meet_web
    return _head(project, debian, META) | {
        "Pre-Depends": f"jitsi-videobridge2 (= {debian.jitsi_videobridge2})",
        "Depends": f"jicofo (= {debian.jicofo}), {WEB} (= {version(project)}), "
        f"jitsi-meet-web-config (= {number}), jitsi-meet-prosody (= {number})",
        "Recommends": f"jitsi-meet-turnserver (= {number}) | apache2",
        "Provides": f"jitsi-meet (= {debian.jitsi_meet})",
        "Conflicts": "jitsi-meet",
        "Replaces": "jitsi-meet",
        "Description": f"Jitsi Meet with the hardened web client (metapackage)\n{_ABOUT}\n\n"
        "This package depends on the servers of the same release of upstream.",
    }


def _head(project: Project, debian: Debian, name: str) -> dict[str, str]:
    return {
        "Package": name,
        "Source": META if name != META else "",
        "Version": version(project),
        "Architecture": "all",
        "Maintainer": debian.maintainer,
        "Section": "net",
        "Priority": "optional",
        "Homepage": "https://jitsi.org/meet",
    }


def _documents(
    project: Project, debian: Debian, name: str, mtime: int, documents: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    """Return a package's files below ``/usr/share/doc``."""
    site = project.site
    date = format_datetime(dt.datetime.fromtimestamp(mtime, tz=dt.UTC))
    changes = (
        f"{META} ({version(project)}) stable; urgency=medium\n\n"
        f"  * Jitsi Meet {site.release}, revision {project.revision} of the hardened client.\n\n"
        f" -- {debian.maintainer}  {date}\n"
    )
    licence = _file("copyright").replace("{repository}", site.repository).replace("{commit}", site.commit)
    files = {"changelog.gz": deb.gzipped(changes.encode()), "copyright": licence.encode()}
    files |= {f"{title}.gz": deb.gzipped(content) for title, content in (documents or {}).items()}
    return {f"usr/share/doc/{name}/{title}": content for title, content in files.items()}


def _file(name: str) -> str:
    return (resources.files(__package__ or "") / "files" / name).read_text("utf-8")
