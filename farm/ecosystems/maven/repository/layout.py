"""The Maven repository as `farm.repository` sees it: see `farm.repository.layout.Layout` for what each method does.

What only the server or only the publisher needs is imported when it is used.
"""
# ruff: noqa: PLC0415 - for the reason above

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.maven.naming import split_name
from farm.ecosystems.maven.paths import Coordinates
from farm.ecosystems.maven.repository import snippets
from farm.ecosystems.maven.repository.model import CHECKSUMS, PAGE_KEY, PREFIXES_KEY, RECORDS, PublishedVersion
from farm.ecosystems.maven.repository.published import pointed_at, read_at, read_record
from farm.errors import ImmutableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from starlette.routing import BaseRoute

    from farm.model.base import BlobRef
    from farm.model.build import Artifact
    from farm.model.plan import BuildPlan, PackageId
    from farm.repository.layout import Guide, PassedFile, Section
    from farm.repository.model import Publication, PublishFile
    from farm.store.base import Vault
    from farm.store.objects import ObjectStore

__all__ = ["LAYOUT", "MavenLayout"]


_REMEDY = (
    "Maven has no build numbers: a version is its bytes, and what is published stays. Find out what differs (lock, "
    "image, patch, source), and publish a change as a version of its own."
)


class MavenLayout:
    """One record per publication, so that all files of a version become visible together."""

    ecosystem = "maven"
    own_parts: frozenset[str] = frozenset()

    def declared(self, plan: BuildPlan) -> tuple[str, ...]:
        """Return the coordinates of the package and of its modules."""
        from farm.ecosystems.maven.language import declared_artifacts

        return declared_artifacts(plan)

    def parts(self, artifact: Artifact) -> Mapping[str, BlobRef]:
        """Return nothing: checksums follow from the bytes."""
        del artifact
        return {}

    def admit(self, publication: Publication) -> tuple[PublishFile, ...]:
        """Return the files by path."""
        from farm.ecosystems.maven.repository.admit import admit

        return admit(publication)

    def records(
        self, publication: Publication, files: Sequence[PassedFile], vault: Vault
    ) -> tuple[PublishedVersion, ...]:
        """Return the one record of the publication."""
        del vault
        from farm.ecosystems.maven.repository.admit import make_record

        return (make_record(publication, files),)

    def published(self, store: ObjectStore, records: Sequence[PublishedVersion]) -> dict[str, PublishedVersion]:
        """Return the records that are there; a module that another package has published is refused too."""
        known: dict[str, PublishedVersion] = {}
        for wanted in records:
            there = read_at(store, wanted.key)
            if there is not None:
                _refuse_others(there, wanted)
                known[wanted.key] = there
                continue
            for module in wanted.modules:
                key = pointed_at(store, module.name, wanted.package.version)
                if key and key != wanted.key and (other := read_at(store, key)) is not None:
                    msg = f"{module.name} {wanted.package.version} is published as a part of {other.package}"
                    details = {"module": module.name, "package": str(other.package)}
                    raise ImmutableError(msg, remedy=_REMEDY, details=details)
        return known

    def refresh(self, store: ObjectStore, records: Sequence[PublishedVersion], check: Callable[[], None]) -> None:
        """Write the metadata and what lists the repository."""
        from farm.ecosystems.maven.repository.refresh import refresh

        refresh(store, records, check)

    def find(self, store: ObjectStore, package: PackageId) -> tuple[PublishedVersion, ...]:
        """Return the record of a version."""
        found = read_record(store, package.name, package.version)
        return () if found is None else (found,)

    def record_keys(self, store: ObjectStore) -> Iterator[str]:
        """Yield the keys of the records of all versions."""
        return (info.key for info in store.list(RECORDS))

    def record_at(self, store: ObjectStore, key: str) -> PublishedVersion | None:
        """Return the record of a version."""
        return read_at(store, key)

    def generated(self, key: str) -> bool:
        """Return whether it is metadata, a list of the repository, or a record."""
        document, _, ending = key.rpartition(".")
        document = document if ending in CHECKSUMS else key
        listed = document in {PREFIXES_KEY, PAGE_KEY} or document.rpartition("/")[2] == "maven-metadata.xml"
        return listed or key.startswith(RECORDS)

    def current(self, records: Sequence[PublishedVersion]) -> frozenset[str]:
        """Return all files: a version is published once."""
        return frozenset(name for record in records for name in record.blobs)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes below `/maven/`."""
        from farm.ecosystems.maven.repository.routes import ROUTES

        return ROUTES

    def guides(self, base: str) -> tuple[Guide, ...]:
        """Return how Maven and Gradle use the repository."""
        return snippets.guides(base)

    def page(self, name: str, version: str) -> str:
        """Return the version's POM: there are no pages in a Maven repository."""
        group, artifact = split_name(name)
        return f"maven/{Coordinates(group, artifact, version, extension='pom').path}"

    def section(self, store: ObjectStore) -> Section:
        """Return the packages."""
        return snippets.section(store.get_bytes(PAGE_KEY))


def _refuse_others(there: PublishedVersion, wanted: PublishedVersion) -> None:
    """Raise ImmutableError unless both have the same files with the same bytes."""
    old = {file.path: file.blob.sha256 for file in there.files}
    new = {file.path: file.blob.sha256 for file in wanted.files}
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        if before is None:
            msg = f"{wanted.package} is published without {path}: nothing can be added to it"
        elif after is None:
            msg = f"{wanted.package} is published with {path}, which is missing now"
        else:
            msg = f"{path} is published with SHA-256 {before}; SHA-256 {after} cannot take its place"
        details = {"path": path, "published": before or "", "sha256": after or ""}
        raise ImmutableError(msg, remedy=_REMEDY, details=details)


LAYOUT = MavenLayout()
"""What `farm.ecosystems.repositories` finds."""
