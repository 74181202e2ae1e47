"""Crates, Cargo.lock files and a crate registry on loopback."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.fixtures_python import IndexDouble, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REGISTRY = "registry+https://registry.example.test/index"


def crate_of(files: Mapping[str, str | bytes], *, special: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    """Return a `.crate`: entries by their whole names, then further ones without content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in special:
            tar.addfile(info)
    return gzip.compress(packed.getvalue(), mtime=0)


def library(name: str = "answer", version: str = "1.2.0") -> bytes:
    """Return a crate with one function."""
    top = f"{name}-{version}"
    toml = f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n'
    return crate_of(
        {f"{top}/Cargo.toml": toml, f"{top}/src/lib.rs": "pub fn answer() -> i32 {\n    42\n}\n"},
    )


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def package(name: str, version: str, *, source: str = REGISTRY, checksum: str = "") -> str:
    """Return the entry of a package in a Cargo.lock."""
    lines = [f'name = "{name}"', f'version = "{version}"']
    lines += [f'source = "{source}"'] if source else []
    lines += [f'checksum = "{checksum}"'] if checksum else []
    return "\n[[package]]\n" + "\n".join(lines) + "\n"


@contextmanager
def registry(crates: Mapping[str, bytes]) -> Iterator[tuple[IndexDouble, str]]:
    """Serve crates by their file names; give the server and the `dl` of the registry."""
    with serving() as double:
        double.projects["crates"] = dict(crates)
        yield double, f"http://127.0.0.1:{double.port}/files/{{crate}}-{{version}}.crate"
