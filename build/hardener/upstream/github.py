"""The forge where upstream lives: its public API (GitHub's REST API, version 2022-11-28), asked through requests.

Reading only, and small. A token is taken from the environment (``HARDENER_FORGE_TOKEN``, ``GITHUB_TOKEN``), goes out to
only the API's own host, and never into a message. ``HARDENER_FORGE_API`` names another server with the same API.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hardener.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

API = "https://api.github.com"
TIMEOUT = (10, 30)  # seconds to connect, and between two bytes
_PAGES = 50


@dataclass(frozen=True)
class PullRequest:
    """A pull request as the forge has it: ``state`` is open, closed or merged; ``commit`` is what a merge made."""

    url: str
    state: str
    title: str
    commit: str = ""


class Forge:
    """One API server. Raises UnreachableError (exit code 4) for every way in which there is no answer."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.api = environ.get("HARDENER_FORGE_API", API).rstrip("/")
        self._token = environ.get("HARDENER_FORGE_TOKEN") or environ.get("GITHUB_TOKEN", "")

    def pull_request(self, url: str) -> PullRequest:
        """Return what became of a pull request; ``url`` is its address in the browser."""
        match = re.fullmatch(r"https?://[^/]+/([\w.-]+)/([\w.-]+)/pull/(\d+)/?", url)
        if not match:
            raise UsageError(
                f"{url} is not the address of a pull request", hint="such as https://github.com/OWNER/NAME/pull/123"
            )
        owner, name, number = match.groups()
        said = self._get(f"/repos/{owner}/{name}/pulls/{number}")
        merged = bool(said.get("merged") or said.get("merged_at"))
        return PullRequest(
            url,
            "merged" if merged else str(said.get("state", "")),
            str(said.get("title", "")),
            str(said.get("merge_commit_sha") or "") if merged else "",
        )

    def tags(self, repository: str, prefix: str) -> dict[str, str]:
        """Return the tags of a repository whose full ref name begins so: ref -> id of its commit or tag object."""
        match = re.search(r"[/:]([\w.-]+)/([\w.-]+?)(?:\.git)?/?$", repository)
        if not match:
            raise UsageError(
                f"{repository} is not a repository of a forge", hint="leave out --api: git ls-remote will do"
            )
        found: dict[str, str] = {}
        path = f"/repos/{match[1]}/{match[2]}/git/matching-refs/{prefix.removeprefix('refs/')}?per_page=100"
        for page in range(1, _PAGES + 1):
            said = self._get(f"{path}&page={page}")
            more = {str(tag["ref"]): str(tag["object"]["sha"]) for tag in said}
            if not more.keys() - found.keys():
                break
            found |= more
        return found

    def _get(self, path: str) -> Any:
        import requests  # noqa: PLC0415 (a fifth of a second to load)

        heads = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if self._token:
            heads["Authorization"] = f"Bearer {self._token}"
        where = f"{self.api}{path}"
        try:
            answer = requests.get(where, headers=heads, timeout=TIMEOUT, allow_redirects=False)
        except requests.exceptions.RequestException as error:
            kind = type(error).__name__
            raise UnreachableError(
                f"the forge does not answer: {where} ({kind})",
                hint="check the network or proxy; another server: HARDENER_FORGE_API=https://...",
            ) from error
        if answer.status_code == requests.codes.ok:
            try:
                return answer.json()
            except requests.exceptions.JSONDecodeError as error:
                raise UnreachableError(f"{where} answers, but not with JSON", hint="check the proxy") from error
        raise _refusal(where, answer.status_code, answer.headers, token=bool(self._token))


def _refusal(where: str, status: int, heads: Mapping[str, str], *, token: bool) -> UnreachableError:
    if status in (403, 429) and (heads.get("X-RateLimit-Remaining") == "0" or "Retry-After" in heads):
        until = heads.get("X-RateLimit-Reset", "")
        seconds = int(heads["Retry-After"]) if heads.get("Retry-After", "").isdigit() else 0
        if not seconds and until.isdigit():
            seconds = max(0, int(until) - int(time.time()))
        more = "" if token else ", or set GITHUB_TOKEN, with which the limit is far higher"
        return UnreachableError(
            f"the forge's rate limit is used up; it ends in {-(-seconds // 60)} minutes", hint=f"wait{more}"
        )
    hints = {
        401: "the token is refused: check HARDENER_FORGE_TOKEN or GITHUB_TOKEN",
        404: "check the address; where it is private, set GITHUB_TOKEN",
    }
    return UnreachableError(
        f"{where} answers with HTTP {status}", hint=hints.get(status, "try again later, or check HARDENER_FORGE_API")
    )
