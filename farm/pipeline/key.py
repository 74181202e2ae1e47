"""Collecting the fields of the build key."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from farm.model.key import KeyFields

if TYPE_CHECKING:
    from farm.model.build import ImageIdentity
    from farm.model.lock import LinkedLock
    from farm.model.plan import BuildPlan
    from farm.model.source import SourceSnapshot

__all__ = ["COMPRESSOR", "RULES_VERSION", "key_fields"]

RULES_VERSION = 3
"""Raised with every change of farm that can change the bytes of an artifact or its embedded documents."""
COMPRESSOR: Final = f"zlib {zlib.ZLIB_RUNTIME_VERSION}"


def key_fields(plan: BuildPlan, snapshot: SourceSnapshot, image: ImageIdentity, linked: LinkedLock) -> KeyFields:
    """Collect the fields of the build key (pure)."""
    return KeyFields(
        package=str(plan.package),
        target=plan.target.key,
        recipe=plan.recipe_digest,
        source_tree=snapshot.tree_digest,
        source_epoch=snapshot.epoch,
        image=image.digest,
        lock=linked.committed,
        rebuilt=linked.digests,
        compressor=COMPRESSOR,
        rules=RULES_VERSION,
    )
