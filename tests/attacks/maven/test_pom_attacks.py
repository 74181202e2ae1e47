"""A POM is foreign text: reading it opens nothing, expands nothing and ends soon."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.maven.pom import LIMIT, read_pom
from farm.errors import SourceUnsafeError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = b"<groupId>g</groupId><artifactId>a</artifactId><version>1</version>"


def test_external_entities_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    for kind in (f'<!ENTITY x SYSTEM "{secret.as_uri()}">', f'<!ENTITY % x SYSTEM "{secret.as_uri()}"> %x;'):
        data = f"<!DOCTYPE project [{kind}]><project><description>&x;</description>".encode() + HEAD + b"</project>"
        with pytest.raises(SourceUnsafeError, match="document type") as caught:
            read_pom(data, "pom.xml")
        assert "the secret" not in str(caught.value)


def test_entities_that_multiply_are_refused() -> None:
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    data = f'<!DOCTYPE p [<!ENTITY l0 "lol">{lines}]><project>&l11;'.encode() + HEAD + b"</project>"
    with pytest.raises(SourceUnsafeError, match="document type"):
        read_pom(data, "pom.xml")


def test_a_document_type_of_another_place() -> None:
    data = b'<!DOCTYPE project SYSTEM "file:///etc/passwd"><project>' + HEAD + b"</project>"
    with pytest.raises(SourceUnsafeError, match="document type"):
        read_pom(data, "pom.xml")


def test_an_entity_that_nobody_knows() -> None:
    with pytest.raises(SourceUnsafeError, match="no readable XML"):
        read_pom(b"<project><description>&secret;</description>" + HEAD + b"</project>", "pom.xml")


def test_properties_that_multiply_are_cut() -> None:
    properties = "".join(f"<p{n}>{f'${{p{n + 1}}}' * 400}</p{n}>" for n in range(40))
    versions = "<dependency><groupId>${p0}</groupId><artifactId>${p0}</artifactId><version>${p0}</version></dependency>"
    data = (
        b"<project>"
        + HEAD
        + f"<properties>{properties}<p40>x</p40></properties><dependencies>{versions * 2000}</dependencies>".encode()
        + b"</project>"
    )
    start = time.monotonic()
    with pytest.raises(SourceUnsafeError, match="expand too far"):
        read_pom(data, "pom.xml")
    assert time.monotonic() - start < 10


def test_too_large() -> None:
    with pytest.raises(SourceUnsafeError, match="more than a POM may have"):
        read_pom(b"<project>" + b" " * LIMIT + b"</project>", "pom.xml")


def test_depth_and_breadth_end_soon() -> None:
    start = time.monotonic()
    deep = b"<project>" + HEAD + b"<a>" * 300_000 + b"</a>" * 300_000 + b"</project>"
    assert read_pom(deep, "pom.xml").artifact == "a"
    plugins = b"<plugin><artifactId>x</artifactId></plugin>" * 50_000
    broad = b"<project>" + HEAD + b"<build><plugins>" + plugins + b"</plugins></build></project>"
    assert len(read_pom(broad, "pom.xml").observations) == 1
    assert time.monotonic() - start < 20


def test_controls_do_not_reach_evidence() -> None:
    data = b"<project>" + HEAD + "<description>a\u202eb\u0085c</description></project>".encode()
    assert read_pom(data, "pom.xml").description.isprintable()
