"""What may get into the Maven repository: names and places first, then content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.maven.naming import NAMING
from farm.ecosystems.maven.paths import parse_path
from farm.ecosystems.maven.repository.gradle import check_module
from farm.ecosystems.maven.repository.model import Module, PublishedPath, PublishedVersion, checksums_of
from farm.ecosystems.maven.repository.pom import goal_prefix, read_pom
from farm.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farm.ecosystems.maven.paths import Coordinates
    from farm.repository.layout import PassedFile
    from farm.repository.model import Publication, PublishFile

__all__ = ["admit", "make_record"]

_PLUGIN = "maven-plugin"


def admit(publication: Publication) -> tuple[PublishFile, ...]:
    """Return the files by path, each at a place that a declared artifact of the package's version has.

    Raises:
        VerificationError: a file elsewhere, a version that can change, or two files that differ in case alone.
    """
    try:
        NAMING.version(publication.package.version)
    except ValueError as error:
        raise VerificationError(f"{publication.package} cannot be published: {error}") from error
    taken: dict[str, str] = {}
    for file in publication.files:
        found = _coordinates(file)
        if found.version != publication.package.version:
            raise VerificationError(f"{file.path} is not of version {publication.package.version}")
        if f"{found.group}:{found.artifact}" not in {publication.package.name, *publication.names}:
            raise VerificationError(
                f"{file.path} is of {found.group}:{found.artifact}, which {publication.package} does not declare",
                remedy="Name it under build.options.artifacts of the recipe, if it belongs to the package.",
            )
        # Names too: a signed statement is about a name, and would fit both files. Case: not all file systems tell.
        for text in (file.path.lower(), file.filename.lower()):
            if other := taken.get(text):
                raise VerificationError(f"{file.path} and {other} are the same file to some readers")
            taken[text] = file.path
    return tuple(sorted(publication.files, key=lambda file: file.path))


def make_record(publication: Publication, files: Sequence[PassedFile]) -> PublishedVersion:
    """Hold POMs, plugin descriptors and Gradle metadata against the places of the files; return the record.

    Raises:
        VerificationError: something does not fit.
    """
    at = {item.file.path: item for item in files}
    published = {
        path: PublishedPath(path=path, blob=item.file.blob, parts=dict(item.file.sidecars), **checksums_of(item.path))
        for path, item in sorted(at.items())
    }
    places = {path: _coordinates(item.file) for path, item in at.items()}
    for path, where in places.items():
        if where.extension == "module" and not where.classifier:
            check_module(at[path].path, where, published)
    names = sorted({(where.group, where.artifact) for where in places.values()})
    record = PublishedVersion(
        package=publication.package,
        modules=tuple(_module(group, artifact, publication.package.version, at) for group, artifact in names),
        files=tuple(published.values()),
        upload_time=publication.upload_time,
        recipe=publication.recipe,
        run_uri=publication.run_uri,
        build_key=publication.build_key,
    )
    if publication.package.name not in {module.name for module in record.modules}:
        raise VerificationError(f"{publication.package} comes without a file of {publication.package.name}")
    if len(record.objects()) != _expected(record):
        raise VerificationError(f"{publication.package}: a file has the name of what lies beside another")
    return record


def _coordinates(file: PublishFile) -> Coordinates:
    """Return the coordinates that the path says; it must be the one place that these coordinates have."""
    try:
        found = parse_path(file.path)
    except ValueError as error:
        raise VerificationError(f"{file.filename}: {file.path!r} is no path of a Maven repository: {error}") from error
    where = found.coordinates
    if where is None or found.of or found.snapshot or where.path != file.path:
        raise VerificationError(f"{file.filename}: {file.path!r} is no place for an artifact in the Maven2 layout")
    if file.path.rpartition("/")[2] != file.filename:
        raise VerificationError(f"{file.filename} was signed under that name and is to lie at {file.path}")
    return where


def _module(group: str, artifact: str, version: str, at: Mapping[str, PassedFile]) -> Module:
    stem = f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}"
    item = at.get(f"{stem}.pom")
    if item is None:
        raise VerificationError(f"{group}:{artifact}:{version} comes without its POM ({artifact}-{version}.pom)")
    filename = item.file.filename
    pom = read_pom(item.path, filename)
    if (pom.group, pom.artifact, pom.version) != (group, artifact, version):
        raise VerificationError(
            f"{filename} is the POM of {pom.group}:{pom.artifact}:{pom.version}, not of {group}:{artifact}:{version}"
        )
    prefix = ""
    if pom.packaging == _PLUGIN:
        jar = at.get(f"{stem}.jar")
        if jar is None:
            raise VerificationError(f"{group}:{artifact}:{version} is a Maven plugin without {artifact}-{version}.jar")
        prefix = goal_prefix(jar.path, jar.file.filename, pom)
    return Module(name=f"{group}:{artifact}", packaging=pom.packaging, title=pom.title, goal_prefix=prefix)


def _expected(record: PublishedVersion) -> int:
    return len(record.modules) + sum(1 + len(file.checksums) + len(file.parts) for file in record.files)
