"""Bring resolved wheels into the vault and say which index each came from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from farm.ecosystems.python.index import IndexClient
from farm.ecosystems.python.locate import find_file
from farm.errors import InputMissingError
from farm.model.base import BlobRef
from farm.model.lock import LockedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Literal

    from farm.ecosystems.python.index import IndexFile
    from farm.ecosystems.python.resolver import Indexes, Pin
    from farm.store.base import Vault

__all__ = ["Fetcher"]

_DOWNLOADS = 4


class Fetcher:
    """Brings pins into the vault, each once. Use as a context manager.

    Args:
        vault: where the files go.
        folder: scratch folder, made here.
        indexes: where to look.
        check_own: called with a wheel of farm's own index, its project and version; raises when it does not verify.
    """

    def __init__(
        self, vault: Vault, folder: Path, indexes: Indexes, *, check_own: Callable[[Path, str, str], None]
    ) -> None:
        self._vault = vault
        self._known: dict[Pin, LockedFile] = {}
        self._upstream = IndexClient(indexes.upstream, indexes.ca_bundle)
        self._own = IndexClient(indexes.own, indexes.ca_bundle) if indexes.own else None
        self._folder = folder
        self._check_own = check_own

    def __enter__(self) -> Self:
        self._folder.mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._upstream.close()
        if self._own is not None:
            self._own.close()

    def files(self, pins: Iterable[Pin]) -> tuple[LockedFile, ...]:
        """Return the locked files of `pins`, in their order, each of them in the vault (roles are set later)."""
        wanted = list(pins)
        missing = [pin for pin in wanted if pin not in self._known]
        with ThreadPoolExecutor(max_workers=_DOWNLOADS) as pool:
            self._known.update(zip(missing, pool.map(self._fetch, missing), strict=True))
        return tuple(self._known[pin] for pin in wanted)

    def _fetch(self, pin: Pin) -> LockedFile:
        client, listed, origin = self._find(pin)
        ref = BlobRef(sha256=pin.sha256, size=listed.size) if listed.size is not None else None
        target = self._folder / pin.filename
        if ref is None or not self._vault.has(ref):
            client.download(listed, target, sha256=pin.sha256)
            ref = self._vault.put_file(target)
        if origin == "farm":
            if not target.exists():
                self._vault.fetch(ref, target)
            self._check_own(target, pin.name, pin.version)
        target.unlink(missing_ok=True)
        return LockedFile(
            filename=pin.filename,
            name=pin.name,
            version=pin.version,
            sha256=ref.sha256,
            size=ref.size,
            origin=origin,
            roles=(),
            purl=f"pkg:pypi/{pin.name}@{pin.version}",
        )

    def _find(self, pin: Pin) -> tuple[IndexClient, IndexFile, Literal["farm", "index"]]:
        """Find the pin by name and digest: the origin is where the bytes are, farm's own index first."""
        for client, origin in self._sources():
            listed = find_file(client, pin.name, pin.filename)
            if listed is not None and listed.sha256 == pin.sha256:
                return client, listed, origin
        raise InputMissingError(f"no configured index lists {pin.filename} with the digest that was resolved")

    def _sources(self) -> Iterator[tuple[IndexClient, Literal["farm", "index"]]]:
        if self._own is not None:
            yield self._own, "farm"
        yield self._upstream, "index"
