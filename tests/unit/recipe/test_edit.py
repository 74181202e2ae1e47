from __future__ import annotations

from itertools import takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.errors import RecipeEditError, RecipeError
from farm.recipe.edit import with_version
from farm.recipe.load import read_text

OLD, NEW = "a" * 64, "5" * 64
NEW_QUOTED = f'"{NEW}"'  # plain it would be a number

HEAD = "schema: 1\necosystem: python\nname: sample\n"
BUILD = "build:\n  image: python311\n"
SDIST = "source:\n  archive:\n    pypi-sdist: sample\n"


def inserted(old: str, new: str) -> str:
    """Return what stands in `new` and not in `old`; fails when anything else differs."""
    start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    assert new.endswith(old[start:])
    # What is between a common beginning and a common end can be shifted: as whole lines it is readable.
    while start and new[start - 1] != "\n" and new[start - 1] == new[start - 1 + len(new) - len(old)]:
        start -= 1
    return new[start : start + len(new) - len(old)]


@st.composite
def layouts(draw: st.DrawFn) -> str:
    """Write the same recipe as different people would."""

    def one_of(*choices: str) -> str:
        return draw(st.sampled_from(choices))

    outer, inner = " " * draw(st.integers(1, 6)), " " * draw(st.integers(1, 6))
    quote = one_of('"', "'")
    space = one_of(" ", "   ")
    comment = one_of("", "   # checked by hand", " # ünïcode")
    pin = f"sha256:{space}{OLD}"
    body = one_of(
        f"\n{outer}{inner}{pin}{comment}\n",
        f"\n{outer}{inner}# what was uploaded\n{outer}{inner}{pin}\n{outer}{inner}# and no more\n",
        f" {{{pin}}}{comment}\n",
        f" {{ {pin}, limits: {{ pids: 64 }} }}\n",
        f" &one\n{outer}{inner}{pin}\n",
        f"\n{outer}{inner}{pin}\n{outer}{inner}build:\n{outer}{inner}  requires:\n{outer}{inner}  - flit-core\n",
        f"\n{outer}{inner}{pin}\n{outer}{inner}test:\n{outer}{inner}  command:\n"
        f"{outer}{inner}   - |\n{outer}{inner}     import x\n\n{outer}{inner}     x.y()\n",
        f"\n{outer}{inner}{pin}\n{outer}{inner}test:\n{outer}{inner}  skip:\n"
        f"{outer}{inner}   reason: >-\n{outer}{inner}     folded\n{outer}{inner}     words\n",
    )
    gap = one_of("", "\n", "\n\n", f"{outer}# about what follows\n", "# at the margin\n")
    more = one_of("", f"{outer}{quote}<2{quote}:\n{outer}{inner}limits: {{pids: 32}}\n")
    versions = f"versions:{one_of('', '  # oldest first')}\n{outer}{quote}1.0{quote}:{body}{gap}{more}"
    parts = draw(st.permutations([SDIST, versions, BUILD]))
    text = one_of("", "# A recipe.\n", "---\n") + HEAD + one_of("", "\n", "# -----\n").join(parts)
    # A literal block that the file breaks off would get the line end that it does not have.
    text = text.rstrip("\n") + one_of(*(["\n", "\n\n"] if "|" in body else ["", "\n", "\n\n"]))
    return text.replace("\n", one_of("\n", "\r\n"))


@settings(deadline=None, max_examples=200)  # other work on the machine is no failure
@given(layouts())
def test_a_version_more_and_nothing_else(old: str) -> None:
    before = read_text(old, "recipe.yaml")
    assert before.problems == ()
    new = with_version(old, "recipe.yaml", "1.1", NEW)
    added = inserted(old, new)
    assert added.count(NEW) == 1
    assert added.count("1.1") == 1
    after = read_text(new, "recipe.yaml")
    assert after.problems == ()
    assert after.recipe is not None
    assert after.recipe.pinned == ("1.0", "1.1")
    assert after.recipe.versions["1.1"].sha256 == NEW
    value = after.document.value
    del value["versions"]["1.1"]
    assert value == before.document.value
    # The line endings of the file, and as many at its end as before.
    if "\r\n" in old:
        assert new.count("\n") == new.count("\r\n")
    assert new.endswith("\n") == old.endswith("\n")
    again = with_version(new, "recipe.yaml", "1.2", NEW)
    assert "1.2" in inserted(new, again)
    twice = read_text(again, "recipe.yaml").recipe
    assert twice is not None
    assert twice.pinned == ("1.0", "1.1", "1.2")


@pytest.mark.parametrize(
    ("versions", "entry"),
    [
        ('  "1.0":\n    sha256: A\n', '  "1.1":\n    sha256: B\n'),
        ("  '1.0':\n      'sha256': 'A'  # why\n", "  '1.1':\n      'sha256': 'B'\n"),
        ('  1.0.0:\n    sha256: "A"\n', '  "1.1":\n    sha256: "B"\n'),
        ('  "1.0": {sha256: A}\n  "<2": {}\n', '  "1.1": {sha256: B}\n'),
        ('  "1.0": { sha256: A }\n', '  "1.1": { sha256: B }\n'),
        ('  "1.0":\n    sha256: A\n    # of the upload\n  # the rest\n  ">1": {}\n', '  "1.1":\n    sha256: B\n'),
    ],
)
def test_it_is_written_as_its_neighbour_is(versions: str, entry: str) -> None:
    text = f"{HEAD}{SDIST}versions:\n{versions}{BUILD}".replace("A", OLD)
    added = inserted(text, with_version(text, "r", "1.1", NEW.replace("5", "d")))
    assert added == entry.replace("B", "d" * 64)


@pytest.mark.parametrize("pin", ["1" * 40, "1" * 20 + "e" + "1" * 19, "0" * 40])
def test_what_yaml_would_take_for_a_number_is_quoted(pin: str) -> None:
    text = f'{HEAD}source:\n  git: https://h.test/x\nversions:\n  "1.0":\n    commit: {"b" * 40}\n{BUILD}'
    assert f'commit: "{pin}"\n' in with_version(text, "r", "1.1", pin)


def test_a_recipe_that_is_json() -> None:
    text = (
        '{"schema": 1, "ecosystem": "python", "name": "sample", "source": {"archive": {"pypi-sdist": "sample"}},\n'
        f' "versions": {{\n  "1.0": {{"sha256": "{OLD}"}},\n  "<1": {{}}\n }}, "build": {{"image": "python311"}}}}'
    )
    new = with_version(text, "r", "1.1", NEW)
    assert inserted(text, new)
    assert f'"1.0": {{"sha256": "{OLD}"}}, "1.1": {{"sha256": "{NEW}"}},\n' in new


def test_an_anchored_mapping_can_be_added_to() -> None:
    text = f'{HEAD}{SDIST}versions: &all\n  "1.0":\n    sha256: {OLD}\n{BUILD}'
    assert inserted(text, with_version(text, "r", "1.1", NEW)) == f'  "1.1":\n    sha256: {NEW_QUOTED}\n'


def test_a_literal_block_without_its_line_end_is_not_changed_on_the_way() -> None:
    versions = f'versions:\n  "1.0":\n    sha256: {OLD}\n    test:\n      command:\n      - |\n        import x'
    with pytest.raises(RecipeEditError):
        with_version(f"{HEAD}{SDIST}{BUILD}{versions}", "r", "1.1", NEW)
    assert with_version(f"{HEAD}{SDIST}{BUILD}{versions}\n", "r", "1.1", NEW)


def test_keys_in_their_long_form_are_refused_and_the_pin_is_named() -> None:
    text = f'{HEAD}{SDIST}versions:\n  ? "1.0"\n  : sha256: {OLD}\n{BUILD}'
    assert read_text(text, "r").problems == ()
    with pytest.raises(RecipeEditError, match=NEW):
        with_version(text, "r", "1.1", NEW)


def test_a_mapping_that_is_used_twice_is_not_touched() -> None:
    text = f'{HEAD}{SDIST}versions:\n  "0.9": &e\n    sha256: {OLD}\n  "1.0": *e\nbuild:\n  image: python311\n'
    assert read_text(text, "r").problems == ()
    new = with_version(text, "r", "1.1", NEW)
    assert inserted(text, new) == f'  "1.1":\n    sha256: {NEW_QUOTED}\n'


def test_a_recipe_with_problems_is_not_edited() -> None:
    with pytest.raises(RecipeError):
        with_version(f"{HEAD}{SDIST}versions: {{}}\n{BUILD}", "r", "1.1", NEW)
    with pytest.raises(RecipeEditError):
        with_version(f'{HEAD}{SDIST}versions:\n  "1.0":\n    sha256: {OLD}\n{BUILD}', "r", "no version", NEW)
