"""A visit of a running service: declared targets only, counted requests, resumed steps, and no secret in any file."""

from __future__ import annotations

import datetime as dt
import io
import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import BaseAdapter

from hardener.assessment import run
from hardener.assessment.declaration import Declaration, Permission
from hardener.assessment.service import client as client_module
from hardener.assessment.service import logins, tls
from hardener.assessment.service.client import AGENT, Client, origin_of
from hardener.assessment.service.visit import Plan, visit
from hardener.errors import ConfigError, UnreachableError, UsageError
from hardener.proof.attack.record import Account, Attacked, Attempt, NotTried, Verdict
from hardener.proof.attack.session import Scene
from hardener.servercheck.readers import syntax
from support import assessed
from support.assessed import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORIGIN = "https://meet.example.org"
OWN = (ORIGIN, "https://cdn.example.org")
GUARDED = {
    "Content-Security-Policy": "default-src 'self'",
    "Strict-Transport-Security": "max-age=63072000",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self)",
    "X-Content-Type-Options": "nosniff",
}
PAGE = '<!doctype html><script src="config.js"></script><script src="libs/app.bundle.min.js?v=1"></script>'
CONFIG = "var config = { hosts: { domain: 'meet.example.org' }, p2p: { enabled: false, stunServers: [] } };"

# Logins at one host over two transports, and handshakes with two old versions of TLS.
EXTRA = 2 * logins.REQUESTS + len(tls.OLD)


class Web(BaseAdapter):
    """Answers from a table of paths instead of a network; ``asked`` are the requests."""

    def __init__(self, files: dict[str, Any], headers: dict[str, str] = GUARDED) -> None:
        super().__init__()
        self.files, self.headers = {"/": PAGE, "/config.js": CONFIG, "/libs/app.bundle.min.js": "x=1"} | files, headers
        self.asked: list[requests.PreparedRequest] = []
        self.old_tls: bool | None = False

    def send(self, request: requests.PreparedRequest, **_words: Any) -> requests.Response:
        """Answer a request; an exception in the table is raised, a tuple is a status with a place."""
        self.asked.append(request)
        path = request.path_url.partition("?")[0]
        if request.url == "http://meet.example.org/":
            path = "cleartext"
        content = self.files.get(path, PAGE if path.startswith("/hardener-") else (404, ""))
        if path == "cleartext" and path not in self.files:
            content = (301, ORIGIN + "/")
        if isinstance(content, BaseException):
            raise content
        answer = requests.Response()
        answer.request = request
        status, place = content if isinstance(content, tuple) else (200, "")
        answer.status_code, answer.url = status, str(request.url)
        answer.headers.update(self.headers | ({"Location": place} if place else {}))
        answer.headers["Content-Type"] = "text/html" if content is PAGE else "text/javascript"
        answer.raw = io.BytesIO(content.encode() if isinstance(content, str) else b"")
        return answer

    def close(self) -> None:
        """Close nothing."""


def client(web: Web, origin: str = ORIGIN, clock: Callable[[], float] = lambda: 0) -> Client:
    session = requests.Session()
    session.mount("https://", web)
    session.mount("http://", web)
    return Client(origin, OWN, session=session, clock=clock, shake=lambda *_words: web.old_tls)


def declared(*origins: str) -> Declaration:
    return Declaration("S", "O", "high", origins or OWN, {}, {})


def answering(verdict: Verdict, why: str = "why", *, answered: bool = True) -> logins.Try:
    """Return attempts that end so, without a stream."""

    def attempt(way: Any, _target: Any, transport: str) -> Attempt:
        if answered and "seen" in getattr(way.run, "keywords", {}):
            way.run.keywords["seen"]["answered"] = True
        return Attempt(way.name, way.area, transport, (), (), verdict, why, 0)

    return attempt


def plan(folder: Path, **more: Any) -> Plan:
    return Plan(ORIGIN, folder / "kept", **more)


def no_browser(*_words: Any) -> dict[str, Any]:
    """Take the place of a browser on a machine without one."""
    return {"missing": "planted"}


def visited(folder: Path, web: Web, verdict: Verdict = Verdict.REFUSED, **more: Any) -> Any:
    words = {"client": client(web), "attempt": answering(verdict), "browse": no_browser}
    return visit(plan(folder, **more), declared(), NOW, lambda _text: None, **words)


@pytest.mark.parametrize(
    "address",
    [
        "meet.example.org",
        "ftp://x",
        "http://meet.example.org",
        "https://a@x",
        "https://x/y",
        "https://x:y",
        "https://[",
        "https://x:0",
        "https://[::1]",
        "https://m\u00fcnchen.example",
    ],
)
def test_what_is_not_the_origin_of_a_service_is_refused(address: str) -> None:
    with pytest.raises(UsageError) as raised:
        origin_of(address)
    assert raised.value.hint


@pytest.mark.parametrize("own", [(), ("https://meet.example.org.evil.example",), ("https://example.org",)])
def test_a_host_that_is_not_declared_is_never_asked(tmp_path: Path, own: tuple[str, ...]) -> None:
    web = Web({})
    given = replace(declared(), own_hosts=own)
    with pytest.raises(UsageError, match="not a host of the declaration"):
        visit(plan(tmp_path), given, NOW, lambda _text: None, client=client(web))
    assert web.asked == []


def test_each_request_names_the_tool_and_is_counted(tmp_path: Path) -> None:
    web = Web({})
    seen = visited(tmp_path, web)
    assert {request.headers["User-Agent"] for request in web.asked} == {AGENT}
    assert seen.requests == len(web.asked) + EXTRA


def test_a_redirect_is_followed_on_declared_hosts_only(tmp_path: Path) -> None:
    web = Web(
        {"/a": (302, "https://cdn.example.org/config.js"), "/b": (302, "https://evil.example/x"), "/c": (302, "//[")}
    )
    asking = client(web)
    assert (asking.get("/a").status, asking.get("/b").foreign, asking.get("/c").status) == (200, "evil.example", 0)
    assert [request.url for request in web.asked if "evil" in str(request.url)] == []


def test_a_page_cannot_name_a_script_on_another_host(tmp_path: Path) -> None:
    page = PAGE.replace("libs/app", "https://meet.example.org//evil.example/libs/app")
    web = Web({"/": page})
    seen = visited(tmp_path, web)
    assert seen.facts["headers"]["static"]["foreign"] == "evil.example"
    assert [request.url for request in web.asked if "//evil" in str(request.url)] == []


@pytest.mark.parametrize("name", ["bosh", "websocket"])
def test_the_usual_port_is_the_same_origin(tmp_path: Path, name: str) -> None:
    config = CONFIG + f"config.{name} = '{'https' if name == 'bosh' else 'wss'}://Meet.example.org:443/x';"
    web = Web({"/config.js": (302, f"{ORIGIN}:443/settings"), "/settings": config})
    seen = visited(tmp_path, web)
    assert (seen.facts["headers"]["config"]["status"], seen.facts["logins"]["elsewhere"]) == (200, "")


def test_an_address_with_a_password_is_not_shown() -> None:
    with pytest.raises(UsageError) as raised:
        origin_of("https://user:hunter2@meet.example.org")
    assert "hunter2" not in f"{raised.value} {raised.value.hint}"


def test_cookies_are_not_sent_back() -> None:
    asking = client(Web({}))
    jar = asking._session.cookies
    assert not jar._policy.set_ok(
        requests.cookies.create_cookie("sid", "x"),
        requests.cookies.MockRequest(requests.Request("GET", ORIGIN).prepare()),
    )


def test_an_answer_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "WHOLE", 0.05)
    ended = threading.Event()
    web = Web({})
    monkeypatch.setattr(web, "send", lambda *_args, **_words: ended.wait(5))
    with pytest.raises(UnreachableError, match="no whole answer"):
        client(web).get("/")
    ended.set()


WRONG = {
    "a file that is not PEM": (
        {"/": requests.exceptions.SSLError("NO_CERTIFICATE_OR_CRL_FOUND")},
        UnreachableError,
        "no TLS",
    ),
    "no TLS": ({"/": requests.exceptions.SSLError("WRONG_VERSION_NUMBER")}, UnreachableError, "no TLS"),
    "a script that has no address": (
        {"/": PAGE.replace("libs/app", "//[libs/app")},
        UsageError,
        "address of its script",
    ),
    "no answer": ({"/": requests.ConnectionError("planted")}, UnreachableError, "does not answer"),
    "a wrong certificate": (
        {"/": requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED")},
        UnreachableError,
        "certificate",
    ),
    "another site": ({"/": "<title>Shop</title>"}, UsageError, "not a Jitsi Meet"),
    "led away": ({"/": (301, "https://evil.example/")}, UsageError, "leads to evil.example"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_service_that_cannot_be_assessed_is_named_with_a_hint(tmp_path: Path, name: str) -> None:
    files, error, said = WRONG[name]
    with pytest.raises(error, match=said) as raised:
        visited(tmp_path, Web(files))
    assert raised.value.hint
    assert "--resume" not in raised.value.hint  # nothing is kept


def test_an_interrupted_visit_resumes_after_its_last_finished_step(tmp_path: Path) -> None:
    web = Web({"/config.js": requests.ConnectionError("planted")})
    with pytest.raises(UnreachableError, match="does not answer") as raised:
        visited(tmp_path, web)
    assert "--resume" in raised.value.hint
    web.files["/config.js"] = CONFIG
    before = len(web.asked)
    first = visited(tmp_path, web, resume=True)
    assert [request.path_url for request in web.asked[before:]].count("/http-bind") == 1
    asked = len(web.asked)
    again = visited(tmp_path, web, resume=True)
    assert (len(web.asked), again.facts, again.requests) == (asked, first.facts, first.requests)
    (again.site / "config.js").write_text("changed")
    visited(tmp_path, web, resume=True)
    assert len(web.asked) > asked


def slow(web: Web, seconds: float) -> Callable[[], float]:
    """Return a clock by which each request has taken some seconds."""
    start = len(web.asked)
    return lambda: seconds * (len(web.asked) - start)


def test_a_slow_service_is_left_after_a_bound_of_time_and_no_file_is_read_twice(tmp_path: Path) -> None:
    loads = 'a.u=e=>"c/"+e+".js";' + "".join(f"a.e({number});" for number in range(60))
    web = Web({"/libs/app.bundle.min.js": loads, "/libs/c/7.js": "x"})
    words = {"attempt": answering(Verdict.REFUSED), "browse": no_browser}
    ended: list[str] = []
    seen = None
    while seen is None and len(ended) < 9:
        asking = client(web, clock=slow(web, 60))
        try:
            seen = visit(plan(tmp_path, resume=True), declared(), NOW, lambda _text: None, client=asking, **words)
        except UnreachableError as error:
            ended.append(error.message + error.hint)
    assert seen
    assert {("30 minutes" in said, "--resume" in said) for said in ended} == {(True, True)}
    paths = [str(request.url).partition("?")[0] for request in web.asked]
    assert (len(ended) > 1, seen.facts["files"]["complete"]) == (True, True)
    assert {path: paths.count(path) for path in paths if paths.count(path) > 1} == {}
    assert (seen.requests, (seen.site / "libs" / "c" / "7.js").exists()) == (len(paths) + EXTRA, True)


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), requests.ConnectionError("planted")])
def test_files_that_were_read_before_a_visit_stopped_are_not_read_again(
    tmp_path: Path, stop: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_within", lambda _seconds, ask: ask())  # a thread gets no interrupt
    web = Web({"/static/close3.html": stop})
    with pytest.raises((KeyboardInterrupt, UnreachableError)):
        visited(tmp_path, web)
    before = len(web.asked)
    web.files["/static/close3.html"] = (404, "")
    visited(tmp_path, web, resume=True)
    again = {request.path_url for request in web.asked[:before]} & {request.path_url for request in web.asked[before:]}
    assert again == {"/static/close3.html"}


def test_no_file_is_asked_for_twice(tmp_path: Path) -> None:
    web = Web({})
    visited(tmp_path, web)
    urls = [str(request.url) for request in web.asked]
    assert sorted({url for url in urls if urls.count(url) > 1}) == []


def test_an_old_step_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web = Web({})
    visited(tmp_path, web)
    before = len(web.asked)
    late = NOW + dt.timedelta(hours=25)
    visit(
        plan(tmp_path, resume=True),
        declared(),
        late,
        lambda _text: None,
        client=client(web),
        attempt=answering(Verdict.REFUSED),
        browse=no_browser,
    )
    assert len(web.asked) == 2 * before


def test_the_bound_of_requests_makes_the_bundle_undecided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MOST", 20)
    web = Web({})
    with pytest.raises(UsageError, match="bound"):
        visited(tmp_path, web)
    assert len(web.asked) == 20 - len(tls.OLD)


def test_files_are_followed_by_their_names_and_never_out_of_the_folder(tmp_path: Path) -> None:
    script = 'a.u=e=>"chunks/"+e+".min.js";a.e(12);a.e("../../x");b="static/own.html";c="//evil.example/z.js"'
    files = {"/libs/app.bundle.min.js": script, "/libs/chunks/12.min.js": "12", "/static/own.html": "own"}
    seen = visited(tmp_path, Web(files))
    names = {path.relative_to(seen.site).as_posix() for path in seen.site.rglob("*") if path.is_file()}
    assert names == {"index.html", "config.js", *(name[1:] for name in files)}


HOSTILE = {
    "languages that are a number": {"/lang/languages.json": "5"},
    "languages that are deep": {"/lang/languages.json": "[" * 100_000},
    "a long name": {"/": PAGE + f'<script src="static/{"a" * 290}.js"></script>'},
    "a long chunk": {"/libs/app.bundle.min.js": f'a.u=e=>"{"x" * 5000}"+e+".js";a.e(1)'},
    "many chunks": {"/libs/app.bundle.min.js": 'a.u=e=>"c/"+e+".js";' * 3000 + 'a.e("1");' * 3000},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_do_not_end_the_visit(tmp_path: Path, name: str) -> None:
    assert visited(tmp_path, Web(HOSTILE[name])).facts["files"]["complete"]


def test_a_file_in_the_place_of_a_folder_makes_the_bundle_undecided(tmp_path: Path) -> None:
    page = PAGE + "".join(f'<script src="{name}"></script>' for name in ("a.js", "a.js/b.js", "c.js/d.js", "c.js"))
    web = Web({"/": page} | {f"/{name}": "1" for name in ("a.js", "a.js/b.js", "c.js/d.js", "c.js")})
    assert not visited(tmp_path, web).facts["files"]["complete"]


def test_more_files_than_requests_leave_enough_for_the_logins(tmp_path: Path) -> None:
    loads = 'a.u=e=>"c/"+e+".js";' + "".join(f"a.e({number});" for number in range(1000))
    seen = visited(tmp_path, Web({"/libs/app.bundle.min.js": loads}))
    assert (seen.facts["files"]["complete"], len(seen.facts["logins"]["attempts"])) == (False, 2)
    assert seen.requests <= client_module.MOST


def test_a_body_that_is_too_large_makes_the_bundle_undecided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LARGEST", 1000)
    seen = visited(tmp_path, Web({"/libs/app.bundle.min.js": "x" * 2000}))
    assert not seen.facts["files"]["complete"]


def assess(
    folder: Path, web: Web, verdict: Verdict = Verdict.REFUSED, **more: Any
) -> tuple[dict[str, str], run.Assessed]:
    made = assessed.service(folder)
    made.replace(made.operator, 'profile = "high"', f'profile = "high"\nown_hosts = ["{ORIGIN}"]')
    made.finish()
    order = made.order(**{"full": False, "servers": ()} | more)
    words = {"client": client(web), "attempt": answering(verdict), "browse": no_browser}
    done = run.service(order, plan(folder), NOW, **words)
    return {
        item["id"]: item["lights"]["deployment"]["light"]
        for item in done.result["results"]
        if "deployment" in item["lights"]
    }, done


def test_a_visit_that_ends_at_once_leaves_no_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError):
        assess(tmp_path, Web({"/": requests.ConnectionError("planted")}))
    assert (tmp_path / "operator.toml").exists()
    assert not (tmp_path / "out").exists()


GREEN = ("NET-02", "NET-06", "CFG-02", "HDR-01", "HDR-02", "HDR-03", "HDR-04", "MED-02")
WORSE = {
    "bare": (Web({}, {}), Verdict.REFUSED, {"HDR-01": "red", "HDR-02": "red", "HDR-03": "red", "HDR-04": "red"}),
    "port 80 open": (Web({"cleartext": PAGE}), Verdict.REFUSED, {"HDR-02": "red", "SRV-01": "red"}),
    "broken settings": (Web({"/config.js": CONFIG + "var x = {{;"}), Verdict.REFUSED, {"CFG-02": "red", "NET-02": "grey", "MED-02": "grey"}),
    "a guest host": (
        Web({"/config.js": CONFIG.replace("domain:", "anonymousdomain: 'guest.x', domain:")}),
        Verdict.REFUSED,
        {"CFG-02": "red"},
    ),
    "anonymous": (Web({}), Verdict.SUCCEEDED, {"AUTH-01": "red", "AUTH-06": "red"}),
}  # fmt: skip


def test_a_guarded_service_is_green_where_a_visit_decides(tmp_path: Path) -> None:
    lights, done = assess(tmp_path, Web({}))
    assert {lights[name] for name in GREEN} == {"green"}
    assert (lights["AUTH-06"], lights["NET-03"]) == ("grey", "grey")  # the first needs files, the second a browser
    assert (done.result["subject"]["kind"], (tmp_path / "kept").exists()) == ("service", False)
    assert f"{done.result['subject']['requests']['sent']} (" in (done.folder / "report.de.html").read_text("utf-8")


@pytest.mark.parametrize(
    "config", ["[" * 100_000, "var config = " + "{a:" * 50_000, "var config = {{{", "", "var config = " + "f(" * 50_000]
)
def test_a_config_that_cannot_be_read_is_grey_and_parsed_once(
    tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    monkeypatch.setattr(syntax, "_in_time", lambda grammar, _text: parsed.append(grammar) or False)
    syntax.parse.cache_clear()
    lights, done = assess(tmp_path, Web({"/config.js": config}))
    reasons = {item["id"]: item["lights"] for item in done.result["results"]}
    assert (lights["CFG-02"], lights["NET-02"], len(parsed)) == ("grey", "grey", int(len(config) > syntax.SMALL))
    assert "config.js cannot be read" in reasons["CFG-02"]["deployment"]["reason"]["en"]


@pytest.mark.parametrize(("spoken", "light"), [(True, "red"), (False, "grey"), (None, "grey")])
def test_old_versions_of_tls_are_red(tmp_path: Path, spoken: bool | None, light: str) -> None:
    web = Web({})
    web.old_tls = spoken
    lights, done = assess(tmp_path, web)
    metrics = json.loads((done.folder / "evidence" / "headers.json").read_text("utf-8"))["metrics"]
    assert (lights["SRV-01"], metrics.get("headers.old_tls")) == (light, {True: 2, False: 0, None: None}[spoken])


PERMISSION = Permission("all of it", "O", NOW.date())


@pytest.mark.parametrize(
    ("permission", "message"),
    [(None, "needs a permission"), (replace(PERMISSION, until=NOW.date() - dt.timedelta(days=1)), "expired")],
)
def test_an_attack_without_a_valid_permission_sends_nothing(
    tmp_path: Path, permission: Permission | None, message: str
) -> None:
    web = Web({})
    with pytest.raises(UsageError, match=message):
        visit(
            plan(tmp_path, attack=True),
            replace(declared(), attack=permission),
            NOW,
            lambda _text: None,
            client=client(web),
        )
    assert web.asked == []


def test_a_permitted_attack_is_counted_by_what_it_reached_and_keeps_no_words(tmp_path: Path) -> None:
    def attempts(target: Any, _out: Path, **_words: Any) -> Attacked:
        made = [
            Attempt(name, area, "websocket", ("secret",), ("secret",), Verdict.SUCCEEDED, "secret", 0)
            for name, area in (("a", "tokens"), ("b", "roles"), ("c", "huge input"))
        ]
        return Attacked(target, (*made, replace(made[0], verdict=Verdict.UNCLEAR)), (), 0)

    seen = visit(
        plan(tmp_path, attack=True),
        replace(declared(), attack=PERMISSION),
        NOW,
        lambda _text: None,
        client=client(Web({})),
        attempt=answering(Verdict.REFUSED),
        browse=no_browser,
        attacked=attempts,
    )
    found = seen.facts["attack"]
    assert {name: found[name] for name in ("attempts", "entered", "promoted", "disturbed", "unclear")} == {
        "attempts": 4, "entered": 1, "promoted": 1, "disturbed": 1, "unclear": 1,
    }  # fmt: skip
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("moderators", "account", "expected"),
    [
        ("logged-in", Account("u", "p"), {"moderators": "logged-in", "not_tried": 0, "not_applicable": 1}),
        ("named", Account("u", "p"), {"moderators": "named", "not_tried": 0, "not_applicable": 1}),
        ("logged-in", None, {"moderators": "logged-in", "not_tried": 1, "not_applicable": 0}),
    ],
)
def test_an_attack_counts_what_was_not_tried_apart_from_what_the_declaration_does_not_promise(
    tmp_path: Path, moderators: str, account: Account | None, expected: dict[str, Any]
) -> None:
    skipped = NotTried("first one in", "roles", "reason")
    seen = visit(
        replace(plan(tmp_path, attack=True), account=account),
        replace(declared(), attack=PERMISSION, moderators=moderators),
        NOW,
        lambda _text: None,
        client=client(Web({})),
        attempt=answering(Verdict.REFUSED),
        browse=no_browser,
        attacked=lambda target, _out, **_words: Attacked(target, (), (skipped,), 0),
    )
    assert {name: seen.facts["attack"][name] for name in expected} == expected


@pytest.mark.parametrize(("changed", "light"), [("", "green"), (assessed.APP, "grey")])
def test_records_of_a_release_count_for_the_service_that_delivers_it(tmp_path: Path, changed: str, light: str) -> None:
    files = {f"/{name}": text for name, text in assessed.FILES.items() if name not in {"index.html", "config.js"}}
    if changed:
        files[f"/{changed}"] += " "
    _lights, done = assess(tmp_path, Web(files), full=True)
    found = {
        item["id"]: item["lights"]["bundle"]["light"] for item in done.result["results"] if "bundle" in item["lights"]
    }
    assert {found[name] for name in ("NET-03", "APP-01", "AUTH-01")} == {light}  # one of them needs the browser tests


def test_an_output_that_cannot_be_written_is_found_before_the_first_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(dir: Path) -> None:  # noqa: A002 (as in the library; root may write to folders without permission)
        raise PermissionError(13, "Permission denied", str(dir / "x"))

    monkeypatch.setattr(run.tempfile, "NamedTemporaryFile", refuse)
    web = Web({})
    with pytest.raises(PermissionError):
        assess(tmp_path, web)
    assert web.asked == []


def test_a_file_in_the_place_of_the_output_is_found_before_the_first_request(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    web = Web({})
    made = assessed.service(tmp_path)
    order = replace(made.order(full=False, servers=()), out=tmp_path / "file")
    with pytest.raises(FileExistsError):
        run.service(order, plan(tmp_path), NOW, client=client(web))
    assert web.asked == []


@pytest.mark.parametrize("name", WORSE)
def test_a_defect_of_the_service_moves_its_lights(tmp_path: Path, name: str) -> None:
    web, verdict, expected = WORSE[name]
    lights, _done = assess(tmp_path, web, verdict)
    assert {place: lights[place] for place in expected} == expected
    assert {lights[place] for place in set(GREEN) - set(expected)} == {"green"}


PLANTED = (
    "hunter2hunter2",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln",
    "c0ffeec0ffee",
    "198.51.100.77",
    "198-51-100-77",
    "2001:db8:1:2::77",
    "c633:644d",
    "erika@planted.example",
    "Erika",
    "secret-cookie",
)
_URL = "wss://Erika:hunter2hunter2@198.51.100.77./x?access=1&api_key=c0ffeec0ffee&user=erika%40planted.example".replace(
    "%40", "@"
)
SPOILED = (
    f"{_URL} https://[2001:db8:1:2::77]:8443 https://[::ffff:c633:644d] https://[::ffff:198.51.100.77]"
    " https://ip-198-51-100-77.cloud.example password=hunter2hunter2 token: 'c0ffeec0ffee' Bearer c0ffeec0ffee1"
    " eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln erika@planted.example. at 198.51.100.77."
)
SPOILED_CONFIG = (
    CONFIG + f"config.x = 'Erika' + f('{SPOILED[:60]}'); config.bosh = '{_URL}'; config.defaultName = 'Erika';"
    " config.p2p.stunServers = [{ urls: 'turn:198.51.100.77:3478?password=hunter2hunter2', username: 'Erika',"
    " credential: 'hunter2hunter2' }, { urls: 'turn:relay.planted.example', username: 'Erika', credential: 'hunter2hunter2' }];"
)
SPOILED_FILES = {
    "/": PAGE
    + f'<link rel="preconnect" href="{_URL}"><a href="{_URL}">Erika</a><script src="static/198.51.100.77.js"></script>',
    "/config.js": SPOILED_CONFIG,
    "/interface_config.js": f'var interfaceConfig = {{ NAME: "Erika", URL: "{_URL}", k: `{SPOILED}` }};',
    "/manifest.json": '{"related_applications": [{"url": "' + _URL + '"}]}',
    "/static/close.html": (302, _URL),
    "/lang/languages.json": "[" * 100_000,
}


@pytest.mark.parametrize("header", ["Server", "Content-Security-Policy", "Set-Cookie", "Permissions-Policy"])
def test_hostile_headers_are_text_and_secrets_are_in_no_file(tmp_path: Path, header: str) -> None:
    hostile, tokens = "<script>alert(1)</script>", SPOILED + " secret-cookie" * (header == "Set-Cookie")
    web = Web(SPOILED_FILES, GUARDED | {header: f"{hostile} connect-src {tokens}"})
    _lights, done = assess(tmp_path, web, name=hostile)
    for path in done.folder.rglob("*"):
        text = path.read_text("utf-8") if path.is_file() else ""
        assert [word for word in PLANTED if word in text] == [], path.name
        assert not (path.suffix == ".html" and hostile in text)


def test_secrets_are_in_no_kept_step_and_others_cannot_read_the_folder(tmp_path: Path) -> None:
    web = Web(SPOILED_FILES, GUARDED | dict.fromkeys(("Server", "Content-Security-Policy"), SPOILED))
    visited(tmp_path, web)
    steps = sorted((tmp_path / "kept").glob("*.json"))
    for path in steps:
        assert [word for word in PLANTED if word in path.read_text("utf-8")] == [], path.name
    assert ("front.json" in {path.name for path in steps}, (tmp_path / "kept").stat().st_mode & 0o77) == (True, 0)


@pytest.mark.parametrize(
    "foreign", ["https://198.51.100.77", "[2001:db8::7]:443", "https://ip-198-51-100-77.cloud.example"]
)
def test_a_foreign_address_in_a_policy_counts_although_it_is_hidden(tmp_path: Path, foreign: str) -> None:
    policy = f"default-src 'self'; connect-src 'self' {foreign}; report-uri /r?token=x"
    lights, _done = assess(tmp_path, Web({}, GUARDED | {"Content-Security-Policy": policy}))
    assert lights["HDR-01"] == "red"


@pytest.mark.parametrize("text", ["", "user\n", "\npassword\n", "user\n\n"])
def test_a_login_file_without_user_and_password_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "login").write_text(text)
    with pytest.raises(UsageError, match="no user and password"):
        logins.read_account(tmp_path / "login")


def test_a_refused_account_is_an_error(tmp_path: Path) -> None:
    attempt = answering(Verdict.UNCLEAR, "x does not let the account u in: not-authorized")
    with pytest.raises(ConfigError, match="login-file"):
        logins.first_in(Scene.__new__(Scene), lambda _count: None, attempt)


@pytest.mark.parametrize("name", ["bosh", "websocket"])
def test_an_xmpp_server_on_another_host_is_not_asked(tmp_path: Path, name: str) -> None:
    config = CONFIG + f"config.{name} = 'https://evil.example/x';"
    seen = visited(tmp_path, Web({"/config.js": config}))
    assert (seen.facts["logins"]["attempts"], seen.facts["logins"]["elsewhere"]) == ([], "evil.example")
