"""What the repository has of a package version, and whether an earlier result of a build still stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm import log
from farm.ecosystems.repositories import layout_of
from farm.repository.published import damaged

if TYPE_CHECKING:
    from farm.model.outcome import Outcome
    from farm.model.plan import PackageId
    from farm.pipeline.runtime import Runtime

__all__ = ["published_digests", "stands"]

_log = log.get(__name__)


def published_digests(rt: Runtime, package: PackageId) -> dict[str, str]:
    """Return what is published of a version: file name → SHA-256.

    Raises:
        VerificationError, StoreUnavailableError: the repository cannot be read.
    """
    records = layout_of(package.ecosystem).find(rt.repository, package)
    return {name: blob.sha256 for record in records for name, blob in record.blobs.items()}


def stands(rt: Runtime, package: PackageId, outcome: Outcome) -> bool:
    """Say whether every file of a result is what installers take, and every published byte of it right.

    Raises:
        VerificationError, StoreUnavailableError: the repository cannot be read.
    """
    layout = layout_of(package.ecosystem)
    records = layout.find(rt.repository, package)
    published = {name: blob for record in records for name, blob in record.blobs.items()}
    ours = {file.filename: file.blob for file in outcome.files}
    broken = [name for name, blob in ours.items() if published.get(name) != blob] or [
        key for record in records if ours.keys() & record.blobs.keys() for key in damaged(rt.repository, record)
    ]
    if broken:
        _log.warning("a known result is not published as it was; building again", file=broken[0])
        return False
    if superseded := sorted(ours.keys() - layout.current(records)):
        _log.info("a known result was superseded by a later one; building again", file=superseded[0])
        return False
    return True
