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

from farm.evidence.sbom import (
    SUPPLIER,
    component_name,
    component_url,
    contained,
    declared_license,
    document_id,
    input_refs,
    serialize,
    settled,
    timestamp,
)

if TYPE_CHECKING:
    from cyclonedx.model.license import License

    from farm.model.base import BlobRef
    from farm.model.build import FileNote
    from farm.model.evidence import SbomFacts
    from farm.model.lock import LockedFile

__all__ = ["cyclonedx"]

_IMAGE_REF = "builder-image"
_WORKFLOW_REF = "build"


def cyclonedx(facts: SbomFacts) -> bytes:
    """Return the document: the same facts give the same bytes. `facts.file` None is the embedded form."""
    facts = settled(facts)
    main = _main(facts)
    contents = [_content(note) for note in facts.contents]
    bom = Bom(
        serial_number=document_id(facts),
        metadata=BomMetaData(
            timestamp=timestamp(facts),
            lifecycles=[PredefinedLifecycle(LifecyclePhase.BUILD)],
            tools=ToolRepository(
                components=[Component(name="farm", version=facts.rules, type=ComponentType.APPLICATION)]
            ),
            component=main,
            supplier=OrganizationalEntity(name=SUPPLIER),
            manufacturer=OrganizationalEntity(name=SUPPLIER),
        ),
        components=contents,
    )
    bom.register_dependency(main, contents)
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    document["formulation"] = [_formula(facts)]
    document["compositions"] = [
        # The sandbox has no network and sees the locked files alone, so nothing else can have been read.
        {"aggregate": "complete", "assemblies": [_IMAGE_REF, *_input_refs(facts)]},
        # What the source itself vendors is not searched for: only what the finish step put in is known.
        {"aggregate": "unknown", "assemblies": [component_url(facts)]},
        # Declared ranges are properties of the package; what an installer picks is not known here.
        {"aggregate": "incomplete", "dependencies": [component_url(facts)]},
    ]
    return serialize(document)


def _main(facts: SbomFacts) -> Component:
    snapshot = facts.snapshot
    properties = {
        "farm:filename": facts.filename,
        "farm:kind": facts.kind,
        "farm:source:snapshot-sha256": snapshot.archive.sha256,
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
        hashes=_hashes(facts.file),
        licenses=_licenses(facts.license),
        external_references=[_source_reference(facts)],
        pedigree=Pedigree(commits=commits) if commits else None,
        properties=[
            *(Property(name=name, value=value) for name, value in properties.items()),
            *(Property(name="farm:requires-dist", value=value) for value in facts.requires_dist),
        ],
    )


def _hashes(file: BlobRef | None) -> list[HashType]:
    return [] if file is None else [HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)]


def _licenses(text: str) -> list[License]:
    declared = declared_license(text)
    if declared.expression:
        return [LicenseExpression(declared.expression, acknowledgement=LicenseAcknowledgement.DECLARED)]
    if declared.name:
        return [DisjunctiveLicense(name=declared.name, acknowledgement=LicenseAcknowledgement.DECLARED)]
    return []


def _source_reference(facts: SbomFacts) -> ExternalReference:
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


def _formula(facts: SbomFacts) -> dict[str, Any]:
    """Return how the file was built: image, build inputs with digests, environment, commands."""
    kind = "vcs" if facts.snapshot.strength == "git" else "source-distribution"
    inputs: list[dict[str, Any]] = [
        {"resource": {"externalReference": {"type": kind, "url": facts.snapshot.uri}}},
        *({"resource": {"ref": ref}} for ref in (_IMAGE_REF, *_input_refs(facts))),
    ]
    variables = [{"name": name, "value": value} for name, value in facts.environment.items()]
    if variables:
        inputs.append({"environmentVars": variables})
    return {
        "bom-ref": "formula",
        "components": [_image(facts), *map(_input, facts.inputs, _input_refs(facts))],
        "workflows": [
            {
                "bom-ref": _WORKFLOW_REF,
                "uid": str(document_id(facts)),
                "name": f"build of {facts.package}",
                "taskTypes": ["build"],
                "inputs": inputs,
                "steps": [
                    {
                        "name": f"command {number}",
                        # JSON keeps the bounds of arguments, which a joined line would lose.
                        "commands": [{"executed": json.dumps(argv, ensure_ascii=False)}],
                    }
                    for number, argv in enumerate(facts.commands, start=1)
                ],
            }
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


def _input_refs(facts: SbomFacts) -> list[str]:
    return [f"input:{ref}" for ref in input_refs(facts.inputs)]
