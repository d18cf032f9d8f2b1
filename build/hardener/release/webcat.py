"""A static site and its unsigned manifest for WEBCAT, the browser extension that runs only what a site has published.

The extension compares pages, scripts and style sheets with a signed manifest, so they have to be the same for all
visitors: the web server's includes and variables are filled in here, and the operator's ``config.js`` is part of the
site. Signing is left to the extension's own tools (docs/operator.md#webcat).
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hardener import snippets
from hardener.errors import ConfigError
from hardener.pipeline.compressed import SUFFIXES
from hardener.release import tree
from hardener.system import node

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from hardener.config import Project

INDEX, CONFIG = "index.html", "config.js"
# The package by which the client asks what the browser's WebAssembly can do: it makes modules while it runs.
_ASKS = "wasm-check"
# build/nginx/site.conf answers 404 there.
_NOT_FOR_THE_WEB = "scripts/"
_DIRECTIVE = re.compile(rb"""<!--#\s*(\w+)((?:\s+\w+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*-->""")
_ATTRIBUTE = re.compile(rb"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_POLICY = re.compile(r'^add_header Content-Security-Policy "([^"]+)" always;$', re.MULTILINE)
# A WebAssembly module as base64 in a script, and how each module begins: magic number and version.
_INLINE = re.compile(rb"AGFzbQEA(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_MODULE = b"\0asm\1\0\0\0"
_RELEASE = re.compile(r"(\d+)\.0\.(\d+)")


def site(built: Path, config: bytes, embedders: Sequence[str] = ()) -> dict[str, bytes]:
    """Return the files of the static site by their paths: a built site with an operator's ``config.js``.

    Raises ConfigError where a file asks the web server for something that is not the same for all visitors.
    """
    files = {name: content for name, content in tree.served(built).items() if not name.startswith(_NOT_FOR_THE_WEB)}
    files[CONFIG] = config
    # As site.conf sets them for a page that is not below a tenant's path.
    variables = {"prefix": "", "subdomain": "", "subdir": "", "hardener_embedders": " ".join(embedders)}
    filler = _Filler(files, {name: value.encode() for name, value in variables.items()})
    done = {name: filler.filled(name) if _is_filled_in(name) else content for name, content in files.items()}
    return {name: content for name, content in done.items() if name not in filler.included}


def _is_filled_in(name: str) -> bool:
    return name.endswith(".html") or (name.endswith(".js") and "/" not in name)


class _Filler:
    """Fill in server-side includes; ``included`` collects the files that are parts of others."""

    def __init__(self, files: Mapping[str, bytes], variables: Mapping[str, bytes]) -> None:
        self.files = files
        self.variables = variables
        self.included: set[str] = set()

    def filled(self, name: str, outer: tuple[str, ...] = ()) -> bytes:
        """Return the content of a file without directives. ``outer`` are the files that include it."""
        if name in outer:
            raise ConfigError(f"{name}: includes itself", hint="the includes are: " + " > ".join((*outer, name)))
        content = _DIRECTIVE.sub(lambda match: self._answer(name, outer, match), self.files[name])
        if (at := content.find(b"<!--#")) >= 0:
            rest = content[at:].split(b"\n")[0][:80].decode("utf-8", "replace")
            raise ConfigError(f"{name}: {rest} is not an include or a variable", hint="a static site has neither")
        return content

    def _answer(self, name: str, outer: tuple[str, ...], match: re.Match[bytes]) -> bytes:
        words = {key.decode(): (double or single).decode() for key, double, single in _ATTRIBUTE.findall(match[2])}
        shown = match[0].decode("utf-8", "replace")
        match match[1]:
            case b"echo":
                if (variable := words.get("var", "")) not in self.variables:
                    raise ConfigError(
                        f"{name}: only the web server knows {variable or 'the variable'} of {shown}",
                        hint="write the value into the file: the site is the same for all visitors",
                    )
                return self.variables[variable] or words.get("default", "").encode()
            case b"include":
                target = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), words.get("virtual", "")))[1:]
                if target not in self.files:
                    raise ConfigError(f"{name}: there is no file for {shown}", hint="add it with --extra, or remove it")
                if target.endswith(".html"):
                    self.included.add(target)
                return self.filled(target, (*outer, name))
            case _:
                raise ConfigError(f"{name}: {shown} is not the same for all visitors", hint="a static site has no such")


def policy(embedders: Sequence[str] = ()) -> str:
    """Return the Content-Security-Policy of build/nginx; raises UsageError for what is not a web origin."""
    match = _POLICY.search(snippets.texts(embedders)[snippets.HEADERS])
    if match is None:
        raise AssertionError("security-headers.conf has no policy")
    return match[1]


def version(project: Project) -> str:
    """Return the version of the manifest, for which clients compare numbers: 2.10978.1 for revision 1 of 2.0.10978."""
    match = _RELEASE.fullmatch(project.site.release)
    if match is None:
        raise ConfigError(
            f"upstream.toml: release {project.site.release!r} has no version for WEBCAT",
            hint="it has to have the form 2.0.NNNNN",
        )
    return f"{match[1]}.{match[2]}.{project.revision}"


def modules_of(files: Mapping[str, bytes]) -> set[str]:
    """Return the digests of all WebAssembly modules in the files of a site, also of those inside of scripts."""
    found = [content for name, content in files.items() if name.endswith(".wasm")]
    for name, content in files.items():
        if name.endswith(".js"):
            found += [base64.b64decode(match[0]) for match in _INLINE.finditer(content)]
    return {_digest(content) for content in found if content.startswith(_MODULE)}


def modules_made(sources: Path) -> set[str]:
    """Return the digests of the WebAssembly modules that the client makes while it runs.

    ``sources`` is the patched tree of the web client with its packages. Raises ConfigError without the package that
    makes them: a missing digest would switch off virtual backgrounds.
    """
    if not (sources / "node_modules" / _ASKS).is_dir():
        raise ConfigError(
            f"the client has no package {_ASKS} any more", hint="find what asks for WebAssembly now: release/webcat.py"
        )
    made = node.recipe("wasm-modules.cjs", {"root": sources, "package": _ASKS}, error=ConfigError)["modules"]
    return {_text(bytes.fromhex(digest)) for digest in made}


def manifest(project: Project, files: Mapping[str, bytes], csp: str, modules: Iterable[str]) -> dict[str, Any]:
    """Return the manifest of a static site, without the time stamp that signing with Sigsum adds."""
    return {
        "name": project.name,
        "version": version(project),
        "default_csp": csp,
        "extra_csp": {},
        "default_index": INDEX,
        "default_fallback": f"/{INDEX}",  # a room has no file
        "files": {
            quote(f"/{name}", safe="/!$&'()*+,;=:@~"): _digest(content)
            for name, content in files.items()
            if posixpath.splitext(name)[1] not in SUFFIXES  # browsers unpack these, and see the file itself
        },
        "wasm": sorted(modules),
    }


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return the bytes that are signed: JSON with sorted keys and without spaces."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _digest(content: bytes) -> str:
    return _text(hashlib.sha256(content).digest())


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
