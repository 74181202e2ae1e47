from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.repository.layout import LAYOUT
from farm.ecosystems.python.repository.model import (
    METADATA,
    ROOT_JSON,
    PublishedFile,
    file_key,
    integrity_key,
    record_key,
    release_of,
)
from farm.ecosystems.python.repository.published import find_published
from farm.errors import BlobMissingError, ImmutableError, TrustRootError, VerificationError
from farm.model.plan import PackageId
from farm.repository.model import BUNDLE, CYCLONEDX, PROVENANCE_BUNDLE, SPDX, TRUST_KEY, Publication, Published
from farm.repository.publish import publish, publish_trust_config
from farm.repository.published import verify_published
from farm.store.vault import S3Vault
from tests.fixtures_repository import FixedGate, MemoryStore, make_wheel, publication_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def vault() -> S3Vault:
    return S3Vault(MemoryStore())


def go(publication: Publication, vault: S3Vault, store: MemoryStore, tmp_path: Path) -> Published[PublishedFile]:
    return publish(
        publication, layout=LAYOUT, vault=vault, store=store, gate=FixedGate(), run_dir=tmp_path, work=tmp_path, wait=0
    )


def test_everything_is_written_in_an_order_that_never_shows_a_gap(vault: S3Vault, tmp_path: Path) -> None:
    writes: list[str] = []
    store = MemoryStore(after=lambda operation, key: writes.append(key) if operation == "put" else None)
    wheel = make_wheel(tmp_path)
    done = go(publication_of(vault, wheel), vault, store, tmp_path)
    (record,) = done.files
    name = wheel[0].name
    assert done.written == (name,)
    assert [key for key in writes if not key.startswith("leases/")] == [
        file_key(record.blob.sha256, name),
        *(
            file_key(record.blob.sha256, name + suffix)
            for suffix in (CYCLONEDX, METADATA, PROVENANCE_BUNDLE, BUNDLE, SPDX)
        ),
        integrity_key(record.package, name),
        record_key("sample-lib", name),
        "simple/sample-lib/index.html",
        "simple/sample-lib/index.json",
        "simple/index.html",
        "simple/index.json",
    ]
    assert list(tmp_path.glob("publish-*")) == []
    assert record.requires_python == ">=3.9"
    verify_published(store, record)


def test_the_same_again_writes_nothing(vault: S3Vault, tmp_path: Path) -> None:
    store = MemoryStore()
    publication = publication_of(vault, make_wheel(tmp_path))
    first = go(publication, vault, store, tmp_path)
    before = dict(store.objects)
    later = publication.model_copy(update={"upload_time": "2027-01-01T00:00:00Z", "run_uri": "urn:uuid:other"})
    second = go(later, vault, store, tmp_path)
    assert store.objects == before
    assert second.written == ()
    assert second.files == first.files


def test_versions_and_targets_join_one_page(vault: S3Vault, tmp_path: Path) -> None:
    store = MemoryStore()
    for version in ("1.0", "1.1"):
        go(publication_of(vault, make_wheel(tmp_path, version=version)), vault, store, tmp_path)
    page = json.loads(store.objects["simple/sample-lib/index.json"])
    assert page["versions"] == ["1.0", "1.1"]
    assert [f.package.version for f in find_published(store, "Sample_Lib", "1.1.0")] == []
    assert [f.package.version for f in find_published(store, "Sample_Lib", "1.1")] == ["1.1"]
    assert find_published(store, "sample-lib", "not a version") == ()
    assert find_published(store, "nothing", "1.0") == ()
    assert json.loads(store.objects[ROOT_JSON])["projects"] == [{"name": "sample-lib"}]


def test_a_recipe_may_write_the_version_its_own_way(vault: S3Vault, tmp_path: Path) -> None:
    package = PackageId(ecosystem="python", name="sample-lib", version="1.0.0-rc.1")
    done = go(
        publication_of(vault, make_wheel(tmp_path, version="1.0.0rc1"), package=package),
        vault,
        MemoryStore(),
        tmp_path,
    )
    assert done.files[0].package.version == "1.0.0rc1"


def test_the_trust_configuration_is_published(tmp_path: Path) -> None:
    store, source = MemoryStore(), tmp_path / "trust_config.json"
    source.write_text("{}")
    publish_trust_config(store, source)
    assert store.objects == {"trust/trust_config.json": b"{}"}
    publish_trust_config(store, source)


def trust_config(*keys: str) -> bytes:
    kinds = ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities")
    return json.dumps({"trustedRoot": {kind: [{"key": key} for key in keys] for kind in kinds}}).encode()


def test_a_trust_configuration_is_added_to_and_never_replaced(tmp_path: Path) -> None:
    store, source = MemoryStore(), tmp_path / "trust_config.json"
    for keys in (("a",), ("b", "a")):
        source.write_bytes(trust_config(*keys))
        publish_trust_config(store, source)
        assert store.objects[TRUST_KEY] == trust_config(*keys)
    source.write_bytes(trust_config("b"))
    with pytest.raises(ImmutableError, match="has keys that"):
        publish_trust_config(store, source)
    source.write_bytes(b"{}")
    with pytest.raises(TrustRootError):
        publish_trust_config(store, source)
    assert store.objects == {TRUST_KEY: trust_config("b", "a")}


def test_a_blob_that_left_the_vault_is_named_and_nothing_written(vault: S3Vault, tmp_path: Path) -> None:
    store = MemoryStore()
    publication = publication_of(vault, make_wheel(tmp_path))
    with pytest.raises(BlobMissingError):
        go(publication, S3Vault(MemoryStore()), store, tmp_path)
    assert store.objects == {}


@pytest.mark.parametrize(
    "name",
    [
        "sample_lib-1.0.tar.gz",
        "../sample_lib-1.0-py3-none-any.whl",
        "sample_lib-1.0-py3-none-any.whl\n",
        "sample_lib-1.0-py3-none-any .whl",
        "sämple_lib-1.0-py3-none-any.whl",
        "sample_lib-x.y-py3-none-any.whl",
        "-1.0-py3-none-any.whl",
        ".whl",
        "",
    ],
)
def test_names_that_are_no_wheels(name: str) -> None:
    with pytest.raises(VerificationError):
        release_of(name)
