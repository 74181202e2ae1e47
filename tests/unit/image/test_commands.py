from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from typing import TYPE_CHECKING

import pytest

from farm.errors import ImageBuildError
from farm.image.debian import (
    bootstrap_advice,
    bootstrap_command,
    bootstrap_environment,
    debian_release,
    host_sources,
)
from farm.image.definition import ImageDefinition
from farm.image.derive import normalise_tar
from farm.image.tools import download_command, download_environment, write_overlay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEFINITION = ImageDefinition.model_validate({
    "schema": 1,
    "name": "sample",
    "suite": "bookworm",
    "platform": "linux/arm64",
    "interpreter": "cp311",
    "version": "3.11",
    "packages": ["make", "gcc"],
    "requirements": "requirements.txt",
    "wheels": ["pip"],
})  # fmt: skip
JDK = ImageDefinition.model_validate({
    "schema": 1,
    "name": "java",
    "suite": "trixie",
    "platform": "linux/amd64",
    "interpreter": "jdk21",
    "version": "21",
    "packages": ["openjdk-21-jdk-headless", "python3"],
})  # fmt: skip
DEB822 = """
# a comment
Types: deb deb-src
URIs: http://mirror.example.org/debian
Suites: bookworm bookworm-updates trixie
Components: main contrib
# in between
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example.org/
Suites:
 bookworm-security
Components: main
Enabled: yes

Enabled: no
Types: deb
URIs: http://off.example.org/
Suites: bookworm
Components: main

Types: deb
URIs: http://third-party.example.org/
Suites: bookworm
Components: main
Signed-By: /etc/apt/keyrings/third-party.gpg

Types: deb-src
URIs: http://source.example.org/
Suites: bookworm
Components: main
"""
ONE_LINE = """
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example.org/debian bookworm main
deb http://old.example.org/debian bookworm/updates main # comment
# deb http://commented.example.org/debian bookworm main
deb-src http://mirror.example.org/debian bookworm main
deb http://mirror.example.org/debian bookworm contrib
deb [signed-by=/etc/apt/keyrings/docker.gpg] http://docker.example.org/ bookworm main
deb broken
"""


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    folder = tmp_path / "apt"
    (folder / "sources.list.d").mkdir(parents=True)
    return folder


@pytest.fixture
def _mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "mmdebstrap"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def test_the_hosts_own_debian_sources_count(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)

    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert host_sources("bookworm", apt) == (
        f"deb {key} http://mirror.example.org/debian bookworm main",
        f"deb {key} http://mirror.example.org/debian bookworm-updates main",
        "deb http://security.example.org/ bookworm-security main",
    )


def test_the_older_format_counts_too(apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)

    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert host_sources("bookworm", apt) == (
        f"deb {key} http://mirror.example.org/debian bookworm main",
        "deb http://old.example.org/debian bookworm/updates main",
    )


def test_a_host_without_the_suite_has_no_say(apt: Path) -> None:
    assert host_sources("trixie", apt) == ()
    (apt / "sources.list").write_text(ONE_LINE)
    assert host_sources("trixie", apt) == ()
    assert host_sources("trixie", apt, "bullseye") == ()


def test_another_release_comes_from_where_the_hosts_own_does(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822.replace(" trixie", ""))

    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert host_sources("trixie", apt, "bookworm") == (
        f"deb {key} http://mirror.example.org/debian trixie main",
        f"deb {key} http://mirror.example.org/debian trixie-updates main",
        "deb http://security.example.org/ trixie-security main",
    )
    assert host_sources("sid", apt, "bookworm") == (f"deb {key} http://mirror.example.org/debian sid main",)


def test_what_the_host_has_for_the_release_itself_comes_first(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)

    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert host_sources("trixie", apt, "bookworm") == (f"deb {key} http://mirror.example.org/debian trixie main",)


def test_the_key_of_one_release_becomes_that_of_the_other_and_no_third_party_gets_in(apt: Path) -> None:
    keys = "/usr/share/keyrings/debian-archive"
    (apt / "sources.list").write_text(
        f"deb [signed-by={keys}-bookworm-stable.gpg] http://mirror.example.org/debian bookworm main\n"
        "deb [signed-by=/etc/apt/keyrings/docker.gpg] http://docker.example.org/ bookworm main\n"
    )

    line = f"deb [signed-by={keys}-trixie-stable.gpg] http://mirror.example.org/debian trixie main"
    assert host_sources("trixie", apt, "bookworm") == (line,)


@pytest.mark.parametrize(
    ("said", "release"),
    [
        ({"ID": "debian", "VERSION_CODENAME": "bookworm"}, "bookworm"),
        ({"ID": "debian"}, ""),
        ({"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_CODENAME": "noble"}, ""),
    ],
)
def test_only_a_debian_has_a_release(monkeypatch: pytest.MonkeyPatch, said: dict[str, str], release: str) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: said)

    assert debian_release() == release


def test_missing_keys_of_a_newer_debian_are_told_with_the_way_to_them() -> None:
    said = "W: GPG error: http://m trixie InRelease: ... because the public key is not available: NO_PUBKEY 6ED0E7B8"

    assert "--only-upgrade debian-archive-keyring" in bootstrap_advice(said)
    assert not bootstrap_advice("E: Unable to locate package gcc")


@pytest.mark.usefixtures("_mmdebstrap")
def test_the_bootstrap_command(tmp_path: Path, apt: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    overlay, target = tmp_path / "over lay.tar", tmp_path / "root.tar"

    command = bootstrap_command(DEFINITION, overlay, target, environment={"SSL_CERT_FILE": str(bundle)}, apt=apt)

    assert command[0].endswith("mmdebstrap")
    assert "--architectures=arm64" in command
    assert "--include=gcc,make" in command
    assert f'--aptopt=Acquire::https::CAInfo "{bundle}"' in command
    assert f"--customize-hook=tar-in '{overlay}' /" in command
    assert "--skip=cleanup/apt" in command  # it would be the host's
    assert command[-2:] == ["bookworm", str(target)]


@pytest.mark.usefixtures("_mmdebstrap")
def test_sources_of_the_definition_come_first(tmp_path: Path, apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)
    line = "deb http://snapshot.example.org/20261101 bookworm main"
    definition = DEFINITION.model_copy(update={"sources": (line,)})

    command = bootstrap_command(definition, tmp_path / "o", tmp_path / "t", environment={}, apt=apt)

    assert command[-2:] == [str(tmp_path / "t"), line]
    bare = bootstrap_command(
        definition.model_copy(update={"packages": ()}), tmp_path / "o", tmp_path / "t", environment={}, apt=apt
    )
    assert not any(word.startswith("--include") for word in bare)  # mmdebstrap refuses an empty list
    assert not any("CAInfo" in word for word in command)


def test_without_mmdebstrap_the_command_to_install_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ImageBuildError, match="not installed") as caught:
        bootstrap_command(DEFINITION, tmp_path / "o", tmp_path / "t", environment={})

    assert "apt-get install mmdebstrap" in caught.value.remedy


def test_the_bootstrap_gets_proxies_and_a_clock_and_no_secrets() -> None:
    environment = bootstrap_environment(DEFINITION, {"PATH": "/bin", "https_proxy": "http://p:1", "TOKEN": "x"})

    assert environment["https_proxy"] == "http://p:1"
    assert environment["SOURCE_DATE_EPOCH"] == "315532800"
    assert "TOKEN" not in environment


def test_tools_are_fetched_by_hash_as_wheels_for_the_images_platform(tmp_path: Path) -> None:
    plain = download_command(DEFINITION, tmp_path / "r.txt", tmp_path / "w")

    assert {"--require-hashes", "--no-deps", "--only-binary=:all:", "--platform=manylinux_2_28_aarch64"} <= set(plain)
    assert not any("index" in word for word in plain)


def test_the_address_of_the_index_is_not_among_the_arguments() -> None:
    address = "https://user:hunter2@index.example.org/simple"
    named = download_environment({"HOME": "/home/u"}, address)

    assert (named["PIP_INDEX_URL"], named["HOME"]) == (address, "/home/u")
    assert "PIP_INDEX_URL" not in download_environment({"HOME": "/home/u"}, "")
    assert "127.0.0.1" in named["no_proxy"].split(",")


def test_the_overlay_is_the_same_whatever_the_times(tmp_path: Path) -> None:
    digests = set()
    for round_ in ("one", "two"):
        wheels = tmp_path / round_
        wheels.mkdir(mode=0o700)
        for name in ("b.whl", "a.whl") if round_ == "one" else ("a.whl", "b.whl"):
            (wheels / name).write_bytes(name.encode())
        write_overlay(DEFINITION, b"pip==1", wheels, tmp_path / "overlay.tar")
        digests.add(hashlib.sha256((tmp_path / "overlay.tar").read_bytes()).hexdigest())

    assert len(digests) == 1
    with tarfile.open(tmp_path / "overlay.tar") as tar:
        assert [m.name for m in tar if m.isreg()] == [
            f"opt/farm-image/{name}"
            for name in ("customise.py", "plan.json", "requirements.txt", "wheels/a.whl", "wheels/b.whl")
        ]
        assert all(m.uid == m.gid == 0 and m.mtime == DEFINITION.epoch for m in tar)


def test_the_overlay_of_an_image_without_tools(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_overlay(JDK, b"", tmp_path / "wheels", tmp_path / "overlay.tar")

    with tarfile.open(tmp_path / "overlay.tar") as tar:
        assert [m.name.rpartition("/")[2] for m in tar if m.isreg()] == ["customise.py", "plan.json"]
        plan = tar.extractfile("opt/farm-image/plan.json")
        assert plan is not None
        assert json.load(plan) == {"interpreter": "jdk21", "tools": False, "version": "21", "wheels": []}


def exported(mtime: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("bin", "dev/console", "etc/hosts", "usr/", ".dockerenv", "usr/file"):
            info = tarfile.TarInfo(name)
            info.mtime, info.size, info.uname = mtime, 4, "somebody"
            if name in {"bin", "usr/"}:
                info.type, info.size = tarfile.DIRTYPE, 0
            tar.addfile(info, io.BytesIO(b"text") if info.size else None)
        old = tarfile.TarInfo("usr/old")
        old.mtime = 100
        tar.addfile(old)
    return out.getvalue()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    yield from (data[i : i + size] for i in range(0, len(data), size))


def test_an_exported_file_system_loses_times_and_what_the_engine_put_there() -> None:
    results = []
    for mtime, size in ((1_700_000_000, 7), (1_800_000_000, 100_000)):
        out = io.BytesIO()
        normalise_tar(pieces(exported(mtime), size), out, 315532800)
        results.append(out.getvalue())

    assert results[0] == results[1]
    with tarfile.open(fileobj=io.BytesIO(results[0])) as tar:
        assert {m.name: m.mtime for m in tar} == {
            "bin": 315532800,
            "usr": 315532800,
            "usr/file": 315532800,
            "usr/old": 100,
        }
