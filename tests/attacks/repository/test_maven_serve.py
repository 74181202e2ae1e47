"""Attacks on the Maven repository's bucket and on its server."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from farm.ecosystems.maven.repository.model import FILES, record_key
from farm.model.base import CHUNK
from tests.fixtures_maven_repository import GROUP, Version

if TYPE_CHECKING:
    from pathlib import Path

    from farm.store.s3 import S3Store
    from farm.store.vault import S3Vault
    from tests.fixtures_repository import IndexServer, RcloneServer

pytestmark = pytest.mark.services

JAR = "org/example/kit/small/1.0/small-1.0.jar"


@pytest.fixture
def published(vault: S3Vault, store: S3Store, tmp_path: Path) -> Version:
    made = Version.single()
    made.files[made.place("small", "-all.jar")] = bytes(range(256)) * (3 * CHUNK // 256)
    made.publish(vault, store, tmp_path)
    return made


def get(index: IndexServer, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{index.root}maven/{path}", headers=headers, trust_env=False)


def test_a_damaged_file_is_refused(s3: RcloneServer, index: IndexServer, bucket: str, published: Version) -> None:
    stored = s3.file(bucket, FILES + JAR)
    data = published.files[JAR]
    flipped = data[:-1] + bytes([data[-1] ^ 1])
    for damage in (flipped, data[:-1], data + b"x", None):
        stored.unlink() if damage is None else stored.write_bytes(damage)
        s3.changed()
        assert get(index, JAR).status_code == 502
        assert get(index, JAR, Range="bytes=0-9").status_code == 502


def test_a_damaged_large_file_does_not_arrive_whole(
    s3: RcloneServer, index: IndexServer, bucket: str, published: Version
) -> None:
    path = published.place("small", "-all.jar")
    assert get(index, path).content == published.files[path]
    stored = s3.file(bucket, FILES + path)
    data = bytearray(stored.read_bytes())
    data[5] ^= 1
    stored.write_bytes(data)
    s3.changed()
    with pytest.raises(httpx.RemoteProtocolError):
        get(index, path)


def test_a_swapped_checksum_is_not_served(index: IndexServer, store: S3Store, published: Version) -> None:
    good = get(index, f"{JAR}.sha1").text
    store.put_bytes(f"{FILES}{JAR}.sha1", b"0" * 40)
    assert get(index, f"{JAR}.sha1").text == good
    del published


def test_what_no_record_names_is_not_served(index: IndexServer, store: S3Store, published: Version) -> None:
    del published
    for path in (
        "org/example/kit/small/1.0/small-1.0-evil.jar",
        "org/example/kit/small/9.9/small-9.9.jar",
        "org/evil/evil/1.0/evil-1.0.jar",
        f"{JAR}.asc",
    ):
        store.put_bytes(FILES + path, b"evil")
        assert get(index, path).status_code == 404
    assert get(index, JAR).status_code == 200


def test_without_its_record_nothing_of_a_version_is_served(
    index: IndexServer, store: S3Store, published: Version
) -> None:
    store.delete(record_key(f"{GROUP}:small", "1.0"))
    for path in published.files:
        assert store.head(FILES + path) is not None
        assert get(index, path).status_code == 404
        assert get(index, f"{path}.sha1").status_code == 404


def test_a_damaged_pointer_is_an_error_not_a_file(index: IndexServer, store: S3Store, published: Version) -> None:
    del published
    for raw in (b"{}", b"\xff", b'{"record": 1}', b'{"record": "leases/maven.json"}'):
        store.put_bytes(f"versions/maven/{GROUP}/small/1.0.json", raw)
        assert get(index, JAR).status_code == 502


def test_a_pointer_to_another_record_serves_nothing_of_it(
    index: IndexServer, store: S3Store, vault: S3Vault, published: Version, tmp_path: Path
) -> None:
    del published
    Version.single("other").publish(vault, store, tmp_path)
    store.put_bytes(
        f"versions/maven/{GROUP}/small/1.0.json", f'{{"record": "{record_key(f"{GROUP}:other", "1.0")}"}}'.encode()
    )
    assert get(index, JAR).status_code == 404


PATHS = [
    "/maven/../records/maven/org.example.kit/small/1.0.json",
    "/maven/%2e%2e/records/maven/org.example.kit/small/1.0.json",
    "/maven/..%2frecords%2fmaven%2forg.example.kit%2fsmall%2f1.0.json",
    "/maven/org/example/kit/small/1.0/../1.0/small-1.0.jar",
    "/maven/org/example/kit/small/1.0/%2e%2e/%2e%2e/maven-metadata.xml",
    "/maven//org/example/kit/small/1.0/small-1.0.jar",
    "/maven/org/example/kit/small/1.0/small-1.0.jar/",
    "/maven/org/example/kit/small/1.0/small-1.0.jar%00",
    "/maven/org/example/kit/small/1.0/small-1.0.jar%0a",
    "/maven/org.example/kit/small/1.0/small-1.0.jar",
    "/maven/org/example/kit/Small/1.0/small-1.0.jar",
    "/maven/org/example/kit/small/1.0/SMALL-1.0.jar",
    "/maven/org/example/kit/small/1.0-SNAPSHOT/maven-metadata.xml",
    "/maven/org/example/kit/small/1.0-SNAPSHOT/small-1.0-SNAPSHOT.jar",
    "/maven/org/example/kit/small/1.0/",
    "/maven/org/example/kit/small/",
    "/maven/org/example/kit/small",
    "/maven/maven-metadata.xml",
    "/maven/.meta/other.txt",
    "/maven/.meta/prefixes.txt.asc",
    "/maven/leases/maven.json",
    "/maven2/org/example/kit/small/1.0/small-1.0.jar",
    "/versions/maven/org.example.kit/small/1.0.json",
    "/sha256/..%2fleases%2fmaven.json",
    "/digests/x.json",
]


def test_no_path_leads_out_of_what_is_published(index: IndexServer, store: S3Store, published: Version) -> None:
    del published
    store.put_bytes("leases/maven.json", b'{"secret": "lease"}')
    for target in PATHS:
        with socket.create_connection(("127.0.0.1", index.port), 10) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1"))
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.split(b" ", 2)[1] == b"404", (target, answer)
        assert b"build_key" not in answer
        assert b"lease" not in answer
    assert "Traceback" not in index.log
