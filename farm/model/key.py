"""The build key: everything that can change the output, in one digest."""

from __future__ import annotations

from pydantic import Field

from farm.model.base import Sha256, Value

__all__ = ["KeyFields"]


class KeyFields(Value):
    """What the build key is the digest of; kept so that two keys can be compared field by field."""

    package: str
    target: str
    recipe: Sha256
    source_tree: Sha256
    source_epoch: int
    image: Sha256
    lock: Sha256
    """Of the lock as it is committed."""
    rebuilt: dict[str, Sha256] = Field(default_factory=dict)
    """Locked file name → digest of farm's own result that stands in for it. A dependency that comes out with the bytes
    it had leaves this as it was: dependants are cut off there."""
    compressor: str
    """The library that packs the finished archive on this host: another one may pack the same content differently."""
    rules: int

    @property
    def key(self) -> Sha256:
        """The build key: SHA-256 over the canonical JSON (RFC 8785) of the fields."""
        return self.fingerprint()
