from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.ecosystems.python.ecosystem import ECOSYSTEM
from farm.errors import SourcePinError, SourceUnavailableError
from farm.model.plan import ArchivePin
from farm.model.release import Release

if TYPE_CHECKING:
    from tests.fixtures_python import IndexDouble

SDIST = "sample-1.0.tar.gz"
WHEEL = "sample-1.0-py3-none-any.whl"


def pin(version: str = "1.0", kind: str = "pypi-sdist") -> ArchivePin:
    return ArchivePin(kind=kind, sha256="0" * 64, name="sample", version=version)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def only(index: IndexDouble) -> Release:
    (found,) = ECOSYSTEM.releases(pin(), Settings(python_index=index.url))
    return found


def test_a_release_is_what_its_sdist_says(index: IndexDouble) -> None:
    index.projects["sample"] = {WHEEL: b"wheel", SDIST: b"sdist"}
    index.uploaded = {WHEEL: "2026-01-09T00:00:00Z", SDIST: "2026-01-02T03:04:05.678901Z"}
    assert only(index) == Release(version="1.0", released="2026-01-02T03:04:05Z", pins=(digest(b"sdist"),))


@pytest.mark.parametrize("time", ["", "2026-01-02T03:04:05"])
def test_a_time_that_nobody_states_is_unknown(index: IndexDouble, time: str) -> None:
    index.projects["sample"] = {SDIST: b"sdist"}
    if time:  # without a zone it could be off by a day
        index.uploaded[SDIST] = time
    assert only(index).released == ""


def test_html_pages_know_what_is_yanked_but_no_times(index: IndexDouble) -> None:
    index.html = True
    index.projects["sample"] = {SDIST: b"sdist"}
    index.yanked = {SDIST}
    found = only(index)
    assert (found.yanked, found.released, found.pins) == (True, "", (digest(b"sdist"),))


def test_the_most_cautious_of_several_sdists_counts(index: IndexDouble) -> None:
    index.projects["sample"] = {SDIST: b"one", "sample-1.0.zip": b"two"}
    index.uploaded = {SDIST: "2026-01-02T00:00:00Z", "sample-1.0.zip": "2026-01-05T00:00:00+00:00"}
    index.yanked = {"sample-1.0.zip"}
    found = only(index)
    assert found.released == "2026-01-05T00:00:00Z"
    assert found.yanked
    assert found.pins == (digest(b"one"), digest(b"two"))
    del index.uploaded[SDIST]
    assert only(index).released == ""


def test_wheels_alone_are_no_source(index: IndexDouble) -> None:
    index.projects["sample"] = {WHEEL: b"wheel", "sample-oldest.tar.gz": b"no version"}
    assert only(index) == Release(version="1.0", has_source=False)


def test_one_release_by_an_equal_version(index: IndexDouble) -> None:
    settings = Settings(python_index=index.url)
    index.projects["sample"] = {SDIST: b"sdist"}
    found = ECOSYSTEM.release(pin("1.0.0"), settings)
    assert found is not None
    assert (found.version, found.pins) == ("1.0.0", (digest(b"sdist"),))
    assert ECOSYSTEM.release(pin("1.1"), settings) is None
    index.projects.clear()
    assert ECOSYSTEM.releases(pin(), settings) == ()


def test_what_cannot_be_asked(index: IndexDouble) -> None:
    with pytest.raises(SourceUnavailableError, match="releases of sample"):
        ECOSYSTEM.releases(pin(), Settings(python_index="http://127.0.0.1:9/simple/"))
    for wrong in (pin(kind="maven"), pin("one")):
        with pytest.raises(SourcePinError):
            ECOSYSTEM.release(wrong, Settings(python_index=index.url))
