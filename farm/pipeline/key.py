"""The build key: everything that can change the output, in one digest."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from farm.model.base import Sha256, Value

if TYPE_CHECKING:
    from farm.model.build import ImageIdentity
    from farm.model.lock import Lock
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["RULES_VERSION", "KeyFields", "key_fields"]

RULES_VERSION = 3
"""Raised with every change of farm that can change the bytes of an artifact or its embedded documents."""


class KeyFields(Value):
    """What the build key is the digest of; kept so that two keys can be compared field by field."""

    package: str
    target: str
    recipe: Sha256
    source_tree: Sha256
    source_epoch: int
    image: Sha256
    lock: Sha256
    compressor: str
    """The library that packs the finished archive on this host: another one may pack the same content differently."""
    rules: int

    @property
    def key(self) -> Sha256:
        """The build key: SHA-256 over the canonical JSON (RFC 8785) of the fields."""
        return self.fingerprint()


def key_fields(plan: BuildPlan, snapshot: SourceSnapshot, image: ImageIdentity, lock: Lock) -> KeyFields:
    """Collect the fields of the build key (pure)."""
    return KeyFields(
        package=str(plan.package),
        target=plan.target.key,
        recipe=plan.recipe_digest,
        source_tree=snapshot.tree_digest,
        source_epoch=snapshot.epoch,
        image=image.digest,
        lock=lock.fingerprint(),
        compressor=f"zlib {zlib.ZLIB_RUNTIME_VERSION}",
        rules=RULES_VERSION,
    )
