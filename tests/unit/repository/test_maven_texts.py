"""What is generated for Maven and Gradle, as it was reviewed."""

from __future__ import annotations

from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from farm.ecosystems.maven.repository.metadata import Plugin, maven_metadata, prefixes
from farm.ecosystems.maven.repository.snippets import guides, packages, section
from farm.ecosystems.python.repository.snippets import guides as python_guides

GOLDEN = Path(__file__).with_name("golden")
VERSIONS = {
    "3.4.2": "2026-11-22T10:00:00Z",
    "3.10": "2026-11-23T10:00:00.5Z",
    "3.4.2-M1": "2026-11-24T09:59:59Z",
    "4.0.0-alpha-1": "2026-11-21T10:00:00Z",
}
PLUGINS = (Plugin("kit", "kit-maven-plugin", "Kit & <co>"), Plugin("another", "maven-another-plugin", ""))
NAMES = ("org.example.kit:kit", "org.example:other", "abbot:abbot", "abbot:costello", "com.example:x")
BASE = "http://127.0.0.1:8080/"

TEXTS = {
    "artifact-metadata.xml": maven_metadata("org.example", "sample", VERSIONS),
    "group-metadata.xml": maven_metadata("org.example", "kit", {}, PLUGINS),
    "shared-metadata.xml": maven_metadata("org.example", "kit", {"1.0": "2026-11-22T10:00:00Z"}, PLUGINS),
    "prefixes.txt": prefixes(NAMES),
    "settings.xml": guides(BASE)[0].text.encode(),
    "settings.gradle.kts": guides(BASE)[1].text.encode(),
    "remote.gradle.kts": guides("https://packages.example.org/farm/")[1].text.encode(),
    "pip.conf": python_guides(BASE)[0].text.encode(),
    "uv.toml": python_guides(BASE)[1].text.encode(),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_as_reviewed(name: str) -> None:
    expected = GOLDEN / name
    assert TEXTS[name] == expected.read_bytes(), f"review the new text, then put it into {expected}"


@given(st.permutations(sorted(VERSIONS)), st.permutations(PLUGINS))
def test_metadata_does_not_depend_on_the_order_of_the_listing(versions: list[str], plugins: list[Plugin]) -> None:
    shuffled = {version: VERSIONS[version] for version in versions}
    assert maven_metadata("org.example", "sample", shuffled, plugins) == maven_metadata(
        "org.example", "sample", VERSIONS, PLUGINS
    )


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=40))
def test_no_name_of_a_plugin_breaks_out_of_the_metadata(title: str) -> None:
    (found,) = fromstring(maven_metadata("g", "a", {}, [Plugin("p", "a", title)])).iter("name")
    assert found.text == (title or "a")


def test_prefixes_are_what_resolvers_take() -> None:
    first, *lines = prefixes(NAMES).decode().splitlines()
    assert first == "## repository-prefixes/2.0"
    assert lines == ["/abbot/abbot", "/abbot/costello", "/com/example", "/org/example"]


@pytest.mark.parametrize(
    "raw", [None, b"", b"{}", b"[]", b"\xff", b'{"packages": [{"name": "no colon", "versions": []}]}']
)
def test_a_damaged_list_lists_nothing(raw: bytes | None) -> None:
    assert packages(raw) == []
    assert section(raw).links == ()
