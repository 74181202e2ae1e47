"""The catalog snapshot as a consumer sees it: fetched, verified, and never older than one that was seen before.

A signature says that a snapshot was right once, not that it is the present one: whoever can write to the repository, or
stands between it and the consumer, can put an old one back and with it old versions. So the newest number that was seen
is remembered, for each farm.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated

import httpx
from filelock import FileLock
from pydantic import Field, ValidationError

from farm.consumer.fetch import TIMEOUT, get_capped
from farm.consumer.sidecars import BUNDLE, LIMIT
from farm.consumer.verdict import Check
from farm.errors import CatalogRollbackError, StoreUnavailableError, VerificationError
from farm.model.base import Value, sha256_bytes
from farm.model.catalog import MAX_SNAPSHOT_BYTES, SnapshotPointer
from farm.net import DIRECT
from farm.trust.snapshots import verify_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from farm.consumer.verdict import FileVerdict
    from farm.model.catalog import CatalogSnapshot
    from farm.trust.identity import ExpectedIdentity
    from farm.trust.verify import Trust

__all__ = ["check_in_catalog", "fetch_snapshot", "present_snapshot", "remember"]

_PLACES = ("catalog/", "../catalog/")
"""Below the server's root, or beside the repository of one language."""


class _Seen(Value):
    """The newest snapshot that was seen of each farm."""

    schema_version: Annotated[int, Field(ge=1, le=1)] = 1
    newest: dict[str, SnapshotPointer] = Field(default_factory=dict)


def present_snapshot(index_url: str, *, trust: Trust, identity: ExpectedIdentity, memory: Path) -> CatalogSnapshot:
    """Fetch the present snapshot, verify it, and hold it against what was seen before.

    Args:
        index_url: the server's root, or its repository of one language.
        trust: the trust root.
        identity: of the catalog, see `farm.trust.identity.catalog_identity`.
        memory: file that remembers the newest snapshot; made when missing.

    Raises:
        StoreUnavailableError: the server does not answer.
        VerificationError: there is no snapshot, or it does not verify, or `memory` cannot be used.
        CatalogRollbackError: a newer one, or another one of that number, was seen before.
    """
    document, bundle = fetch_snapshot(index_url)
    snapshot = verify_snapshot(trust, document, bundle, identity)
    remember(memory, snapshot, sha256_bytes(document), trust=trust, identity=identity)
    return snapshot


def fetch_snapshot(index_url: str) -> tuple[bytes, bytes]:
    """Return document and bundle of the present snapshot, not verified.

    Raises:
        StoreUnavailableError: the server does not answer.
        VerificationError: it has none, or sends something too large or unreadable.
    """
    index = httpx.URL(index_url.rstrip("/") + "/")
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True, mounts=DIRECT) as client:
            for place in _PLACES:
                folder = index.join(place)
                raw = get_capped(client, folder.join("snapshot.json"), {}, LIMIT)
                if raw is None:
                    continue
                where = folder.join(_pointer(raw).path)
                document = get_capped(client, where, {}, MAX_SNAPSHOT_BYTES)
                bundle = get_capped(client, where.copy_with(path=where.path + BUNDLE), {}, LIMIT)
                if document is None or bundle is None:
                    raise VerificationError("the catalog names a snapshot that is not there, or not signed")
                return document, bundle
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise StoreUnavailableError(f"the repository does not answer: {type(error).__name__}: {error}") from error
    raise VerificationError(
        f"the repository at {index_url} has no catalog snapshot",
        remedy="Name the address of the repository's root; the first snapshot comes with the first catalog rebuild.",
    )


def remember(memory: Path, snapshot: CatalogSnapshot, sha256: str, *, trust: Trust, identity: ExpectedIdentity) -> None:
    """Write down that a verified snapshot was seen.

    Raises:
        CatalogRollbackError: a newer one, or another one of that number, was seen before; nothing is written then.
        VerificationError: what was written down cannot be read, or nothing can be written.
    """
    # By its keys too: two farms can go by the same names.
    farm = f"{identity.builder} {trust.authority}"
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{memory}.lock"):
            seen = _read(memory)
            before = seen.newest.get(farm)
            if before is not None and before.sequence > snapshot.sequence:
                msg = (
                    f"the repository offers catalog snapshot {snapshot.sequence} of {snapshot.created}; "
                    f"number {before.sequence} was seen here before"
                )
                raise CatalogRollbackError(msg, details={"offered": snapshot.sequence, "seen": before.sequence})
            now = SnapshotPointer(sequence=snapshot.sequence, sha256=sha256)
            if before is not None and before.sequence == now.sequence and before != now:
                msg = f"there are two catalog snapshots with the number {now.sequence}: {before.sha256}, {now.sha256}"
                raise CatalogRollbackError(msg, details={"offered": now.sha256, "seen": before.sha256})
            if before != now:
                _write(memory, seen.model_copy(update={"newest": {**seen.newest, farm: now}}))
    except OSError as error:
        raise VerificationError(
            f"{memory} cannot be used: {error.strerror or error}", remedy="Without it no older snapshot is noticed."
        ) from error


def check_in_catalog(verdict: FileVerdict, snapshot: CatalogSnapshot) -> FileVerdict:
    """Return the verdict with one check more: that the snapshot names this file, under this name."""
    found = snapshot.holders(verdict.sha256, verdict.file) if verdict.sha256 else ()
    if found:
        detail = f"snapshot {snapshot.sequence} of {snapshot.created}: {', '.join(map(str, found))}"
    else:
        detail = f"snapshot {snapshot.sequence} of {snapshot.created} does not name this file"
    check = Check(name="catalog", ok=bool(found), detail=detail)
    return verdict.model_copy(update={"checks": (*verdict.checks, check), "verified": verdict.verified and check.ok})


def _pointer(raw: bytes) -> SnapshotPointer:
    try:
        return SnapshotPointer.model_validate_json(raw)
    except ValidationError as error:
        raise VerificationError("catalog/snapshot.json of the repository is unreadable") from error


def _read(memory: Path) -> _Seen:
    try:
        return _Seen.model_validate_json(memory.read_bytes())
    except FileNotFoundError:
        return _Seen()
    except ValidationError as error:
        raise VerificationError(
            f"{memory} does not say which catalog snapshots were seen",
            remedy="Find out who changed it. If it is to be forgotten what was seen, remove it on purpose.",
        ) from error


def _write(memory: Path, seen: _Seen) -> None:
    fresh = memory.with_name(f".{memory.name}.new")
    with fresh.open("w", encoding="utf-8") as stream:
        json.dump(seen.model_dump(mode="json"), stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(memory)
