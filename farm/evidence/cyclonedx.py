"""CycloneDX 1.6 of one file.

The library's model gives the inventory; `formulation` (how it was built) and `compositions` (how complete each part
is) are not in that model and are added to its JSON. Source: CycloneDX 1.6, PEP 770.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Commit, Component, ComponentType, Pedigree
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement, LicenseExpression
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from farm.evidence.parts import BUILD_COMPOSITION
from farm.evidence.sbom import (
    SUPPLIER,
    WRITER,
    SbomFormat,
    component_name,
    component_url,
    contained,
    content_id,
    declared_license,
    identified,
    input_refs,
    settled,
    settled_inputs,
    timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclonedx.model.license import License

    from farm.model.build import FileNote
    from farm.model.evidence import ComponentFacts, SbomFacts
    from farm.model.lock import LockedFile

__all__ = ["embedded", "sidecar"]

_IMAGE_REF = "builder-image"
_WORKFLOW_REF = "build"


def embedded(facts: ComponentFacts) -> dict[str, Any]:
    """Return the document inside of the file: the same facts give the same document."""
    return identified(SbomFormat.CYCLONEDX, _component_document(settled(facts)))


def sidecar(facts: SbomFacts) -> dict[str, Any]:
    """Return the document beside the file: what the one inside says, the file's digest, and what it was built with."""
    facts = settled(facts)
    inputs = settled_inputs(facts.inputs)
    refs = [f"input:{ref}" for ref in input_refs(inputs)]
    document = _component_document(facts)
    document["metadata"]["component"]["hashes"] = [{"alg": "SHA-256", "content": facts.file.sha256}]
    document["formulation"] = [_formula(facts, inputs, refs)]
    # The sandbox has no network and sees the locked files alone, so nothing else can have been read.
    complete = {"bom-ref": BUILD_COMPOSITION, "aggregate": "complete", "assemblies": [_IMAGE_REF, *refs]}
    document["compositions"].append(complete)
    return identified(SbomFormat.CYCLONEDX, document)


def _component_document(facts: ComponentFacts) -> dict[str, Any]:
    """Return what both documents say, still without an identity of its own."""
    main = _main(facts)
    contents = [_content(note) for note in facts.contents]
    name, version = WRITER
    bom = Bom(
        metadata=BomMetaData(
            timestamp=timestamp(facts),
            lifecycles=[PredefinedLifecycle(LifecyclePhase.BUILD)],
            tools=ToolRepository(components=[Component(name=name, version=version, type=ComponentType.APPLICATION)]),
            component=main,
            supplier=OrganizationalEntity(name=SUPPLIER),
            manufacturer=OrganizationalEntity(name=SUPPLIER),
        ),
        components=contents,
    )
    bom.register_dependency(main, contents)
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    document["compositions"] = [
        # What the source itself vendors is not searched for: only what the finish step put in is known.
        {"aggregate": "unknown", "assemblies": [component_url(facts)]},
        # Declared ranges are properties of the package; what an installer picks is not known here.
        {"aggregate": "incomplete", "dependencies": [component_url(facts)]},
    ]
    return document


def _main(facts: ComponentFacts) -> Component:
    snapshot = facts.snapshot
    properties = {
        "farm:filename": facts.filename,
        "farm:kind": facts.kind,
        "farm:source:strength": snapshot.strength,
        "farm:source:tree-sha256": snapshot.tree_digest,
    }
    commits = [Commit(uid=snapshot.commit)] if snapshot.commit else []
    return Component(
        name=component_name(facts),
        version=facts.package.version,
        type=ComponentType.LIBRARY,
        bom_ref=component_url(facts),
        purl=PackageURL.from_string(component_url(facts)),
        description=facts.summary or None,
        supplier=OrganizationalEntity(name=SUPPLIER),
        manufacturer=OrganizationalEntity(name=SUPPLIER),
        licenses=_licenses(facts.license),
        external_references=[_source_reference(facts)],
        pedigree=Pedigree(commits=commits) if commits else None,
        properties=[
            *(Property(name=name, value=value) for name, value in properties.items()),
            *(Property(name="farm:requires-dist", value=value) for value in facts.requires_dist),
        ],
    )


def _licenses(text: str) -> list[License]:
    declared = declared_license(text)
    if declared.expression:
        return [LicenseExpression(declared.expression, acknowledgement=LicenseAcknowledgement.DECLARED)]
    if declared.name:
        return [DisjunctiveLicense(name=declared.name, acknowledgement=LicenseAcknowledgement.DECLARED)]
    return []


def _source_reference(facts: ComponentFacts) -> ExternalReference:
    snapshot = facts.snapshot
    if snapshot.strength == "git":
        comment = f"commit {snapshot.commit}"
        return ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(snapshot.uri), comment=comment)
    digest = [HashType(alg=HashAlgorithm.SHA_256, content=snapshot.origin_sha256)] if snapshot.origin_sha256 else []
    return ExternalReference(
        type=ExternalReferenceType.SOURCE_DISTRIBUTION, url=XsUri(snapshot.uri), hashes=digest, comment="an upload"
    )


def _content(note: FileNote) -> Component:
    found = contained(note)
    return Component(
        group=found.group or None,
        name=found.name,
        version=found.version or None,
        type=ComponentType.LIBRARY,
        bom_ref=f"content:{note.name}@{note.value}",
        purl=PackageURL.from_string(found.purl) if found.purl else None,
        supplier=OrganizationalEntity(name=SUPPLIER),
    )


def _formula(facts: SbomFacts, inputs: Sequence[LockedFile], refs: Sequence[str]) -> dict[str, Any]:
    """Return how the file was built: image, build inputs with digests, environment, commands."""
    kind = "vcs" if facts.snapshot.strength == "git" else "source-distribution"
    resources: list[dict[str, Any]] = [
        {"resource": {"externalReference": {"type": kind, "url": facts.snapshot.uri}}},
        *({"resource": {"ref": ref}} for ref in (_IMAGE_REF, *refs)),
    ]
    variables = [{"name": name, "value": value} for name, value in sorted(facts.environment.items())]
    if variables:
        resources.append({"environmentVars": variables})
    components = [_image(facts), *map(_input, inputs, refs)]
    workflow = {
        "bom-ref": _WORKFLOW_REF,
        "name": f"build of {facts.package}",
        "taskTypes": ["build"],
        "inputs": resources,
        "steps": [
            {
                "name": f"command {number}",
                # JSON keeps the bounds of arguments, which a joined line would lose.
                "commands": [{"executed": json.dumps(argv, ensure_ascii=False)}],
            }
            for number, argv in enumerate(facts.commands, start=1)
        ],
    }
    return {
        "bom-ref": "formula",
        "components": components,
        "workflows": [workflow | {"uid": str(content_id([components, workflow]))}],
        "properties": [
            {"name": "farm:rules", "value": facts.rules},
            {"name": "farm:source:snapshot-sha256", "value": facts.snapshot.archive.sha256},
        ],
    }


def _image(facts: SbomFacts) -> dict[str, Any]:
    image = facts.image
    return {
        "type": "container",
        "bom-ref": _IMAGE_REF,
        "name": image.name,
        "version": image.digest,
        "properties": [
            {"name": "farm:image:base", "value": image.base},
            *({"name": "farm:image:layer", "value": layer} for layer in image.layers),
            *([{"name": "farm:image:packages-sha256", "value": image.packages.sha256}] if image.packages else []),
            {"name": "farm:image:platform", "value": image.platform},
        ],
    }


def _input(file: LockedFile, ref: str) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": ref,
        "name": file.name,
        "version": file.version,
        "purl": PackageURL.from_string(file.purl).to_string(),
        "hashes": [
            *([{"alg": "SHA-1", "content": file.sha1}] if file.sha1 else []),
            {"alg": "SHA-256", "content": file.sha256},
        ],
        "properties": [
            {"name": "farm:filename", "value": file.filename},
            {"name": "farm:origin", "value": file.origin},
            *([{"name": "farm:repository", "value": file.repository}] if file.repository else []),
            *({"name": "farm:role", "value": role} for role in sorted(file.roles)),
        ],
    }
