from __future__ import annotations

import io
import tarfile
import zipfile
from typing import TYPE_CHECKING, Literal

import pytest

from farm.errors import SourceDigestError
from farm.model.base import sha256_bytes
from farm.model.plan import ArchivePin
from farm.source.safety import EARLIEST
from tests.fixtures_source import WHEN, header, tar_of

if TYPE_CHECKING:
    from tests.fixtures_source import Taker


def pin_of(data: bytes, *, subdirectory: str = "") -> ArchivePin:
    return ArchivePin(
        kind="pypi-sdist", name="demo", version="1.0", sha256=sha256_bytes(data), subdirectory=subdirectory
    )


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_every_compression_gives_the_same_tree(taker: Taker, mode: Literal["w", "w:gz", "w:bz2", "w:xz"]) -> None:
    taker.archive = tar_of(("demo-1.0/a.py", b"a\n"), ("demo-1.0/sub/b.py", b"b\n"), mode=mode)
    snapshot = taker(pin_of(taker.archive))
    tree = taker.unpacked(snapshot)
    assert (tree / "a.py").read_bytes() == b"a\n"
    assert (tree / "sub/b.py").read_bytes() == b"b\n"
    assert (snapshot.strength, snapshot.epoch, snapshot.files, snapshot.size) == ("archive", WHEN, 2, 4)
    assert snapshot.origin_sha256 == sha256_bytes(taker.archive)
    assert snapshot.uri == "pkg:pypi/demo@1.0"
    assert snapshot.original is not None
    assert taker.vault.read(snapshot.original) == taker.archive


def test_zip_is_taken_too(taker: Taker) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("demo-1.0/run.sh", (2020, 9, 13, 12, 26, 40))
        info.external_attr = 0o100755 << 16
        archive.writestr(info, "#!/bin/sh\n")
    taker.archive = buffer.getvalue()
    snapshot = taker(pin_of(taker.archive))
    assert snapshot.epoch == WHEN
    assert (taker.unpacked(snapshot) / "run.sh").stat().st_mode & 0o777 == 0o755


def test_epoch_is_never_before_zip_can_say_it(taker: Taker) -> None:
    def old(member: tarfile.TarInfo) -> None:
        member.mtime = 0

    taker.archive = tar_of(("demo/a", b""), change=old)
    assert taker(pin_of(taker.archive)).epoch == EARLIEST


def test_links_inside_the_tree_are_kept(taker: Taker) -> None:
    taker.archive = tar_of(
        ("demo/real.txt", b"x"),
        header("demo/soft", tarfile.SYMTYPE, "real.txt"),
        header("demo/hard", tarfile.LNKTYPE, "demo/real.txt"),
    )
    tree = taker.unpacked(taker(pin_of(taker.archive)))
    assert (tree / "soft").readlink().name == "real.txt"
    assert (tree / "hard").read_bytes() == b"x"


def test_wrong_digest_is_an_error_that_names_both(taker: Taker) -> None:
    taker.archive = tar_of(("demo/a", b"good"))
    pin = pin_of(taker.archive)
    taker.archive = tar_of(("demo/a", b"evil"))
    with pytest.raises(SourceDigestError, match=pin.sha256) as caught:
        taker(pin)
    assert caught.value.details["found"] == sha256_bytes(taker.archive)
    assert not taker.vault.blobs


def test_second_run_fetches_nothing(taker: Taker) -> None:
    taker.archive = tar_of(("demo/a", b"x"))
    pin = pin_of(taker.archive)
    first = taker(pin)
    assert taker(pin) == first
    assert taker.fetched == 1


def test_flipped_byte_in_the_vault_is_made_good_from_the_original(taker: Taker) -> None:
    taker.archive = tar_of(("demo/a", b"x"))
    pin = pin_of(taker.archive)
    first = taker(pin)
    taker.vault.flip(first.archive)
    assert taker(pin) == first
    assert taker.vault.quarantine == [first.archive.sha256]
    assert taker.vault.read(first.archive)
    assert taker.fetched == 1


def test_both_blobs_lost_means_fetching_again(taker: Taker) -> None:
    taker.archive = tar_of(("demo/a", b"x"))
    pin = pin_of(taker.archive)
    first = taker(pin)
    assert first.original is not None
    taker.vault.flip(first.archive)
    taker.vault.flip(first.original)
    assert taker(pin) == first
    assert taker.fetched == 2
    assert taker.vault.read(first.original) == taker.archive


def test_record_of_another_format_is_made_again(taker: Taker) -> None:
    taker.archive = tar_of(("demo/a", b"x"))
    pin = pin_of(taker.archive)
    first = taker(pin)
    ((key, _),) = taker.vault.records.items()
    taker.vault.records[key] = b'{"strength": "archive"}'
    assert taker(pin) == first
    assert taker.fetched == 2
