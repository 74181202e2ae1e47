"""What runs inside an image while it is made, as far as it can be seen from outside."""

from __future__ import annotations

import hashlib
import struct
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.image import customise
from farm.image.customise import check_interpreter, jdk_version, link_jdk, undated

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "changeit"
NAMES = ("debian:one.pem", "debian:two.pem", "debian:Főtanúsítvány.pem")


def keystore(entries: list[tuple[str, int]], *, tag: int = 2, password: str = PASSWORD) -> bytes:
    body = struct.pack(">III", 0xFEEDFEED, 2, len(entries))
    for alias, date in entries:
        name, kind, certificate = alias.encode(), b"X.509", f"certificate of {alias}".encode()
        body += struct.pack(">IH", tag, len(name)) + name + struct.pack(">Q", date)
        body += struct.pack(">H", len(kind)) + kind + struct.pack(">I", len(certificate)) + certificate
    digest = hashlib.sha1(password.encode("utf-16-be") + b"Mighty Aphrodite" + body, usedforsecurity=False)
    return body + digest.digest()


@given(st.permutations(NAMES), st.lists(st.integers(0, 2**63), min_size=3, max_size=3))
def test_neither_times_nor_order_of_the_certificates_are_left(names: list[str], dates: list[int]) -> None:
    entries = list(zip(names, dates, strict=True))

    made = undated(keystore(entries))

    assert made == undated(keystore([(name, 0) for name in NAMES]))
    assert made == undated(made)
    assert len(made) == len(keystore(entries))
    for name in NAMES:
        assert f"certificate of {name}".encode() in made


def test_a_keystore_in_another_format_stays_as_it_is() -> None:
    assert undated(b"\x30\x82\x01\x02 PKCS 12, say") == b"\x30\x82\x01\x02 PKCS 12, say"


@pytest.mark.parametrize(
    "data",
    [
        keystore([("one", 1)], tag=1),
        keystore([("one", 1)], password="another"),
        keystore([("one", 1)])[:-1],
        keystore([("one", 1)]) + b"more",
        keystore([("one", 1)])[:40],
        b"",
    ],
    ids=["private key", "password", "cut", "more", "half", "empty"],
)
def test_a_keystore_that_is_not_understood_is_no_success(data: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        undated(data)


@pytest.fixture
def jdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a system with a JDK 17 that is found through a link, as Debian's is."""
    home = tmp_path / "usr" / "lib" / "jvm" / "java-17"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "javac").touch(mode=0o755)
    (home / "release").write_text('IMPLEMENTOR="x"\nJAVA_VERSION="17.0.21.1"\n')
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "javac").symlink_to(home / "bin" / "javac")
    monkeypatch.setattr(customise, "JDK", tmp_path / "jdk")
    monkeypatch.setitem(customise.ENVIRONMENT, "PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return home


def test_the_jdk_is_found_under_one_path_whatever_the_distribution_calls_it(jdk: Path, tmp_path: Path) -> None:
    (tmp_path / "jdk").symlink_to("/nowhere")  # of an image that is the base of this one

    assert link_jdk() == jdk
    assert link_jdk() == jdk

    assert (tmp_path / "jdk").readlink() == jdk


def test_the_jdk_that_the_base_image_names_counts(jdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "opt" / "java"
    (own / "bin").mkdir(parents=True)
    (own / "bin" / "javac").touch(mode=0o755)
    monkeypatch.setenv("JAVA_HOME", str(own))

    assert link_jdk() == own != jdk


@pytest.mark.parametrize(
    ("text", "version"),
    [('JAVA_VERSION="21"', "21"), ('X="1"\nJAVA_VERSION="1.8.0_392"', "8"), ('JAVA_VERSION="x"', ""), (None, "")],
)
def test_the_version_is_what_the_jdk_says_of_itself(tmp_path: Path, text: str | None, version: str) -> None:
    if text is not None:
        (tmp_path / "release").write_text(text)

    assert jdk_version(tmp_path) == version


@pytest.mark.usefixtures("jdk")
def test_an_image_with_another_interpreter_than_it_says_is_not_made() -> None:
    check_interpreter("jdk17", "17")
    check_interpreter("cp3", f"{sys.version_info.major}.{sys.version_info.minor}")

    with pytest.raises(SystemExit, match=r"for jdk21 \(version 21\), what is installed is version 17"):
        check_interpreter("jdk21", "21")
    with pytest.raises(SystemExit, match="for cp39"):
        check_interpreter("cp39", "3.9")


def test_an_image_without_the_jdk_that_it_is_for_is_not_made(
    jdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (jdk / "bin" / "javac").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SystemExit, match="no javac"):
        check_interpreter("jdk17", "17")
