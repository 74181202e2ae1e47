"""The `.git` that a build gets: rebuilt from the commit alone, the same bytes from every clone and every git.

Version plugins (setuptools-scm, hatch-vcs, versioneer) ask git for the nearest tag, for whether the tree is clean, and
for the files of HEAD. So there is a detached HEAD, the pinned tag, the objects of this one commit (shallow), and an
index without time stamps, which git compares by content. No remote, no hook, no reflog, no setting of the user's.

Formats: gitformat-index(5), version 2; loose objects and shallow as in gitrepository-layout(5).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from farm.errors import SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from farm.source.gitrun import GitObject

__all__ = ["GitFolder", "IndexEntry", "ObjectCopy"]

_CONFIG_SHA1 = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = false
"""
_CONFIG_SHA256 = _CONFIG_SHA1.replace("version = 0", "version = 1") + "[extensions]\n\tobjectformat = sha256\n"
_BLOCK = 65535
"""Most bytes of a stored block (RFC 1951, 3.2.4)."""
_MAX_NAME = 0xFFF
_ZERO_STAT = bytes(24)


@dataclass(frozen=True)
class IndexEntry:
    """One path of HEAD, as the index lists it."""

    path: bytes
    mode: int
    object_id: str


class ObjectCopy:
    """Reads an object, and on the way writes it as a loose object and checks its id.

    What lies in it is stored, not compressed: other builds of zlib compress to other bytes.
    """

    def __init__(self, source: GitObject, object_id: str, output: IO[bytes]) -> None:
        self._source = source
        self._id = object_id
        self._output = output
        self._hasher = _hasher(object_id)
        self._adler = zlib.adler32(b"")
        self._pending = bytearray()
        output.write(b"\x78\x01")
        self._store(f"{source.kind} {source.size}\0".encode("ascii"))

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes of the content; at the end the copy is complete.

        Raises:
            SourceUnavailableError: the content is not what the id says.
        """
        data = self._source.read(size)
        if data:
            self._store(data)
        if not data or size < 0:
            self._finish()
        return data

    def _store(self, data: bytes) -> None:
        self._hasher.update(data)
        self._adler = zlib.adler32(data, self._adler)
        self._pending += data
        while len(self._pending) > _BLOCK:
            self._block(self._pending[:_BLOCK], last=False)
            del self._pending[:_BLOCK]

    def _block(self, data: bytes | bytearray, *, last: bool) -> None:
        self._output.write(struct.pack("<BHH", last, len(data), len(data) ^ 0xFFFF))
        self._output.write(data)

    def _finish(self) -> None:
        if self._hasher.hexdigest() != self._id:
            msg = f"git gave other content than the object {self._id} has"
            raise SourceUnavailableError(msg)
        self._block(self._pending, last=True)
        self._output.write(struct.pack(">I", self._adler))


class GitFolder:
    """A `.git` folder while it is written."""

    def __init__(self, path: Path, commit: str) -> None:
        self.path = path
        self._commit = commit
        path.mkdir(parents=True)
        self._write("HEAD", f"{commit}\n")
        self._write("config", _CONFIG_SHA256 if _is_sha256(commit) else _CONFIG_SHA1)

    def has_object(self, object_id: str) -> bool:
        """Return whether the object was copied already (the same content at several paths is one object)."""
        return (self.path / "objects" / object_id[:2] / object_id[2:]).exists()

    def object_path(self, object_id: str) -> Path:
        """Return where the loose object goes, its folder made."""
        path = self.path / "objects" / object_id[:2] / object_id[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def set_reference(self, tag: str | None, object_id: str) -> None:
        """Write the tag; without one a reference of farm's own (git wants at least one folder of references)."""
        self._write(f"refs/tags/{tag}" if tag else "refs/farm/source", f"{object_id}\n")

    def set_shallow(self) -> None:
        """Say that the history ends here (only where the commit has parents)."""
        self._write("shallow", f"{self._commit}\n")

    def set_index(self, entries: Iterable[IndexEntry]) -> None:
        """Write the index of HEAD. Sizes and times are zero: git reads the files and finds them unchanged."""
        ordered = sorted(entries, key=lambda entry: entry.path)
        parts = [struct.pack(">4sII", b"DIRC", 2, len(ordered))]
        for entry in ordered:
            head = _ZERO_STAT + struct.pack(">IIII", entry.mode, 0, 0, 0)
            body = head + bytes.fromhex(entry.object_id)
            body += struct.pack(">H", min(len(entry.path), _MAX_NAME)) + entry.path
            parts.append(body + bytes(8 - len(body) % 8))
        data = b"".join(parts)
        hasher = _hasher(self._commit)
        hasher.update(data)
        (self.path / "index").write_bytes(data + hasher.digest())

    def _write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _is_sha256(object_id: str) -> bool:
    return len(object_id) == hashlib.sha256().digest_size * 2


def _hasher(object_id: str) -> hashlib._Hash:
    # SHA-1 is git's own name for the object here; what farm relies on is the SHA-256 of the tree.
    return hashlib.sha256() if _is_sha256(object_id) else hashlib.sha1(usedforsecurity=False)
