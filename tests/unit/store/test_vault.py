from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import BlobCorruptError, BlobMissingError
from farm.model.base import BlobRef, sha256_bytes
from farm.store.vault import S3Vault, blob_key, ensure, record_key
from tests.fixtures_repository import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def vault(store: MemoryStore) -> S3Vault:
    return S3Vault(store)


def test_what_is_put_comes_back(vault: S3Vault, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 3_000_001)
    ref = vault.put_file(source)
    assert ref == BlobRef(sha256=sha256_bytes(source.read_bytes()), size=3_000_001)
    vault.fetch(ref, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == source.read_bytes()
    assert vault.read(ref) == source.read_bytes()
    assert vault.has(ref)
    assert not vault.has(BlobRef(sha256=ref.sha256, size=1))


def test_the_same_file_is_sent_once(vault: S3Vault, store: MemoryStore) -> None:
    vault.put_bytes(b"data")
    sent: list[str] = []
    store.before = lambda operation, _: sent.append(operation)
    vault.put_bytes(b"data")
    assert sent == ["head"]


def test_a_missing_blob_is_named(vault: S3Vault, tmp_path: Path) -> None:
    ref = BlobRef(sha256="a" * 64, size=1)
    with pytest.raises(BlobMissingError, match="a" * 64):
        vault.fetch(ref, tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [b"dato", b"dat", b"data and more", b""])
def test_other_bytes_go_to_quarantine_and_nothing_appears(
    vault: S3Vault, store: MemoryStore, tmp_path: Path, bad: bytes
) -> None:
    ref = vault.put_bytes(b"data")
    store.objects[blob_key(ref.sha256)] = bad
    with pytest.raises(BlobCorruptError, match=ref.sha256):
        vault.fetch(ref, tmp_path / "target")
    assert list(tmp_path.iterdir()) == []
    assert list(store.objects.values()) == [bad]
    assert next(iter(store.objects)).startswith(f"quarantine/{blob_key(ref.sha256)}.")
    with pytest.raises(BlobMissingError):
        vault.fetch(ref, tmp_path / "target")
    # Whoever has the bytes puts them back.
    assert vault.put_bytes(b"data") == ref
    assert vault.read(ref) == b"data"


def test_a_target_that_exists_stays_when_the_blob_is_bad(vault: S3Vault, store: MemoryStore, tmp_path: Path) -> None:
    ref = vault.put_bytes(b"data")
    store.objects[blob_key(ref.sha256)] = b"evil"
    (tmp_path / "target").write_bytes(b"old")
    with pytest.raises(BlobCorruptError):
        vault.fetch(ref, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"old"


class TestEnsure:
    def test_a_good_blob_is_not_fetched_again(self, vault: S3Vault, tmp_path: Path) -> None:
        ref = vault.put_bytes(b"data")

        def refetch(_target: Path) -> None:
            raise AssertionError

        assert ensure(vault, ref, tmp_path / "target", refetch) is False
        assert (tmp_path / "target").read_bytes() == b"data"

    @pytest.mark.parametrize("corrupt", [True, False])
    def test_a_bad_blob_is_fetched_again_and_stored(
        self, vault: S3Vault, store: MemoryStore, tmp_path: Path, *, corrupt: bool
    ) -> None:
        ref = vault.put_bytes(b"data")
        del store.objects[blob_key(ref.sha256)]
        if corrupt:
            store.objects[blob_key(ref.sha256)] = b"evil"
        assert ensure(vault, ref, tmp_path / "target", lambda target: void(target.write_bytes(b"data"))) is True
        assert (tmp_path / "target").read_bytes() == b"data"
        assert vault.read(ref) == b"data"
        assert [p.name for p in tmp_path.iterdir()] == ["target"]

    def test_wrong_bytes_from_the_origin_are_refused(self, vault: S3Vault, tmp_path: Path) -> None:
        ref = BlobRef(sha256=sha256_bytes(b"data"), size=4)
        with pytest.raises(BlobCorruptError, match="fetched again"):
            ensure(vault, ref, tmp_path / "target", lambda target: void(target.write_bytes(b"evil")))
        assert list(tmp_path.iterdir()) == []
        assert not vault.has(ref)


def void(_: object) -> None:
    return None


class TestRecords:
    @given(st.text().filter(lambda text: "\ud800" not in text))
    def test_round_trip(self, text: str) -> None:
        vault = S3Vault(MemoryStore())
        data = json.dumps({"text": text}, ensure_ascii=False).encode()
        vault.put_record("results", "python/click@8.1.8", data)
        assert vault.get_record("results", "python/click@8.1.8") == data

    def test_no_record(self, vault: S3Vault) -> None:
        assert vault.get_record("results", "none") is None

    @given(data=st.data())
    def test_any_changed_byte_is_found_out(self, data: st.DataObject) -> None:
        store = MemoryStore()
        vault = S3Vault(store)
        vault.put_record("results", "key", b'{"a": 1}')
        raw = bytearray(store.objects["records/results/key.json"])
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
        store.objects["records/results/key.json"] = bytes(raw)
        assert vault.get_record("results", "key") is None
        assert [key.partition("/")[0] for key in store.objects] == ["quarantine"]

    @given(st.binary(max_size=50) | st.sampled_from([b"[]", b'""', b'{"sha256": 1}', b"[" * 100_000]))
    def test_junk_is_no_record(self, junk: bytes) -> None:
        store = MemoryStore(objects={"records/results/key.json": junk})
        assert S3Vault(store).get_record("results", "key") is None

    def test_a_record_moved_to_another_key_is_no_record(self, vault: S3Vault, store: MemoryStore) -> None:
        vault.put_record("results", "a", b"{}")
        store.objects["records/results/b.json"] = store.objects["records/results/a.json"]
        assert vault.get_record("results", "b") is None

    @pytest.mark.parametrize("key", ["", "../x", "a/../b", "/a", "a/", "a//b", "a b", ".hidden", "a\n", "a/.x"])
    def test_names_that_could_leave_the_folder(self, key: str) -> None:
        with pytest.raises(ValueError, match="not a record name"):
            record_key("results", key)
        with pytest.raises(ValueError, match="not a record name"):
            record_key(f"x/{key}", "a")
