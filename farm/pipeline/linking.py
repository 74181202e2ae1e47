"""The link step: farm's own results in the place of what was locked, where recipes provide it.

A lock names what was resolved, upstream's files as a rule, and stays as it is committed. What a build really reads
follows from it and from what farm has built since: built from source all the way down, without a lock to be written
again each time a dependency comes out with other bytes.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from farm.ecosystems.repositories import layout_of
from farm.errors import InputDigestError, NotRebuiltError, VerificationError
from farm.evidence.facts import read_statement
from farm.languages import is_package, language
from farm.model.lock import LinkedLock, StandIn
from farm.pipeline.outcomes import known_outcome, record_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from farm.ecosystems.base import Ecosystem
    from farm.model.base import BlobRef
    from farm.model.lock import Lock, LockedFile
    from farm.model.outcome import OutcomeFile
    from farm.model.plan import BuildPlan
    from farm.repository.gate import Gate
    from farm.store.vault import S3Vault

__all__ = [
    "CurrentResults",
    "Policy",
    "Provided",
    "Provider",
    "forget_current",
    "link_lock",
    "note_current",
    "verify_stand_in",
]

Policy = Literal["rebuilt-first", "rebuilt-only", "locked"]
"""rebuilt-first: farm's own result where there is one. rebuilt-only: nothing else. locked: what the lock names."""

CURRENT = "current"
"""Record kind: which result of a package version, for a target, was published last."""
_SHOWN = 8


@dataclass(frozen=True)
class Provided:
    """What the recipes have for one package version."""

    files: tuple[OutcomeFile, ...]
    """Of the present results, for all targets; empty while there are none."""
    seed: bool = False
    """Upstream's file is to be taken: this is the first stage of a cycle."""
    keys: tuple[str, ...] = ()
    """For each file the key of the build that gave it; none where they are not known."""

    def key_of(self, result: OutcomeFile) -> str:
        """Return the key of the build that gave one of `files`, empty where it is not known."""
        return next((key for file, key in zip(self.files, self.keys, strict=False) if file is result), "")


class Provider(Protocol):
    """Knows what recipes provide."""

    def __call__(self, name: str, version: str) -> Provided | None:
        """Return what there is for a package (or module) and version as the lock spells them; None for no recipe."""
        ...


class CurrentResults:
    """What was published last, for a build outside of a run over the catalog.

    Args:
        vault: where the results are.
        ecosystem: of the build.
    """

    def __init__(self, vault: S3Vault, ecosystem: str) -> None:
        self._vault = vault
        self._ecosystem = ecosystem
        self._known: dict[str, list[str]] | None = None

    def __call__(self, name: str, version: str) -> Provided | None:
        """See `Provider`. One listing is asked for, whatever the number of files."""
        if self._known is None:
            self._known = {}
            for key in self._vault.records(CURRENT, f"{self._ecosystem}/"):
                self._known.setdefault(key.rpartition("/")[0], []).append(key)
        keys = self._known.get(_place(self._ecosystem, name, version), ())
        named = [(self._vault.get_record(CURRENT, key) or b"").decode() for key in keys]
        outcomes = [known_outcome(self._vault, build_key) for build_key in named if build_key]
        if not any(named):
            return None  # a result that was forgotten leaves an empty record behind
        known = [(file, found.build_key) for found in outcomes if found for file in found.files]
        return Provided(tuple(file for file, _ in known), keys=tuple(key for _, key in known))


def note_current(vault: S3Vault, plan: BuildPlan, build_key: str) -> None:
    """Write down that the result of `build_key` is what `CurrentResults` finds for the package and its modules."""
    package = plan.package
    for name in {package.name, *layout_of(package.ecosystem).declared(plan)}:
        place = _place(package.ecosystem, name, package.version)
        vault.put_record(CURRENT, f"{place}/{plan.target.key}", build_key.encode())


def forget_current(vault: S3Vault, ecosystem: str, names: Iterable[str], version: str, target: str) -> None:
    """Undo `note_current` for a package (and its modules) whose recipe is gone."""
    for name in names:
        vault.put_record(CURRENT, f"{_place(ecosystem, name, version)}/{target}", b"")


def _normal(ecosystem: str, name: str, version: str) -> tuple[str, str]:
    naming = language(ecosystem).naming
    with suppress(ValueError):  # a lock can hold what no recipe can be called (metadata of a repository, say)
        return naming.name(name), str(naming.version(version))
    return name, version


def _place(ecosystem: str, name: str, version: str) -> str:
    name, version = _normal(ecosystem, name, version)
    return f"{ecosystem}/{record_name(name)}/{record_name(version)}"


def link_lock(
    plan: BuildPlan,
    lock: Lock,
    provider: Provider,
    ecosystem: Ecosystem,
    *,
    policy: Policy,
    read: Callable[[BlobRef], Path],
    stage: int = 0,
    seeds: tuple[str, ...] = (),
) -> LinkedLock:
    """Put farm's own results into `lock`.

    Args:
        plan: what is to be built.
        lock: as it is committed.
        provider: what recipes provide.
        ecosystem: says which file can stand in for which.
        policy: whether to, and whether something may be left.
        read: gives a blob as a file of this host, digest checked.
        stage: of a cycle's bootstrap, 0 for none.
        seeds: what the first stage of that cycle was built with.

    Raises:
        NotRebuiltError: the policy is `rebuilt-only`, and farm has no result for something.
    """
    plain = LinkedLock.plain(lock)
    if policy == "locked":
        return plain
    files: list[LockedFile] = []
    stand_ins: list[StandIn] = []
    begun_with = set(seeds)
    left: list[tuple[LockedFile, str]] = []
    for file in lock.files:
        own_kind = is_package(plan.package.ecosystem, file.name, file.version, file.purl)
        provided = provider(file.name, file.version) if own_kind else None
        result = ecosystem.choose(file, provided.files, plan.target) if provided and not provided.seed else None
        if result is not None:
            replacement = ecosystem.adopt(file, result, read)
            files.append(replacement)
            stand_ins.append(
                StandIn(
                    locked=file.filename,
                    file=replacement,
                    signature=result.signature,
                    provenance=result.provenance,
                    build_key=provided.key_of(result) if provided else "",
                )
            )
            continue
        files.append(file)
        if provided and provided.seed:
            begun_with.add(f"{file.filename} sha256:{file.sha256}")
        elif file.origin != "farm":
            left.append((file, _why(provided)))
    if policy == "rebuilt-only" and left:
        raise _not_rebuilt(plan, left)
    return LinkedLock(
        committed=plain.committed,
        lock=lock.model_copy(update={"files": tuple(files)}),
        stand_ins=tuple(sorted(stand_ins, key=lambda item: item.locked)),
        seeds=tuple(sorted(begun_with)),
        stage=stage,
    )


def _why(provided: Provided | None) -> str:
    if provided is None:
        return "no recipe provides it"
    return "its recipe has no file for this target" if provided.files else "its recipe is not built yet"


def _not_rebuilt(plan: BuildPlan, left: Iterable[tuple[LockedFile, str]]) -> NotRebuiltError:
    named = [f"{file.filename} ({why})" for file, why in left]
    shown = ", ".join(named[:_SHOWN]) + (f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else "")
    return NotRebuiltError(
        f"{plan.package}: {len(named)} of its inputs are not farm's own: {shown}", details={"inputs": named}
    )


def verify_stand_in(stand_in: StandIn, path: Path, gate: Gate, texts: tuple[str, str], ecosystem: str) -> None:
    """Demand that a file that is said to be farm's own is: both bundles, and the package and version that are meant.

    The record that names it lies in the vault: whoever can write there could name anything.

    Args:
        stand_in: what it is said to be.
        path: the file, under any name.
        gate: what consumers' verification is.
        texts: its bundles: signature, provenance.
        ecosystem: whose file it is.

    Raises:
        InputDigestError: it does not verify, or it is of another package, version or build.
    """
    file = stand_in.file
    filename = file.filename.rpartition("/")[2]
    remedy = "Somebody may have written to the vault's bucket: find out who, before anything is built from it."
    try:
        facts = read_statement(gate.check(path, file.ref, filename, *texts).statement)
    except VerificationError as error:
        raise InputDigestError(f"{filename}, a result of farm's own: {error.message}", remedy=remedy) from error
    spoken = language(facts.ecosystem)
    naming, names = spoken.naming, (facts.package, *spoken.modules(facts.options))
    name, version = _normal(facts.ecosystem, file.name, file.version)
    same = version == str(naming.version(facts.version))
    if facts.ecosystem != ecosystem or name not in names or not same:
        raise InputDigestError(
            f"{filename} is to stand in for {file.name} {file.version}, and was built as"
            f" {facts.ecosystem}/{facts.package}@{facts.version}",
            remedy=remedy,
        )
    if stand_in.build_key and facts.build_key != stand_in.build_key:
        # An older result of the same version verifies as well: what was mended since would be lost in silence.
        raise InputDigestError(
            f"{filename} is to be of the build {stand_in.build_key[:12]}, and is of {facts.build_key[:12]}",
            remedy=remedy,
        )
