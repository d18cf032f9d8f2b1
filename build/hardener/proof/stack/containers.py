"""The containers, networks and volumes of a stack, found by Compose's own labels, in any state."""

from __future__ import annotations

import json
from typing import Any

from hardener.proof.stack import docker

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"


def containers(name: str) -> dict[str, str]:
    """Return the containers of a stack: service -> container id."""
    form = f'{{{{.Label "{SERVICE}"}}}} {{{{.ID}}}}'
    listed = docker.output("ps", "--all", "--no-trunc", "--filter", f"label={PROJECT}={name}", "--format", form)
    return {service: container for service, _, container in (line.partition(" ") for line in listed.splitlines())}


def health(name: str) -> dict[str, str]:
    """Return how the containers of a stack are: service -> healthy, starting, unhealthy, or what it is instead of
    running.
    """
    ids = containers(name)
    told = json.loads(docker.output("inspect", *ids.values())) if ids else []
    return {container["Config"]["Labels"][SERVICE]: _state(container["State"]) for container in told}


def _state(state: dict[str, Any]) -> str:
    return str(state["Status"] if state["Status"] != "running" else state.get("Health", {}).get("Status", "running"))


def remove(name: str) -> int:
    """Remove all that belongs to a stack; returns how many containers, networks and volumes that were."""
    count = 0
    for listing, removal in (
        (("ps", "--all", "--quiet"), ("rm", "--force", "--volumes")),
        (("network", "ls", "--quiet"), ("network", "rm")),
        (("volume", "ls", "--quiet"), ("volume", "rm", "--force")),
    ):
        found = docker.output(*listing, "--filter", f"label={PROJECT}={name}").split()
        if found:
            docker.output(*removal, *found)
        count += len(found)
    return count
