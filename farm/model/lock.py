"""The lock: every file that a build may read, with its digest and origin."""

from __future__ import annotations

from typing import Literal

from farm.model.base import BlobRef, Sha256, Value

__all__ = ["InputRole", "LinkedLock", "Lock", "LockedFile", "LockedName", "StandIn"]

InputRole = Literal["build", "backend", "runtime", "test"]
"""build: `build-system.requires` and its closure; backend: what `get_requires_for_build_*` added; runtime; test."""


class LockedName(Value):
    """What a locked file is called."""

    filename: str
    """Name, or the path in the repository's layout where a name is not unique (Maven2)."""
    name: str
    version: str


class LockedFile(LockedName):
    """One locked file. It is named, never addressed: the address comes from the configured index when it is fetched."""

    sha256: Sha256
    size: int
    origin: Literal["farm", "index"]
    """farm: farm's own repository (rebuilt here). index: the configured upstream index (upstream's binary)."""
    roles: tuple[InputRole, ...]
    purl: str
    sha1: str | None = None
    """Where the build tool checks its own downloads with it (Maven)."""
    repository: str | None = None
    """Id of the configured repository that had it, where there can be several (Maven)."""

    @property
    def ref(self) -> BlobRef:
        """Where the vault keeps it."""
        return BlobRef(sha256=self.sha256, size=self.size)


class Lock(Value):
    """The lock of one recipe version for one target, as committed beside the recipe."""

    schema_version: Literal[1] = 1
    package: str
    """`python/markupsafe@3.0.2`."""
    target: str
    """`cp311-linux-amd64`."""
    image: str
    """Name of the builder image."""
    basis: Sha256
    """Digest over what the lock was resolved from (recipe requirements, source pin, round results); differs = stale."""
    requirements: dict[str, tuple[str, ...]]
    """Role → the requirement strings that were resolved (PEP 508)."""
    files: tuple[LockedFile, ...]
    missing: tuple[str, ...] | None = None
    """What the build asks for and nobody has: that it is not there is locked too (Maven)."""

    def with_role(self, *roles: InputRole) -> tuple[LockedFile, ...]:
        """Return the files that carry any of `roles`, in lock order."""
        return tuple(f for f in self.files if set(f.roles) & set(roles))


class StandIn(Value):
    """A finished file of farm's own in the place of a locked one."""

    locked: str
    """Name of the locked file."""
    file: LockedFile
    """What is taken instead; its origin is `farm`."""
    signature: BlobRef
    """Its bundles, in the vault: it is verified before it is used."""
    provenance: BlobRef
    build_key: str = ""
    """Of the result that it is said to be of; its provenance has to name it. Empty where nobody knows."""


class LinkedLock(Value):
    """A lock with farm's own results put in where recipes provide what was locked: what a build really reads."""

    committed: Sha256
    """Fingerprint of the lock as it is committed."""
    lock: Lock
    """What the build reads."""
    stand_ins: tuple[StandIn, ...] = ()
    """By the name of the locked file."""
    seeds: tuple[str, ...] = ()
    """Files of upstream's, with their digests, that the first stage of a cycle is built with, though recipes provide
    them."""
    stage: int = 0
    """Of a cycle's bootstrap, from 1; 0 where there is none."""

    @property
    def digests(self) -> dict[str, Sha256]:
        """Locked file name → digest of what stands in for it."""
        return {stand_in.locked: stand_in.file.sha256 for stand_in in self.stand_ins}

    @classmethod
    def plain(cls, lock: Lock) -> LinkedLock:
        """Return a lock with nothing put in."""
        return cls(committed=lock.fingerprint(), lock=lock)
