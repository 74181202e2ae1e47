"""The files that this signer has signed: what a catalog snapshot may name.

The transparency log knows their digests, but not what they were signed as. So each signing adds a line to a file of
its own in the signer's folder. What is not in it (files that were signed before it existed, or after the folder was
restored from an older backup) is learned again from the provenance that the signer itself has signed.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from farm import log
from farm.errors import ServiceError
from farm.evidence.facts import read_bundle
from farm.model.base import BlobRef, Sha256, Value
from farm.model.catalog import RebuiltShare
from farm.model.plan import Target
from farm.trust.verify import verify_provenance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from farm.model.catalog import CatalogEntry, CatalogFile
    from farm.model.evidence import JobRecord
    from farm.trust.identity import ExpectedIdentity
    from farm.trust.verify import Trust

__all__ = ["SignedFiles"]

_LOG = log.get(__name__)


class _Line(Value):
    """One signing, as it is on disk."""

    sha256: Sha256
    size: int | None
    """None where it was learned from provenance, which does not say."""
    filename: str
    package: tuple[str, str, str]
    """Ecosystem, name, version."""
    target: str
    build_key: Sha256
    rebuilt: RebuiltShare


class _Fact(NamedTuple):
    """One signing, in memory: there can be a hundred thousand."""

    size: int | None
    filename: str
    place: tuple[str, str, str, str]
    """Ecosystem, name, version, target."""
    build_key: str
    own: int
    total: int
    """Own results among the inputs of the build, and all of them."""


class SignedFiles:
    """Keeps and looks up signings by digest; every method may be called from several threads."""

    def __init__(self, path: Path) -> None:
        """Read the file at `path` (made with the first signing).

        Raises:
            ServiceError: it cannot be read or written.
        """
        self._path = path
        self._lock = threading.Lock()
        self._facts: dict[str, tuple[_Fact, ...]] = {}
        try:
            self._load()
        except OSError as error:
            raise ServiceError(f"the register of signed files {path} cannot be read: {error}") from error

    def __len__(self) -> int:
        return len(self._facts)

    def add(self, job: JobRecord, filename: str, blob: BlobRef) -> None:
        """Remember that a file was signed for a job; when this returns it survives a power cut.

        Raises:
            ServiceError: it cannot be written.
        """
        plan = job.plan
        self._add(
            _Line(
                sha256=blob.sha256,
                size=blob.size,
                filename=filename,
                package=(plan.package.ecosystem, plan.package.name, plan.package.version),
                target=plan.target.key,
                build_key=job.build_key,
                rebuilt=RebuiltShare.of(job.inputs),
            )
        )

    def learn(self, bundle: str, trust: Trust, identity: ExpectedIdentity) -> str:
        """Remember a file again by the provenance that was signed for it, and return its digest.

        Raises:
            VerificationError: this signer has not signed it.
            ServiceError: it cannot be written.
        """
        facts = read_bundle(bundle)
        # The statement's own digest and name are taken for the check: what is to be shown is who signed it.
        statement = verify_provenance(trust, BlobRef(sha256=facts.sha256, size=0), bundle, facts.filename, identity)
        target = Target(platform=facts.platform, interpreter=facts.interpreter)
        self._add(
            _Line(
                sha256=facts.sha256,
                size=None,
                filename=facts.filename,
                package=(facts.ecosystem, facts.package, facts.version),
                target=target.key,
                build_key=facts.build_key,
                rebuilt=_share(statement),
            )
        )
        return facts.sha256

    def unknown(self, entry: CatalogEntry) -> Iterator[CatalogFile]:
        """Yield the files of a catalog entry that were never signed as what the entry says that they are."""
        for file in entry.files:
            if not any(_covers(fact, entry, file) for fact in self._facts.get(file.sha256, ())):
                yield file

    def _add(self, line: _Line) -> None:
        fact = _fact(line)
        with self._lock:
            known = self._facts.get(line.sha256, ())
            if fact in known:
                return
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "ab") as stream:
                    stream.write(line.canonical() + b"\n")
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as error:
                raise ServiceError(f"the register of signed files {self._path} cannot be written: {error}") from error
            self._facts[line.sha256] = (*known, fact)

    def _load(self) -> None:
        try:
            stream = self._path.open("r+b")
        except FileNotFoundError:
            return
        with stream:
            whole = 0
            for raw in stream:
                if not raw.endswith(b"\n"):
                    # A crash cut the last write off: what comes next must not be put behind it.
                    _LOG.warning("dropped a torn last line", file=str(self._path))
                    break
                whole += len(raw)
                self._take(raw)
            stream.truncate(whole)

    def _take(self, raw: bytes) -> None:
        try:
            line = _Line.model_validate_json(raw)
        except ValidationError:
            # Not known is refused: nothing is signed that should not be.
            _LOG.warning("an unreadable line counts for nothing", file=str(self._path))
            return
        known = self._facts.get(line.sha256, ())
        self._facts[line.sha256] = (*known, _fact(line))


def _fact(line: _Line) -> _Fact:
    return _Fact(
        line.size, line.filename, (*line.package, line.target), line.build_key, line.rebuilt.own, line.rebuilt.total
    )


def _covers(fact: _Fact, entry: CatalogEntry, file: CatalogFile) -> bool:
    """Return whether a signing is of this file, in a build of which the entry says nothing else."""
    return (
        fact.place == entry.order
        and fact.filename == file.filename
        and fact.size in {None, file.size}
        and fact.build_key == entry.build_key
        and (entry.rebuilt.own, entry.rebuilt.total) == (fact.own, fact.total)
    )


def _share(statement: dict[str, Any]) -> RebuiltShare:
    """Return the share of a statement that was verified, counted as `RebuiltShare.of` counts a job's inputs."""
    found = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    read = [notes for item in found if (notes := item.get("annotations", {})).get("role") == "input"]
    read = [notes for notes in read if set(notes["roles"]) & {"build", "backend"}]
    return RebuiltShare(own=sum(notes["origin"] == "farm" for notes in read), total=len(read))
