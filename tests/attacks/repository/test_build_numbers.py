"""Build numbers decide which file installers take: only the next one is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.repository.layout import LAYOUT
from farm.errors import ImmutableError, VerificationError
from farm.repository.publish import publish
from farm.store.vault import S3Vault
from tests.fixtures_repository import FixedGate, MemoryStore, make_wheel, publication_of

if TYPE_CHECKING:
    from pathlib import Path


class Index:
    """A repository in memory; each wheel that is put into it has other content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()
        self.vault = S3Vault(MemoryStore())
        self.made = 0

    def wheel(self, *numbers: str) -> list[tuple[Path, bytes]]:
        found = []
        for number in numbers:
            self.made += 1
            folder = self.folder / str(self.made)
            folder.mkdir()
            path, metadata = make_wheel(folder, payload=f"VALUE = {self.made}\n")
            found.append((path.rename(path.with_name(f"sample_lib-1.0{number}-py3-none-any.whl")), metadata))
        return found

    def put(self, *wheels: tuple[Path, bytes]) -> tuple[str, ...]:
        done = publish(
            publication_of(self.vault, *wheels), layout=LAYOUT, vault=self.vault, store=self.store, gate=FixedGate(),
            run_dir=self.folder, work=self.folder,
        )  # fmt: skip
        return done.written


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path)


def test_one_after_the_other_and_again(index: Index) -> None:
    wheels = [wheel for number in ("", "-1", "-2") for wheel in index.wheel(number)]
    for wheel in wheels:
        assert index.put(wheel) == (wheel[0].name,)
    assert index.put(wheels[1]) == (), "what is published can be published again"


@pytest.mark.parametrize("number", ["-1", "-2", "-999999999"])
def test_the_first_file_of_a_version_has_no_number(index: Index, number: str) -> None:
    with pytest.raises(ImmutableError, match="nothing is published"):
        index.put(*index.wheel(number))
    assert not [key for key in index.store.objects if key.startswith(("records/", "files/"))]


@pytest.mark.parametrize("number", ["-3", "-999999999"])
def test_no_number_is_left_out(index: Index, number: str) -> None:
    """Nothing built later could be above a number that is far too high."""
    for known in ("", "-1"):
        index.put(*index.wheel(known))
    before = dict(index.store.objects)
    with pytest.raises(ImmutableError, match="the highest build number published is 1") as caught:
        index.put(*index.wheel(number))
    assert "Build again" in caught.value.remedy
    assert index.store.objects == before


@pytest.mark.parametrize("number", ["", "-1"])
def test_other_bytes_for_a_number_that_is_taken(index: Index, number: str) -> None:
    for known in ("", "-1"):
        index.put(*index.wheel(known))
    before = dict(index.store.objects)
    with pytest.raises(ImmutableError, match="cannot take its place"):
        index.put(*index.wheel(number))
    assert index.store.objects == before


@pytest.mark.parametrize("number", ["-0", "-01", "-1a"])
def test_a_number_in_another_spelling(index: Index, number: str) -> None:
    index.put(*index.wheel(""))
    with pytest.raises(VerificationError, match="no build number"):
        index.put(*index.wheel(number))


def test_two_numbers_in_one_publication(index: Index) -> None:
    with pytest.raises(VerificationError, match="same file"):
        index.put(*index.wheel("", "-1"))


def test_other_tags_have_numbers_of_their_own(index: Index) -> None:
    index.put(*index.wheel(""))
    index.put(*index.wheel("-1"))
    path, metadata = index.wheel("")[0]
    assert index.put((path.rename(path.with_name("sample_lib-1.0-py2.py3-none-any.whl")), metadata))
