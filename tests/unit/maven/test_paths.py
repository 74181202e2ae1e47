from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.ecosystems.maven.paths import Coordinates, parse_path, parse_target

NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,9}", fullmatch=True)
DOTTED = st.lists(NAME, min_size=1, max_size=4).map(".".join)
VERSION = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}(-rc[0-9])?(\+b[0-9])?(-SNAPSHOT)?", fullmatch=True)


@given(
    st.builds(
        Coordinates,
        group=DOTTED,
        artifact=DOTTED,
        version=VERSION,
        classifier=st.one_of(st.just(""), NAME, st.just("jdk1.5"), st.just("linux-x86_64")),
        extension=st.sampled_from(["jar", "pom", "module", "zip", "tar.gz", "war"]),
    )
)
def test_coordinates_come_back(coordinates: Coordinates) -> None:
    found = parse_path(coordinates.path)
    assert found.coordinates == coordinates
    assert found.snapshot == coordinates.snapshot
    for sidecar in (f"{coordinates.path}.sha1", f"{coordinates.path}.asc", f"{coordinates.path}.asc.md5"):
        assert parse_path(sidecar).coordinates == coordinates
        assert parse_path(sidecar).of == sidecar.rpartition(".")[0]


@given(st.text(max_size=60))
def test_whatever_is_taken_stays_below_its_folder(text: str) -> None:
    try:
        found = parse_path(text)
    except ValueError:
        return
    assert found.text == text
    assert not set(text.split("/")) & {"", ".", ".."}
    assert text.isascii()
    assert text.isprintable()
    if found.coordinates is not None:
        assert (found.of or text).startswith(found.coordinates.path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("org/x/a/1.0/a-1.0.jar", "jar"),
        ("org/x/a/1.0/a-1.0-sources.jar", "jar"),
        ("org/x/a/1.0/a-1.0.pom", "pom"),
        ("org/x/a/1.0/a-1.0.module", "module"),
        ("org/x/a/1.0/a-1.0-source-release.zip", "file"),
        ("org/x/a/1.0/a-1.0.jar.sha512", "checksum"),
        ("org/x/a/1.0/a-1.0.jar.asc", "signature"),
        ("org/x/a/1.0/a-1.0.jar.asc.sha1", "checksum"),
        ("org/x/a/1.0/a-1.0.jar.sigstore.json", "signature"),
        ("org/x/a/maven-metadata.xml", "metadata"),
        ("org/x/maven-metadata.xml", "metadata"),
        ("org/x/a/maven-metadata.xml.sha1", "checksum"),
        (".meta/prefixes.txt", "file"),
        ("org/x/a/1.0/b-1.0.jar", "file"),
    ],
)
def test_kinds(path: str, kind: str) -> None:
    assert parse_path(path).kind == kind


def test_a_deployed_snapshot() -> None:
    path = "org/x/a/1.0-SNAPSHOT/a-1.0-20240102.030405-6-tests.jar"
    found = parse_path(path)
    assert found.snapshot
    assert found.coordinates == Coordinates("org.x", "a", "1.0-SNAPSHOT", "tests", "jar", "20240102.030405-6")
    assert found.coordinates.path == path
    assert parse_path("org/x/a/1.0-SNAPSHOT/maven-metadata.xml").snapshot
    assert not parse_path("org/x/a/1.0/a-1.0.jar").snapshot


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "//org/x",
        "/org//x",
        "/org/x/",
        "/org/../x",
        "/org/./x",
        "/org/%2e%2e/x",
        "/org/%2E./x",
        "/org%2f..%2fx",
        "/org/...",
        "/org/%252e%252e/x",
        "/org\\x",
        "/org/%5c..%5cx",
        "/org/x%00.jar",
        "/org/x%0d%0a.jar",
        "/org/x y",
        "/org/\N{CYRILLIC SMALL LETTER A}",
        "/org/%d0%b0",
        "/org/x?y",
        "/org/x#y",
        "org/x",
        "http://elsewhere.test/org/x",
        "*",
        "/" + "a/" * 50 + "x",
        "/" + "a" * 300,
        "/" + "%61" * 3000,
    ],
)
def test_odd_targets_are_refused(target: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_target(target)


def test_a_target_may_be_encoded() -> None:
    assert parse_target("/" + quote("org/x/a/1.0+b1/a-1.0+b1.jar")).text == "org/x/a/1.0+b1/a-1.0+b1.jar"
