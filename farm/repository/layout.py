"""What a language's repository must supply. Publishing and serving call this and know no language.

The order of writing, the lease, the gate, healing and HTTP are here in `farm.repository`; what files are called, where
they lie, what makes them visible and what is generated from that belongs to `farm/ecosystems/<language>/repository`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from farm.repository.model import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from starlette.routing import BaseRoute

    from farm.model.base import BlobRef
    from farm.model.build import Artifact
    from farm.model.plan import BuildPlan, PackageId
    from farm.repository.gate import Passed
    from farm.repository.model import Publication, PublishFile
    from farm.store.base import Vault
    from farm.store.objects import ObjectStore

__all__ = ["Guide", "Layout", "PassedFile", "Section"]

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class PassedFile:
    """A file that the gate let through, with its bytes in a scratch folder: these are the bytes that get written."""

    file: PublishFile
    path: Path
    parts: Mapping[str, Path]
    """Suffix → what lies beside it."""
    passed: Passed


@dataclass(frozen=True)
class Guide:
    """How a tool is told to use this repository."""

    tool: str
    """`pip`, `maven`."""
    place: str
    """Where the text goes, in words: `~/.m2/settings.xml`."""
    text: str
    command: str = ""
    """A command that needs no configuration, where the tool has one."""


@dataclass(frozen=True)
class Section:
    """A language on the page for people."""

    title: str
    links: tuple[tuple[str, str], ...]
    """Name of a package and the address of its page, relative to the repository's."""
    note: str
    """One line for those who want to know which protocols are spoken."""


class Layout(Protocol[R]):
    """The repository of one language; `R` is its record."""

    @property
    def ecosystem(self) -> str:
        """The language's name."""
        ...

    @property
    def own_parts(self) -> frozenset[str]:
        """Suffixes of parts that the signed provenance does not name: `records` holds them against the file."""
        ...

    def declared(self, plan: BuildPlan) -> tuple[str, ...]:
        """Return the names that files of a build may have: the package's and those of its modules."""
        ...

    def parts(self, artifact: Artifact) -> Mapping[str, BlobRef]:
        """Return what lies beside an artifact besides bundles and SBOMs (`own_parts`), by suffix.

        Raises:
            GuardError: the finish step left something out.
        """
        ...

    def admit(self, publication: Publication) -> tuple[PublishFile, ...]:
        """Return the files in the order in which they are looked at, each name and path checked. No I/O.

        Raises:
            VerificationError: a file that is not of this package, or two that are the same to an installer.
        """
        ...

    def records(self, publication: Publication, files: Sequence[PassedFile], vault: Vault) -> tuple[R, ...]:
        """Hold the files' content against what is said about them and return the records to be written.

        What the records name besides the files and their parts is in the vault afterwards.

        Raises:
            VerificationError: something does not fit.
        """
        ...

    def published(self, store: ObjectStore, records: Sequence[R]) -> Mapping[str, R]:
        """Return those of `records` that are published with the same bytes: key → the record as it is there.

        Raises:
            ImmutableError: something of that name is published with other bytes.
            VerificationError: a record that is there is unreadable.
        """
        ...

    def refresh(self, store: ObjectStore, records: Sequence[R], check: Callable[[], None]) -> None:
        """Bring what is generated from records (pages, metadata) up to date after `records` were written.

        Args:
            store: the repository's bucket.
            records: what was published, new or not.
            check: raises when the lease is lost; to be called before what everybody reads.

        Raises:
            VerificationError, PublisherBusyError.
        """
        ...

    def find(self, store: ObjectStore, package: PackageId) -> tuple[R, ...]:
        """Return the records of a version, empty when nothing of it is published.

        Raises:
            VerificationError: a record is unreadable.
        """
        ...

    def record_keys(self, store: ObjectStore) -> Iterator[str]:
        """Yield the keys of all records, as they are listed."""
        ...

    def record_at(self, store: ObjectStore, key: str) -> R | None:
        """Return the record at a key of `record_keys`, None when it is gone.

        Raises:
            VerificationError: it is unreadable, or about something else.
        """
        ...

    def generated(self, key: str) -> bool:
        """Return whether an object is one that `refresh` writes, or a record: no record names these."""
        ...

    def current(self, records: Sequence[R]) -> frozenset[str]:
        """Return the names of those files of a version (`find`) that installers take; others are superseded."""
        ...

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of the HTTP server; their handlers use `farm.repository.serving`."""
        ...

    def guides(self, base: str) -> tuple[Guide, ...]:
        """Return how tools are told to use the repository at `base` (ends in `/`), the usual tool first."""
        ...

    def page(self, name: str, version: str) -> str:
        """Return where a published version is shown, relative to the server's address."""
        ...

    def section(self, store: ObjectStore) -> Section:
        """Return what the page for people shows. Reads single objects, lists nothing."""
        ...
