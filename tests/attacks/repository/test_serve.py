"""Attacks on the index and on what it serves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

import httpx
import pytest

from farm.ecosystems.python.repository.layout import LAYOUT
from farm.ecosystems.python.repository.model import PublishedFile, file_key, record_key
from farm.ecosystems.python.repository.published import find_published
from farm.errors import StoreUnavailableError, VerificationError
from farm.repository.model import BUNDLE, Published
from farm.repository.publish import publish
from farm.repository.published import verify_published
from farm.store.s3 import S3Store
from tests.fixtures_repository import FixedGate, make_wheel, publication_of

if TYPE_CHECKING:
    from pathlib import Path

    from farm.store.objects import ObjectStore
    from farm.store.vault import S3Vault
    from tests.fixtures_repository import IndexServer, RcloneServer

pytestmark = pytest.mark.services


JSON_V1 = "application/vnd.pypi.simple.v1+json"


def put(vault: S3Vault, store: ObjectStore, folder: Path, version: str = "1.0") -> Published[PublishedFile]:
    publication = publication_of(vault, make_wheel(folder, version=version))
    return publish(publication, layout=LAYOUT, vault=vault, store=store, gate=FixedGate(), run_dir=folder, work=folder)


def raw_get(index: IndexServer, target: str) -> tuple[int, bytes]:
    """Send a request target as it is: no client tidies it."""
    with socket.create_connection(("127.0.0.1", index.port), 10) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(answer.split(b" ", 2)[1]), answer


TRAVERSALS = [
    "/files/../records/python/sample-lib/{name}.json",
    "/files/%2e%2e/records/python/sample-lib/{name}.json",
    "/files/..%2f..%2fleases/python.json",
    "/files/{head}/{tail}/..%2f..%2f..%2frecords%2fpython%2fsample-lib%2f{name}.json",
    "/files/{head}/{tail}/../{tail}/{name}",
    "/files/{head}/{tail}/%2e%2e",
    "/files/{head}/{tail}/{name}%00",
    "/files/{head}/{tail}/{name}%0a",
    "/files/{head}/{tail}/{name}.sigstore.json/",
    "/files/{head}{first}/{rest}/{name}",
    "/files/{head}/{tail}/{upper}",
    "/files//{head}/{tail}/{name}",
    "/files/{head}/{tail}/",
    "/files/{head}/{wrong}/{name}",
    "/records/python/sample-lib/{name}.json",
    "/leases/python.json",
    "/simple/../records/",
    "/simple/%2e%2e/",
    "/simple/..%2frecords%2fpython%2fsample-lib/",
    "/simple/sample-lib%2findex.json/",
    "/simple/sample-lib/index.json",
    "/simple/.../",
    "/simple/a%00b/",
    "/integrity/..%2f..%2frecords/1.0/{name}/provenance",
    "/integrity/sample-lib/1.0/..%2f{name}/provenance",
    "/integrity/Sample_Lib/1.0/{name}/provenance",
    "/trust/../leases/python.json",
    "/trust/trust_config.json%2f..%2f..%2fleases%2fpython.json",
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
]


def test_no_path_leads_out_of_what_is_published(
    index: IndexServer, vault: S3Vault, store: S3Store, tmp_path: Path
) -> None:
    (record,) = put(vault, store, tmp_path).files
    store.put_bytes("leases/python.json", b'{"secret": "lease"}')
    digest = record.blob.sha256
    words = {
        "head": digest[:2],
        "tail": digest[2:],
        "first": digest[2],
        "rest": digest[3:],
        "wrong": ("0" if digest[2] != "0" else "1") + digest[3:],
        "name": record.filename,
        "upper": record.filename.upper(),
    }
    assert raw_get(index, "/files/{head}/{tail}/{name}".format(**words))[0] == 200
    for attack in TRAVERSALS:
        status, answer = raw_get(index, attack.format(**words))
        assert status == 404, (attack, answer)
        assert b"build_key" not in answer
        assert b"lease" not in answer
    assert "Traceback" not in index.log


@pytest.mark.parametrize("host", ['x"><script>alert(1)</script>', "x'/onload=1", "evil.example/%0d%0aSet-Cookie:x"])
def test_a_hostile_host_header_does_not_get_into_pages(
    index: IndexServer, vault: S3Vault, store: S3Store, tmp_path: Path, host: str
) -> None:
    put(vault, store, tmp_path)
    for path in ("", "simple/sample-lib/", "simple/Sample_Lib/"):
        answer = httpx.get(index.root + path, headers={"Host": host}, trust_env=False)
        assert "<script>" not in answer.text
        assert "onload=1" not in answer.text.replace("&#x27;/onload=1", "")
        assert "evil" not in answer.headers.get("location", "")


def test_what_a_crashed_publisher_left_is_not_served(
    index: IndexServer, vault: S3Vault, store: S3Store, tmp_path: Path
) -> None:
    (record,) = put(vault, store, tmp_path).files
    url = index.root + file_key(record.blob.sha256, record.filename)
    store.delete(record_key("sample-lib", record.filename))
    assert store.head(file_key(record.blob.sha256, record.filename)) is not None
    assert httpx.get(url, trust_env=False).status_code == 404
    assert httpx.get(url + BUNDLE, trust_env=False).status_code == 404


@pytest.mark.parametrize("how", ["flipped", "truncated", "gone"])
def test_a_damaged_published_file_does_not_get_installed(
    s3: RcloneServer, index: IndexServer, vault: S3Vault, store: S3Store, bucket: str, tmp_path: Path, how: str
) -> None:
    (record,) = put(vault, store, tmp_path).files
    stored = s3.file(bucket, file_key(record.blob.sha256, record.filename))
    data = bytearray(stored.read_bytes())
    if how == "flipped":
        data[40] ^= 1
        stored.write_bytes(data)
    elif how == "truncated":
        stored.write_bytes(data[:-1])
    else:
        stored.unlink()
    s3.changed()
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries", "0", "download", "--no-cache-dir",
            "--index-url", index.simple, "sample-lib", "-d", str(tmp_path / "d"),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0
    if how == "flipped":
        assert "DO NOT MATCH THE HASHES" in done.stderr
    else:
        assert httpx.get(index.root + file_key(record.blob.sha256, record.filename), trust_env=False).status_code == 502
    # The publisher notices, and the same publication puts it right.
    assert put(vault, store, tmp_path).healed == (file_key(record.blob.sha256, record.filename),)
    verify_published(store, record)


def test_a_damaged_record_is_an_error_not_a_file(
    s3: RcloneServer, index: IndexServer, vault: S3Vault, store: S3Store, tmp_path: Path
) -> None:
    del s3
    (record,) = put(vault, store, tmp_path).files
    store.put_bytes(record_key("sample-lib", record.filename), b"{}")
    url = index.root + file_key(record.blob.sha256, record.filename)
    assert httpx.get(url, trust_env=False).status_code == 502
    with pytest.raises(VerificationError):
        find_published(store, "sample-lib", "1.0")


class _Killer(S3Store):
    """The store, whose server is killed (for real) before write number `at`."""

    def __init__(self, server: RcloneServer, bucket: str, at: int) -> None:
        super().__init__(server.config(), bucket)
        self._server, self._left = server, at

    def _put(self, key: str, body: bytes | BinaryIO, content_type: str, **conditions: Any) -> None:
        self._left -= 1
        if self._left == 0:
            self._server.kill()
        super()._put(key, body, content_type, **conditions)


@pytest.mark.parametrize("at", [1, 3, 7, 10, 11, 12])
def test_the_server_dies_in_mid_publish(
    s3: RcloneServer, index: IndexServer, vault: S3Vault, store: S3Store, bucket: str, tmp_path: Path, at: int
) -> None:
    (old,) = put(vault, store, tmp_path, "1.0").files
    with pytest.raises(StoreUnavailableError):
        put(vault, _Killer(s3, bucket, at), tmp_path, "1.1")
    s3.start()
    verify_published(store, old)
    page = httpx.get(f"{index.simple}sample-lib/", params={"format": JSON_V1}, trust_env=False).json()
    assert page["versions"] in (["1.0"], ["1.0", "1.1"])
    for file in page["files"]:
        assert httpx.get(httpx.URL(f"{index.simple}sample-lib/").join(file["url"]), trust_env=False).status_code == 200
    (new,) = put(vault, store, tmp_path, "1.1").files
    verify_published(store, new)
    page = httpx.get(f"{index.simple}sample-lib/", params={"format": JSON_V1}, trust_env=False).json()
    assert page["versions"] == ["1.0", "1.1"]
