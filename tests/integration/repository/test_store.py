"""The store and the vault on a real S3 server."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from farm.errors import BlobCorruptError, ConfigError, StoreUnavailableError
from farm.model.base import sha256_bytes
from farm.store import s3 as s3_module
from farm.store.s3 import S3Store, ensure_bucket
from farm.store.vault import S3Vault, blob_key, ensure
from tests.fixtures_repository import RcloneServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.services


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def void(_: object) -> None:
    return None


def test_objects(store: S3Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 10_000)
    store.put_file("a/file", source, content_type="text/plain")
    store.put_bytes("a/bytes+plus name", b"0123456789")
    store.put_bytes("b", b"")
    assert store.get_bytes("a/file") == source.read_bytes()
    assert store.get_bytes("a/bytes+plus name") == b"0123456789"
    assert store.get_bytes("b") == b""
    assert store.get_bytes("none") is None
    assert store.get_bytes("a") is None
    assert store.head("none") is None
    info = store.head("a/file")
    assert info is not None
    assert info.size == 2_560_000
    assert [(i.key, i.size) for i in store.list("a/")] == [("a/bytes+plus name", 10), ("a/file", 2_560_000)]
    assert [i.etag for i in store.list("a/file")] == [info.etag]
    assert list(store.list("none/")) == []
    assert list(store.folders("")) == ["a"]
    with store.open("a/bytes+plus name", start=2, end=4) as part:
        assert part is not None
        assert part.info.size == 10
        assert b"".join(part.chunks) == b"234"
    with store.open("a/bytes+plus name", start=8) as part:
        assert part is not None
        assert b"".join(part.chunks) == b"89"
    assert store.copy("b", "c/d") is True
    assert store.copy("none", "c/e") is False
    store.delete("b")
    store.delete("b")
    assert [i.key for i in store.list("")] == ["a/bytes+plus name", "a/file", "c/d"]
    with pytest.raises(BlobCorruptError):
        store.get_bytes("a/file", limit=100)


def test_long_listings_come_in_pages(store: S3Store, s3: RcloneServer) -> None:
    # Written beside the server: what is tested is the listing.
    for n in range(2_300):
        path = s3.file(store.bucket, f"many/{n:04}/x")
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    s3.changed()
    assert [i.key for i in store.list("many/")] == [f"many/{n:04}/x" for n in range(2_300)]
    assert sorted(store.folders("many/")) == [f"{n:04}" for n in range(2_300)]


def test_buckets(s3: RcloneServer, store: S3Store) -> None:
    ensure_bucket(store)
    with pytest.raises(ConfigError, match="InvalidBucketName"):
        ensure_bucket(S3Store(s3.config(), "x"))
    other = S3Store(s3.config(), "no-such-bucket")
    for call in (lambda: other.put_bytes("a", b""), lambda: other.get_bytes("a"), lambda: list(other.list(""))):
        with pytest.raises(ConfigError, match="no-such-bucket"):
            call()


def test_wrong_keys_are_not_worth_a_retry(s3: RcloneServer, bucket: str) -> None:
    config = s3.config().model_copy(update={"secret_key": SecretStr("wrong")})
    with pytest.raises(ConfigError, match="SignatureDoesNotMatch") as caught:
        S3Store(config, bucket).put_bytes("a", b"")
    assert "wrong" not in str(caught.value)


def test_a_dead_server_is_an_error_in_seconds(s3: RcloneServer, bucket: str) -> None:
    config = s3.config().model_copy(update={"endpoint": f"http://127.0.0.1:{free_port()}"})
    store = S3Store(config, bucket)
    started = time.monotonic()
    for call in (
        lambda: store.put_bytes("a", b""),
        lambda: store.get_bytes("a"),
        lambda: store.head("a"),
        lambda: list(store.list("")),
        lambda: store.delete("a"),
    ):
        with pytest.raises(StoreUnavailableError) as caught:
            call()
        assert caught.value.infrastructure
    assert time.monotonic() - started < 20


def test_a_server_that_does_not_answer_is_an_error(
    s3: RcloneServer, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_module, "READ_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = s3.config().model_copy(update={"endpoint": f"http://127.0.0.1:{silent.getsockname()[1]}"})
        with pytest.raises(StoreUnavailableError, match="ReadTimeout"):
            S3Store(config, bucket).get_bytes("a")


def test_an_answer_that_breaks_off_is_an_error(s3: RcloneServer, store: S3Store) -> None:
    store.put_bytes("big", b"x" * 30_000_000)
    with store.open("big") as found:
        assert found is not None
        next(found.chunks)
        s3.kill()
        with pytest.raises(StoreUnavailableError):
            for _ in found.chunks:
                pass


def test_a_flipped_byte_in_the_vault_is_quarantined_and_fetched_again(
    s3: RcloneServer, bucket: str, vault: S3Vault, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"0123456789" * 300_000)
    ref = vault.put_file(source)
    stored = s3.file(f"{bucket}-vault", blob_key(ref.sha256))
    data = flip(stored.read_bytes(), 1_500_000)
    stored.write_bytes(data)
    s3.changed()
    with pytest.raises(BlobCorruptError):
        vault.fetch(ref, target)
    assert not target.exists()
    assert not stored.exists()
    (kept,) = (s3.data / f"{bucket}-vault" / "quarantine").rglob("*.*")
    assert sha256_bytes(kept.read_bytes()) == sha256_bytes(data)
    assert ensure(vault, ref, target, lambda path: void(path.write_bytes(source.read_bytes())))
    assert target.read_bytes() == source.read_bytes()
    assert stored.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x", lambda _: b""])
def test_a_truncated_blob_is_healed_by_the_next_put(
    s3: RcloneServer, bucket: str, vault: S3Vault, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    ref = vault.put_bytes(b"some bytes")
    stored = s3.file(f"{bucket}-vault", blob_key(ref.sha256))
    stored.write_bytes(change(stored.read_bytes()))
    s3.changed()
    assert not vault.has(ref)
    assert vault.put_bytes(b"some bytes") == ref
    vault.fetch(ref, tmp_path / "target")


def test_large_files_stream(s3: RcloneServer, vault: S3Vault, bucket: str, tmp_path: Path) -> None:
    """A file of 160 MB goes in and out of a process that never grows by a fraction of that."""
    del vault
    size = 160 * 1024 * 1024
    with (tmp_path / "big").open("wb") as sink:
        sink.truncate(size)
    program = (
        "import json, resource, sys\n"
        "from pathlib import Path\n"
        "from farm.store.config import S3Config\n"
        "from farm.store.s3 import S3Store\n"
        "from farm.store.vault import S3Vault\n"
        "folder = Path(sys.argv[1])\n"
        "config = S3Config.model_validate(json.loads(sys.stdin.read()))\n"
        "vault = S3Vault(S3Store(config, sys.argv[2]))\n"
        "vault.put_bytes(b'warm')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "vault.fetch(vault.put_file(folder / 'big'), folder / 'back')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    keys = {"access_key": s3.access_key, "secret_key": s3.secret_key}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), f"{bucket}-vault"],
        input=json.dumps({**s3.config().model_dump(mode="json"), **keys}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / "back").stat().st_size == size
    assert int(done.stdout) < 32 * 1024
