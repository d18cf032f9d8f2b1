"""Fetching as users do it: from a git host over https, which here is one of our own on loopback."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from hardener.errors import PinError, UnreachableError
from hardener.git import remote
from hardener.git.fetch import fetch, mirror_of
from hardener.git.repository import Repository
from support.fakes import FakeUpstream, git
from support.git_host import GitHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hardener.config import Component

    from .conftest import Minimeet

READ = {"a.js": b"a\n", "b/b.js": b"b\n", "b/c.js": b"c\n"}
UNREAD = {"android/Main.java": b"x\n", "android/res/icon.txt": b"y\n"}


@pytest.fixture
def make_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., GitHost]]:
    """Start a host that git and requests trust."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: apt-get install openssl")
    (tmp_path / "served").mkdir()
    started: list[GitHost] = []

    def make(**words: object) -> GitHost:
        host = GitHost(tmp_path / "served", tmp_path, **words)
        started.append(host)
        for name, value in host.environment.items():
            monkeypatch.setenv(name, value)
        return host

    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for proxy in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    yield make
    for host in started:
        host.close()


@pytest.fixture
def upstream(tmp_path: Path, make_host: object) -> FakeUpstream:
    """Provide an upstream with a past, of which the pin needs three files."""
    upstream = FakeUpstream(tmp_path / "served" / "fake.git")
    upstream.commit({"old.js": b"gone by now\n"}, "Before")
    upstream.commit({"old.js": None} | READ | UNREAD, "Release 1.0")
    upstream.tag("v1.0", annotated=True)
    return upstream


def pinned(upstream: FakeUpstream, host: GitHost, **values: object) -> Component:
    """Return the component, to be fetched from the host, without what lies in ``android``."""
    more = {"repository": f"{host.url}/fake.git", "ref": "refs/tags/v1.0", "exclude": ("android",)}
    return upstream.component(**(more | values))


def held(component: Component) -> set[str]:
    """Ids of all objects that the component's mirror holds."""
    lines = git(mirror_of(component), "cat-file", "--batch-check=%(objectname)", "--batch-all-objects")
    return set(lines.decode().split())


def test_the_pinned_commit_and_the_files_that_are_read_come_alone(
    upstream: FakeUpstream, make_host: Callable[..., GitHost]
) -> None:
    component = pinned(upstream, make_host())
    fetched = fetch(component)
    assert fetched.objects == 1 + len(READ)
    assert fetched.notes == ()
    assert {upstream.blob(path) for path in READ} <= held(component)
    assert not {upstream.blob(path) for path in UNREAD} & held(component)
    assert upstream.commits[0] not in held(component)  # the past


def test_nothing_is_asked_for_twice(upstream: FakeUpstream, make_host: Callable[..., GitHost]) -> None:
    host = make_host()
    component = pinned(upstream, host)
    fetch(component)
    assert "POST /fake.git/git-upload-pack" in host.asked
    host.asked.clear()
    assert fetch(component).source == "cache"
    assert host.asked == []


def test_a_host_that_filters_nothing_gives_all_files(upstream: FakeUpstream, make_host: Callable[..., GitHost]) -> None:
    component = pinned(upstream, make_host(settings=("uploadpack.allowFilter=false",)))
    fetch(component)
    assert {upstream.blob(path) for path in READ | UNREAD} <= held(component)


def test_a_host_that_is_busy_is_asked_again(upstream: FakeUpstream, make_host: Callable[..., GitHost]) -> None:
    host = make_host(statuses=[503, 503])
    told: list[str] = []
    assert fetch(pinned(upstream, host), tell=lambda text, _: told.append(text)).objects
    assert told[:2] == ["no answer, next try in 0 s"] * 2


def test_a_repository_that_is_not_there_is_no_passing_failure(
    upstream: FakeUpstream, make_host: Callable[..., GitHost]
) -> None:
    host = make_host()
    with pytest.raises(UnreachableError, match="not found") as caught:
        fetch(pinned(upstream, host, repository=f"{host.url}/other.git"))
    assert caught.value.exit_code == 4
    assert "HARDENER_UPSTREAM" in caught.value.hint
    assert caught.value.details == ("a plain request is answered with HTTP 404 Not Found",)
    # git's, and the one that explains
    assert len([request for request in host.asked if request.startswith("GET /other.git")]) == 2


def test_a_certificate_that_nobody_trusts_is_named(
    upstream: FakeUpstream, make_host: Callable[..., GitHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = make_host()
    for name in host.environment:
        monkeypatch.delenv(name)
    with pytest.raises(UnreachableError) as caught:
        fetch(pinned(upstream, host))
    assert "REQUESTS_CA_BUNDLE and GIT_SSL_CAINFO" in caught.value.details[0]
    assert not any("upload-pack" in request for request in host.asked)


def test_a_tag_that_moved_is_refused_over_https_too(upstream: FakeUpstream, make_host: Callable[..., GitHost]) -> None:
    component = pinned(upstream, make_host())
    upstream.commit({"a.js": b"other\n"}, "Moved")
    upstream.tag("v1.0")
    with pytest.raises(PinError, match="has moved") as caught:
        fetch(component)
    assert caught.value.exit_code == 3
    assert not (mirror := mirror_of(component)).exists() or Repository(mirror).commit(component.commit) is None


def test_a_commit_that_the_host_does_not_have_is_a_wrong_pin(
    upstream: FakeUpstream, make_host: Callable[..., GitHost]
) -> None:
    component = pinned(upstream, make_host(), commit="0123456789abcdef0123456789abcdef01234567", ref="")
    with pytest.raises(PinError, match="has no commit") as caught:
        fetch(component)
    assert caught.value.exit_code == 3


def test_a_whole_build_takes_its_upstream_from_upstream_toml_over_https(
    apart: Minimeet, make_host: Callable[..., GitHost]
) -> None:
    host = make_host()
    shutil.copytree(apart.upstream, host.root / "minimeet.git")
    apart.edit("upstream.toml", "./upstream.git", f"{host.url}/minimeet.git")
    run = apart.build(driver="import sys; del sys.argv[-2:]", env=host.environment)
    assert run.code == 0, run.stderr
    assert run.answer["log"]["fetched_from"] == {"minimeet": f"{host.url}/minimeet.git"}
    assert "POST /minimeet.git/git-upload-pack" in host.asked
