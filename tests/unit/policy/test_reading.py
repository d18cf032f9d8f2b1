"""policy/reading.py: each file is read as its consumer does; each row of FOUND and READ is a planted leak that is found."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import UsageError
from hardener.pipeline.scan import scan
from hardener.policy.hostnames import canonical
from hardener.policy.hosts import Unread
from hardener.policy.readers import escapes, javascript
from hardener.policy.reading import find_hosts, read
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
    assert [host] == [find.host for find in find_hosts(content, "a.js")]


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
    "picture in an address": b'"data:image/png;base64,//8A"',
    "property behind the name of a scheme": b"rows:Math.floor(x)",
    "branch of a switch": b"switch(e.type){case ws:e3.return=function(){}}",
    "conditional": b"x = a?ws:e3.name",
    "key of an object": b"x = {ws:e3.info,ftp:e3.team}",
    "escape in front of a scheme": rb'"\nhttps://" + host',
    "bare name outside a string": b"evil.example",
    "mail address": b'"user@evil.example"',
    "version": b'"1.2.3" "v2.0.10978"',
    "stun in a word": b"astun:x.example stunning:x.example",
    "empty": b"",
}


@pytest.mark.parametrize("content", NOTHING.values(), ids=NOTHING.keys())
def test_what_names_no_host_is_left_alone(content: bytes) -> None:
    assert find_hosts(content, "a.js") == []


def test_an_address_without_slashes_counts_inside_a_text_of_a_program() -> None:
    content = b"case ws:e3.return=f('see ws:a.example', `https:${x}.b.example`, \"wss:c.example\")"
    assert [find.host for find in find_hosts(content, "a.js")] == ["a.example", "*.b.example", "c.example"]


EVIL = "t.evil.example"


def encoded(text: str) -> bytes:
    """Base64 of a text."""
    return base64.b64encode(text.encode())


SVG = b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY e "evil">]><svg><image href="https://t.&e;.example/"/></svg>'
MAP = (
    rb'{"version":3,"sources":["webpack://x/./a.ts"],'
    rb'"sourcesContent":["const a: string = \"https://\" + \"t.evil\" + \".example\";"]}'
)
# File, content, what is found (EVIL if it is not said), one for each form of an address that the bytes do not show.
READ: dict[str, tuple[str, bytes, str]] = {
    "first label variable": ("a.js", b"f(`https://${x}.evil.example/`)", "*.evil.example"),
    "last label variable": ("a.js", b"f(`https://evil.${top}/`)", "evil.*"),
    "middle of a label variable": ("a.js", b'f("https://evil"+n+".example/")', "evil*.example"),
    "concat of a transpiled template": ("a.js", b'f("https://".concat(r,".evil.example/"))', "*.evil.example"),
    "placeholder of a library": ("a.js", b'f("https://{s}.evil.example/{z}")', "*.evil.example"),
    "scheme variable": ("a.js", b'f((s?"https":"http")+"://t.evil.example/")', EVIL),
    "scheme of the page": ("a.js", b'f(location.protocol+"//t.evil.example")', EVIL),
    "backslashes": ("a.js", rb'f("https:\\\\t.evil.example/")', EVIL),
    "one slash": ("a.js", b'f("https:/t.evil.example/")', EVIL),
    "three slashes": ("a.html", b'<img src="///t.evil.example/">', EVIL),
    "no slash": ("a.js", b'f("https:t.evil.example/")', EVIL),
    "entity": ("a.html", b'<img src="https&#58;//t.evil.example/">', EVIL),
    "named entity": ("a.html", b'<img src="https&colon;&sol;/t&period;evil.example">', EVIL),
    "entity in a string": ("a.js", b"x.innerHTML=\"<img src='https&#58;//t.evil.example'>\"", EVIL),
    "entity of a document type": ("a.svg", SVG, EVIL),
    "escape by code point": ("a.js", rb'f("\u0068ttps://t.\u{65}vil.example/")', EVIL),
    "escape by code": ("a.js", rb'f("\x68\x74tp\x73:\x2f/t.evil\x2eexample/")', EVIL),
    "octal escape": ("a.js", rb'f("\150ttps\72//t.evil.example/")', EVIL),
    "continued line": ("a.js", b'f("https://t.ev\\\nil.example/")', EVIL),
    "tab and newline in a string": ("a.js", rb'f("ht\ttps://t.e\nvil.example/")', EVIL),
    "tab and newline in an attribute": ("a.html", b'<a href="ht\ttps:\n//t.ev\nil.example/">', EVIL),
    "soft hyphen": ("a.js", rb'f("https://t.ev\u00adil.example/")', EVIL),
    "data: in base64": (
        "a.html",
        b'<iframe src="data:text/html;base64,' + encoded('<img src="https&#58;//t.evil.example">') + b'">',
        EVIL,
    ),
    "data: percent-encoded": (
        "a.css",
        b'a{b:url("data:image/svg+xml,%3Csvg%3E%3Cimage href=%22%68ttps://t.evil.example%22/%3E")}',
        EVIL,
    ),
    "data: of a script": (
        "a.js",
        b'new Worker("data:text/javascript;base64,' + encoded('fetch("https://"+"t.evil"+".example")') + b'")',
        EVIL,
    ),
    "UTF-16 with a mark": ("a.js", f'f("https://{EVIL}/")'.encode("utf-16"), EVIL),
    "UTF-16 LE": ("a.js", f'f("https://{EVIL}/")'.encode("utf-16-le"), EVIL),
    "UTF-16 BE": ("a.html", f'<img src="https://{EVIL}/">'.encode("utf-16-be"), EVIL),
    "UTF-32 with a mark": ("a.txt", f'f("https://{EVIL}/")'.encode("utf-32"), EVIL),
    "UTF-32 BE": ("a.txt", f'f("https://{EVIL}/")'.encode("utf-32-be"), EVIL),
    "UTF-16 in WebAssembly": ("a.wasm", b"\0asm\1\0\0\0" + f"https://{EVIL}/".encode("utf-16-le") + b"\0\0", EVIL),
    "gzip": ("a.js.gz", gzip.compress(b'f("https:/"+"/t.evil.example/")'), EVIL),
    "brotli": ("a.js.br", brotli.compress(b'f("https:/"+"/t.evil.example/")'), EVIL),
    "gzip under any name": ("a.dat", gzip.compress(b'f("https://t.evil.example/")'), EVIL),
    "script of an unknown ending": ("a.bin", rb'f("\u0068ttps://t.evil.example/")', EVIL),
    "page without an ending": ("page", b'<base href="https&#58;/t.evil.example/">', EVIL),
    "mailto": ("a.html", b'<a href="mailto:a@t.evil.example">', "mailto:"),
    "host of mailto": ("a.html", b'<a href="mailto:a@t.evil.example">', EVIL),
    "tel": ("a.html", b"<a href=tel:123>", "tel:"),
    "sms, joined": ("a.js", b'f("sms:"+n)', "sms:"),
    "intent": ("a.js", b'f("intent://t.evil.example/#Intent;end")', "intent:"),
    "host of intent": ("a.js", b'f("intent://t.evil.example/#Intent;end")', EVIL),
    "market": ("a.js", b'f("market://details?id=1")', "market:"),
    "ftp": ("a.js", b'f("ftp://t.evil.example/")', "ftp:"),
    "any scheme of an attribute": ("a.html", b'<a href="nobody-knows:x">', "nobody-knows:"),
    "stun, joined": ("a.js", b'f("stun:"+"t.evil"+".example")', EVIL),
    "turn with IPv6": ("a.js", b'f("turn:[2001:db8::1]:3478")', "2001:db8::1"),
    "protocol-relative with backslashes": ("a.html", rb'<img src="\\t.evil.example/x">', EVIL),
    "protocol-relative with one label": ("a.html", b'<img src="//tracker/x">', "tracker"),
    "user that looks like a host": ("a.js", b'f("https://good.example@t.evil.example/")', EVIL),
    "two users": ("a.js", b'f("https://good.example:x@y@t.evil.example/")', EVIL),
    "decimal IPv4": ("a.js", b'f("http://2130706433/")', "127.0.0.1"),
    "decimal IPv4, protocol-relative": ("a.js", b'f("//2130706433/x")', "127.0.0.1"),
    "hexadecimal IPv4": ("a.js", b'f("http://0x7f.1/")', "127.0.0.1"),
    "octal IPv4": ("a.js", b'f("http://0177.0.0.01/")', "127.0.0.1"),
    "IPv6 in capitals": ("a.js", b'f("http://[2001:DB8:0::7]/")', "2001:db8::7"),
    "umlaut": ("a.js", 'f("https://münchen.example/")'.encode(), "xn--mnchen-3ya.example"),
    "escaped umlaut": ("a.js", rb'f("https://m\u00fcnchen.example/")', "xn--mnchen-3ya.example"),
    "bare umlaut": ("a.js", 'f("münchen.example")'.encode(), "xn--mnchen-3ya.example"),
    "percent-encoded host": ("a.js", b'f("https://%74.evil.%65xample/")', EVIL),
    "full-width dots": ("a.js", "f('https://t\uff0eevil\u3002example/')".encode(), EVIL),
    "full-width letters, protocol-relative": (
        "a.html",
        '<img src="//\uff54\uff0e\uff45\uff56\uff49\uff4c\u3002\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45/">'.encode(),
        EVIL,
    ),
    "joined by +": ("a.js", b'f("htt"+"ps:/"+"/t.ev"+"il.example/")', EVIL),
    "first label joined": ("a.js", b'f("https://ev"+"il.example")', "evil.example"),
    "first label in a variable": ("a.js", b"const h='https://ev';f(h+'il.example')", "evil.example"),
    "beginning of a label in a template": ("a.js", b"const h='t.ev';f(`https://${h}il.example`)", EVIL),
    "label joined by concat": ("a.js", b'f("https://t.ev".concat("il.example"))', EVIL),
    "label of a server for calls": ("a.js", b'f("turn:t.ev"+"il.example")', EVIL),
    "base64 that nothing decodes here": ("a.js", b'f(g("' + encoded("http://t.evil.example/???>") + b'"))', EVIL),
    "base64 of two parts": ("a.js", b'f(Buffer.from("aHR0cHM6Ly90"+"LmV2aWwuZXhhbXBsZQ","base64"))', EVIL),
    "hexadecimal": ("a.js", b'f(Buffer.from("' + b"https://t.evil.example".hex().encode() + b'","hex"))', EVIL),
    "concat": ("a.js", b'f("https://".concat("t.",("evil"),".example/"))', EVIL),
    "template of a constant": ("a.js", b"const h='t.evil';f(`https://${h}.example/`)", EVIL),
    "join of an array": ("a.js", b'f(["https:","","t.evil.example"].join("/"))', EVIL),
    "join of an array in a variable": ("a.js", b'const p=["t","evil","example"];f(p.join("."))', EVIL),
    "split and reversed": ("a.js", b'f("elpmaxe.live.t//:sptth".split("").reverse().join(""))', EVIL),
    "variables": ("a.js", b'var a="https://",b="t.evil",c=".example";f(a+b+c)', EVIL),
    "variable assigned later": ("a.js", b'let a;a="https://t.";f(a+"evil"+".example")', EVIL),
    "added to": ("a.js", b'let a="https://t.";a+="evil.ex"+"ample"', EVIL),
    "members of an object": ("a.js", b'var C={h:"t.evil",t:["example"]};f("https://"+C.h+"."+C.t[0])', EVIL),
    "atob": ("a.js", b'f(atob("' + encoded("https://t.evil.example") + b'"))', EVIL),
    "atob of a part": ("a.js", b'f("https://"+atob("' + encoded("t.evil") + b'")+".example")', EVIL),
    "comments in a call": ("a.js", b'f("https://t."./**/concat /* a */ // b\n("evil.exam","ple"))', EVIL),
    "comments in brackets": ("a.js", b'f("https://t."[/*a*/"concat"/*b*/]/*c*/("evil.exam","ple"))', EVIL),
    "comment behind a function": ("a.js", b'f(atob/*(*/("' + encoded("https://t.evil.example") + b'"))', EVIL),
    "char codes": ("a.js", b'f(String.fromCharCode(104,116,116,112)+"://t.evil.ex"+"ample")', EVIL),
    "decodeURIComponent": ("a.js", b'f(decodeURIComponent("%68ttps%3a//t.evil.example"))', EVIL),
    "JSON": ("a.json", rb'{"a":"\u0068ttps:\/\/t.evil.example"}', EVIL),
    "JSON with backslashes": ("a.json", rb'{"a":"https:\\\\t.evil.example"}', EVIL),
    "key given twice": ("a.json", rb'{"a":"\u0068ttps:\/\/t.evil.example","a":1}', EVIL),
    "CSS escapes": ("a.css", rb"a{b:url(\68 ttps://t.evil\2e example/x)}", EVIL),
    "CSS import": ("a.css", rb'@import "\2f/t.evil.example/x";', EVIL),
    "script in a page": ("a.html", b'<script>f("https://t."+"evil.example")</script>', EVIL),
    "data in a page": (
        "a.html",
        rb'<script type="application/json">{"a":"\u0068ttps:\/\/t.evil.example"}</script>',
        EVIL,
    ),
    "script in SVG": ("a.svg", b'<svg><script>f("https://t."+"evil.example")</script></svg>', EVIL),
    "handler": ("a.html", b'<body onload="f(&quot;https:/&quot;+&quot;/t.evil.example&quot;)">', EVIL),
    "style attribute": ("a.html", b'<p style="background:url(&#104;ttps://t.evil.example)">', EVIL),
    "srcset": ("a.html", rb'<img srcset="a.png 1x,\\t.evil.example/b.png 2x">', EVIL),
    "refresh": ("a.html", b'<meta http-equiv=refresh content="0;url=https:t.evil.example">', EVIL),
    "srcdoc": ("a.html", b'<iframe srcdoc="&lt;img src=&quot;https&amp;#58;//t.evil.example&quot;>">', EVIL),
    "conditional comment": ("a.html", b'<!--[if IE]><img src="https&#58;//t.evil.example/"><![endif]-->', EVIL),
    "javascript: address": ("a.html", b"<a href=\"javascript:f('https:/'+'/t.evil.example')\">", EVIL),
    "source in a map": ("a.js.map", MAP, EVIL),
    "comment in brackets": ("a.js", b'f((/*c*/"https:/")+"/t.evil.example")', EVIL),
    "comment in a template": ("a.js", b'f(`https:/${/*c*/"/t.evil.example"}`)', EVIL),
    "comment behind a method in brackets": ("a.js", b'(["https:/","/t.evil.example"].join/*c*/)("")', EVIL),
    "space behind a method in brackets": ("a.js", b'(["https:/","/t.evil.example"].join )("")', EVIL),
    "comment before spread codes": (
        "a.js",
        b"f('https://t.'+String.fromCharCode(.../*c*/[101,118,105,108])+'.example')",
        EVIL,
    ),
    "array in brackets": ("a.js", b'((/*c*/["https:/","/t.evil.example"])).join("")', EVIL),
    "element of an array in brackets": ("a.js", b'f((["b","https:/"])[1]+"/t.evil.example")', EVIL),
    "optional call of join": ("a.js", b'["https:/","/t.evil.example"].join?.("")', EVIL),
    "optional call by a name in quotes": ("a.js", b'["https:/","/t.evil.example"]["join"] ?. ("")', EVIL),
    "optional call of atob": ("a.js", b'atob?.("Ly9hLmRl")', "a.de"),  # shorter than what is decoded without a call
    "atob in a sequence": ("a.js", b'(0,atob)("Ly9hLmRl")', "a.de"),
    "join in several brackets": ("a.js", b'((["https:/","/t.evil.example"].join))("")', EVIL),
    "no-break space before a bracket": ("a.js", '["https:/","/t.evil.example"].join\u00a0("")'.encode(), EVIL),
    "byte order mark before a bracket": ("a.js", '["https:/","/t.evil.example"].join\ufeff("")'.encode(), EVIL),
    "line separator before a bracket": ("a.js", '["https:/","/t.evil.example"].join\u2028("")'.encode(), EVIL),
}


@pytest.mark.parametrize(("file", "content", "host"), READ.values(), ids=READ.keys())
def test_each_form_that_a_browser_would_contact_is_found_once(file: str, content: bytes, host: str) -> None:
    finds = [find for find in find_hosts(content, file) if find.host == host]
    assert len(finds) == 1
    assert finds[0].file == file
    assert 0 <= finds[0].offset < len(content) or file.endswith((".gz", ".br", ".dat"))


# Hosts without a scheme count only in scripts: in a map a backslash is in front of the quote behind them.
WITHOUT_SCHEME = {"bare umlaut", "join of an array", "join of an array in a variable"}
IN_SCRIPTS = {
    name: (content.decode(), host)
    for name, (file, content, host) in READ.items()
    if file == "a.js" and name not in WITHOUT_SCHEME and b"\0" not in content and not content.startswith(b"\xff")
}


@pytest.mark.parametrize(("text", "host"), IN_SCRIPTS.values(), ids=IN_SCRIPTS.keys())
def test_each_form_of_a_script_is_found_in_a_map_that_holds_it(text: str, host: str) -> None:
    made = {"version": 3, "sources": ["webpack://x/./a.js"], "sourcesContent": [text]}
    found = find_hosts(json.dumps(made, ensure_ascii=False).encode(), "a.js.map")
    assert host in {find.host for find in found}


JOINED_OF_OTHERS = {
    "parameter of the same name": b'let u="https://";function f(u){return u+"x.y"}',
    "variable of an inner function": b'let u="https://";function f(){let u=g();return u+"evil.zz"}',
    "variable that leads to itself": b'var a=a+"x";f(a+"y")',
    "deep": b"f(" + b"(" * 300 + b'"x"' + b")" * 300 + b"+1)",
}


@pytest.mark.parametrize("content", JOINED_OF_OTHERS.values(), ids=JOINED_OF_OTHERS.keys())
def test_constants_are_joined_only_where_the_name_means_them(content: bytes) -> None:
    assert find_hosts(content, "a.js") == []


def test_a_long_sum_of_constants_is_joined() -> None:
    content = b"f(" + b"+".join(b'"%c"' % letter for letter in b"https://" + EVIL.encode() + b"/" + b"x" * 2000) + b")"
    assert EVIL in {find.host for find in find_hosts(content, "a.js")}


@pytest.mark.parametrize(
    ("content", "file"),
    [
        (bytes(range(256)) * 4, "a.bin"),
        (b"PK\3\4" + bytes(99), "a"),
        (gzip.compress(b"x" * 99)[:-9], "a.js.gz"),
        (b"\xff", "a.br"),
    ],
    ids=["binary", "archive", "damaged gzip", "no brotli"],
)
def test_what_cannot_be_read_says_so(content: bytes, file: str) -> None:
    assert read(content, file).unread


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("EVIL.example.", "evil.example"),
        ("1.2.3.999", "1.2.3.999"),
        ("09.1", "09.1"),
        ("\U0001f4a9.example", "xn--ls8h.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("*.*", ""),
        ("-", ""),
    ],
)
def test_hosts_have_the_name_that_a_browser_gives_them(host: str, name: str) -> None:
    assert canonical(host) == name


def test_several_are_found_in_order_and_each_place_once() -> None:
    content = b'"https://a.example/?u=https%3A%2F%2Fb.example","c.example","turn:a.example"'
    assert [find.host for find in find_hosts(content, "a.js")] == [
        "a.example",
        "b.example",
        "c.example",
        "turn:",
        "a.example",
    ]


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_an_address_is_found_between_any_bytes(before: bytes, after: bytes) -> None:
    content = before + b" https://t.evil.example/" + after
    assert (len(before) + 9, "t.evil.example") in [(find.offset, find.host) for find in find_hosts(content, "a")]


@given(st.binary(max_size=300))
def test_any_bytes_can_be_searched_and_excerpts_are_printable(content: bytes) -> None:
    for file in ("a", "a.js", "a.html", "a.svg", "a.css", "a.json", "a.js.map", "a.br"):
        for find in read(content, file).finds:
            assert find.excerpt.isprintable()
            assert 0 <= find.offset <= len(content)


class TestScan:
    """A whole folder."""

    def test_all_files_are_looked_at_but_those_that_are_listed(self, tmp_path: Path) -> None:
        leak = b'"https://t.evil.example/"'
        names = ["a.js", "sub/b.css", "c.html", "d.json", "e.wasm", "f", "g.svg", "h.js.map", ".hidden/i.txt", "j.xml"]
        picture = b"\x89PNG\r\n\x1a\n" + leak + bytes(9)
        write_files(tmp_path, dict.fromkeys([*names, "not-a.png", "q.WOFF2"], leak) | {"p.png": picture})
        scanned = scan(tmp_path, unread=(Unread("*.png", ("89504e47",), "drawn"),))
        assert sorted([*names, "not-a.png", "q.WOFF2"]) == sorted({find.file for find in scanned.finds})
        assert (scanned.files, scanned.size) == (len(names) + 2, (len(names) + 2) * len(leak))
        assert (scanned.unread, scanned.unused) == ((), ())

    def test_a_binary_that_is_not_listed_is_named(self, tmp_path: Path) -> None:
        write_files(tmp_path, {"a.bin": bytes(range(256)), "b.js": b""})
        scanned = scan(tmp_path, unread=(Unread("*.png", ("89504e47",), "drawn"),))
        assert [line.partition(":")[0] for line in scanned.unread] == ["a.bin"]
        assert scanned.unused == ("*.png",)

    def test_a_compressed_copy_is_read_where_it_is_not_what_lies_beside_it(self, tmp_path: Path) -> None:
        leak = b'"https://t.evil.example/"'
        files = {
            "a.js": leak,
            "a.js.gz": gzip.compress(leak),
            "b.js": b"",
            "b.js.gz": gzip.compress(leak),
            "c.js.br": brotli.compress(leak),
        }
        finds = scan(write_files(tmp_path, files)).finds
        assert [find.file for find in finds] == ["a.js", "b.js.gz", "c.js.br"]

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
        with pytest.raises(UsageError, match="is not a folder") as caught:
            scan(path)
        assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)


@pytest.mark.parametrize(
    "script", ["[" * 100_000, "var a = " + "{a:" * 100_000, "`${" * 50_000, "f(" * 100_000, "[" * 1200 + "]" * 1200]
)
def test_a_script_that_is_nested_too_deeply_is_unread_and_its_plain_addresses_are_found(script: str) -> None:
    found = read(f'fetch("https://planted.example");{script}'.encode(), "a.js")
    assert ("nested too deeply" in found.unread, [find.host for find in found.finds]) == (True, ["planted.example"])
    assert read(("[" * 900 + "]" * 900).encode(), "a.js").unread == ""


# Each took minutes, or ended the command: the time grew with the square of the size, or the depth was not limited.
EMOJI = "\U0001f600".encode()
LONG: dict[str, tuple[str, bytes]] = {
    "instruction": ("a.svg", b"<?x " + b"a" * 1_000_000 + b"?><a/>"),
    "instruction with a value that does not end": (
        "a.svg",
        b"<?x " + b"a" * 200_000 + b"='" + b"b" * 200_000 + b"?><a/>",
    ),
    "quotes of JSON that are escaped": ("a.json", b'["https:x", ' + b'\\"' * 400_000),
    "strings of a style sheet": ("a.css", EMOJI + b"''" * 120_000),
    "strings in brackets of a style sheet": ("a.css", b"(" * 900 + b"''" * 60_000),
    "tags behind each other": ("a.html", EMOJI + b"<a b=c>" * 60_000),
    "elements of a list": ("a.js", b"l=[" + b"'a.b'," * 15_000 + b"];" + b"l[9]+'';" * 15_000),
    "variables that lead to others": (
        "a.js",
        b"var a0='/x';" + b"".join(b"var a%d=a%d;" % (n + 1, n) for n in range(5000)) + b"f(a5000+'/');" * 5000,
    ),
    "sections of a map": ("a.js.map", b'{"sections": [5], "sources": 5, "sourcesContent": 7}'),
    "number as sections of a map": ("a.js.map", b'{"sections": 5}'),
}


@pytest.mark.parametrize(("file", "content"), LONG.values(), ids=LONG.keys())
def test_a_file_made_to_be_slow_is_read_to_its_end(file: str, content: bytes) -> None:
    assert read(content, file).unread == ""


BROKEN: dict[str, tuple[str, bytes]] = {
    "tags": ("a.html", b"<a " * 80_000),
    "comments": ("a.html", b"<!-- " * 100_000),
    "values": ("a.html", b"<a b='" * 40_000),
    "instructions": ("a.html", b"<?" * 500_000),
    "end tags": ("a.html", b"</" * 500_000),
    "declarations": ("a.html", b"<!doctype" * 100_000),
    "brackets of a style sheet": ("a.css", b"(" * 249_000),
    "brackets behind others": ("a.css", b")" * 2000 + b"(" * 240_000),
    "brackets of a script behind others": ("a.js", b")" * 500_000 + b"(" * 500_000),
    "brackets of a map": ("a.js.map", b"[" * 249_000),
    "digits of a style sheet": ("a.css", b"1" * 5000),
    "digits of an entity": ("a.html", b"&#" + b"1" * 5000 + b";"),
    "digits of an index": ("a.js", b"l=['a.b'];l[" + b"1" * 5000 + b"]+'';"),
}


@pytest.mark.parametrize(("file", "content"), BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_is_too_broken_to_be_read_is_unread(file: str, content: bytes) -> None:
    assert "too broken to be read" in read(content, file).unread


def test_a_few_tags_and_comments_that_do_not_end_are_read() -> None:
    page = b'<img src="https&#58;//t.evil.example">' + b"<!-- <a " * 5
    found = read(page, "a.html")
    assert (found.unread, [find.host for find in found.finds]) == ("", [EVIL])


def test_a_text_of_json_that_does_not_end_is_read() -> None:
    assert EVIL in {find.host for find in find_hosts(rb'{"a": "\u0068ttps://t.evil.example/', "a.json")}


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n", "\f"])
def test_an_address_of_a_style_sheet_is_found_at_its_offset(line_end: str) -> None:
    content = f"a{{}}{line_end}\u00e4 {{}}{line_end}b{{c: '\\68ttps:t.evil.example'}}".encode()
    assert [find.offset for find in find_hosts(content, "a.css")] == [content.index(b"'")]


def test_an_address_of_a_page_is_found_at_its_offset() -> None:
    content = "<p title=\u00e4>\u00e4</p>\n\u00e4<img src='https&#58;//t.evil.example'>".encode()
    assert [find.offset for find in find_hosts(content, "a.html")] == [content.index(b"<img")]


@pytest.mark.parametrize("call", ['.concat("b")', '.replace("b", "ab")', ".concat(`b${c}`)"])
def test_a_long_chain_of_calls_is_unread_and_its_plain_addresses_are_found(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(javascript, "_MOST", 5_000)
    script = b'fetch("https://planted.example");"ab"' + call.encode()
    assert read(script + b".x", "a.js").unread == ""
    found = read(script + call.encode() * 200, "a.js")
    assert ("joining too many texts" in found.unread, [find.host for find in found.finds]) == (
        True,
        ["planted.example"],
    )


def test_a_text_of_many_parts_is_still_read() -> None:
    script = b"f(" + b" + ".join(b'"%c"' % letter for letter in b"https://planted.example/" + b"a" * 300) + b")"
    assert [find.host for find in read(script, "a.js").finds] == ["planted.example"]


def test_a_script_is_read_in_its_order_whatever_was_read_before() -> None:
    script = b'var d="evil";f("https://"+d+".example");' + b"var a=1,b=2,c=3,e=4,g=5,h=6,i=7,j=8,k=9,l=10;var d=x();"
    found = set()
    for length in range(60):  # the query gives what it finds in another order each time
        find_hosts(b"f(x,y);" * length, "before.js")
        found.add(tuple(find.host for find in find_hosts(script, "a.js")))
    assert found == {("evil.example",)}


@pytest.mark.parametrize(
    "script",
    [
        "var a0=['x']" + "".join(f",a{n}=a{n - 1}.concat(a{n - 1})" for n in range(1, 23)) + ";f(a22.join('/'))",
        "var b='" + "a" * 60_000 + "'.split('');" + "f(b.join('/'));" * 200,
    ],
    ids=["lists that double", "a long list that is joined again and again"],
)
def test_a_script_that_joins_lists_without_end_is_unread(script: str) -> None:
    assert "joining too many texts" in read(script.encode(), "a.js").unread


def test_a_replacement_that_makes_a_text_too_long_is_not_made() -> None:
    assert escapes.changed(b"replaceAll", b"a" * 60_000, [b"a", b"b" * 60_000]) is None
    assert escapes.changed(b"replaceAll", b"aa", [b"a", b"b"]) == b"bb"


@pytest.mark.parametrize("key", ["host", "'host'", '"h\\u006fst"'])
def test_a_member_is_found_by_its_name_as_it_is_read(key: str) -> None:
    script = f"var o={{other:'x',{key}:'planted',host:'second'}};f('https://'+o.host+'.example')"
    assert [find.host for find in find_hosts(script.encode(), "a.js")] == ["planted.example"]
