"""git/fetch.py from a local path: what is brought, what is not, and what is refused."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from hardener.errors import PinError, UnreachableError, UsageError
from hardener.git.fetch import fetch, mirror_of
from hardener.git.repository import Repository
from hardener.git.sources import chosen_sources, sources
from hardener.pipeline.checkout import write_tree
from support.fakes import FILES, SUBMODULE, SYMLINK, FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path


def test_the_mirror_lies_in_the_users_cache(upstream: FakeUpstream, cache_home: Path) -> None:
    assert mirror_of(upstream.component()) == cache_home / "mirrors" / "fake.git"


def test_the_first_fetch_brings_commit_and_files(upstream: FakeUpstream) -> None:
    fetched = fetch(upstream.component())
    mirror = Repository(fetched.mirror)
    assert (fetched.component, fetched.commit, fetched.source, fetched.notes) == (
        "fake",
        upstream.head,
        str(upstream.path),
        (),
    )
    assert fetched.objects > 0
    assert {path: mirror.blob(entry.blob) for path, entry in mirror.entries(upstream.head).items()} == FILES


def test_the_second_time_nothing_is_touched(upstream: FakeUpstream) -> None:
    component = upstream.component(ref="refs/tags/v1.0")
    fetch(component)
    shutil.rmtree(upstream.path)
    assert (fetch(component).objects, fetch(component).source) == (0, "cache")


def test_excluded_files_are_not_fetched(upstream: FakeUpstream) -> None:
    mirror = Repository(fetch(upstream.component(exclude=("android",))).mirror)
    missing = {upstream.blob(name) for name in FILES if name.startswith("android/")}
    assert missing == mirror.missing(upstream.head)


def test_what_is_excluded_no_more_is_fetched_then(upstream: FakeUpstream) -> None:
    fetch(upstream.component(exclude=("android",)))
    fetched = fetch(upstream.component())
    assert fetched.objects == 2
    assert Repository(fetched.mirror).missing(upstream.head) == set()


def test_a_tree_with_links_and_submodules_can_be_checked_out(upstream: FakeUpstream, tmp_path: Path) -> None:
    """The content of a link is a blob of its own, which a checkout reads; a submodule's commit is not fetched."""
    targets = {"link": b"README.md", "android/link": b"../README.md", "dangling": b"nowhere", "up": b"../../etc"}
    modes = dict.fromkeys(targets, SYMLINK) | {"module": SUBMODULE}
    upstream.commit({**targets, "module": upstream.head.encode()}, modes=modes)
    component = upstream.component(exclude=("android",))
    write_tree(component, fetch(component).mirror, upstream.head, tmp_path)
    assert {name: str((tmp_path / name).readlink()) for name in ("link", "dangling", "up")} == {
        "link": "README.md",
        "dangling": "nowhere",
        "up": "../../etc",
    }
    assert not (tmp_path / "android").exists()


def test_variables_of_git_do_not_change_what_is_fetched(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shallow").write_text(f"{'1' * 40}\n")
    settings = {
        "GIT_SHALLOW_FILE": tmp_path / "shallow",
        "GIT_DIR": tmp_path,
        "GIT_OBJECT_DIRECTORY": tmp_path / "none",
    }
    settings |= {"GIT_NAMESPACE": "x", "GIT_DEFAULT_REF_FORMAT": "x", "GIT_CEILING_DIRECTORIES": "/", "GIT_TRACE": "1"}
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    mirror = Repository(fetch(upstream.component(ref="refs/tags/v1.0")).mirror)
    assert mirror.missing(upstream.head) == set()


def test_only_the_pinned_commit_is_fetched_not_its_history(upstream: FakeUpstream) -> None:
    first = upstream.head
    upstream.commit({"README.md": b"new\n"})
    mirror = Repository(fetch(upstream.component()).mirror)
    assert mirror.commit(first) is None


def test_an_older_commit_that_no_ref_names_is_fetched(upstream: FakeUpstream) -> None:
    pinned = upstream.commit({"README.md": b"side branch\n"})
    upstream.commit({"README.md": b"new\n"}, parent=upstream.commits[0])
    component = upstream.component(commit=pinned)
    assert Repository(fetch(component).mirror).commit(pinned) == pinned


def test_a_second_pin_comes_into_the_same_mirror(upstream: FakeUpstream) -> None:
    first = upstream.component()
    fetch(first)
    upstream.commit({"README.md": b"new\n"})
    mirror = Repository(fetch(upstream.component()).mirror)
    assert {first.commit, upstream.head} == {mirror.commit(first.commit), mirror.commit(upstream.head)}
    assert mirror.missing(first.commit) == mirror.missing(upstream.head) == set()


def test_a_ref_keeps_the_commit_from_being_collected(upstream: FakeUpstream) -> None:
    mirror = Repository(fetch(upstream.component()).mirror)
    assert mirror.commit(f"refs/hardener/{upstream.head}") == upstream.head


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_another_source_may_be_named(upstream: FakeUpstream, scheme: str) -> None:
    component = upstream.component(repository="https://upstream.invalid/x.git")
    assert fetch(component, f"{scheme}{upstream.path}").source == f"{scheme}{upstream.path}"


def test_progress_is_told(upstream: FakeUpstream) -> None:
    told: list[tuple[str, float]] = []
    fetch(upstream.component(), tell=lambda text, share: told.append((text, share)))
    assert any(text.startswith("receiving") for text, _ in told)
    assert all(0 <= share <= 1 for _, share in told)


def test_an_interrupted_fetch_is_made_good_by_the_next(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is there, its files are not: as if the first run was killed between its two requests."""
    component = upstream.component()
    with monkeypatch.context() as patched:
        patched.setattr("hardener.git.remote.Transfer.blobs", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fetch(component)
    assert fetch(component).objects > 0
    assert Repository(mirror_of(component)).missing(upstream.head) == set()


class TestPin:
    """The pin and the source do not agree."""

    def refused(self, *named: str, **values: str) -> PinError:
        """Fetch, expect a PinError that names these."""
        upstream: FakeUpstream = values.pop("upstream")  # type: ignore[assignment]
        with pytest.raises(PinError) as caught:
            fetch(upstream.component(**values))
        assert caught.value.exit_code == 3
        assert caught.value.hint
        assert all(name in caught.value.message + caught.value.hint for name in named)
        return caught.value

    def test_a_ref_that_names_the_pin_is_right(self, upstream: FakeUpstream) -> None:
        upstream.tag("v1.0-annotated", annotated=True)
        for ref in ("refs/tags/v1.0", "refs/tags/v1.0-annotated", "refs/heads/main"):
            shutil.rmtree(mirror_of(upstream.component()), ignore_errors=True)
            assert fetch(upstream.component(ref=ref)).notes == ()

    @pytest.mark.parametrize("annotated", [False, True])
    def test_a_ref_that_has_moved_is_refused(self, upstream: FakeUpstream, annotated: bool) -> None:
        pinned = upstream.head
        moved = upstream.commit({"README.md": b"evil\n"})
        upstream.tag("v1.0", annotated=annotated)
        self.refused("refs/tags/v1.0", pinned, moved, upstream=upstream, commit=pinned, ref="refs/tags/v1.0")

    def test_a_ref_that_is_not_there_gives_a_note(self, upstream: FakeUpstream) -> None:
        (note,) = fetch(upstream.component(ref="refs/tags/v9")).notes
        assert "refs/tags/v9" in note

    def test_a_tag_object_is_refused_with_its_commit(self, upstream: FakeUpstream) -> None:
        tag = upstream.tag("v1.0-annotated", annotated=True)
        for _ in range(2):  # the second time, the tag object is in the mirror
            self.refused(tag, upstream.head, "tag object", upstream=upstream, commit=tag)

    def test_a_commit_that_is_not_there_is_refused(self, upstream: FakeUpstream) -> None:
        self.refused("f" * 40, "HARDENER_UPSTREAM=fake=", upstream=upstream, commit="f" * 40)

    def test_a_pin_that_is_a_file_is_refused(self, upstream: FakeUpstream) -> None:
        blob = upstream.blob("README.md")
        self.refused(blob, upstream=upstream, commit=blob)

    def test_a_source_that_lacks_files_is_refused(self, upstream: FakeUpstream) -> None:
        blob = upstream.blob("README.md")
        (upstream.path / "objects" / blob[:2] / blob[2:]).unlink()
        with pytest.raises((PinError, UnreachableError)) as caught:
            fetch(upstream.component())
        assert caught.value.exit_code in (3, 4)
        assert caught.value.hint


@pytest.mark.parametrize("what", ["nothing", "an empty folder", "a file"])
def test_a_path_that_is_no_repository_is_unreachable(upstream: FakeUpstream, tmp_path: Path, what: str) -> None:
    path = tmp_path / "source"
    if what == "an empty folder":
        path.mkdir()
    elif what == "a file":
        path.write_text("x")
    with pytest.raises(UnreachableError, match=f"cannot fetch from {path}") as caught:
        fetch(upstream.component(repository=str(path)))
    assert caught.value.exit_code == 4
    assert "HARDENER_UPSTREAM" in caught.value.hint
    assert "make demo" in caught.value.hint


class TestSources:
    """HARDENER_UPSTREAM and --upstream."""

    def test_nothing_is_chosen_by_default(self) -> None:
        assert sources((), "", ("a",)) == {}

    def test_several_are_separated_by_blanks_and_options_win(self) -> None:
        chosen = sources(("b=../b",), "a=/srv/a.git \n b=https://git.example/b=c", ("a", "b"))
        assert chosen == {"a": "/srv/a.git", "b": "../b"}

    @pytest.mark.parametrize("where", ["https://x/y", "ssh://x/y", "file:///x", "/x", "./x", "../x"])
    def test_urls_and_paths_are_sources(self, where: str) -> None:
        assert sources((f"a={where}",), "", ("a",)) == {"a": where}

    @pytest.mark.parametrize(
        "entry", ["a", "a=", "=x", "c=/x", "a=x", "a=http://x/y", "a=--upload-pack=x", "a=ext::sh", "a=git@x:y"]
    )
    @pytest.mark.parametrize("by", ["option", "variable"])
    def test_anything_else_is_a_usage_error(self, entry: str, by: str) -> None:
        with pytest.raises(UsageError) as caught:
            sources((entry,) if by == "option" else (), entry if by == "variable" else "", ("a", "b"))
        assert caught.value.exit_code == 2
        assert caught.value.hint

    def test_an_unknown_component_is_named_with_those_of_the_project(self) -> None:
        """A variable for the real project is set, and the demo is built."""
        with pytest.raises(UsageError, match="this project has no component 'jitsi-meet'") as caught:
            sources((), "jitsi-meet=/x", ("minimeet",))
        assert "NAME is one of: minimeet; if the variable is for another project: unset" in caught.value.hint

    def test_the_environment_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HARDENER_UPSTREAM", "a=/x")
        assert chosen_sources((), ("a",)) == {"a": "/x"}
