"""Publishing: verify everything, then write in an order in which stopping at any point leaves a whole index.

Files, then what lies beside them, then the provenance object, then the records (from here on they are published and
never change), then the project's pages, then the root page. A second try writes again what has no record yet, leaves
what has one, and brings the pages up to date.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from packaging.version import InvalidVersion, Version

from farm import log
from farm.errors import ImmutableError, VerificationError
from farm.model.base import canonical_json
from farm.model.plan import PackageId
from farm.repository.index import refresh_project, refresh_root
from farm.repository.lease import publisher_lease
from farm.repository.model import (
    BUNDLE,
    METADATA,
    PROVENANCE_BUNDLE,
    TRUST_KEY,
    Published,
    PublishedFile,
    PublishFile,
    file_key,
    integrity_key,
    record_key,
    release_of,
)
from farm.repository.published import damaged, published_names, read_record
from farm.repository.wheel import check_metadata
from farm.store.objects import BINARY, JSON
from farm.trust.rotation import lost_entries

if TYPE_CHECKING:
    from farm.repository.gate import Gate
    from farm.repository.lease import Lease
    from farm.repository.model import Publication
    from farm.store.base import Vault
    from farm.store.objects import ObjectStore

__all__ = ["publish", "publish_trust_config"]

TEXT: Final = "text/plain; charset=utf-8"

_log = log.get(__name__)


class _Ready(NamedTuple):
    """A file that has passed every check, with its bytes in the scratch folder."""

    record: PublishedFile
    path: Path


def publish(
    publication: Publication,
    *,
    vault: Vault,
    store: ObjectStore,
    gate: Gate,
    run_dir: Path,
    work: Path,
    wait: float = 60.0,
) -> Published:
    """Verify the files of `publication` and publish them.

    Args:
        publication: what to publish; all bytes are in the vault.
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
        StoreUnavailableError: the store went away; the old index stands and the same call can be made again.
    """
    with tempfile.TemporaryDirectory(prefix="publish-", dir=work) as folder:
        ready = [_prepare(publication, file, vault, gate, Path(folder)) for file in _distinct(publication)]
        with publisher_lease(store, run_dir, wait=wait) as lease:
            return _write(ready, vault, lease)


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


def _distinct(publication: Publication) -> tuple[PublishFile, ...]:
    """Return the files by name; no name twice, and all of the package that is said."""
    package = publication.package
    seen: dict[object, str] = {}
    for file in publication.files:
        release = release_of(file.filename)
        if release.project != package.name or not _same_version(release.version, package.version):
            msg = f"{file.filename} is not a file of {package}"
            raise VerificationError(msg)
        if other := seen.get(release):
            msg = f"{file.filename} and {other} are the same file to an installer"
            raise VerificationError(msg)
        seen[release] = file.filename
    return tuple(sorted(publication.files, key=lambda file: file.filename))


def _same_version(normalised: str, given: str) -> bool:
    try:
        return str(Version(given)) == normalised
    except InvalidVersion:
        return False


def _prepare(publication: Publication, file: PublishFile, vault: Vault, gate: Gate, folder: Path) -> _Ready:
    """Fetch the file's bytes and check everything that is said about them. The bytes checked are the bytes written."""
    for suffix in (BUNDLE, PROVENANCE_BUNDLE):
        if suffix not in file.sidecars:
            msg = f"{file.filename} comes without {file.filename}{suffix}"
            raise VerificationError(msg)
    path = folder / file.filename
    vault.fetch(file.blob, path)
    passed = gate.check(
        path,
        file.blob,
        file.filename,
        _text(vault.read(file.sidecars[BUNDLE]), file.filename + BUNDLE),
        _text(vault.read(file.sidecars[PROVENANCE_BUNDLE]), file.filename + PROVENANCE_BUNDLE),
    )
    _check_documents(file, passed.statement)
    facts = check_metadata(path, file.filename, vault.read(file.metadata))
    for suffix, ref in file.sidecars.items():
        vault.fetch(ref, folder / (file.filename + suffix))
    vault.fetch(file.metadata, folder / (file.filename + METADATA))
    record = PublishedFile(
        package=PackageId(ecosystem=publication.package.ecosystem, name=facts.name, version=facts.version),
        filename=file.filename,
        blob=file.blob,
        parts={**file.sidecars, METADATA: file.metadata},
        provenance=vault.put_bytes(passed.provenance),
        requires_python=facts.requires_python,
        upload_time=publication.upload_time,
        recipe=publication.recipe,
        run_uri=publication.run_uri,
        build_key=publication.build_key,
    )
    return _Ready(record, path)


def _check_documents(file: PublishFile, statement: dict[str, Any]) -> None:
    """Make sure that every document beside the file is named, by digest, in the signed provenance."""
    try:
        named = {item["digest"]["sha256"] for item in statement["predicate"]["runDetails"]["byproducts"]}
    except (KeyError, TypeError):
        # No byproducts, or one without a digest: then no document can be shown to belong to the build.
        named = set()
    for suffix, ref in sorted(file.sidecars.items()):
        if suffix not in {BUNDLE, PROVENANCE_BUNDLE} and ref.sha256 not in named:
            msg = f"{file.filename}{suffix} (SHA-256 {ref.sha256}) is not among the byproducts of the signed provenance"
            raise VerificationError(msg)


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"{name} is not UTF-8 text"
        raise VerificationError(msg) from error


def _write(ready: list[_Ready], vault: Vault, lease: Lease) -> Published:
    store = lease.store
    name = ready[0].record.package.name
    known = _known(store, ready)
    new = [item for item in ready if item.record.filename not in known]
    # All keys of files and documents hold the file's digest: a half-written earlier try can only be completed.
    for item in new:
        lease.check()
        store.put_file(file_key(item.record.blob.sha256, item.record.filename), item.path, content_type=BINARY)
    for item in new:
        for suffix in sorted(item.record.parts):
            named = item.record.filename + suffix
            content_type = TEXT if suffix == METADATA else JSON
            store.put_file(
                file_key(item.record.blob.sha256, named), item.path.with_name(named), content_type=content_type
            )
        provenance = vault.read(item.record.provenance)
        store.put_bytes(integrity_key(item.record.package, item.record.filename), provenance, content_type=JSON)
    healed = [key for record in known.values() for key in _heal(record, vault, store, ready[0].path.parent)]
    lease.check()
    for item in new:
        data = canonical_json(item.record.model_dump(mode="json"))
        store.put_bytes(record_key(name, item.record.filename), data, content_type=JSON)
    refresh_project(store, name)
    lease.check()
    refresh_root(store)
    written = tuple(item.record.filename for item in new)
    _log.info("published", files=[item.record.filename for item in ready], new=list(written), healed=healed)
    records = tuple(known.get(item.record.filename, item.record) for item in ready)
    return Published(files=records, written=written, healed=tuple(healed))


def _known(store: ObjectStore, ready: list[_Ready]) -> dict[str, PublishedFile]:
    """Return the records of those files that are published already, with the same bytes.

    Raises:
        ImmutableError: with other bytes, or under another spelling of the same name.
    """
    name = ready[0].record.package.name
    published = {release_of(filename): filename for filename in published_names(store, name)}
    known: dict[str, PublishedFile] = {}
    for item in ready:
        filename, blob = item.record.filename, item.record.blob
        spelled = published.get(release_of(filename))
        if spelled is None:
            continue
        record = read_record(store, name, spelled)
        if record is None or spelled != filename or record.blob != blob:
            there = "unknown bytes" if record is None else f"SHA-256 {record.blob.sha256}"
            msg = f"{spelled} is published with {there}; {filename} with SHA-256 {blob.sha256} cannot take its place"
            raise ImmutableError(msg, details={"published": spelled, "filename": filename, "sha256": blob.sha256})
        known[filename] = record
    return known


def _heal(record: PublishedFile, vault: Vault, store: ObjectStore, folder: Path) -> list[str]:
    """Write again, from the vault, what a record stands for and the store lost or changed; return the keys."""
    keys = []
    for key, ref in damaged(store, record).items():
        copy = folder / "healed"
        vault.fetch(ref, copy)
        _log.warning("published object restored", key=key, sha256=ref.sha256)
        content_type = BINARY if key.endswith(record.filename) else TEXT if key.endswith(METADATA) else JSON
        store.put_file(key, copy, content_type=content_type)
        keys.append(key)
    return keys
