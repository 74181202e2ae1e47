"""What the signer and its clients say to each other: HTTP over a Unix socket, described in one place for both sides.

    GET    /health
    POST   /runs                            job record (JSON) → run token
    POST   /runs/{run_id}/files/{filename}  run result (JSON), then the file's bytes → signed file
    DELETE /runs/{run_id}                   the token ends
    POST   /snapshots                       catalog snapshot (canonical JSON) → signed snapshot
    GET    /snapshots/last                  → the last signed snapshot; 404 when there was none
    POST   /signed                          provenance bundle of an earlier file → the signer knows the file again

A refusal is a 4xx answer with `{"error": reason}`; that of a snapshot may have `unknown`, the digests of files that the
signer does not know to have signed. Signing a file takes one request: the result and the file it belongs to cannot be
mixed up between two calls, and the signer keeps no state between them but the job record.
"""

from __future__ import annotations

from pydantic import Field

from farm.model.base import Sha256, Value

__all__ = [
    "MAX_JOB_BYTES",
    "MAX_RESULT_BYTES",
    "RESULT_LENGTH_HEADER",
    "RUN_ID_PATTERN",
    "SHA256_HEADER",
    "RunToken",
    "SignedSnapshot",
    "SignerHealth",
]

SHA256_HEADER = "x-farm-sha256"
"""What the worker says the file's SHA-256 is; the signer compares it with its own."""
RESULT_LENGTH_HEADER = "x-farm-result-length"
"""How many bytes at the start of the body are the run result."""
MAX_JOB_BYTES = 16 * 1024 * 1024
MAX_RESULT_BYTES = 16 * 1024 * 1024
RUN_ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
"""Run ids are file names in the signer's data folder."""


class RunToken(Value):
    """The right to have files of one run signed, until `expires` or until the run is closed."""

    run_id: str
    token: str = Field(repr=False)
    """A signed JWT. Whoever has it can have files of this run signed: it is not logged and not stored."""
    expires: int
    """Seconds since the epoch."""


class SignedSnapshot(Value):
    """A catalog snapshot with the signature over it."""

    sequence: int
    sha256: Sha256
    """Of the document."""
    document: str
    """Canonical JSON."""
    bundle: str
    """Sigstore bundle (JSON text) over the document."""


class SignerHealth(Value):
    """What the signer says of itself."""

    status: str
    version: str
    builder_id: str
    issuer: str
    level: int
    """SLSA Build level that its statements claim."""
    log_size: int
    open_runs: int
