"""What a recorder saw: the files it served, what nobody had, what went wrong, what it refused. Values only."""

from __future__ import annotations

from typing import Literal

from farm.model.base import BlobRef, Sha256, Value

__all__ = ["Problem", "Recorded", "Recording", "Refused"]


class Recorded(Value):
    """One file that was served. It is in the vault."""

    path: str
    """Below the root of a Maven repository."""
    origin: Literal["farm", "index"]
    """farm: farm's own repository. index: a configured one. A merged file counts as the latter."""
    repository: str
    """Id of the repository as the user's Maven settings call it; `farm+<id>` where metadata of both was merged."""
    size: int
    sha256: Sha256
    sha1: str
    checked: Literal["sha1", "sha256", "md5", ""]
    """Checksum of the repository that the file was held against, empty when there was none (or it was merged)."""

    @property
    def ref(self) -> BlobRef:
        """Where the vault keeps it."""
        return BlobRef(sha256=self.sha256, size=self.size)


class Problem(Value):
    """A path that could not be answered."""

    path: str
    error: str
    """Class of the error."""
    message: str
    remedy: str
    mended: bool
    """A later request for the path was answered. One that is not mended makes the recording incomplete: Maven goes on
    without metadata that it could not read, and would lock another version."""


class Refused(Value):
    """A request that no Maven which downloads from a repository makes: something tried to reach through."""

    method: str
    target: str
    reason: str


class Recording(Value):
    """Everything that a recorder saw, sorted; no part of it depends on the order of requests."""

    files: tuple[Recorded, ...]
    missing: tuple[str, ...]
    """Paths that every repository was asked for and none had."""
    problems: tuple[Problem, ...]
    refused: tuple[Refused, ...]
    refusals: int
    """How many requests were refused; `refused` holds the distinct ones, up to a limit."""

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def unmended(self) -> tuple[Problem, ...]:
        """What makes the recording incomplete."""
        return tuple(problem for problem in self.problems if not problem.mended)
