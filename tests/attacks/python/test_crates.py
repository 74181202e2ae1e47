"""Crates and Cargo.lock files that want more than to be built with."""

from __future__ import annotations

import tarfile
import tomllib
from typing import TYPE_CHECKING

import pytest

from farm.config import Settings
from farm.ecosystems.python.cargo.lockfile import Crate, is_consistent, merge, read_cargo_lock
from farm.ecosystems.python.cargo.registry import CrateClient
from farm.ecosystems.python.guest import crates as guest
from farm.errors import CargoLockError, InputDigestError
from farm.model.lock import LockedFile
from tests.fixtures_cargo import crate_of, library, package, registry, sha256

if TYPE_CHECKING:
    from pathlib import Path

GIT = "git+https://git.example.test/x?rev=1#0123456789012345678901234567890123456789"


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


EVIL = {
    "leaves by dots": crate_of({"evil-1.0.0/../../../escaped": "x"}),
    "leaves by dots at once": crate_of({"../escaped": "x"}),
    "is absolute": crate_of({"/escaped": "x"}),
    "lies beside its folder": crate_of({"evil-1.0.0/Cargo.toml": "", "other-1.0.0/build.rs": "x"}),
    "is a file without a folder": crate_of({"escaped": "x"}),
    "is a link out": crate_of({}, special=(special("evil-1.0.0/link", tarfile.SYMTYPE, "/etc"),)),
    "is a link within": crate_of({}, special=(special("evil-1.0.0/link", tarfile.SYMTYPE, "x"),)),
    "is a hard link": crate_of({}, special=(special("evil-1.0.0/link", tarfile.LNKTYPE, "/etc/passwd"),)),
    "is a device": crate_of({}, special=(special("evil-1.0.0/null", tarfile.CHRTYPE),)),
    "is a pipe": crate_of({}, special=(special("evil-1.0.0/pipe", tarfile.FIFOTYPE),)),
    "has empty parts": crate_of({"evil-1.0.0//escaped": "x"}),
    "is no archive": b"no archive",
    "is cut off": library("evil", "1.0.0")[:-40],
}


@pytest.mark.parametrize("how", EVIL)
def test_a_crate_that_is_not_one_folder_of_files_ends_the_build(how: str, tmp_path: Path) -> None:
    shown, home = tmp_path / "crates", tmp_path / "work" / "cargo"
    shown.mkdir()
    (shown / "evil-1.0.0.crate").write_bytes(EVIL[how])
    with pytest.raises(SystemExit, match=r"^evil-1\.0\.0\.crate: "):
        guest.main(str(shown), str(home))
    assert not list(tmp_path.rglob("escaped"))
    assert not list(tmp_path.rglob("link"))
    assert not (home / "config.toml").exists()


def test_the_same_name_twice_is_an_error(tmp_path: Path) -> None:
    twice = crate_of({"evil-1.0.0/a": "x"}, special=(special("evil-1.0.0/a", tarfile.REGTYPE),))
    (tmp_path / "evil-1.0.0.crate").write_bytes(twice)
    with pytest.raises(SystemExit, match="exists"):
        guest.main(str(tmp_path), str(tmp_path / "home"))


def test_a_crate_cannot_state_its_own_digest(tmp_path: Path) -> None:
    data = crate_of({"evil-1.0.0/.cargo-checksum.json": '{"files": {}, "package": "' + "a" * 64 + '"}'})
    (tmp_path / "evil-1.0.0.crate").write_bytes(data)
    guest.main(str(tmp_path), str(tmp_path / "home"))
    assert sha256(data) in (tmp_path / "home" / "vendor" / "evil-1.0.0" / ".cargo-checksum.json").read_text()


def test_a_lock_of_the_source_cannot_be_rewritten_by_the_build(tmp_path: Path) -> None:
    lock = tmp_path / "Cargo.lock"
    lock.write_text("")
    (tmp_path / "crates").mkdir()
    guest.main(str(tmp_path / "crates"), str(tmp_path / "home"), str(lock))
    assert lock.stat().st_mode & 0o222 == 0
    assert "offline = true" in (tmp_path / "home" / "config.toml").read_text()


def test_a_lock_writes_no_configuration_but_the_place_of_its_registry(tmp_path: Path) -> None:
    lock = tmp_path / "Cargo.lock"
    names = ["registry+https://h.example.test/index", "sparse+https://h.example.test/", 'x"]\n[alias]\nb = "c']
    lock.write_text("".join(f'source = "{name}"\n' for name in names))
    (tmp_path / "crates").mkdir()
    guest.main(str(tmp_path / "crates"), str(tmp_path / "home"), str(lock))
    found = tomllib.loads((tmp_path / "home" / "config.toml").read_text())
    farm = {"replace-with": "farm"}
    assert found == {
        "net": {"offline": True},
        "source": {
            "farm": {"directory": str(tmp_path / "home" / "vendor")},
            "crates-io": farm,
            names[0]: {**farm, "registry": "https://h.example.test/index"},
            names[1]: {**farm, "registry": "sparse+https://h.example.test/"},
        },
    }


def test_other_bytes_than_the_checksum_are_not_taken(tmp_path: Path) -> None:
    with registry({"answer-1.2.0.crate": library() + b"x"}) as (_, template):
        settings = Settings(data=tmp_path, cargo_registry=template)
        with CrateClient(settings) as client, pytest.raises(InputDigestError, match=r"answer-1\.2\.0\.crate"):
            client.download(Crate("answer", "1.2.0", sha256(library())), tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_more_bytes_than_are_locked_are_not_read(tmp_path: Path) -> None:
    data = library()
    with (
        registry({"answer-1.2.0.crate": data}) as (_, template),
        CrateClient(Settings(data=tmp_path, cargo_registry=template)) as client,
    ):
        for size in (len(data) - 1, len(data) + 1):
            with pytest.raises(InputDigestError):
                client.download(Crate("answer", "1.2.0", sha256(data)), tmp_path / "c", size=size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (package("x", "1.0.0", source=GIT), r"x 1\.0\.0 comes from a git repository"),
        (package("x", "1.0.0", source="path+file:///etc", checksum="a" * 64), "comes from no registry"),
        (package("x", "1.0.0"), "has no checksum"),
        (package("x", "1.0.0", checksum="A" * 64), "has no checksum"),
        (package("x", "1.0.0", checksum="a" * 40), "has no checksum"),
        (package("../x", "1.0.0", checksum="a" * 64), "is no name of a crate"),
        (package("x/y", "1.0.0", checksum="a" * 64), "is no name of a crate"),
        (package("x", "1.0.0/../../y", checksum="a" * 64), "is no version"),
        (package("x", "latest", checksum="a" * 64), "is no version"),
        ("version = 5\n", "is of version 5"),
        ("version = true\n", "is of version True"),
        ('version = "4"\n', "is of version '4'"),
        ("package = 3\n", "no list of packages"),
        ("package = [3]\n", "no list of packages"),
        ("[[package]]\nname = 3\nversion = 1\nsource = 2\n", "is no name"),
        ("[[", "cannot be read"),
        (package("x", "1.0.0", checksum="a" * 64) + package("x", "1.0.0", checksum="b" * 64), "two checksums"),
        (
            package("x", "1.0.0", checksum="a" * 64)
            + package("y", "1.0.0", source="sparse+https://other.example.test/", checksum="b" * 64),
            "several registries",
        ),
    ],
)
def test_a_cargo_lock_from_which_nothing_is_locked(text: str, why: str) -> None:
    with pytest.raises(CargoLockError, match=why):
        read_cargo_lock(text.encode(), "Cargo.lock")


def test_bytes_that_are_no_text_are_no_lock() -> None:
    with pytest.raises(CargoLockError, match="cannot be read"):
        read_cargo_lock(b"\xff", "Cargo.lock")


def test_two_lock_files_have_one_digest_for_a_crate() -> None:
    with pytest.raises(CargoLockError, match="two checksums"):
        merge([Crate("x", "1.0.0", "a" * 64), Crate("x", "1.0.0", "b" * 64)], "both")


@pytest.mark.parametrize(
    "change",
    [
        {"filename": "../answer-1.2.0.crate"},
        {"name": "../answer", "filename": "../answer-1.2.0.crate", "purl": "pkg:cargo/../answer@1.2.0"},
        {"name": "other"},
        {"version": "1.2.1"},
        {"purl": "pkg:pypi/answer@1.2.0"},
        {"origin": "farm"},
    ],
)
def test_an_edited_lock_is_seen(change: dict[str, str]) -> None:
    file = LockedFile(
        filename="answer-1.2.0.crate",
        name="answer",
        version="1.2.0",
        sha256="a" * 64,
        size=1,
        origin="index",
        roles=("build",),
        purl="pkg:cargo/answer@1.2.0",
    )
    assert is_consistent(file)
    assert not is_consistent(LockedFile.model_validate({**file.model_dump(), **change}))
