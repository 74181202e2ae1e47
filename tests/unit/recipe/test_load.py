from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.errors import RecipeError, RecipeNotFoundError, SourcePinError
from farm.recipe.load import load_recipe, problems_error, read_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.recipe.problem import Problem


def problems(text: str) -> tuple[Problem, ...]:
    return read_text(text, "recipe.yaml").problems


def test_good_recipe_has_no_problems(good: str) -> None:
    reading = read_text(good, "recipe.yaml")
    assert reading.problems == ()
    assert reading.recipe is not None
    assert reading.recipe.pinned == ("1.4.2",)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('  requires: ["setup', '  reqires: ["setup', "12:3: unknown key 'reqires'; did you mean 'requires'?"),
        ("    commit:", "    comit:", "9:5: unknown key 'comit'; did you mean 'commit'?"),
        ("source:", "sources:", "4:1: unknown key 'sources'; did you mean 'source'?"),
        ('  tag: "v', '  xyzzy: "v', "6:3: unknown key 'xyzzy' (known here: archive, git, subdirectory, submodules, t"),
        ("image: python311", "image: 311", "11:10: build.image: expected text, found a number (311)"),
        ("image: python311", "image: ../x", "11:10: '../x' is no name of an image (a folder under images/)"),
        ("  image: python311\n", "", "10:1: 'image' is missing"),
        ("[sample_lib]", "sample_lib", "15:12: test.imports: expected a list, found text"),
        ("schema: 1", "schema: 2", "1:9: schema: input should be 1"),
        ("ecosystem: python", "ecosystem: pyhton", "2:12: unknown ecosystem 'pyhton' (known: maven, python); did"),
        ("name: sample-lib", "name: Sample_Lib", "3:7: the name 'Sample_Lib' is not in its normal form; did you"),
        ('"1.4.2":', "1.4:", "8:3: the key 1.4 is not text for YAML: put it into quotes"),
        ('"1.4.2":', '"1.4.x":', "8:3: '1.4.x' is no version (PEP 440)"),
        ('"v{version}"', '"v1.4.2"', "6:8: the tag pattern 'v1.4.2' does not contain {version}"),
        ('"v{version}"', '"v{ver}"', "6:8: 'v{ver}': the only place-holder is {version}"),
        ('"v{version}"', '"-v{version}"', "6:8: '-v{version}' can be no tag"),
        ("py3-none-any", "any", "13:9: 'any' are no tags, such as py3-none-any or cp311-cp311-linux"),
        ("setuptools==75.1.0", "setuptools=75", "12:14: 'setuptools=75' is no requirement"),
        ("setuptools==75.1.0", "x @ https://h/x.whl", "12:14: 'x @ https://h/x.whl' names an address"),
        ("schema: 1", "schema: 1\nschema: 1", "2:1: the key 'schema' is there already, in line 1"),
        ("  tag:", "\ttag:", "6:1:"),
        ("[pytest]", "[pytest", "18:1: expected ',' or ']'"),
    ],
)  # fmt: skip
def test_each_problem_has_its_place_and_the_nearest_word(good: str, old: str, new: str, expected: str) -> None:
    assert old in good
    found = [str(problem) for problem in problems(good.replace(old, new, 1))]
    assert any(line.startswith(f"recipe.yaml:{expected}") for line in found), found


def test_all_problems_come_at_once_in_order(good: str) -> None:
    text = good.replace("image: python311", "imag: x").replace("requires: [pytest]", "require: 5")
    found = problems(text)
    assert [p.line for p in found] == sorted(p.line for p in found)
    assert {p.suggestion for p in found} >= {"image", "requires"}


@pytest.mark.parametrize("commit", ["abc1234", "3F0C2A9D5B7E4C1F8A6D9E2B0C4F7A1D3E5B8C60", "main", "", "a" * 63])
def test_commit_that_is_no_pin_has_an_error_of_its_own(good: str, commit: str, write: Callable[..., Path]) -> None:
    text = good.replace("commit: 3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60", f'commit: "{commit}"')
    with pytest.raises(SourcePinError, match=r"9:13"):
        load_recipe(write(text))


def test_missing_commit_and_missing_digest(good: str, write: Callable[..., Path]) -> None:
    text = good.replace("    commit: 3f0c2a9d5b7e4c1f8a6d9e2b0c4f7a1d3e5b8c60\n", "    limits: {pids: 9}\n")
    with pytest.raises(SourcePinError, match=r"version 1\.4\.2 has no commit: pin the full commit"):
        load_recipe(write(text))
    archive = text.replace("  git: https://git.example.test/team/sample-lib\n", "  archive: {pypi-sdist: sample-lib}\n")
    archive = archive.replace('  tag: "v{version}"\n', "")
    with pytest.raises(SourcePinError, match="has no sha256"):
        load_recipe(write(archive, "python/other"))


def test_pin_of_the_wrong_kind_and_ranges_with_pins(good: str) -> None:
    digest = "a" * 64
    found = problems(good.replace("    commit:", f"    sha256: {digest}\n    commit:"))
    assert "sha256 does not pin a source of the kind git" in str(found[0])
    found = problems(good.replace('  "1.4.2":', f'  ">=1": {{commit: {"b" * 40}}}\n  "1.4.2":'))
    assert "is a range" in str(found[0])
    found = problems(good.replace('"1.4.2"', '">=1.4.2"').replace("commit", "limits: {} #"))
    assert any("there are only ranges" in str(p) for p in found)


def test_the_same_version_twice(good: str) -> None:
    found = problems(good.replace("build:\n", f'  "1.4.2.0": {{commit: {"b" * 40}}}\nbuild:\n', 1))
    assert [p.message for p in found] == ["the version 1.4.2.0 is there already as 1.4.2"]


def test_exactly_one_source(good: str) -> None:
    found = problems(good.replace('  tag: "v{version}"', "  archive: {pypi-sdist: x}"))
    assert "exactly one of: git, archive" in str(found[0])
    found = problems(good.replace("git: https://git.example.test/team/sample-lib", "submodules: true"))
    assert "exactly one of: git, archive" in str(found[0])


def test_field_names_of_the_code_are_no_keys(good: str) -> None:
    assert any("schema_version" in str(p) for p in problems(good.replace("schema:", "schema_version:")))


def test_errors_carry_all_problems(good: str, write: Callable[..., Path]) -> None:
    path = write(good.replace("image:", "imgae:").replace("imports:", "import:"))
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    listed = caught.value.details["problems"]
    assert {p["suggestion"] for p in listed} == {"image", "imports"}
    assert all(str(p["line"]) in caught.value.message for p in listed)
    assert caught.value.exit_code == 10


def test_pin_and_other_problems_together_are_a_recipe_error(good: str) -> None:
    found = problems(good.replace("image:", "imgae:").replace("3f0c2a9d", ""))
    assert isinstance(problems_error(found), RecipeError)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(RecipeNotFoundError):
        load_recipe(tmp_path / "nothing.yaml")
    binary = tmp_path / "recipe.yaml"
    binary.write_bytes(b"schema: 1\n\xff\xfe")
    with pytest.raises(RecipeError, match=r":2:1: the text is not UTF-8"):
        load_recipe(binary)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_gives_problems_and_never_an_exception(text: str) -> None:
    reading = read_text(text, "recipe.yaml")
    assert reading.problems
    assert all(p.line >= 1 and p.column >= 1 for p in reading.problems)


WORDS = st.sampled_from(["schema", "versions", "source", "build", "test", "git", "limits", "tag", "1.0", ">=1", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(VALUES)
def test_any_shape_gives_problems_and_never_an_exception(value: object) -> None:
    import json  # noqa: PLC0415 - JSON is YAML

    assert read_text(json.dumps(value), "recipe.yaml").problems
