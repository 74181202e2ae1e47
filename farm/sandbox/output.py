"""What comes back from a sandbox, read strictly: foreign code may have written every byte of it.

The entries of `/out` arrive as frames (see `farm.sandbox.guest.wire`). Nothing is written that was not checked, nothing
is written through a link (links are made last, and only those that stay inside), sizes are held against the caps before
the first byte is written.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from farm.errors import OutputUnsafeError, SandboxDiskError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_ENTRIES", "Report", "Source", "read_frame", "receive_output"]

_HEADER = struct.Struct(">cQ")
_CHUNK = 256 * 1024
_MAX_FRAME = {b"P": 1024 * 1024, b"E": 64 * 1024, b"R": 64 * 1024}
MAX_ENTRIES = 100_000
_MAX_DEPTH = 64
_MAX_NAME = 255
_MAX_PATH = 4096
_FIRST_PRINTABLE = 0x20
_DELETE = 0x7F


class Source(Protocol):
    """Standard output of the container."""

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, nothing at the end."""
        ...

    def read_exactly(self, size: int) -> bytes:
        """Return `size` bytes or raise EOFError."""
        ...


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Entry(_Frame):
    path: str
    kind: Literal["file", "folder", "link", "special"]
    size: Annotated[int, Field(ge=0)]
    executable: bool
    target: str = ""


class Report(_Frame):
    """How the run ended, in the guest's words."""

    exit_code: Annotated[int, Field(ge=0, le=255)]
    failed_step: str
    limit: Literal["", "disk", "memory", "pids"]
    seconds: float
    peak_memory: int
    """Bytes, -1 when unknown."""
    fullest: tuple[float, str]
    """The largest share of a writable folder that was in use, and which."""
    entries: Annotated[int, Field(ge=0)]


@dataclass
class _Received:
    """What has come so far."""

    root: Path
    bytes_left: int
    folders: set[str]
    names: set[str]
    links: list[tuple[str, str]]


def read_frame(source: Source, kinds: bytes) -> tuple[bytes, bytes]:
    """Return kind and body of the next frame.

    Raises:
        OutputUnsafeError: a kind that is not one of `kinds`, or a length above the kind's cap.
        EOFError: the channel ended.
    """
    kind, length = _HEADER.unpack(source.read_exactly(_HEADER.size))
    if kind not in kinds or length > _MAX_FRAME[kind]:
        msg = f"the sandbox's answer is malformed: frame {kind!r} of {length} bytes"
        raise OutputUnsafeError(msg)
    return kind, source.read_exactly(length)


def receive_output(source: Source, root: Path, limit: int) -> Report:
    """Write the entries that come from `source` below `root` (an empty folder) and return the closing report.

    Args:
        source: standard output of the container, after the probe.
        root: where to write.
        limit: bytes that all files may have together.

    Raises:
        OutputUnsafeError: malformed frames; links that leave the folder, devices, odd or repeated names.
        SandboxDiskError: more bytes or entries than allowed.
        EOFError: the channel ended before the report.
    """
    state = _Received(root=root, bytes_left=limit, folders={""}, names=set(), links=[])
    while True:
        kind, body = read_frame(source, b"ER")
        if kind == b"R":
            report = _parse(Report, body)
            break
        _take(_parse(_Entry, body), state, source)
    if source.read(1):
        msg = "the sandbox's answer goes on after its end"
        raise OutputUnsafeError(msg)
    if report.entries != len(state.names):
        msg = f"the sandbox announced {report.entries} entries of output and sent {len(state.names)}"
        raise OutputUnsafeError(msg)
    _link(state)
    return report


def _parse[M: _Frame](model: type[M], body: bytes) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        msg = f"the sandbox's answer is malformed: {error.errors()[0]['msg']}"
        raise OutputUnsafeError(msg) from error
