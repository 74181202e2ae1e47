"""The Python index as `farm.repository` sees it: see `farm.repository.layout.Layout` for what each method does.

Starlette, and what only the server or only the publisher needs, is imported when it is used.
"""
# ruff: noqa: PLC0415 - for the reason above

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from farm.ecosystems.python.numbers import highest, number_of, published_numbers, wheels_of
from farm.ecosystems.python.repository import snippets
from farm.ecosystems.python.repository.model import (
    METADATA,
    RECORDS,
    ROOT_JSON,
    SIMPLE,
    PublishedFile,
    record_key,
    release_of,
)
from farm.ecosystems.python.repository.published import find_published, published_names, read_record
from farm.errors import GuardError, ImmutableError, VerificationError
from farm.model.plan import PackageId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from starlette.routing import BaseRoute

    from farm.model.base import BlobRef
    from farm.model.build import Artifact
    from farm.model.plan import BuildPlan
    from farm.repository.layout import Guide, PassedFile, Section
    from farm.repository.model import Publication, PublishFile
    from farm.store.base import Vault
    from farm.store.objects import ObjectStore

__all__ = ["LAYOUT", "PythonLayout"]


_REMEDY = (
    "Another build of this version was published meanwhile, or the name is not from farm's finish step. Build again: "
    "other bytes get the next build number."
)


class PythonLayout:
    """One record per wheel; pages of the simple API are made from the records."""

    ecosystem = "python"
    own_parts = frozenset({METADATA})

    def declared(self, plan: BuildPlan) -> tuple[str, ...]:
        """Return the package's name: a build puts out wheels of one project."""
        return (plan.package.name,)

    def parts(self, artifact: Artifact) -> Mapping[str, BlobRef]:
        """Return the core metadata (PEP 658)."""
        if artifact.metadata is None:
            raise GuardError(f"{artifact.filename} came out of the finish step without its core metadata")
        return {METADATA: artifact.metadata}

    def admit(self, publication: Publication) -> tuple[PublishFile, ...]:
        """Return the files by name: all of the package that is said, no two that differ in the build number alone."""
        package = publication.package
        seen: dict[object, str] = {}
        for file in publication.files:
            release = release_of(file.filename)
            if file.path:
                raise VerificationError(f"{file.filename} has a path ({file.path}); wheels lie by digest and name")
            if release.project != package.name or not _same_version(release.version, package.version):
                raise VerificationError(f"{file.filename} is not a file of {package}")
            try:
                number_of(file.filename)
            except ValueError as error:
                raise VerificationError(f"{file.filename}: {error}") from error
            wheels = wheels_of(file.filename)
            if other := seen.get(wheels):
                raise VerificationError(f"{file.filename} and {other} are the same file to an installer")
            seen[wheels] = file.filename
        return tuple(sorted(publication.files, key=lambda file: file.filename))

    def records(self, publication: Publication, files: Sequence[PassedFile], vault: Vault) -> tuple[PublishedFile, ...]:
        """Return a record for each wheel, its core metadata held against the wheel."""
        return tuple(_record(publication, item, vault) for item in files)

    def published(self, store: ObjectStore, records: Sequence[PublishedFile]) -> dict[str, PublishedFile]:
        """Return the records that are there.

        Another spelling of a published name is refused too, and a build number that is not the next one.
        """
        name = records[0].package.name
        spellings = {release_of(filename): filename for filename in published_names(store, name)}
        known: dict[str, PublishedFile] = {}
        for wanted in records:
            filename, blob = wanted.filename, wanted.blob
            spelled = spellings.get(release_of(filename))
            if spelled is None:
                _check_next(filename, spellings.values())
                continue
            record = read_record(store, name, spelled)
            if record is None or spelled != filename or record.blob != blob:
                there = "unknown bytes" if record is None else f"SHA-256 {record.blob.sha256}"
                msg = (
                    f"{spelled} is published with {there}; {filename} with SHA-256 {blob.sha256} cannot take its place"
                )
                details = {"published": spelled, "filename": filename, "sha256": blob.sha256}
                raise ImmutableError(msg, remedy=_REMEDY, details=details)
            known[wanted.key] = record
        return known

    def refresh(self, store: ObjectStore, records: Sequence[PublishedFile], check: Callable[[], None]) -> None:
        """Write the project's pages, then the root page."""
        from farm.ecosystems.python.repository.refresh import refresh_project, refresh_root

        refresh_project(store, records[0].package.name)
        check()
        refresh_root(store)

    def find(self, store: ObjectStore, package: PackageId) -> tuple[PublishedFile, ...]:
        """Return the records of a version's wheels."""
        return find_published(store, package.name, package.version)

    def record_keys(self, store: ObjectStore) -> Iterator[str]:
        """Yield the keys of the records of all wheels."""
        return (info.key for info in store.list(RECORDS))

    def record_at(self, store: ObjectStore, key: str) -> PublishedFile | None:
        """Return the record of a wheel."""
        name, _, filename = key.removeprefix(RECORDS).removesuffix(".json").partition("/")
        if not name or "/" in filename or key != record_key(name, filename):
            raise VerificationError(f"{key} of the repository is nothing that a publisher writes")
        return read_record(store, name, filename)

    def generated(self, key: str) -> bool:
        """Return whether it is a page or a record."""
        return key.startswith((SIMPLE, RECORDS))

    def current(self, records: Sequence[PublishedFile]) -> frozenset[str]:
        """Return the wheels with the highest build number of those with the same tags."""
        return highest(record.filename for record in records)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the simple API, the files, and the provenance objects."""
        from farm.ecosystems.python.repository.routes import ROUTES

        return ROUTES

    def guides(self, base: str) -> tuple[Guide, ...]:
        """Return how pip and uv use the index."""
        return snippets.guides(base)

    def page(self, name: str, version: str) -> str:
        """Return the project's page."""
        del version
        return f"{SIMPLE}{name}/"

    def section(self, store: ObjectStore) -> Section:
        """Return the projects."""
        return snippets.section(store.get_bytes(ROOT_JSON))


def _check_next(filename: str, published: Iterable[str]) -> None:
    """Demand of a new file that installers will take it: it has the number after the highest that is there."""
    numbers = published_numbers(dict.fromkeys(published, ""), filename)
    wanted = max(numbers) + 1 if numbers else 0
    if number_of(filename) != wanted:
        named = wheels_of(filename)
        plain = f"{named.project} {named.version} {' '.join(sorted(map(str, named.tags)))}"
        there = f"the highest build number published is {wanted - 1}" if numbers else "nothing is published"
        msg = f"{filename} cannot be published: of {plain}, {there}"
        raise ImmutableError(msg, remedy=_REMEDY, details={"filename": filename, "number": wanted})


def _record(publication: Publication, item: PassedFile, vault: Vault) -> PublishedFile:
    from farm.ecosystems.python.repository.metadata import check_metadata

    file = item.file
    if METADATA not in file.sidecars:
        raise VerificationError(f"{file.filename} comes without {file.filename}{METADATA}")
    facts = check_metadata(item.path, file.filename, item.parts[METADATA].read_bytes())
    return PublishedFile(
        package=PackageId(ecosystem=publication.package.ecosystem, name=facts.name, version=facts.version),
        filename=file.filename,
        blob=file.blob,
        parts=dict(file.sidecars),
        provenance=vault.put_bytes(item.passed.provenance),
        requires_python=facts.requires_python,
        upload_time=publication.upload_time,
        recipe=publication.recipe,
        run_uri=publication.run_uri,
        build_key=publication.build_key,
    )


def _same_version(normalised: str, given: str) -> bool:
    try:
        return str(Version(given)) == normalised
    except InvalidVersion:
        return False


LAYOUT = PythonLayout()
"""What `farm.ecosystems.repositories` finds."""
