"""Look-ups in the Python index: the records of a file, of a version, of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from farm.ecosystems.python.repository.model import RECORDS, PublishedFile, record_key, release_of
from farm.errors import VerificationError
from farm.repository.published import parse_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.store.objects import ObjectStore

__all__ = ["find_published", "project_records", "published_names", "read_record"]


def read_record(store: ObjectStore, name: str, filename: str) -> PublishedFile | None:
    """Return the record of a file, None when the file is not published.

    Raises:
        VerificationError: a record that is unreadable or about another file.
    """
    key = record_key(name, filename)
    record = parse_record(store, key, PublishedFile)
    if record is None:
        return None
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


def published_names(store: ObjectStore, name: str) -> Iterator[str]:
    """Yield the names of the published files of a project (normalised name), sorted."""
    prefix = f"{RECORDS}{name}/"
    for found in sorted(info.key for info in store.list(prefix)):
        filename = found.removeprefix(prefix)
        if filename.endswith(".json") and "/" not in filename:
            yield filename.removesuffix(".json")
