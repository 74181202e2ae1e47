"""Files by their place in a Maven repository: the source archive of a pin, the files of a lock."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from farm.ecosystems.maven.naming import split_name
from farm.ecosystems.maven.paths import Coordinates, parse_path
from farm.ecosystems.maven.transfer import UpstreamClient
from farm.ecosystems.maven.upstreams import configured_upstreams, own_upstream
from farm.errors import (
    InputDigestError,
    InputMissingError,
    InputUnavailableError,
    SourceDigestError,
    SourceMissingError,
    SourcePinError,
    SourceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from farm.config import Settings
    from farm.ecosystems.maven.paths import MavenPath
    from farm.ecosystems.maven.transfer import Fetched
    from farm.ecosystems.maven.upstreams import Upstream
    from farm.model.lock import LockedFile
    from farm.model.plan import ArchivePin

__all__ = ["fetch_locked", "fetch_source"]


def fetch_source(pin: ArchivePin, target: Path, settings: Settings) -> str:
    """Fetch the archive of a pin from the first configured repository that has it.

    Returns:
        Its file name.

    Raises:
        SourcePinError: the pin names no Maven artifact.
        SourceMissingError: no repository has it.
        SourceUnavailableError: a repository does not answer.
        SourceDigestError: the repository's own checksum is of another file.
    """
    kind, _, classifier = pin.variant.partition(":")
    try:
        group, artifact = split_name(pin.name)
        path = parse_path(Coordinates(group, artifact, pin.version, classifier, kind).path)
    except ValueError as error:
        raise SourcePinError(f"{pin.name}:{pin.version}:{pin.variant} names no Maven artifact: {error}") from error
    try:
        found = _fetch(configured_upstreams(settings), path, target)
    except InputUnavailableError as error:
        raise SourceUnavailableError(f"source of {pin.name} {pin.version}: {error.message}") from error
    except InputDigestError as error:
        raise SourceDigestError(f"source of {pin.name} {pin.version}: {error.message}") from error
    if found is None:
        raise SourceMissingError(f"no configured repository has {path.text}")
    return path.text.rpartition("/")[2]


def fetch_locked(file: LockedFile, target: Path, settings: Settings, own_index: str) -> None:
    """Fetch one locked file from where its origin says and write it to `target`, digest and size checked.

    Raises:
        InputMissingError: no repository of that origin has it.
        InputUnavailableError: a repository does not answer.
        InputDigestError: there are other bytes under that path.
    """
    if file.origin == "farm" and not own_index:
        raise InputUnavailableError(
            f"{file.filename} is locked from farm's own repository, which is not being served",
            remedy="Start it with `farm up`, then try again.",
        )
    upstreams = (own_upstream(own_index),) if file.origin == "farm" else configured_upstreams(settings)
    # The one that had it when it was locked comes first; what counts is the digest.
    ordered = sorted(upstreams, key=lambda upstream: upstream.id != file.repository)
    found = _fetch(ordered, parse_path(file.filename), target)
    if found is None:
        raise InputMissingError(f"no configured repository has {file.filename} ({file.origin}) any more")
    if (found.digests.sha256, found.digests.size) != (file.sha256, file.size):
        target.unlink()
        raise InputDigestError(
            f"{file.filename} now has the SHA-256 {found.digests.sha256}, the lock has {file.sha256}",
            remedy="Metadata changes with each release: then run `farm lock` and review it; else find out why.",
            details={"filename": file.filename, "expected": file.sha256, "found": found.digests.sha256},
        )


def _fetch(upstreams: Iterable[Upstream], path: MavenPath, target: Path) -> Fetched | None:
    for upstream in upstreams:
        with closing(UpstreamClient(upstream)) as client:
            found = client.fetch(path, target)
        if found is not None:
            return found
    return None
