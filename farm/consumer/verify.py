"""`farm verify`: is this file what the farm built, and what is known of it? Offline, with the trust root alone.

Everything fails closed: what is missing, unreadable, too large or of an unknown shape is a failed check, and so is a
check that could not be made because an earlier one failed.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from farm.consumer.sidecars import BUNDLE, PROVENANCE_BUNDLE, json_object, read_capped
from farm.consumer.verdict import Check, FileVerdict, LogEntry
from farm.errors import SigningRefusedError, VerificationError
from farm.evidence.facts import read_statement
from farm.evidence.parts import described_digest, embedded_part
from farm.evidence.provenance import build_type
from farm.evidence.sbom import SbomFormat, embedded_name
from farm.languages import language, language_of_file
from farm.model.base import BlobRef, sha256_bytes, sha256_stream
from farm.trust.verify import verify_file, verify_provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from farm.evidence.facts import ProvenanceFacts
    from farm.trust.identity import ExpectedIdentity
    from farm.trust.verify import Trust

__all__ = ["MAX_FILE", "verify"]

MAX_FILE = 4 * 1024**3
"""Largest file that is read, in bytes."""

_T = TypeVar("_T")
_FORMAT_NAMES = {SbomFormat.CYCLONEDX: "CycloneDX", SbomFormat.SPDX: "SPDX"}


def verify(
    path: Path, *, trust: Trust, identity: ExpectedIdentity, sidecars: Path | None = None, package: str = ""
) -> FileVerdict:
    """Verify one file with what lies beside it.

    Args:
        path: the file.
        trust: the trust root, from `farm.trust.verify.load_trust`.
        identity: who must have signed.
        sidecars: folder of the sidecars; None = the file's own folder.
        package: what it must be a file of, `maven/org.example:sample-lib` or with `@version`; empty = what its name
            says. A jar's name does not say its group.

    Returns:
        The verdict. Whatever is wrong with the file or its sidecars is in it and raises nothing.
    """
    run = _Run(path, sidecars if sidecars is not None else path.parent, trust, identity, package)
    try:
        # A named pipe would block when it is opened.
        if not path.is_file():
            run.note("file", ok=False, detail="it is no regular file" if path.exists() else "there is no such file")
        else:
            with path.open("rb") as stream:
                # One handle for hashing and reading: what is looked into is what was hashed.
                run.all(stream)
    except OSError as error:
        run.note("file", ok=False, detail=f"it cannot be read: {error.strerror}")
    return run.verdict()


class _Run:
    """One verification: its inputs, the checks made so far, what they found."""

    def __init__(self, path: Path, beside: Path, trust: Trust, identity: ExpectedIdentity, package: str) -> None:
        self.package = package
        self.path = path
        self.beside = beside
        self.trust = trust
        self.identity = identity
        self.checks: list[Check] = []
        self.blob: BlobRef | None = None
        self.facts: ProvenanceFacts | None = None
        self.log: LogEntry | None = None
        self.documents: dict[str, bytes] = {}

    def note(self, name: str, *, ok: bool, detail: str) -> None:
        self.checks.append(Check(name=name, ok=ok, detail=detail))

    def check(self, name: str, ask: Callable[[], tuple[str, _T]]) -> _T | None:
        """Make one check: `ask` returns what it found in words and as a value, or raises VerificationError."""
        try:
            detail, value = ask()
        except VerificationError as error:
            self.note(name, ok=False, detail=error.message)
            return None
        self.note(name, ok=True, detail=detail)
        return value

    def skip(self, *names: str, because: str) -> None:
        for name in names:
            self.note(name, ok=False, detail=f"not checked, because {because}")

    def verdict(self) -> FileVerdict:
        return FileVerdict(
            file=self.path.name,
            verified=bool(self.checks) and all(check.ok for check in self.checks),
            sha256=self.blob.sha256 if self.blob else "",
            size=self.blob.size if self.blob else 0,
            checks=tuple(self.checks),
            facts=self.facts,
            log=self.log,
        )

    def all(self, stream: BinaryIO) -> None:
        """Make every check on the open file."""
        blob = self.blob = self.check("file", lambda: _identify(self.path.name, stream))
        if blob is None:
            self.skip("signature", "provenance", because="the file could not be read")
            return
        signed = self.check("signature", lambda: self._signature(blob))
        statement = self.check("provenance", lambda: self._provenance(blob))
        if statement is None:
            self.skip("transparency log", "facts", because="the provenance does not hold")
            return
        self.log = self.check("transparency log", lambda: _log_entry(self._read(PROVENANCE_BUNDLE)))
        facts = self.facts = self.check("facts", lambda: _facts(statement))
        if facts is None:
            self.skip("builder", "package", because="the provenance cannot be read")
            return
        self.check("builder", lambda: _builder(facts, self.identity))
        self.check("package", lambda: _package(facts, self.path.name))
        if self.package:
            self.check("asked for", lambda: _asked(facts, self.path.name, self.package))
        if signed is None:
            # Before its signature holds, the archive is nothing to be opened.
            self.skip("certificate", "SBOM", because="the signature does not hold")
            return
        self.check("certificate", lambda: self._certificate(blob, facts))
        self._sboms(stream, blob, facts)

    def _sboms(self, stream: BinaryIO, blob: BlobRef, facts: ProvenanceFacts) -> None:
        """Check the documents in both formats, and what is inside of the file where its language puts them there."""
        reader = language_of_file(self.path.name).embedded
        if reader is None:
            inside: Mapping[str, bytes] | None = {}
            self.check("SBOM beside the file", self._beside)
        else:
            inside = self.check("embedded SBOM", lambda: _embedded(stream, reader))
        for kind, name in _FORMAT_NAMES.items():
            if inside is None:
                self.skip(f"{name} SBOM", because="the embedded documents could not be read")
            else:
                self.check(f"{name} SBOM", partial(self._sbom, kind, inside.get(kind.value), blob, facts))

    def _beside(self) -> tuple[str, bool]:
        for kind in _FORMAT_NAMES:
            self._read(kind.value)
        return "both documents are there; files of this language carry none inside", True

    def _read(self, suffix: str) -> bytes:
        """Read a sidecar once: what a later check looks at is what an earlier one verified."""
        if suffix not in self.documents:
            self.documents[suffix] = read_capped(self.beside / f"{self.path.name}{suffix}")
        return self.documents[suffix]

    def _signature(self, blob: BlobRef) -> tuple[str, bool]:
        verify_file(self.trust, blob, self._read(BUNDLE), self.identity)
        return f"by {self.identity.builder}", True

    def _provenance(self, blob: BlobRef) -> tuple[str, dict[str, Any]]:
        bundle = self._read(PROVENANCE_BUNDLE)
        statement = verify_provenance(self.trust, blob, bundle, self.path.name, self.identity)
        return "signed by the same builder, about this file alone", statement

    def _certificate(self, blob: BlobRef, facts: ProvenanceFacts) -> tuple[str, bool]:
        """Hold the source that stands in the signing certificates against the one in the statement."""
        digest = facts.source_commit or f"sha256:{facts.source_sha256}"
        identity = self.identity.model_copy(update={"source_digest": digest})
        verify_file(self.trust, blob, self._read(BUNDLE), identity)
        verify_provenance(self.trust, blob, self._read(PROVENANCE_BUNDLE), self.path.name, identity)
        return f"issued for the source {digest}", True

    def _sbom(
        self, kind: SbomFormat, document: bytes | None, blob: BlobRef, facts: ProvenanceFacts
    ) -> tuple[str, bool]:
        """Hold a sidecar against the provenance, the file, and the document inside the file, if there is one."""
        name = f"{self.path.name}{kind.value}"
        data = self._read(kind.value)
        if facts.byproducts.get(name) != sha256_bytes(data):
            raise VerificationError(f"{name} is not the document that the provenance names")
        sidecar = json_object(name, data)
        try:
            digest, expected = described_digest(kind, sidecar), embedded_part(kind, sidecar)
        except ValueError as error:
            raise VerificationError(f"{name} is not of farm's shape: {error}") from error
        if digest != blob.sha256:
            raise VerificationError(f"{name} is about another file ({digest or 'no digest'})")
        if document is None:
            return "beside the file and in the provenance: the same, about this file", True
        inside = embedded_name(kind)
        if json_object(inside, document) != expected:
            raise VerificationError(f"the embedded {inside} is not what {name} says of the file")
        return "beside the file and in the provenance: the same; what it says of the file itself is embedded", True


def _identify(name: str, stream: BinaryIO) -> tuple[str, BlobRef]:
    try:
        language_of_file(name)
    except ValueError as error:
        raise VerificationError(str(error)) from error
    size = stream.seek(0, os.SEEK_END)
    if size > MAX_FILE:
        raise VerificationError(f"it is larger than {MAX_FILE} bytes")
    stream.seek(0)
    blob = sha256_stream(stream)
    return f"sha256 {blob.sha256}, {blob.size} bytes", blob


def _log_entry(bundle: bytes) -> tuple[str, LogEntry]:
    """Read where the log has it: the bundle has been verified, so the entry, its proof and its time hold."""
    try:
        entries = json_object("the bundle", bundle)["verificationMaterial"]["tlogEntries"]
        index = int(entries[0]["logIndex"])
        seconds = int(entries[0].get("integratedTime", 0))
        integrated = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError, OSError) as error:
        raise VerificationError(f"the bundle has no readable log entry: {error!r}") from error
    return f"entry {index}, inclusion proven" + (f", {integrated}" if integrated else ""), LogEntry(
        index=index, integrated=integrated
    )


def _facts(statement: dict[str, Any]) -> tuple[str, ProvenanceFacts]:
    facts = read_statement(statement)
    return f"{facts.ecosystem}/{facts.package}@{facts.version} from {facts.source_uri}", facts


def _builder(facts: ProvenanceFacts, identity: ExpectedIdentity) -> tuple[str, bool]:
    if facts.builder_id != identity.builder:
        raise VerificationError(f"the provenance is of the builder {facts.builder_id}, not {identity.builder}")
    namespace, _, _ = identity.builder.partition("/builders/")
    try:
        wanted = build_type(namespace, facts.ecosystem)
    except SigningRefusedError as error:
        raise VerificationError(error.message) from error
    if facts.build_type != wanted:
        raise VerificationError(f"the build type is {facts.build_type}, not {wanted}")
    return f"{facts.builder_id}, claims SLSA Build L{facts.slsa_level}", True


def _package(facts: ProvenanceFacts, filename: str) -> tuple[str, bool]:
    name = _name_of(facts, filename)
    of = "" if name == facts.package else f"{name}, a module of "
    return f"{of}{facts.package} {facts.version}", True


def _asked(facts: ProvenanceFacts, filename: str, wanted: str) -> tuple[str, bool]:
    """Hold what the file was built as against what the user expects."""
    is_ = f"{facts.ecosystem}/{_name_of(facts, filename)}"
    if wanted not in {is_, f"{is_}@{facts.version}"}:
        raise VerificationError(f"it is a file of {is_}@{facts.version}, not of {wanted}")
    return wanted, True


def _name_of(facts: ProvenanceFacts, filename: str) -> str:
    """Return under which of the names that the build publishes the file goes."""
    try:
        spoken = language(facts.ecosystem)
        names = (facts.package, *spoken.modules(facts.options))
        found = [name for name in names if spoken.is_file_of(name, facts.version, filename)]
        same = language_of_file(filename) is spoken
    except ValueError as error:
        raise VerificationError(str(error)) from error
    if not same or not found:
        raise VerificationError(f"the provenance is of {facts.package} {facts.version}, the file is {filename}")
    return found[0]


def _embedded(stream: BinaryIO, reader: Callable[[BinaryIO], Mapping[str, bytes]]) -> tuple[str, Mapping[str, bytes]]:
    stream.seek(0)
    return "both documents are there", reader(stream)
