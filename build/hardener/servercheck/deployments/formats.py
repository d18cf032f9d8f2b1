"""Formats of configurations that are not read here: what each of them is called, and what to give instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardener.servercheck.model import Where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hardener.servercheck.deployments.files import Folder
    from hardener.servercheck.model import Deployment

PODS = "copy what the pods run with (kubectl cp POD:/config look/prosody, the same for jicofo and web), and check look"
SERVER = "check /etc of a server that it was applied to, or a copy of it"


@dataclass(frozen=True)
class Format:
    """A format, its files (patterns), and what can be checked in its place."""

    name: str
    files: str
    instead: str


FORMATS = (
    Format("a Helm chart", "Chart.yaml values.yaml values.yml values.*.yaml values-*.yaml", PODS),
    Format("Kubernetes manifests", "kustomization.yaml kustomization.yml k8s/*.yaml kubernetes/*.yaml", PODS),
    Format("a template of Ansible", "*.j2 playbook.yml tasks/main.yml", SERVER),
    Format("a template of Puppet or Chef", "*.erb *.epp manifests/*.pp", SERVER),
    Format("Salt states", "*.sls", SERVER),
    Format(
        "NixOS modules",
        "*.nix",
        "copy the generated files and follow their links (cp -rL /etc/prosody /etc/nginx look/, and what the units name"
        " in /nix/store), and check look",
    ),
    Format(
        "Quadlets of Podman",
        "*.container *.kube",
        "copy what the containers run with (podman cp prosody:/config look/prosody, the same for jicofo and web), and"
        " check look",
    ),
    Format("an application of Terraform", "*.tf", SERVER),
)
# Top-level keys of YAML files that are not compose files, by the format that they are of.
KEYS = {
    "a Helm chart": frozenset("apiVersion jicofo jvb prosody replicaCount image ingress global jitsi".split()),
    "Kubernetes manifests": frozenset({"kind"}),
}


def unread(folder: Folder, result: Deployment) -> None:
    """Note each format that is in the folder: without Prosody's own files, nothing is known of the server."""
    for kind in FORMATS:
        if found := folder.find(*kind.files.split()):
            reason = f"{kind.name}, which is not read here: {kind.instead}"
            result.doubt(Where(folder.name(found[0])), reason, vital=result.prosody is None)


def of_keys(keys: Iterable[str]) -> str:
    """Return what to say of a YAML file without services; empty: it is none of these formats."""
    names = set(keys)
    kind = next((kind for kind in reversed(FORMATS) if names & KEYS.get(kind.name, frozenset())), None)
    return f"{kind.name}, which is not read here: {kind.instead}" if kind else ""
