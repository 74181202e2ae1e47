"""Publishing: verify everything, then write in an order in which stopping at any point leaves a whole repository.

The objects that a record stands for, then the records (from here on they are published and never change), then what a
language generates from them (pages, metadata). A second try writes again what has no record yet, leaves what has one,
and brings what is generated up to date.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from farm import log
from farm.errors import ImmutableError, VerificationError
from farm.repository.layout import PassedFile
from farm.repository.lease import publisher_lease
from farm.repository.model import BUNDLE, PROVENANCE_BUNDLE, TRUST_KEY, Published, Record, lease_key
from farm.repository.published import damaged
from farm.store.objects import JSON
from farm.trust.rotation import lost_entries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.model.base import BlobRef
    from farm.repository.gate import Gate
    from farm.repository.layout import Layout
    from farm.repository.lease import Lease
    from farm.repository.model import Publication, PublishFile, Stored
    from farm.store.base import Vault
    from farm.store.objects import ObjectStore

__all__ = ["publish", "publish_trust_config"]

_R = TypeVar("_R", bound=Record)

_log = log.get(__name__)


def publish(
    publication: Publication,
    *,
    layout: Layout[_R],
    vault: Vault,
    store: ObjectStore,
    gate: Gate,
    run_dir: Path,
    work: Path,
    wait: float = 60.0,
) -> Published[_R]:
    """Verify the files of `publication` and publish them.

    Args:
        publication: what to publish; all bytes are in the vault.
        layout: the repository of the package's language.
        vault: where the bytes are.
        store: the repository's bucket.
        gate: what decides; see `farm.repository.sigstore_gate`.
        run_dir: folder of this installation, for the publisher's lock.
        work: scratch folder with room for the files.
        wait: seconds to wait for another publisher.

    Returns:
        The records, and which files were new. The same bytes again are no error.

    Raises:
        VerificationError: something does not verify; nothing was written.
        ImmutableError: a file of that name is published with other bytes; nothing was written.
        PublisherBusyError: another publisher is at work.
        BlobMissingError, BlobCorruptError: the vault does not hold what is to be published.
        StoreUnavailableError: the store went away; the old state stands and the same call can be made again.
    """
    if publication.package.ecosystem != layout.ecosystem:
        msg = f"{publication.package} does not belong into the {layout.ecosystem} repository"
        raise VerificationError(msg)
    with tempfile.TemporaryDirectory(prefix="publish-", dir=work) as name:
        bytes_of = _Bytes(vault, Path(name))
        passed = [_prepare(file, bytes_of, gate, layout.own_parts) for file in layout.admit(publication)]
        records = layout.records(publication, passed, vault)
        with publisher_lease(store, lease_key(layout.ecosystem), run_dir, wait=wait) as lease:
            return _write(records, layout, bytes_of, lease)


def publish_trust_config(store: ObjectStore, path: Path) -> None:
    """Put the client trust configuration where consumers of the index find it; nothing is written when it is there.

    Raises:
        ImmutableError: another one is there, with keys that this one lacks: what they signed would not verify any more.
        TrustRootError: another one is there, and one of the two cannot be read.
    """
    data = path.read_bytes()
    there = store.get_bytes(TRUST_KEY)
    if there == data:
        return
    if there is not None and (lost := lost_entries(there, data)):
        raise ImmutableError(
            f"the repository's trust configuration has keys that {path} lacks ({', '.join(lost)})",
            remedy=(
                "Restore the folder of the signer whose files this repository holds; "
                "a new signer publishes to a repository of its own (s3.repository_bucket)."
            ),
            details={"path": str(path), "key": TRUST_KEY, "lost": list(lost)},
        )
    store.put_bytes(TRUST_KEY, data, content_type=JSON)


class _Bytes:
    """Blobs of the vault in a scratch folder, by digest: the bytes that were checked are the bytes that get written."""

    def __init__(self, vault: Vault, folder: Path) -> None:
        self._vault = vault
        self._folder = folder

    def path(self, ref: BlobRef) -> Path:
        """Return the file with the bytes of `ref`; it is fetched once."""
        path = self._folder / ref.sha256
        if not path.exists():
            self._vault.fetch(ref, path)
        return path


def _prepare(file: PublishFile, bytes_of: _Bytes, gate: Gate, own_parts: frozenset[str]) -> PassedFile:
    """Fetch the file's bytes and let the gate check everything that is said about them."""
    for suffix in (BUNDLE, PROVENANCE_BUNDLE):
        if suffix not in file.sidecars:
            msg = f"{file.filename} comes without {file.filename}{suffix}"
            raise VerificationError(msg)
    path = bytes_of.path(file.blob)
    parts = {suffix: bytes_of.path(ref) for suffix, ref in file.sidecars.items()}
    passed = gate.check(
        path,
        file.blob,
        file.filename,
        _text(parts[BUNDLE], file.filename + BUNDLE),
        _text(parts[PROVENANCE_BUNDLE], file.filename + PROVENANCE_BUNDLE),
    )
    _check_documents(file, passed.statement, own_parts | {BUNDLE, PROVENANCE_BUNDLE})
    return PassedFile(file, path, parts, passed)


def _check_documents(file: PublishFile, statement: dict[str, Any], others: frozenset[str]) -> None:
    """Make sure that every document beside the file, but `others`, is named, by digest, in the signed provenance."""
    try:
        named = {item["digest"]["sha256"] for item in statement["predicate"]["runDetails"]["byproducts"]}
    except (KeyError, TypeError):
        # No byproducts, or one without a digest: then no document can be shown to belong to the build.
        named = set()
    for suffix, ref in sorted(file.sidecars.items()):
        if suffix not in others and ref.sha256 not in named:
            msg = f"{file.filename}{suffix} (SHA-256 {ref.sha256}) is not among the byproducts of the signed provenance"
            raise VerificationError(msg)


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        msg = f"{name} is not UTF-8 text"
        raise VerificationError(msg) from error


def _write(records: tuple[_R, ...], layout: Layout[_R], bytes_of: _Bytes, lease: Lease) -> Published[_R]:
    store = lease.store
    known = layout.published(store, records)
    new = [record for record in records if record.key not in known]
    for record in new:
        # Without a record nobody sees them: a half-written earlier try can only be completed.
        _put(record.objects(), bytes_of, lease)
    healed = [key for record in known.values() for key in _heal(record, bytes_of, lease)]
    lease.check()
    for record in new:
        store.put_bytes(record.key, record.canonical(), content_type=JSON)
    layout.refresh(store, records, lease.check)
    written = tuple(name for record in new for name in record.blobs)
    names = [name for record in records for name in record.blobs]
    _log.info("published", files=names, new=list(written), healed=healed)
    return Published(tuple(known.get(record.key, record) for record in records), written, tuple(healed))


def _put(objects: Mapping[str, Stored], bytes_of: _Bytes, lease: Lease) -> None:
    for key, item in objects.items():
        # Each time: a key of some layouts does not hold the digest, and whoever lost the lease may overwrite by it.
        lease.check()
        if item.data is not None:
            lease.store.put_bytes(key, item.data, content_type=item.content_type)
        else:
            lease.store.put_file(key, bytes_of.path(item.ref), content_type=item.content_type)


def _heal(record: Record, bytes_of: _Bytes, lease: Lease) -> list[str]:
    """Write again what a record stands for and the store lost or changed; return the keys."""
    broken = damaged(lease.store, record)
    for key, item in broken.items():
        _log.warning("published object restored", key=key, sha256=item.ref.sha256)
    _put(broken, bytes_of, lease)
    return list(broken)
