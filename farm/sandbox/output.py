"""What comes back from a sandbox, read strictly: foreign code may have written every byte of it.

The entries of `/out` arrive as frames (see `farm.sandbox.guest.wire`). Nothing is written that was not checked, nothing
is written through a link (links are made last, and only those that stay inside), sizes are held against the caps before
the first byte is written.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, Protocol, TypeVar

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


_M = TypeVar("_M", bound=_Frame)


@dataclass
class _Received:
    """What has come so far."""

    root: Path
    bytes_left: int
    folders: set[str] = field(default_factory=lambda: {""})
    names: set[str] = field(default_factory=set)
    links: list[tuple[str, str]] = field(default_factory=list)


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
    state = _Received(root=root, bytes_left=limit)
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


def _parse(model: type[_M], body: bytes) -> _M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        msg = f"the sandbox's answer is malformed: {error.errors()[0]['msg']}"
        raise OutputUnsafeError(msg) from error


def _take(entry: _Entry, state: _Received, source: Source) -> None:
    parent = _checked_parent(entry.path)
    if len(state.names) >= MAX_ENTRIES:
        msg = f"the output has more than {MAX_ENTRIES} entries"
        raise SandboxDiskError(msg)
    if entry.path in state.names:
        msg = f"the output holds {entry.path!r} twice"
        raise OutputUnsafeError(msg)
    if parent not in state.folders:
        msg = f"the output holds {entry.path!r} below something that is no folder of it"
        raise OutputUnsafeError(msg)
    state.names.add(entry.path)
    if entry.kind == "special":
        msg = f"the output holds {entry.path!r}, which is a device, a socket or a pipe"
        raise OutputUnsafeError(msg)
    if entry.kind == "link":
        state.links.append((entry.path, entry.target))
    elif entry.kind == "folder":
        state.folders.add(entry.path)
        folder = state.root / entry.path
        folder.mkdir()
        folder.chmod(0o755)
    else:
        _receive_file(entry, state, source)


def _checked_parent(path: str) -> str:
    """Return the parent of a relative path that holds nothing odd."""
    parts = path.split("/")
    odd = (
        len(path.encode(errors="replace")) > _MAX_PATH
        or len(parts) > _MAX_DEPTH
        or any(part in {"", ".", ".."} or len(part.encode(errors="replace")) > _MAX_NAME for part in parts)
        or any(ord(char) < _FIRST_PRINTABLE or ord(char) == _DELETE or char == "\\" for char in path)
        or any("\ud800" <= char <= "\udfff" for char in path)
    )
    if odd:
        msg = f"the output holds an entry with an odd name: {path[:200]!r}"
        raise OutputUnsafeError(msg)
    return "/".join(parts[:-1])


def _receive_file(entry: _Entry, state: _Received, source: Source) -> None:
    if entry.size > state.bytes_left:
        msg = f"the output is larger than allowed: {entry.path!r} has {entry.size} bytes, {state.bytes_left} were left"
        raise SandboxDiskError(msg)
    state.bytes_left -= entry.size
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(state.root / entry.path, flags, 0o600), "wb") as out:
        # Not left to the umask of whoever runs farm.
        os.fchmod(out.fileno(), 0o755 if entry.executable else 0o644)
        missing = entry.size
        while missing:
            part = source.read(min(missing, _CHUNK))
            if not part:
                msg = f"the sandbox's answer ended inside {entry.path!r}"
                raise EOFError(msg)
            out.write(part)
            missing -= len(part)


def _link(state: _Received) -> None:
    """Make the links, then hold every one against where it really leads."""
    for path, target in state.links:
        if not target or target.startswith("/") or "\0" in target or len(target) > _MAX_PATH:
            _refuse_link(path, target)
        try:
            (state.root / path).symlink_to(target)
        except (OSError, UnicodeEncodeError):
            _refuse_link(path, target)
    root = os.path.realpath(state.root)
    for path, target in state.links:
        try:
            # Strict: a link that leads nowhere could lead somewhere tomorrow.
            real = os.path.realpath(state.root / path, strict=True)
        except OSError:
            _refuse_link(path, target)
        if os.path.commonpath((root, real)) != root:
            _refuse_link(path, target)


def _refuse_link(path: str, target: str) -> NoReturn:
    msg = f"the output holds the link {path!r} to {target[:200]!r}, which leads out of it or nowhere"
    raise OutputUnsafeError(msg)
