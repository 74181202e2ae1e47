"""A worker gone bad has things signed that no farm would publish: the signer signs bytes, verifying does the rest."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.verify.conftest import Shelf

pytestmark = pytest.mark.services

CDX, SPDX = "sboms/farm.cdx.json", "sboms/farm.spdx.json"


def archive(documents: dict[str, bytes], folder: str = "alpha-1.0.dist-info") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("alpha.py", "answer = 42\n")
        for name, data in documents.items():
            wheel.writestr(f"{folder}/{name}", data)
    return buffer.getvalue()


def test_the_helper_makes_what_verifies(resign: Callable[..., Shelf]) -> None:
    assert resign(make=archive).verify().verified


@pytest.mark.parametrize("stripped", [CDX, SPDX])
def test_an_embedded_sbom_was_stripped(resign: Callable[..., Shelf], stripped: str) -> None:
    shelf = resign(make=lambda documents: archive({n: d for n, d in documents.items() if n != stripped}))
    assert "embedded SBOM" in shelf.failed()


def test_an_embedded_sbom_says_other_things_than_the_sidecar(resign: Callable[..., Shelf]) -> None:
    def make(documents: dict[str, bytes]) -> bytes:
        return archive(documents | {CDX: documents[CDX].replace(b"MIT", b"ISC")})

    assert resign(make=make).failed() == {"CycloneDX SBOM"}


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        document = json.loads(data)
        change(document)
        return json.dumps(document).encode()

    return edit


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (CDX, lambda d: d.update(formulation=[{"bom-ref": "formula"}])),
        (CDX, lambda d: d.update(vulnerabilities=[])),
        (CDX, lambda d: d["compositions"].append({"aggregate": "complete", "assemblies": ["pkg:pypi/alpha@1.0"]})),
        (CDX, lambda d: d["metadata"]["component"].update(hashes=[{"alg": "SHA-256", "content": "a" * 64}])),
        (CDX, lambda d: d["metadata"]["component"]["externalReferences"].clear()),
        (CDX, lambda d: d.update(serialNumber="urn:uuid:00000000-0000-4000-8000-000000000001")),
        (SPDX, lambda d: d["packages"].append({"SPDXID": "SPDXRef-Input-x", "name": "innocent"})),
        (SPDX, lambda d: d["packages"].append({"SPDXID": "SPDXRef-BuilderImage", "name": "innocent"})),
        (SPDX, lambda d: d["packages"].pop()),
        (SPDX, lambda d: d["relationships"].append({"relationshipType": "BUILD_TOOL_OF"})),
        (SPDX, lambda d: d.update(documentNamespace="urn:uuid:00000000-0000-4000-8000-000000000001")),
    ],
)
def test_an_embedded_sbom_says_more_or_less_than_the_sidecar_says_of_the_file(
    resign: Callable[..., Shelf], name: str, change: Callable[[dict[str, Any]], object]
) -> None:
    """Also what the sidecar alone may say: nobody holds it against anything where it is embedded."""
    shelf = resign(make=lambda documents: archive(documents | {name: edited(change)(documents[name])}))
    assert shelf.failed() == {"CycloneDX SBOM" if name == CDX else "SPDX SBOM"}


def test_an_embedded_sbom_in_two_places(resign: Callable[..., Shelf]) -> None:
    def make(documents: dict[str, bytes]) -> bytes:
        buffer = io.BytesIO(archive(documents))
        with zipfile.ZipFile(buffer, "a") as wheel:
            wheel.writestr(f"other-1.0.dist-info/{CDX}", json.dumps({}))
        return buffer.getvalue()

    assert "embedded SBOM" in resign(make=make).failed()


def test_an_embedded_sbom_that_is_a_bomb(resign: Callable[..., Shelf]) -> None:
    shelf = resign(make=lambda documents: archive(documents | {SPDX: b" " * (17 * 1024 * 1024)}))
    assert shelf.file().stat().st_size < 1024 * 1024
    assert "embedded SBOM" in shelf.failed()


@pytest.mark.parametrize("data", [b"P", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_a_wheel_that_is_no_archive(resign: Callable[..., Shelf], data: bytes) -> None:
    assert "embedded SBOM" in resign(make=lambda _: data).failed()


@pytest.mark.parametrize(("suffix", "name"), [(".cdx.json", "CycloneDX SBOM"), (".spdx.json", "SPDX SBOM")])
def test_an_sbom_that_the_provenance_does_not_name(resign: Callable[..., Shelf], suffix: str, name: str) -> None:
    assert resign(named=lambda other: other != suffix).failed() == {name}
