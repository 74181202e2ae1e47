"""Filling an empty folder with entries that nobody vouches for.

Nothing is ever written through a link, since links are made when all files are there; nothing is overwritten; sizes
count as they are written, whatever headers say.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from farm.errors import SourceUnsafeError
from farm.model.base import CHUNK
from farm.source.safety import CAPS, Caps, safe_relative

__all__ = ["Filler", "Readable"]


class Readable(Protocol):
    """What gives bytes until it gives none."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""
        ...


@dataclass
class Filler:
    """An empty folder that is being filled, with what was written so far.

    Every method raises SourceUnsafeError for what may not be written.
    """

    folder: Path
    shown: str
    """What errors call the source."""
    caps: Caps = CAPS
    newest: int = 0
    """The newest modification time that was seen."""
    written: int = 0
    entries: int = 0
    files: dict[str, Path] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)
    hard_links: dict[str, str] = field(default_factory=dict)

    def refuse(self, what: str) -> SourceUnsafeError:
        """Return the error that says what is wrong with the source."""
        return SourceUnsafeError(f"{self.shown}: {what}")

    def count(self, name: str) -> str:
        """Count one entry and return its safe relative path."""
        self.entries += 1
        if self.entries > self.caps.entries:
            raise self.refuse(f"more than {self.caps.entries} entries")
        return str(safe_relative(name, self.shown))

    def _seen(self, name: str, modified: float) -> None:
        if name in self.files or name in self.links or name in self.hard_links:
            raise self.refuse(f"the entry {name!r} is there twice")
        self.newest = max(self.newest, int(modified))

    def add_folder(self, name: str) -> None:
        """Make a folder."""
        self.folders.add(name)
        (self.folder / name).mkdir(parents=True, exist_ok=True)

    def add_file(self, name: str, stream: Readable, modified: float, *, executable: bool) -> None:
        """Write a new file with what `stream` gives."""
        self._seen(name, modified)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o755 if executable else 0o644
        # O_EXCL, and no link is made yet: the file is new, and it is where its name says.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "wb") as output:
            while chunk := stream.read(CHUNK):
                self.written += len(chunk)
                if self.written > self.caps.tree_bytes:
                    raise self.refuse(f"it unpacks to more than {self.caps.tree_bytes} bytes")
                output.write(chunk)
            os.fchmod(output.fileno(), mode)  # whatever the umask of this process is
        self.files[name] = path

    def add_link(self, name: str, target: str, modified: float) -> None:
        """Note a symbolic link; it is made by `finish`. Where it points is checked when the tree is scanned."""
        self._seen(name, modified)
        if not target or "\0" in target:
            raise self.refuse(f"the link {name!r} has no target")
        self.links[name] = target

    def add_hard_link(self, name: str, target: str, modified: float) -> None:
        """Note a second name of the file `target`; `finish` copies it."""
        self._seen(name, modified)
        self.hard_links[name] = str(safe_relative(target, self.shown))

    def finish(self) -> None:
        """Make what can only be made when all files are there: copies for hard links, then symbolic links."""
        hard_links, self.hard_links = self.hard_links, {}
        for name, target in hard_links.items():
            original = self.files.get(target)
            if original is None:
                raise self.refuse(f"the hard link {name!r} points to {target!r}, which is no file of the archive")
            with original.open("rb") as stream:
                self.add_file(name, stream, 0, executable=bool(original.stat().st_mode & stat.S_IXUSR))
        for other in (*self.files, *self.folders, *self.links):
            link = next((str(parent) for parent in PurePosixPath(other).parents if str(parent) in self.links), None)
            if link is not None:
                raise self.refuse(f"the entry {other!r} lies below the link {link!r}")
        for name, target in self.links.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
