"""The transparency log on disk: what survives a crash, and what refuses to start."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from farm.errors import ServiceError, VerificationError
from farm.trust.authority.journal import Journal
from farm.trust.authority.transparency import TransparencyLog
from farm.trust.merkle import leaf_hash, verify_inclusion

if TYPE_CHECKING:
    from pathlib import Path

KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    Journal.create(path, KEY)
    return path


def load(path: Path) -> TransparencyLog:
    return TransparencyLog(path, KEY, "log.farm.example")


def add(log: TransparencyLog, count: int) -> None:
    for n in range(count):
        log.append([("dsse", b'{"n":%d}' % n)], 1_700_000_000 + n)


def test_entries_survive_a_restart_and_the_tree_goes_on(path: Path) -> None:
    log = load(path)
    add(log, 5)
    before = log.checkpoint().splitlines()[:3]
    again = load(path)
    assert len(again) == 5
    assert again.checkpoint().splitlines()[:3] == before
    (entry,) = again.append([("dsse", b"{}")], 1)
    assert (entry.index, entry.size) == (5, 6)
    assert len(load(path)) == 6


def test_entries_of_one_write_are_proven_in_the_same_tree(path: Path) -> None:
    log = load(path)
    add(log, 3)
    entries = log.append([("hashedrekord", b"one"), ("dsse", b"two")], 7)
    assert [e.index for e in entries] == [3, 4]
    for entry in entries:
        assert verify_inclusion(leaf_hash(entry.body), entry.index, entry.size, entry.proof, entry.root)
        assert entry.checkpoint.startswith("log.farm.example - 1\n5\n")


def test_a_torn_last_line_is_dropped(path: Path) -> None:
    add(load(path), 2)
    whole = path.read_bytes()
    with path.open("ab") as stream:
        stream.write(b'{"body":"e30=","ind')
    assert len(load(path)) == 2
    assert path.read_bytes() == whole


def test_a_write_that_a_crash_cut_off_before_its_seal_is_taken_over(path: Path) -> None:
    add(load(path), 2)
    seal = path.with_suffix(".seal").read_bytes()
    add(load(path), 1)
    path.with_suffix(".seal").write_bytes(seal)
    assert len(load(path)) == 3
    assert len(load(path)) == 3


def test_an_unsealed_line_that_is_not_ours_is_refused(path: Path) -> None:
    add(load(path), 2)
    forged = path.parent / "forged.jsonl"
    other = ec.generate_private_key(ec.SECP256R1())
    Journal.create(forged, other)
    add(TransparencyLog(forged, other, "log.farm.example"), 3)
    with path.open("ab") as stream:
        stream.write(forged.read_bytes().splitlines(keepends=True)[2])
    with pytest.raises(VerificationError, match="entry 2"):
        load(path)


@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_changed_byte_refuses_to_start(path: Path, where: str) -> None:
    add(load(path), 9)
    data = bytearray(path.read_bytes())
    position = {"first": 12, "middle": len(data) // 2, "last": len(data) - 3}[where]
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(VerificationError, match="was changed"):
        load(path)


def test_a_log_cut_at_a_line_refuses_to_start(path: Path) -> None:
    add(load(path), 4)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    with pytest.raises(VerificationError, match="was changed"):
        load(path)


@pytest.mark.parametrize("missing", ["log.jsonl", "log.seal"])
def test_a_missing_file_refuses_to_start(path: Path, missing: str) -> None:
    add(load(path), 1)
    (path.parent / missing).unlink()
    with pytest.raises(VerificationError):
        load(path)


@pytest.mark.parametrize("seal", [b"", b"[]", b'{"size":0}', b'{"size":0,"sha256":"","signature":"00"}', b"\xff"])
def test_a_seal_that_is_not_ours_refuses_to_start(path: Path, seal: bytes) -> None:
    path.with_suffix(".seal").write_bytes(seal)
    with pytest.raises(VerificationError, match="seal"):
        load(path)


def test_a_full_disk_leaves_the_log_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = load(path)
    add(log, 2)
    before, checkpoint = path.read_bytes(), log.checkpoint().splitlines()[:3]

    def full(descriptor: int, data: bytes, offset: int) -> int:
        real_pwrite(descriptor, data[:10], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    real_pwrite = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(ServiceError, match="No space left"):
            add(log, 1)
    assert path.read_bytes() == before
    assert log.checkpoint().splitlines()[:3] == checkpoint
    add(log, 1)
    assert len(load(path)) == 3


def test_a_seal_that_cannot_be_written_takes_the_entry_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = load(path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_write_seal", full)
        with pytest.raises(ServiceError):
            add(log, 1)
    assert path.read_bytes() == before
    add(log, 1)
    assert len(load(path)) == 1


def test_a_file_that_somebody_else_wrote_to_takes_no_entries(path: Path) -> None:
    log = load(path)
    with path.open("ab") as stream:
        stream.write(b"x")
    for _ in range(2):
        with pytest.raises(ServiceError):
            add(log, 1)
