from __future__ import annotations

import pytest

from farm.ecosystems.maven.language import LANGUAGE, declared_artifacts
from farm.errors import SigningRefusedError
from tests.fixtures_maven import plan_of

PLAN = plan_of({"artifacts": ["org.example:foo-bar", "org.example:sample"]}, name="org.example:foo")


def test_what_a_build_may_put_out() -> None:
    assert declared_artifacts(PLAN) == ("org.example:foo", "org.example:foo-bar", "org.example:sample")


@pytest.mark.parametrize(
    "name",
    [
        "foo-1.0.jar", "foo-1.0.pom", "foo-1.0.module", "foo-1.0-sources.jar", "foo-1.0-jdk8.1.jar",
        "foo-bar-1.0.jar", "foo-bar-1.0-javadoc.jar", "sample-1.0.tar.gz", "foo-1.0-bin.tar.gz", "foo-1.0-x.xml",
    ],
)  # fmt: skip
def test_a_file_of_a_declared_artifact_is_signed(name: str) -> None:
    assert LANGUAGE.release(PLAN, name) == name
    names = ("org.example:foo", *LANGUAGE.modules(PLAN.build.options))
    assert any(LANGUAGE.is_file_of(of, "1.0", name) for of in names)


@pytest.mark.parametrize(
    "name",
    [
        "foo-baz-1.0.jar",  # an artifact that is not declared
        "bar-1.0.jar",
        "foo-1.1.jar",
        "foo-1.0.1.jar",
        "foo-1.0SNAPSHOT.jar",
        "foo-10.jar",
        "foo-1.0.exe",
        "foo-1.0",
        "foo-1.0-.jar",
        "foo-1.0-../../x.jar",
        "../foo-1.0.jar",
        "a/foo-1.0.jar",
        "foo-1.0-a b.jar",
        "foo-1.0-a\n.jar",
        "foo-1.0.jar\n",
        "foo-1.0.jar.sha1",
        "FOO-1.0.jar",
        "",
        "foo-1.0-" + "x" * 250 + ".jar",
    ],
)
def test_anything_else_is_not(name: str) -> None:
    with pytest.raises(SigningRefusedError, match="is not a file of"):
        LANGUAGE.release(PLAN, name)


@pytest.mark.parametrize(
    ("version", "name", "can_be"),
    [
        ("1.0", "foo-1.0.jar", True),
        ("1.0", "foo-1.0-sources.jar", True),
        ("1.0", "other-module-1.0.pom", False),
        ("1.0", "foo-1.1.jar", False),
        ("1.0", "foo-1.0.1.jar", False),
        ("1.0", "foo-11.0.jar", False),
        ("1", "foo-10.jar", False),
    ],
)
def test_whether_a_file_can_be_of_a_version(version: str, name: str, can_be: bool) -> None:  # noqa: FBT001 - a table
    assert LANGUAGE.is_file_of("org.example:foo", version, name) is can_be


@pytest.mark.parametrize(
    "name", ["", "foo", "a/foo-1.0.jar", "../x-1.0.jar", "foo-1.0.exe", "-1.0.jar", ".jar", "a\n.jar"]
)
def test_what_is_no_name_of_a_file(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name"):
        LANGUAGE.is_file_of("org.example:foo", "1.0", name)


def test_addresses_of_packages() -> None:
    assert LANGUAGE.purl("org.example:foo", "1.0+x") == "pkg:maven/org.example/foo@1.0%2Bx"
    base = "org/example/foo-bar/1.0/foo-bar-1.0"
    assert LANGUAGE.component("org.example:foo", "1.0", "") == ("org.example:foo", "pkg:maven/org.example/foo@1.0")
    for tail, more in {
        ".jar": "", ".pom": "?type=pom", "-x.jar": "?classifier=x", "-bin.tar.gz": "?classifier=bin&type=tar.gz",
    }.items():  # fmt: skip
        assert LANGUAGE.component("org.example:foo", "1.0", base + tail) == (
            "org.example:foo-bar",
            f"pkg:maven/org.example/foo-bar@1.0{more}",
        )


def test_source_archives() -> None:
    found = LANGUAGE.archive.read("org.example:foo:{version}:zip:source-release", "1.0")
    assert (found.name, found.version, found.variant) == ("org.example:foo", "1.0", "zip:source-release")
    assert LANGUAGE.archive.purl(found) == "pkg:maven/org.example/foo@1.0?classifier=source-release&type=zip"
    assert LANGUAGE.archive.read("org.example:foo:2.0:jar", "1.0").version == "2.0"


@pytest.mark.parametrize("text", ["", "a:b", "a:b:1", "a:b:1:zip:c:d", "a::1:zip", "a/b:c:1:zip", "a:b:LATEST:zip"])
def test_what_names_no_archive(text: str) -> None:
    with pytest.raises(ValueError, match=r"no Maven|no release"):
        LANGUAGE.archive.read(text, "1.0")


def test_the_linters_remark() -> None:
    assert [key for key, _ in LANGUAGE.remarks({"wrapper_script": {"reason": "x"}})] == ["wrapper_script"]
    assert list(LANGUAGE.remarks({})) == []
