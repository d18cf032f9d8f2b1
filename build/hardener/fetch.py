"""Step 1: bring a component's pinned commit into a bare mirror in the user's cache directory.

Only what the build reads is asked for: one commit (``--depth=1``), its trees, and then the files outside the
component's ``exclude`` list (``--filter=blob:none`` and a second request by blob id). A server that cannot filter sends
everything, a server that cannot serve a commit by id is asked for its branches and tags; both give the same content,
because content is what is pinned.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import git
import requests

from hardener import cache
from hardener.errors import PinError, UnreachableError, UsageError
from hardener.git import Repository, inside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hardener.config import Component

VARIABLE = "HARDENER_UPSTREAM"
PAUSES = (1.0, 4.0, 16.0)  # seconds before the second, third and fourth try
_REMOTE = "upstream"
# A local repository serves us whatever its own settings say; a server's settings are its owner's business.
_LOCAL_SERVER = "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true upload-pack"
_PERMANENT = re.compile(
    r"not found|does not exist|does not appear to be a git repository|authentication failed|permission denied"
    r"|could not read username|returned error: 40[0-9]",
    re.IGNORECASE,
)
_UNADVERTISED = re.compile(
    r"not our ref|unadvertised object|couldn't find remote ref|no such remote ref", re.IGNORECASE
)


@dataclass(frozen=True)
class Fetched:
    """Where a component's pinned commit lies now, and what it took: ``objects`` is 0 when all was in the cache."""

    component: str
    mirror: Path
    commit: str
    source: str
    objects: int
    notes: tuple[str, ...] = ()


class _Progress(git.RemoteProgress):
    def __init__(self, tell: Callable[[str, float], None]) -> None:
        super().__init__()
        self._tell = tell

    def update(self, op_code: int, cur_count: Any, max_count: Any = None, message: str = "") -> None:
        stage = op_code & self.OP_MASK
        if max_count and stage in (self.RECEIVING, self.RESOLVING):
            text = "receiving" if stage == self.RECEIVING else "resolving"
            self._tell(f"{text} {message}".strip(), float(cur_count) / float(max_count))


def mirror_of(component: Component) -> Path:
    """The bare repository of a component in the user's cache."""
    return cache.home() / "mirrors" / f"{component.name}.git"


def sources(given: tuple[str, ...], variable: str, names: tuple[str, ...]) -> dict[str, str]:
    """Where to fetch from instead of the repositories in upstream.toml: component name -> URL or path.

    ``given`` are the ``--upstream NAME=WHERE`` options, ``variable`` is the value of ``HARDENER_UPSTREAM``: the same,
    separated by white space. Options win. Raises UsageError for a malformed entry or an unknown component.
    """
    chosen: dict[str, str] = {}
    for entry in (*variable.split(), *given):
        name, sign, where = entry.partition("=")
        if not sign or not where or name not in names:
            raise UsageError(
                f"{VARIABLE} / --upstream: {entry!r} is not NAME=URL-or-path",
                hint=f"NAME is one of: {', '.join(names)}; several entries are separated by blanks",
            )
        if not re.match(r"https://|ssh://|file://|/|\.\.?/", where):
            raise UsageError(
                f"{VARIABLE} / --upstream: {where!r} is no source", hint="an https, ssh or file URL, or a path"
            )
        chosen[name] = where
    return chosen


def fetch(
    component: Component,
    source: str = "",
    *,
    tell: Callable[[str, float], None] = lambda _text, _share: None,
    waiting: Callable[[str], None] | None = None,
) -> Fetched:
    """Make sure that the mirror holds the pinned commit and every file of it that the build reads.

    ``source`` replaces the component's repository; ``tell(text, share)`` is told how far a transfer is (0 to 1).
    Touches the network only when something is missing. Raises UnreachableError when the source does not answer,
    PinError when it does not have the commit, the pin is no commit, or the release's ref has moved.
    """
    mirror = mirror_of(component)
    with cache.lock(mirror.with_suffix(".lock"), waiting=waiting):
        repository = Repository(mirror)
        where = source or component.repository
        wanted = _wanted(repository, component)
        if wanted == []:
            return Fetched(component.name, mirror, component.commit, "cache", 0)
        transfer = _Transfer(mirror, where, tell)
        notes = transfer.check_ref(component)
        objects = 0
        if wanted is None:
            transfer.commit(component)
            objects += 1
            _refuse_other(repository, component, where)
            wanted = _wanted(repository, component) or []
        if wanted:
            transfer.blobs(wanted)
            objects += len(wanted)
        if left := _wanted(repository, component):
            raise PinError(
                f"{component.name}: {where} lacks {len(left)} files of commit {component.commit}",
                hint=f"fetch from a complete repository: {VARIABLE}={component.name}=URL",
            )
        # A ref keeps git from collecting the commit as garbage.
        repository.output("update-ref", f"refs/hardener/{component.commit}", component.commit)
    return Fetched(component.name, mirror, component.commit, where, objects, notes)


def _wanted(repository: Repository, component: Component) -> list[str] | None:
    """Blob ids that the build reads and the mirror lacks; None when it lacks the commit itself."""
    if not repository.path.exists() or repository.commit(component.commit) != component.commit:
        return None
    missing = repository.missing(component.commit)
    entries = repository.entries(component.commit)
    return sorted({e.blob for path, e in entries.items() if e.blob in missing and not inside(path, component.exclude)})


def _refuse_other(repository: Repository, component: Component, where: str) -> None:
    found = repository.commit(component.commit)
    if found is None:
        raise PinError(
            f"{component.name}: {where} has no commit {component.commit}",
            hint=f"check the pin in upstream.toml, or name a source that has it: {VARIABLE}={component.name}=URL",
        )
    if found != component.commit:
        raise PinError(
            f"{component.name}: the pin {component.commit} is a tag object; its commit is {found}",
            hint=f"write commit = {found!r} into upstream.toml",
        )


class _Transfer:
    """Conversations with one source, repeated with growing pauses while the failure may pass."""

    def __init__(self, mirror: Path, where: str, tell: Callable[[str, float], None]) -> None:
        self.where = where
        self.tell = tell
        self.local = not re.match(r"https://|ssh://", where)
        with cache.full_disk_explained():
            repository = git.Repo.init(mirror, bare=True, mkdir=True)
        with repository.config_writer() as config:
            for section, option, value in (
                ("gc", "auto", "0"),
                ("core", "repositoryformatversion", "1"),
                ("extensions", "partialclone", _REMOTE),
                (f'remote "{_REMOTE}"', "url", where if "://" in where else str(Path(where).resolve())),
                (f'remote "{_REMOTE}"', "promisor", "true"),
                (f'remote "{_REMOTE}"', "partialclonefilter", "blob:none"),
            ):
                config.set_value(section, option, value)
        self.repository = repository

    def check_ref(self, component: Component) -> tuple[str, ...]:
        """Refuse a release whose ref names another commit at the source than the pin."""
        if not component.ref:
            self._talk("ls-remote", _REMOTE, "HEAD")  # only to see that the source answers
            return ()
        text = self._talk("ls-remote", _REMOTE, component.ref, component.ref + "^{}")
        found = {ref: commit for commit, ref in (line.split("\t") for line in text.splitlines() if "\t" in line)}
        commit = found.get(component.ref + "^{}") or found.get(component.ref)
        if commit is None:
            return (f"{component.ref} is not at {self.where}; the pin was checked by its commit id alone",)
        if commit != component.commit:
            raise PinError(
                f"{component.name}: {component.ref} has moved: it names {commit}, the pin is {component.commit}",
                hint="find out why upstream moved it before you change the pin in upstream.toml",
            )
        return ()

    def commit(self, component: Component) -> None:
        """Fetch the pinned commit without its files."""
        options = ("--progress", "--no-tags", "--no-write-fetch-head", "--filter=blob:none")
        try:
            self._talk("fetch", *options, "--depth=1", *self._server(), _REMOTE, component.commit)
        except UnreachableError as error:
            if not _UNADVERTISED.search(error.message):
                raise
            everything = ("+refs/heads/*:refs/upstream/heads/*", "+refs/tags/*:refs/upstream/tags/*")
            self._talk("fetch", *options, *self._server(), _REMOTE, *everything)

    def blobs(self, ids: list[str]) -> None:
        """Fetch files by their ids, in one request."""
        # The options are those of git's own lazy fetch (promisor-remote.c, fetch_objects).
        options = ("--progress", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none")
        self._talk("fetch", *options, *self._server(), "--stdin", _REMOTE, stdin="".join(f"{blob}\n" for blob in ids))

    def _server(self) -> tuple[str, ...]:
        return (f"--upload-pack={_LOCAL_SERVER}",) if self.local else ()

    def _talk(self, verb: str, *words: str, stdin: str = "") -> str:
        for pause in (*PAUSES, None):
            try:
                return self._once(verb, words, stdin)
            except git.GitCommandError as error:
                complaint = " ".join(str(error.stderr).split()).removeprefix("stderr: ").strip("' ")
                if pause is None or self.local or _PERMANENT.search(complaint) or _UNADVERTISED.search(complaint):
                    raise self._unreachable(complaint) from error
                self.tell(f"no answer, next try in {pause:.0f} s", 0.0)
                time.sleep(pause)
        raise AssertionError  # the last round returns or raises

    def _once(self, verb: str, words: tuple[str, ...], stdin: str) -> str:
        environment = {"LC_ALL": "C.UTF-8", "LANGUAGE": "", "GIT_TERMINAL_PROMPT": "0"}
        # noop: that we have a commit must not be told to the server as having its files.
        command = ["git", "-c", "fetch.negotiationAlgorithm=noop", verb]
        with tempfile.TemporaryFile() as file, self.repository.git.custom_environment(**environment):
            file.write(stdin.encode())
            file.seek(0)
            if verb != "fetch":
                return str(self.repository.git.execute([*command, *words], istream=file))
            process = self.repository.git.execute([*command, *words], istream=file, as_process=True)
            progress = _Progress(self.tell)
            git.cmd.handle_process_output(
                process, None, progress.new_message_handler(), finalizer=None, decode_streams=True
            )
            process.wait(stderr="\n".join(progress.error_lines + progress.other_lines))
            return ""

    def _unreachable(self, complaint: str) -> UnreachableError:
        last = re.sub(r"^.*?(fatal|error|ERROR): ", "", complaint) or "no answer"
        return UnreachableError(
            f"cannot fetch from {self.where}: {last}",
            hint=f"name a mirror: {VARIABLE}=NAME=URL-or-path (or try the whole job without upstream: make demo)",
            details=() if self.local else diagnose(self.where),
        )


def diagnose(url: str) -> tuple[str, ...]:
    """What an https source answers to a plain request, in words; () where that says no more than git did."""
    if not url.startswith("https://"):
        return ()
    try:
        answer = requests.get(
            f"{url}/info/refs", params={"service": "git-upload-pack"}, timeout=10, stream=True, allow_redirects=True
        )
    except requests.exceptions.SSLError:
        return ("its TLS certificate is not trusted here: set REQUESTS_CA_BUNDLE and GIT_SSL_CAINFO to your CA file",)
    except requests.exceptions.ProxyError:
        return (
            f"the proxy refuses the connection: check https_proxy ({_without_password(os.environ.get('https_proxy', 'not set'))})",
        )
    except requests.exceptions.Timeout:
        return ("the host does not answer within 10 s",)
    except requests.exceptions.ConnectionError as error:
        unresolved = "resolve" in str(error).lower() or "Name or service" in str(error)
        return ("the host name cannot be resolved from here" if unresolved else "the host refuses the connection",)
    except requests.exceptions.RequestException as error:
        return (f"a plain request fails too: {error}",)
    with answer:
        return () if answer.ok else (f"a plain request is answered with HTTP {answer.status_code} {answer.reason}",)


def _without_password(url: str) -> str:
    return re.sub(r"//[^@/]*@", "//", url)


def chosen_sources(
    given: tuple[str, ...], names: tuple[str, ...], environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """:func:`sources` with the environment's value of ``HARDENER_UPSTREAM``."""
    return sources(given, environ.get(VARIABLE, ""), names)
