"""A small bundle, its release, its records, a server and a declaration: what an assessment of a hardened service finds."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hardener.assessment import catalogue, judging
from hardener.assessment.declaration import TOPICS
from hardener.assessment.run import Order
from hardener.assessment.sensors.model import Measured, Subject
from hardener.assessment.sensors.registry import SENSORS, measure
from hardener.pipeline import proofs
from hardener.system import stamps
from support import server_fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hardener.assessment.sensors.registry import Reading

ROOT = Path(__file__).parents[2]
NOW = dt.datetime(2026, 11, 27, 6, 0, tzinfo=dt.UTC)
TODAY = NOW.date()
APP, TEXTS = "libs/app.bundle.min.js", "lang/main-de.json"
_READ: dict[str, Measured] = {}
_NOTES = {"mobileNote": "m", "mobileNoteBrowser": "b", "loginNote": "l", "dialogHint": "h"}
FILES = {
    "index.html": "<!doctype html><title>x</title>",
    APP: 's.setLocalStorageDisabled(!0);k.startsWith("features/");t("personalLogin.title");',
    "lang/main.json": json.dumps(
        {"hardenedInvite": _NOTES, "personalLogin": {}, "info": {"inviteURLSecondPart": "{{url}}"}}
    ),
    TEXTS: json.dumps({"hardenedInvite": _NOTES}),
    "config.js": "var config = { p2p: { enabled: false, stunServers: [] }, enableInsecureRoomNameWarning: true };",
    "manifest.json": '{"name": "x"}',
    "LICENSE": "x",
}


@dataclass
class Service:
    """The files of a service below one folder; a test changes them before ``finish()``."""

    folder: Path

    @property
    def site(self) -> Path:
        """Return the bundle."""
        return self.folder / "site"

    @property
    def root(self) -> Path:
        """Return a project with lists, patches and records."""
        return self.folder / "project"

    @property
    def server(self) -> Path:
        """Return the server's files."""
        return self.folder / "debian"

    @property
    def operator(self) -> Path:
        """Return the declaration."""
        return self.folder / "operator.toml"

    def add(self, name: str, text: str) -> None:
        """Append to a file of the bundle."""
        with (self.site / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def replace(self, path: Path, old: str, new: str) -> None:
        """Change a text in a file, which has to have it."""
        text = path.read_text("utf-8")
        assert old in text, f"{path} has no {old!r}"
        path.write_text(text.replace(old, new), "utf-8")

    def finish(self, evidence: Mapping[str, Any] | None = None, skipped: tuple[str, ...] = ()) -> None:
        """Pack the release, and write records about the bundle as it is."""
        _release(self)
        _records(self, evidence or {}, skipped)

    def subject(self, **more: Any) -> Subject:
        """Return the subject for sensors, with everything."""
        from hardener.assessment.declaration import read  # noqa: PLC0415 (the file may have been changed)

        given = {
            "servers": (self.server,),
            "declaration": read(self.operator, TODAY),
            "release": self.root / "dist",
            "records": self.root / ".work",
        }
        return Subject(self.site, self.root, TODAY, **given | more)

    def order(self, **more: Any) -> Order:
        """Return the order of an assessment of everything."""
        given: dict[str, Any] = {"site": self.site, "root": self.root, "out": self.folder / "out"}
        given |= {"servers": (self.server,), "operator": self.operator, "full": True, "release": self.root / "dist"}
        return Order(**given | more)

    def lights(self, readings: Mapping[str, Reading] | None = None) -> dict[str, str]:
        """Return all lights, as ``NET-01 bundle`` -> ``green``."""
        subject = self.subject()
        found = readings or measure(subject, [uncalibrated(sensor) for sensor in SENSORS.values()])
        judged = judging.judge(catalogue.load().criteria, found, "high", subject.declaration, TODAY, visited=False)
        return {
            f"{item.criterion.id} {column}": verdict.light
            for item in judged
            for column, verdict in item.verdicts.items()
        }


class uncalibrated:  # noqa: N801 (it takes the place of a sensor)
    """A sensor whose calibration is another test's."""

    def __init__(self, sensor: Any) -> None:
        self.name, self._measure = sensor.name, sensor.measure

    def measure(self, subject: Subject) -> Measured:
        """Measure; files of a server that were read before are not read again."""
        if self.name != "server":
            return self._measure(subject)
        key = "".join(map(stamps.folder_digest, subject.servers))
        if key not in _READ:
            _READ[key] = self._measure(subject)
        return _READ[key]

    def calibrate(self, _subject: Subject) -> bool:
        """Return that it passed."""
        return True


def service(folder: Path) -> Service:
    """Write a hardened service; ``finish()`` has to be called once it is as a test wants it."""
    made = Service(folder)
    for name, text in FILES.items():
        (made.site / name).parent.mkdir(parents=True, exist_ok=True)
        (made.site / name).write_text(text, "utf-8")
    made.root.mkdir()
    for name in ("hosts.toml", "sdks.toml", "upstream.toml"):
        shutil.copy(ROOT / name, made.root / name)
    patches = made.root / "patches" / "jitsi-meet"
    patches.mkdir(parents=True)
    (patches / "a.patch").write_text("Upstream-Status: Submitted https://forge.example/1\n", "utf-8")
    server_fixtures.clean("debian", folder)
    answers = "".join(f'[answers.{topic}]\nstate = "done"\ndocument = "D"\ndate = 2026-03-01\n' for topic in TOPICS)
    service_table = '[service]\nname = "S"\noperator = "O"\nprofile = "high"\n'
    made.operator.write_text(service_table + answers, "utf-8")
    return made


def finished(folder: Path, change: Callable[[Service], None] = lambda _service: None) -> Service:
    """Return a finished service with a change."""
    made = service(folder)
    change(made)
    made.finish()
    return made


def _release(made: Service) -> None:
    dist = made.root / "dist"
    dist.mkdir(exist_ok=True)
    packed = dist / "x.tar.gz"

    def dated(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = int(NOW.timestamp()) - 86400
        return member

    with tarfile.open(packed, "w:gz") as archive:
        for path in sorted(made.site.rglob("*")):
            if path.is_file():
                archive.add(path, path.relative_to(made.site).as_posix(), filter=dated)
    patch = {"name": "a.patch", "sha256": stamps.file_digest(made.root / "patches" / "jitsi-meet" / "a.patch")}
    component = {"name": "jitsi-meet", "commit": "0" * 40, "release": "1", "patches": [patch], "downstream": []}
    archives = [{"file": packed.name, "sha256": stamps.file_digest(packed)}]
    manifest = {"label": "x-1", "archives": archives, "components": [component]}
    (dist / "build-manifest.json").write_text(json.dumps(manifest), "utf-8")
    (dist / "x.cdx.json").write_text("{}", "utf-8")


def _records(made: Service, evidence: Mapping[str, Any], skipped: tuple[str, ...]) -> None:
    digest = proofs.site_digest(made.site)
    totals = dict.fromkeys(("contacts", "browser", "transport", "runs_with_messages", "runs_with_mistaken"), 0)
    run = {"journey": "call-mallory", "contacts": [], "stored": ["local:language"], "given_away": ["stats-id"]}
    summary = {
        "site_sha256": digest, "verdict": "clean", "canaries": [{"run": "canaries"}], "unproven": [], "totals": totals,
        "runs": [run], "date": "2026-11-26", "browser": "Chromium",
    } | dict(evidence)  # fmt: skip
    folder = made.root / ".work" / "evidence" / "site"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary), "utf-8")
    about = proofs.Subject("0" * 40, clean=True, trees={}, site_sha256=digest)
    skips = tuple(proofs.Skip(f"tests/e2e/{name}.py::test_x", "planted") for name in skipped)
    proofs.write(made.root, proofs.Record("e2e", about, "2026-11-26", 10, (), skips))
