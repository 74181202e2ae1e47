"""SPDX 2.3 of one file, as JSON.

Written straight from the specification as pydantic models: the model and writer of spdx-tools take 0.6 s to import and
are used in the tests instead, where they validate what is written here. Source: SPDX 2.3, PEP 770.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from farm.evidence.parts import IMAGE_REF, INPUT_PREFIX, MAIN_REF
from farm.evidence.sbom import (
    SUPPLIER,
    WRITER,
    SbomFormat,
    component_name,
    component_url,
    contained,
    declared_license,
    identified,
    input_refs,
    settled,
    settled_inputs,
    software_heritage_id,
    timestamp,
)
from farm.model.base import Value

if TYPE_CHECKING:
    from farm.model.base import BlobRef
    from farm.model.build import FileNote, ImageIdentity
    from farm.model.evidence import ComponentFacts, SbomFacts
    from farm.model.lock import LockedFile

__all__ = ["embedded", "sidecar"]

_NONE_SAID = "NOASSERTION"
_FARM = f"Organization: {SUPPLIER}"
_SOURCE_REF = "SPDXRef-Source"
_TOOL = "Tool: " + "-".join(WRITER)
_LICENSE_REF = "LicenseRef-declared"


class _Model(Value):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class _Checksum(_Model):
    algorithm: Literal["SHA1", "SHA256"] = "SHA256"
    checksum_value: str


class _ExternalRef(_Model):
    reference_category: Literal["PACKAGE-MANAGER", "PERSISTENT-ID"]
    reference_type: Literal["purl", "swh"]
    reference_locator: str


class _Annotation(_Model):
    annotation_date: str
    annotation_type: Literal["OTHER"] = "OTHER"
    annotator: str
    comment: str


class _Package(_Model):
    spdx_id: str = Field(alias="SPDXID")
    name: str
    version_info: str | None = None
    package_file_name: str | None = None
    supplier: str = _NONE_SAID
    download_location: str = _NONE_SAID
    files_analyzed: Literal[False] = False
    checksums: tuple[_Checksum, ...] | None = None
    source_info: str | None = None
    license_concluded: str = _NONE_SAID
    license_declared: str = _NONE_SAID
    copyright_text: str = _NONE_SAID
    summary: str | None = None
    comment: str | None = None
    external_refs: tuple[_ExternalRef, ...] | None = None
    annotations: tuple[_Annotation, ...] | None = None
    primary_package_purpose: Literal["LIBRARY", "CONTAINER", "SOURCE"]


class _Relationship(_Model):
    spdx_element_id: str
    relationship_type: Literal[
        "DESCRIBES", "GENERATED_FROM", "BUILD_TOOL_OF", "BUILD_DEPENDENCY_OF", "CONTAINS", "DEPENDS_ON"
    ]
    related_spdx_element: str
    comment: str | None = None


class _ExtractedLicense(_Model):
    license_id: str
    extracted_text: str
    name: str


class _CreationInfo(_Model):
    created: str
    creators: tuple[str, ...]
    comment: str


class _Document(_Model):
    spdx_id: str = Field(default="SPDXRef-DOCUMENT", alias="SPDXID")
    spdx_version: str = "SPDX-2.3"
    data_license: str = "CC0-1.0"
    name: str
    creation_info: _CreationInfo
    packages: tuple[_Package, ...]
    relationships: tuple[_Relationship, ...]
    has_extracted_licensing_infos: tuple[_ExtractedLicense, ...] | None = None


def embedded(facts: ComponentFacts) -> dict[str, Any]:
    """Return the document inside of the file: the same facts give the same document."""
    return _document(settled(facts), None)


def sidecar(facts: SbomFacts) -> dict[str, Any]:
    """Return the document beside the file: what the one inside says, the file's digest, and what it was built with."""
    return _document(settled(facts), facts)


def _document(facts: ComponentFacts, built: SbomFacts | None) -> dict[str, Any]:
    """Write the document; what only the sidecar says comes from `built` alone."""
    created = timestamp(facts).strftime("%Y-%m-%dT%H:%M:%SZ")
    contents = [_content(number, note) for number, note in enumerate(facts.contents, start=1)]
    inputs = settled_inputs(built.inputs) if built else ()
    needed = [_input(file, ref) for file, ref in zip(inputs, input_refs(inputs), strict=True)]
    document = _Document(
        name=facts.filename,
        creation_info=_CreationInfo(
            created=created, creators=(_FARM, _TOOL), comment="SBOM type: build. The time is that of the source."
        ),
        packages=(
            _main(facts, created, built.file if built else None),
            _source(facts),
            *((_image(built.image),) if built else ()),
            *needed,
            *contents,
        ),
        relationships=(
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", MAIN_REF),
            _relation(MAIN_REF, "GENERATED_FROM", _SOURCE_REF),
            *((_relation(IMAGE_REF, "BUILD_TOOL_OF", MAIN_REF),) if built else ()),
            *(_relation(item.spdx_id, "BUILD_DEPENDENCY_OF", MAIN_REF) for item in needed),
            *(_relation(MAIN_REF, "CONTAINS", item.spdx_id) for item in contents),
            _runtime(facts),
        ),
        has_extracted_licensing_infos=_extracted(facts),
    )
    return identified(SbomFormat.SPDX, document.model_dump(mode="json", by_alias=True, exclude_none=True))


def _relation(
    element: str,
    kind: Literal["DESCRIBES", "GENERATED_FROM", "BUILD_TOOL_OF", "BUILD_DEPENDENCY_OF", "CONTAINS"],
    related: str,
) -> _Relationship:
    return _Relationship(spdx_element_id=element, relationship_type=kind, related_spdx_element=related)


def _runtime(facts: ComponentFacts) -> _Relationship:
    """Return what the package needs at run time: nothing, or ranges whose choice is the installer's, not ours."""
    if not facts.requires_dist:
        return _Relationship(spdx_element_id=MAIN_REF, relationship_type="DEPENDS_ON", related_spdx_element="NONE")
    return _Relationship(
        spdx_element_id=MAIN_REF,
        relationship_type="DEPENDS_ON",
        related_spdx_element=_NONE_SAID,
        comment="declared ranges, not contained: " + "; ".join(facts.requires_dist),
    )


def _main(facts: ComponentFacts, created: str, file: BlobRef | None) -> _Package:
    snapshot = facts.snapshot
    declared = declared_license(facts.license)
    notes = tuple(
        _Annotation(annotation_date=created, annotator=_TOOL, comment=f"Requires-Dist: {requirement}")
        for requirement in facts.requires_dist
    )
    return _Package(
        spdx_id=MAIN_REF,
        name=component_name(facts),
        version_info=facts.package.version,
        package_file_name=facts.filename,
        supplier=_FARM,
        checksums=(_Checksum(checksum_value=file.sha256),) if file else None,
        source_info=(
            f"built by farm from {snapshot.uri} (source strength: {snapshot.strength}), "
            f"tree sha256 {snapshot.tree_digest}"
        ),
        license_declared=declared.expression or (_LICENSE_REF if declared.name else _NONE_SAID),
        summary=facts.summary or None,
        comment=f"kind of file: {facts.kind}",
        external_refs=(_purl(component_url(facts)),),
        annotations=notes or None,
        primary_package_purpose="LIBRARY",
    )


def _extracted(facts: ComponentFacts) -> tuple[_ExtractedLicense, ...] | None:
    declared = declared_license(facts.license)
    if declared.expression or not declared.name:
        return None
    return (_ExtractedLicense(license_id=_LICENSE_REF, extracted_text=declared.text, name=declared.name),)


def _source(facts: ComponentFacts) -> _Package:
    snapshot = facts.snapshot
    refs: tuple[_ExternalRef, ...] = ()
    if swhid := software_heritage_id(snapshot.commit):
        refs = (_ExternalRef(reference_category="PERSISTENT-ID", reference_type="swh", reference_locator=swhid),)
    elif snapshot.uri.startswith("pkg:"):
        refs = (_purl(snapshot.uri),)
    fetchable = snapshot.uri.startswith(("git+", "https://", "http://"))
    return _Package(
        spdx_id=_SOURCE_REF,
        name=f"{facts.package.name} source",
        version_info=snapshot.commit or facts.package.version,
        supplier=_project(facts.package.name),
        download_location=snapshot.uri if fetchable else _NONE_SAID,
        checksums=(_Checksum(checksum_value=snapshot.origin_sha256),) if snapshot.origin_sha256 else None,
        external_refs=refs or None,
        primary_package_purpose="SOURCE",
    )


def _image(image: ImageIdentity) -> _Package:
    return _Package(
        spdx_id=IMAGE_REF,
        name=f"builder image {image.name}",
        version_info=image.digest,
        supplier=_FARM,
        comment=f"base {image.base}, platform {image.platform}; the version is the SHA-256 over its layer digests",
        primary_package_purpose="CONTAINER",
    )


def _input(file: LockedFile, ref: str) -> _Package:
    sha1 = (_Checksum(algorithm="SHA1", checksum_value=file.sha1),) if file.sha1 else ()
    where = f", repository {file.repository}" if file.repository else ""
    return _Package(
        spdx_id=f"{INPUT_PREFIX}{ref}",
        name=file.name,
        version_info=file.version,
        package_file_name=file.filename,
        supplier=_FARM if file.origin == "farm" else _project(file.name),
        checksums=(*sha1, _Checksum(checksum_value=file.sha256)),
        comment=f"build input, origin {file.origin}{where}, roles {', '.join(sorted(file.roles))}",
        external_refs=(_purl(file.purl),),
        primary_package_purpose="LIBRARY",
    )


def _content(number: int, note: FileNote) -> _Package:
    found = contained(note)
    return _Package(
        spdx_id=f"SPDXRef-Content-{number}",
        name=f"{found.group}:{found.name}" if found.group else found.name,
        version_info=found.version or None,
        external_refs=(_purl(found.purl),) if found.purl else None,
        # SPDX's supplier is where this copy came from: whoever handed over the file that it is in.
        supplier=_FARM,
        primary_package_purpose="LIBRARY",
    )


def _project(name: str) -> str:
    """Return the supplier of what upstream published: all that is known of it is the project's name."""
    return f"Organization: {name} project"


def _purl(purl: str) -> _ExternalRef:
    return _ExternalRef(reference_category="PACKAGE-MANAGER", reference_type="purl", reference_locator=purl)
