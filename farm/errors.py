"""The error registry: one class, one exit code, one remedy for each way in which farm can stop.

Every error that a user can meet derives from `FarmError`. A subclass states its `exit_code` (unique, checked when the
class is made), whether trying again can help (`infrastructure`), and gives a message (what happened) and a remedy (what
to do). Exit codes: 1 internal, 2 usage (Typer), 10-19 recipe and configuration, 20-29 source, 30-39 lock and inputs,
40-59 sandbox and build, 60-69 test, 70-79 trust, 80-89 store and repository, 90-99 services and platform.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["FarmError", "registry"]

_REGISTRY: dict[int, type[FarmError]] = {}


def registry() -> dict[int, type[FarmError]]:
    """Return a copy of the map from exit code to error class."""
    return dict(_REGISTRY)


class FarmError(Exception):
    """Base of everything farm raises for a user.

    Args:
        message: what happened, one sentence that names the thing.
        remedy: what to do; the class's default is used when it is empty.
        details: facts for `--json` and the log (JSON-ready values only).
    """

    exit_code: ClassVar[int] = 1
    infrastructure: ClassVar[bool] = False
    """True where the same call can succeed later with the same inputs (a server is down): only these are retried."""
    follows_from_key: ClassVar[bool] = False
    """True where a build with the same key fails in the same way: it is remembered, and not tried again in vain."""
    default_remedy: ClassVar[str] = "Report this with the log; it is a defect of farm."

    def __init__(self, message: str, *, remedy: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy or self.default_remedy
        self.details: dict[str, Any] = dict(details or {})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        code = cls.exit_code
        other = _REGISTRY.get(code)
        if other is not None and other.__qualname__ != cls.__qualname__:
            msg = f"exit code {code} of {cls.__name__} belongs to {other.__name__}"
            raise TypeError(msg)
        _REGISTRY[code] = cls

    def __reduce__(self) -> tuple[Any, ...]:
        # Prefect carries exceptions between processes; keyword arguments need help to be pickled.
        return (_rebuild, (type(self), self.message, self.remedy, self.details))

    def as_json(self) -> dict[str, Any]:
        """Return the error as the JSON object that `--json` prints."""
        return {
            "error": type(self).__name__,
            "exit_code": self.exit_code,
            "message": self.message,
            "remedy": self.remedy,
            "infrastructure": self.infrastructure,
            "details": self.details,
        }


def _rebuild(cls: type[FarmError], message: str, remedy: str, details: dict[str, Any]) -> FarmError:
    return cls(message, remedy=remedy, details=details)


_REGISTRY[1] = FarmError


# --- 10-19: recipe and configuration ---------------------------------------------------------------------------------


class RecipeError(FarmError):
    """A recipe that does not follow the model: unknown key, wrong type, missing value."""

    exit_code = 10
    default_remedy = "Correct the recipe; `farm recipe check PATH` shows every problem with its line."


class RecipeNotFoundError(FarmError):
    """No recipe, or no version of it, by the name given."""

    exit_code = 11
    default_remedy = "Look at the names under recipes/; a reference is ecosystem/name or ecosystem/name@version."


class ConfigError(FarmError):
    """farm.toml or a FARM_* variable that cannot be used."""

    exit_code = 12
    default_remedy = "Correct farm.toml or the FARM_* variable that is named."


class CycleError(FarmError):
    """Packages are built with each other, and no recipe on the way round is a seed."""

    exit_code = 19
    default_remedy = (
        "Say in the recipe of one of them that upstream's file may begin the cycle (`seed: {reason: …}`), or lock a"
        " version that is built otherwise."
    )


class DuplicateRecipeError(FarmError):
    """Two recipes are of the same package, once their names are normalised."""

    exit_code = 18
    default_remedy = "Keep one of them, with the versions of both."


class RecipeVanishedError(FarmError):
    """A recipe is gone whose results others are built with."""

    exit_code = 17
    default_remedy = (
        "Put the recipe back; or, if it is to go, lock its dependants to something else, or say so with"
        " `farm catalog forget X`."
    )


class ReleaseCoolingError(FarmError):
    """A release that is younger than `policy.cooldown_days`, or of which nobody says when it came out."""

    exit_code = 13
    default_remedy = "Wait until the day that is named; if it has to be now, look at the release and add --allow-young."


class VersionPinnedError(FarmError):
    """The recipe pins the version already."""

    exit_code = 14
    default_remedy = "Name another version; what a pin holds is changed by hand, after finding out why."


class RecipeEditError(FarmError):
    """The recipe's text cannot be added to without changing more than the new version."""

    exit_code = 15
    default_remedy = "Add the version by hand, with the pin that is named; the file is as it was."


class ScheduleError(FarmError):
    """A schedule that is none: cron syntax, a time that never comes, an unknown time zone."""

    exit_code = 16
    default_remedy = 'Give five fields (minute, hour, day of month, month, day of week), for example "0 2 * * *".'


# --- 20-29: source ---------------------------------------------------------------------------------------------------


class SourcePinError(FarmError):
    """The pin itself is no pin: commit missing or short, digest missing."""

    exit_code = 20
    default_remedy = "Pin the full commit (40 or 64 hex digits) or the SHA-256 of the archive in the recipe."


class SourceUnavailableError(FarmError):
    """The source host or the archive cannot be reached or read."""

    exit_code = 21
    infrastructure = True
    default_remedy = "Check the network, the index configuration and git's insteadOf, then try again."


class CommitNotFoundError(FarmError):
    """The pinned commit is not in the repository."""

    exit_code = 22
    default_remedy = "Check the commit in the recipe; it may have been removed upstream."


class TagMovedError(FarmError):
    """The tag of a version resolves to another commit than the recipe pins."""

    exit_code = 23
    default_remedy = "Find out why the tag moved before you change the pin: this is what an attack looks like."


class SourceDigestError(FarmError):
    """An archive whose SHA-256 is not the pinned one."""

    exit_code = 24
    default_remedy = "Find out why the archive changed before you change the pin: this is what an attack looks like."


class SourceUnsafeError(FarmError):
    """A source tree that cannot be taken: entries that leave it, devices, links to outside, too large."""

    exit_code = 25
    default_remedy = "Do not build this source; report it to its project."


class PatchError(FarmError):
    """A patch of the recipe does not fit the source."""

    exit_code = 27
    follows_from_key = True
    default_remedy = "Make the patch again for the pinned source (paths from the root of the source, `git diff`)."


class SourceMissingError(FarmError):
    """The index or the host answers that it does not have the archive."""

    exit_code = 26
    default_remedy = "Check name, version and address in the recipe, and that the configured index has the archive."


class ReleaseMissingError(FarmError):
    """Upstream has no such release, or none that the recipe's source can be taken from."""

    exit_code = 28
    default_remedy = "Look at the versions upstream has; `farm catalog outdated RECIPE` names the newest."


class ReleaseYankedError(FarmError):
    """Upstream withdrew the release."""

    exit_code = 29
    default_remedy = "Take another version: its publisher says that this one is not to be used."


# --- 30-39: lock and inputs ------------------------------------------------------------------------------------------


class LockMissingError(FarmError):
    """The recipe version has no lock for this interpreter."""

    exit_code = 30
    default_remedy = "Run `farm lock` for the recipe and commit the file it writes."


class LockStaleError(FarmError):
    """The lock was made for another recipe, source or image than the present one."""

    exit_code = 31
    default_remedy = "Run `farm lock` for the recipe, read the difference and commit it."


class InputDigestError(FarmError):
    """A locked file whose bytes are not the locked ones, wherever it was fetched."""

    exit_code = 32
    default_remedy = "Find out why the file changed; if the change is right, run `farm lock` and review it."


class InputUnavailableError(FarmError):
    """A locked file cannot be fetched."""

    exit_code = 33
    infrastructure = True
    default_remedy = "Check the index configuration and the network, then try again."


class ResolutionError(FarmError):
    """The build, runtime or test requirements have no solution in wheels."""

    exit_code = 34
    default_remedy = (
        "Read the resolver's words below; constrain with build.requires or add a recipe for what has no wheel."
    )


class InputMissingError(FarmError):
    """The index answers, but does not have a locked file."""

    exit_code = 35
    default_remedy = "Check which index is configured; if the file was removed there, run `farm lock` and review it."


class InputNotLockedError(FarmError):
    """The build asked for a file that its lock does not hold."""

    exit_code = 36
    follows_from_key = True
    default_remedy = "Run `farm lock` for the package, read what it adds, and commit it."


class NotRebuiltError(FarmError):
    """The policy wants inputs that farm rebuilt, and some are not."""

    exit_code = 37
    default_remedy = (
        "Build them first (`farm catalog rebuild --only X`), add a recipe for what has none, or set policy.inputs to"
        " rebuilt-first."
    )


class CargoLockError(FarmError):
    """A Cargo.lock from which the crates of a build cannot be locked."""

    exit_code = 38
    default_remedy = "Patch the Cargo.lock (build.patches): every package from one registry, with its checksum."


# --- 40-59: sandbox and build ----------------------------------------------------------------------------------------


class IsolationError(FarmError):
    """The isolation probe got through: the sandbox is not one, so nothing foreign was run."""

    exit_code = 40
    default_remedy = (
        "Do not build on this host until `farm build` passes the probe; check Docker's configuration and the runtime."
    )


class BuildFailedError(FarmError):
    """The build command failed."""

    exit_code = 41
    follows_from_key = True
    default_remedy = "Read the end of the build log; a missing input is added in the recipe, then `farm lock`."


class SandboxTimeoutError(FarmError):
    """Foreign code ran out of time."""

    exit_code = 42
    default_remedy = "Raise limits.time_seconds in the recipe if the work really takes longer."


class SandboxMemoryError(FarmError):
    """Foreign code ran out of memory."""

    exit_code = 43
    follows_from_key = True
    default_remedy = "Raise limits.memory_mb in the recipe if the work really needs more."


class SandboxDiskError(FarmError):
    """Foreign code filled its file systems or its output is larger than allowed."""

    exit_code = 44
    follows_from_key = True
    default_remedy = "Raise limits.disk_mb or limits.output_mb in the recipe if the work really needs more."


class SandboxPidsError(FarmError):
    """Foreign code ran into the limit of processes."""

    exit_code = 45
    follows_from_key = True
    default_remedy = "Raise limits.pids in the recipe if the work really needs more."


class OutputUnsafeError(FarmError):
    """What came out of the sandbox leaves its folder: links, devices, names with `..`."""

    exit_code = 46
    follows_from_key = True
    default_remedy = "Do not use this build; look at what the package's build scripts do."


class GuardError(FarmError):
    """The built artifact is not what the recipe says: count, name, version, tags, metadata, RECORD, content."""

    exit_code = 47
    follows_from_key = True
    default_remedy = "Compare the artifact with the recipe; the guard names what differs."


class UnsafeArchiveError(FarmError):
    """An archive with entries that leave it, links, duplicates or unreadable members."""

    exit_code = 48
    follows_from_key = True
    default_remedy = "Do not use this archive; look at what produced it."


class PlatformTagError(FarmError):
    """The native wheel cannot get its platform tag (auditwheel refused)."""

    exit_code = 49
    follows_from_key = True
    default_remedy = "Read auditwheel's words: link what it names statically or build on an older system image."


class NotReproducibleError(FarmError):
    """A second build of the same build key gave other bytes."""

    exit_code = 50
    follows_from_key = True
    default_remedy = "Compare the two artifacts that are named; nothing was published."


class BuildToolError(FarmError):
    """The source is built by a tool that farm does not support."""

    exit_code = 51
    follows_from_key = True
    default_remedy = "Build it from a source with a pom.xml (in source.subdirectory), or add one with build.patches."


class NotSettledError(FarmError):
    """The packages of a cycle come out with other bytes at each stage of its bootstrap."""

    exit_code = 52
    default_remedy = "Find out what of one gets into the other (a version, a date, a path); nothing was published."


# --- 60-69: test -----------------------------------------------------------------------------------------------------


class PackageTestError(FarmError):
    """The package's imports or tests failed with the built artifact."""

    exit_code = 60
    follows_from_key = True
    default_remedy = "Read the test log; the artifact was not signed and not published."


# --- 70-79: trust ----------------------------------------------------------------------------------------------------


class SignerUnavailableError(FarmError):
    """The signer does not answer."""

    exit_code = 70
    infrastructure = True
    default_remedy = "Start it with `farm up`, see `farm status` and its log, then try again."


class SigningRefusedError(FarmError):
    """The signer refused: token expired or of another run, digest differs, facts not in the job record."""

    exit_code = 71
    default_remedy = "Submit the build again; if it repeats, read the signer's log."


class VerificationError(FarmError):
    """A file, bundle or statement that does not verify."""

    exit_code = 72
    default_remedy = (
        "Do not install the file. Fetch it again from the index; if it repeats, tell the team that runs the farm."
    )


class TrustRootError(FarmError):
    """The trust root is missing or unreadable."""

    exit_code = 73
    default_remedy = "Name the farm's trust configuration with --trust-config or FARM_TRUST__TRUST_CONFIG."


class CatalogRollbackError(FarmError):
    """A catalog snapshot that is older than one that was seen before, or another one with the same number."""

    exit_code = 76
    default_remedy = (
        "Install nothing until the team that runs the farm has said why: this is what it looks like when old, "
        "vulnerable versions are put back."
    )


# --- 80-89: store and repository -------------------------------------------------------------------------------------


class StoreUnavailableError(FarmError):
    """The object store does not answer."""

    exit_code = 80
    infrastructure = True
    default_remedy = "Start it with `farm up`, see `farm status`, then try again; nothing was lost."


class BlobCorruptError(FarmError):
    """A blob of the vault whose bytes are not its name; it was put into quarantine."""

    exit_code = 81
    default_remedy = "Run the build again: what has a source is fetched again."


class BlobMissingError(FarmError):
    """A blob that a record names is not in the vault."""

    exit_code = 82
    default_remedy = "Run the build again with --force."


class ImmutableError(FarmError):
    """A published file of this name holds other bytes."""

    exit_code = 83
    default_remedy = (
        "Published files never change. Find out what differs (image, lock, source); the old file stays as it is."
    )


class PublisherBusyError(FarmError):
    """Another publisher holds the lease."""

    exit_code = 84
    infrastructure = True
    default_remedy = "Wait for the other publish to end, then try again."


class StoredBytesLostError(FarmError):
    """Bytes of the vault or the repository are damaged or gone, and nothing has them any more."""

    exit_code = 87
    default_remedy = (
        "Restore what is named from a backup of the buckets, or build the packages again: `farm build … --force`."
    )


class DiskFullError(FarmError):
    """There is no room left on a file system of this host."""

    exit_code = 85
    infrastructure = True
    default_remedy = "Make room below the data folder (`farm status` names it), then try again; nothing was lost."


# --- 90-99: services and platform ------------------------------------------------------------------------------------


class DockerUnavailableError(FarmError):
    """No Docker Engine answers."""

    exit_code = 90
    infrastructure = True
    default_remedy = (
        "Start Docker Engine (`make setup` installs it), or set DOCKER_HOST; a client on the PATH is no engine."
    )


class ImageMissingError(FarmError):
    """The builder image is not on this host."""

    exit_code = 91
    default_remedy = "Run `farm images build`."


class ImageBuildError(FarmError):
    """The builder image could not be made."""

    exit_code = 92
    default_remedy = "Read the log that is named; mmdebstrap needs root (or user namespaces) and the Debian mirror."


class ServiceError(FarmError):
    """A service of `farm up` did not start or died."""

    exit_code = 93
    infrastructure = True
    default_remedy = "Read the service's log under .farm/logs, then run `farm up` again."


class PrefectUnavailableError(FarmError):
    """The Prefect server or its worker does not answer."""

    exit_code = 94
    infrastructure = True
    default_remedy = "Start it with `farm up`, then try again; `farm build` works without it."


class RunNotFoundError(FarmError):
    """No flow run by that name or id."""

    exit_code = 95
    default_remedy = "See the runs in the Prefect UI (`farm status` has its address)."


class RunFailedError(FarmError):
    """A flow run ended without a result that says why (crashed or cancelled)."""

    exit_code = 96
    default_remedy = "Read its log with `farm logs RUN`."


class CatalogFailedError(FarmError):
    """Some packages of the catalog failed; the others were rebuilt and published."""

    exit_code = 97
    default_remedy = "Read the report: it groups the failures by cause. `farm catalog` says why a package is not built."


class RebuildBusyError(FarmError):
    """Another rebuild of the catalog is at work."""

    exit_code = 98
    infrastructure = True
    default_remedy = "Wait for it to end (`farm logs RUN --follow`), or cancel it in the Prefect UI, then try again."


class RecipePresentError(FarmError):
    """The results are of a recipe that is still there."""

    exit_code = 99
    default_remedy = "Remove the recipe first, then forget its results."
