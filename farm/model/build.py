"""What comes out of the build, finish and test steps."""

from __future__ import annotations

from typing import ClassVar, Literal

from farm.model.base import BlobRef, Sha256, Value

__all__ = ["Artifact", "BuildResult", "FileNote", "ImageIdentity", "RawArtifact", "TestReport", "Usage"]


class ImageIdentity(Value):
    """A builder image as it is on this host."""

    name: str
    """The folder under images/."""
    image_id: str
    """What Docker calls it (`sha256:…`): used to run it."""
    digest: Sha256
    """SHA-256 over the canonical JSON of the list of layer digests (diff ids): what identifies it everywhere."""
    layers: tuple[str, ...]
    definition: Sha256
    """Digest of the definition it was made from."""
    platform: str
    interpreter: str
    """`cp311`."""
    python: str
    """`3.11`."""
    packages: BlobRef | None = None
    """The list of installed system and Python packages, as text, `kind name version` per line, in the vault."""
    base: str
    """`mmdebstrap:bookworm` or the image digest named by the user."""


class Usage(Value):
    """What one sandbox run used."""

    seconds: float
    peak_memory_mb: int | None = None


class RawArtifact(Value):
    """A file as the backend wrote it, in the vault."""

    filename: str
    blob: BlobRef


class BuildResult(Value):
    """Step 5: the backend's output, its log, and what it used."""

    artifacts: tuple[RawArtifact, ...]
    log: BlobRef
    probe: str
    """The isolation probe's verdict in one line, for the provenance."""
    usage: Usage


class FileNote(Value):
    """One observation of the guards or the finish step that belongs into the provenance."""

    name: str
    value: str


class Artifact(Value):
    """A finished file: platform tag set, SBOM embedded, archive canonical."""

    filename: str
    kind: Literal["wheel"]
    blob: BlobRef
    raw: RawArtifact
    notes: tuple[FileNote, ...] = ()
    contents: tuple[FileNote, ...] = ()
    """Grafted or vendored components found inside (name → version), for the SBOM."""
    license: str = ""
    summary: str = ""
    requires_dist: tuple[str, ...] = ()
    requires_python: str = ""
    metadata: BlobRef | None = None
    """The core metadata file (PEP 658), in the vault."""


class TestReport(Value):
    """Step 9: what was run against the artifact and what came of it."""

    __test__: ClassVar[bool] = False

    result: Literal["passed", "skipped"]
    imports: tuple[str, ...]
    command: tuple[str, ...]
    reason: str = ""
    log: BlobRef | None = None
    usage: Usage | None = None
