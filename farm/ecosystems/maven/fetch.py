"""Files by their place in a Maven repository: the source archive of a pin, the files of a lock."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from threading import Lock
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
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from farm.config import Settings
    from farm.ecosystems.maven.paths import MavenPath
    from farm.ecosystems.maven.transfer import Fetched
    from farm.ecosystems.maven.upstreams import Upstream
    from farm.model.lock import LockedFile
    from farm.model.plan import ArchivePin

__all__ = ["fetch_source", "fetcher"]


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


@contextmanager
def fetcher(settings: Settings, own_index: str) -> Iterator[Callable[[LockedFile, Path], None]]:
    """Give what fetches locked files from where their origin says; a repository is connected to once.

    Called with a file and a path it writes the file, digest and size checked, and raises:
        InputMissingError: no repository of that origin has it.
        InputUnavailableError: a repository does not answer.
        InputDigestError: there are other bytes under that path.
    """
    with ExitStack() as stack:
        yield _Fetcher(settings, own_index, stack)


class _Fetcher:
    """See `fetcher`."""

    def __init__(self, settings: Settings, own_index: str, stack: ExitStack) -> None:
        self._settings = settings
        self._own = own_index
        self._stack = stack
        self._clients: dict[str, tuple[UpstreamClient, ...]] = {}
        self._lock = Lock()

    def __call__(self, file: LockedFile, target: Path) -> None:
        if file.origin == "farm" and not self._own:
            raise InputUnavailableError(
                f"{file.filename} is locked from farm's own repository, which is not being served",
                remedy="Start it with `farm up`, then try again.",
            )
        # The one that had it when it was locked comes first; what counts is the digest.
        ordered = sorted(self._of(file.origin), key=lambda client: client.upstream.id != file.repository)
        found = _first(ordered, parse_path(file.filename), target)
        if found is None:
            remedy = "Build the recipe that rebuilds it, so that it is published." if file.origin == "farm" else ""
            raise InputMissingError(f"no repository has {file.filename} ({file.origin})", remedy=remedy)
        if (found.digests.sha256, found.digests.size) != (file.sha256, file.size):
            target.unlink()
            raise InputDigestError(
                f"{file.filename} now has the SHA-256 {found.digests.sha256}, the lock has {file.sha256}",
                remedy="Metadata changes with each release: then run `farm lock` and review it; else find out why.",
                details={"filename": file.filename, "expected": file.sha256, "found": found.digests.sha256},
            )

    def _of(self, origin: str) -> tuple[UpstreamClient, ...]:
        with self._lock:
            if origin not in self._clients:
                own = origin == "farm"
                upstreams = (own_upstream(self._own),) if own else configured_upstreams(self._settings)
                self._clients[origin] = tuple(
                    self._stack.enter_context(closing(UpstreamClient(upstream))) for upstream in upstreams
                )
            return self._clients[origin]


def _fetch(upstreams: Iterable[Upstream], path: MavenPath, target: Path) -> Fetched | None:
    with ExitStack() as stack:
        return _first((stack.enter_context(closing(UpstreamClient(upstream))) for upstream in upstreams), path, target)


def _first(clients: Iterable[UpstreamClient], path: MavenPath, target: Path) -> Fetched | None:
    return next((found for client in clients if (found := client.fetch(path, target)) is not None), None)
