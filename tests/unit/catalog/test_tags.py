"""From tags to versions: the way back of the recipe's patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.catalog.upstream import candidate_pin, not_listed, version_of
from farm.model.plan import GitPin
from farm.recipe.load import read_text

if TYPE_CHECKING:
    from farm.recipe.model import Recipe

COMMIT = "b" * 40


def recipe_of(tag: str, more: str = "", *, ecosystem: str = "python") -> Recipe:
    name, image = ("sample", "python311") if ecosystem == "python" else ("org.example:sample", "jdk17")
    line = f"  tag: '{tag}'\n" if tag else ""
    text = (
        f"schema: 1\necosystem: {ecosystem}\nname: {name}\nsource:\n  git: https://h.test/x\n{line}"
        f'versions:\n  "1.0":\n    commit: {COMMIT}\n{more}build:\n  image: {image}\n'
    )
    reading = read_text(text, "recipe.yaml")
    assert reading.problems == ()
    assert reading.recipe is not None
    return reading.recipe


@pytest.mark.parametrize(
    ("pattern", "tag", "version"),
    [
        ("v{version}", "v1.2", "1.2"),
        ("v{version}", "1.2", ""),
        ("v{version}", "v", ""),
        ("v{version}", "vx.y", ""),
        ("{version}", "1.2rc1", "1.2rc1"),
        ("rel/{version}-final", "rel/1.2-final", "1.2"),
        ("rel/{version}-final", "rel/1.2", ""),
        ("{version}/sample-{version}", "1.2/sample-1.2", "1.2"),
        ("{version}/sample-{version}", "1.2/sample-1.3", ""),
    ],
)
def test_a_tag_names_the_version_that_would_have_it(pattern: str, tag: str, version: str) -> None:
    assert version_of(recipe_of(pattern), tag) == version


def test_ranges_with_patterns_of_their_own() -> None:
    recipe = recipe_of("v{version}", '  "<2":\n    tag: "release-{version}"\n  "==1.5":\n    tag: ""\n')
    tags = ("release-1.2", "v1.2", "v2.0", "release-2.0", "release-1.5")
    assert [version_of(recipe, tag) for tag in tags] == ["1.2", "", "2.0", "", ""]


@given(
    st.text(min_size=1, max_size=30),
    st.sampled_from(["v{version}", "{version}", "{version}-{version}", "a/{version}b"]),
)
def test_whatever_a_tag_is_called_the_way_back_is_the_same(tag: str, pattern: str) -> None:
    for ecosystem in ("python", "maven"):
        recipe = recipe_of(pattern, ecosystem=ecosystem)
        version = version_of(recipe, tag)
        if version:
            pin = candidate_pin(recipe, version)
            assert isinstance(pin, GitPin)
            assert pin.tag == tag


def test_who_cannot_be_asked() -> None:
    assert "no tag pattern" in not_listed(recipe_of(""))
    assert not not_listed(recipe_of("v{version}"))
    assert not not_listed(recipe_of("", '  "<1":\n    tag: "old-{version}"\n'))
