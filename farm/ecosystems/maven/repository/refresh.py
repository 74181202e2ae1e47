"""Writing what is generated from the records. It is made from what is listed, and listed again until nothing changed.

All of it is written after every file that it names: a reader never follows it to nothing, whenever the writer stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.maven.naming import split_name
from farm.ecosystems.maven.repository.metadata import Plugin, in_order, maven_metadata, prefixes
from farm.ecosystems.maven.repository.model import (
    ADDRESS,
    FILES,
    PAGE_KEY,
    PREFIXES_KEY,
    RECORDS,
    TEXT,
    VERSIONS,
    XML,
    short_checksums,
)
from farm.ecosystems.maven.repository.published import listed, names_of, pointed_at, read_at
from farm.model.base import canonical_json
from farm.repository.digests import remember
from farm.repository.settle import until_stable
from farm.store.objects import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farm.ecosystems.maven.repository.model import PublishedVersion
    from farm.store.objects import ObjectStore

__all__ = ["refresh"]


def refresh(store: ObjectStore, records: Sequence[PublishedVersion], check: Callable[[], None]) -> None:
    """Bring the metadata of everything in `records`, and what lists the whole repository, in line with the records.

    Raises:
        VerificationError: a record is unreadable; what is generated from it stays as it was.
        PublisherBusyError: the records kept changing under way.
    """
    read = _Reader(store)
    for record in records:
        for file in record.files:
            remember(store, file.blob.sha256, ADDRESS + file.path)
        for group, artifact in _folders(record):
            _refresh_folder(read, group, artifact)
    check()
    _refresh_root(store)


def _folders(record: PublishedVersion) -> list[tuple[str, str]]:
    """Return the folders with metadata that the record takes part in, as groupId and artifactId of an artifact."""
    found = {split_name(module.name) for module in record.modules}
    for module in record.modules:
        if module.goal_prefix:
            # The folder of a plugin's group is that of an artifact too, be there one or not.
            above, _, last = split_name(module.name)[0].rpartition(".")
            found.add((above, last))
    return sorted(found)


class _Reader:
    """Records by module and version. What is published never changes, so each is read once for all folders."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self._keys: dict[tuple[str, str], str] = {}
        self._records: dict[str, PublishedVersion] = {}

    def record(self, name: str, version: str) -> PublishedVersion | None:
        """Return the record that has this version of a module; None when its publisher did not get as far as that."""
        key = self._keys.get((name, version)) or pointed_at(self.store, name, version)
        record = (self._records.get(key) or read_at(self.store, key)) if key else None
        if record is not None:
            self._keys[name, version], self._records[key] = key, record
        return record


def _refresh_folder(read: _Reader, group: str, artifact: str) -> None:
    """Write the metadata of the folder `group/artifact`: versions of the artifact, plugins of the group."""
    store = read.store
    as_group = f"{group}.{artifact}" if group else artifact

    def listing() -> list[tuple[str, str]]:
        own = list(listed(store, group, artifact)) if group else []
        return [*own, *listed(store, as_group)]

    def write() -> None:
        versions: dict[str, str] = {}
        plugins: set[Plugin] = set()
        for name, version in listing():
            record = read.record(name, version)
            module = next((m for m in record.modules if m.name == name), None) if record is not None else None
            if record is None or module is None:
                continue
            if name == f"{group}:{artifact}":
                versions[version] = record.upload_time
            elif module.goal_prefix:
                plugins.add(Plugin(module.goal_prefix, split_name(name)[1], module.title))
        if versions or plugins:
            folder = as_group.replace(".", "/")
            _write(store, f"{FILES}{folder}/maven-metadata.xml", maven_metadata(group, artifact, versions, plugins))

    until_stable(listing, write, f"the metadata of {group}:{artifact}")


def _refresh_root(store: ObjectStore) -> None:
    def listing() -> list[str]:
        return sorted(info.key for prefix in (RECORDS, VERSIONS) for info in store.list(prefix))

    def write() -> None:
        packages = {name: in_order(versions) for name, versions in names_of(store).items()}
        modules = sorted({name for group in store.folders(VERSIONS) for name, _ in listed(store, group)})
        _write(store, PREFIXES_KEY, prefixes(modules), TEXT)
        document = canonical_json({"packages": [{"name": n, "versions": v} for n, v in sorted(packages.items())]})
        if store.get_bytes(PAGE_KEY) != document:
            store.put_bytes(PAGE_KEY, document, content_type=JSON)

    until_stable(listing, write, "the list of the Maven repository")


def _write(store: ObjectStore, key: str, data: bytes, content_type: str = XML) -> None:
    """Write a document and its checksums, where they differ from what is there."""
    if store.get_bytes(key) != data:
        store.put_bytes(key, data, content_type=content_type)
    for extension, checksum in short_checksums(data).items():
        if store.get_bytes(f"{key}.{extension}") != checksum.encode():
            store.put_bytes(f"{key}.{extension}", checksum.encode(), content_type=TEXT)
