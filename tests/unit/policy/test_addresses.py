"""policy/addresses.py: every spelling of a host is found at its place; each row of FOUND is a planted leak that must
turn it red.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import UsageError
from hardener.pipeline.scan import scan
from hardener.policy.addresses import find_hosts
from support.fakes import write_files

if TYPE_CHECKING:
    from pathlib import Path

HOST = b"t.evil.example"
FOUND = {
    "http": b'fetch("http://HOST/x")',
    "https": b"fetch('https://HOST')",
    "https with port": b"`https://HOST:8443/x`",
    "wss": b'new WebSocket("wss://HOST/xmpp")',
    "ws": b"ws://HOST",
    "ftp": b"ftp://HOST/x",
    "in a comment": b"// see https://HOST.",
    "in css": b"a{background:url(https://HOST/x.png)}",
    "protocol-relative in double quotes": b'x="//HOST/x.js"',
    "protocol-relative in single quotes": b"x='//HOST/x.js'",
    "protocol-relative in backticks": b"x=`//HOST/x.js`",
    "protocol-relative in css": b"url(//HOST/x.css)",
    "protocol-relative attribute without quotes": b"<script src=//HOST/x.js>",
    "JSON-escaped": rb'"https:\/\/HOST\/x"',
    "JSON-escaped protocol-relative": rb'"\/\/HOST\/x"',
    "JSON-escaped by code point": rb'"https:\u002F\u002FHOST\u002Fx"',
    "JavaScript-escaped by code": rb'"https:\x2f\x2fHOST\x2fx"',
    "JSON inside JSON": rb'"{\"u\":\"https:\\/\\/HOST\\/x\"}"',
    "percent-encoded": b"?u=https%3A%2F%2FHOST%2Fx",
    "percent-encoded in lower case": b"?u=wss%3a%2f%2fHOST",
    "stun": b'{urls:"stun:HOST:19302"}',
    "stuns": b"['stuns:HOST']",
    "turn": b'"turn:HOST:443?transport=tcp"',
    "turns": b"turns:HOST",
    "TURN in upper case": b'"TURN:HOST:443"',
    "bare in double quotes": b'host:"HOST"',
    "bare in single quotes": b"host:'HOST'",
    "bare in backticks": b"`HOST`",
    "bare with port": b'"HOST:443"',
    "bare with path": b'"HOST/x"',
    "user": b"https://user@HOST/x",
    "user and password": b"https://user:pass@HOST/x",
    "scheme in upper case": b"HTTPS://HOST",
    "at the very start": b"https://HOST/",
    "behind a letter, as in wasm's strings": b"\x00Ahttps://HOST/\x00",
    "inside binary bytes": bytes(range(256)) + b"https://HOST/" + bytes(range(255, -1, -1)),
    "inside binary bytes, stun": b"\x00asm\x01\x00\x00\x00\x0bstun:HOST\x00\xff",
    "behind bytes that are no UTF-8": b'\xe9\xff"https://HOST/',
    "in html": b'<link rel="preconnect" href="//HOST">',
    "in a source map": b'{"sources":["webpack://x/./a.js"],"sourcesContent":["fetch(\\"https://HOST/\\")"]}',
}


@pytest.mark.parametrize("spelling", FOUND.values(), ids=FOUND.keys())
def test_each_spelling_is_found_at_its_offset(spelling: bytes) -> None:
    at = spelling.index(b"HOST")
    content = spelling.replace(b"HOST", HOST)
    finds = [find for find in find_hosts(content, "a.js") if find.host == HOST.decode()]
    assert [at] == [find.offset for find in finds]
    assert HOST.decode() in finds[0].excerpt
    assert str(finds[0]).startswith(f"a.js:{at}: ")


HOSTS = {
    "upper case": (b"https://T.Evil.EXAMPLE/", "t.evil.example"),
    "one label": (b"https://tracker/x", "tracker"),
    "IPv4": (b"http://192.0.2.7:80/", "192.0.2.7"),
    "IPv4, protocol-relative": (b'"//192.0.2.7/x"', "192.0.2.7"),
    "IPv6": (b"http://[2001:db8::7]/", "2001:db8::7"),
    "underscore": (b"https://a_b.example/", "a_b.example"),
    "punycode": (b"https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example"),
    "many labels": (b"https://a.b.c.d.e.example/", "a.b.c.d.e.example"),
    "dot at the end": (b"https://evil.example./", "evil.example"),
}


@pytest.mark.parametrize(("content", "host"), HOSTS.values(), ids=HOSTS.keys())
def test_each_kind_of_host_is_named(content: bytes, host: str) -> None:
    assert [host] == [find.host.strip("[]") for find in find_hosts(content, "a.js")]


def test_a_host_with_umlauts_is_not_overlooked() -> None:
    assert [find.offset for find in find_hosts('"https://münchen.example/"'.encode(), "a.js")] == [9]


NOTHING = {
    "relative path": b'"./lib/a.js" "/static/x" "../y"',
    "file name": b'"app.bundle.min.js" "index.html" "a.css" "x.json"',
    "property chain": b"a.b.config.com; x.org = 3",
    "comment that starts with slashes": b'x = "//"; // a comment.',
    "comment behind a quote": b'"//# sourceMappingURL=a.js.map"',
    "regular expression": rb"/^https?:\/\//.test(u)",
    "scheme alone": b'"https://" + host',
    "template": b"`https://${host}/x`",
    "own scheme": b'"jitsi-meet://x.example" "data:image/png;base64,//8A"',
    "bare name outside a string": b"evil.example",
    "mail address": b'"user@evil.example"',
    "version": b'"1.2.3" "v2.0.10978"',
    "stun in a word": b"astun:x.example stunning:x.example",
    "empty": b"",
}


@pytest.mark.parametrize("content", NOTHING.values(), ids=NOTHING.keys())
def test_what_names_no_host_is_left_alone(content: bytes) -> None:
    assert find_hosts(content, "a.js") == []


def test_several_are_found_in_order_and_each_place_once() -> None:
    content = b'"https://a.example/?u=https%3A%2F%2Fb.example","c.example","turn:a.example"'
    assert [find.host for find in find_hosts(content, "a.js")] == ["a.example", "b.example", "c.example", "a.example"]


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_an_address_is_found_between_any_bytes(before: bytes, after: bytes) -> None:
    content = before + b" https://t.evil.example/" + after
    assert (len(before) + 9, "t.evil.example") in [(find.offset, find.host) for find in find_hosts(content, "a")]


@given(st.binary(max_size=300))
def test_any_bytes_can_be_searched_and_excerpts_are_printable(content: bytes) -> None:
    for find in find_hosts(content, "a"):
        assert find.excerpt.isprintable()
        assert content[find.offset : find.offset + len(find.host)].decode().lower() == find.host


class TestScan:
    """A whole folder."""

    def test_all_files_are_looked_at_but_pictures(self, tmp_path: Path) -> None:
        leak = b'"https://t.evil.example/"'
        names = ["a.js", "sub/b.css", "c.html", "d.json", "e.wasm", "f", "g.svg", "h.js.map", ".hidden/i.txt", "j.xml"]
        write_files(tmp_path, dict.fromkeys([*names, "p.png", "q.WOFF2", "r.mp3"], leak))
        scanned = scan(tmp_path)
        assert sorted(names) == sorted({find.file for find in scanned.finds})
        assert (scanned.files, scanned.size) == (len(names), len(names) * len(leak))

    def test_the_order_is_that_of_files_and_offsets(self, tmp_path: Path) -> None:
        files = {
            f"{name}.js": b" " * size + b"https://a.example https://b.example"
            for name, size in [("c", 9), ("a", 1), ("b", 5)]
        }
        finds = scan(write_files(tmp_path, files)).finds
        assert sorted((find.file, find.offset) for find in finds) == [(find.file, find.offset) for find in finds]

    def test_maps_are_counted_apart(self, tmp_path: Path) -> None:
        write_files(tmp_path, {"a.js": b"https://a.example", "a.js.map": b"https://a.example https://a.example"})
        assert scan(tmp_path).hosts == {"a.example": (1, 2)}

    def test_an_empty_folder_holds_nothing(self, tmp_path: Path) -> None:
        assert (scan(tmp_path).files, scan(tmp_path).finds) == (0, ())

    @pytest.mark.parametrize("kind", ["missing", "file"])
    def test_what_is_no_folder_is_a_usage_error(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "site"
        if kind == "file":
            path.write_text("x")
        with pytest.raises(UsageError, match="is no folder") as caught:
            scan(path)
        assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
