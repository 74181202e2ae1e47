"""What the evidence is written from: the job record the signer keeps, the results it is given, the facts of an SBOM."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from farm.model.base import BlobRef, Sha256, Value
from farm.model.build import FileNote, ImageIdentity, TestReport
from farm.model.lock import LockedFile
from farm.model.plan import BuildPlan, PackageId
from farm.model.source import SourceSnapshot

__all__ = [
    "BUNDLE",
    "PROVENANCE_BUNDLE",
    "Byproduct",
    "ComponentFacts",
    "JobRecord",
    "RecipeOrigin",
    "RunResult",
    "SbomFacts",
    "SignedFile",
    "Timestamp",
]

BUNDLE: Final = ".sigstore.json"
"""What the bundle with a file's signature is called, after the file's name."""
PROVENANCE_BUNDLE: Final = ".provenance.sigstore.json"
"""And the one with its provenance."""


def _is_a_time(text: str) -> str:
    datetime.fromisoformat(text)  # ValueError for a 30th of February
    return text


Timestamp = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"),
    AfterValidator(_is_a_time),
]
"""RFC 3339, UTC, whole seconds: one spelling for each time, so that two compare as text."""
RunUri = Annotated[
    str, StringConstraints(pattern=r"^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
]
"""RFC 9562: names a run and no host."""
Verdict = Annotated[str, StringConstraints(pattern=r"^isolated(: [ -~]{1,1000})?$")]
"""What the isolation probe says of a sandbox that is one, in one line; of any other nothing is built."""


class RecipeOrigin(Value):
    """Where the recipe was read: the commit of the repository that holds it, when it is one."""

    commit: str = ""
    dirty: bool = False
    """True when the recipe's folder differs from that commit, or there is no commit."""


class JobRecord(Value):
    """Everything that is settled before foreign code runs. The signer keeps it and writes the statement from it."""

    run_id: str
    """Prefect flow-run id, or `local-<uuid>` for `farm build`."""
    run_uri: RunUri
    """`urn:uuid:…` of the run, for the certificate and `invocationId`."""
    plan: BuildPlan
    recipe_origin: RecipeOrigin
    build_key: Sha256
    snapshot: SourceSnapshot
    image: ImageIdentity
    inputs: tuple[LockedFile, ...]
    lock_digest: Sha256
    farm_version: str
    rules_version: int = Field(ge=1)
    """Farm's build-rule version."""
    started_on: Timestamp
    stage: int = Field(default=0, ge=0)
    """Of a cycle's bootstrap, from 1; 0 where the package is in none."""
    seeds: tuple[str, ...] = ()
    """Inputs that are upstream's because the cycle has to begin somewhere, by file name."""


class Byproduct(Value):
    """Something the build left besides the artifact: log, raw artifact, SBOM document."""

    name: str
    media_type: str
    blob: BlobRef


class RunResult(Value):
    """What happened in one run, told to the signer beside the file; the statement marks it as the worker's word."""

    finished_on: Timestamp
    probe: Verdict
    test: TestReport
    notes: tuple[FileNote, ...] = ()
    byproducts: tuple[Byproduct, ...] = ()


class SignedFile(Value):
    """The signer's answer for one file."""

    filename: str
    blob: BlobRef
    """Digest and size as the signer computed them."""
    signature: str
    """Sigstore bundle (JSON text) over the file: `<file>.sigstore.json`."""
    provenance: str
    """Sigstore bundle (JSON text) with the SLSA provenance statement: `<file>.provenance.sigstore.json`."""


class ComponentFacts(Value):
    """What one file is and what is in it: all that the documents inside of it are written from.

    They are part of its bytes, so nothing is here that can change while the content stays the same: no build input, no
    image, no command, no version of farm's rules.
    """

    package: PackageId
    filename: str
    """Of the shipped file."""
    kind: str
    """What the file is, in the words of the ecosystem."""
    component: str = ""
    """Name of what the file is of, where that is not the package (a module of a Maven build)."""
    purl: str = ""
    """Its package URL, where that is not the package's."""
    license: str = ""
    summary: str = ""
    requires_dist: tuple[str, ...] = ()
    contents: tuple[FileNote, ...] = ()
    snapshot: SourceSnapshot
    """Of it: where it comes from, its commit or digest, the digest of its tree, its time. Patches are not in it."""


class SbomFacts(ComponentFacts):
    """And what it was built with: the documents beside the file say all of it."""

    file: BlobRef
    image: ImageIdentity
    inputs: tuple[LockedFile, ...]
    """Build inputs (roles build and backend)."""
    environment: dict[str, str]
    """The fixed environment of the build."""
    commands: tuple[tuple[str, ...], ...]
    rules: str
    """Version of farm's build rules."""
