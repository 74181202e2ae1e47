"""Someone between the farm and the consumer changes, swaps or takes away files."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farm.consumer.sidecars import BUNDLE, LIMIT, PROVENANCE_BUNDLE, SUFFIXES, read_capped
from farm.consumer.verify import verify
from farm.trust.identity import ExpectedIdentity

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attacks.verify.conftest import Farm, Shelf

pytestmark = pytest.mark.services

IDENTITY = ExpectedIdentity(builder="https://farm.example/builders/workstation/v1", issuer="https://farm.example/oidc")
CDX, SPDX = ".cdx.json", ".spdx.json"


def test_an_untouched_file_is_verified_and_its_facts_are_there(shelf: Shelf) -> None:
    verdict = shelf.verify()
    assert verdict.failures == ()
    assert verdict.verified
    assert verdict.facts is not None
    assert verdict.facts.source_uri == "pkg:pypi/alpha@1.0"
    assert verdict.log is not None
    assert verdict.log.integrated.endswith("Z")
    assert json.loads(verdict.model_dump_json())["verified"] is True


def test_sidecars_may_lie_elsewhere(shelf: Shelf, tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    for suffix in SUFFIXES:
        shutil.move(shelf.beside(suffix), aside)
    assert not shelf.verify().verified
    assert verify(shelf.file(), trust=shelf.farm.trust, identity=IDENTITY, sidecars=aside).verified


@pytest.mark.parametrize("where", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_flipped_byte_in_the_wheel(shelf: Shelf, where: float) -> None:
    data = bytearray(shelf.file().read_bytes())
    data[int(where * (len(data) - 1))] ^= 1
    shelf.file().write_bytes(data)
    assert {"signature", "provenance"} <= shelf.failed()


def test_bytes_behind_the_wheel(shelf: Shelf) -> None:
    with shelf.file().open("ab") as stream:
        stream.write(b"more")
    assert {"signature", "provenance"} <= shelf.failed()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_sidecar(shelf: Shelf, suffix: str) -> None:
    shelf.beside(suffix).unlink()
    assert not shelf.verify().verified


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_sidecar_of_another_file(shelf: Shelf, suffix: str) -> None:
    shutil.copy(shelf.beside(suffix, "beta"), shelf.beside(suffix))
    assert not shelf.verify().verified


def test_another_file_with_all_its_sidecars_under_this_name(shelf: Shelf) -> None:
    """The older, vulnerable release under the newer one's name."""
    for suffix in ("", *SUFFIXES):
        shutil.copy(shelf.beside(suffix, "beta"), shelf.beside(suffix))
    failed = shelf.failed()
    assert "provenance" in failed
    assert "signature" not in failed, "the bytes are signed: it is the name that is wrong"


def test_the_two_bundles_in_each_others_place(shelf: Shelf) -> None:
    one, two = shelf.beside(BUNDLE), shelf.beside(PROVENANCE_BUNDLE)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert {"signature", "provenance"} <= shelf.failed()


@pytest.mark.parametrize("suffix", [CDX, SPDX])
def test_an_edited_sbom(shelf: Shelf, suffix: str) -> None:
    path = shelf.beside(suffix)
    path.write_bytes(path.read_bytes().replace(b"MIT", b"ISC"))
    assert len(shelf.failed()) == 1


def test_a_statement_that_was_edited_inside_its_bundle(shelf: Shelf) -> None:
    path = shelf.beside(PROVENANCE_BUNDLE)
    bundle: dict[str, Any] = json.loads(path.read_bytes())
    payload = bundle["dsseEnvelope"]["payload"]
    bundle["dsseEnvelope"]["payload"] = ("A" if payload[40] != "A" else "B").join((payload[:40], payload[41:]))
    path.write_text(json.dumps(bundle))
    verdict = shelf.verify()
    assert "provenance" in {check.name for check in verdict.failures}
    assert verdict.facts is None, "facts that are not signed are not shown"


@pytest.mark.parametrize("suffix", [BUNDLE, PROVENANCE_BUNDLE])
@pytest.mark.parametrize("part", ["tlogEntries", "timestampVerificationData", "certificate"])
def test_a_bundle_without_its_log_entry_stamp_or_certificate(shelf: Shelf, suffix: str, part: str) -> None:
    path = shelf.beside(suffix)
    bundle: dict[str, Any] = json.loads(path.read_bytes())
    del bundle["verificationMaterial"][part]
    path.write_text(json.dumps(bundle))
    assert not shelf.verify().verified


def test_a_log_entry_with_another_time_or_index(shelf: Shelf) -> None:
    path = shelf.beside(PROVENANCE_BUNDLE)
    for key in ("integratedTime", "logIndex"):
        bundle: dict[str, Any] = json.loads(path.read_bytes())
        entry = bundle["verificationMaterial"]["tlogEntries"][0]
        entry[key] = str(int(entry[key]) + 1)
        path.write_text(json.dumps(bundle))
        assert not shelf.verify().verified


def test_another_farm_of_the_same_name_signed_it(shelf: Shelf, other_farm: Farm) -> None:
    verdict = verify(shelf.file(), trust=other_farm.trust, identity=IDENTITY)
    assert {"signature", "provenance"} <= {check.name for check in verdict.failures}


@pytest.mark.parametrize(
    "identity",
    [
        IDENTITY.model_copy(update={"builder": "https://farm.example/builders/hosted/v1"}),
        IDENTITY.model_copy(update={"issuer": "https://elsewhere.example/oidc"}),
    ],
)
def test_another_builder_was_expected(shelf: Shelf, identity: ExpectedIdentity) -> None:
    assert not verify(shelf.file(), trust=shelf.farm.trust, identity=identity).verified


def test_a_file_that_is_not_there_is_no_file_or_no_wheel(shelf: Shelf, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe-1.0-py3-none-any.whl"
    os.mkfifo(pipe)
    loop = tmp_path / "loop-1.0-py3-none-any.whl"
    loop.symlink_to(loop)
    other = tmp_path / "alpha.rpm"
    shutil.copy(shelf.file(), other)
    for path in (tmp_path / "no-1.0-py3-none-any.whl", tmp_path, pipe, loop, other):
        verdict = verify(path, trust=shelf.farm.trust, identity=IDENTITY)
        assert not verdict.verified
        assert "file" in {check.name for check in verdict.failures}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", ["large", "empty", "deep", "list", "folder", "pipe", "binary"])
def test_odd_sidecars_are_not_verified_and_nothing_hangs(shelf: Shelf, suffix: str, kind: str) -> None:
    path = shelf.beside(suffix)
    path.unlink()
    match kind:
        case "large":
            with path.open("wb") as stream:
                stream.truncate(LIMIT + 1)
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.write_bytes({"empty": b"", "deep": b"[" * 200_000, "list": b"[]", "binary": b"\xff\x00"}[kind])
    assert not shelf.verify().verified


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), suffix=st.sampled_from(SUFFIXES))
def test_a_changed_character_is_refused_or_changes_nothing_that_is_said(
    shelf: Shelf, data: st.DataObject, suffix: str
) -> None:
    """A bundle can be spelled in more than one way (base64, fields that nobody reads); what it says cannot change."""
    path = shelf.beside(suffix)
    before, good = path.read_bytes(), shelf.verify()
    at = data.draw(st.integers(0, len(before) - 1))
    new = data.draw(st.integers(32, 126).filter(lambda n: n != before[at]))
    path.write_bytes(before[:at] + bytes([new]) + before[at + 1 :])
    try:
        verdict = shelf.verify()
        assert not verdict.verified or (verdict == good and suffix in {BUNDLE, PROVENANCE_BUNDLE})
    finally:
        path.write_bytes(before)


def test_sidecars_that_change_while_they_are_verified(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check is about the bytes that were verified: each sidecar is read once."""
    seen: list[str] = []

    def read_then_swap(path: Path) -> bytes:
        data = read_capped(path)
        seen.append(path.name)
        path.write_bytes(b"something else")
        return data

    monkeypatch.setattr("farm.consumer.verify.read_capped", read_then_swap)
    assert shelf.verify().failures == ()
    assert sorted(seen) == sorted(shelf.beside(suffix).name for suffix in SUFFIXES)
