"""Files by name: the sdist of a source pin, the wheels of a lock."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from farm.ecosystems.python.cargo.lockfile import Crate, is_crate
from farm.ecosystems.python.cargo.registry import CrateClient
from farm.ecosystems.python.index import IndexClient, IndexFile, authorisation, plain_url, upstream_config
from farm.errors import (
    InputDigestError,
    InputMissingError,
    InputUnavailableError,
    SourceMissingError,
    SourcePinError,
    SourceUnavailableError,
)
from farm.source.download import fetch_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from farm.config import Settings
    from farm.model.lock import LockedFile
    from farm.model.plan import ArchivePin

__all__ = ["Located", "fetch_locked", "fetch_sdist", "find_file", "locate_sdist", "locked_files"]


@dataclass(frozen=True)
class Located:
    """Where an archive can be fetched."""

    url: str
    filename: str
    headers: Mapping[str, str]
    """Request headers, credentials included; never logged, never recorded."""
    ca_bundle: str = ""
    """PEM file that the index was reached with, empty = the system's: the archive is fetched with the same."""


def fetch_sdist(pin: ArchivePin, target: Path, settings: Settings) -> str:
    """Fetch the sdist of `pin` and return its file name; raises like `locate_sdist` and `fetch_url`."""
    located = locate_sdist(pin, settings)
    there = pin.model_copy(update={"url": located.url})
    fetch_url(there, target, headers=located.headers, bundle=located.ca_bundle)
    return located.filename


def locate_sdist(pin: ArchivePin, settings: Settings) -> Located:
    """Find the address of the sdist of `pin` on the upstream index.

    Raises:
        SourcePinError: the pin is no sdist by name and version.
        SourceUnavailableError: the index does not answer.
        SourceMissingError: it does not list it.
    """
    if pin.kind != "pypi-sdist" or not (pin.name and pin.version):
        raise SourcePinError("a pypi-sdist source needs a name and a version")
    config = upstream_config(settings)
    try:
        with IndexClient(config.url, config.ca_bundle) as client:
            files = client.files(pin.name)
    except InputUnavailableError as error:
        raise SourceUnavailableError(f"sdist of {pin.name} {pin.version}: {error.message}") from error
    sdists = [f for f in files if f.kind == "sdist" and _same_version(f.version, pin.version)]
    # The digest decides where a version has several archives; without a match the archive check gives the clear error.
    best = next((f for f in sdists if f.sha256 == pin.sha256), sdists[0] if sdists else None)
    if best is None:
        raise SourceMissingError(f"the index lists no sdist of {pin.name} {pin.version}")
    return Located(
        url=plain_url(best.url),
        filename=best.filename,
        headers=authorisation(best.url, config.url),
        ca_bundle=config.ca_bundle,
    )


@contextmanager
def locked_files(settings: Settings, own_index: str) -> Iterator[Callable[[LockedFile, Path], None]]:
    """Give what fetches locked files, wheels and crates; see `Ecosystem.fetcher`."""
    clients: list[CrateClient] = []
    guard = threading.Lock()
    with ExitStack() as stack:

        def registry() -> CrateClient:
            # Where crates come from is asked once, and only when there are any.
            with guard:
                if not clients:
                    clients.append(stack.enter_context(CrateClient(settings)))
                return clients[0]

        def fetch(file: LockedFile, target: Path) -> None:
            if is_crate(file):
                registry().download(Crate(file.name, file.version, file.sha256), target, size=file.size)
            else:
                fetch_locked(file, target, settings, own_index)

        yield fetch


def fetch_locked(file: LockedFile, target: Path, settings: Settings, own_index: str) -> None:
    """Fetch one locked wheel from the index its origin names and write it to `target`, digest and size checked.

    Raises:
        InputMissingError: the index does not have it.
        InputUnavailableError: the index does not answer.
        InputDigestError: the index has other bytes under that name.
    """
    config = upstream_config(settings)
    if file.origin == "farm" and not own_index:
        raise InputUnavailableError(
            f"{file.filename} is locked from farm's own index, which is not being served",
            remedy="Start it with `farm up`, then try again.",
        )
    with IndexClient(own_index if file.origin == "farm" else config.url, config.ca_bundle) as client:
        listed = find_file(client, file.name, file.filename)
        if listed is None:
            raise InputMissingError(f"the index no longer lists {file.filename} ({file.origin})")
        if listed.sha256 and listed.sha256 != file.sha256:
            raise InputDigestError(
                f"the index lists {file.filename} with SHA-256 {listed.sha256}, the lock has {file.sha256}",
                details={"filename": file.filename, "expected": file.sha256, "found": listed.sha256},
            )
        found = client.download(listed, target, sha256=file.sha256, max_size=file.size)
    if found.size != file.size:
        target.unlink()
        raise InputDigestError(f"{file.filename} has {found.size} bytes, the lock says {file.size}")


def find_file(client: IndexClient, project: str, filename: str) -> IndexFile | None:
    """Return the file of that name from the project's page, None when the page does not list it."""
    return next((f for f in client.files(project) if f.filename == filename), None)


def _same_version(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
