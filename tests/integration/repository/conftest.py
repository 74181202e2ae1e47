from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.store.vault import S3Vault
from tests.fixtures_repository import IndexServer, RcloneServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from farm.store.s3 import S3Store


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneServer]:
    """One real S3 server per module; tests may kill it, the next one finds it running again."""
    server = RcloneServer(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def _running(s3: RcloneServer) -> None:
    if s3.process is None:
        s3.start()


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> str:
    """A name of the test's own."""
    return f"t{abs(hash(request.node.nodeid)) % 10**12}"


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
