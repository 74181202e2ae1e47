from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from farm.catalog.outdated import Standing, outdated
from farm.errors import ConfigError, RecipeError, RecipeNotFoundError, SourceUnavailableError
from tests.fixtures_maven_http import Repository, serving
from tests.fixtures_upstream import GIT, MAVEN, NOW, OLD, YOUNG, YOUNG_UNTIL, Home, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures_python import IndexDouble
    from tests.fixtures_source import GitRepo

PIN = {"1.0": "a" * 64}


@pytest.fixture
def upstream(home: Home) -> Iterator[Repository]:
    with ExitStack() as stack:
        found = stack.enter_context(serving(Repository()))
        home.maven_repository = found.url
        yield found


def put_maven(upstream: Repository, *versions: str, updated: str = "20260101000000") -> None:
    listed = "".join(f"<version>{version}</version>" for version in versions)
    upstream.put(
        "org/example/sample/maven-metadata.xml",
        f"<metadata><versioning><versions>{listed}</versions><lastUpdated>{updated}</lastUpdated></versioning></metadata>".encode(),
    )
    for version in versions:
        upstream.put(source_of(version), version.encode())


def source_of(version: str) -> str:
    return f"org/example/sample/{version}/sample-{version}-source-release.zip"


def only(home: Home, *names: str) -> Standing:
    (found,) = outdated(home.runtime, names, NOW)
    return found


def test_the_newest_that_is_old_enough_and_the_newer_one_that_is_not(home: Home, index: IndexDouble) -> None:
    home.write(PIN)
    for version, time in (("1.0", OLD), ("1.1", OLD), ("1.10", OLD), ("1.11", YOUNG), ("2.0rc1", OLD)):
        upload(index, version, time)
    upload(index, "1.12", OLD, yanked=True)
    assert only(home) == Standing(
        package="python/sample",
        pinned="1.0",
        state="outdated",
        newest="1.10",
        released=OLD,
        cooling="1.11",
        cooling_until=f"{YOUNG_UNTIL}T00:00:00Z",
        reason=f"1.11 cooling until {YOUNG_UNTIL}",
    )
    home.cooldown_days = 0
    assert only(home).newest == "1.11"


def test_all_that_is_new_is_too_young(home: Home, index: IndexDouble) -> None:
    home.write(PIN)
    upload(index, "1.0")
    upload(index, "1.1", "")
    found = only(home)
    assert (found.state, found.newest, found.cooling, found.cooling_until) == ("cooling", "", "1.1", "")
    assert "nobody says when it came out" in found.reason


def test_only_releases_with_an_sdist_count(home: Home, index: IndexDouble) -> None:
    home.write(PIN)
    upload(index, "1.0")
    index.projects["sample"]["sample-1.1-py3-none-any.whl"] = b"wheel"
    assert only(home).state == "current"


def test_maven_releases_in_mavens_order(home: Home, upstream: Repository) -> None:
    home.write({"1.2": "a" * 64}, MAVEN, "org.example:sample")
    put_maven(upstream, "1.2", "1.9", "1.10", "1.11-M1", "1.12", "1.13")
    upstream.headers[source_of("1.13")] = {"Last-Modified": "Sun, 08 Mar 2026 00:00:00 GMT"}
    upstream.headers[source_of("1.10")] = {"Last-Modified": "Wed, 31 Dec 2025 00:00:00 GMT"}
    del upstream.files[source_of("1.12")]
    found = only(home, "maven/org.example:sample")
    assert (found.newest, found.released, found.cooling) == ("1.10", "2025-12-31T00:00:00Z", "1.13")
    assert source_of("1.9") not in upstream.asked  # an older one than the newest that is eligible


def test_a_long_row_of_releases_without_the_source_ends(home: Home, upstream: Repository) -> None:
    home.write({"1.0": "a" * 64}, MAVEN, "org.example:sample")
    put_maven(upstream, *(f"1.{number}" for number in range(40)))
    for number in range(1, 40):
        del upstream.files[source_of(f"1.{number}")]
    found = only(home)
    assert found.state == "failed"
    assert "19 older ones were not looked at" in found.reason


def test_tags_of_a_repository(home: Home, repo: GitRepo) -> None:
    first = repo.commit({"a": "1"})
    repo.git("tag", "v1.0")
    repo.commit({"a": "2"})
    for tag in ("v1.1", "v1.2", "nightly"):
        repo.git("tag", tag)
    repo.ticks = 10**9  # in 2052
    repo.git("tag", "-a", "-m", "new", "v1.2", "-f")
    home.write({"1.0": first}, GIT)
    found = only(home)
    assert (found.newest, found.released[:4], found.cooling) == ("1.1", "2020", "1.2")


def test_who_is_not_asked(home: Home) -> None:
    home.write(PIN, "archive:\n    url: 'https://h.test/{version}.tar.gz'")
    home.write({"1.0": "a" * 40}, "git: https://git.example.test/demo", "other")
    first, second = outdated(home.runtime, (), NOW)
    assert {first.state, second.state} == {"not-asked"}
    assert "no tag pattern" in first.reason
    assert "nothing lists" in second.reason


def test_one_that_fails_is_a_row_and_all_that_fail_are_an_error(
    home: Home, index: IndexDouble, upstream: Repository
) -> None:
    home.write(PIN)
    home.write(PIN, MAVEN, "org.example:sample")
    broken = home.write(PIN, name="broken")
    broken.write_text(broken.read_text() + "no: such key\n")
    upload(index, "1.0")
    upstream.fail["org/example/sample/maven-metadata.xml"] = [500] * 20
    maven, bad, good = outdated(home.runtime, (), NOW)
    assert maven.package == "maven/org.example:sample"
    assert (good.state, maven.state, bad.state) == ("current", "failed", "failed")
    assert maven.reason.startswith("could not be asked: releases of org.example:sample")
    assert "unknown key 'no'" in bad.reason
    broken.unlink()
    home.python_index = "http://127.0.0.1:9/simple/"
    upstream.fail["org/example/sample/maven-metadata.xml"] = [500] * 20
    with pytest.raises(SourceUnavailableError, match="releases of org"):
        outdated(home.runtime, (), NOW)


def test_a_configuration_that_cannot_be_used_is_a_row_too(home: Home, index: IndexDouble) -> None:
    home.write(PIN)
    home.write(PIN, MAVEN, "org.example:sample")
    upload(index, "1.0")
    home.maven_repository = "file:///etc"
    maven, _ = outdated(home.runtime, (), NOW)
    assert maven.state == "failed"
    assert not ConfigError.infrastructure


def test_recipes_that_are_named(home: Home, index: IndexDouble) -> None:
    path = home.write(PIN)
    home.write(PIN, name="other")
    upload(index, "1.0")
    names = ("python/sample", str(path), "python/sample@1.0")
    assert [found.package for found in outdated(home.runtime, names, NOW)] == ["python/sample"]
    with pytest.raises(RecipeNotFoundError, match="did you mean 'python/sample'"):
        outdated(home.runtime, ("python/sampel",), NOW)
    path.write_text(path.read_text().replace("schema: 1", "schema: 2"))
    with pytest.raises(RecipeError):
        outdated(home.runtime, ("python/sample",), NOW)
    assert outdated(Home(home.root / "nothing").runtime, (), NOW) == ()


def test_an_index_that_does_not_know_the_package(home: Home) -> None:
    home.write(PIN)
    assert only(home).reason == "upstream lists no release at all"
