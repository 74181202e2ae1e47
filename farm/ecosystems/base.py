"""What a language must supply. The pipeline calls this and nothing else of an ecosystem."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from farm.config import Settings
    from farm.model.base import BlobRef
    from farm.model.build import Artifact, BuildResult, FileNote, ImageIdentity, TestReport
    from farm.model.lock import Lock, LockedFile, LockedName
    from farm.model.outcome import OutcomeFile
    from farm.model.plan import ArchivePin, BuildPlan, Target
    from farm.model.release import Release
    from farm.model.source import SourceSnapshot
    from farm.sandbox.base import Sandbox
    from farm.store.base import Vault
    from farm.store.cache import BlobCache

__all__ = ["Ecosystem", "StepContext", "nothing", "unheard"]


def unheard(text: str) -> None:
    """Where nobody looks on: say nothing."""
    del text


def nothing() -> Mapping[str, str]:
    """Where it does not matter what is published: nothing is."""
    return {}


@dataclass(frozen=True)
class StepContext:
    """What a step is given besides its values."""

    settings: Settings
    vault: Vault
    sandbox: Sandbox
    image: ImageIdentity
    work: Path
    """Scratch folder of this step alone, removed by the caller."""
    cache: BlobCache
    """The vault's blobs as files of this host, for steps with very many inputs."""
    tell: Callable[[str], None] = unheard
    """Called with how far a long step is, in a few words."""
    own_index: str = ""
    """Address of farm's own repository for this ecosystem, empty when it is not being served."""
    preferred: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For the lock: package → versions that have a recipe, newest first; taken before others that would do as well."""
    published: Callable[[], Mapping[str, str]] = nothing
    """Gives what is published of this very package version: file name → SHA-256. For the finish step.

    Raises what reading the repository raises: VerificationError, StoreUnavailableError.
    """


class Ecosystem(Protocol):
    """One language."""

    name: str
    index_path: str
    """Where below its address the farm's own repository has this language: `simple/`."""

    def fetch_archive(self, pin: ArchivePin, target: Path, settings: Settings) -> str:
        """Fetch a named archive (an sdist, a source release) through the user's configured index.

        Returns:
            Its file name. The caller checks the digest.

        Raises:
            SourceUnavailableError: the index does not answer.
            SourceMissingError: it does not have it.
        """
        ...

    def releases(self, pin: ArchivePin, settings: Settings) -> tuple[Release, ...]:
        """Return the versions that the user's configured index lists for the package of a named archive, in no order.

        A version is there once, in a spelling of the ecosystem; what is no version of it is left out. Empty when the
        index does not know the package.

        Raises:
            SourcePinError: the pin is no archive of this ecosystem.
            SourceUnavailableError: the index does not answer, or what it says cannot be read.
            ConfigError: the index cannot be asked as it is configured.
        """
        ...

    def release(self, pin: ArchivePin, settings: Settings) -> Release | None:
        """Return what the index says now of the very archive that `pin` names; its digest does not count.

        Nothing is downloaded. None when the index has no such version; without `has_source` when it has no such archive
        of it, where it tells the two apart.

        Raises:
            what `releases` raises.
        """
        ...

    def resolve(self, plan: BuildPlan, snapshot: SourceSnapshot, ctx: StepContext) -> Lock:
        """Make the lock: run the requirement rounds (foreign code only in the sandbox) and resolve with digests.

        Raises:
            ResolutionError, BuildFailedError and whatever the sandbox raises.
        """
        ...

    def check_lock(self, plan: BuildPlan, snapshot: SourceSnapshot, image: ImageIdentity, lock: Lock) -> None:
        """Raise LockStaleError when `lock` was made for something else. No I/O."""
        ...

    def fetcher(self, settings: Settings, own_index: str) -> AbstractContextManager[Callable[[LockedFile, Path], None]]:
        """Give what fetches locked files, over connections that are kept until the end; safe in several threads.

        It takes a file and a path, and writes the file, from where the lock says it comes from, to the path, digest
        checked.

        Raises (when it is called):
            InputUnavailableError, InputMissingError, InputDigestError.
        """
        ...

    def choose(self, file: LockedName, results: Sequence[OutcomeFile], target: Target) -> OutcomeFile | None:
        """Choose which of farm's own results of the same package and version takes the place of a locked file. No I/O.

        Args:
            file: as it is locked.
            results: files of all targets.
            target: what is to be built.
        """
        ...

    def adopt(self, file: LockedFile, result: OutcomeFile, read: Callable[[BlobRef], Path]) -> LockedFile:
        """Return what is read instead of a locked file: with origin `farm`, and with the roles of `file`.

        Args:
            file: as it is locked.
            result: what `choose` chose.
            read: gives a result as a file of this host, where more than its SHA-256 is needed.
        """
        ...

    def build(self, plan: BuildPlan, snapshot: SourceSnapshot, lock: Lock, ctx: StepContext) -> BuildResult:
        """Run the build in the sandbox with exactly the locked build inputs and put what comes out into the vault.

        Raises:
            BuildFailedError and whatever the sandbox raises.
        """
        ...

    def inspect(self, plan: BuildPlan, result: BuildResult, ctx: StepContext) -> tuple[FileNote, ...]:
        """Hold the raw artifacts against the recipe (the guards).

        Raises:
            GuardError, UnsafeArchiveError.
        """
        ...

    def finish(
        self,
        plan: BuildPlan,
        snapshot: SourceSnapshot,
        result: BuildResult,
        embed: Callable[[Artifact], Mapping[str, bytes]],
        ctx: StepContext,
    ) -> tuple[Artifact, ...]:
        """Set platform tags, embed what `embed` returns for the artifact (name → document), write it canonically.

        Where the ecosystem has build numbers, the file gets one if other bytes are published (`ctx.published`).

        Raises:
            PlatformTagError, GuardError, UnsafeArchiveError, and what `ctx.published` raises.
        """
        ...

    def test(
        self,
        plan: BuildPlan,
        snapshot: SourceSnapshot,
        lock: Lock,
        result: BuildResult,
        artifacts: tuple[Artifact, ...],
        ctx: StepContext,
    ) -> TestReport:
        """Import and test the finished artifacts in a fresh sandbox with only their locked runtime and test inputs.

        Where the build tool runs the tests while it builds, `result` says what came of them.

        Raises:
            PackageTestError and whatever the sandbox raises.
        """
        ...
