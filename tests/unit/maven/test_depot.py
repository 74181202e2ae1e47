from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.maven.depot import distribution_mount, make_depot, settings_mount
from farm.errors import BlobCorruptError, BlobMissingError, LockStaleError, SourceUnsafeError
from farm.store.cache import BlobCache
from tests.fixtures_maven import locked
from tests.fixtures_maven_repository import jar
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from farm.model.lock import LockedFile

JAR = locked("org/x/a/1/a-1.jar", b"jar")
POM = locked("org/x/a/1/a-1.pom", b"pom")
METADATA = locked("org/x/a/maven-metadata.xml", b"metadata")


@pytest.fixture
def vault() -> MemoryVault:
    found = MemoryVault()
    for data in (b"jar", b"pom", b"metadata"):
        found.put_bytes(data)
    return found


@pytest.fixture
def closed() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def depot(tmp_path: Path, vault: MemoryVault, *files: LockedFile, name: str = "depot") -> dict[str, bytes]:
    folder = tmp_path / name
    make_depot(files, BlobCache(vault, tmp_path / "cache"), folder)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_locked_files_with_the_locks_checksums(tmp_path: Path, vault: MemoryVault) -> None:
    assert depot(tmp_path, vault, JAR, POM, METADATA) == {
        "org/x/a/1/a-1.jar": b"jar",
        "org/x/a/1/a-1.jar.sha1": (JAR.sha1 or "").encode(),
        "org/x/a/1/a-1.pom": b"pom",
        "org/x/a/1/a-1.pom.sha1": (POM.sha1 or "").encode(),
        "org/x/a/maven-metadata.xml": b"metadata",
        "org/x/a/maven-metadata.xml.sha1": (METADATA.sha1 or "").encode(),
    }


def test_an_empty_depot(tmp_path: Path, vault: MemoryVault) -> None:
    assert depot(tmp_path, vault) == {}


@pytest.mark.usefixtures("closed")
def test_everybody_can_read_it_whatever_the_umask(tmp_path: Path, vault: MemoryVault) -> None:
    depot(tmp_path, vault, JAR, METADATA)
    archive = tmp_path / "maven.zip"
    archive.write_bytes(jar({"apache-maven-3/bin/mvn": "", "apache-maven-3/lib/ext/x": ""}))
    mounts = [distribution_mount(archive, tmp_path), settings_mount("file:///depot", tmp_path)]
    for root in (tmp_path / "depot", *(mount.source for mount in mounts)):
        for path in (root, *root.rglob("*")):
            assert path.stat().st_mode & 0o555 == 0o555 if path.is_dir() else path.stat().st_mode & 0o444 == 0o444, path


@pytest.mark.parametrize(
    "files",
    [
        (JAR, JAR),
        (JAR.model_copy(update={"filename": "../../evil"}),),
        (JAR.model_copy(update={"filename": "/etc/passwd"}),),
        (JAR.model_copy(update={"filename": "org/x/a/1/a-1.jar.sha1"}),),
        (JAR.model_copy(update={"sha1": None}),),
        (JAR, JAR.model_copy(update={"filename": "org/x/a/1/a-1.jar/b/c/c-b.jar"})),
    ],
)
def test_a_lock_that_no_repository_can_be_made_of(
    tmp_path: Path, vault: MemoryVault, files: tuple[LockedFile, ...]
) -> None:
    with pytest.raises(LockStaleError):
        depot(tmp_path, vault, *files)
    assert not (tmp_path / "depot").exists()
    assert not (tmp_path / "evil").exists()


def kept(tmp_path: Path, file: LockedFile) -> Path:
    return tmp_path / "cache" / file.sha256[:2] / file.sha256


class TestCache:
    def test_a_second_depot_asks_the_vault_for_nothing(self, tmp_path: Path, vault: MemoryVault) -> None:
        depot(tmp_path, vault, JAR)
        vault.blobs.clear()
        assert depot(tmp_path, vault, JAR, name="second")["org/x/a/1/a-1.jar"] == b"jar"
        assert kept(tmp_path, JAR).samefile(tmp_path / "second/org/x/a/1/a-1.jar")

    def test_two_paths_of_one_content(self, tmp_path: Path, vault: MemoryVault) -> None:
        found = depot(tmp_path, vault, JAR, locked("org/x/b/1/b-1.jar", b"jar"))
        assert found["org/x/b/1/b-1.jar"] == found["org/x/a/1/a-1.jar"] == b"jar"

    @pytest.mark.parametrize("data", [b"", b"jaR", b"jar and more"])
    def test_a_file_that_was_tampered_with_is_dropped(self, tmp_path: Path, vault: MemoryVault, data: bytes) -> None:
        depot(tmp_path, vault, JAR)
        file = kept(tmp_path, JAR)
        file.chmod(0o644)
        file.write_bytes(data)
        assert depot(tmp_path, vault, JAR, name="second")["org/x/a/1/a-1.jar"] == b"jar"
        assert kept(tmp_path, JAR).read_bytes() == b"jar"

    def test_a_blob_of_the_vault_that_was_tampered_with(self, tmp_path: Path, vault: MemoryVault) -> None:
        vault.flip(JAR.ref)
        with pytest.raises(BlobCorruptError):
            depot(tmp_path, vault, POM, JAR)
        assert not kept(tmp_path, JAR).exists()

    def test_a_blob_that_is_gone(self, tmp_path: Path, vault: MemoryVault) -> None:
        vault.blobs.clear()
        with pytest.raises(BlobMissingError):
            depot(tmp_path, vault, JAR)

    def test_where_no_link_can_be_made_the_file_is_copied(
        self, tmp_path: Path, vault: MemoryVault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        depot(tmp_path, vault, JAR)

        def refuse(*_: object) -> None:
            raise OSError(18, "another file system")

        monkeypatch.setattr(os, "link", refuse)
        assert depot(tmp_path, vault, JAR, POM, name="second")["org/x/a/1/a-1.jar"] == b"jar"
        assert not kept(tmp_path, POM).exists()
        assert not list((tmp_path / "cache").rglob(".new-*"))

    def test_what_was_checked_is_kept(self, tmp_path: Path, vault: MemoryVault) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"jar")
        BlobCache(vault, tmp_path / "cache").add(JAR.ref, file)
        assert kept(tmp_path, JAR).read_bytes() == b"jar"
        assert kept(tmp_path, JAR).stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("entries", [{"a/bin/mvn": "", "b": ""}, {"a/b": ""}, {"bin": ""}, {}, {"../a/bin/mvn": ""}])
def test_what_is_no_distribution(tmp_path: Path, entries: dict[str, str]) -> None:
    archive = tmp_path / "maven.zip"
    archive.write_bytes(jar(entries))
    with pytest.raises(SourceUnsafeError):
        distribution_mount(archive, tmp_path)
