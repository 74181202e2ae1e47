from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.catalog.cooldown import candidates, cooling
from farm.model.release import Release
from tests.fixtures_upstream import NOW, Home

if TYPE_CHECKING:
    from farm.recipe.model import Recipe


@pytest.mark.parametrize(
    ("released", "words"),
    [
        ("2026-03-03T12:00:00Z", ""),
        ("2026-03-03T12:00:01Z", "cooling until 2026-03-10"),
        ("2026-03-09T00:00:00Z", "cooling until 2026-03-16"),
        ("2030-01-01T00:00:00Z", "cooling until 2030-01-08"),
        ("", "cooling: nobody says when it came out"),
        ("yesterday", "cooling: nobody says when it came out"),
        ("9999-12-31T00:00:00Z", "cooling: nobody says when it came out"),
    ],
)
def test_a_release_cools_for_some_days(released: str, words: str) -> None:
    assert str(cooling(Release(version="1", released=released), 7, NOW) or "") == words


def test_without_a_cooldown_nothing_cools() -> None:
    assert cooling(Release(version="1"), 0, NOW) is None


@given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)), st.integers(1, 4000))  # noqa: DTZ001 - hypothesis wants them without a zone
def test_it_is_eligible_exactly_from_the_day_that_is_named(released: datetime, days: int) -> None:
    release = Release(version="1", released=released.strftime("%Y-%m-%dT%H:%M:%SZ"))
    found = cooling(release, days, released)
    assert found is not None
    until = datetime.fromisoformat(found.until)
    assert cooling(release, days, until) is None
    assert cooling(release, days, until - timedelta(seconds=1)) == found


@pytest.fixture
def recipe(home: Home) -> Recipe:
    return home.recipe({"1.0": "0" * 64, "2.0rc1": "1" * 64})


def chosen(recipe: Recipe, *releases: Release | str) -> list[str]:
    found = (Release(version=release) if isinstance(release, str) else release for release in releases)
    return [release.version for release in candidates(recipe, found)]


def test_candidates_are_newer_releases_newest_first(recipe: Recipe) -> None:
    assert chosen(recipe, "0.9", "1.0", "1.0.0", "1.10", "1.9", "2.0") == ["2.0", "1.10", "1.9"]


def test_what_is_never_proposed(recipe: Recipe) -> None:
    withdrawn = Release(version="1.1", yanked=True)
    without = Release(version="1.2", has_source=False)
    assert chosen(recipe, withdrawn, without, "2.0rc1", "2.0rc2", "2.1.dev1", "no version", "2rc1") == []
