"""The releases of an artifact: the versions of its `maven-metadata.xml`, and what a repository says of one file.

When a file was put there is its Last-Modified. Repositories and mirrors that send none still say when the list of
versions changed last (`lastUpdated`): what is in the list is not younger than that.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from farm.ecosystems.maven.merge import read_metadata
from farm.ecosystems.maven.naming import NAMING, split_name
from farm.ecosystems.maven.paths import Coordinates, parse_path
from farm.ecosystems.maven.transfer import UpstreamClient
from farm.ecosystems.maven.upstreams import configured_upstreams
from farm.errors import InputDigestError, InputUnavailableError, SourcePinError, SourceUnavailableError
from farm.model.release import Release
from farm.net import http_date

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from farm.config import Settings
    from farm.ecosystems.maven.paths import MavenPath
    from farm.model.plan import ArchivePin

__all__ = ["release", "releases"]


@dataclass(frozen=True)
class _Listing:
    """What one repository's metadata says."""

    versions: tuple[str, ...]
    updated: str
    """RFC 3339, empty when it does not say."""


def releases(pin: ArchivePin, settings: Settings) -> tuple[Release, ...]:
    """Return the versions of the artifact of `pin`; takes, returns and raises what `Ecosystem.releases` does.

    They are those of the first configured repository that knows the artifact, as for a build.
    """
    _, metadata = _paths(pin)
    with _asking(pin, settings) as clients:
        found = next((listing for client in clients if (listing := _listing(client, metadata)) is not None), None)
    return tuple(Release(version=version, listed_only=True) for version in found.versions) if found is not None else ()


def release(pin: ArchivePin, settings: Settings) -> Release | None:
    """Return the release of `pin`; takes, returns and raises what `Ecosystem.release` does."""
    path, metadata = _paths(pin)
    with _asking(pin, settings) as clients:
        for client in clients:
            seen = client.look(path)
            if seen is None:
                continue
            released = http_date(seen.modified)
            if not released:
                listing = _listing(client, metadata)
                released = listing.updated if listing is not None and pin.version in listing.versions else ""
            return Release(version=pin.version, released=released, pins=(seen.sha256,) if seen.sha256 else ())
        found = next((listing for client in clients if (listing := _listing(client, metadata)) is not None), None)
    if found is None or pin.version not in found.versions:
        return None
    return Release(version=pin.version, has_source=False)


def _paths(pin: ArchivePin) -> tuple[MavenPath, MavenPath]:
    """Return where the archive of `pin` is, and the list of the artifact's versions."""
    kind, _, classifier = pin.variant.partition(":")
    try:
        group, artifact = split_name(pin.name)
        path = parse_path(Coordinates(group, artifact, pin.version, classifier, kind).path)
        return path, parse_path(f"{group.replace('.', '/')}/{artifact}/maven-metadata.xml")
    except ValueError as error:
        raise SourcePinError(f"{pin.name}:{pin.version}:{pin.variant} names no Maven artifact: {error}") from error


@contextmanager
def _asking(pin: ArchivePin, settings: Settings) -> Iterator[tuple[UpstreamClient, ...]]:
    try:
        with ExitStack() as stack:
            yield tuple(
                stack.enter_context(closing(UpstreamClient(upstream))) for upstream in configured_upstreams(settings)
            )
    except (InputUnavailableError, InputDigestError) as error:
        raise SourceUnavailableError(f"releases of {pin.name}: {error.message}") from error


def _listing(client: UpstreamClient, path: MavenPath) -> _Listing | None:
    with tempfile.TemporaryDirectory(prefix="farm-metadata-") as folder:
        target = Path(folder) / "maven-metadata.xml"
        if client.fetch(path, target) is None:
            return None
        root = read_metadata(target.read_bytes(), path.text)
    return _Listing(tuple(_versions(root)), _from_metadata(root))


def _versions(root: Element) -> Iterator[str]:
    for element in root.iterfind("versioning/versions/version"):
        text = (element.text or "").strip()
        try:
            yield str(NAMING.version(text))
        except ValueError:
            continue  # a snapshot, or nothing that could stand in a path


def _from_metadata(root: Element) -> str:
    """Return `lastUpdated` (`yyyyMMddHHmmss`, UTC) as RFC 3339, empty when it is not there or no time."""
    text = (root.findtext("versioning/lastUpdated") or "").strip()
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""
