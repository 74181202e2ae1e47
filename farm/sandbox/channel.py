"""The host's end of the channel: Docker's multiplexed attach stream, and the log.

Docker prefixes every chunk with eight bytes: the stream (1 standard output, 2 standard error), three zeros, the length
(big endian; Engine API, "Attach to a container"). Standard error goes to the log as it comes; standard output is read
on demand, so that nothing is held in memory but the chunk at hand.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Protocol

from farm.text import without_controls

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["AttachStream", "LogSink", "Wire"]

_HEADER = struct.Struct(">B3xI")
_CHUNK = 256 * 1024
_TAIL = 4096
_STDOUT, _STDERR = 1, 2


class Wire(Protocol):
    """What is needed of a socket."""

    def recv(self, size: int, /) -> bytes:
        """Return what is there, at most `size` bytes; nothing at the end."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """Send all of `data`."""
        ...

    def settimeout(self, seconds: float | None, /) -> None:
        """Set how long the other two may take."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class LogSink:
    """The log file of one run: written as it comes up to `limit` bytes, then only counted; the end is kept aside."""

    def __init__(self, path: Path, limit: int) -> None:
        self._file = path.open("wb")
        self._left = limit
        self._dropped = 0
        self._tail = b""

    def write(self, data: bytes) -> None:
        """Take the next bytes of the log."""
        kept = data[: self._left]
        self._file.write(kept)
        self._left -= len(kept)
        self._dropped += len(data) - len(kept)
        self._tail = (self._tail + data)[-_TAIL:]

    @property
    def tail(self) -> str:
        """The last 4 KiB, whether they fitted into the file or not; fit for a terminal, unlike the file."""
        return without_controls(self._tail.decode("utf-8", "replace"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._dropped:
            self._file.write(b"\nfarm: the log is too long, %d bytes are missing here; its end:\n" % self._dropped)
            self._file.write(self._tail)
        self._file.close()


class AttachStream:
    """Both directions of an attached container, with one deadline for everything that is read or sent."""

    def __init__(self, wire: Wire, log: LogSink) -> None:
        self._wire = wire
        self._log = log
        self._deadline = time.monotonic()
        self._source = 0
        self._left = 0
        """What is still to come of the chunk at hand, and the stream it belongs to."""

    def allow(self, seconds: float) -> None:
        """Set the deadline to `seconds` from now."""
        self._deadline = time.monotonic() + seconds

    def send(self, data: bytes) -> None:
        """Send `data` to the container's standard input.

        Raises:
            TimeoutError: the deadline is past.
            EOFError: the container has ended.
        """
        self._arm()
        try:
            self._wire.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:
            msg = "the container does not listen any more"
            raise EOFError(msg) from error

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes of standard output, nothing at its end; raises TimeoutError like `send`."""
        while True:
            while self._left == 0:
                if not self._next_chunk():
                    return b""
            data = self._receive(min(self._left, _CHUNK if self._source == _STDERR else size))
            self._left -= len(data)
            if not data:
                # The connection broke inside a chunk: the same as an end, what is missing is missed by the reader.
                self._left = 0
                return b""
            if self._source == _STDOUT:
                return data
            self._log.write(data)

    def read_exactly(self, size: int) -> bytes:
        """Return `size` bytes of standard output.

        Raises:
            EOFError: it ends before.
            TimeoutError: the deadline is past.
        """
        parts, missing = [], size
        while missing:
            part = self.read(missing)
            if not part:
                msg = f"standard output ended {missing} bytes early"
                raise EOFError(msg)
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _next_chunk(self) -> bool:
        header = b""
        while len(header) < _HEADER.size:
            part = self._receive(_HEADER.size - len(header))
            if not part:
                return False
            header += part
        self._source, self._left = _HEADER.unpack(header)
        return True

    def _receive(self, size: int) -> bytes:
        self._arm()
        try:
            return self._wire.recv(size)
        except ConnectionError:
            return b""

    def _arm(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            msg = "the deadline is past"
            raise TimeoutError(msg)
        self._wire.settimeout(left)
