"""What the tests of catalog snapshots share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from farm.model.catalog import CatalogEntry, CatalogFile, CatalogSnapshot, RebuiltShare, following

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farm.model.base import BlobRef
    from farm.model.evidence import JobRecord


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def entry_of(job: JobRecord, filename: str, blob: BlobRef, *, path: str = "") -> CatalogEntry:
    """What the catalog says of a file that was signed for `job`."""
    plan = job.plan
    return CatalogEntry(
        ecosystem=plan.package.ecosystem,
        name=plan.package.name,
        version=plan.package.version,
        target=plan.target.key,
        build_key=job.build_key,
        files=(CatalogFile(filename=filename, path=path, sha256=blob.sha256, size=blob.size),),
        rebuilt=RebuiltShare.of(job.inputs),
    )


def made_up(name: str = "sample-lib", version: str = "1.0", *, target: str = "cp311-linux-amd64") -> CatalogEntry:
    """An entry about a file that nobody signed."""
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return CatalogEntry(
        ecosystem="python",
        name=name,
        version=version,
        target=target,
        build_key="b" * 64,
        files=(CatalogFile(filename=filename, sha256="a" * 64, size=1),),
        rebuilt=RebuiltShare(own=0, total=0),
    )


def chain(count: int, entries: Iterable[CatalogEntry] = ()) -> list[CatalogSnapshot]:
    """Return the first `count` snapshots of a catalog."""
    named, made = tuple(entries), list[CatalogSnapshot]()
    for _ in range(count):
        made.append(following(made[-1] if made else None, named, now()))
    return made
