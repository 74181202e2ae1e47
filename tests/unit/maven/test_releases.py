from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.ecosystems.maven.ecosystem import ECOSYSTEM
from farm.errors import SourcePinError, SourceUnavailableError
from farm.model.plan import ArchivePin
from farm.model.release import Release
from tests.fixtures_maven_http import Repository, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METADATA = "org/example/sample/maven-metadata.xml"
SOURCE = "org/example/sample/1.1/sample-1.1-source-release.zip"
MODIFIED = {"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"}


def metadata(*versions: str, updated: str = "20260304050607") -> bytes:
    listed = "".join(f"<version>{version}</version>" for version in versions)
    more = f"<lastUpdated>{updated}</lastUpdated>" if updated else ""
    return f"<metadata><versioning><versions>{listed}</versions>{more}</versioning></metadata>".encode()


def pin(version: str = "1.1", name: str = "org.example:sample") -> ArchivePin:
    return ArchivePin(kind="maven", sha256="0" * 64, name=name, version=version, variant="zip:source-release")


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.ecosystems.maven.transfer._LONGEST_PAUSE", 0.01)


@pytest.fixture
def upstream() -> Iterator[Repository]:
    files = {METADATA: metadata("1.0", "1.1", "1.2-SNAPSHOT", "../x"), SOURCE: b"source"}
    with serving(Repository(files, headers={SOURCE: MODIFIED})) as found:
        yield found


@pytest.fixture
def settings(tmp_path: Path, upstream: Repository) -> Settings:
    return Settings(data=tmp_path, maven_repository=upstream.url)


def test_the_versions_are_those_of_the_metadata_that_are_releases(settings: Settings) -> None:
    assert ECOSYSTEM.releases(pin(), settings) == (
        Release(version="1.0", listed_only=True),
        Release(version="1.1", listed_only=True),
    )
    assert ECOSYSTEM.releases(pin(name="org.example:other"), settings) == ()


@pytest.mark.parametrize("head", [200, 405, 501])
def test_a_release_is_looked_at_and_not_fetched(settings: Settings, upstream: Repository, head: int) -> None:
    upstream.fail[SOURCE] = [] if head == 200 else [head]
    expected = Release(version="1.1", released="2026-01-02T03:04:05Z", pins=(hashlib.sha256(b"source").hexdigest(),))
    assert ECOSYSTEM.release(pin(), settings) == expected
    methods = [seen["method"] for seen in upstream.seen if seen["path"] == SOURCE]
    assert methods == (["HEAD"] if head == 200 else ["HEAD", "GET"])


def test_a_digest_in_the_headers_spares_a_request(settings: Settings, upstream: Repository) -> None:
    upstream.headers[SOURCE] = {**MODIFIED, "X-Checksum-Sha256": "a" * 64}
    found = ECOSYSTEM.release(pin(), settings)
    assert found is not None
    assert found.pins == ("a" * 64,)
    assert list(upstream.asked) == [SOURCE]


def test_where_files_have_no_time_the_list_says_that_nothing_in_it_is_younger(
    settings: Settings, upstream: Repository
) -> None:
    def released() -> str:
        found = ECOSYSTEM.release(pin(), settings)
        assert found is not None
        return found.released

    for header in ({}, {"Last-Modified": "yesterday"}, {"Last-Modified": "Fri, 02 Jan 2026 03:04:05 -0000"}):
        upstream.headers[SOURCE] = header
        assert released() == "2026-03-04T05:06:07Z"
    for silent in (metadata("1.0"), metadata("1.1", updated=""), metadata("1.1", updated="20269999999999")):
        upstream.put(METADATA, silent)
        assert released() == ""


def test_a_release_without_the_source_and_one_that_is_none(settings: Settings, upstream: Repository) -> None:
    assert ECOSYSTEM.release(pin("1.0"), settings) == Release(version="1.0", has_source=False)
    assert ECOSYSTEM.release(pin("9"), settings) is None
    upstream.body_of_403 = b"<Error><Code>AccessDenied</Code></Error>"
    upstream.fail[SOURCE] = [403, 403]  # a bucket's words for "not here", in a body that HEAD has not
    assert ECOSYSTEM.release(pin(), settings) == Release(version="1.1", has_source=False)


def test_what_cannot_be_asked(settings: Settings, upstream: Repository) -> None:
    upstream.fail = {SOURCE: [500] * 20, METADATA: [500] * 20}
    with pytest.raises(SourceUnavailableError, match="releases of org"):
        ECOSYSTEM.release(pin(), settings)
    with pytest.raises(SourceUnavailableError):
        ECOSYSTEM.releases(pin(), settings)
    upstream.fail.clear()
    upstream.put(METADATA, b"<html/>")
    with pytest.raises(SourceUnavailableError, match="no metadata"):
        ECOSYSTEM.releases(pin(), settings)
    upstream.put(f"{SOURCE}.sha256", b"no digest")
    with pytest.raises(SourceUnavailableError, match="cannot be read"):
        ECOSYSTEM.release(pin(), settings)
    with pytest.raises(SourcePinError):
        ECOSYSTEM.releases(pin(name="../x:y"), settings)
