"""The steps of one build. Each takes the runtime and typed values and returns typed values; files go by the vault."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from farm import __version__, log
from farm.errors import (
    LockMissingError,
    SignerUnavailableError,
    SigningRefusedError,
)
from farm.model.base import BlobRef, Value
from farm.model.evidence import JobRecord, RunResult, SignedFile
from farm.pipeline.ahead import import_ahead
from farm.pipeline.ceilings import check_limits
from farm.pipeline.documents import byproducts, component_facts, sbom_facts
from farm.pipeline.identity import now
from farm.pipeline.key import RULES_VERSION, key_fields
from farm.pipeline.outcomes import known_outcome, refuse_other_bytes
from farm.pipeline.patches import store_patches
from farm.pipeline.reading import inputs, link
from farm.pipeline.targets import target_of
from farm.recipe.catalog import find_recipe
from farm.recipe.locks import lock_path, read_lock
from farm.recipe.plan import build_patches, chosen_image, make_plan
from farm.trust.protocol import RunToken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from farm.model.build import Artifact, BuildResult, FileNote, TestReport
    from farm.model.lock import LinkedLock, Lock
    from farm.model.outcome import Outcome
    from farm.model.plan import ArchivePin, BuildPlan
    from farm.model.source import SourceSnapshot
    from farm.pipeline.identity import RunIdentity
    from farm.pipeline.runtime import Runtime

__all__ = [
    "OpenJob",
    "build",
    "close_job",
    "finish",
    "inputs",
    "inspect",
    "job_record",
    "keep",
    "link",
    "lock",
    "open_job",
    "plan",
    "prove",
    "publish",
    "release",
    "reuse",
    "sign",
    "source",
    "test",
]

_log = log.get(__name__)


class OpenJob(Value):
    """A job that the signer has taken down, with the token that lets this run, and no other, ask it to sign."""

    record: JobRecord
    token: RunToken

    def __repr__(self) -> str:
        return f"OpenJob({self.record.plan.package}, run {self.record.run_id})"

    __str__ = __repr__


def plan(rt: Runtime, reference: str, image: str = "") -> BuildPlan:
    """Step 1: find the recipe version and decide what is to be built, for the target that the image gives.

    Args:
        rt: settings and vault.
        reference: which recipe version.
        image: one of those that the version names; empty = the primary one.

    Raises:
        RecipeNotFoundError, RecipeError, SourcePinError, ImageBuildError.
        StoreUnavailableError: the version has patches, and the vault does not take them.
    """
    found = find_recipe(rt.settings.recipes, reference)
    image = chosen_image(found.recipe, found.version, image)
    target = target_of(rt.settings, found.recipe, found.version, image)
    names = build_patches(found.recipe, found.version)
    patches = store_patches(rt.vault, found.folder, names) if names else {}
    made = make_plan(found.recipe, found.version, found.relative, target, patches, image)
    check_limits(made, rt.settings)
    return made


def source(rt: Runtime, plan: BuildPlan) -> SourceSnapshot:
    """Step 2: the pinned source as a snapshot in the vault; taken from there when it is known.

    What is known is the vault's word: enough to find out whether a build is needed, but see `prove`.

    Raises:
        the errors of farm.source.
    """
    return _take(rt, plan, prove=False)


def prove(rt: Runtime, plan: BuildPlan) -> SourceSnapshot:
    """Return the snapshot that the pin gives, whatever the vault says: this one goes to foreign code and to the signer.

    It differs from what `source` gave only where somebody changed the vault's record.

    Raises:
        the errors of farm.source.
    """
    return _take(rt, plan, prove=True)


def _take(rt: Runtime, plan: BuildPlan, *, prove: bool) -> SourceSnapshot:
    from farm.source import take  # noqa: PLC0415 - GitPython and httpx are imported with it

    ecosystem = rt.ecosystem(plan.package.ecosystem)

    def fetch_archive(pin: ArchivePin, target: Path) -> str:
        from farm.source.named import named_location  # noqa: PLC0415 - only what a pin needs is imported

        # Which mirror it came through says nothing: the digest does.
        return named_location(pin, ecosystem.fetch_archive(pin, target, rt.settings))

    with rt.scratch("source") as work:
        return take(
            plan.source,
            vault=rt.vault,
            settings=rt.settings,
            work=work,
            fetch_archive=fetch_archive,
            made=rt.made,
            prove=prove,
        )


def lock(rt: Runtime, plan: BuildPlan, snapshot: SourceSnapshot) -> Lock:
    """Step 3: read the committed lock and refuse it when it was made for something else.

    Raises:
        LockMissingError, LockStaleError.
    """
    try:
        found = read_lock(recipe_lock_path(rt, plan))
    except LockMissingError as error:
        remedy = f"Run `farm lock {plan.package}` and commit the file it writes."
        raise LockMissingError(f"{plan.package}: {error.message}", remedy=remedy, details=error.details) from None
    rt.ecosystem(plan.package.ecosystem).check_lock(plan, snapshot, rt.image(plan.build.image), found)
    return found


def recipe_lock_path(rt: Runtime, plan: BuildPlan) -> Path:
    """Return where the lock of `plan` is."""
    folder = (rt.settings.recipes / plan.recipe_path).parent
    return lock_path(folder, plan.package.version, plan.target.key)


def reuse(rt: Runtime, plan: BuildPlan, snapshot: SourceSnapshot, linked: LinkedLock) -> Outcome | None:
    """Return the outcome of an earlier build with the same key, if it is what installers take and every byte is right.

    What was damaged since, or never got published whole, is no reason to fail: None is returned, and the build runs. So
    it does where a later build with other content has a higher number: this one gets a number above that. In a stage of
    a cycle's bootstrap nothing is published: there it has to be in the vault, under a name that it can still get.
    """
    from farm.pipeline.standing import fallen, overtaken  # noqa: PLC0415 - boto3 and the language's repository come with it

    outcome = known_outcome(rt.vault, key_fields(plan, snapshot, rt.image(plan.build.image), linked).key)
    if outcome is None:
        return None
    if linked.stage:
        lost = next((file.filename for file in outcome.files if not rt.vault.has(file.blob)), "")
        why = f"{lost} is not in the vault" if lost else overtaken(rt, plan.package, outcome.files)
    else:
        why = fallen(rt, plan.package, outcome.files)
    if why:
        _log.warning("a known result does not count; building again", reason=why)
        return None
    return outcome.model_copy(update={"reused": True, "written": ()})


def job_record(
    rt: Runtime, plan: BuildPlan, snapshot: SourceSnapshot, linked: LinkedLock, run: RunIdentity
) -> JobRecord:
    """Return everything that is settled before foreign code runs.

    What the record names by digest is in the vault then, the image's list of packages among it.
    """
    from farm.image.builder import store_packages  # noqa: PLC0415 - the Docker SDK is imported with it
    from farm.pipeline.recipe_origin import recipe_origin  # noqa: PLC0415 - GitPython is imported with it

    image = rt.image(plan.build.image)
    store_packages(rt.settings, image, rt.vault)
    return JobRecord(
        run_id=run.id,
        run_uri=run.uri,
        plan=plan,
        recipe_origin=recipe_origin((rt.settings.recipes / plan.recipe_path).parent),
        build_key=key_fields(plan, snapshot, image, linked).key,
        snapshot=snapshot,
        image=image,
        inputs=linked.lock.files,
        lock_digest=linked.committed,
        farm_version=__version__,
        rules_version=RULES_VERSION,
        started_on=run.started_on,
        stage=linked.stage,
        seeds=linked.seeds,
    )


def open_job(rt: Runtime, plan: BuildPlan, snapshot: SourceSnapshot, linked: LinkedLock, run: RunIdentity) -> OpenJob:
    """Tell the signer what is about to be built, before foreign code runs; it keeps the record and gives a token.

    Raises:
        SignerUnavailableError, SigningRefusedError.
    """
    from farm.trust.client import SignerClient  # noqa: PLC0415 - httpx is imported with it

    record = job_record(rt, plan, snapshot, linked, run)
    with SignerClient(rt.signer_socket) as client:
        return OpenJob(record=record, token=client.open_run(record))


def close_job(rt: Runtime, job: OpenJob) -> None:
    """End the job at the signer: its token signs nothing any more. Closing again is no error.

    What keeps the signer from it is only logged: the build has its result, or its error, already, and the token
    expires by itself.
    """
    from farm.trust.client import SignerClient  # noqa: PLC0415 - httpx is imported with it

    try:
        with SignerClient(rt.signer_socket) as client:
            client.close_run(job.token)
    except (SignerUnavailableError, SigningRefusedError) as error:
        _log.warning("the run stays open until its token expires", reason=error.message)


def build(rt: Runtime, plan: BuildPlan, snapshot: SourceSnapshot, linked: LinkedLock) -> BuildResult:
    """Step 5: run the build in a sandbox without network, with exactly the locked inputs.

    Raises:
        BuildFailedError, IsolationError and the sandbox's other errors.
    """
    import_ahead("farm.evidence.documents", "farm.pipeline.publishing")
    with rt.context("build", plan.package.ecosystem, rt.image(plan.build.image)) as context:
        return rt.ecosystem(plan.package.ecosystem).build(plan, snapshot, linked.lock, context)


def inspect(rt: Runtime, plan: BuildPlan, built: BuildResult) -> tuple[FileNote, ...]:
    """Step 7: hold what came out against the recipe.

    Raises:
        GuardError, UnsafeArchiveError.
    """
    with rt.context("inspect", plan.package.ecosystem, rt.image(plan.build.image)) as context:
        return rt.ecosystem(plan.package.ecosystem).inspect(plan, built, context)


def finish(rt: Runtime, record: JobRecord, built: BuildResult) -> tuple[Artifact, ...]:
    """Step 8: platform tag, embedded SBOM documents, canonical archive, and the build number, where it needs one.

    Raises:
        PlatformTagError, GuardError, UnsafeArchiveError.
        VerificationError, StoreUnavailableError: what is published of the version cannot be read.
    """
    from farm.evidence import documents  # noqa: PLC0415 - the SBOM libraries are imported with it
    from farm.pipeline.standing import published_digests  # noqa: PLC0415 - boto3 is imported with it

    ecosystem = rt.ecosystem(record.plan.package.ecosystem)

    def embed(artifact: Artifact) -> Mapping[str, bytes]:
        return documents.embedded(component_facts(record.plan, record.snapshot, artifact))

    published = partial(published_digests, rt, record.plan.package)
    with rt.context("finish", record.plan.package.ecosystem, record.image, published=published) as context:
        return ecosystem.finish(record.plan, record.snapshot, built, embed, context)


def test(
    rt: Runtime, record: JobRecord, linked: LinkedLock, built: BuildResult, artifacts: tuple[Artifact, ...]
) -> TestReport:
    """Step 9: import and test the finished artifacts in a fresh sandbox.

    Raises:
        PackageTestError and the sandbox's errors.
    """
    with rt.context("test", record.plan.package.ecosystem, record.image) as context:
        ecosystem = rt.ecosystem(record.plan.package.ecosystem)
        return ecosystem.test(record.plan, record.snapshot, linked.lock, built, artifacts, context)


class SignedBuild(Value):
    """What the sign step leaves: per file the bundles and the SBOM documents beside it, all in the vault."""

    files: tuple[SignedFile, ...]
    documents: tuple[dict[str, BlobRef], ...]
    """For each file: suffix → document."""


def sign(
    rt: Runtime,
    job: OpenJob,
    built: BuildResult,
    notes: tuple[FileNote, ...],
    artifacts: tuple[Artifact, ...],
    report: TestReport,
) -> SignedBuild:
    """Step 10: write the SBOM documents beside each file and have the signer sign the file and its provenance.

    Raises:
        SignerUnavailableError, SigningRefusedError.
        NotReproducibleError: an earlier build of this key gave other bytes.
    """
    from farm.evidence import documents as sboms  # noqa: PLC0415 - the SBOM libraries are imported with it
    from farm.trust.client import SignerClient  # noqa: PLC0415 - httpx is imported with it

    refuse_other_bytes(rt.vault, job.record, artifacts)
    signed, documents = [], []
    with rt.scratch("sign") as work, SignerClient(rt.signer_socket) as client:
        for artifact in artifacts:
            made = sboms.sidecars(sbom_facts(job.record, built, artifact))
            sidecars = {kind.value: rt.vault.put_bytes(document) for kind, document in made.items()}
            result = RunResult(
                finished_on=now(),
                probe=built.probe,
                test=report,
                notes=(*notes, *artifact.notes),
                byproducts=byproducts(artifact, built, report, sidecars),
            )
            path = work / artifact.filename
            rt.vault.fetch(artifact.blob, path)
            signed.append(client.sign(job.token, result, artifact.filename, path, expected=artifact.blob))
            documents.append(sidecars)
    return SignedBuild(files=tuple(signed), documents=tuple(documents))


def publish(rt: Runtime, *values: Any) -> Outcome:
    """Step 11: verify and publish; see `farm.pipeline.releasing.publish`."""
    from farm.pipeline import releasing  # noqa: PLC0415 - sigstore is imported with it

    return releasing.publish(rt, *values)


def keep(rt: Runtime, *values: Any) -> Outcome:
    """Instead of step 11 in a stage of a cycle's bootstrap; see `farm.pipeline.releasing.keep`."""
    from farm.pipeline import releasing  # noqa: PLC0415 - sigstore is imported with it

    return releasing.keep(rt, *values)


def release(rt: Runtime, plan: BuildPlan, outcome: Outcome) -> Outcome:
    """Publish what `keep` kept; see `farm.pipeline.releasing.release`."""
    from farm.pipeline import releasing  # noqa: PLC0415 - sigstore is imported with it

    return releasing.release(rt, plan, outcome)
