"""What tests of sources share: a vault in memory, git repositories made on the spot, archives made of entries."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pytest

from farm.config import Settings
from farm.errors import BlobCorruptError, BlobMissingError
from farm.model.base import BlobRef, sha256_bytes
from farm.source import take

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from farm.model.plan import ArchivePin, SourcePin
    from farm.model.source import SourceSnapshot

BASE = "https://git.example.test/"
"""Address that tests give to repositories of theirs: `insteadOf` leads to a folder."""
WHEN = 1_600_000_000


@dataclass
class MemoryVault:
    """A vault that keeps to the protocol, in memory."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    records: dict[tuple[str, str], bytes] = field(default_factory=dict)
    quarantine: list[str] = field(default_factory=list)

    def put_file(self, path: Path) -> BlobRef:
        return self.put_bytes(path.read_bytes())

    def put_bytes(self, data: bytes) -> BlobRef:
        name = sha256_bytes(data)
        self.blobs.setdefault(name, data)
        return BlobRef(sha256=name, size=len(data))

    def has(self, ref: BlobRef) -> bool:
        return ref.sha256 in self.blobs and len(self.blobs[ref.sha256]) == ref.size

    def fetch(self, ref: BlobRef, target: Path) -> None:
        target.write_bytes(self.read(ref))

    def read(self, ref: BlobRef) -> bytes:
        if ref.sha256 not in self.blobs:
            msg = f"no blob {ref.sha256}"
            raise BlobMissingError(msg)
        data = self.blobs[ref.sha256]
        if sha256_bytes(data) != ref.sha256:
            self.quarantine.append(ref.sha256)
            del self.blobs[ref.sha256]
            msg = f"blob {ref.sha256} has other bytes"
            raise BlobCorruptError(msg)
        return data

    def put_record(self, kind: str, key: str, data: bytes) -> None:
        self.records[kind, key] = data

    def get_record(self, kind: str, key: str) -> bytes | None:
        return self.records.get((kind, key))

    def flip(self, ref: BlobRef) -> None:
        """Change one byte of a blob."""
        data = bytearray(self.blobs[ref.sha256])
        data[len(data) // 2] ^= 1
        self.blobs[ref.sha256] = bytes(data)


@dataclass
class Taker:
    """Takes sources into one vault."""

    root: Path
    vault: MemoryVault = field(default_factory=MemoryVault)
    sources: dict[str, str] = field(default_factory=dict)
    count: int = 0
    fetched: int = 0
    archive: bytes = b""

    def __call__(
        self, pin: SourcePin, *, prove: bool = False, made: set[SourceSnapshot] | None = None
    ) -> SourceSnapshot:
        self.count += 1
        work = self.root / f"take-{self.count}"
        work.mkdir(parents=True)
        settings = Settings(sources=self.sources)
        return take(
            pin, vault=self.vault, settings=settings, work=work, fetch_archive=self.fetch, made=made, prove=prove
        )

    def fetch(self, pin: ArchivePin, target: Path) -> str:
        self.fetched += 1
        target.write_bytes(self.archive)
        return f"pkg:pypi/{pin.name}@{pin.version}"

    def unpacked(self, snapshot: SourceSnapshot, name: str = "src") -> Path:
        """Unpack the snapshot's tar into a new folder, as a sandbox does."""
        folder = self.root / f"{name}-{self.count}"
        folder.mkdir()
        with tarfile.open(fileobj=io.BytesIO(self.vault.read(snapshot.archive))) as tar:
            tar.extractall(folder, filter="data")
        return folder


class GitRepo:
    """A git repository with fixed dates and names, so that its commits are the same in every run."""

    def __init__(self, path: Path, *, object_format: str = "sha1") -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", "--template=", f"--object-format={object_format}")
        self.ticks = 0

    def git(self, *arguments: str, given: bytes | None = None) -> str:
        executable = shutil.which("git") or "git"
        seconds = f"@{WHEN + getattr(self, 'ticks', 0)} +0000"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.test",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.test",
            "GIT_AUTHOR_DATE": seconds,
            "GIT_COMMITTER_DATE": seconds,
        }
        # core.autocrlf and attributes stay out of the way of `add`: content is what a test wrote.
        command = [executable, "-C", str(self.path), "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(command, env=environment, input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, str | bytes], message: str = "change") -> str:
        self.ticks += 1
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def raw_commit(self, tree_entries: bytes, *, parent: str = "") -> str:
        """Commit a tree made by hand (`git mktree` format), however odd."""
        tree = self.git("mktree", "--missing", given=tree_entries)
        parents = ("-p", parent) if parent else ()
        commit = self.git("commit-tree", tree, *parents, "-m", "odd")
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", given=data)


def tar_of(
    *members: tarfile.TarInfo | tuple[str, bytes],
    mode: Literal["w", "w:gz", "w:bz2", "w:xz"] = "w:gz",
    change: Callable[[tarfile.TarInfo], None] | None = None,
) -> bytes:
    """Return a tar of `members`: ready headers, or (name, content)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                info, content = member, b""
            else:
                info, content = header(member[0], tarfile.REGTYPE), member[1]
                info.size = len(content)
            if change is not None:
                change(info)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def header(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    """Return the header of an entry without content."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mtime = kind, link, WHEN
    return member


@pytest.fixture
def taker(tmp_path: Path) -> Taker:
    """Take sources; addresses below BASE are the folders below `tmp_path/repos`."""
    return Taker(tmp_path / "takes", sources={BASE: f"{tmp_path}/repos/"})


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """Give an empty repository, at BASE + "demo"."""
    return GitRepo(tmp_path / "repos" / "demo")
