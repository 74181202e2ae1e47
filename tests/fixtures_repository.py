"""What the tests of store and repository share: a real S3 server, a store in memory with faults, wheels, a gate."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from farm.ecosystems.python.repository.model import METADATA
from farm.errors import StoreUnavailableError, VerificationError
from farm.model.base import BlobRef, sha256_bytes, sha256_file
from farm.model.plan import PackageId
from farm.repository.gate import Passed
from farm.repository.model import BUNDLE, CYCLONEDX, PROVENANCE_BUNDLE, SPDX, Publication, PublishFile
from farm.store.config import S3Config
from farm.store.objects import BINARY, SMALL, ObjectInfo, OpenObject
from farm.store.vault import S3Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from farm.store.base import Vault
    from farm.store.s3 import S3Store

EPOCH = (1980, 1, 1, 0, 0, 0)
UPLOAD_TIME = "2026-11-22T10:00:00Z"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended before it listened"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nothing listens on {port}")


@dataclass
class RcloneServer:
    """The S3 server that farm brings along, on a folder of the test's."""

    folder: Path
    port: int = field(default_factory=free_port)
    access_key: str = field(default_factory=lambda: secrets.token_hex(10))
    secret_key: str = field(default_factory=lambda: secrets.token_hex(20))
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def config(self) -> S3Config:
        return S3Config(
            endpoint=f"http://127.0.0.1:{self.port}",
            access_key=SecretStr(self.access_key),
            secret_key=SecretStr(self.secret_key),
            region="us-east-1",
        )

    def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        argv = [
            str(Path(sys.executable).with_name("rclone")),
            "serve",
            "s3",
            "--config=",
            f"--addr=127.0.0.1:{self.port}",
            f"--auth-key={self.access_key},{self.secret_key}",
            str(self.data),
        ]
        with (self.folder / "rclone.log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for_port(self.port, self.process)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def changed(self) -> None:
        """Let the server look at its folder again: a test changed files behind its back."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        time.sleep(0.1)

    def store(self, bucket: str) -> S3Store:
        from farm.store.s3 import S3Store, ensure_bucket  # noqa: PLC0415 - boto3 only where a server is

        store = S3Store(self.config(), bucket)
        ensure_bucket(store)
        return store

    def file(self, bucket: str, key: str) -> Path:
        """Where the server keeps an object: for attacks."""
        return self.data / bucket / key


@dataclass
class MemoryStore:
    """An ObjectStore in memory. `fault` is called before each operation and may raise; `after` likewise afterwards."""

    objects: dict[str, bytes] = field(default_factory=dict)
    honours_conditions: bool = True
    before: Callable[[str, str], None] = lambda _operation, _key: None
    after: Callable[[str, str], None] = lambda _operation, _key: None

    @contextmanager
    def _operation(self, name: str, key: str) -> Iterator[None]:
        self.before(name, key)
        yield
        self.after(name, key)

    def _info(self, key: str) -> ObjectInfo:
        data = self.objects[key]
        return ObjectInfo(key, len(data), hashlib.md5(data).hexdigest(), datetime(2026, 1, 1, tzinfo=UTC))  # noqa: S324 - as S3 does

    def put_file(self, key: str, path: Path, *, content_type: str = BINARY) -> None:
        self.put_bytes(key, path.read_bytes(), content_type=content_type)

    def put_bytes(self, key: str, data: bytes, *, content_type: str = BINARY) -> None:
        del content_type
        with self._operation("put", key):
            self.objects[key] = data

    def put_if(self, key: str, data: bytes, *, etag: str | None, content_type: str = BINARY) -> bool:
        now = self._info(key).etag if key in self.objects else None
        if self.honours_conditions and now != etag:
            return False
        self.put_bytes(key, data, content_type=content_type)
        return True

    @contextmanager
    def open(self, key: str, *, start: int = 0, end: int | None = None) -> Iterator[OpenObject | None]:
        with self._operation("get", key):
            data = self.objects.get(key)
        if data is None:
            yield None
            return
        part = data[start : len(data) if end is None else end + 1]
        yield OpenObject(self._info(key), (part[at : at + 7] for at in range(0, len(part), 7)))

    def get_bytes(self, key: str, *, limit: int = SMALL) -> bytes | None:
        del limit
        with self.open(key) as found:
            return None if found is None else b"".join(found.chunks)

    def head(self, key: str) -> ObjectInfo | None:
        with self._operation("head", key):
            return self._info(key) if key in self.objects else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        with self._operation("list", prefix):
            found = [self._info(key) for key in sorted(self.objects) if key.startswith(prefix)]
        yield from found

    def folders(self, prefix: str) -> Iterator[str]:
        with self._operation("list", prefix):
            below = [key.removeprefix(prefix) for key in self.objects if key.startswith(prefix)]
        yield from sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def copy(self, source: str, target: str) -> bool:
        with self._operation("copy", target):
            if source not in self.objects:
                return False
            self.objects[target] = self.objects[source]
            return True

    def delete(self, key: str) -> None:
        with self._operation("delete", key):
            self.objects.pop(key, None)


def down(operation: str, key: str) -> None:
    raise StoreUnavailableError(f"made up: {operation} {key}")


def make_wheel(
    folder: Path,
    name: str = "sample-lib",
    version: str = "1.0",
    *,
    payload: str = "VALUE = 1\n",
    requires_python: str = ">=3.9",
    requires: tuple[str, ...] = (),
) -> tuple[Path, bytes]:
    """Write a wheel that installs, and return it with its core metadata."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Requires-Python: {requires_python}"]
    metadata = ("\n".join([*lines, *(f"Requires-Dist: {r}" for r in requires)]) + "\n").encode()
    members = {
        f"{module}.py": payload.encode(),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }

    def row(member: str, data: bytes) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        return f"{member},sha256={digest},{len(data)}\n"

    members[f"{info}/RECORD"] = ("".join(row(k, v) for k, v in members.items()) + f"{info}/RECORD,,\n").encode()
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member, EPOCH), data)
    return path, metadata


@dataclass
class FixedGate:
    """Accepts bundles that `publication_of` made for exactly these bytes: the shape of the real gate without keys."""

    seen: list[str] = field(default_factory=list)

    def check(self, path: Path, blob: BlobRef, filename: str, signature: str, provenance: str) -> Passed:
        self.seen.append(filename)
        actual = sha256_file(path)
        statement: dict[str, Any] = json.loads(provenance)
        if json.loads(signature) != {"sha256": actual.sha256} or actual != blob:
            raise VerificationError(f"signature of {filename}")
        if statement["subject"] != [{"name": filename, "digest": {"sha256": actual.sha256}}]:
            raise VerificationError(f"provenance of {filename}")
        return Passed(statement, json.dumps({"version": 1, "attestation_bundles": []}).encode())


def evidence(filename: str, sha256: str) -> dict[str, bytes]:
    """SBOMs and bundles that `FixedGate` accepts for a file, by suffix."""
    documents = {
        CYCLONEDX: f'{{"bomFormat": "CycloneDX", "of": "{filename}"}}'.encode(),
        SPDX: f'{{"spdxVersion": "SPDX-2.3", "of": "{filename}"}}'.encode(),
    }
    statement = {
        "subject": [{"name": filename, "digest": {"sha256": sha256}}],
        "predicate": {
            "runDetails": {"byproducts": [{"digest": {"sha256": sha256_bytes(d)}} for d in documents.values()]}
        },
    }
    bundles = {BUNDLE: {"sha256": sha256}, PROVENANCE_BUNDLE: statement}
    return documents | {suffix: json.dumps(bundle).encode() for suffix, bundle in bundles.items()}


def publication_of(vault: Vault, *wheels: tuple[Path, bytes], package: PackageId | None = None) -> Publication:
    """Put everything into the vault and return what `publish` takes."""
    files = []
    for path, metadata in wheels:
        blob = vault.put_file(path)
        documents = evidence(path.name, blob.sha256) | {METADATA: metadata}
        files.append(
            PublishFile(
                filename=path.name,
                blob=blob,
                sidecars={suffix: vault.put_bytes(data) for suffix, data in documents.items()},
            )
        )
    name, version = wheels[0][0].name.split("-")[:2]
    return Publication(
        package=package or PackageId(ecosystem="python", name=name.replace("_", "-"), version=version),
        recipe=f"python/{name}/recipe.yaml",
        run_uri="urn:uuid:00000000-0000-4000-8000-000000000000",
        build_key="0" * 64,
        upload_time=UPLOAD_TIME,
        files=tuple(files),
    )


@dataclass
class IndexServer:
    """`python -m farm.services.index_server` over a bucket, as a process of its own."""

    s3: RcloneServer
    folder: Path
    bucket: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def simple(self) -> str:
        return f"{self.root}simple/"

    @property
    def log(self) -> str:
        return (self.folder / "index.log").read_text()

    def start(self) -> None:
        config = self.folder / "farm.toml"
        config.write_text(
            f'[s3]\nendpoint = "{self.s3.config().endpoint}"\nrepository_bucket = "{self.bucket}"\n'
            f'access_key = "{self.s3.access_key}"\nsecret_key = "{self.s3.secret_key}"\n'
        )
        with (self.folder / "index.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "farm.services.index_server", f"--port={self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "FARM_CONFIG": str(config)},
            )
        wait_for_port(self.port, self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneServer]:
    """One real S3 server per module."""
    server = RcloneServer(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def s3(s3_server: RcloneServer) -> RcloneServer:
    """The server, running again if the test before killed it."""
    if s3_server.process is None:
        s3_server.start()
    return s3_server


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> str:
    """A name of the test's own."""
    return f"t{sha256_bytes(request.node.nodeid.encode())[:16]}"


@pytest.fixture
def store(s3: RcloneServer, bucket: str) -> S3Store:
    return s3.store(bucket)


@pytest.fixture
def vault(s3: RcloneServer, bucket: str) -> S3Vault:
    return S3Vault(s3.store(f"{bucket}-vault"))


@pytest.fixture
def index(s3: RcloneServer, bucket: str, store: S3Store, tmp_path: Path) -> Iterator[IndexServer]:
    """The index over the test's bucket."""
    del store
    folder = tmp_path / "index-server"
    folder.mkdir()
    server = IndexServer(s3, folder, bucket)
    server.start()
    yield server
    server.stop()
