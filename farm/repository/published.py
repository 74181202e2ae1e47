"""Look-ups in the repository: which files of a version are published, and are their bytes still right."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import ValidationError

from farm.errors import BlobMissingError, FarmError, VerificationError
from farm.repository.model import (
    RECORDS,
    PublishedFile,
    file_key,
    integrity_key,
    record_key,
    release_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.model.base import BlobRef
    from farm.store.objects import ObjectStore

__all__ = [
    "damaged",
    "find_published",
    "objects_of",
    "project_records",
    "published_names",
    "read_record",
    "verify_published",
]


def read_record(store: ObjectStore, name: str, filename: str) -> PublishedFile | None:
    """Return the record of a file, None when the file is not published.

    Raises:
        VerificationError: a record that is unreadable or about another file.
    """
    key = record_key(name, filename)
    raw = store.get_bytes(key)
    if raw is None:
        return None
    try:
        record = PublishedFile.model_validate_json(raw)
    except ValidationError as error:
        msg = f"the record {key} of the repository is unreadable"
        raise VerificationError(msg, remedy="Restore the object from a backup of the bucket.") from error
    if record.filename != filename or record.package.name != name or release_of(filename).project != name:
        msg = f"the record {key} of the repository is about {record.package} {record.filename}"
        raise VerificationError(msg, remedy="Restore the object from a backup of the bucket.")
    return record


def project_records(store: ObjectStore, name: str) -> tuple[PublishedFile, ...]:
    """Return the records of all files of a project (normalised name), by file name."""
    return tuple(record for filename in published_names(store, name) if (record := read_record(store, name, filename)))


def find_published(store: ObjectStore, name: str, version: str) -> tuple[PublishedFile, ...]:
    """Return the records of the published files of one version, by file name; empty when there is none."""
    project = canonicalize_name(name)
    try:
        exact = str(Version(version))
    except InvalidVersion:
        return ()
    wanted = [filename for filename in published_names(store, project) if release_of(filename).version == exact]
    return tuple(record for filename in wanted if (record := read_record(store, project, filename)))


def objects_of(record: PublishedFile) -> dict[str, BlobRef]:
    """Return every object that a record stands for: key → digest and size, the file itself first."""
    filename, digest = record.filename, record.blob.sha256
    return {
        file_key(digest, filename): record.blob,
        **{file_key(digest, filename + suffix): ref for suffix, ref in sorted(record.parts.items())},
        integrity_key(record.package, filename): record.provenance,
    }


def damaged(store: ObjectStore, record: PublishedFile) -> dict[str, BlobRef]:
    """Re-read every object of `record` and return those that are missing or hold other bytes."""
    return {key: ref for key, ref in objects_of(record).items() if _problem(store, key, ref) is not None}


def verify_published(store: ObjectStore, record: PublishedFile) -> None:
    """Re-read every byte that `record` stands for.

    Raises:
        BlobMissingError: an object is gone.
        VerificationError: an object holds other bytes than were published.
    """
    for key, ref in objects_of(record).items():
        problem = _problem(store, key, ref)
        if problem is not None:
            raise problem


def published_names(store: ObjectStore, name: str) -> Iterator[str]:
    """Yield the names of the published files of a project (normalised name), sorted."""
    prefix = f"{RECORDS}{name}/"
    for found in sorted(info.key for info in store.list(prefix)):
        filename = found.removeprefix(prefix)
        if filename.endswith(".json") and "/" not in filename:
            yield filename.removesuffix(".json")


def _problem(store: ObjectStore, key: str, ref: BlobRef) -> FarmError | None:
    hasher = hashlib.sha256()
    with store.open(key) as found:
        if found is None:
            return BlobMissingError(
                f"published object {key} is gone from the repository",
                remedy="Publish the same build again: it is written again from the vault.",
            )
        if found.info.size == ref.size:
            for chunk in found.chunks:
                hasher.update(chunk)
            if hasher.hexdigest() == ref.sha256:
                return None
    return VerificationError(f"published object {key} does not hold the bytes that were published ({ref.sha256})")
