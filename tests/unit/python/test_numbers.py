"""Build numbers: which one a wheel gets, and that installers then take the content that was built last."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import parse_wheel_filename

from farm.config import Settings
from farm.ecosystems.base import StepContext
from farm.ecosystems.python.finish import finish_wheel
from farm.ecosystems.python.guards import guard_wheel
from farm.ecosystems.python.numbers import (
    build_number,
    highest,
    number_of,
    published_numbers,
    wheel_file_with,
    with_number,
)
from farm.errors import VerificationError
from farm.evidence.documents import embedded
from farm.model.base import sha256_bytes
from farm.model.build import BuildResult, RawArtifact, Usage
from farm.model.evidence import ComponentFacts
from farm.model.source import SourceSnapshot
from tests.fixtures_python import plan_of, wheel_files, write_wheel
from tests.fixtures_source import MemoryVault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from farm.model.build import Artifact

PLAIN = "sample-1.0-py3-none-any.whl"
OTHERS = {"sample-1.1-7-py3-none-any.whl": "x", "sample-1.0-9-cp311-cp311-linux_x86_64.whl": "x"}
"""Published too, and of no matter: another version, other tags."""


def bytes_of(content: str, number: int) -> str:
    """Return the digest of a wheel: the number is part of its bytes."""
    return sha256_bytes(f"{content} {number}".encode())


def taken(published: Mapping[str, str]) -> str:
    """Return the file that an installer takes: the highest build tag as PEP 427 orders them."""
    candidates = [name for name in published if name not in OTHERS]
    return max(candidates, key=lambda name: parse_wheel_filename(name)[2])


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=25))
def test_whatever_is_built_in_a_row_the_last_is_what_installers_take(contents: list[str]) -> None:
    published = dict(OTHERS)
    sizes = []
    for content in contents:
        number = build_number(published_numbers(published, PLAIN), partial(bytes_of, content))
        name, digest = with_number(PLAIN, number), bytes_of(content, number)
        assert published.setdefault(name, digest) == digest, "a name never gets other bytes"
        sizes.append(len(published))
        assert taken(published) == name
        assert published[taken(published)] == bytes_of(content, number)
        assert highest(published) == {name, *OTHERS}
    changes = sum(a != b for a, b in itertools.pairwise(contents))
    assert sizes[-1] == len(OTHERS) + 1 + changes, "equal content in a row adds nothing"


@given(st.integers(0, 10**9 - 1))
def test_a_number_has_one_spelling(number: int) -> None:
    name = with_number(PLAIN, number)
    assert number_of(name) == number
    assert parse_wheel_filename(name)[2] == ((number, "") if number else ())


@pytest.mark.parametrize("tag", ["0", "01", "1a", "1_1", "1000000000", "\u0661"])
def test_other_build_tags_are_none_of_farms(tag: str) -> None:
    name = f"sample-1.0-{tag}-py3-none-any.whl"
    with pytest.raises(ValueError, match=r"(no|Invalid) build number"):
        number_of(name)
    with pytest.raises(VerificationError, match="farm gives no wheel"):
        highest([name])
    with pytest.raises(VerificationError, match="farm gives no wheel"):
        published_numbers({name: "x"}, PLAIN)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Wheel-Version: 1.0\nTag: a\n", b"Wheel-Version: 1.0\nTag: a\nBuild: 3\n"),
        (b"Wheel-Version: 1.0\nTag: a", b"Wheel-Version: 1.0\nTag: a\nBuild: 3\n"),
        (b"Wheel-Version: 1.0\nTag: a\n\n", b"Wheel-Version: 1.0\nTag: a\nBuild: 3\n\n"),
        (b"Wheel-Version: 1.0\r\nTag: a\r\n\r\nbody", b"Wheel-Version: 1.0\r\nTag: a\r\nBuild: 3\n\r\nbody"),
    ],
)
def test_the_number_stands_in_the_head_of_the_wheel_file(before: bytes, after: bytes) -> None:
    assert wheel_file_with(before, 3) == after
    assert wheel_file_with(before, 0) == before


# --- the finish step of a pure wheel ---------------------------------------------------------------------------------


class Finish:
    """Finishes wheels of one version, and publishes what comes out in a mapping."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vault = MemoryVault()
        self.published: dict[str, str] = {}
        self.count = itertools.count()

    def __call__(self, text: str) -> Artifact:
        work = self.folder / f"work-{next(self.count)}"
        work.mkdir()
        raw = self.vault.put_file(write_wheel(work, wheel_files(files={"sample.py": text.encode()})))
        result = BuildResult(
            commands=(),
            environment={},
            artifacts=(RawArtifact(filename=PLAIN, blob=raw),),
            log=raw,
            probe="",
            usage=Usage(seconds=1),
        )
        snapshot = SourceSnapshot(
            strength="archive", uri="pkg:pypi/sample@1.0", tree_digest="a" * 64, archive=raw, epoch=1700000000,
            files=1, size=1,
        )  # fmt: skip
        plan, nothing = plan_of("sample", "1.0"), _nothing()

        def embed(artifact: Artifact) -> Mapping[str, bytes]:
            return embedded(
                ComponentFacts(package=plan.package, filename=artifact.filename, kind="wheel", snapshot=snapshot)
            )

        context = StepContext(
            Settings(), self.vault, nothing, nothing, work, nothing, published=lambda: dict(self.published)
        )
        (artifact,) = finish_wheel(plan, snapshot, result, embed, context)
        assert self.published.setdefault(artifact.filename, artifact.blob.sha256) == artifact.blob.sha256
        path = self.folder / artifact.filename
        path.write_bytes(self.vault.read(artifact.blob))
        guard_wheel(path, plan, number=number_of(artifact.filename))
        return artifact


def _nothing() -> Any:
    return None


@pytest.fixture
def finish(tmp_path: Path) -> Finish:
    return Finish(tmp_path)


def test_another_content_gets_the_next_number_and_the_same_again_none(finish: Finish, tmp_path: Path) -> None:
    names = [finish(text).filename for text in ("a", "a", "b", "b", "a", "a", "c")]
    one, two, three = (with_number(PLAIN, number) for number in (1, 2, 3))
    assert names == [PLAIN, PLAIN, one, one, two, two, three]
    with ZipFile(tmp_path / two) as wheel:
        assert wheel.read("sample.py") == b"a"
        assert b"\nBuild: 2\n" in wheel.read("sample-1.0.dist-info/WHEEL")
        assert two.encode() in wheel.read("sample-1.0.dist-info/sboms/farm.spdx.json")


def test_a_numbered_wheel_says_what_it_is_without_its_number(finish: Finish) -> None:
    first, other, again = finish("a"), finish("b"), finish("a")
    assert first.unnumbered is None
    assert again.blob != first.blob
    assert again.content == first.content
    assert other.content != first.content
    assert {note.name: note.value for note in again.notes}["build-number"] == "2"


def test_what_is_published_and_not_farms_stops_the_build(finish: Finish) -> None:
    finish.published["sample-1.0-1custom-py3-none-any.whl"] = "x"
    with pytest.raises(VerificationError, match="1custom"):
        finish("a")
