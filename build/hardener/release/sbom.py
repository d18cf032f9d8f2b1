"""The software bill of materials of a built site, in CycloneDX (ECMA-424).

It lists what is in the site: upstream's components with the pedigree of each patch, and the npm packages of
:mod:`hardener.release.packages`. The same build gives the same bytes: no clock, no random serial number. Fields with
``bsi:`` are those of BSI TR-03183-2. It holds no vulnerabilities: that guideline wants them in a document of their own.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import uuid
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import AttachedText, ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property
from cyclonedx.model import XsUri as Uri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Commit, Component, ComponentType, Diff, Patch, PatchClassification, Pedigree
from cyclonedx.model.component_evidence import ComponentEvidence
from cyclonedx.model.contact import OrganizationalContact, OrganizationalEntity
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from hardener import __version__
from hardener.release.packages import licence_of, licence_texts
from hardener.series import patch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hardener.config import Project
    from hardener.pipeline.package import Archive
    from hardener.pipeline.results import Built
    from hardener.release.packages import Package

VERSIONS: Mapping[str, SchemaVersion] = {"1.6": SchemaVersion.V1_6, "1.7": SchemaVersion.V1_7}
_ALGORITHMS: Mapping[str, HashAlgorithm] = {
    "sha1": HashAlgorithm.SHA_1,
    "sha256": HashAlgorithm.SHA_256,
    "sha384": HashAlgorithm.SHA_384,
    "sha512": HashAlgorithm.SHA_512,
}
_MAINTAINERS = "The hardener maintainers"
_LICENCES = LicenseFactory()


def sbom(
    project: Project,
    components: Iterable[Built],
    packages: Iterable[Package],
    archive: Archive,
    epoch: int,
    version: str = "1.6",
) -> bytes:
    """Return the bill of materials as JSON.

    ``packages`` are those in the site, ``archive`` is the site's, ``epoch`` is its time in seconds since 1970,
    ``version`` is one of :data:`VERSIONS`.
    """
    maintainers = _maintainers(project)
    root = _root(project, archive, maintainers)
    patched = [_patched(component, archive, maintainers) for component in components]
    npm = {package: _package(package) for package in packages}
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{archive.sha256}"),
        metadata=BomMetaData(
            timestamp=dt.datetime.fromtimestamp(epoch, tz=dt.UTC),
            component=root,
            manufacturer=maintainers,
            tools=ToolRepository(
                components=[Component(name="hardener", version=__version__, type=ComponentType.APPLICATION)]
            ),
        ),
        components=[*patched, *npm.values()],
    )
    bom.register_dependency(root, patched)
    for component in patched:
        uses = [made for package, made in npm.items() if component.name in _users(package, patched[-1].name)]
        bom.register_dependency(component, uses)
    text = make_outputter(bom, OutputFormat.JSON, VERSIONS[version]).output_as_string()
    document: dict[str, Any] = json.loads(text)
    document["compositions"] = _compositions(root, patched, npm.values())
    return (json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _users(package: Package, site: str) -> set[str]:
    """Return the components whose bundles have code of a package; files beside the bundles belong to the site."""
    return {bundle.partition("/")[0] for bundle in package.bundles} | ({site} if package.files else set())


def _maintainers(project: Project) -> OrganizationalEntity:
    """Return who makes the site, with the address that the Debian packages name."""
    address = parseaddr(project.debian.maintainer)[1] if project.debian else ""
    return OrganizationalEntity(name=_MAINTAINERS, contacts=[OrganizationalContact(email=address)] if address else None)


def _root(project: Project, archive: Archive, maintainers: OrganizationalEntity) -> Component:
    version = f"{project.site.release}+{project.revision}"
    return Component(
        bom_ref=project.name,
        name=project.name,
        version=version,
        type=ComponentType.APPLICATION,
        manufacturer=maintainers,
        purl=PackageURL("generic", name=project.name, version=version),
        licenses=[_LICENCES.make_from_string("Apache-2.0", license_acknowledgement=LicenseAcknowledgement.DECLARED)],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=archive.sha256), *_sha512(archive.path)],
        properties=_bsi(archive.path.name),
    )


def _patched(built: Built, archive: Archive, maintainers: OrganizationalEntity) -> Component:
    component = built.component
    described = json.loads(package.read_bytes()) if (package := built.work.path / "package.json").is_file() else {}
    purl = _purl(component.repository, component.commit, component.release)
    layers = built.source.layers
    removed = sum(len(layer.applied.removed) for layer in layers)
    return Component(
        bom_ref=component.name,
        name=component.name,
        version=component.release,
        type=ComponentType.LIBRARY if component.package else ComponentType.APPLICATION,
        manufacturer=maintainers,
        purl=purl,
        licenses=_declared(licence_of(described)),
        evidence=_evidence(licence_texts(built.work.path)),
        external_references=_source(component.repository),
        hashes=_sha512(delivered := _delivered(built) if component.package else archive.path),
        properties=_bsi(delivered.name),
        pedigree=Pedigree(
            ancestors=[
                Component(
                    bom_ref=f"{component.name}@{component.commit}",
                    name=component.name,
                    version=component.release,
                    purl=purl,
                )
            ],
            commits=[Commit(uid=component.commit, url=Uri(component.repository))],
            patches=[
                _patch(layer.layer.patches / result.name, component.name)
                for layer in layers
                for result in layer.applied.results
            ],
            notes=f"git tree {built.source.last.laid.tree}; {len(built.source.paths)} files of the maintainers are "
            f"added, {removed} of upstream removed",
        ),
    )


def _delivered(built: Built) -> Path:
    """Return the bundle of a library: the largest script that the bundler wrote for it."""
    tree, sizes = built.work.path, built.bundled.sizes
    name = max((name for name in sizes if name.endswith(".js")), key=lambda name: (sizes[name], name))
    path = tree / built.component.out / name
    return path if path.is_file() else tree / name  # a recipe may name its output from the top of the tree


def _sha512(path: Path) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_512, content=hashlib.sha512(path.read_bytes()).hexdigest())]


def _source(address: str) -> list[ExternalReference]:
    """Return the reference to a repository; an address of another kind is none."""
    return [ExternalReference(type=ExternalReferenceType.VCS, url=Uri(address))] if "://" in address else []


def _purl(repository: str, commit: str, release: str) -> PackageURL:
    """Return the package URL of a commit: pkg:github where the repository is on GitHub, else pkg:generic."""
    address = repository.removesuffix(".git")
    host, _, path = address.partition("://")[2].partition("/")
    owner, _, name = path.rpartition("/")
    if host == "github.com":
        return PackageURL("github", owner, name, commit)
    return PackageURL(
        "generic", name=name or address, version=release, qualifiers={"vcs_url": f"git+{address}@{commit}"}
    )


def _patch(path: Path, component: str) -> Patch:
    """Return a patch with its text; that of a hole in upstream is named only, until upstream has been informed."""
    held_back = patch.read(path).fields.get("Security") == "yes"
    text = None if held_back else AttachedText(content=path.read_text("utf-8"), content_type="text/x-diff")
    return Patch(type=PatchClassification.UNOFFICIAL, diff=Diff(text=text, url=Uri(f"patches/{component}/{path.name}")))


def _package(package: Package) -> Component:
    group, _, name = package.name.rpartition("/")
    files = [Property(name="hardener:file", value=file) for file in package.files]
    bundles = [Property(name="hardener:bundle", value=bundle) for bundle in package.bundles]
    return Component(
        bom_ref=f"{package.name}@{package.version}",
        group=group or None,
        name=name,
        version=package.version,
        purl=PackageURL("npm", group or None, name, package.version),
        pedigree=Pedigree(notes="changed by a patch in upstream's own folder patches/") if package.patched else None,
        authors=[OrganizationalContact(name=package.author)] if package.author else None,
        # The guideline wants an address of the creator; that of the repository is not a person's.
        manufacturer=OrganizationalEntity(name=package.author or package.name, urls=[Uri(package.home)])
        if package.home
        else None,
        hashes=_hashes(package.integrity),
        licenses=_declared(package.licence),
        evidence=_evidence(package.texts),
        external_references=[
            *(
                [ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=Uri(package.resolved))]
                if package.resolved
                else []
            ),
            *_source(package.home),
        ],
        properties=[*bundles, *files, *_bsi(package.resolved.rpartition("/")[2])],
    )


def _hashes(integrity: str) -> list[HashType]:
    """Return the hashes of a Subresource Integrity value (https://www.w3.org/TR/SRI/), in hexadecimal.

    >>> [(found.alg.value, found.content) for found in _hashes("sha1-qUAlKQ==")]
    [('SHA-1', 'a9402529')]
    """
    return [
        HashType(alg=_ALGORITHMS[name], content=base64.b64decode(value).hex())
        for name, _, value in (part.partition("-") for part in integrity.split())
        if name in _ALGORITHMS
    ]


def _declared(expression: str) -> list[Any]:
    if not expression:
        return []
    return [_LICENCES.make_from_string(expression, license_acknowledgement=LicenseAcknowledgement.DECLARED)]


def _evidence(texts: Iterable[tuple[str, str]]) -> ComponentEvidence | None:
    """Return the licence files of a package, by their names."""
    found = [DisjunctiveLicense(name=name, text=AttachedText(content=text)) for name, text in texts]
    return ComponentEvidence(licenses=found) if found else None


def _bsi(filename: str) -> list[Property]:
    """Return the properties that BSI TR-03183-2, 5.2.2 and 8.1.14, wants of a file that is delivered.

    The values are those of the BSI's list of properties for CycloneDX. A file is an archive or a script here.
    """
    script = filename.endswith(".js")
    values = {
        "filename": filename,
        "executable": "executable" if script else "non-executable",
        "archive": "no archive" if script else "archive",
        "structured": "unstructured" if script else "structured",
    }
    return [Property(name=f"bsi:component:{name}", value=value) for name, value in values.items()] if filename else []


def _compositions(root: Component, patched: Iterable[Component], packages: Iterable[Component]) -> list[dict[str, Any]]:
    """Return how complete the list is: cyclonedx-python-lib has no model of it (CycloneDX 1.6, "compositions").

    The site consists of the three components and the packages, and of nothing else. What a package's author copied into
    the package is not known.
    """
    return [
        {"aggregate": "complete", "assemblies": [root.bom_ref.value], "dependencies": [root.bom_ref.value]},
        {"aggregate": "complete", "dependencies": [component.bom_ref.value for component in patched]},
        {"aggregate": "incomplete", "assemblies": sorted(str(package.bom_ref.value) for package in packages)},
    ]
