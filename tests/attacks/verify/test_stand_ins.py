"""Somebody writes to the vault's bucket: what a record calls farm's own result is verified before a build reads it."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.consumer.sidecars import BUNDLE, PROVENANCE_BUNDLE
from farm.errors import InputDigestError
from farm.model.base import sha256_file
from farm.model.lock import LockedFile, StandIn
from farm.pipeline.linking import verify_stand_in
from farm.pipeline.runtime import Runtime
from farm.repository.sigstore_gate import SigstoreGate
from tests.fixtures_source import MemoryVault

from .conftest import IDENTITY

if TYPE_CHECKING:
    from .conftest import Farm, Shelf


def check(
    shelf: Shelf,
    *,
    name: str = "alpha",
    version: str = "1.0",
    ecosystem: str = "python",
    package: str = "alpha",
    signature: str = "",
    provenance: str = "",
    build_key: str = "",
    farm: Farm | None = None,
) -> None:
    """Verify the wheel of `package` as what a lock calls `name` and `version`."""
    path = shelf.file(package)
    blob = sha256_file(path)
    file = LockedFile(
        filename=path.name, name=name, version=version, sha256=blob.sha256, size=blob.size, origin="farm",
        roles=("build",), purl="",
    )  # fmt: skip
    stand_in = StandIn(locked=path.name, file=file, signature=blob, provenance=blob, build_key=build_key)
    texts = (
        signature or shelf.beside(BUNDLE, package).read_text(),
        provenance or shelf.beside(PROVENANCE_BUNDLE, package).read_text(),
    )
    verify_stand_in(stand_in, path, SigstoreGate((farm or shelf.farm).trust, IDENTITY), texts, ecosystem)


def test_a_result_of_farms_own_may_stand_in(shelf: Shelf) -> None:
    check(shelf)
    check(shelf, name="Alpha", version="v1.0")  # as a lock may spell it


@pytest.mark.parametrize(("name", "version"), [("beta", "1.0"), ("alpha", "1.1"), ("alph", "1.0"), ("", "1.0")])
def test_one_of_another_package_or_version_may_not(shelf: Shelf, name: str, version: str) -> None:
    with pytest.raises(InputDigestError, match=r"was built as python/alpha@1\.0"):
        check(shelf, name=name, version=version)


def test_nor_one_of_another_language(shelf: Shelf) -> None:
    with pytest.raises(InputDigestError, match="was built as python/alpha"):
        check(shelf, ecosystem="maven")


def test_nor_an_older_build_of_the_same_version(shelf: Shelf) -> None:
    """It verifies, and its package and version are right: what was mended since would be lost in silence."""
    bundle = json.loads(shelf.beside(PROVENANCE_BUNDLE).read_text())
    statement = json.loads(b64decode(bundle["dsseEnvelope"]["payload"]))
    key = statement["predicate"]["buildDefinition"]["internalParameters"]["buildKey"]
    check(shelf, build_key=key)
    with pytest.raises(InputDigestError, match="is to be of the build 000000000000"):
        check(shelf, build_key="0" * 64)


def test_nor_other_bytes_under_good_bundles(shelf: Shelf) -> None:
    shelf.file().write_bytes(shelf.file().read_bytes() + b"x")
    with pytest.raises(InputDigestError, match="farm's own"):
        check(shelf)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "no json", '{"dsseEnvelope": {}}'])
def test_nor_one_that_nobody_signed(shelf: Shelf, text: str) -> None:
    with pytest.raises(InputDigestError):
        check(shelf, signature=text or " ")
    with pytest.raises(InputDigestError):
        check(shelf, provenance=text or " ")


def test_nor_one_with_the_bundles_of_another_file(shelf: Shelf) -> None:
    with pytest.raises(InputDigestError):
        check(shelf, signature=shelf.beside(BUNDLE, "beta").read_text())
    with pytest.raises(InputDigestError):
        check(shelf, provenance=shelf.beside(PROVENANCE_BUNDLE, "beta").read_text())


def test_nor_one_whose_bundles_were_swapped(shelf: Shelf) -> None:
    signature, provenance = shelf.beside(BUNDLE).read_text(), shelf.beside(PROVENANCE_BUNDLE).read_text()
    with pytest.raises(InputDigestError):
        check(shelf, signature=provenance, provenance=signature)


def test_nor_one_whose_provenance_was_changed(shelf: Shelf) -> None:
    bundle = json.loads(shelf.beside(PROVENANCE_BUNDLE).read_text())
    payload = bundle["dsseEnvelope"]["payload"]
    bundle["dsseEnvelope"]["payload"] = payload[:-8] + ("A" if payload[-8] != "A" else "B") + payload[-7:]
    with pytest.raises(InputDigestError):
        check(shelf, provenance=json.dumps(bundle))


def test_nor_what_another_farm_signed_under_the_same_names(shelf: Shelf, other_farm: Farm) -> None:
    with pytest.raises(InputDigestError):
        check(shelf, farm=other_farm)


def test_what_verified_once_is_verified_again_under_another_name(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name becomes a path on the worker: `..` in it must not come through since the bytes are known."""
    vault, path = MemoryVault(), shelf.file()
    runtime = Runtime(Settings())
    monkeypatch.setitem(runtime.__dict__, "vault", vault)
    monkeypatch.setitem(runtime.__dict__, "_gate", SigstoreGate(shelf.farm.trust, IDENTITY))
    blob = sha256_file(path)

    def stand_in(filename: str) -> StandIn:
        file = LockedFile(
            filename=filename, name="alpha", version="1.0", sha256=blob.sha256, size=blob.size, origin="farm",
            roles=("build",), purl="",
        )  # fmt: skip
        bundles = (vault.put_bytes(shelf.beside(suffix).read_bytes()) for suffix in (BUNDLE, PROVENANCE_BUNDLE))
        return StandIn(locked=filename, file=file, signature=next(bundles), provenance=next(bundles))

    runtime.verify_own(stand_in(path.name), path, "python")
    for filename in ("alpha-1.0-1/../../../evil-py3-none-any.whl", "alpha-1.0-9-py3-none-any.whl"):
        with pytest.raises(InputDigestError):
            runtime.verify_own(stand_in(filename), path, "python")
