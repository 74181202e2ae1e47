"""The Maven ecosystem: each method hands over to the module of its step, which it imports then."""
# ruff: noqa: PLC0415 - a build that finds its result in the vault loads no HTTP client and no XML parser

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from farm.config import Settings
    from farm.ecosystems.base import StepContext
    from farm.model.base import BlobRef
    from farm.model.build import Artifact, BuildResult, FileNote, ImageIdentity, TestReport
    from farm.model.lock import Lock, LockedFile, LockedName
    from farm.model.outcome import OutcomeFile
    from farm.model.plan import ArchivePin, BuildPlan, Target
    from farm.model.release import Release
    from farm.model.source import SourceSnapshot

__all__ = ["ECOSYSTEM", "MavenEcosystem"]


class MavenEcosystem:
    """See `farm.ecosystems.base.Ecosystem` for what each method takes, returns and raises."""

    name = "maven"
    index_path = "maven/"

    def fetch_archive(self, pin: ArchivePin, target: Path, settings: Settings) -> str:
        """Fetch a source release."""
        from farm.ecosystems.maven.fetch import fetch_source

        return fetch_source(pin, target, settings)

    def releases(self, pin: ArchivePin, settings: Settings) -> tuple[Release, ...]:
        """Return the versions that the index lists."""
        from farm.ecosystems.maven.releases import releases

        return releases(pin, settings)

    def release(self, pin: ArchivePin, settings: Settings) -> Release | None:
        """Return what the index says of one archive."""
        from farm.ecosystems.maven.releases import release

        return release(pin, settings)

    def resolve(self, plan: BuildPlan, snapshot: SourceSnapshot, ctx: StepContext) -> Lock:
        """Record the build."""
        from farm.ecosystems.maven.lock import make_lock

        return make_lock(plan, snapshot, ctx)

    def check_lock(self, plan: BuildPlan, snapshot: SourceSnapshot, image: ImageIdentity, lock: Lock) -> None:
        """Raise LockStaleError when the lock is of something else."""
        from farm.ecosystems.maven.basis import check

        check(plan, snapshot, image, lock)

    def fetcher(self, settings: Settings, own_index: str) -> AbstractContextManager[Callable[[LockedFile, Path], None]]:
        """Give what fetches locked files."""
        from farm.ecosystems.maven.fetch import fetcher

        return fetcher(settings, own_index)

    def choose(self, file: LockedName, results: Sequence[OutcomeFile], target: Target) -> OutcomeFile | None:
        """Choose the result that lies at the very path."""
        del target
        return next((result for result in results if result.path == file.filename), None)

    def adopt(self, file: LockedFile, result: OutcomeFile, read: Callable[[BlobRef], Path]) -> LockedFile:
        """Take the result, with the SHA-1 that Maven checks its downloads with."""
        sha1 = file.sha1
        if result.blob.sha256 != file.sha256:
            with read(result.blob).open("rb") as stream:
                sha1 = hashlib.file_digest(stream, _sha1).hexdigest()
        update = {"sha256": result.blob.sha256, "size": result.blob.size, "sha1": sha1, "origin": "farm"}
        return file.model_copy(update=update)

    def build(self, plan: BuildPlan, snapshot: SourceSnapshot, lock: Lock, ctx: StepContext) -> BuildResult:
        """Replay the recorded goals."""
        from farm.ecosystems.maven.build import build_jars

        return build_jars(plan, snapshot, lock, ctx)

    def inspect(self, plan: BuildPlan, result: BuildResult, ctx: StepContext) -> tuple[FileNote, ...]:
        """Run the guards."""
        from farm.ecosystems.maven.inspect import inspect_result

        return inspect_result(plan, result, ctx)

    def finish(
        self,
        plan: BuildPlan,
        snapshot: SourceSnapshot,
        result: BuildResult,
        embed: Callable[[Artifact], Mapping[str, bytes]],
        ctx: StepContext,
    ) -> tuple[Artifact, ...]:
        """Describe what was deployed; its bytes stay as they are."""
        from farm.ecosystems.maven.finish import finish_files

        del snapshot, embed  # the SBOM documents of a jar lie beside it
        return finish_files(plan, result, ctx)

    def test(
        self,
        plan: BuildPlan,
        snapshot: SourceSnapshot,
        lock: Lock,
        result: BuildResult,
        artifacts: tuple[Artifact, ...],
        ctx: StepContext,
    ) -> TestReport:
        """Report the tests that ran in the build."""
        from farm.ecosystems.maven.finish import report_tests

        del snapshot, lock, artifacts, ctx
        return report_tests(plan, result)


def _sha1() -> hashlib._Hash:
    return hashlib.sha1(usedforsecurity=False)


ECOSYSTEM = MavenEcosystem()
"""What `Runtime.ecosystem` finds."""
