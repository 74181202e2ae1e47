from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.maven.repository.layout import LAYOUT
from farm.ecosystems.maven.repository.model import FILES, PAGE_KEY, PREFIXES_KEY, RECORDS, pointer_key, record_key
from farm.model.plan import PackageId
from farm.repository.digests import addresses
from farm.repository.model import BUNDLE, CYCLONEDX, PROVENANCE_BUNDLE, SPDX
from farm.repository.publish import publish
from farm.repository.published import damaged, verify_published
from farm.store.vault import S3Vault
from tests.fixtures_maven_repository import GROUP, Version, pom
from tests.fixtures_repository import FixedGate, MemoryStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def vault() -> S3Vault:
    return S3Vault(MemoryStore())


KIT = f"{GROUP}:kit"
FOLDER = f"{FILES}org/example/kit/"


def test_files_lie_in_the_maven2_layout_with_checksums_and_evidence_beside_them(vault: S3Vault, tmp_path: Path) -> None:
    store = MemoryStore()
    made = Version.multi()
    done = made.publish(vault, store, tmp_path)
    for path, data in made.files.items():
        key = FILES + path
        assert store.objects[key] == data
        for name in ("md5", "sha1", "sha256", "sha512"):
            assert store.objects[f"{key}.{name}"] == hashlib.new(name, data).hexdigest().encode()
        for suffix in (BUNDLE, PROVENANCE_BUNDLE, CYCLONEDX, SPDX):
            assert key + suffix in store.objects
        assert addresses(store, hashlib.sha256(data).hexdigest()) == (f"maven/{path}",)
    (record,) = done.files
    verify_published(store, record)
    assert set(done.written) == {path.rpartition("/")[2] for path in made.files}
    assert [m.name for m in record.modules] == [
        f"{GROUP}:{n}" for n in ("kit", "kit-bom", "kit-core", "kit-maven-plugin")
    ]


def test_the_record_comes_after_all_objects_and_what_names_them_after_it(vault: S3Vault, tmp_path: Path) -> None:
    writes: list[str] = []
    store = MemoryStore(after=lambda operation, key: writes.append(key) if operation == "put" else None)
    (record,) = Version.multi().publish(vault, store, tmp_path).files
    writes = [key for key in writes if not key.startswith("leases/")]
    at = writes.index(record.key)
    assert set(writes[:at]) == record.objects().keys()
    assert [key for key in writes[at + 1 :] if key.startswith("digests/")] == writes[
        at + 1 : at + 1 + len(record.files)
    ]
    rest = [
        key for key in writes[at + 1 :] if not key.startswith("digests/") and "xml." not in key and "txt." not in key
    ]
    assert rest == [
        f"{FOLDER}maven-metadata.xml",
        f"{FOLDER}kit/maven-metadata.xml",
        f"{FOLDER}kit-bom/maven-metadata.xml",
        f"{FOLDER}kit-core/maven-metadata.xml",
        f"{FOLDER}kit-maven-plugin/maven-metadata.xml",
        PREFIXES_KEY,
        PAGE_KEY,
    ]


def test_the_same_again_writes_nothing(vault: S3Vault, tmp_path: Path) -> None:
    store = MemoryStore()
    made = Version.multi()
    first = made.publish(vault, store, tmp_path)
    before = dict(store.objects)
    made.upload_time = "2027-01-01T00:00:00Z"
    second = made.publish(vault, store, tmp_path)
    assert store.objects == before
    assert (second.written, second.files) == ((), first.files)


def test_metadata_is_a_function_of_the_records(vault: S3Vault, tmp_path: Path) -> None:
    versions = ("1.10", "1.9", "1.9-rc1", "2.0-beta")
    stores = []
    for order in (versions, versions[::-1]):
        store = MemoryStore()
        for version in order:
            made = Version.multi(version)
            made.upload_time = f"2026-11-22T10:00:0{versions.index(version)}Z"
            made.publish(vault, store, tmp_path)
        stores.append(store)
    assert stores[0].objects == stores[1].objects
    text = stores[0].objects[f"{FOLDER}kit-core/maven-metadata.xml"].decode()
    places = [text.index(f"<version>{version}</version>") for version in ("1.9-rc1", "1.9", "1.10", "2.0-beta")]
    assert places == sorted(places)
    assert "<lastUpdated>20261122100003</lastUpdated>" in text
    page = json.loads(stores[0].objects[PAGE_KEY])
    assert page == {"packages": [{"name": KIT, "versions": ["1.9-rc1", "1.9", "1.10", "2.0-beta"]}]}


def test_a_plugin_is_in_the_metadata_of_its_group(vault: S3Vault, tmp_path: Path) -> None:
    store = MemoryStore()
    Version.multi().publish(vault, store, tmp_path)
    text = store.objects[f"{FOLDER}maven-metadata.xml"].decode()
    assert "<prefix>kit</prefix>" in text
    assert "<artifactId>kit-maven-plugin</artifactId>" in text
    assert "<name>Kit &amp; co</name>" in text
    assert "<versioning>" not in text


def test_an_artifact_and_a_plugin_group_share_a_folder(vault: S3Vault, tmp_path: Path) -> None:
    """`org.example:kit` lies where the metadata of the group `org.example.kit` is."""
    store = MemoryStore()
    Version.multi().publish(vault, store, tmp_path)
    other = Version("3.0", "kit", ())
    other.files = {"org/example/kit/3.0/kit-3.0.pom": pom("kit", "3.0", group="org.example", packaging="pom")}
    publication = other.publication(vault).model_copy(
        update={"package": PackageId(ecosystem="maven", name="org.example:kit", version="3.0")}
    )
    publish(publication, layout=LAYOUT, vault=vault, store=store, gate=FixedGate(), run_dir=tmp_path, work=tmp_path)
    text = store.objects[f"{FOLDER}maven-metadata.xml"].decode()
    assert "<prefix>kit</prefix>" in text
    assert "<release>3.0</release>" in text


def test_a_version_is_found_for_reuse(vault: S3Vault, tmp_path: Path) -> None:
    store = MemoryStore()
    (record,) = Version.multi().publish(vault, store, tmp_path).files
    package = PackageId(ecosystem="maven", name=KIT, version="1.0")
    assert LAYOUT.find(store, package) == (record,)
    assert LAYOUT.find(store, package.model_copy(update={"version": "1.1"})) == ()
    assert damaged(store, record) == {}
    key = f"{FOLDER}kit-core/1.0/kit-core-1.0.jar.sha1"
    store.objects[key] = b"0" * 40
    assert list(damaged(store, record)) == [key]
    assert Version.multi().publish(vault, store, tmp_path).healed == (key,)
    assert damaged(store, record) == {}


def test_where_a_path_finds_its_record(vault: S3Vault, tmp_path: Path) -> None:
    store = MemoryStore()
    Version.multi().publish(vault, store, tmp_path)
    assert record_key(KIT, "1.0") == f"{RECORDS}org.example.kit/kit/1.0.json"
    assert json.loads(store.objects[pointer_key(f"{GROUP}:kit-core", "1.0")]) == {"record": record_key(KIT, "1.0")}
