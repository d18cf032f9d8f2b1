"""The two images: upstream's jitsi/web with the hardened site in one more layer, and an image of that layer only.

The layer replaces the web root and two of upstream's templates, so that the image is configured by the same ``.env``.
Upstream's start script fills in templates of these names only; therefore the locations of ``build/nginx/site.conf``
are written into one of them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING

from hardener.errors import ConfigError
from hardener.release import tree
from hardener.release.oci import Layer, Layout, from_scratch, layered, reading, write
from hardener.system import disk

if TYPE_CHECKING:
    from pathlib import Path

    from hardener.config import Image as BaseImage
    from hardener.config import Project

SNIPPETS = "etc/nginx/hardener"
OVERRIDE = "docker-compose.override.yml"
# The files of upstream's image that ours were written for, with their blob ids in docker-jitsi-meet at stable-10978.
REVIEWED = {
    "defaults/default": "37f2c20bb7fc9e671b7f4c8fb26e666c7c7bd7f1",
    "defaults/meet.conf": "11d2d80a2451f4fe016b75ed1ce2ee05065ee3b8",
    "defaults/nginx.conf": "9c235902b8e68ab5df8a36344f85bfd4b2b5f9ed",
    "etc/cont-init.d/10-config": "ed6dead19dcac82301ab9e738bac80874ac64734",
}
# In upstream's image: compose mounts the first two, and certificates are proved in the third.
_EMPTY = ("transcripts", "load-test", ".well-known")
_OPAQUE = ".wh..wh..opq"  # of the layers below, nothing of this folder is visible
PLATFORMS = ({"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"})
_HINT = "write [image] base = 'docker.io/jitsi/web:TAG@sha256:...' into upstream.toml (docs/reference.md#upstreamtoml)"


def upstreams_tag(project: Project) -> str:
    """Return the tag of upstream's images of the pinned release.

    >>> from types import SimpleNamespace as Fake
    >>> upstreams_tag(Fake(site=Fake(release="2.0.10978")))
    'stable-10978'
    """
    return f"stable-{project.site.release.rpartition('.')[2]}"


def tag(project: Project) -> str:
    """Return the tag of our images: upstream's, and our revision; a plus sign is not permitted there."""
    return f"{upstreams_tag(project)}-hardened.{project.revision}"


def base_of(project: Project) -> BaseImage:
    """Return upstream's image; raises ConfigError where upstream.toml has none of this release."""
    image = project.image
    if image is None:
        raise ConfigError("upstream.toml has no [image] table, and our image is built on that of upstream", hint=_HINT)
    wanted = upstreams_tag(project)
    if image.tag != wanted and not image.tag.startswith(f"{wanted}-"):
        raise ConfigError(
            f"upstream.toml: [image]: {image.tag} is not an image of {project.site.release} ({wanted})", hint=_HINT
        )
    return image


def images(project: Project, site: Path, mtime: int, base: Path | None, out: Path) -> list[tuple[str, Path]]:
    """Write the images into ``out``; returns name and path of each file.

    Without ``base``, the OCI layout with upstream's image, only the image of the site is written. Raises ConfigError
    where the base is not the one that upstream.toml names, or where its templates are not those that ours replace.
    """
    layer = Layer.of(tree.tar(contents(site), mtime, folders=[f"{tree.WEB_ROOT}/{name}" for name in _EMPTY]))
    created = dt.datetime.fromtimestamp(mtime, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about, labels = f"hardener: {project.label}", _labels(project)
    path = out / f"{project.label}-site.oci.tar"
    write(from_scratch(layer, PLATFORMS, labels, created, about), tag(project), mtime, path)
    found = [path]
    if base:
        upstreams, layout = base_of(project), Layout(base)
        with reading(upstreams.digest):
            compare_templates(layout, upstreams.digest)
        labels |= {
            "org.opencontainers.image.base.name": f"{upstreams.repository}:{upstreams.tag}",
            "org.opencontainers.image.base.digest": upstreams.digest,
        }
        path = out / f"{project.label}-web.oci.tar"
        with reading(upstreams.digest):
            image = layered(layout, upstreams.digest, layer, labels, created, about)
        digest = write(image, tag(project), mtime, path)
        disk.write(out / OVERRIDE, override(project, digest))
        found += [path, out / OVERRIDE]
    return [(path.name, path) for path in found]


def contents(site: Path) -> dict[str, bytes]:
    """Return the files of the layer."""
    files = tree.served(site)
    moved = {"interface_config.js": "defaults/interface_config.js"}  # the start script takes it from there
    layer = {moved.get(name, f"{tree.WEB_ROOT}/{name}"): content for name, content in files.items()}
    layer[f"{tree.WEB_ROOT}/{_OPAQUE}"] = b""
    snippets = tree.snippets(f"/{SNIPPETS}", f"/{SNIPPETS}")
    layer["defaults/meet.conf"] = _template("meet.conf.tpl", locations(snippets.pop("site.conf")))
    layer["defaults/default"] = _template("default.tpl")
    # Without a module for it, nginx would not start with the brotli snippet.
    return layer | {f"{SNIPPETS}/{name}": text.encode() for name, text in snippets.items() if name != "brotli.conf"}


def locations(site: str) -> str:
    """Return site.conf as a template: what variables of upstream switch off is optional, and each bridge has a path."""
    for head, text in {
        r"location ~ ^/colibri-ws/default-id/": _file("colibri.conf.tpl"),
        "location = /xmpp-websocket {": "{{ if $websocket }}\n%s{{ end }}\n",
        "location ~ ^/([^/?&:'\"\\x5C]+)/(.*)$ {": "{{ if $tenants }}\n%s{{ end }}\n",
    }.items():
        found = re.findall(rf"^{re.escape(head)}.*\n(?:(?!\}}).*\n)*\}}\n", site, re.MULTILINE)
        if len(found) != 1:
            raise ValueError(f"site.conf has {len(found)} locations that begin with {head!r}")
        site = site.replace(found[0], text.replace("%s", found[0]))
    return site


def override(project: Project, digest: str) -> bytes:
    """Return the file that makes upstream's compose project use our image; ``.env`` and the other files stay."""
    name = project.image.name if project.image else ""
    reference = f"{name}:{tag(project)}@{digest}" if name else f"jitsi-web-hardened:{tag(project)}"
    return (
        f"# Beside docker-compose.yml and .env of docker-jitsi-meet, both of {upstreams_tag(project)}.\n"
        f'services:\n  web:\n    image: "{reference}"\n'
    ).encode()


def compare_templates(layout: Layout, digest: str) -> None:
    """Raise ConfigError where a platform of upstream's image has other templates than those that ours replace."""
    for entry in layout.platforms(digest):
        files = layout.files(layout.json(entry["digest"]), REVIEWED)
        wrong = [name for name, blob in REVIEWED.items() if name not in files or _blob(files[name]) != blob]
        if wrong:
            platform = entry["platform"]
            raise ConfigError(
                f"{digest[:19]} ({platform['os']}/{platform['architecture']}) has another {', '.join(wrong)} than "
                "the image that our templates were written for",
                hint="review build/hardener/release/files/*.tpl, then REVIEWED in build/hardener/release/images.py",
            )


def _labels(project: Project) -> dict[str, str]:
    site = project.site
    labels = {
        "title": project.name,
        "description": "Jitsi Meet with the hardened web client",
        "licenses": "Apache-2.0",
        "revision": site.commit,
        "source": site.repository,
        "version": f"{site.release}+{project.revision}",
    }
    return {f"org.opencontainers.image.{name}": value for name, value in labels.items()}


def _template(name: str, more: str = "") -> bytes:
    text = _file(name) + more
    return re.sub(r"^(\s*include )hardener/", rf"\g<1>/{SNIPPETS}/", text, flags=re.MULTILINE).encode()


def _file(name: str) -> str:
    return (resources.files(__package__ or "") / "files" / name).read_text("utf-8")


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
