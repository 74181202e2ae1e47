from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from farm.consumer import verify as module
from farm.consumer.sidecars import json_object, read_capped
from farm.errors import VerificationError
from farm.evidence.facts import ProvenanceFacts
from farm.trust.identity import ExpectedIdentity

if TYPE_CHECKING:
    from pathlib import Path

BUILDER = "https://farm.example/builders/workstation/v1"
IDENTITY = ExpectedIdentity(builder=BUILDER, issuer="https://farm.example/oidc")


def facts(**values: Any) -> ProvenanceFacts:
    empty: dict[str, Any] = dict.fromkeys(ProvenanceFacts.model_fields, "")
    return ProvenanceFacts.model_construct(
        **empty
        | {
            "ecosystem": "python",
            "package": "sample-lib",
            "version": "1.4.2",
            "builder_id": BUILDER,
            "build_type": "https://farm.example/buildtypes/python-wheel/v1",
        }
        | values
    )


@pytest.mark.parametrize(
    "filename",
    ["sample_lib-1.4.2-py3-none-any.whl", "Sample.Lib-1.4.2-py3-none-any.whl", "sample_lib-1.4.2.0-py3-none-any.whl"],
)
def test_a_name_counts_as_packaging_reads_it(filename: str) -> None:
    assert module._package(facts(), filename)


@pytest.mark.parametrize(
    ("filename", "values"),
    [
        ("sample_lib-1.4.3-py3-none-any.whl", {}),
        ("samplelib-1.4.2-py3-none-any.whl", {}),
        ("sample_lib-1.4.2+local-py3-none-any.whl", {}),
        ("sample_lib-1.4.2-py3-none-any.whl", {"package": "other"}),
        ("sample_lib-1.4.2-py3-none-any.whl", {"version": "not a version"}),
        ("sample_lib-1.4.2.tar.gz", {}),
        ("sample_lib-x-py3-none-any.whl", {}),
    ],
)
def test_another_package_or_version_is_refused(filename: str, values: dict[str, str]) -> None:
    with pytest.raises(VerificationError):
        module._package(facts(**values), filename)


def test_the_builder_and_its_build_type_are_accepted() -> None:
    assert module._builder(facts(slsa_level=1), IDENTITY)


@pytest.mark.parametrize(
    "values",
    [
        {"builder_id": "https://farm.example/builders/hosted/v1"},
        {"build_type": "https://farm.example/buildtypes/python-wheel/v2"},
        {"build_type": "https://elsewhere.example/buildtypes/python-wheel/v1"},
        {"ecosystem": "cobol"},
    ],
)
def test_another_builder_or_build_type_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(VerificationError):
        module._builder(facts(**values), IDENTITY)


@pytest.mark.parametrize(
    "bundle",
    [
        b"{}",
        b'{"verificationMaterial": []}',
        b'{"verificationMaterial": {"tlogEntries": []}}',
        b'{"verificationMaterial": {"tlogEntries": [3]}}',
        b'{"verificationMaterial": {"tlogEntries": [{"logIndex": "x"}]}}',
        b'{"verificationMaterial": {"tlogEntries": [{"logIndex": "1", "integratedTime": "99999999999999999999"}]}}',
    ],
)
def test_a_log_entry_that_cannot_be_read_is_an_error(bundle: bytes) -> None:
    with pytest.raises(VerificationError):
        module._log_entry(bundle)


def test_a_log_without_a_time_of_its_own() -> None:
    _, entry = module._log_entry(b'{"verificationMaterial": {"tlogEntries": [{"logIndex": "7"}]}}')
    assert (entry.index, entry.integrated) == (7, "")


def test_json_with_a_key_twice_is_refused() -> None:
    with pytest.raises(VerificationError, match="twice"):
        json_object("x", b'{"a": 1, "a": 2}')


def test_an_unreadable_sidecar_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="missing"):
        read_capped(tmp_path / "absent")
    with pytest.raises(VerificationError):
        read_capped(tmp_path / ("x" * 5000))
