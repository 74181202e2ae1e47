from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.ecosystems.maven.ecosystem import ECOSYSTEM
from farm.errors import (
    ConfigError,
    FarmError,
    InputDigestError,
    InputMissingError,
    InputUnavailableError,
    SourceDigestError,
    SourceMissingError,
    SourcePinError,
    SourceUnavailableError,
)
from farm.model.plan import ArchivePin
from tests.fixtures_maven import locked
from tests.fixtures_maven_http import Repository, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATH = "org/x/a/1/a-1.jar"
FILE = locked(PATH, b"jar")
SOURCE = "org/example/sample/1.0/sample-1.0-source-release.zip"


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.ecosystems.maven.transfer._LONGEST_PAUSE", 0.01)


@pytest.fixture
def upstream() -> Iterator[Repository]:
    with serving(Repository({PATH: b"jar", SOURCE: b"source"})) as found:
        yield found


def settings(tmp_path: Path, url: str) -> Settings:
    return Settings(data=tmp_path / "data", maven_repository=url)


def pin(name: str = "org.example:sample", variant: str = "zip:source-release") -> ArchivePin:
    return ArchivePin(kind="maven", sha256="0" * 64, name=name, version="1.0", variant=variant)


class TestSource:
    def test_it_is_found_by_its_place(self, tmp_path: Path, upstream: Repository) -> None:
        target = tmp_path / "file"
        name = ECOSYSTEM.fetch_archive(pin(), target, settings(tmp_path, upstream.url))
        assert (name, target.read_bytes()) == ("sample-1.0-source-release.zip", b"source")

    @pytest.mark.parametrize(
        ("wanted", "status", "kind"),
        [
            (pin(variant="zip:other"), [], SourceMissingError),
            (pin(name="../x:y"), [], SourcePinError),
            (pin(variant="zip/../..:x"), [], SourcePinError),
            (pin(), [500] * 20, SourceUnavailableError),
        ],
    )
    def test_why_it_is_not_to_be_had(
        self, tmp_path: Path, upstream: Repository, wanted: ArchivePin, status: list[int | str], kind: type[FarmError]
    ) -> None:
        upstream.fail[SOURCE] = status
        with pytest.raises(kind):
            ECOSYSTEM.fetch_archive(wanted, tmp_path / "file", settings(tmp_path, upstream.url))

    def test_other_bytes_than_the_repositorys_checksum_says(self, tmp_path: Path, upstream: Repository) -> None:
        upstream.put(f"{SOURCE}.sha1", b"0" * 40)
        with pytest.raises(SourceDigestError):
            ECOSYSTEM.fetch_archive(pin(), tmp_path / "file", settings(tmp_path, upstream.url))


class TestLocked:
    def fetch(self, tmp_path: Path, url: str, own: str = "", **change: str) -> bytes:
        target = tmp_path / "file"
        with ECOSYSTEM.fetcher(settings(tmp_path, url), own) as fetch:
            fetch(FILE.model_copy(update=change), target)
        return target.read_bytes()

    def test_from_the_configured_repository(self, tmp_path: Path, upstream: Repository) -> None:
        assert self.fetch(tmp_path, upstream.url) == b"jar"

    def test_other_bytes_now(self, tmp_path: Path, upstream: Repository) -> None:
        upstream.put(PATH, b"evil")
        with pytest.raises(InputDigestError, match=PATH):
            self.fetch(tmp_path, upstream.url)
        assert not (tmp_path / "file").exists()

    def test_gone(self, tmp_path: Path, upstream: Repository) -> None:
        del upstream.files[PATH]
        with pytest.raises(InputMissingError, match=PATH):
            self.fetch(tmp_path, upstream.url)

    def test_a_repository_that_fails(self, tmp_path: Path, upstream: Repository) -> None:
        upstream.fail[PATH] = [500] * 20
        with pytest.raises(InputUnavailableError):
            self.fetch(tmp_path, upstream.url)

    def test_what_was_rebuilt_here_comes_from_here_alone(self, tmp_path: Path, upstream: Repository) -> None:
        with serving(Repository({PATH: b"jar"})) as own:
            assert self.fetch(tmp_path, upstream.url, own.url, origin="farm") == b"jar"
            del own.files[PATH]
            with pytest.raises(InputMissingError):
                self.fetch(tmp_path, upstream.url, own.url, origin="farm")
        assert not upstream.asked
        with pytest.raises(InputUnavailableError, match="farm's own repository") as caught:
            self.fetch(tmp_path, upstream.url, origin="farm")
        assert "farm up" in caught.value.remedy

    def test_no_address(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError):
            self.fetch(tmp_path, "file:///etc")
