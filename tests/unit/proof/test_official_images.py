"""The flavour 'official' asks upstream's images for what they have, at the pin and at a later release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from hardener import config
from hardener.proof.stack import contexts, staging

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES = ("prosody", "jicofo", "jvb")


@pytest.fixture
def ours() -> dict:
    return yaml.safe_load((contexts.DOCKER / "compose.official.yml").read_text(encoding="utf-8"))


def test_upstreams_compose_file_passes_on_each_variable(show: Callable[[str], str], ours: dict) -> None:
    upstream = yaml.safe_load(show("docker-compose.yml"))["services"]
    known = {name: {entry.partition("=")[0] for entry in upstream[name]["environment"]} for name in SERVICES}
    shared = set(ours["x-environment"])
    assert shared <= set.union(*known.values())
    for name in SERVICES:
        assert set(ours["services"][name]["environment"]) - shared <= known[name], name


def test_upstreams_images_have_the_pages_that_tell_their_health(show: Callable[[str], str], ours: dict) -> None:
    for name in SERVICES:
        address = ours["services"][name]["healthcheck"]["test"][-1]
        assert address in show(f"{name}/rootfs/usr/local/bin/healthcheck.sh"), name


def test_our_modules_lie_where_upstreams_prosody_looks(show: Callable[[str], str], ours: dict) -> None:
    template = show("prosody/rootfs/defaults/conf.d/jitsi-meet.cfg.lua")
    upstream = yaml.safe_load(show("docker-compose.yml"))["services"]["prosody"]["volumes"]
    assert any(volume.split(":")[1] == "/prosody-plugins-custom" for volume in upstream)
    for volume in ours["services"]["prosody"]["volumes"]:
        folder = "/" + volume.split(":")[1].split("/")[1]
        assert f'"{folder}/"' in template or f'"{folder}"' in template, folder


@pytest.mark.parametrize("show", ["stable-10978"], indirect=True)
def test_images_of_the_pin_are_those_that_upstream_names(show: Callable[[str], str]) -> None:
    upstream = yaml.safe_load(show("docker-compose.yml"))["services"]
    images = staging.upstream_images(config.load(contexts.DOCKER.parents[1]))
    tag = images["jvb"].rpartition(":")[2]
    names = {name: upstream[name]["image"] for name in SERVICES}
    assert images == {name: f"docker.io/jitsi/{name}:{tag}" for name in SERVICES}
    assert names == {name: f"jitsi/{name}:${{JITSI_IMAGE_VERSION:-{tag}}}" for name in SERVICES}
