"""policy/hosts.py: the finds against hosts.toml, whose every entry has to be needed and right."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import ConfigError, ScanError, UsageError
from hardener.pipeline.scan import Scanned, check, judge, propose, scan
from hardener.policy.addresses import Find
from hardener.policy.hosts import CLASSES, HostEntry, read_hosts, read_unread
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path


def host(name: str, more: str = "count = 1", kind: str = "link") -> str:
    """Return one [[host]] of hosts.toml."""
    return f'[[host]]\nhost = "{name}"\nclass = "{kind}"\nreason = "because"\n{more}\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site that names two hosts, one of them in its source map too."""
    return write_files(
        tmp_path / "site",
        {
            "a.js": b'open("https://jitsi.example/help");x="https://jitsi.example"',
            "b.js": b'"//w3.example/svg"',
            "b.js.map": b"//w3 http://w3.example",
        },
    )


def hosts(tmp_path: Path, *blocks: str) -> Path:
    """Write hosts.toml."""
    return write_files(tmp_path, {"hosts.toml": "\n".join(blocks)}) / "hosts.toml"


GOOD = (host("jitsi.example", "count = 2"), host("w3.example", "count = 1\nmaps = 1", "namespace"))


def test_a_site_whose_hosts_are_all_listed_passes(site: Path, tmp_path: Path) -> None:
    scanned = check(site, hosts(tmp_path, *GOOD))
    assert scanned.problems == ()
    assert scanned.hosts == {"jitsi.example": (2, 0), "w3.example": (1, 1)}
    assert {entry.host for entry in scanned.entries} == {"jitsi.example", "w3.example"}


class TestAnotherTree:
    """Entries with a tree hold for the build of that tree only."""

    def test_an_entry_for_another_tree_does_not_count_at_the_pin(self, site: Path, tmp_path: Path) -> None:
        listed = hosts(tmp_path, *GOOD, host("next.example", 'count = 1\ntree = "next"'))
        assert check(site, listed).problems == ()

    def test_it_does_not_allow_the_host_at_the_pin(self, site: Path, tmp_path: Path) -> None:
        listed = hosts(tmp_path, GOOD[0], host("w3.example", 'count = 1\nmaps = 1\ntree = "next"'))
        (problem,) = judge(scan(site), listed).problems
        assert problem.startswith("unknown host w3.example")

    def test_counts_of_the_pin_are_not_asked_of_another_tree(self, site: Path, tmp_path: Path) -> None:
        listed = hosts(tmp_path, host("jitsi.example", "count = 9"), GOOD[1], host("gone.example"))
        assert judge(scan(site), listed, exact=False, tree="next").problems == ()

    def test_an_unknown_host_is_a_problem_there_too(self, site: Path, tmp_path: Path) -> None:
        (problem,) = judge(scan(site), hosts(tmp_path, GOOD[0]), exact=False, tree="next").problems
        assert problem.startswith("unknown host w3.example")

    @pytest.mark.parametrize(("count", "right"), [(2, True), (3, False)])
    def test_the_counts_of_its_own_entries_are(self, site: Path, tmp_path: Path, count: int, *, right: bool) -> None:
        listed = hosts(tmp_path, host("jitsi.example", f'count = {count}\ntree = "next"'), GOOD[1])
        assert (judge(scan(site), listed, exact=False, tree="next").problems == ()) is right

    def test_its_own_entry_has_to_be_needed(self, site: Path, tmp_path: Path) -> None:
        listed = hosts(tmp_path, *GOOD, host("gone.example", 'count = 1\ntree = "next"'))
        (problem,) = judge(scan(site), listed, exact=False, tree="next").problems
        assert problem.startswith("gone.example")

    def test_a_proposal_keeps_its_entries(self, site: Path, tmp_path: Path) -> None:
        listed = hosts(tmp_path, *GOOD, host("next.example", 'count = 1\ntree = "next"'))
        proposal = tomllib.loads(propose(scan(site), read_hosts(listed)))
        assert {"host": "next.example", "class": "link", "reason": "because", "count": 1, "tree": "next"} in proposal[
            "host"
        ]


PROBLEMS = {
    "unknown": (GOOD[:1], "unknown host w3.example (1 served, 1 in maps): b.js:3: "),
    "stale": ((*GOOD, host("gone.example")), "gone.example: in hosts.toml, but nothing names it any more"),
    "too few": (
        (host("jitsi.example", "count = 3"), GOOD[1]),
        "jitsi.example: found 2 times (0 in maps), hosts.toml expects 3 (0)",
    ),
    "too many": ((host("jitsi.example", "count = 1"), GOOD[1]), "found 2 times"),
    "count of maps": (
        (GOOD[0], host("w3.example", "count = 1\nmaps = 2")),
        "found 1 times (1 in maps), hosts.toml expects 1 (2)",
    ),
    "now in maps only": ((GOOD[0], host("w3.example", "maps = 2")), "hosts.toml expects 0 (2)"),
}


@pytest.mark.parametrize(("blocks", "named"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_each_difference_is_a_problem(site: Path, tmp_path: Path, blocks: tuple[str, ...], named: str) -> None:
    (problem,) = judge(scan(site), hosts(tmp_path, *blocks)).problems
    assert named in problem


def test_a_planted_host_turns_the_check_red_with_file_and_offset(site: Path, tmp_path: Path) -> None:
    listed = hosts(tmp_path, *GOOD)
    check(site, listed)
    (site / "b.js").write_bytes(b'"//w3.example/svg";fetch("https://t.evil.example/")')
    with pytest.raises(ScanError, match=r"differ in 1 host") as caught:
        check(site, listed)
    assert caught.value.exit_code == 7
    assert "t.evil.example" in caught.value.details[0]
    assert "b.js:34: " in caught.value.details[0]
    assert "--propose" in caught.value.hint


@pytest.mark.parametrize(
    ("blocks", "hints"),
    [
        (GOOD[:1], {"--propose"}),
        ((*GOOD, host("gone.example")), {"remove each entry"}),
        ((GOOD[0], host("gone.example")), {"--propose", "remove each entry"}),
    ],
)
def test_the_hint_fits_what_differs(site: Path, tmp_path: Path, blocks: tuple[str, ...], hints: set[str]) -> None:
    """An entry that nothing names is removed; it needs no patch and no review."""
    with pytest.raises(ScanError) as caught:
        check(site, hosts(tmp_path, *blocks))
    assert {hint for hint in ("--propose", "remove each entry") if hint in caught.value.hint} == hints


def test_one_more_mention_of_a_known_host_turns_it_red_too(site: Path, tmp_path: Path) -> None:
    listed = hosts(tmp_path, *GOOD)
    (site / "c.js").write_bytes(b'fetch("https://jitsi.example/collect")')
    with pytest.raises(ScanError):
        check(site, listed)


def test_all_differences_are_named_at_once(site: Path, tmp_path: Path) -> None:
    with pytest.raises(ScanError) as caught:
        check(site, hosts(tmp_path, host("gone.example")))
    assert len(caught.value.details) == 3


def test_of_many_places_three_are_shown(tmp_path: Path) -> None:
    write_files(tmp_path / "site", {"a.js": b"https://a.example " * 5})
    (problem,) = judge(scan(tmp_path / "site"), hosts(tmp_path)).problems
    assert "and 2 more" in problem


def test_a_missing_hosts_toml_is_said(site: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"hosts\.toml does not exist") as caught:
        check(site, tmp_path / "hosts.toml")
    assert caught.value.hint


MALFORMED = {
    "malformed TOML": ("[[host]\n", "line 1"),
    "unknown table": ("[[hosts]]\n", "unknown key 'hosts'"),
    "scheme with its colon": ('[[scheme]]\nscheme = "mailto:"\nreason = "x"\ncount = 1\n', "scheme = 'mailto:'"),
    "scheme with a class": (
        '[[scheme]]\nscheme = "mailto"\nclass = "link"\nreason = "x"\ncount = 1\n',
        "unknown key 'class'",
    ),
    "scheme that is expected nowhere": ('[[scheme]]\nscheme = "mailto"\nreason = "x"\n', "mailto expects nothing"),
    "host is a number": ("host = 3\n", "host"),
    "host is a table": ('[host]\nhost = "a"\n', "not a table"),
    "unknown key": (host("a.example", "count = 1\nwhy = 1"), "unknown key 'why'"),
    "no host": ('[[host]]\nclass = "link"\nreason = "x"\ncount = 1\n', "'host' is missing"),
    "no class": ('[[host]]\nhost = "a"\nreason = "x"\ncount = 1\n', "'class' is missing"),
    "no reason": ('[[host]]\nhost = "a"\nclass = "link"\nreason = ""\ncount = 1\n', "reason = ''"),
    "unknown class": (host("a.example", kind="tracker"), "class = 'tracker'"),
    "count is a text": (host("a.example", 'count = "1"'), "count = '1'"),
    "count is true": (host("a.example", "count = true"), "count = True"),
    "negative count": (host("a.example", "count = -1\nmaps = 2"), "count = -1"),
    "expects nothing": (host("a.example", ""), "expects nothing"),
    "twice": (host("a.example") * 2, "a.example is listed twice"),
    "twice in another case": (host("a.example") + host("A.example"), "is listed twice"),
}


@pytest.mark.parametrize(("text", "named"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_hosts_toml_is_a_config_error(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        read_hosts(hosts(tmp_path, text))
    assert caught.value.exit_code == 3
    assert caught.value.hint


MALFORMED_UNREAD = {
    "no magic": ('files = "*"\nreason = "x"', "'magic' is missing"),
    "no reason": ('files = "*"\nmagic = ["89504e47"]', "'reason' is missing"),
    "magic is a text": ('files = "*"\nmagic = "89504e47"\nreason = "x"', "magic = '89504e47'"),
    "magic of any bytes": ('files = "*"\nmagic = ["........"]\nreason = "x"', "magic"),
    "magic of one byte": ('files = "*"\nmagic = ["89"]\nreason = "x"', "magic"),
    "unknown key": ('files = "*"\nmagic = ["89504e47"]\nreason = "x"\ncount = 1', "unknown key 'count'"),
}


@pytest.mark.parametrize(("text", "named"), MALFORMED_UNREAD.values(), ids=MALFORMED_UNREAD.keys())
def test_a_malformed_list_of_unread_files_is_a_config_error(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        read_unread(hosts(tmp_path, f"[[unread]]\n{text}\n"))
    assert caught.value.exit_code == 3


SCHEME = '[[scheme]]\nscheme = "mailto"\nreason = "on click"\ncount = 1\n'
PICTURES = '[[unread]]\nfiles = "*.png"\nmagic = ["89504e47"]\nreason = "drawn only"\n'


def test_schemes_and_unread_files_are_held_against_their_lists(site: Path, tmp_path: Path) -> None:
    listed = hosts(tmp_path, *GOOD, SCHEME, PICTURES)
    write_files(site, {"c.js": b'f("mailto:"+x)', "p.png": b"\x89PNG" + bytes(range(200))})
    judged = check(site, listed)
    assert judged.hosts["mailto:"] == (1, 0)
    text = propose(scan(site, unread=read_unread(listed)), read_hosts(listed), read_unread(listed))
    again = write_files(tmp_path / "again", {"hosts.toml": text}) / "hosts.toml"
    assert (set(read_hosts(again)), read_unread(again)) == (set(read_hosts(listed)), read_unread(listed))
    write_files(site, {"d.js": b'f("tel:"+x)', "q.png": bytes(range(200))})
    (site / "p.png").unlink()
    with pytest.raises(ScanError, match=r"in 2 host\(s\); 1 file\(s\) cannot be read") as caught:
        check(site, listed)
    assert caught.value.exit_code == 7
    assert [line.split(":")[0] for line in caught.value.details] == ["unknown scheme tel", "*.png", "q.png"]
    assert "[[unread]]" in caught.value.hint


def test_each_class_is_read(tmp_path: Path) -> None:
    path = hosts(tmp_path, *(host(f"{kind}.example", kind=kind) for kind in CLASSES))
    assert [entry.kind for entry in read_hosts(path)] == list(CLASSES)


class TestPropose:
    """hosts.toml as it would have to be."""

    def test_for_a_judged_site_it_says_the_same_again(self, site: Path, tmp_path: Path) -> None:
        path = hosts(tmp_path, *GOOD)
        entries = read_hosts(path)
        path.write_text(propose(scan(site), entries), "utf-8")
        assert entries == read_hosts(path)
        assert check(site, path).problems == ()

    def test_it_mends_counts_and_leaves_stale_entries_out(self, site: Path, tmp_path: Path) -> None:
        path = hosts(tmp_path, host("jitsi.example", "count = 9"), GOOD[1], host("gone.example"))
        path.write_text(propose(scan(site), read_hosts(path)), "utf-8")
        assert check(site, path).problems == ()

    def test_an_unknown_host_has_to_be_reviewed_first(self, site: Path, tmp_path: Path) -> None:
        text = propose(scan(site), ())
        assert "# a.js:14: " in text
        path = hosts(tmp_path, text)
        with pytest.raises(ConfigError, match="class = ''"):
            read_hosts(path)
        path.write_text(text.replace('class = ""', 'class = "link"').replace('reason = ""', 'reason = "seen"'), "utf-8")
        assert check(site, path).problems == ()

    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
    def test_any_reason_comes_back_as_it_was(self, reason: str) -> None:
        entry = HostEntry("a.example", "link", reason, 1)
        scanned = Scanned(1, 1, (Find("a.example", "a.js", 0, "x"),))
        assert tomllib.loads(propose(scanned, (entry,)))["host"][0]["reason"] == reason

    @given(st.binary(max_size=50))
    def test_any_surroundings_give_valid_toml(self, noise: bytes) -> None:
        from hardener.policy.reading import find_hosts  # noqa: PLC0415

        finds = tuple(find_hosts(noise + b" https://a.example/ " + noise, "a.js"))
        assert "a.example" in {entry["host"] for entry in tomllib.loads(propose(Scanned(1, 1, finds), ()))["host"]}
