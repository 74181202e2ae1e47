"""Step 4: every locked file is in the vault and on this host, several at a time, each digest checked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from farm.config import Settings
from farm.errors import BlobCorruptError, InputMissingError
from farm.model.base import sha256_bytes, sha256_file
from farm.model.lock import LinkedLock, Lock, LockedFile, StandIn
from farm.pipeline import steps
from farm.store.cache import BlobCache
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from farm.model.outcome import InputsReport


def locked(name: str, data: bytes) -> LockedFile:
    return LockedFile(
        filename=name, name=name, version="1", sha256=sha256_bytes(data), size=len(data), origin="index",
        roles=("build",), purl=f"pkg:generic/{name}",
    )  # fmt: skip


@dataclass
class Bench:
    """A runtime whose index is a dictionary."""

    folder: Path
    index: dict[str, bytes]
    vault: MemoryVault = field(default_factory=MemoryVault)
    asked: list[str] = field(default_factory=list)
    together: threading.Barrier | None = None

    @contextmanager
    def fetcher(self, _settings: Settings, own_index: str) -> Iterator[Callable[[LockedFile, Path], None]]:
        assert own_index == "own"
        yield self.fetch

    def fetch(self, file: LockedFile, target: Path) -> None:
        self.asked.append(file.filename)
        if self.together is not None:
            self.together.wait(timeout=10)
        if file.filename not in self.index:
            raise InputMissingError(file.filename)
        target.write_bytes(self.index[file.filename])

    verified: list[tuple[str, str]] = field(default_factory=list)

    def verify_own(self, stand_in: StandIn, path: Path, ecosystem: str) -> None:
        assert sha256_file(path) == stand_in.file.ref
        self.verified.append((stand_in.file.name, ecosystem))

    def inputs(self, *files: LockedFile, own: tuple[LockedFile, ...] = ()) -> InputsReport:
        work = self.folder / "work"

        @contextmanager
        def scratch(_: str) -> Iterator[Path]:
            work.mkdir()
            yield work
            assert list(work.iterdir()) == []
            work.rmdir()

        runtime: Any = SimpleNamespace(
            ecosystem=lambda _: self, own_index=lambda _: "own", vault=self.vault, settings=Settings(data=self.folder),
            cache=BlobCache(self.vault, self.folder / "cache"), scratch=scratch,
            verify_own=self.verify_own,
        )  # fmt: skip
        plan: Any = SimpleNamespace(package=SimpleNamespace(ecosystem="any"))
        lock = Lock(package="p", target="t", image="i", basis="0" * 64, requirements={}, files=files)
        stand_ins = tuple(StandIn(locked=f.filename, file=f, signature=f.ref, provenance=f.ref) for f in own)
        return steps.inputs(runtime, plan, LinkedLock.plain(lock).model_copy(update={"stand_ins": stand_ins}))

    def cached(self) -> set[bytes]:
        return {path.read_bytes() for path in (self.folder / "cache").rglob("*") if path.is_file()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, {f"file-{n}": f"content {n}".encode() for n in range(40)})


def all_of(bench: Bench) -> list[LockedFile]:
    return [locked(name, data) for name, data in bench.index.items()]


def test_what_the_vault_lacks_is_fetched_once(bench: Bench) -> None:
    files = [*all_of(bench), locked("the-first-again", bench.index["file-0"])]
    bench.index["the-first-again"] = bench.index["file-0"]
    report = bench.inputs(*files)
    assert (report.total, report.fetched, report.size) == (41, 40, sum(file.size for file in files))
    assert len(bench.asked) == 40
    assert all(bench.vault.has(file.ref) for file in files)
    assert bench.cached() == set(bench.index.values())
    bench.asked.clear()
    assert bench.inputs(*files).fetched == 0
    assert bench.asked == []


def test_several_are_fetched_at_a_time(bench: Bench) -> None:
    bench.together = threading.Barrier(4)
    assert bench.inputs(*all_of(bench)).fetched == 40


def test_a_corrupt_blob_is_fetched_again(bench: Bench) -> None:
    files = all_of(bench)
    bench.inputs(*files)
    bench.vault.flip(files[7].ref)
    assert bench.inputs(*files).fetched == 1
    assert bench.vault.read(files[7].ref) == b"content 7"


def test_other_bytes_than_locked_are_never_taken(bench: Bench) -> None:
    files = all_of(bench)
    bench.index["file-3"] = b"evil"
    with pytest.raises(BlobCorruptError):
        bench.inputs(*files)
    assert b"evil" not in bench.cached() | set(bench.vault.blobs.values())


def test_one_that_nobody_has_ends_the_step(bench: Bench) -> None:
    files = all_of(bench)
    del bench.index["file-3"]
    with pytest.raises(InputMissingError, match="file-3"):
        bench.inputs(*files)


def test_every_result_of_farms_own_is_verified_also_where_two_have_the_same_bytes(bench: Bench) -> None:
    """A record could name one package's file for another: what is said of each has to be looked at."""
    bench.index["other"] = bench.index["file-1"]
    first, second = locked("file-1", bench.index["file-1"]), locked("other", bench.index["file-1"])
    bench.inputs(first, second, locked("file-2", bench.index["file-2"]), own=(first, second))
    assert sorted(bench.verified) == [("file-1", "any"), ("other", "any")]
