"""Look-ups in the Maven repository: the record of a package version, and of the version of any module."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from farm.ecosystems.maven.naming import NAMING, split_name
from farm.ecosystems.maven.repository.model import (
    RECORDS,
    VERSIONS,
    PublishedVersion,
    pointer_key,
    record_key,
)
from farm.errors import VerificationError
from farm.repository.published import parse_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.store.objects import ObjectStore

__all__ = ["listed", "names_of", "pointed_at", "read_at", "read_record"]

_REMEDY = "Restore the object from a backup of the bucket."


def read_record(store: ObjectStore, name: str, version: str) -> PublishedVersion | None:
    """Return the record of a package version, None when it is not published.

    Raises:
        VerificationError: a record that is unreadable or about something else.
    """
    return read_at(store, record_key(name, version))


def read_at(store: ObjectStore, key: str) -> PublishedVersion | None:
    """Return the record at `key`; see `read_record`."""
    record = parse_record(store, key, PublishedVersion)
    if record is not None and record.key != key:
        raise VerificationError(f"the record {key} of the repository is about {record.package}", remedy=_REMEDY)
    return record


def pointed_at(store: ObjectStore, name: str, version: str) -> str:
    """Return the key of the record that has this version of a module, empty when none was ever to have it.

    Raises:
        VerificationError: the pointer is unreadable.
    """
    key = pointer_key(name, version)
    raw = store.get_bytes(key)
    if raw is None:
        return ""
    try:
        found = json.loads(raw)["record"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerificationError(f"{key} of the repository is unreadable", remedy=_REMEDY) from error
    if not isinstance(found, str) or not found.startswith(RECORDS):
        raise VerificationError(f"{key} of the repository is unreadable", remedy=_REMEDY)
    return found


def listed(store: ObjectStore, group: str, artifact: str = "") -> Iterator[tuple[str, str]]:
    """Yield module and version of every pointer of a group, or of one artifact of it, sorted. For the publisher.

    Raises:
        VerificationError: a key that no publisher writes.
    """
    below = f"{VERSIONS}{group}/{artifact}/" if artifact else f"{VERSIONS}{group}/"
    for key in sorted(info.key for info in store.list(below)):
        yield _entry(key, VERSIONS)


def names_of(store: ObjectStore) -> dict[str, list[str]]:
    """Return package → versions of everything that is published, from the keys of the records; see `listed`."""
    found: dict[str, list[str]] = {}
    for key in sorted(info.key for info in store.list(RECORDS)):
        name, version = _entry(key, RECORDS)
        found.setdefault(name, []).append(version)
    return found


def _entry(key: str, prefix: str) -> tuple[str, str]:
    """Read `<prefix><group>/<artifact>/<version>.json`."""
    parts = key.removeprefix(prefix).split("/")
    try:
        group, artifact, last = parts
        name = ":".join(split_name(f"{group}:{artifact}"))
        version = str(NAMING.version(last.removesuffix(".json")))
    except ValueError as error:
        raise VerificationError(
            f"{key} of the repository is nothing that a publisher writes", remedy=_REMEDY
        ) from error
    return name, version
