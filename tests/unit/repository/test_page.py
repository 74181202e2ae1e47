"""Where a run's link leads."""

from __future__ import annotations

import pytest

from farm.ecosystems.repositories import layout_of


@pytest.mark.parametrize(
    ("ecosystem", "name", "page"),
    [
        ("python", "markupsafe", "simple/markupsafe/"),
        ("maven", "org.example:foo", "maven/org/example/foo/3.0.2/foo-3.0.2.pom"),
    ],
)
def test_a_published_version_has_an_address(ecosystem: str, name: str, page: str) -> None:
    assert layout_of(ecosystem).page(name, "3.0.2") == page
