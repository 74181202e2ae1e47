from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.ecosystems.maven.naming import NAMING, MavenVersion, split_name

TEXTS = st.from_regex(r"[0-9]{1,3}([.-]([0-9]{1,3}|alpha|beta|rc|cr|sp|ga|final|m[0-9]|jre)){0,4}", fullmatch=True)


def test_the_order_is_mavens() -> None:
    # https://maven.apache.org/pom.html#version-order-specification
    ordered = [
        "1.0-alpha-1", "1.0-alpha-2", "1.0-beta-1", "1.0-M1", "1.0-M10", "1.0-RC1", "1.0-SP1", "1.0-1", "1.0.1",
        "1.1", "1.9", "1.10", "2.0", "2023.0.1",
    ]  # fmt: skip
    versions = [MavenVersion(text) for text in ordered]
    assert sorted(versions, reverse=True) == versions[::-1]
    assert all(earlier < later for earlier, later in itertools.pairwise(versions))


@pytest.mark.parametrize(("one", "other"), [("1", "1.0.0"), ("1.0", "1.0-ga"), ("1-rc1", "1-cr1"), ("1.0.Final", "1")])
def test_equal_versions_are_one_in_a_set(one: str, other: str) -> None:
    assert MavenVersion(one) == MavenVersion(other)
    assert len({MavenVersion(one), MavenVersion(other)}) == 1
    assert str(MavenVersion(other)) == other


@settings(deadline=None)  # other work on the machine is no failure
@given(TEXTS, TEXTS)
def test_two_versions_have_one_order(one: str, other: str) -> None:
    a, b = NAMING.version(one), NAMING.version(other)
    assert (a < b) + (b < a) + (a == b) == 1
    if a == b:
        assert hash(a) == hash(b)


@pytest.mark.parametrize(
    "text", ["1.0-alpha1", "1.0.Beta2", "3.0-M1", "1.0-m2", "2.0-rc1", "1.0.CR3", "1.0-20200101-SNAPSHOT", "1.0b3"]
)
def test_what_comes_before_a_release(text: str) -> None:
    assert MavenVersion(text).is_prerelease


@pytest.mark.parametrize("text", ["1.0", "1.0.Final", "33.0-jre", "1.0-android", "1.0-crystal", "r09", "2.0-bridge"])
def test_what_is_a_release(text: str) -> None:
    assert not MavenVersion(text).is_prerelease


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1..2", "../1", "1/2", "1\\2", "1\n", "1.0-SNAPSHOT", "1.0-snapshot", "LATEST", "release", "[1,2)",
     "${v}", "-1", "9" * 5000, "1\0"],
)  # fmt: skip
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        NAMING.version(text)


def test_names_and_their_folders() -> None:
    assert NAMING.name(" org.example:sample ") == "org.example:sample"
    assert NAMING.folder("org.example:sample") == "org.example.sample"
    assert NAMING.folder("org.example.sample") == "org.example.sample"
    assert split_name("a:b") == ("a", "b")


@pytest.mark.parametrize(
    "text",
    ["", "a", "a:b:c", ":b", "a:", "a/b:c", "a:..", "..:b", "a..b:c", ".a:b", "a:.b", "a.:b", "a:b.", "a b:c", "a:b\n",
     "-a:b", "a:b/../../c", "ä:b"],
)  # fmt: skip
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="is no Maven name"):
        split_name(text)


@pytest.mark.parametrize("text", ["", "..", "a/b", "/a", "a:", "a..b", "a:b:c", "a."])
def test_what_is_no_folder(text: str) -> None:
    with pytest.raises(ValueError, match="is no Maven name"):
        NAMING.folder(text)


@settings(deadline=None)  # other work on the machine is no failure
@given(st.text())
def test_a_name_is_a_safe_folder_or_refused(text: str) -> None:
    try:
        folder = NAMING.folder(text)
    except ValueError:
        return
    assert "/" not in folder
    assert not folder.startswith((".", "-"))
    assert NAMING.folder(folder) == folder


@pytest.mark.parametrize(
    ("text", "version", "holds"),
    [
        (">=3.3,<4", "3.10", True),
        (">=3.3,<4", "3.3-rc1", False),
        (">=3.3,<4", "4.0", False),
        ("==1.0", "1", True),
        ("!=1.0", "1", False),
        (">1.0 , <=1.2", "1.2.0", True),
        ("<1", "0.9", True),
    ],
)
def test_ranges(text: str, version: str, holds: bool) -> None:  # noqa: FBT001 - a table
    assert NAMING.is_range(text)
    assert NAMING.contains(text, version) is holds


@pytest.mark.parametrize("text", ["[1,2)", ">=", ">=1,,<2", "~=1", ">=1.0-SNAPSHOT", "1", ""])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        NAMING.contains(text, "1.0")


def test_a_plain_version_is_no_range() -> None:
    assert not NAMING.is_range("1.0")


def test_maven_has_no_requirements_in_a_recipe() -> None:
    with pytest.raises(ValueError, match="stands in its POM"):
        NAMING.requirement("a:b:1")
    with pytest.raises(ValueError, match="stands in its POM"):
        NAMING.is_pinned("a:b:1")
    assert not NAMING.tags("any")
