"""Conversations with a git host: what git/fetch.py needs when something is missing in the cache.

GitPython talks to the host here, with the user's own git configuration, because it holds proxies and credentials.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

# GitPython would refuse to be imported where there is no git; Transfer has a better message.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import requests

from hardener.errors import PinError, StackError, UnreachableError
from hardener.git import leftovers
from hardener.git.mirror import REMOTE
from hardener.git.sources import VARIABLE, without_password
from hardener.system import disk, locks, process

try:
    import git
except ImportError as error:  # it asks git for its version
    raise StackError(f"git does not start: {error}", hint="the same command again, or: hardener doctor") from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from hardener.config import Component

PAUSES = (1.0, 4.0, 16.0)  # seconds before the second, third and fourth try
# A local repository serves us whatever its own settings say; a server's settings are its owner's business.
_LOCAL_SERVER = "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true upload-pack"
_PERMANENT = re.compile(
    r"not found|does not exist|does not appear to be a git repository|authentication failed|permission denied"
    r"|could not read username|returned error: 40[0-9]",
    re.IGNORECASE,
)
# How git reports that it may not write to a repository of ours.
_UNWRITABLE = re.compile(
    r"insufficient permission for adding an object"
    r"|(?:unable to (?:create|open|write)|cannot (?:create|open|mkdir|lock)|could not (?:create|open|write)"
    r"|failed to (?:create|write))[^:]*(?:: [^:]*)?: (?:permission denied|operation not permitted)",
    re.IGNORECASE,
)
# How git reports that a program of its own was killed; where it was killed itself, its exit status says so.
_KILLED = re.compile(r"died of signal|index-pack failed|invalid index-pack output", re.IGNORECASE)
# What git says when the git at the other end is gone. Where the source is local, a person has killed that one.
_CUT_OFF = re.compile(
    r"hung up|protocol error|unexpected disconnect|early EOF|expected flush|died|could not read from remote",
    re.IGNORECASE,
)
_UNADVERTISED = re.compile(
    r"not our ref|unadvertised object|couldn't find remote ref|no such remote ref", re.IGNORECASE
)


class _Progress(git.RemoteProgress):
    def __init__(self, tell: Callable[[str, float], None]) -> None:
        super().__init__()
        self._tell = tell

    def update(self, op_code: int, cur_count: Any, max_count: Any = None, message: str = "") -> None:
        stage = op_code & self.OP_MASK
        if max_count and stage in (self.RECEIVING, self.RESOLVING):
            text = "receiving" if stage == self.RECEIVING else "resolving"
            self._tell(f"{text} {message}".strip(), float(cur_count) / float(max_count))


class Transfer:
    """Conversations with one source, repeated with growing pauses while the failure may pass.

    The caller holds the mirror's lock and has made the mirror (git/mirror.py). Without one, only refs can be asked for.
    """

    def __init__(self, mirror: Path | None, where: str, tell: Callable[[str, float], None]) -> None:
        self.where = where
        self.tell = tell
        # noop: that we have a commit must not be sent to the server as having its files.
        self._negotiator = "noop"
        self.local = not re.match(r"https://|ssh://", where)
        if not shutil.which("git"):
            raise StackError("git is not installed", hint="apt-get install git (hardener doctor looks for more)")
        self.mirror = mirror
        self._url = where if "://" in where else str(Path(where).resolve())
        self._git = git.Git(mirror or "/")  # not where we happen to be: a repository there has settings of its own

    def check_ref(self, component: Component) -> tuple[str, ...]:
        """Refuse a release whose ref names another commit at the source than the pin."""
        if not component.ref:
            self._talk("ls-remote", self._url, "HEAD")  # only to see that the source answers
            return ()
        text = self._talk("ls-remote", self._url, component.ref, component.ref + "^{}")
        found = {ref: commit for commit, ref in (line.split("\t") for line in text.splitlines() if "\t" in line)}
        commit = found.get(component.ref + "^{}") or found.get(component.ref)
        if commit is None:
            where = without_password(self.where)
            return (f"{component.ref} is not at {where}; the pin was checked by its commit id alone",)
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
            self._talk("fetch", *options, "--depth=1", *self._server(), REMOTE, component.commit)
        except UnreachableError as error:
            if not _UNADVERTISED.search(error.message):
                raise
            everything = ("+refs/heads/*:refs/upstream/heads/*", "+refs/tags/*:refs/upstream/tags/*")
            self._talk("fetch", *options, *self._server(), REMOTE, *everything)

    def blobs(self, ids: list[str]) -> None:
        """Fetch files by their ids, in one request."""
        # The options are those of git's own lazy fetch (promisor-remote.c, fetch_objects).
        options = ("--progress", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none")
        self._talk("fetch", *options, *self._server(), "--stdin", REMOTE, stdin="".join(f"{blob}\n" for blob in ids))

    def refs(self, glob: str) -> set[str]:
        """Return names of the source's refs that match a glob (git-ls-remote(1)); nothing is fetched."""
        lines = self._talk("ls-remote", "--refs", self._url, glob).splitlines()
        return {line.partition("\t")[2] for line in lines if "\t" in line}

    def history(self, prefix: str) -> None:
        """Fetch all commits and trees, without files; branches and tags get names below ``prefix``."""
        everything = (f"+refs/heads/*:{prefix}heads/*", f"+refs/tags/*:{prefix}tags/*")
        options = ("--progress", "--no-tags", "--prune", "--no-write-fetch-head", "--filter=blob:none")
        self._negotiator = "default"  # only what is new since the last time
        self._talk("fetch", *options, *self._server(), REMOTE, *everything)

    def _server(self) -> tuple[str, ...]:
        return (f"--upload-pack={_LOCAL_SERVER}",) if self.local else ()

    def _talk(self, verb: str, *words: str, stdin: str = "") -> str:
        killed = False
        for pause in (*PAUSES, None):
            try:
                with disk.full_disk_explained():
                    return self._once(verb, words, stdin)
            except git.GitCommandError as error:
                complaint = " ".join(str(error.stderr).split()).removeprefix("stderr: ").strip("' ")
                disk.refuse_full_disk(complaint, str(self.mirror or self.where))
                self._refuse_unwritable(complaint)
                was_killed = _was_killed(error, complaint)
                if was_killed and killed:
                    raise StackError(
                        f"git {verb} was killed twice",
                        hint="see whether memory ran out (dmesg); the same command resumes where it stopped",
                    ) from error
                if was_killed or (self.local and not killed and _was_cut_off(complaint)):
                    killed = True
                    if self.mirror:
                        leftovers.clear(self.mirror)
                    continue
                if pause is None or self.local or _PERMANENT.search(complaint) or _UNADVERTISED.search(complaint):
                    raise self._unreachable(complaint) from error
                self.tell(f"no answer, next try in {pause:.0f} s", 0.0)
                time.sleep(pause)
        raise AssertionError  # the last round returns or raises

    def _once(self, verb: str, words: tuple[str, ...], stdin: str) -> str:
        environment = {"LC_ALL": "C.UTF-8", "LANGUAGE": "", "GIT_TERMINAL_PROMPT": "0"}
        # Nothing but this fetch writes here, whatever the user's configuration says, and nothing continues after it.
        settings = {
            "fetch.negotiationAlgorithm": self._negotiator,
            "fetch.writeCommitGraph": "false",
            "maintenance.auto": "false",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # GitPython passes on our whole environment; of git's own variables only the user's configuration counts here.
        unwanted = (name for name in os.environ if name.startswith("GIT_") and not _counts_here(name))
        drop = [word for name in sorted(unwanted) for word in ("-u", name)]
        command = ["env", *drop, "git", *options, verb, *words]
        with tempfile.TemporaryFile() as file, self._git.custom_environment(**environment):
            file.write(stdin.encode())
            file.seek(0)
            if verb != "fetch":
                return str(self._git.execute(command, istream=file))
            # It inherits our locks, as all programs do: it may outlive us, and no other process may write here until
            # then.
            with locks.spawning:
                running = self._git.execute(command, istream=file, as_process=True, pass_fds=tuple(locks.held_locks))
            progress = _Progress(self.tell)
            git.cmd.handle_process_output(
                running, None, progress.new_message_handler(), finalizer=None, decode_streams=True
            )
            running.wait(stderr="\n".join(progress.error_lines + progress.other_lines))
            return ""

    def _refuse_unwritable(self, complaint: str) -> None:
        """Raise StackError where git may not write to the mirror. A host denies permission in the same words."""
        if self.mirror and _UNWRITABLE.search(complaint):
            raise StackError(
                f"git cannot write to {self.mirror}: {complaint}",
                hint=f"look at its owner and mode: ls -ld {shlex.quote(str(self.mirror))}",
            )

    def _unreachable(self, complaint: str) -> UnreachableError:
        last = re.sub(r"^.*?(fatal|error|ERROR): ", "", complaint) or "no answer"
        return UnreachableError(
            f"cannot fetch from {without_password(self.where)}: {without_password(last)}",
            hint=f"correct what {VARIABLE} or --upstream names, or unset it: then the public upstream is asked"
            " (or build the demo without upstream: make demo)"
            if self.local
            else f"name a mirror: {VARIABLE}=NAME=URL-or-path (or build the demo without upstream: make demo)",
            details=() if self.local else diagnose(self.where),
        )


def _counts_here(name: str) -> bool:
    return name.startswith("GIT_CONFIG_") or name == "GIT_TERMINAL_PROMPT" or process.is_passed(name)


def _was_killed(error: git.GitCommandError, complaint: str) -> bool:
    return (isinstance(error.status, int) and error.status < 0) or bool(_KILLED.search(complaint))


def _was_cut_off(complaint: str) -> bool:
    return bool(_CUT_OFF.search(complaint)) and not _PERMANENT.search(complaint)


def diagnose(url: str) -> tuple[str, ...]:
    """Return what an https source answers to a plain request, in words; () where that says no more than git did."""
    if not url.startswith("https://"):
        return ()
    try:
        with requests.get(f"{url}/info/refs", params={"service": "git-upload-pack"}, timeout=10, stream=True) as answer:
            said = "" if answer.ok else f"a plain request is answered with HTTP {answer.status_code} {answer.reason}"
    except requests.exceptions.SSLError:
        said = "its TLS certificate is not trusted here: set REQUESTS_CA_BUNDLE and GIT_SSL_CAINFO to your CA file"
    except requests.exceptions.ProxyError:
        proxy = without_password(os.environ.get("https_proxy", "not set"))
        said = f"the proxy refuses the connection: check https_proxy ({proxy})"
    except requests.exceptions.Timeout:
        said = "the host does not answer within 10 s"
    except requests.exceptions.ConnectionError as error:
        unresolved = "resolve" in str(error).lower() or "Name or service" in str(error)
        said = "the host name cannot be resolved from here" if unresolved else "the host refuses the connection"
    except requests.exceptions.RequestException as error:
        said = f"a plain request fails too: {error}"
    return (said,) if said else ()
