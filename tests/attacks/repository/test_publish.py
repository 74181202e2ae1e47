"""Attacks on publishing, and accidents at every point of it."""

from __future__ import annotations

import contextlib
import json
import threading
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest

from farm.ecosystems.python.repository.layout import LAYOUT
from farm.ecosystems.python.repository.model import PublishedFile, file_key, record_key
from farm.errors import FarmError, ImmutableError, PublisherBusyError, StoreUnavailableError, VerificationError
from farm.model.base import BlobRef, sha256_bytes
from farm.model.plan import PackageId
from farm.repository.model import (
    BUNDLE,
    CYCLONEDX,
    PROVENANCE_BUNDLE,
    Publication,
    Published,
    PublishFile,
)
from farm.repository.publish import publish
from farm.repository.published import verify_published
from farm.store.vault import S3Vault
from tests.fixtures_repository import EPOCH, FixedGate, MemoryStore, make_wheel, publication_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def vault() -> S3Vault:
    return S3Vault(MemoryStore())


def go(publication: Publication, vault: S3Vault, store: MemoryStore, run: Path) -> Published[PublishedFile]:
    return publish(
        publication, layout=LAYOUT, vault=vault, store=store, gate=FixedGate(), run_dir=run, work=run, wait=0
    )


def assert_whole(store: MemoryStore) -> set[str]:
    """Follow every link of every page that is there, as a reader would; return the files that are listed."""
    listed: set[str] = set()
    for key in [key for key in store.objects if key.startswith("simple/") and key.endswith("/index.json")]:
        page = json.loads(store.objects[key])
        for project in page.get("projects", ()):
            assert f"simple/{project['name']}/index.json" in store.objects
            assert f"simple/{project['name']}/index.html" in store.objects
        for file in page.get("files", ()):
            target = urljoin(f"/{key}", file["url"]).lstrip("/")
            assert sha256_bytes(store.objects[target]) == file["hashes"]["sha256"]
            assert sha256_bytes(store.objects[f"{target}.metadata"]) == file["core-metadata"]["sha256"]
            assert f"{target}.sigstore.json" in store.objects
            assert f"{target}.provenance.sigstore.json" in store.objects
            assert urljoin(f"/{key}", file["provenance"]).lstrip("/") in store.objects
            listed.add(file["filename"])
    return listed


class Interrupted(BaseException):
    """The process is gone: nothing after it runs but what an operating system would do."""


def failing_at(step: int, error: type[BaseException]) -> Callable[[str, str], None]:
    """Let all operations pass but those from number `step` on: the server is down and stays down."""
    count = [0]

    def fault(operation: str, key: str) -> None:
        count[0] += 1
        if count[0] >= step:
            raise error(f"{operation} {key}")

    return fault


def count_operations(publication: Publication, vault: S3Vault, store: MemoryStore, run: Path) -> int:
    probe = MemoryStore(dict(store.objects))
    seen: list[str] = []
    probe.before = lambda operation, key: seen.append(f"{operation} {key}")
    go(publication, vault, probe, run)
    return len(seen)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [StoreUnavailableError, Interrupted])
@pytest.mark.parametrize("honours", [True, False])
def test_stopping_at_any_operation_leaves_a_whole_index_and_the_retry_succeeds(
    vault: S3Vault, tmp_path: Path, when: str, error: type[BaseException], *, honours: bool
) -> None:
    old = make_wheel(tmp_path, "sample-lib", "1.0")
    start = MemoryStore(honours_conditions=honours)
    go(publication_of(vault, old), vault, start, tmp_path)
    publication = publication_of(vault, make_wheel(tmp_path, "sample-lib", "1.1"))
    expected = {"sample_lib-1.0-py3-none-any.whl", "sample_lib-1.1-py3-none-any.whl"}
    total = count_operations(publication, vault, start, tmp_path)
    assert total > 20
    for step in range(1, total + 1):
        store = MemoryStore(dict(start.objects), honours_conditions=honours)
        setattr(store, when, failing_at(step, error))
        with contextlib.suppress(StoreUnavailableError, Interrupted):
            go(publication, vault, store, tmp_path)
        setattr(store, when, lambda _operation, _key: None)
        assert assert_whole(store) >= {old[0].name}, f"after operation {step}"
        done = go(publication, vault, store, tmp_path)
        assert assert_whole(store) == expected
        verify_published(store, done.files[0])
        assert "leases/python.json" not in store.objects


def test_a_first_publish_that_stops_leaves_no_dead_link_on_the_root_page(vault: S3Vault, tmp_path: Path) -> None:
    """Another project's publish meanwhile must not list the half-written project."""
    half = publication_of(vault, make_wheel(tmp_path, "half", "1.0"))
    other = publication_of(vault, make_wheel(tmp_path, "other", "1.0"))
    for step in range(1, count_operations(half, vault, MemoryStore(), tmp_path) + 1):
        store = MemoryStore(before=failing_at(step, StoreUnavailableError))
        with contextlib.suppress(StoreUnavailableError):
            go(half, vault, store, tmp_path)
        store.before = lambda _operation, _key: None
        go(other, vault, store, tmp_path)
        assert_whole(store)
        go(half, vault, store, tmp_path)
        assert assert_whole(store) == {"half-1.0-py3-none-any.whl", "other-1.0-py3-none-any.whl"}


class TestImmutable:
    def test_other_bytes_under_a_published_name_are_refused(self, vault: S3Vault, tmp_path: Path) -> None:
        store = MemoryStore()
        go(publication_of(vault, make_wheel(tmp_path)), vault, store, tmp_path)
        before = dict(store.objects)
        evil = publication_of(vault, make_wheel(tmp_path, payload="VALUE = 'evil'\n"))
        with pytest.raises(ImmutableError, match=evil.files[0].blob.sha256):
            go(evil, vault, store, tmp_path)
        assert store.objects == before

    def test_one_refused_file_stops_the_whole_publication(self, vault: S3Vault, tmp_path: Path) -> None:
        store = MemoryStore()
        go(publication_of(vault, make_wheel(tmp_path)), vault, store, tmp_path)
        before = dict(store.objects)
        evil = make_wheel(tmp_path, payload="VALUE = 'evil'\n")
        fine = evil[0].with_name("sample_lib-1.0-py2.py3-none-any.whl")
        fine.write_bytes(evil[0].read_bytes())
        with pytest.raises(ImmutableError):
            go(publication_of(vault, (fine, evil[1]), evil), vault, store, tmp_path)
        assert store.objects == before

    @pytest.mark.parametrize("name", ["Sample_Lib-1.0-py3-none-any.whl", "sample_lib-1.0.0-py3-none-any.whl"])
    def test_another_spelling_is_no_way_around(self, vault: S3Vault, tmp_path: Path, name: str) -> None:
        store = MemoryStore()
        wheel = make_wheel(tmp_path)
        go(publication_of(vault, wheel), vault, store, tmp_path)
        before = dict(store.objects)
        other = wheel[0].with_name(name)
        other.write_bytes(make_wheel(tmp_path, payload="VALUE = 'evil'\n")[0].read_bytes())
        package = PackageId(ecosystem="python", name="sample-lib", version="1.0")
        with pytest.raises(FarmError) as caught:
            go(publication_of(vault, (other, wheel[1]), package=package), vault, store, tmp_path)
        assert isinstance(caught.value, ImmutableError | VerificationError)
        assert store.objects == before

    def test_two_spellings_in_one_publication(self, vault: S3Vault, tmp_path: Path) -> None:
        wheel = make_wheel(tmp_path)
        other = wheel[0].with_name("Sample_Lib-1.0-py3-none-any.whl")
        other.write_bytes(wheel[0].read_bytes())
        with pytest.raises(VerificationError, match="same file"):
            go(publication_of(vault, wheel, (other, wheel[1])), vault, MemoryStore(), tmp_path)


class TestRefused:
    """What does not verify is not published: nothing is written at all."""

    def refused(self, publication: Publication, vault: S3Vault, run: Path, match: str) -> None:
        store = MemoryStore()
        with pytest.raises(VerificationError, match=match):
            go(publication, vault, store, run)
        assert store.objects == {}

    def edited(self, publication: Publication, **changes: object) -> Publication:
        file = PublishFile.model_validate(publication.files[0].model_dump() | changes)
        return publication.model_copy(update={"files": (file,)})

    def test_a_flipped_byte_in_the_wheel(self, vault: S3Vault, tmp_path: Path) -> None:
        publication = publication_of(vault, make_wheel(tmp_path))
        other = vault.put_file(make_wheel(tmp_path, payload="VALUE = 2\n")[0])
        self.refused(self.edited(publication, blob=other), vault, tmp_path, "signature")

    @pytest.mark.parametrize("suffix", [BUNDLE, PROVENANCE_BUNDLE])
    def test_a_missing_bundle(self, vault: S3Vault, tmp_path: Path, suffix: str) -> None:
        publication = publication_of(vault, make_wheel(tmp_path))
        rest = {key: ref for key, ref in publication.files[0].sidecars.items() if key != suffix}
        self.refused(self.edited(publication, sidecars=rest), vault, tmp_path, f"without .*{suffix}")

    def test_a_document_that_the_provenance_does_not_name(self, vault: S3Vault, tmp_path: Path) -> None:
        publication = publication_of(vault, make_wheel(tmp_path))
        swapped = {**publication.files[0].sidecars, CYCLONEDX: vault.put_bytes(b"{}")}
        self.refused(self.edited(publication, sidecars=swapped), vault, tmp_path, "byproducts")

    def test_a_document_that_is_not_text(self, vault: S3Vault, tmp_path: Path) -> None:
        publication = publication_of(vault, make_wheel(tmp_path))
        swapped = {**publication.files[0].sidecars, BUNDLE: vault.put_bytes(b"\xff\xfe")}
        self.refused(self.edited(publication, sidecars=swapped), vault, tmp_path, "UTF-8")

    def test_metadata_that_differs_from_the_wheel(self, vault: S3Vault, tmp_path: Path) -> None:
        wheel, metadata = make_wheel(tmp_path)
        lie = metadata + b"Requires-Dist: evil\n"
        self.refused(publication_of(vault, (wheel, lie)), vault, tmp_path, "differs")

    @pytest.mark.parametrize(
        ("name", "version"), [("other", "1.0"), ("sample-lib", "1.1"), ("sample-lib", "no version")]
    )
    def test_a_file_of_another_package(self, vault: S3Vault, tmp_path: Path, name: str, version: str) -> None:
        package = PackageId(ecosystem="python", name=name, version=version)
        publication = publication_of(vault, make_wheel(tmp_path), package=package)
        self.refused(publication, vault, tmp_path, "is not a file of")

    def test_a_wheel_whose_inside_is_of_another_package(self, vault: S3Vault, tmp_path: Path) -> None:
        inside, metadata = make_wheel(tmp_path, "evil", "1.0")
        outside = tmp_path / "sample_lib-1.0-py3-none-any.whl"
        inside.rename(outside)
        self.refused(publication_of(vault, (outside, metadata)), vault, tmp_path, "core metadata is of evil")

    @pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x05\x06" + b"\0" * 18])
    def test_a_wheel_that_is_none(self, vault: S3Vault, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "sample_lib-1.0-py3-none-any.whl"
        path.write_bytes(content)
        self.refused(publication_of(vault, (path, b"Name: sample-lib\n")), vault, tmp_path, "METADATA|readable")

    def test_two_metadata_files(self, vault: S3Vault, tmp_path: Path) -> None:
        wheel, metadata = make_wheel(tmp_path)
        with zipfile.ZipFile(wheel, "a") as archive:
            archive.writestr(zipfile.ZipInfo("evil-1.0.dist-info/METADATA", EPOCH), metadata)
        self.refused(publication_of(vault, (wheel, metadata)), vault, tmp_path, "found 2")

    @pytest.mark.parametrize("broken", [b"Name: sample-lib\n", b"Name: sample-lib\nVersion: x\n", b"\xff\xff"])
    def test_unusable_metadata(self, vault: S3Vault, tmp_path: Path, broken: bytes) -> None:
        wheel, _ = make_wheel(tmp_path)
        path = tmp_path / "out" / wheel.name
        path.parent.mkdir()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("sample_lib-1.0.dist-info/METADATA", EPOCH), broken)
        self.refused(publication_of(vault, (path, broken)), vault, tmp_path, "usable Name")


class TestDamage:
    def test_a_flipped_byte_in_a_published_file_is_found_and_restored_from_the_vault(
        self, vault: S3Vault, tmp_path: Path
    ) -> None:
        store = MemoryStore()
        publication = publication_of(vault, make_wheel(tmp_path))
        (record,) = go(publication, vault, store, tmp_path).files
        keys = [file_key(record.blob.sha256, record.filename), file_key(record.blob.sha256, record.filename + BUNDLE)]
        for key in keys:
            store.objects[key] = bytes([store.objects[key][0] ^ 1]) + store.objects[key][1:]
        with pytest.raises(VerificationError, match=record.filename):
            verify_published(store, record)
        assert set(go(publication, vault, store, tmp_path).healed) == set(keys)
        verify_published(store, record)

    @pytest.mark.parametrize("raw", [b"", b"{}", b"\xff"])
    def test_an_unreadable_record_stops_the_publish_and_leaves_the_pages(
        self, vault: S3Vault, tmp_path: Path, raw: bytes
    ) -> None:
        store = MemoryStore()
        publication = publication_of(vault, make_wheel(tmp_path))
        go(publication, vault, store, tmp_path)
        store.objects[record_key("sample-lib", publication.files[0].filename)] = raw
        page = store.objects["simple/sample-lib/index.json"]
        newer = publication_of(vault, make_wheel(tmp_path, version="1.1"))
        for again in (publication, newer):
            with pytest.raises(VerificationError, match="record"):
                go(again, vault, store, tmp_path)
        assert store.objects["simple/sample-lib/index.json"] == page

    def test_a_record_moved_to_another_project_is_refused(self, vault: S3Vault, tmp_path: Path) -> None:
        store = MemoryStore()
        publication = publication_of(vault, make_wheel(tmp_path))
        go(publication, vault, store, tmp_path)
        name = publication.files[0].filename
        store.objects[record_key("victim", name)] = store.objects[record_key("sample-lib", name)]
        with pytest.raises(VerificationError, match=r"about python/sample-lib"):
            go(publication_of(vault, make_wheel(tmp_path, "victim")), vault, store, tmp_path)


class TestTwoPublishers:
    def test_at_once_all_files_end_up_on_whole_pages(self, vault: S3Vault, tmp_path: Path) -> None:
        store = MemoryStore(honours_conditions=False)
        publications = [publication_of(vault, make_wheel(tmp_path, version=f"1.{n}")) for n in range(6)]
        errors: list[BaseException] = []

        def publisher(n: int) -> None:
            try:
                publish(
                    publications[n],
                    layout=LAYOUT,
                    vault=vault,
                    store=store,
                    gate=FixedGate(),
                    # Three of one installation, three of another.
                    run_dir=tmp_path / str(n % 2),
                    work=tmp_path,
                    wait=60,
                )
            except FarmError as error:
                errors.append(error)

        threads = [threading.Thread(target=publisher, args=(n,)) for n in range(len(publications))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
        assert errors == []
        assert len(assert_whole(store)) == len(publications)

    def test_without_any_lease_the_index_is_still_whole(self, vault: S3Vault, tmp_path: Path) -> None:
        """A second publisher that writes between our listing and our page: we look again."""
        store, late = MemoryStore(), MemoryStore()
        go(publication_of(vault, make_wheel(tmp_path, version="1.1")), vault, late, tmp_path)
        done: list[bool] = []

        def intrude(operation: str, key: str) -> None:
            if operation == "put" and key == "simple/sample-lib/index.json" and not done:
                done.append(True)
                store.objects |= {k: v for k, v in late.objects.items() if not k.startswith("simple/")}

        store.after = intrude
        go(publication_of(vault, make_wheel(tmp_path, version="1.0")), vault, store, tmp_path)
        assert len(assert_whole(store)) == 2

    def test_a_writer_that_never_stops_is_an_error_not_a_loop(self, vault: S3Vault, tmp_path: Path) -> None:
        store = MemoryStore()
        count = [0]

        def intrude(operation: str, key: str) -> None:
            if operation == "list" and key == "simple/":
                count[0] += 1
                store.objects[f"simple/p{count[0]}/index.html"] = b""

        store.after = intrude
        with pytest.raises(PublisherBusyError, match="settled"):
            go(publication_of(vault, make_wheel(tmp_path)), vault, store, tmp_path)

    def test_losing_the_lease_stops_before_anything_is_listed(self, vault: S3Vault, tmp_path: Path) -> None:
        store = MemoryStore()

        def steal(operation: str, key: str) -> None:
            if operation == "put" and key.startswith("integrity/"):
                store.objects["leases/python.json"] = b'{"expires": 9e9, "owner": "them", "seat": "them"}'

        store.after = steal
        with pytest.raises(PublisherBusyError, match="lost"):
            go(publication_of(vault, make_wheel(tmp_path)), vault, store, tmp_path)
        assert not [key for key in store.objects if key.startswith(("records/", "simple/"))]


def test_a_blob_larger_than_it_says_does_not_fill_the_disk(tmp_path: Path) -> None:
    vault_store = MemoryStore()
    vault = S3Vault(vault_store)
    ref = vault.put_bytes(b"tiny")
    vault_store.objects[f"blobs/sha256/{ref.sha256[:2]}/{ref.sha256}"] = b"x" * 10_000_000
    with pytest.raises(FarmError):
        vault.fetch(BlobRef(sha256=ref.sha256, size=4), tmp_path / "target")
    assert list(tmp_path.iterdir()) == []
