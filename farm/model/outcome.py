"""What one build came to: the record that a later run finds by the build key, and that commands report."""

from __future__ import annotations

from typing import Literal

from farm.model.base import BlobRef, Sha256, Value
from farm.model.build import FileNote, TestReport, Unnumbered
from farm.model.catalog import RebuiltShare
from farm.model.key import KeyFields
from farm.model.lock import LockedFile

__all__ = ["InputsReport", "Outcome", "OutcomeFile"]


class InputsReport(Value):
    """Step 4: how the locked files got into the vault's reach."""

    total: int
    fetched: int
    """Fetched now, because the vault lacked them or held other bytes."""
    size: int
    """Bytes of all of them."""


class OutcomeFile(Value):
    """One published file."""

    filename: str
    blob: BlobRef
    unnumbered: Unnumbered | None = None
    """Where the file has a build number: see `Artifact.unnumbered`."""
    raw_sha256: Sha256
    """Of the backend's own output, before tags, SBOM and canonical archive."""
    notes: tuple[FileNote, ...] = ()
    path: str = ""
    """Where the ecosystem's repository has it, where that does not follow from the name."""
    signature: BlobRef
    """The bundle over the file, in the vault."""
    provenance: BlobRef
    """The bundle with its provenance, in the vault."""

    @property
    def content(self) -> Unnumbered:
        """What the file is, whatever was published before it."""
        return self.unnumbered or Unnumbered(filename=self.filename, sha256=self.blob.sha256)


class Outcome(Value):
    """One finished build."""

    package: str
    build_key: Sha256
    run_id: str
    files: tuple[OutcomeFile, ...]
    source_uri: str
    source_strength: Literal["git", "archive"]
    tree_digest: Sha256
    image: str
    image_digest: Sha256
    inputs: tuple[LockedFile, ...]
    test: TestReport
    probe: str
    builder_id: str
    level: int
    """SLSA Build level that the signer claimed."""
    written: tuple[str, ...] = ()
    """Names of the files that were new to the repository; the others were there with equal bytes and older evidence."""
    reused: bool = False
    """True when the build key was known and nothing was built."""
    target: str
    """`cp311-linux-amd64`."""
    fields: KeyFields
    """What the build key is the digest of."""
    seconds: float = 0.0
    """From the first step to the signature: what the next run orders its work by."""
    peak_memory_mb: int | None = None
    seeds: tuple[str, ...] = ()
    """Files of upstream's that a first stage of a cycle was built with."""
    stage: int = 0
    """Of a cycle's bootstrap; 0 where there is none."""

    @property
    def share(self) -> RebuiltShare:
        """How much of what it was built with is farm's own."""
        return RebuiltShare.of(self.inputs)
