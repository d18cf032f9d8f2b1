"""An operator's own patches and overlays (``--extra DIR``): laid after ours, seen in name, manifest and check."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .conftest import SITE, Minimeet, Reference, Run, digest, unpack

NAME = "minimeet-hardened-v1.0+1.ministry.tar.gz"
OVERLAYS = """[[file]]
path = "static/imprint.html"
action = "add"
reason = "who runs this service"
"""
HOSTS = '[[host]]\nhost = "ministry.example"\nclass = "link"\nreason = "who runs this service"\ncount = 2\n'
MESSAGE = """Name our own domain

The domain of our rooms is not that of the page.

Reason: local-policy
Forwarded: not-needed
Upstream-Status: Inappropriate a setting of one deployment
Evidence: tests/test_domain.py::test_domain
Patch-Name: own-domain.patch
"""


def git(tree: Path, *words: str) -> None:
    """Plain git in a work tree."""
    person = ("-c", "user.name=Mia", "-c", "user.email=mia@example.org")
    subprocess.run(["git", *person, *words], cwd=tree, check=True, capture_output=True)


@pytest.fixture
def extra(minimeet: Minimeet) -> Path:
    """Provide a folder of an operator: a patch of *our* overlay, made with edit and regen, an overlay, and a list of
    hosts.
    """
    folder = minimeet.folder / "ministry"
    files = {
        "overlays/minimeet/overlays.toml": OVERLAYS,
        "overlays/minimeet/static/imprint.html": '<a href="https://ministry.example/">The ministry</a>\n',
        "hosts.toml": HOSTS,
        "tests/test_domain.py": "def test_domain():\n    assert True\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    (folder / "patches/minimeet").mkdir(parents=True)
    opened = minimeet.run("edit", "minimeet", "--extra", str(folder))
    assert opened.code == 0, opened.stderr
    tree = minimeet.root / ".work/edit/minimeet.ministry"
    config = tree / "config.js"
    config.write_text(config.read_text("utf-8").replace("domain: location.hostname", "domain: 'ministry.example'"))
    git(tree, "commit", "--all", "--quiet", "-m", MESSAGE)
    written = minimeet.run("regen", "minimeet", "--extra", str(folder))
    assert written.answer["components"][0]["added"] == ["own-domain.patch"], written.stderr
    return folder


def checked(minimeet: Minimeet, extra: Path) -> Run:
    """``hardener check --extra``, with the tests that minimeet's own patches name."""
    minimeet.write("tests/pipeline/test_demo.py", Path(__file__).with_name("test_demo.py").read_text("utf-8"))
    return minimeet.run("check", "--extra", str(extra))


def test_it_is_built_after_ours_and_named(minimeet: Minimeet, extra: Path, reference: Reference) -> None:
    """Both files are in the site, the manifest says whose they are, and our own build is as before."""
    run = minimeet.build("--extra", str(extra))
    assert run.code == 0, run.stderr
    folder = minimeet.dist / "hardened.ministry"
    site = unpack(folder / NAME)
    assert any(name.endswith("static/imprint.html") for name in site)
    (config,) = (content for name, content in site.items() if name.rpartition("/")[2] == "config.js")
    assert b"domain: 'ministry.example'" in config
    component = run.answer["components"][0]
    (downstream,) = component["downstream"]
    patch = extra / "patches/minimeet/own-domain.patch"
    assert downstream["name"] == "ministry"
    assert [(p["name"], p["sha256"]) for p in downstream["patches"]] == [("own-domain.patch", digest(patch))]
    assert [file["path"] for file in downstream["overlays"]] == ["static/imprint.html"]
    assert [p["name"] for p in component["patches"]] == [
        p["name"] for p in reference.run.answer["components"][0]["patches"]
    ]
    assert str(minimeet.folder) not in (folder / "build-manifest.json").read_text("utf-8")
    ours = minimeet.build()
    assert ours.sums == reference.run.sums
    assert ours.answer["components"][0]["downstream"] == []
    assert (minimeet.dist / SITE).exists()


def test_a_change_of_it_is_built_anew(minimeet: Minimeet, extra: Path) -> None:
    """The second build has nothing to do until a file of the operator changes, or only a header."""
    first = minimeet.build("--extra", str(extra))
    again = minimeet.build("--extra", str(extra))
    assert (again.answer["fresh"], again.sums) == (False, first.sums)
    patch = extra / "patches/minimeet/own-domain.patch"
    patch.write_text(patch.read_text("utf-8").replace("The domain of our rooms", "Here the domain of rooms"), "utf-8")
    header = minimeet.build("--extra", str(extra))
    assert header.sums == first.sums
    assert header.answer["components"][0]["downstream"][0]["patches"][0]["sha256"] == digest(patch)
    page = extra / "overlays/minimeet/static/imprint.html"
    page.write_text(page.read_text("utf-8") + "<p>new</p>\n", "utf-8")
    assert minimeet.build("--extra", str(extra)).sums != first.sums


def test_a_host_of_the_operator_is_refused_without_its_own_list(minimeet: Minimeet, extra: Path) -> None:
    """The control of hosts.toml in the operator's folder."""
    (extra / "hosts.toml").unlink()
    run = minimeet.build("--extra", str(extra))
    assert (run.code, "ministry.example" in run.stderr) == (7, True)


SDK = '[[sdk]]\nname = "{}"\nreason = "because"\n{}'


def test_an_sdk_of_the_operators_own_list_is_refused(minimeet: Minimeet, extra: Path) -> None:
    (extra / "sdks.toml").write_text(SDK.format("imprint", 'fingerprints = ["The ministry"]'), "utf-8")
    run = minimeet.build("--extra", str(extra))
    assert (run.code, "imprint: fingerprint 'The ministry' in static/imprint.html:" in run.stderr) == (7, True)
    assert minimeet.build().code == 0


def test_an_operator_can_allow_an_sdk_that_ours_forbids(minimeet: Minimeet, extra: Path) -> None:
    """By its name, without a rule; until then their page is refused."""
    page = extra / "overlays/minimeet/static/imprint.html"
    page.write_text(page.read_text("utf-8") + "<script>navigator.sendBeacon('/seen')</script>\n", "utf-8")
    assert minimeet.build("--extra", str(extra)).code == 7
    (extra / "sdks.toml").write_text(SDK.format("crash-reporter", ""), "utf-8")
    run = minimeet.build("--extra", str(extra))
    assert (run.code, run.answer["sdks_excluded"]) == (0, []), run.stderr


def test_check_judges_it_as_ours(minimeet: Minimeet, extra: Path) -> None:
    assert checked(minimeet, extra).code == 0
    patch = extra / "patches/minimeet/own-domain.patch"
    patch.write_text(patch.read_text("utf-8").replace("Upstream-Status", "Upstream-Statsu"), "utf-8")
    run = checked(minimeet, extra)
    assert run.code == 5
    (finding,) = run.answer["findings"]
    assert finding["where"] == "ministry/patches/minimeet/own-domain.patch"
    assert "malformed field" in finding["text"]


def test_an_overlay_of_a_path_that_is_ours_is_refused(minimeet: Minimeet, extra: Path) -> None:
    """Ours is changed by a patch of it, which the message says."""
    entry = '\n[[file]]\npath = "config.js"\naction = "replace"\nreplaces = "' + "1" * 40 + '"\nreason = "ours"\n'
    (extra / "overlays/minimeet/overlays.toml").write_text(OVERLAYS + entry, "utf-8")
    (extra / "overlays/minimeet/config.js").write_text("var config = {};\n", "utf-8")
    run = minimeet.build("--extra", str(extra))
    assert (run.code, run.answer["error"].endswith("the project has the overlay config.js already")) == (3, True)
    assert "by a patch in" in run.answer["hint"]
