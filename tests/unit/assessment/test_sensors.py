"""Sensors: each sees what is planted for it, a clean service gives green, and a mutation moves exactly its lights."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hardener.assessment import catalogue
from hardener.assessment.sensors.model import Measured, MissingError
from hardener.assessment.sensors.registry import SENSORS, measure
from support import assessed
from support.assessed import APP, TEXTS, Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROSODY = "prosody/conf.avail/meet.example.org.cfg.lua"
HEADERS = "nginx/hardener/security-headers.conf"
# Nothing of a small service shows these: each needs the running service, or media.
NOT_MEASURED = {
    "NET-01 deployment", "NET-03 deployment", "CFG-02 deployment", "STO-01 deployment",
    "STO-02 deployment", "AUTH-06 deployment", "INV-03 deployment",
    "MED-01 deployment", "APP-01 deployment", "MED-02 deployment",
}  # fmt: skip
VISITED = {"headers", "xmpp", "browser"}  # tests/unit/assessment/test_service.py
YELLOW = {"INV-03 bundle", "MED-01 bundle"}


@pytest.fixture(scope="module")
def hardened(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return assessed.finished(tmp_path_factory.mktemp("hardened"))


@pytest.fixture(scope="module")
def lights(hardened: Service) -> dict[str, str]:
    return hardened.lights()


def test_a_hardened_service_is_green_where_anything_was_measured(lights: dict[str, str]) -> None:
    assert {place for place, light in lights.items() if light == "grey"} == NOT_MEASURED
    assert {place for place, light in lights.items() if light == "yellow"} == YELLOW
    assert "red" not in lights.values()


@pytest.mark.parametrize("name", SENSORS)
def test_a_sensor_finds_what_is_planted_for_it(hardened: Service, name: str) -> None:
    assert SENSORS[name].calibrate(hardened.subject())


@pytest.mark.parametrize("name", SENSORS)
def test_a_sensor_that_does_not_find_it_measures_nothing(hardened: Service, name: str) -> None:
    blind = replace(SENSORS[name], measure=lambda _subject: Measured(dict.fromkeys(SENSORS[name].metrics, 0), {}))
    reading = measure(hardened.subject(), [blind])[name]
    assert (reading.metrics, reading.calibrated, reading.reason is not None) == ({}, False, True)


def test_a_sensor_delivers_no_metric_that_it_does_not_declare(hardened: Service) -> None:
    for name, reading in measure(hardened.subject(), [assessed.uncalibrated(s) for s in SENSORS.values()]).items():
        assert set(reading.metrics) <= set(SENSORS[name].metrics), name
        assert reading.metrics or name in VISITED, name


@pytest.mark.parametrize(
    ("name", "without"),
    [("files", "release"), ("series", "release"), ("evidence", "records"), ("e2e", "records"), ("declared", "declaration"),
     ("server", "servers"), ("headers", "visited"), ("xmpp", "visited")],
)  # fmt: skip
def test_what_is_not_given_is_missing_with_a_reason(hardened: Service, name: str, without: str) -> None:
    subject = hardened.subject(**{without: {"servers": (), "visited": {}}.get(without)})
    with pytest.raises(MissingError) as raised:
        SENSORS[name].measure(subject)
    assert all(raised.value.reason.values())


def _server(path: str, old: str, new: str) -> Callable[[Service], None]:
    return lambda service: service.replace(service.server / path, old, new)


def _append(path: str, text: str) -> Callable[[Service], None]:
    def change(service: Service) -> None:
        with (service.server / path).open("a", encoding="utf-8") as file:
            file.write(text)

    return change


def _texts(change: Callable[[dict], object]) -> Callable[[Service], None]:
    def write(service: Service) -> None:
        path = service.site / "lang/main.json"
        texts = json.loads(path.read_text("utf-8"))
        change(texts)
        path.write_text(json.dumps(texts), "utf-8")

    return write


MUTATIONS = {
    "a tracker in a script": (
        lambda s: s.add(APP, 'fetch("https://tracker.planted.example/x");'),
        {"NET-04 bundle": "red"},
    ),
    "an SDK for telemetry": (
        lambda s: s.add(APP, 'x="watchrtcConfig";'),
        {"NET-04 bundle": "red", "TRK-01 bundle": "red"},
    ),
    "a STUN server as fallback": (
        lambda s: s.add(APP, 'x={urls:"stun:stun.planted.example:443"};'),
        {"NET-02 bundle": "red", "NET-04 bundle": "red"},
    ),
    "a foreign STUN server in config.js": (
        lambda s: s.replace(s.site / "config.js", "stunServers: []", 'stunServers: [{ urls: "stun:192.0.2.9" }]'),
        {"NET-02 bundle": "red", "NET-04 bundle": "red"},
    ),
    "a protective setting that links may change": (
        lambda s: s.add(APP, 'k=["subject","p2p.enabled"];'),
        {"CFG-01 bundle": "red"},
    ),
    "a lasting id": (
        lambda s: s.add(APP, 's.getItem("jitsiMeetId");'),
        {"TRK-02 bundle": "red", "STO-01 bundle": "red"},
    ),
    "a history in the browser": (
        lambda s: (s.replace(s.site / APP, "(!0)", "(!1)"), s.add(APP, 'r("features/recent-list");')),
        {"STO-01 bundle": "red", "STO-02 bundle": "red"},
    ),
    "no login page": (
        lambda s: s.replace(s.site / APP, "personalLogin", "welcome"),
        {"AUTH-01 bundle": "red", "AUTH-02 bundle": "red", "MED-01 bundle": "grey"},
    ),
    "direct connections": (
        lambda s: s.replace(s.site / "config.js", "enabled: false", "enabled: true"),
        {"NET-06 bundle": "red"},
    ),
    "invitations without notes": (_texts(lambda texts: texts["hardenedInvite"].pop("mobileNote")), {"INV-01 bundle": "red"}),
    "a language without notes": (lambda s: (s.site / TEXTS).write_text("{}"), {"INV-01 bundle": "yellow"}),
    "the password in an invitation": (
        _texts(lambda texts: texts["info"].update(inviteURLSecondPart="{{url}} {{password}}")),
        {"INV-02 bundle": "red"},
    ),
    "a webmail button": (
        lambda s: s.add(APP, 'open("https://mail.google.com/mail/?view=cm");'),
        {"INV-04 bundle": "red", "NET-04 bundle": "red"},
    ),
    "a manifest that prefers an app": (
        lambda s: (s.site / "manifest.json").write_text('{"prefer_related_applications": true}'),
        {"APP-01 bundle": "red"},
    ),
    "a link to the vendor": (
        lambda s: s.add(APP, 'open("https://web-cdn.jitsi.net/help");'),
        {"NET-04 bundle": "red", "APP-02 bundle": "red", "ORG-02 bundle": "red"},
    ),
    "a guest host": (
        _append(PROSODY, 'VirtualHost "guest.meet.example.org"\n    authentication = "jitsi-anonymous"\n'),
        {"AUTH-01 deployment": "red", "AUTH-05 deployment": "yellow", "AUTH-06 deployment": "red"},
    ),
    "the first one in moderates": (
        _server("jitsi/jicofo/jicofo.conf", "enable-auto-owner: false", "enable-auto-owner: true"),
        {"AUTH-03 deployment": "yellow", "AUTH-04 deployment": "yellow"},
    ),
    "no policy": (
        _server(HEADERS, "add_header Content-Security-Policy ", "add_header X-Planted "),
        {"HDR-01 deployment": "red", "HDR-04 deployment": "red"},
    ),
    "no HSTS": (
        _server(HEADERS, "add_header Strict-Transport-Security ", "add_header X-Planted "),
        {"HDR-02 deployment": "red", "HDR-04 deployment": "yellow"},
    ),
    "no decision on a DPIA": (
        lambda s: s.replace(s.operator, '[answers.dpia]\nstate = "done"', '[answers.dpia]\nstate = "missing"'),
        {"ORG-03 organisation": "red"},
    ),
    "an old answer": (
        lambda s: s.replace(s.operator, '[answers.location]\nstate = "done"\ndocument = "D"\ndate = 2026-03-01',
                            '[answers.location]\nstate = "done"\ndocument = "D"\ndate = 2023-03-01'),
        {"ORG-01 organisation": "grey"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_moves_exactly_its_lights(tmp_path: Path, lights: dict[str, str], name: str) -> None:
    change, expected = MUTATIONS[name]
    found = assessed.finished(tmp_path, change).lights()
    assert {place: light for place, light in found.items() if light != lights[place]} == expected


# Upstream's defaults in a few lines: anonymous login, the first one in moderates, no headers, a foreign STUN server.
STOCK = {
    "prosody/prosody.cfg.lua": 'Include "conf.d/*.cfg.lua"\n',
    "prosody/conf.d/meet.example.org.cfg.lua": """VirtualHost "meet.example.org"
    authentication = "jitsi-anonymous"
    modules_enabled = { "bosh", "websocket" }
Component "conference.meet.example.org" "muc"
""",
    "jitsi/jicofo/jicofo.conf": "jicofo { xmpp { client { hostname = localhost } } }\n",
    "jitsi/meet/meet.example.org-config.js": """var config = {
    hosts: { domain: 'meet.example.org', muc: 'conference.meet.example.org' },
    p2p: { enabled: true, stunServers: [{ urls: 'stun:meet-jit-si-turnrelay.jitsi.net:443' }] }
};
""",
    "nginx/sites-enabled/meet.example.org.conf": """server {
    listen 443 ssl; server_name meet.example.org; root /usr/share/jitsi-meet; ssi on; index index.html;
    location = /config.js { alias /etc/jitsi/meet/meet.example.org-config.js; }
    location ~ ^/([^/?&:'"]+)$ { try_files $uri @root_path; }
    location @root_path { rewrite ^/(.*)$ / break; }
}
""",
}


def test_stock_settings_show_the_red_that_each_criterion_expects(tmp_path: Path) -> None:
    def change(service: Service) -> None:
        shutil.rmtree(service.server)
        for name, text in STOCK.items():
            (service.server / name).parent.mkdir(parents=True, exist_ok=True)
            (service.server / name).write_text(text, "utf-8")

    found = assessed.finished(tmp_path, change).lights()
    expected = {
        f"{criterion.id} deployment": criterion.stock["deployment"]
        for criterion in catalogue.load().criteria
        if "deployment" in criterion.stock
    }
    assert len(expected) == 10
    assert {place: found[place] for place in expected} == expected


RECORDS = {
    "a contact caused by a participant": (
        {
            "totals": {"contacts": 1, "browser": 1, "transport": 1, "runs_with_messages": 0, "runs_with_mistaken": 0},
            "runs": [{"journey": "call-mallory", "contacts": [{"host": "x"}], "stored": [], "given_away": []}],
        },
        (),
        {"NET-01 bundle": "red", "NET-03 bundle": "red", "NET-05 bundle": "red"},
    ),
    "a packet that the browser did not see": (
        {"totals": {"contacts": 1, "browser": 0, "transport": 1, "runs_with_messages": 0, "runs_with_mistaken": 0}},
        (),
        {"NET-03 bundle": "red"},
    ),
    "a value left in the browser": (
        {"runs": [{"journey": "leave", "contacts": [], "stored": ["local:room"], "given_away": []}]},
        (),
        {"STO-01 bundle": "yellow", "STO-02 bundle": "red", "NET-05 bundle": "grey"},
    ),
    "a void run": (
        {"verdict": "void"},
        (),
        dict.fromkeys([f"{name} bundle" for name in "NET-01 NET-03 NET-05 TRK-02 STO-01 STO-02".split()], "grey"),
    ),
    "a part of a run": (
        {"only": ["call"]},
        (),
        dict.fromkeys([f"{name} bundle" for name in "NET-01 NET-03 NET-05 TRK-02 STO-01 STO-02".split()], "grey"),
    ),
    "an old run": (
        {"date": "2026-05-30 10:00:00Z"},
        (),
        dict.fromkeys([f"{name} bundle" for name in "NET-01 NET-03 NET-05 TRK-02 STO-01 STO-02".split()], "grey"),
    ),
    "a run of half a year ago": ({"date": "2026-05-31 10:00:00Z"}, (), {}),
    "a skipped test": ({}, ("test_mobile",), {"APP-01 bundle": "grey"}),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_decides_only_what_it_shows(tmp_path: Path, lights: dict[str, str], name: str) -> None:
    evidence, skipped, expected = RECORDS[name]
    made = assessed.service(tmp_path)
    made.finish(evidence, skipped)
    found = made.lights()
    assert {place: light for place, light in found.items() if light != lights[place]} == expected


def test_records_about_another_bundle_count_for_nothing(tmp_path: Path, lights: dict[str, str]) -> None:
    made = assessed.finished(tmp_path)
    made.add(APP, " ")
    found = made.lights()
    changed = {place for place, light in found.items() if light != lights[place]}
    assert found["SUP-01 bundle"] == "red"
    assert {found[place] for place in changed - {"SUP-01 bundle"}} == {"grey"}
    assert {"NET-01 bundle", "AUTH-01 bundle"} <= changed


def test_operators_files_are_listed_and_not_a_mismatch(tmp_path: Path) -> None:
    made = assessed.finished(tmp_path)
    made.add("config.js", "config.startSilent = true;")
    (made.site / "own.png").write_bytes(b"x")
    found = SENSORS["files"].measure(made.subject()).metrics
    assert found == {"files.changed": 0, "files.settings": 1, "files.extra": 1, "files.missing": 0}
    assert made.lights()["SUP-01 bundle"] == "yellow"


def test_what_a_package_puts_elsewhere_is_not_missing(tmp_path: Path) -> None:
    made = assessed.finished(tmp_path)
    for name in ("config.js", "LICENSE"):
        (made.site / name).unlink()
    found = SENSORS["files"].measure(made.subject()).metrics
    assert found == {"files.changed": 0, "files.settings": 1, "files.extra": 0, "files.missing": 0}
    (made.site / "manifest.json").unlink()
    assert SENSORS["files"].measure(made.subject()).metrics["files.missing"] == 1


def test_the_own_stun_server_is_not_foreign(tmp_path: Path) -> None:
    made = assessed.service(tmp_path)
    made.replace(made.site / "config.js", "stunServers: []", 'stunServers: [{ urls: "stun:turn.own.example" }]')
    made.replace(made.operator, 'profile = "high"', 'profile = "high"\nown_hosts = ["https://turn.own.example"]')
    assert SENSORS["config"].measure(made.subject()).metrics["config.foreign_stun"] == 0


def test_settings_that_need_to_be_run_are_named_in_the_evidence(tmp_path: Path) -> None:
    made = assessed.service(tmp_path)
    (made.site / "config.js").write_text("var config = { p2p: { enabled: window.x } };\n")
    found = SENSORS["config"].measure(made.subject())
    assert (found.metrics["config.p2p"], found.evidence["unclear"]) == (
        "unclear", ["p2p.enabled has a value that needs to be run"],
    )  # fmt: skip


@pytest.mark.parametrize("host", ["turn.own.example.evil.example", "evil-turn.own.example", "own.example"])
def test_a_host_is_own_only_if_it_is_the_same(tmp_path: Path, host: str) -> None:
    made = assessed.service(tmp_path)
    made.replace(made.site / "config.js", "stunServers: []", f'stunServers: [{{ urls: "stun:{host}" }}]')
    made.replace(made.operator, 'profile = "high"', 'profile = "high"\nown_hosts = ["https://turn.own.example"]')
    assert SENSORS["config"].measure(made.subject()).metrics["config.foreign_stun"] == 1
