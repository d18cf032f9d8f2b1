"""check-server: a hardened server passes, and every mistake that is planted in it is found where it is."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hardener.cli import main
from hardener.errors import UsageError
from hardener.servercheck.check import catalogue, check
from support import server_fixtures
from support.server_fixtures import DOORS, WEAKNESSES, Plant, clean

STACK = Path(__file__).parents[3] / "build" / "docker"
FORMS = ("debian", "docker", "container")


@pytest.mark.parametrize("form", FORMS)
def test_a_hardened_server_has_no_door(form: str, tmp_path: Path):
    result = check([clean(form, tmp_path)])
    assert [
        f"{finding.id} {finding.where} {finding.what}" for finding in result.findings if finding.severity == "critical"
    ] == []
    assert not result.open
    assert len(result.files) > 1


def test_the_hardened_debian_server_has_no_weakness_either(tmp_path: Path):
    result = check([clean("debian", tmp_path)])
    assert {finding.id for finding in result.findings} == {"login-names-visible"}


@pytest.mark.parametrize("plant", DOORS, ids=str)
def test_a_planted_door_is_found_where_it_stands(plant: Plant, tmp_path: Path):
    root = clean(plant.form, tmp_path)
    line = plant.plant(root)
    result = check([root])
    found = [finding for finding in result.findings if finding.id == plant.id and finding.severity == "critical"]
    assert found, f"found only {[finding.id for finding in result.findings]}"
    assert result.open
    assert_there(plant, line, found, root)


@pytest.mark.parametrize("plant", WEAKNESSES, ids=str)
def test_a_planted_weakness_is_found_where_it_stands(plant: Plant, tmp_path: Path):
    root = clean(plant.form, tmp_path)
    before = {(finding.id, finding.file, finding.line) for finding in check([root]).findings}
    line = plant.plant(root)
    found = [finding for finding in check([root]).findings if finding.id == plant.id]
    assert found
    assert plant.id == "login-names-visible" or {(finding.id, finding.file, finding.line) for finding in found} - before
    assert_there(plant, line, found, root)


def test_what_holds_for_several_places_is_printed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Two components with one weakness: its title and meaning once, and both places."""
    root = clean("debian", tmp_path)
    settings = root / "prosody/conf.avail/meet.example.org.cfg.lua"
    settings.write_text(settings.read_text().replace('"muc_known_stanzas"', '"muc_meeting_id"'))
    main.main(["check-server", str(root)])
    printed = capsys.readouterr().err
    findings = [finding for finding in check([root]).findings if finding.id == "stanzas-not-checked"]

    assert len(findings) > 1
    assert [finding.where for finding in findings if finding.where not in printed] == []
    assert printed.count("[stanzas-not-checked]") == printed.count(findings[0].means) == 1


def assert_there(plant: Plant, line: int | None, found: list, root: Path):
    if line is None:
        return
    places = [finding.where for finding in found]
    if line == 0:  # nothing is set, or the place is another than the planted one: found is enough
        return
    file = plant.file.replace("prosody/conf.avail", "prosody/conf.d")  # read by its link
    assert (str(root / file), line) in {(finding.file, finding.line) for finding in found}, places


def test_every_finding_of_the_catalogue_has_a_planted_mistake():
    assert set(catalogue()) == {plant.id for plant in (*DOORS, *WEAKNESSES)}


def our_own_stack(root: Path) -> Path:
    """Return the files that the containers of the local stack run with."""
    shutil.copytree(STACK / "web", root / "nginx")
    shutil.copytree(server_fixtures.NGINX, root / "nginx/hardener")
    (root / "data/config").mkdir(parents=True)
    (root / "data/config/environment.cfg.lua").write_text(
        'VirtualHost "meet.jitsi"\nComponent "muc.meet.jitsi" "muc"\n'
    )
    shutil.copy(STACK / "prosody/prosody.cfg.lua", root)
    return root


@pytest.mark.parametrize("roles", ["logged-in", "named-hosts"])
def test_our_own_stack_passes_with_the_jicofo_settings_that_we_ship(tmp_path: Path, roles: str):
    root = our_own_stack(tmp_path)
    shutil.copy(STACK.parent / f"server/jicofo/{roles}.conf", root / "jicofo.conf")
    found = [finding for finding in check([root]).findings if finding.severity != "note"]
    assert [finding.id for finding in found] == ["web-cleartext"]  # a warning: a stack on 127.0.0.1


def test_the_stand_in_alone_is_no_jicofo(tmp_path: Path):
    """Without jicofo's own settings it is unknown who becomes moderator."""
    doors = [finding for finding in check([our_own_stack(tmp_path)]).findings if finding.severity == "critical"]
    assert [finding.what for finding in doors] == ["no jicofo.conf here: who becomes moderator is not known"]


def test_a_folder_without_configuration_is_an_error_and_no_pass(tmp_path: Path):
    """Also beside another one that has some: the second path is then a mistake."""
    (tmp_path / "etc").mkdir()
    for paths in ([tmp_path / "etc"], [clean("debian", tmp_path), tmp_path / "etc"]):
        with pytest.raises(UsageError, match=rf"{tmp_path}/etc has no configuration of Prosody") as caught:
            check(paths)
        assert "/etc" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("passwd", "root:x:0:0:root:/root:/bin/bash\n"),
        ("found.sarif", '{\n  "version": "2.1.0",\n  "runs": []\n}\n'),
        ("other.env", "POSTGRES_PASSWORD=x\nTZ=UTC\n"),
        ("empty.env", ""),
    ],
)
def test_a_file_without_a_variable_of_docker_jitsi_meet_is_an_error(tmp_path: Path, name: str, text: str):
    """Its defaults would be judged: no login at all. Beside the right file, it may be an env_file of compose."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UsageError, match=str(path)) as caught:
        check([path])
    assert ".env of docker-jitsi-meet" in caught.value.hint
    env = tmp_path / ".env"
    env.write_text("ENABLE_AUTH=1\n")
    assert check([env, path]).files


def test_a_part_alone_does_not_pass_and_the_parts_together_do(tmp_path: Path):
    root = clean("debian", tmp_path)
    (tmp_path / "xmpp").mkdir()
    (root / "prosody").rename(tmp_path / "xmpp/prosody")
    assert check([root]).open
    assert not check([root, tmp_path / "xmpp"]).open


def test_a_link_out_of_the_folder_is_told_and_not_followed(tmp_path: Path):
    root = clean("debian", tmp_path)
    outside = tmp_path / "outside.lua"
    outside.write_text('VirtualHost "stolen" { authentication = "anonymous" }\n')
    (root / "prosody/conf.d/more.cfg.lua").symlink_to(outside)
    result = check([root])
    assert not any("stolen" in finding.what for finding in result.findings)
    assert any(
        "outside of the folder" in finding.what and finding.severity == "critical" for finding in result.findings
    )


def test_a_linked_folder_outside_is_told_and_not_followed(tmp_path: Path):
    root = clean("debian", tmp_path)
    (root / "prosody/conf.d").rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/more.cfg.lua").write_text('VirtualHost "stolen" { authentication = "anonymous" }\n')
    (root / "prosody/conf.d").symlink_to(tmp_path / "elsewhere")
    result = check([root])
    assert not any("stolen" in finding.what for finding in result.findings)
    assert any(
        "outside of the folder" in finding.what and finding.severity == "critical" for finding in result.findings
    )


def test_an_unreadable_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = clean("debian", tmp_path)
    jicofo = root / server_fixtures.JICOFO
    real = type(jicofo).open

    def refuse(self: Path, *mode: str):
        if self.name == "jicofo.conf":
            raise PermissionError(13, "Permission denied")
        return real(self, *mode)

    monkeypatch.setattr(type(jicofo), "open", refuse)
    result = check([root])
    assert any("Permission denied" in finding.what and finding.severity == "critical" for finding in result.findings)


def test_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = clean("debian", tmp_path)
    witness = tmp_path / "ran"
    with (root / server_fixtures.HOST).open("a") as file:
        file.write(f'os.execute("touch {witness}")\nio.open("{witness}", "w")\n')
    (root / server_fixtures.CONFIG).write_text(f"var config = {{}}; require('fs').writeFileSync('{witness}', '')")
    monkeypatch.setattr(subprocess, "Popen", lambda *_a, **_k: pytest.fail("a process was started"))
    check([root])
    assert not witness.exists()


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_is_ever_said(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = clean(form, tmp_path)
    secrets = ["Xq3vD8mKc1RzT5yWb7NhJ2", "pL9sG4dVx6QeU2kYm8BnC3", "3f0b8f3b1a5f4c6d9e2a7c5b8d1e4f60", "9a7c5b8d1e4f60"]
    main.main(["check-server", str(root), "--json"])
    said = "".join(capsys.readouterr())
    assert not [secret for secret in secrets if secret in said]


@pytest.mark.parametrize(
    ("form", "file", "old", "secret"),
    [
        ("debian", server_fixtures.JICOFO, "Xq3vD8mKc1RzT5yWb7NhJ2", "hunter2"),
        ("docker", ".env", "9a7c5b8d1e4f603f0b8f3b1a5f4c6d9e", "hunter2-hunter2"),
        ("docker", ".env", "AUTH_TYPE=internal", "AUTH_TYPE=jwt\nJWT_APP_SECRET=hunter2"),
    ],
)
def test_a_weak_secret_is_found_and_not_said(
    form: str, file: str, old: str, secret: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    root = clean(form, tmp_path)
    (root / file).write_text((root / file).read_text().replace(old, secret))
    main.main(["check-server", str(root), "--json"])
    said = "".join(capsys.readouterr())
    assert "password-" in said or "secret-weak" in said
    assert "hunter2" not in said


def test_the_verb_exits_with_seven_and_says_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = clean("docker", tmp_path)
    assert main.main(["check-server", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["critical"] == 0
    (root / ".env").write_text((root / ".env").read_text().replace("ENABLE_GUESTS=0", "ENABLE_GUESTS=1"))
    assert main.main(["check-server", str(root / ".env"), "--json"]) == 7
    captured = capsys.readouterr()
    finding = next(entry for entry in json.loads(captured.out)["findings"] if entry["id"] == "guest-vhost")
    assert finding["fix"] == finding["cure"] == "ENABLE_GUESTS=0"  # the former name of the key stays
    assert f"{root / '.env'}:{finding['line']} (ENABLE_GUESTS)" in captured.err
    assert "ENABLE_GUESTS=0" in captured.err


def test_an_env_file_alone_is_held_against_upstreams_compose_file(tmp_path: Path):
    root = clean("docker", tmp_path)
    assert not check([root / ".env"]).open


def test_env_and_compose_file_may_be_named_one_by_one(tmp_path: Path):
    root = clean("docker", tmp_path)
    override = root / "more.yml"
    override.write_text("services: { prosody: { environment: { ENABLE_GUESTS: '1' } } }\n")
    assert not check([root / ".env", root / "docker-compose.yml"]).open
    result = check([root / ".env", root / "docker-compose.yml", override])
    assert [(finding.file, finding.line) for finding in result.findings if finding.id == "guest-vhost"] == [
        (str(override), 1)
    ]


def test_cures_are_for_the_form_that_was_read(tmp_path: Path):
    (tmp_path / "a").mkdir()
    root = clean("container", tmp_path)
    plant = next(door for door in DOORS if door.form == "container" and door.id == "guest-vhost")
    plant.plant(root)
    (found,) = [finding for finding in check([root]).findings if finding.id == "guest-vhost"]
    assert found.fix == "ENABLE_GUESTS=0"


def test_a_provider_that_is_mistyped_is_named_with_what_is_meant(tmp_path: Path):
    root = clean("debian", tmp_path)
    file = root / "prosody/conf.avail/meet.example.org.cfg.lua"
    file.write_text(file.read_text("utf-8").replace('"internal_hashed"', '"internal_hased"'), "utf-8")
    found = [finding.what for finding in check([root]).findings if finding.id == "cannot-tell"]
    assert any("'internal_hased' is a provider not known here; did you mean internal_hashed?" in what for what in found)


@pytest.mark.parametrize(("name", "hint"), [("gone", "name a folder"), ("one.cfg.lua", "name its folder")])
def test_what_cannot_be_checked_is_an_error_with_a_hint(name: str, hint: str, tmp_path: Path):
    (tmp_path / "one.cfg.lua").write_text("x = 1")
    with pytest.raises(UsageError) as error:
        check([tmp_path / name])
    assert hint in error.value.hint


def test_an_unknown_module_is_no_door_once_somebody_vouches_for_it(tmp_path: Path):
    root = clean("docker", tmp_path)
    next(plant for plant in DOORS if (plant.id, plant.form) == ("module-unknown", "docker")).plant(root)
    assert [finding.id for finding in check([root]).findings if finding.severity == "critical"] == ["module-unknown"]
    result = check([root], ["home_made"])
    assert not result.open
    assert result.vouched == ("home_made",)
    with pytest.raises(UsageError, match="--vouch-for is not needed for other") as caught:
        check([root], ["home_made", "other"])
    assert "home_made" in caught.value.hint
