"""A whole assessment: result, evidence and report; nothing hostile is markup, and nothing secret is in any file."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hardener.assessment import comparison, report, result, run, wording
from hardener.assessment.catalogue import COLUMNS, LANGUAGES
from hardener.errors import ConfigError, ScanError, StackError, UsageError
from support import assessed
from support.assessed import APP, NOW, Service

HOSTILE = '"><script>alert(1)</script><img src=x onerror=y>&\u202e'
SECRETS = (
    "hunter2hunter2",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln",
    "198.51.100.77",
    "2001:db8:1:2::77",
    "p@planted.example",
)
# The parts of a page, in order: its identities and headings.
GOLDEN = "overview first all details meaning limits method".split()
VOID = frozenset("meta link br hr img input".split())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return assessed.finished(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def done(made: Service) -> run.Assessed:
    return run.bundle(made.order(), NOW)


class Page(HTMLParser):
    """What a page consists of; raises AssertionError for elements that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert len(values) == len(attrs), tag
        self.tags.add(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [str(values[name]) for name in ("href", "src", "action", "data") if name in values]
        assert not any(name.startswith("on") for name in values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_result_fits_its_schema_and_names_its_evidence(done: run.Assessed) -> None:
    made = result.read(done.folder)
    assert made == done.result
    assert (made["columns"], made["assessed"]) == (
        {"bundle": "yellow", "deployment": "grey", "organisation": "green"},
        list(COLUMNS),
    )
    files = {
        (file["path"], file["sha256"])
        for item in made["results"]
        for verdict in item["lights"].values()
        for file in verdict["evidence"]
    }
    assert len(files) >= 12
    for path, digest in files:
        assert hashlib.sha256((done.folder / path).read_bytes()).hexdigest() == digest


def test_the_same_input_gives_the_same_bytes(made: Service, done: run.Assessed) -> None:
    again = run.bundle(made.order(out=made.folder / "again"), NOW)
    for path in (*done.pages, done.folder / result.NAME):
        assert (again.folder / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_is_whole_and_loads_nothing(done: run.Assessed, language: str) -> None:
    text = (done.folder / f"report.{language}.html").read_text("utf-8")
    page = Page(text)
    sections = [name for name in page.ids if name in GOLDEN]
    assert (sections, len(page.ids)) == (GOLDEN, len(set(page.ids)))
    assert [item["id"] for item in done.result["results"]] == [name for name in page.ids if "-" in name]
    assert page.tags.isdisjoint({"script", "img", "iframe", "object", "link", "form", "base"})
    assert all(link.startswith(("#", "evidence/")) for link in page.links)
    assert "url(" not in text
    for limit in done.result["limits"][language]:
        assert limit in page.text
    assert text.startswith(f'<!doctype html>\n<html lang="{language}">')


def test_each_light_is_a_colour_a_shape_and_a_word(done: run.Assessed) -> None:
    text = report.page(done.result, "de")
    found = set(re.findall(r'<span class="light (\w+)"><svg [^>]+>(<[^>]+>)</svg>([\w]+)', text))
    assert {(name, word) for name, _shape, word in found} == set(wording.labels("de")["lights"].items())
    assert len({shape for _name, shape, _word in found}) == 4


def test_hostile_text_is_shown_as_text(tmp_path: Path) -> None:
    made = assessed.service(tmp_path)
    hostile = HOSTILE.replace('"', '\\"')
    made.replace(made.operator, 'name = "S"\noperator = "O"', f'name = "{hostile}"\noperator = "{hostile}"')
    made.replace(made.operator, 'document = "D"', f'document = "{hostile}"')
    made.add(APP, f"x='https://evil.example/{HOSTILE}';")
    (made.site / f"lang/main-{'&<script>'}.json").write_text("{}")
    made.finish({"browser": HOSTILE})
    done = run.bundle(made.order(name=HOSTILE), NOW)
    for language in LANGUAGES:
        page = Page((done.folder / f"report.{language}.html").read_text("utf-8"))
        assert page.tags.isdisjoint({"script", "img"})
        assert HOSTILE.replace("\u202e", "\N{REPLACEMENT CHARACTER}") in page.text


def test_no_secret_is_in_any_file(tmp_path: Path) -> None:
    made = assessed.service(tmp_path)
    password, token, address, address6, mail = SECRETS
    made.add(
        APP, f"fetch('https://{address}/a?password={password}&jwt={token}');f('https://[{address6}]/');m='{mail}';"
    )
    contact = {"host": address, "examples": [f"https://x.example/?jwt={token}"]}
    run_facts = {"journey": "call-mallory", "contacts": [contact], "stored": [f"local:{mail}"], "given_away": [mail]}
    made.finish({"runs": [run_facts], "browser": f"{address} {mail} {token}"})
    with (made.server / "prosody/conf.avail/meet.example.org.cfg.lua").open("a") as file:
        file.write(
            f'VirtualHost "x"\n  app_secret = "{password}"\n  admins = {{ "{mail}" }}\n  interfaces = {{ "{address}" }}\n'
        )
    run.bundle(made.order(), NOW)
    for path in (made.folder / "out").rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert [secret for secret in SECRETS if secret in text] == [], path.name


def test_readings_of_the_build_are_used_and_never_written(made: Service) -> None:
    built = made.folder / "scan.json"
    built.write_text("{}")
    for _time in range(2):
        run.bundle(made.order(servers=(), out=made.folder / "kept"), NOW)
    kept = list((made.root / ".work" / "assess-readings").iterdir())
    assert (built.read_text(), len(kept), kept[0].name.startswith("site-")) == ("{}", 1, True)
    assert "readings" in kept[0].read_text()


def test_only_what_was_given_is_assessed(made: Service) -> None:
    done = run.bundle(made.order(servers=(), operator=None, full=False, out=made.folder / "bare"), NOW)
    assert (done.result["assessed"], done.result["service"], done.result["profile"]) == (["bundle"], None, "high")
    assert done.result["worst"] == "grey"


@pytest.mark.parametrize(("worst", "code"), [("red", 7), ("grey", 12), ("yellow", 0), ("green", 0)])
def test_the_exit_code_is_that_of_the_worst_light(worst: str, code: int) -> None:
    assert result.exit_code({"worst": worst}, ScanError.exit_code) == code


def test_a_waiver_is_shown_with_reason_and_name(tmp_path: Path) -> None:
    made = assessed.service(tmp_path)
    made.add(APP, 'k=["subject","p2p.enabled"];')
    with made.operator.open("a") as file:
        file.write('[[waiver]]\nid = "CFG-01"\nreason = "Only staff."\nby = "The DPO"\nuntil = 2027-01-31\n')
        file.write('[[waiver]]\nid = "INV-04"\nreason = "Yellow."\nby = "The DPO"\nuntil = 2027-01-31\n')
        file.write('[[waiver]]\nid = "NET-01"\nreason = "Long ago."\nby = "The DPO"\nuntil = 2026-01-31\n')
    made.finish()
    done = run.bundle(made.order(), NOW)
    items = {item["id"]: item for item in done.result["results"]}
    verdict = items["CFG-01"]["lights"]["bundle"]
    assert (verdict["light"], verdict["measured"]) == ("yellow", "red")
    assert items["NET-01"]["expired_waiver"]["until"] == "2026-01-31"
    page = Page((done.folder / "report.en.html").read_text("utf-8"))
    assert "Only staff. (by The DPO, accepted until 2027-01-31)" in page.text
    assert "A waiver expired on 2026-01-31: Long ago." in page.text
    assert items["INV-04"]["unused_waiver"]["reason"] == "Yellow."
    assert "Waiver without effect: it accepts red lights only: Yellow. (by The DPO, until 2027-01-31)" in page.text


@pytest.mark.parametrize(
    ("change", "said"),
    [({"site": Path("/nowhere")}, "there is no /nowhere"), ({"site": Path("/usr")}, "not an unpacked bundle"), ({"site": Path(__file__)}, "is a file"), ({"servers": (Path("/nowhere"),)}, "there is no /nowhere"),
     ({"operator": Path("/nowhere.toml")}, "there is no /nowhere.toml")],
)  # fmt: skip
def test_wrong_input_is_named_before_anything_is_written(made: Service, change: dict, said: str) -> None:
    order = made.order(out=made.folder / "never", **change)
    with pytest.raises(UsageError, match=said):
        run.bundle(order, NOW)
    assert not (made.folder / "never").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": "hardener-assessment/9"}', "[" * 100_000])
def test_what_is_not_a_result_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"x\.json"):
        result.read(path)


def test_a_result_of_others_cannot_bring_markup_or_paths(done: run.Assessed) -> None:
    wrong = json.loads(json.dumps(done.result))
    verdict = next(iter(wrong["results"][0]["lights"].values()))
    verdict["evidence"] = [{"sensor": "x", "path": "javascript:alert(1)", "sha256": "0" * 64}]
    with pytest.raises(ConfigError, match="evidence"):
        result.check(wrong, "x")


def test_a_missing_browser_is_explained(done: run.Assessed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StackError) as raised:
        report.print_pdf(done.pages[0])
    assert "chromium" in raised.value.hint


def test_services_are_compared_in_one_table(done: run.Assessed) -> None:
    other = json.loads(json.dumps(done.result))
    other["service"]["name"] = HOSTILE
    other["results"] = other["results"][1:]
    other["columns"]["bundle"] = "red"
    cell = other["results"][0]["lights"]["bundle"]
    cell |= {"light": "red", "reason": dict.fromkeys(LANGUAGES, "because of a planted host")}
    for text in comparison.pages([done.result, other]).values():
        page = Page(text)
        assert page.tags.isdisjoint({"script", "img"})
        assert page.text.count("2. " + HOSTILE.replace("\u202e", "\N{REPLACEMENT CHARACTER}")) == 4
        assert "NET-01" in page.text
        assert page.text.count("because of a planted host") == 1
    assert comparison.rows([done.result, other])[1][1] == "red"


def test_results_of_one_service_are_told_apart_by_what_was_assessed(done: run.Assessed) -> None:
    other = json.loads(json.dumps(done.result))
    other["subject"]["name"] = "before the update"
    assert "(before the update)" in comparison.rows([done.result, other])[1][0]
    assert comparison.rows([done.result])[0][0] == report.name_of(done.result)
    for text in comparison.pages([done.result, other]).values():
        assert "before the update" in Page(text).text


@pytest.mark.parametrize(("digest", "shown"), [("0" * 64, ["AUTH-01"]), (None, [])])
def test_a_comparison_of_different_catalogues_names_the_criteria_with_another_rule(
    done: run.Assessed, digest: str | None, shown: list[str]
) -> None:
    other = json.loads(json.dumps(done.result))
    next(item for item in other["results"] if item["id"] == "AUTH-01")["revision"] -= 1
    other["catalogue"]["sha256"] = digest or other["catalogue"]["sha256"]
    notice = Page(comparison.pages([done.result, other])["comparison.en.html"]).text.partition("different versions")[2]
    assert [word for word in notice.partition("Web client")[0].split() if word == "AUTH-01"] == shown


def test_a_difference_lists_what_changed_the_worse_first(done: run.Assessed) -> None:
    new = json.loads(json.dumps(done.result))
    lights = {item["id"]: item["lights"] for item in new["results"]}
    lights["INV-01"]["bundle"]["light"] = "red"
    lights["INV-03"]["bundle"]["light"] = "green"
    found = comparison.changes(done.result, new)
    assert [(change.id, change.worse) for change in found] == [("INV-01", True), ("INV-03", False)]
    assert (comparison.worse(found), comparison.worse(found[1:])) == (True, False)
    assert comparison.changes(new, new) == []


def test_a_column_that_only_one_result_assesses_has_not_changed(done: run.Assessed) -> None:
    new = json.loads(json.dumps(done.result))
    lights = next(item["lights"] for item in new["results"] if "deployment" in item["lights"])
    lights["deployment"]["light"] = "red" if lights["deployment"]["light"] != "red" else "green"
    assert len(comparison.changes(done.result, new)) == 1
    new["assessed"].remove("deployment")
    assert comparison.changes(done.result, new) == comparison.changes(new, done.result) == []


@pytest.mark.parametrize("where", ["site", "site/report", "server/report"])
def test_a_report_into_what_is_assessed_is_refused(made: Service, where: str) -> None:
    server = made.folder / "server"
    server.mkdir(exist_ok=True)
    out = {"site": made.site, "site/report": made.site / "report", "server/report": server / "report"}[where]
    with pytest.raises(UsageError, match="which is assessed"):
        run.bundle(made.order(out=out, servers=(server,)), NOW)
    assert not (out / "assessment.json").exists()


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("red", "green", "better"),
        ("green", "red", "worse"),
        ("red", "grey", "no longer decided"),
        ("green", "grey", "no longer decided"),
        ("grey", "green", "decided"),
        ("grey", "red", "worse"),
        ("-", "red", "only in the new result"),
        ("red", "-", "only in the old result"),
    ],
)
def test_a_change_says_whether_a_light_is_better_or_only_undecided(before: str, after: str, kind: str) -> None:
    assert comparison.Change("NET-01", "bundle", before, after, True, "", False).kind == kind
