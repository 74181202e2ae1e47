"""The guest's channel to the host: frames.

A frame is one byte of kind, eight bytes of length (big endian) and that many bytes of JSON. Kinds: `P` the probe's
facts, `E` an entry of the output (the bytes of a file follow right behind the frame), `R` how the run ended, always the
last.
Standard output carries frames only; whatever the steps write goes to standard error, which is the log.
"""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import BinaryIO

HEADER = struct.Struct(">cQ")


def send(out: BinaryIO, kind: bytes, value: Any) -> None:
    """Write one frame."""
    body = json.dumps(value, sort_keys=True).encode()
    out.write(HEADER.pack(kind, len(body)) + body)


def receive(stream: BinaryIO) -> Any:
    """Read one message of the host: the length on a line of its own, then JSON. End of input ends the guest."""
    line = stream.readline()
    if not line:
        raise SystemExit(0)
    return json.loads(stream.read(int(line)))


def say(text: str) -> None:
    """Write a line of the guest's own into the log."""
    os.write(2, f"farm: {text}\n".encode(errors="backslashreplace"))
