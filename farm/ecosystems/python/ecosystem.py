"""The Python ecosystem: each method hands over to the module of its step.

The modules are imported by the methods, so that a build that finds its result in the vault loads no HTTP client, no
HTML parser and no resolver.
"""
# ruff: noqa: PLC0415 - for the reason above

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from farm.ecosystems.python import basis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
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

__all__ = ["ECOSYSTEM", "PythonEcosystem"]


class PythonEcosystem:
    """See `farm.ecosystems.base.Ecosystem` for what each method takes, returns and raises."""

    name = "python"
    index_path = "simple/"

    def fetch_archive(self, pin: ArchivePin, target: Path, settings: Settings) -> str:
        """Fetch an sdist."""
        from farm.ecosystems.python.locate import fetch_sdist

        return fetch_sdist(pin, target, settings)

    def releases(self, pin: ArchivePin, settings: Settings) -> tuple[Release, ...]:
        """Return the versions that the index lists."""
        from farm.ecosystems.python.releases import releases

        return releases(pin, settings)

    def release(self, pin: ArchivePin, settings: Settings) -> Release | None:
        """Return what the index says of one archive."""
        from farm.ecosystems.python.releases import release

        return release(pin, settings)

    def resolve(self, plan: BuildPlan, snapshot: SourceSnapshot, ctx: StepContext) -> Lock:
        """Make the lock."""
        from farm.ecosystems.python.lock import make_lock

        return make_lock(plan, snapshot, ctx)

    def check_lock(self, plan: BuildPlan, snapshot: SourceSnapshot, image: ImageIdentity, lock: Lock) -> None:
        """Raise LockStaleError when the lock is of something else."""
        basis.check(plan, snapshot, image, lock)

    @contextmanager
    def fetcher(self, settings: Settings, own_index: str) -> Iterator[Callable[[LockedFile, Path], None]]:
        """Give what fetches locked files."""
        from farm.ecosystems.python.locate import locked_files

        with locked_files(settings, own_index) as fetch:
            yield fetch

    def choose(self, file: LockedName, results: Sequence[OutcomeFile], target: Target) -> OutcomeFile | None:
        """Choose the wheel that an installer would."""
        from farm.ecosystems.python.stand_in import choose

        return choose(file, results, target)

    def adopt(self, file: LockedFile, result: OutcomeFile, read: Callable[[BlobRef], Path]) -> LockedFile:
        """Take the wheel, under its own name."""
        del read
        blob = result.blob
        update = {"filename": result.filename, "sha256": blob.sha256, "size": blob.size, "origin": "farm"}
        return file.model_copy(update=update)

    def build(self, plan: BuildPlan, snapshot: SourceSnapshot, lock: Lock, ctx: StepContext) -> BuildResult:
        """Build the wheel."""
        from farm.ecosystems.python.build import build_wheel

        return build_wheel(plan, snapshot, lock, ctx)

    def inspect(self, plan: BuildPlan, result: BuildResult, ctx: StepContext) -> tuple[FileNote, ...]:
        """Run the guards."""
        from farm.ecosystems.python.inspect import inspect_result

        return inspect_result(plan, result, ctx)

    def finish(
        self,
        plan: BuildPlan,
        snapshot: SourceSnapshot,
        result: BuildResult,
        embed: Callable[[Artifact], Mapping[str, bytes]],
        ctx: StepContext,
    ) -> tuple[Artifact, ...]:
        """Set the platform tag, embed documents, write the archive canonically."""
        from farm.ecosystems.python.finish import finish_wheel

        return finish_wheel(plan, snapshot, result, embed, ctx)

    def test(
        self,
        plan: BuildPlan,
        snapshot: SourceSnapshot,
        lock: Lock,
        result: BuildResult,
        artifacts: tuple[Artifact, ...],
        ctx: StepContext,
    ) -> TestReport:
        """Test the finished wheel."""
        del result  # what counts is how the wheel does
        from farm.ecosystems.python.test import test_wheel

        return test_wheel(plan, snapshot, lock, artifacts, ctx)


ECOSYSTEM = PythonEcosystem()
"""What `Runtime.ecosystem` finds."""
