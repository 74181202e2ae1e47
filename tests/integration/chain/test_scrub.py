"""`farm scrub` on a farm whose disk lost bytes: what has a source is right again, the rest is named."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from farm.errors import StoredBytesLostError
from farm.model.base import sha256_bytes, sha256_file
from farm.store.vault import blob_key
from tests.fixtures_python import wheel_files, write_wheel
from tests.fixtures_source import tar_of

from .homes import SOURCES, FarmHome, flip
from .packages import add, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures_python import IndexDouble

pytestmark = [pytest.mark.docker, pytest.mark.services]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory, image: str, upstream: IndexDouble) -> Iterator[FarmHome]:
    """A farm of this module's own: others leave damage behind. One package is from git, one from an archive."""
    del image
    folder = tmp_path_factory.mktemp("s")
    home = FarmHome(folder, folder / "recipes", {SOURCES: "repos"}, {"python_index": upstream.url})
    helper = write_wheel(folder, wheel_files("cogwheel"), "cogwheel-1.0-py3-none-any.whl")
    upstream.projects["cogwheel"] = {helper.name: helper.read_bytes()}
    sdist = tar_of(
        *((f"scrub-archive-1.0/{path}", text.encode()) for path, text in tree("scrub-archive", "1.0").items())
    )
    upstream.projects["scrub-archive"] = {"scrub_archive-1.0.tar.gz": sdist}
    with home.running("s3", "signer", "index"):
        home.build(add(home, "scrub-git", requires=["cogwheel==1.0"]).reference).ok()
        archive = {"archive": {"pypi-sdist": "scrub-archive"}}
        pinned = {"1.0": {"sha256": sha256_bytes(sdist)}}
        home.build(add(home, "scrub-archive", source=archive, versions=pinned).reference).ok()
        yield home


def records(home: FarmHome, kind: str, word: str) -> list[tuple[Path, dict[str, Any]]]:
    """Return the vault's records of a kind that are about `word`: file and content."""
    folder = home.data / "s3" / "farm-vault" / "records" / kind
    found = [(path, json.loads(json.loads(path.read_bytes())["data"])) for path in folder.rglob("*.json")]
    return [(path, data) for path, data in found if word in json.dumps(data)]


def test_what_has_a_source_is_healed(farm: FarmHome, tmp_path: Path) -> None:
    before = farm.farm("scrub", "--json").ok().data
    assert (before["vault"]["healed"], before["repository"]["healed"]) == ([], [])
    assert before["vault"]["objects"] > 10
    assert before["repository"]["records"] == 2

    ((_, outcome),) = records(farm, "outcomes", "python/scrub-git@")
    ((_, from_git),) = records(farm, "snapshots", "/scrub-git@")
    ((_, from_archive),) = records(farm, "snapshots", "scrub-archive@")
    wheel, helper = outcome["files"][0], outcome["inputs"][0]
    blobs = [
        wheel["blob"]["sha256"],
        helper["sha256"],
        from_git["archive"]["sha256"],
        from_archive["archive"]["sha256"],
        from_archive["original"]["sha256"],
    ]
    good = {sha256: farm.blob(sha256).read_bytes() for sha256 in blobs}
    for sha256 in blobs[:-1]:
        flip(farm.blob(sha256))
    farm.blob(blobs[-1]).unlink()
    published = farm.published(
        next(iter(records(farm, "outcomes", "python/scrub-archive@")))[1]["files"][0]["filename"]
    )
    as_published = published.read_bytes()
    flip(published)
    beside = farm.published(f"{wheel['filename']}.sigstore.json")
    as_signed = beside.read_bytes()
    beside.unlink()
    shutil.rmtree(farm.data / "cache")
    farm.disk_changed()

    report = farm.farm("scrub", "--json").ok().data
    sources = {item["key"]: item["source"] for item in report["vault"]["healed"]}
    assert set(sources) == {blob_key(sha256) for sha256 in blobs}
    assert sources[blob_key(blobs[0])].startswith("published object files/")
    assert "of the lock scrub-git/1.0-" in sources[blob_key(blobs[1])]
    assert sources[blob_key(blobs[2])] == "the source of python/scrub-git@1.0, taken again"
    assert {sources[blob_key(b)] for b in blobs[3:]} == {"the source of python/scrub-archive@1.0, taken again"}
    assert {item["source"] for item in report["repository"]["healed"]} == {"the vault"}
    assert len(report["repository"]["healed"]) == 2
    farm.disk_changed()
    assert {sha256: farm.blob(sha256).read_bytes() for sha256 in blobs} == good
    assert published.read_bytes() == as_published
    assert beside.read_bytes() == as_signed
    file = farm.download("scrub-git", tmp_path)
    assert sha256_file(file).sha256 == blobs[0]
    farm.farm("verify", file, "--index", farm.simple).ok()

    again = farm.farm("scrub", "--json").ok().data
    assert (again["vault"]["healed"], again["repository"]["healed"]) == ([], [])
    assert farm.build("python/scrub-git").ok().data["reused"] is True
    farm.nothing_is_left()


def test_what_has_none_is_named(farm: FarmHome) -> None:
    ((_, outcome),) = records(farm, "outcomes", "python/scrub-git@")
    ((path, _),) = records(farm, "outcomes", "python/scrub-archive@")
    log = outcome["test"]["log"]["sha256"]
    flip(farm.blob(log))
    flip(path)
    farm.disk_changed()
    error = farm.farm("scrub", "--json").failed(StoredBytesLostError, "2 stored objects")
    lost = {item["key"] for item in error["details"]["vault"]["lost"]}
    assert lost == {blob_key(log), f"records/outcomes/{path.name}"}
    assert log in farm.quarantined()

    # What is published has not suffered; and what cannot be healed stays named for as long as something needs it.
    only = farm.farm("scrub", "--repository", "--json").ok().data
    assert only["vault"] is None
    farm.farm("scrub", "--vault", "--json").failed(StoredBytesLostError, "1 stored objects")
    said = farm.farm("scrub", "--vault")
    assert said.code == StoredBytesLostError.exit_code
    assert f"lost   {blob_key(log)}" in said.out

    # The build that the record was about makes it again.
    assert farm.build("python/scrub-archive").ok().data["reused"] is False
    assert path.is_file()


def test_an_unreadable_published_record_is_named(farm: FarmHome) -> None:
    folder = farm.data / "s3" / "farm-repository" / "records" / "python" / "scrub-git"
    (path,) = folder.iterdir()
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    farm.disk_changed()
    error = farm.farm("scrub", "--repository", "--json").failed(StoredBytesLostError)
    assert [item["key"] for item in error["details"]["repository"]["lost"]] == [f"records/python/scrub-git/{path.name}"]
    path.write_bytes(good)
    farm.disk_changed()
    farm.farm("scrub", "--repository", "--json").ok()
