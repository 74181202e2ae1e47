"""Flipped bytes: in the vault they are found, put aside and fetched again; in what is published they are refused."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import VerificationError
from farm.model.base import canonical_json, sha256_bytes
from tests.fixtures_python import wheel_files, write_wheel

from .homes import BIN, bytes_of, consumer_environment, flip, run
from .packages import add

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures_python import IndexDouble

    from .homes import FarmHome

pytestmark = [pytest.mark.docker, pytest.mark.services]


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def records(home: FarmHome, kind: str, word: str) -> list[tuple[Path, dict[str, Any]]]:
    """Return the vault's records of a kind that are about `word`: file and content."""
    folder = home.data / "s3" / "farm-vault" / "records" / kind
    found = [(path, json.loads(json.loads(path.read_bytes())["data"])) for path in folder.rglob("*.json")]
    return [(path, data) for path, data in found if word in json.dumps(data)]


def test_a_locked_file_in_the_vault(home: FarmHome, upstream: IndexDouble, tmp_path: Path) -> None:
    helper = write_wheel(tmp_path, wheel_files("gearbox"), "gearbox-1.0-py3-none-any.whl")
    upstream.projects["gearbox"] = {helper.name: helper.read_bytes()}
    package = add(home, "flipped-input", requires=["gearbox==1.0"])
    first = home.build(package.reference).ok().data

    blob = home.blob(digest(helper))
    flip(blob)
    home.disk_changed()
    again = home.build(package.reference, "--force").ok().data
    assert bytes_of(again) == bytes_of(first)
    assert digest(blob) == digest(helper)
    assert digest(helper) in home.quarantined()


def test_the_source_snapshot_in_the_vault(home: FarmHome) -> None:
    package = add(home, "flipped-source")
    first = home.build(package.reference).ok().data
    ((_, snapshot),) = records(home, "snapshots", "/flipped-source@")
    blob = home.blob(snapshot["archive"]["sha256"])
    flip(blob)
    home.disk_changed()
    again = home.build(package.reference, "--force").ok().data
    assert bytes_of(again) == bytes_of(first)
    assert digest(blob) == snapshot["archive"]["sha256"]
    assert snapshot["archive"]["sha256"] in home.quarantined()


def test_a_record_of_the_vault_that_fits_another_tree(home: FarmHome) -> None:
    package = add(home, "forged-source")
    first = home.build(package.reference).ok().data
    ((path, snapshot),) = records(home, "snapshots", "/forged-source@")
    evil = home.blob(snapshot["archive"]["sha256"]).read_bytes().replace(b"VERSION = '1.0'\n", b"VERSION = '6.6'\n")
    forged = {**snapshot, "archive": {"sha256": sha256(evil).hexdigest(), "size": len(evil)}}
    assert forged != snapshot
    blob = home.blob(forged["archive"]["sha256"])
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(evil)
    sealed = json.loads(path.read_bytes())
    sealed["data"] = canonical_json(forged).decode()
    del sealed["sha256"]
    path.write_bytes(canonical_json({**sealed, "sha256": sha256_bytes(canonical_json(sealed))}))
    home.disk_changed()

    again = home.build(package.reference, "--force").ok().data
    assert bytes_of(again) == bytes_of(first)
    assert records(home, "snapshots", "/forged-source@") == [(path, snapshot)]


def test_the_record_of_an_outcome_in_the_vault(home: FarmHome) -> None:
    package = add(home, "flipped-record")
    first = home.build(package.reference).ok().data
    ((path, _),) = records(home, "outcomes", "python/flipped-record@")
    flip(path)
    home.disk_changed()
    again = home.build(package.reference).ok().data
    assert again["reused"] is False
    assert bytes_of(again) == bytes_of(first)
    assert home.build(package.reference).ok().data["reused"] is True


def test_a_published_wheel(home: FarmHome, tmp_path: Path) -> None:
    package = add(home, "flipped-wheel")
    outcome = home.build(package.reference).ok().data
    page = home.page("flipped-wheel")
    good = home.download("flipped-wheel", tmp_path / "good")
    home.farm("verify", good, "--index", home.simple).ok()

    flip(home.published(good.name))
    home.disk_changed()
    bad = home.download("flipped-wheel", tmp_path / "bad")
    assert digest(bad) != digest(good)
    done = home.farm("verify", bad, "--index", home.simple, "--json")
    assert done.code == VerificationError.exit_code
    assert done.data["files"][0]["verified"] is False
    pip = [BIN / "pip", "--isolated", "--no-cache-dir", "download", "--index-url", home.simple, "--dest", tmp_path]
    refused = run([*pip, "flipped-wheel"], env=consumer_environment(tmp_path), cwd=tmp_path)
    assert refused.code != 0
    assert "DO NOT MATCH THE HASHES" in refused.err

    # The damage is no published result: the build runs again, gives the same bytes, and they are put back.
    again = home.build(package.reference).ok().data
    assert again["reused"] is False
    assert bytes_of(again) == bytes_of(outcome)
    home.disk_changed()
    assert digest(home.download("flipped-wheel", tmp_path / "healed")) == digest(good)
    assert home.page("flipped-wheel") == page
    home.farm("verify", tmp_path / "healed" / good.name, "--index", home.simple).ok()


def test_what_lies_beside_a_published_wheel(home: FarmHome, tmp_path: Path) -> None:
    package = add(home, "flipped-beside")
    home.build(package.reference).ok()
    wheel = home.download(package.name, tmp_path)
    suffixes = (".sigstore.json", ".provenance.sigstore.json", ".cdx.json", ".spdx.json")
    for suffix in suffixes:
        flip(home.published(wheel.name + suffix))
    home.disk_changed()
    done = home.farm("verify", wheel, "--index", home.simple, "--json")
    assert done.code == VerificationError.exit_code
    (verdict,) = done.data["files"]
    assert {check["name"]: check["ok"] for check in verdict["checks"]} == {
        check["name"]: check["name"] == "file" for check in verdict["checks"]
    }
    home.build(package.reference).ok()
    home.disk_changed()
    for suffix in suffixes:
        wheel.with_name(wheel.name + suffix).unlink()  # what lies there is verified, never replaced
    home.farm("verify", wheel, "--index", home.simple).ok()
