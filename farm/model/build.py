"""What comes out of the build, finish and test steps."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from farm.model.base import BlobRef, Sha256, Value

__all__ = [
    "Artifact",
    "BuildResult",
    "FileNote",
    "ImageIdentity",
    "RawArtifact",
    "TestCounts",
    "TestReport",
    "Unnumbered",
    "Usage",
]


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
    """What the image builds with, as targets and locks call it: `cp311`, `jdk17`."""
    version: str
    """Of the interpreter: `3.11` of CPython, the major `17` of a JDK."""
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


class TestCounts(Value):
    """The tests that a build ran itself."""

    __test__: ClassVar[bool] = False

    run: int = Field(ge=0)
    skipped: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)
    """Failures and errors that the build went on after (`testFailureIgnore`)."""


class BuildResult(Value):
    """Step 5: what the build tool put out, how it was run, its log, and what it used."""

    artifacts: tuple[RawArtifact, ...]
    commands: tuple[tuple[str, ...], ...]
    """The argument lists that were run in the sandbox to build."""
    environment: dict[str, str]
    """The fixed environment of the build."""
    tests: TestCounts | None = None
    """Where the build tool runs the tests in the build (Maven)."""
    log: BlobRef
    probe: str
    """The isolation probe's verdict in one line, for the provenance."""
    usage: Usage


class FileNote(Value):
    """One observation of the guards or the finish step that belongs into the provenance."""

    name: str
    value: str


class Unnumbered(Value):
    """A file as it is without a build number: what two builds of the same inputs have in common."""

    filename: str
    sha256: Sha256


class Artifact(Value):
    """A finished file: what is signed and published."""

    filename: str
    kind: str
    """What it is, in the words of the ecosystem: `wheel`, `jar`, `pom`."""
    path: str = ""
    """Where the repository of the ecosystem has it, where that does not follow from the name (Maven2 layout)."""
    blob: BlobRef
    unnumbered: Unnumbered | None = None
    """Where the file got a build number, since other bytes were published before; None = it has none."""
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

    @property
    def content(self) -> Unnumbered:
        """What the file is, whatever was published before it."""
        return self.unnumbered or Unnumbered(filename=self.filename, sha256=self.blob.sha256)


class TestReport(Value):
    """Step 9: what was run against the artifact and what came of it."""

    __test__: ClassVar[bool] = False

    result: Literal["passed", "skipped"]
    imports: tuple[str, ...]
    command: tuple[str, ...]
    counts: TestCounts | None = None
    """Of the tests that the build itself ran."""
    reason: str = ""
    log: BlobRef | None = None
    usage: Usage | None = None
