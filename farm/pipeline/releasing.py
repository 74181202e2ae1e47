"""Step 11: from signed files to the repository, or to the vault alone while a cycle's bytes are not settled yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from farm.errors import BlobMissingError
from farm.evidence.facts import read_bundle
from farm.model.outcome import Outcome, OutcomeFile
from farm.pipeline.key import key_fields
from farm.pipeline.linking import note_current
from farm.pipeline.outcomes import record_outcome
from farm.pipeline.publishing import make_publication, publish_build
from farm.repository.model import BUNDLE, PROVENANCE_BUNDLE, Publication

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farm.model.build import Artifact, BuildResult, TestReport
    from farm.model.evidence import JobRecord
    from farm.model.lock import LinkedLock
    from farm.model.plan import BuildPlan
    from farm.pipeline.runtime import Runtime
    from farm.pipeline.steps import SignedBuild

__all__ = ["keep", "publish", "release"]

_HELD = "held"
"""Record kind: what is to be published of a build that is not published yet, by build key."""


def publish(
    rt: Runtime,
    record: JobRecord,
    linked: LinkedLock,
    built: BuildResult,
    artifacts: tuple[Artifact, ...],
    report: TestReport,
    signed: SignedBuild,
    seconds: float,
) -> Outcome:
    """Verify every bundle with the consumers' trust root, then write to the repository; record the outcome.

    Raises:
        VerificationError, ImmutableError, PublisherBusyError, StoreUnavailableError.
    """
    publication = make_publication(rt, record, artifacts, signed.files, signed.documents)
    published = publish_build(rt, publication)
    outcome = _outcome(record, linked, built, artifacts, report, signed, publication, seconds)
    outcome = outcome.model_copy(update={"written": published.written})
    # In this order: what is recorded is not built, nor noted, again.
    note_current(rt.vault, record.plan, outcome.build_key)
    record_outcome(rt.vault, outcome)
    return outcome


def keep(
    rt: Runtime,
    record: JobRecord,
    linked: LinkedLock,
    built: BuildResult,
    artifacts: tuple[Artifact, ...],
    report: TestReport,
    signed: SignedBuild,
    seconds: float,
) -> Outcome:
    """Keep the result in the vault: other builds can use it, nobody else sees it. `release` publishes it."""
    publication = make_publication(rt, record, artifacts, signed.files, signed.documents)
    rt.vault.put_record(_HELD, record.build_key, publication.canonical())
    outcome = _outcome(record, linked, built, artifacts, report, signed, publication, seconds)
    record_outcome(rt.vault, outcome)
    return outcome


def release(rt: Runtime, plan: BuildPlan, outcome: Outcome) -> Outcome:
    """Publish what was kept.

    Args:
        rt: the means.
        plan: of the build.
        outcome: what `keep` returned.

    Raises:
        BlobMissingError: what is to be published was not kept.
        Everything that `publish` raises.
    """
    data = rt.vault.get_record(_HELD, outcome.build_key)
    try:
        publication = Publication.model_validate_json(data or b"")
    except ValidationError as error:
        msg = f"the vault does not hold what is to be published of {outcome.package}"
        raise BlobMissingError(msg) from error
    published = publish_build(rt, publication)
    # The last stage may have found it as an earlier one left it: it is new to the repository all the same.
    outcome = outcome.model_copy(update={"written": published.written, "reused": False})
    note_current(rt.vault, plan, outcome.build_key)
    record_outcome(rt.vault, outcome)
    return outcome


def _outcome(
    record: JobRecord,
    linked: LinkedLock,
    built: BuildResult,
    artifacts: Sequence[Artifact],
    report: TestReport,
    signed: SignedBuild,
    publication: Publication,
    seconds: float,
) -> Outcome:
    facts = [read_bundle(file.provenance) for file in signed.files]
    return Outcome(
        package=str(record.plan.package),
        target=record.plan.target.key,
        build_key=record.build_key,
        fields=key_fields(record.plan, record.snapshot, record.image, linked),
        run_id=record.run_id,
        files=tuple(
            OutcomeFile(
                filename=artifact.filename,
                path=artifact.path,
                blob=artifact.blob,
                unnumbered=artifact.unnumbered,
                raw_sha256=artifact.raw.blob.sha256,
                notes=artifact.notes,
                signature=file.sidecars[BUNDLE],
                provenance=file.sidecars[PROVENANCE_BUNDLE],
            )
            for artifact, file in zip(artifacts, publication.files, strict=True)
        ),
        source_uri=record.snapshot.uri,
        source_strength=record.snapshot.strength,
        tree_digest=record.snapshot.tree_digest,
        image=record.image.name,
        image_digest=record.image.digest,
        inputs=record.inputs,
        test=report,
        probe=built.probe,
        builder_id=facts[0].builder_id,
        level=min(found.slsa_level for found in facts),
        seconds=seconds,
        peak_memory_mb=max(filter(None, (built.usage.peak_memory_mb, _peak(report))), default=None),
        seeds=record.seeds,
        stage=record.stage,
    )


def _peak(report: TestReport) -> int | None:
    return report.usage.peak_memory_mb if report.usage else None
