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

from farm.evidence.sbom import SUPPLIER, declared_license, document_id, serialize, settled, timestamp

if TYPE_CHECKING:
    from cyclonedx.model.license import License

    from farm.model.base import BlobRef
    from farm.model.evidence import SbomFacts
    from farm.model.lock import LockedFile

__all__ = ["cyclonedx"]

_IMAGE_REF = "builder-image"
_WORKFLOW_REF = "build"


def cyclonedx(facts: SbomFacts) -> bytes:
    """Return the document: the same facts give the same bytes. `facts.file` None is the embedded form."""
    facts = settled(facts)
    main = _main(facts)
    contents = [_content(note.name, note.value) for note in facts.contents]
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
        {"aggregate": "complete", "assemblies": [_IMAGE_REF, *(_input_ref(file) for file in facts.inputs)]},
        # What the source itself vendors is not searched for: only what the finish step put in is known.
        {"aggregate": "unknown", "assemblies": [facts.package.purl]},
        # Declared ranges are properties of the package; what an installer picks is not known here.
        {"aggregate": "incomplete", "dependencies": [facts.package.purl]},
    ]
    return serialize(document)


def _main(facts: SbomFacts) -> Component:
    snapshot = facts.snapshot
    properties = {
        "farm:filename": facts.filename,
        "farm:source:snapshot-sha256": snapshot.archive.sha256,
        "farm:source:strength": snapshot.strength,
        "farm:source:tree-sha256": snapshot.tree_digest,
    }
    commits = [Commit(uid=snapshot.commit)] if snapshot.commit else []
    return Component(
        name=facts.package.name,
        version=facts.package.version,
        type=ComponentType.LIBRARY,
        bom_ref=facts.package.purl,
        purl=PackageURL.from_string(facts.package.purl),
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


def _content(name: str, version: str) -> Component:
    return Component(
        name=name,
        version=version or None,
        type=ComponentType.LIBRARY,
        bom_ref=f"content:{name}@{version}",
        supplier=OrganizationalEntity(name=SUPPLIER),
    )


def _formula(facts: SbomFacts) -> dict[str, Any]:
    """Return how the file was built: image, build inputs with digests, environment, commands."""
    kind = "vcs" if facts.snapshot.strength == "git" else "source-distribution"
    inputs: list[dict[str, Any]] = [
        {"resource": {"externalReference": {"type": kind, "url": facts.snapshot.uri}}},
        *({"resource": {"ref": ref}} for ref in (_IMAGE_REF, *map(_input_ref, facts.inputs))),
    ]
    variables = [{"name": name, "value": value} for name, value in facts.environment.items()]
    if variables:
        inputs.append({"environmentVars": variables})
    return {
        "bom-ref": "formula",
        "components": [_image(facts), *map(_input, facts.inputs)],
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


def _input(file: LockedFile) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": _input_ref(file),
        "name": file.name,
        "version": file.version,
        "purl": PackageURL.from_string(file.purl).to_string(),
        "hashes": [{"alg": "SHA-256", "content": file.sha256}],
        "properties": [
            {"name": "farm:filename", "value": file.filename},
            {"name": "farm:origin", "value": file.origin},
            *({"name": "farm:role", "value": role} for role in sorted(file.roles)),
        ],
    }


def _input_ref(file: LockedFile) -> str:
    return f"input:{file.sha256}"
