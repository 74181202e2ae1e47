from __future__ import annotations

import pytest

from farm.ecosystems.maven.merge import merge_metadata
from farm.errors import InputUnavailableError


def metadata(*versions: str, latest: str = "", more: str = "") -> bytes:
    listed = "".join(f"<version>{v}</version>" for v in versions)
    newest = f"<latest>{latest}</latest><release>{latest}</release>" if latest else ""
    return (
        f"<metadata><groupId>g</groupId><artifactId>a</artifactId><versioning>{newest}<versions>{listed}</versions>"
        f"<lastUpdated>20240101000000</lastUpdated></versioning>{more}</metadata>"
    ).encode()


def test_all_versions_and_the_latest_of_the_configured_repository() -> None:
    merged = merge_metadata(metadata("1.0", "1.0-ours", latest="1.0-ours"), metadata("1.0", "2.0", latest="2.0"), "p")
    text = merged.decode()
    assert text.count("<version>1.0</version>") == 1
    assert text.index("<version>2.0<") < text.index("<version>1.0-ours<")
    assert "<latest>2.0</latest>" in text
    assert "<release>2.0</release>" in text
    assert merged == merge_metadata(
        metadata("1.0", "1.0-ours", latest="1.0-ours"), metadata("1.0", "2.0", latest="2.0"), "p"
    )


def test_the_latest_is_farms_where_the_other_says_nothing() -> None:
    assert b"<latest>1.1</latest>" in merge_metadata(metadata("1.1", latest="1.1"), metadata("1.0"), "p")


def test_prefixes_of_both() -> None:
    def plugins(**prefixes: str) -> bytes:
        found = "".join(
            f"<plugin><prefix>{k}</prefix><artifactId>{v}</artifactId></plugin>" for k, v in prefixes.items()
        )
        return (
            f'<metadata xmlns="http://maven.apache.org/METADATA/1.1.0"><plugins>{found}</plugins></metadata>'.encode()
        )

    text = merge_metadata(plugins(a="ours"), plugins(a="theirs", b="other"), "p").decode()
    assert "theirs" not in text
    assert text.index("ours") < text.index("other")


@pytest.mark.parametrize("bad", [b"", b"<html/>", b"<!DOCTYPE metadata []><metadata/>", b"\0"])
def test_what_is_no_metadata_is_an_error(bad: bytes) -> None:
    for pair in ((bad, metadata("1")), (metadata("1"), bad)):
        with pytest.raises(InputUnavailableError, match=r"g/a/maven-metadata\.xml is no metadata"):
            merge_metadata(*pair, "g/a/maven-metadata.xml")
