"""Publishing catalog snapshots, and reading the present one.

    catalog/snapshots/<sequence>-<sha256>.json                 each document, kept for good
    catalog/snapshots/<sequence>-<sha256>.json.sigstore.json   the signature over it
    catalog/snapshot.json                                      a pointer: number and digest of the present one

Document and signature are two objects, and no store replaces two at once: whoever read between the writes would have a
document with the signature of another. So neither is ever replaced. They are written under a name of their own, and the
present one is named by the one small object that is replaced. A crash at any point leaves the pointer with a snapshot
that verifies, and what a crash left behind is named by nobody or completed by the next try. The pointer itself is not
signed: all that it can do is to name another signed snapshot, which is noticed like any other that is put back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from farm import log
from farm.errors import CatalogRollbackError, VerificationError
from farm.model.base import sha256_bytes
from farm.model.catalog import MAX_SNAPSHOT_BYTES, SnapshotPointer, parse_snapshot
from farm.repository.lease import publisher_lease
from farm.repository.model import BUNDLE, lease_key
from farm.store.objects import JSON

if TYPE_CHECKING:
    from pathlib import Path

    from farm.model.catalog import CatalogSnapshot
    from farm.store.objects import ObjectStore
    from farm.trust.identity import ExpectedIdentity
    from farm.trust.verify import Trust

__all__ = ["KEPT", "KEPT_NAME", "POINTER_KEY", "publish_snapshot", "read_snapshot"]

_FOLDER: Final = "catalog/"
POINTER_KEY: Final = f"{_FOLDER}snapshot.json"
KEPT: Final = f"{_FOLDER}snapshots/"
KEPT_NAME: Final = re.compile(r"[1-9][0-9]{0,15}-[0-9a-f]{64}\.json(\.sigstore\.json)?")

_log = log.get(__name__)


def publish_snapshot(
    store: ObjectStore,
    document: bytes,
    bundle: str,
    *,
    trust: Trust,
    identity: ExpectedIdentity,
    run_dir: Path,
    wait: float = 60.0,
) -> CatalogSnapshot:
    """Verify a signed snapshot and make it the present one. The present one again is no error, and is written again.

    Args:
        store: the repository's bucket.
        document: the snapshot, as it was signed.
        bundle: the signature over it.
        trust: the consumers' trust root.
        identity: of the catalog, see `farm.trust.identity.catalog_identity`.
        run_dir: folder of this installation, for the publisher's lock.
        wait: seconds to wait for another publisher.

    Raises:
        VerificationError: it does not verify, or the one that it follows is not kept here; nothing was written.
        CatalogRollbackError: the present one is newer, or has the same number; nothing was written.
        PublisherBusyError, StoreUnavailableError: the old one stands.
    """
    # sigstore is slow to import, and the server, which imports this for the keys, verifies nothing.
    from farm.trust.snapshots import verify_snapshot  # noqa: PLC0415

    snapshot = verify_snapshot(trust, document, bundle, identity)
    pointer = SnapshotPointer(sequence=snapshot.sequence, sha256=sha256_bytes(document))
    with publisher_lease(store, lease_key("catalog"), run_dir, wait=wait) as lease:
        present = _pointer(store)
        if present != pointer:
            if present is not None and present.sequence >= pointer.sequence:
                msg = f"catalog snapshot {present.sequence} is published; {pointer.sequence} cannot take its place"
                raise CatalogRollbackError(msg, details={"present": present.sha256, "given": pointer.sha256})
            _check_before(store, snapshot)
        lease.check()
        key = _FOLDER + pointer.path
        store.put_bytes(key, document, content_type=JSON)
        store.put_bytes(key + BUNDLE, bundle.encode(), content_type=JSON)
        lease.check()
        store.put_bytes(POINTER_KEY, pointer.canonical(), content_type=JSON)
    _log.info("catalog snapshot published", sequence=snapshot.sequence, sha256=pointer.sha256)
    return snapshot


def read_snapshot(store: ObjectStore, *, trust: Trust, identity: ExpectedIdentity) -> CatalogSnapshot | None:
    """Return the present snapshot, verified, and the one before it looked at; None when none was ever published.

    Raises:
        VerificationError: it is damaged, does not verify, or does not follow the one before.
        StoreUnavailableError.
    """
    from farm.trust.snapshots import verify_snapshot  # noqa: PLC0415 - see `publish_snapshot`

    pointer = _pointer(store)
    if pointer is None:
        return None
    document = _kept(store, pointer)
    bundle = store.get_bytes(f"{_FOLDER}{pointer.path}{BUNDLE}")
    if bundle is None:
        raise _broken(f"the signature of catalog snapshot {pointer.sequence} is gone")
    snapshot = verify_snapshot(trust, document, bundle, identity)
    if snapshot.sequence != pointer.sequence:
        raise _broken(f"catalog snapshot {pointer.sequence} says that it is {snapshot.sequence}")
    _check_before(store, snapshot)
    return snapshot


def _check_before(store: ObjectStore, snapshot: CatalogSnapshot) -> None:
    """Demand the snapshot that this one follows: by its digest, which is signed, and by its number."""
    if not snapshot.previous:
        return
    before = SnapshotPointer(sequence=snapshot.sequence - 1, sha256=snapshot.previous)
    try:
        found = parse_snapshot(_kept(store, before))
    except ValueError as error:
        raise _broken(f"catalog snapshot {before.sequence} is of another format") from error
    if found.sequence != before.sequence:
        raise _broken(f"catalog snapshot {before.sequence} says that it is {found.sequence}")


def _kept(store: ObjectStore, pointer: SnapshotPointer) -> bytes:
    document = store.get_bytes(_FOLDER + pointer.path, limit=MAX_SNAPSHOT_BYTES)
    if document is None:
        raise _broken(f"catalog snapshot {pointer.sequence} ({pointer.sha256}) is gone")
    if sha256_bytes(document) != pointer.sha256:
        raise _broken(f"catalog snapshot {pointer.sequence} holds other bytes than {pointer.sha256}")
    return document


def _pointer(store: ObjectStore) -> SnapshotPointer | None:
    raw = store.get_bytes(POINTER_KEY)
    if raw is None:
        return None
    try:
        return SnapshotPointer.model_validate_json(raw)
    except ValidationError as error:
        raise _broken(f"{POINTER_KEY} of the repository is unreadable") from error


def _broken(message: str) -> VerificationError:
    return VerificationError(message, remedy=f"Restore {_FOLDER} of the repository's bucket from a backup.")
