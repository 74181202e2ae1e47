"""`farm verify`: is this file what the farm built, and what is known of it? Offline, with the trust root alone.

Everything fails closed: what is missing, unreadable, too large or of an unknown shape is a failed check, and so is a
check that could not be made because an earlier one failed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, TypeVar

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from farm.consumer.sidecars import BUNDLE, PROVENANCE_BUNDLE, json_object, read_capped
from farm.consumer.verdict import Check, FileVerdict, LogEntry
from farm.consumer.wheel import embedded_documents
from farm.errors import FarmError, VerificationError
from farm.evidence.facts import read_statement
from farm.evidence.provenance import build_type
from farm.evidence.sbom import SbomFormat, embedded_name, without_file_hash
from farm.model.base import BlobRef, sha256_stream
from farm.trust.verify import Trust, verify_file, verify_provenance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.evidence.facts import ProvenanceFacts
    from farm.trust.identity import ExpectedIdentity

__all__ = ["MAX_FILE", "verify"]

MAX_FILE = 4 * 1024**3
"""Largest file that is read, in bytes."""

T = TypeVar("T")


def verify(path: Path, *, trust: Trust, identity: ExpectedIdentity, sidecars: Path | None = None) -> FileVerdict:
    """Verify one file with what lies beside it.

    Args:
        path: the file.
        trust: the trust root, from `farm.trust.verify.load_trust`.
        identity: who must have signed.
        sidecars: folder of the sidecars; None = the file's own folder.

    Returns:
        The verdict. Nothing about the file or its sidecars raises.
    """
    run = _Run()
    beside = sidecars if sidecars is not None else path.parent
    try:
        if not path.is_file():
            return run.verdict(path, run.note("file", ok=False, detail="no such file, or no regular one"))
        with path.open("rb") as stream:
            blob = run.check("file", lambda: _identify(path.name, stream))
            if blob is not None:
                _verify_open(run, path.name, stream, blob, beside, trust, identity)
    except OSError as error:
        run.note("file", ok=False, detail=f"cannot be read: {error.strerror}")
    return run.verdict(path)


class _Run:
    """The checks made so far and what they found."""

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.blob: BlobRef | None = None
        self.facts: ProvenanceFacts | None = None
        self.log: LogEntry | None = None
