"""Places in upstream's files that a reviewer has to see when they are new: who is contacted, and who may decide it.

Each detector carries a control: a line that it has to find. The controls are tried before every report, so that an
empty report means that there was nothing to find. Comments are searched as well: to distinguish them from code would
need a parser for each language, and a false find costs little.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.errors import ScanError
from hardener.policy.addresses import names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHOWN = 160  # characters of a line
_CODE = re.compile(r"\.(?:[cm]?[jt]sx?|html?|vue)$")
_WHITELIST = re.compile(r"(?:white|allow)_?-?list[^/]*\.[jt]sx?$", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """One find: what is compared between two trees (``value``), and where it is (``line`` from 1)."""

    value: str
    path: str
    line: int
    text: str

    @property
    def in_comment(self) -> bool:
        """Return whether the line looks like a comment."""
        return self.text.startswith(("//", "*", "/*", "<!--", "#"))


@dataclass(frozen=True)
class Detector:
    """One thing to look for: ``title`` heads its section, ``control`` is a file (path, content) with one find in it.

    ``whole_tree`` says that a value counts as new only when no file of the old tree names it.
    """

    name: str
    title: str
    find: Callable[[str, str], Iterator[Place]]
    control: tuple[str, str]
    whole_tree: bool = False


def _lines(words: str, pattern: str) -> Callable[[str, str], Iterator[Place]]:
    """Return lines of code that match; what is compared is the line without its white space.

    ``words`` are texts of which each match has one: looking for them first takes a tenth of the time.
    """
    compiled = re.compile(pattern)

    def find(path: str, text: str) -> Iterator[Place]:
        starts = set()
        for word in words.split() if _CODE.search(path) else ():
            at = text.find(word)
            while at >= 0:
                starts.add(text.rfind("\n", 0, at) + 1)
                at = text.find(word, at + len(word))
        for start in sorted(starts):
            line = _line_at(text, start)
            # What a call is given may be on the line below.
            match = compiled.search(text, start, start + len(line) + _SHOWN)
            if match and match.start() <= start + len(line):
                yield Place(re.sub(r"\s+", "", line), path, text.count("\n", 0, start) + 1, line.strip()[:_SHOWN])

    return find


def _line_at(text: str, start: int) -> str:
    end = text.find("\n", start)
    return text[start : end if end >= 0 else len(text)]


def _hosts(path: str, text: str) -> Iterator[Place]:
    if path.endswith(("package-lock.json", ".lock")):
        return  # lockfile.py
    content = text.encode("utf-8", "surrogateescape")
    for found in names(content):
        if found.is_scheme:
            continue
        start = content.rfind(b"\n", 0, found.offset) + 1
        line = content[start : content.find(b"\n", start) if b"\n" in content[start:] else len(content)]
        number = content.count(b"\n", 0, start) + 1
        yield Place(found.name, path, number, line.decode("utf-8", "replace").strip()[:_SHOWN])


_KEY = re.compile(
    r"^\s*(?://\s*)?['\"]?([A-Za-z_$][\w$-]*)['\"]?\s*:\s*(?:true|false|null|undefined|[-\d'\"`\[{(]|function|\w+\()"
)


def _config_file(path: str, text: str) -> Iterator[Place]:
    """Yield the keys of config.js and interface_config.js; most of them are there as comments."""
    if re.search(r"(?:^|/)(?:interface_)?config\.js$", path):
        for number, line in enumerate(text.split("\n"), 1):
            if match := _KEY.match(line):
                yield Place(match[1], path, number, line.strip()[:_SHOWN])


def _config_type(path: str, text: str) -> Iterator[Place]:
    """Yield the members of the interfaces in configType.ts, with the keys above them."""
    if not re.search(r"[cC]onfigType\.ts$", path):
        return
    above: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        code = re.sub(r"//.*", "", line)
        match = re.match(r"\s*(?:readonly\s+)?['\"]?([A-Za-z_$][\w$-]*)['\"]?\??\s*:", code)
        if match and above:
            yield Place(".".join([*filter(None, above[1:]), match[1]]), path, number, line.strip()[:_SHOWN])
        for sign in re.findall(r"[{}]", code):
            if sign == "{":
                above.append(match[1] if match else "")
            elif above:
                above.pop()


def _whitelist(path: str, text: str) -> Iterator[Place]:
    """Yield what links and embedding pages may override."""
    if _WHITELIST.search(path):
        for number, line in enumerate(text.split("\n"), 1):
            for value in re.findall(r"['\"`]([\w.$-]+)['\"`]", line):
                yield Place(value, path, number, line.strip()[:_SHOWN])


_READ = re.compile(r"\b(?:config|interfaceConfig|options)((?:\??\.[A-Za-z_$][\w$]*)+)(?!\()")


def _option(path: str, text: str) -> Iterator[Place]:
    """Yield the options that code reads: ``config.testing?.p2pTestMode``."""
    for match in _READ.finditer(text) if _CODE.search(path) else ():
        start = text.rfind("\n", 0, match.start()) + 1
        line = _line_at(text, start).strip()[:_SHOWN]
        yield Place(match[1].replace("?", "").lstrip("."), path, text.count("\n", 0, start) + 1, line)


DETECTORS = (
    Detector("hosts", "Hosts", _hosts, ("a.ts", "const url = 'https://tracker.example/x';"), whole_tree=True),
    Detector(
        "fetch",
        "fetch",
        _lines("fetch", r"(?<![\w$.])(?:(?:window|self|globalThis)\.)?fetch\s*\("),
        ("a.ts", "await fetch(url)"),
    ),
    Detector(
        "xhr",
        "XMLHttpRequest",
        _lines("XMLHttpRequest", r"\bXMLHttpRequest\b"),
        ("a.js", "const x = new XMLHttpRequest();"),
    ),
    Detector(
        "websocket", "WebSocket", _lines("WebSocket", r"\bWebSocket\s*\("), ("a.ts", "this.ws = new WebSocket(url);")
    ),
    Detector(
        "beacon", "sendBeacon", _lines("sendBeacon", r"\bsendBeacon\b"), ("a.ts", "navigator.sendBeacon(url, data);")
    ),
    Detector("eventsource", "EventSource", _lines("EventSource", r"\bEventSource\b"), ("a.ts", "new EventSource(url)")),
    Detector(
        "script",
        "Scripts that are loaded",
        _lines(
            "script Script import",
            r"createElement\(\s*['\"`]script|<script\b|\b[gl](?:et|oad)Script\w*\s*\(|\bimportScripts\s*\("
            r"|\bimport\s*\((?!\s*(?:/\*.*?\*/\s*)?['\"`](?!\w+:|//))",
        ),
        ("a.tsx", "const s = document.createElement('script');"),
    ),
    Detector(
        "worker",
        "Workers and worklets",
        _lines(
            "Worker addModule",
            r"\bnew\s+(?:\w+\.)?(?:Shared)?Worker\s*\(|\bserviceWorker\b.*\bregister\b|\.addModule\s*\(",
        ),
        ("a.ts", "const w = new Worker(url);"),
    ),
    Detector(
        "frame",
        "Frames and windows",
        _lines(
            "iframe object embed window.open",
            r"createElement\(\s*['\"`](?:iframe|object|embed)|<iframe\b|<(?:object|embed)\s+[\w-]+\s*=|\bwindow\.open\s*\(",
        ),
        ("a.tsx", "return <iframe src = { url } />;"),
    ),
    Detector(
        "rtc",
        "Peer connections and WebTransport",
        _lines("RTCPeerConnection WebTransport", r"\bnew\s+(?:\w+\.)?(?:RTCPeerConnection|WebTransport)\s*\("),
        ("a.ts", "const pc = new RTCPeerConnection(config);"),
    ),
    Detector(
        "eval",
        "Code from text",
        _lines("eval Function", r"(?<![\w$.])eval\s*\(|\bnew\s+Function\s*\("),
        ("a.js", "eval(text);"),
    ),
    Detector("config", "Keys of config.js", _config_file, ("config.js", "    // newSwitch: true,"), whole_tree=True),
    Detector(
        "config-type",
        "Keys of the configuration's type",
        _config_type,
        ("configType.ts", "export interface IConfig {\n    a?: {\n        b?: string;\n"),
    ),
    Detector("whitelist", "Keys that a link may set", _whitelist, ("configWhitelist.ts", "    'newSwitch',")),
    Detector("option", "Options that are read", _option, ("a.ts", "if (options.config.newSwitch) {"), whole_tree=True),
)


def try_controls() -> int:
    """Let every detector find its control; returns how many there are, raises ScanError for a blind one."""
    for detector in DETECTORS:
        if not list(detector.find(*detector.control)):
            raise ScanError(
                f"the detector {detector.name!r} does not find its own control",
                hint="fix build/hardener/upstream/delta/detectors.py",
            )
    return len(DETECTORS)
