"""The provenance of one file: an in-toto Statement v1 with the SLSA provenance v1 predicate.

Pure: the signer calls it with the job record it kept, the digest it computed itself, and what the worker told it.
`farm_words` of the predicate says of every part whose word it is. The build type is described in
docs/reference/build-type-*.md, one page for each; names are those of in-toto attestation v1 and SLSA provenance v1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from farm.errors import SigningRefusedError
from farm.evidence.sbom import software_heritage_id
from farm.languages import language
from farm.model.base import Value
from farm.model.plan import GitPin

if TYPE_CHECKING:
    from farm.model.base import BlobRef
    from farm.model.evidence import Byproduct, JobRecord, RunResult
    from farm.model.lock import LockedFile
    from farm.model.plan import BuildPlan, Patch, SourcePin

__all__ = [
    "PREDICATE_TYPE",
    "STATEMENT_TYPE",
    "BuilderClaim",
    "build_type",
    "statement",
]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"

_WORDS: dict[str, tuple[str, ...]] = {
    "signer": ("/_type", "/subject", "/predicateType", "/predicate/runDetails/builder", "/predicate/farm_claim"),
    "job": (
        "/predicate/buildDefinition",
        "/predicate/runDetails/metadata/invocationId",
        "/predicate/runDetails/metadata/startedOn",
    ),
    "worker": (
        "/predicate/runDetails/metadata/finishedOn",
        "/predicate/runDetails/byproducts",
        "/predicate/runDetails/farm_isolation",
        "/predicate/runDetails/farm_notes",
        "/predicate/runDetails/farm_test",
    ),
}
"""Whose word each part is, as JSON pointers into the statement.

signer: computed or configured by the signer. job: the job record, told by the worker and kept by the signer before any
foreign code ran. worker: told by the worker after the build.
"""


class BuilderClaim(Value):
    """Who signs: the builder's identity, where its build types are described, and what level it claims."""

    id: str
    build_type_namespace: str
    level: int = Field(ge=0, le=3)
    """SLSA Build level, from `farm.evidence.claim`."""
    version: dict[str, str]
    """Component → version, `builder.version` of the predicate."""
    reasons: tuple[str, ...] = ()
    """Why the level is not higher."""


def build_type(namespace: str, ecosystem: str) -> str:
    """Return the build type URI of an ecosystem.

    Raises:
        SigningRefusedError: no build type is described for it.
    """
    try:
        kind = language(ecosystem).build_type
    except ValueError as error:
        raise SigningRefusedError(f"there is no build type for the ecosystem {ecosystem!r}") from error
    return f"{namespace}/buildtypes/{kind}/v1"


def statement(job: JobRecord, result: RunResult, filename: str, blob: BlobRef, builder: BuilderClaim) -> dict[str, Any]:
    """Return the statement for one file, JSON-ready.

    Args:
        job: what was settled before foreign code ran.
        result: what the worker says happened.
        filename: the one subject's name, without folders.
        blob: digest and size as the signer computed them.
        builder: the signer's identity and claim.

    Raises:
        SigningRefusedError: the job's ecosystem has no build type.
    """
    predicate: dict[str, Any] = {
        "buildDefinition": {
            "buildType": build_type(builder.build_type_namespace, job.plan.package.ecosystem),
            "externalParameters": _external(job.plan),
            "internalParameters": _internal(job),
            "resolvedDependencies": _dependencies(job),
        },
        "runDetails": {
            "builder": {"id": builder.id, "version": dict(sorted(builder.version.items()))},
            "metadata": {
                "invocationId": job.run_uri,
                "startedOn": job.started_on,
                "finishedOn": result.finished_on,
            },
            "byproducts": [_byproduct(b) for b in sorted(result.byproducts, key=lambda b: (b.name, b.blob.sha256))],
            "farm_isolation": result.probe,
            "farm_notes": [{"name": note.name, "value": note.value} for note in result.notes],
            "farm_test": _test(result),
        },
        "farm_claim": {"slsaBuildLevel": builder.level, "reasons": list(builder.reasons)},
        "farm_words": {who: list(pointers) for who, pointers in _WORDS.items()},
    }
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": filename, "digest": {"sha256": blob.sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }


def _external(plan: BuildPlan) -> dict[str, Any]:
    """Return what whoever asked for the build chose. Farm takes no overrides beside the recipe: the list is empty."""
    return {
        "ecosystem": plan.package.ecosystem,
        "package": plan.package.name,
        "version": plan.package.version,
        "recipe": {"path": plan.recipe_path, "digest": {"sha256": plan.recipe_digest}},
        "source": _pin(plan.source),
        "target": {"platform": plan.target.platform, "interpreter": plan.target.interpreter},
        "overrides": [],
    }


def _pin(pin: SourcePin) -> dict[str, Any]:
    if isinstance(pin, GitPin):
        found: dict[str, Any] = {"kind": "git", "url": pin.url, "digest": {"gitCommit": pin.commit}}
        optional = {"tag": pin.tag, "subdirectory": pin.subdirectory, "submodules": pin.submodules}
    else:
        found = {"kind": pin.kind, "digest": {"sha256": pin.sha256}}
        optional = {
            "name": pin.name,
            "version": pin.version,
            "variant": pin.variant,
            "url": pin.url,
            "subdirectory": pin.subdirectory,
        }
    return found | {key: value for key, value in optional.items() if value}


def _internal(job: JobRecord) -> dict[str, Any]:
    """Return what farm itself set: recorded for whoever rebuilds, not for a verifier to hold against anything."""
    bootstrap = {"bootstrap": {"stage": job.stage, "seeds": list(job.seeds)}} if job.stage else {}
    spec = job.plan.build
    epoch = job.snapshot.epoch if spec.source_date_epoch is None else spec.source_date_epoch
    return {
        "buildKey": job.build_key,
        "lockDigest": job.lock_digest,
        "rulesVersion": job.rules_version,
        "farmVersion": job.farm_version,
        "image": job.image.name,
        "interpreter": {"tag": job.image.interpreter, "version": job.image.version},
        "sourceDateEpoch": epoch,
        "environmentAdditions": dict(sorted(spec.env.items())),
        "configSettings": {
            key: value if isinstance(value, str) else list(value) for key, value in sorted(spec.config_settings.items())
        },
        "options": dict(sorted(spec.options.items())),
        "expectedTags": spec.tags,
        "limits": job.plan.limits.model_dump(mode="json"),
        "waivers": [{"rule": w.rule, "reason": w.reason} for w in spec.waivers],
        "testSkipReason": job.plan.test.skip_reason,
        **bootstrap,
    }


def _dependencies(job: JobRecord) -> list[dict[str, Any]]:
    recipe = _recipe_commit(job)
    inputs = sorted(job.inputs, key=lambda file: (file.filename, file.sha256))
    patches = [_patch(patch) for patch in job.plan.build.patches]
    return [_source(job), *patches, _image(job), *([recipe] if recipe else []), *(_input(file) for file in inputs)]


def _source(job: JobRecord) -> dict[str, Any]:
    snapshot = job.snapshot
    digest = {
        "gitCommit": snapshot.commit,
        "gitTree": snapshot.git_tree,
        "sha256": snapshot.origin_sha256,
    }
    notes: dict[str, Any] = {
        "role": "source",
        "strength": snapshot.strength,
        "treeSha256": snapshot.tree_digest,
        "snapshotSha256": snapshot.archive.sha256,
        "files": snapshot.files,
        "bytes": snapshot.size,
    }
    optional = {
        "tag": snapshot.tag,
        "tagObject": snapshot.tag_object,
        "subdirectory": snapshot.subdirectory,
        "swhid": software_heritage_id(snapshot.commit),
    }
    notes |= {key: value for key, value in optional.items() if value}
    return {
        "name": "source",
        "uri": snapshot.uri,
        "digest": {key: value for key, value in digest.items() if value},
        "annotations": notes,
    }


def _patch(patch: Patch) -> dict[str, Any]:
    """Name a change to the source; they stand in the order in which they are applied."""
    return {
        "name": f"patches/{patch.name}",
        "digest": {"sha256": patch.blob.sha256},
        "annotations": {"role": "patch", "bytes": patch.blob.size},
    }


def _image(job: JobRecord) -> dict[str, Any]:
    image = job.image
    notes: dict[str, Any] = {
        "role": "builder-image",
        "digestOf": "canonical JSON of the list of layer digests",
        "base": image.base,
        "platform": image.platform,
        "definitionSha256": image.definition,
        "layers": list(image.layers),
    }
    if image.packages is not None:
        notes["packageListSha256"] = image.packages.sha256
    return {"name": f"image:{image.name}", "digest": {"sha256": image.digest}, "annotations": notes}


def _recipe_commit(job: JobRecord) -> dict[str, Any] | None:
    origin = job.recipe_origin
    if not origin.commit:
        return None
    return {
        "name": "recipes",
        "digest": {"gitCommit": origin.commit},
        "annotations": {"role": "recipe-repository", "path": job.plan.recipe_path, "dirty": origin.dirty},
    }


def _input(file: LockedFile) -> dict[str, Any]:
    notes: dict[str, Any] = {
        "role": "input",
        "roles": sorted(file.roles),
        "origin": file.origin,
        "bytes": file.size,
    }
    if file.repository:
        notes["repository"] = file.repository
    return {
        "name": file.filename,
        "uri": file.purl,
        "digest": {"sha256": file.sha256, **({"sha1": file.sha1} if file.sha1 else {})},
        "annotations": notes,
    }


def _byproduct(item: Byproduct) -> dict[str, Any]:
    return {
        "name": item.name,
        "mediaType": item.media_type,
        "digest": {"sha256": item.blob.sha256},
        "annotations": {"bytes": item.blob.size},
    }


def _test(result: RunResult) -> dict[str, Any]:
    test = result.test
    found: dict[str, Any] = {"result": test.result, "imports": list(test.imports), "command": list(test.command)}
    if test.reason:
        found["reason"] = test.reason
    if test.counts is not None:
        found["counts"] = test.counts.model_dump(mode="json")
    if test.log is not None:
        found["logSha256"] = test.log.sha256
    return found
