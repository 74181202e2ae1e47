"""A known result counts only while every published byte of it is right, in every language."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from farm.ecosystems.python.repository.layout import LAYOUT
from farm.model.outcome import Outcome, OutcomeFile
from farm.pipeline import steps
from farm.repository.publish import publish
from farm.store.vault import S3Vault
from tests.fixtures_maven_repository import Version
from tests.fixtures_repository import FixedGate, MemoryStore, make_wheel, publication_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from farm.model.base import BlobRef
    from farm.model.plan import PackageId
    from farm.repository.model import Record

Put = tuple[MemoryStore, "PackageId", "Record"]


def python(folder: Path) -> Put:
    store, vault = MemoryStore(), S3Vault(MemoryStore())
    publication = publication_of(vault, make_wheel(folder))
    done = publish(
        publication, layout=LAYOUT, vault=vault, store=store, gate=FixedGate(), run_dir=folder, work=folder
    )  # fmt: skip
    return store, publication.package, done.files[0]


def maven(folder: Path) -> Put:
    store = MemoryStore()
    record = Version.multi().publish(S3Vault(MemoryStore()), store, folder).files[0]
    return store, record.package, record


@pytest.fixture(params=[python, maven])
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Put:
    make: Callable[[Path], Put] = request.param
    return make(tmp_path)


def outcome_of(package: PackageId, blobs: Mapping[str, BlobRef]) -> Outcome:
    files = tuple(
        OutcomeFile(filename=n, blob=b, raw_sha256="0" * 64, signature=b, provenance=b) for n, b in blobs.items()
    )
    fields: dict[str, Any] = {"package": str(package), "files": files}  # nothing else is looked at
    return Outcome.model_construct(**fields)


def reuse(
    put: Put, monkeypatch: pytest.MonkeyPatch, known: Outcome | None = None, *, stage: int = 0, kept: bool = True
) -> Outcome | None:
    store, package, record = put
    known = known or outcome_of(package, record.blobs)
    monkeypatch.setattr(steps, "key_fields", lambda *_: SimpleNamespace(key="0" * 64))
    monkeypatch.setattr(steps, "known_outcome", lambda *_: known)
    nothing: Any = None
    runtime: Any = SimpleNamespace(vault=SimpleNamespace(has=lambda _: kept), repository=store, image=lambda _: None)
    plan: Any = SimpleNamespace(package=package, build=SimpleNamespace(image="any"))
    linked: Any = SimpleNamespace(stage=stage)
    return steps.reuse(runtime, plan, nothing, linked)


def test_a_whole_result_is_used_again(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    found = reuse(put, monkeypatch)
    assert found is not None
    assert (found.reused, found.written) == (True, ())


def test_one_damaged_or_missing_object_is_enough_to_build_again(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _, record = put
    for key in record.objects():
        whole = store.objects.pop(key)
        assert reuse(put, monkeypatch) is None
        store.objects[key] = whole[:-1] + bytes([whole[-1] ^ 1])
        assert reuse(put, monkeypatch) is None
        store.objects[key] = whole
    del store.objects[record.key]
    assert reuse(put, monkeypatch) is None


def test_other_bytes_than_the_known_ones_are_built_again(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    _, package, record = put
    name, blob = next(iter(record.blobs.items()))
    other = {**record.blobs, name: blob.model_copy(update={"sha256": "1" * 64})}
    assert reuse(put, monkeypatch, outcome_of(package, other)) is None


def test_what_a_later_build_superseded_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes back with a number above, where installers take it."""
    put = store, package, record = python(tmp_path)
    known = outcome_of(package, record.blobs)
    vault = S3Vault(MemoryStore())
    path, metadata = make_wheel(tmp_path, payload="VALUE = 2\n")
    later = path.rename(path.with_name(path.name.replace("-py3-", "-1-py3-")))
    done = publish(
        publication_of(vault, (later, metadata)), layout=LAYOUT, vault=vault, store=store, gate=FixedGate(),
        run_dir=tmp_path, work=tmp_path,
    )  # fmt: skip
    assert reuse(put, monkeypatch, known) is None
    assert reuse(put, monkeypatch, outcome_of(package, done.files[0].blobs)) is not None


def test_in_a_stage_of_a_cycle_a_result_need_not_be_published(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    store, package, record = put
    assert reuse(put, monkeypatch, stage=1) is not None  # it may be
    known = outcome_of(package, record.blobs)
    empty = (MemoryStore(), package, record)
    assert reuse(empty, monkeypatch, known, stage=1) is not None
    assert reuse(empty, monkeypatch, known, stage=1, kept=False) is None
    assert reuse(empty, monkeypatch, known) is None
    key = next(iter(record.objects()))
    store.objects[key] = store.objects[key][:-1]
    assert reuse(put, monkeypatch, stage=1) is None


def test_in_a_stage_of_a_cycle_what_was_superseded_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published under its old number, it would be nothing that installers take."""
    put = store, package, record = python(tmp_path)
    vault = S3Vault(MemoryStore())
    path, metadata = make_wheel(tmp_path, payload="VALUE = 2\n")
    later = path.rename(path.with_name(path.name.replace("-py3-", "-1-py3-")))
    publish(
        publication_of(vault, (later, metadata)), layout=LAYOUT, vault=vault, store=store, gate=FixedGate(),
        run_dir=tmp_path, work=tmp_path,
    )  # fmt: skip
    assert reuse(put, monkeypatch, outcome_of(package, record.blobs), stage=2) is None
