"""Step 11: from signed files to the repository, or to the vault alone while a cycle's bytes are not settled yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from farm.ecosystems.repositories import layout_of
from farm.errors import BlobMissingError, ImmutableError
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
    from farm.model.plan import BuildPlan, PackageId
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
        BlobMissingError: what is to be published was not kept, or what the vault has instead is of another build.
        ImmutableError: a later build was published meanwhile: installers would not take this one.
        Everything that `publish` raises.
    """
    data = rt.vault.get_record(_HELD, outcome.build_key)
    try:
        publication = Publication.model_validate_json(data or b"")
    except ValidationError as error:
        msg = f"the vault does not hold what is to be published of {outcome.package}"
        raise BlobMissingError(msg) from error
    _check_held(rt, publication, plan, outcome)
    _check_later(rt, plan.package, outcome)
    published = publish_build(rt, publication)
    # The last stage may have found it as an earlier one left it: it is new to the repository all the same.
    outcome = outcome.model_copy(update={"written": published.written, "reused": False})
    note_current(rt.vault, plan, outcome.build_key)
    record_outcome(rt.vault, outcome)
    return outcome


def _check_held(rt: Runtime, publication: Publication, plan: BuildPlan, outcome: Outcome) -> None:
    """Demand that what was kept is of this build: whoever can write to the vault could name any that was signed.

    The provenance is verified by the publisher; here it has to be of this key, not of an earlier stage, say.
    """
    wanted = (plan.package, layout_of(plan.package.ecosystem).declared(plan), outcome.build_key)
    same = (publication.package, publication.names, publication.build_key) == wanted
    files = [(f.filename, f.path, f.blob, f.sidecars.get(BUNDLE), f.sidecars.get(PROVENANCE_BUNDLE))
             for f in publication.files]  # fmt: skip
    same = same and files == [(f.filename, f.path, f.blob, f.signature, f.provenance) for f in outcome.files]
    if not same or any(
        read_bundle(rt.vault.read(file.provenance).decode(errors="replace")).build_key != outcome.build_key
        for file in outcome.files
    ):
        raise BlobMissingError(f"what the vault holds to be published of {outcome.package} is of another build")


def _check_later(rt: Runtime, package: PackageId, outcome: Outcome) -> None:
    """Refuse what is published already, below a later build."""
    layout = layout_of(package.ecosystem)
    records = layout.find(rt.repository, package)
    there = {name for record in records for name in record.blobs}
    if later := sorted(there & {file.filename for file in outcome.files} - layout.current(records)):
        raise ImmutableError(f"{later[0]} was superseded by a later build")


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
