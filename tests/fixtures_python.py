"""Synthetic wheels and plans for the tests of the Python ecosystem."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from typing import TYPE_CHECKING

from farm.model.plan import ArchivePin, BuildPlan, BuildSpec, Limits, PackageId, Target, TestSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ELF_X86 = b"\x7fELF\2\1\1" + bytes(11) + (62).to_bytes(2, "little") + bytes(44)
ELF_ARM = b"\x7fELF\2\1\1" + bytes(11) + (183).to_bytes(2, "little") + bytes(44)


def plan_of(
    name: str,
    version: str,
    *,
    build: BuildSpec | None = None,
    test: TestSpec | None = None,
    sha256: str = "0" * 64,
) -> BuildPlan:
    return BuildPlan(
        package=PackageId(ecosystem="python", name=name, version=version),
        recipe_path=f"python/{name}/recipe.yaml",
        recipe_digest="0" * 64,
        source=ArchivePin(kind="pypi-sdist", sha256=sha256, name=name, version=version),
        build=build or BuildSpec(image="python311"),
        test=test or TestSpec(),
        target=Target(platform="linux/amd64", interpreter="cp311"),
        limits=Limits(time_seconds=300, memory_mb=2048),
    )


def record_of(files: Mapping[str, bytes], own: str) -> bytes:
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    return ("".join(lines) + f"{own},,\n").encode()


def wheel_files(
    name: str = "sample",
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    pure: bool | None = None,
    files: Mapping[str, bytes] | None = None,
    metadata: str = "",
    wheel: str = "",
) -> dict[str, bytes]:
    """Return the files of a right wheel, RECORD last; tests then damage them."""
    info = f"{name}-{version}.dist-info"
    is_pure = tag.endswith("-any") if pure is None else pure
    words = "true" if is_pure else "false"
    found: dict[str, bytes] = dict(files if files is not None else {f"{name}/__init__.py": b"X = 1\n"})
    found[f"{info}/METADATA"] = (metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n").encode()
    found[f"{info}/WHEEL"] = (
        wheel or f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {words}\nTag: {tag}\n"
    ).encode()
    found[f"{info}/RECORD"] = record_of(found, f"{info}/RECORD")
    return found


def write_wheel(
    folder: Path, files: Mapping[str, bytes], name: str = "sample-1.0-py3-none-any.whl", *, packed: bool = True
) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as out:
        for entry, data in files.items():
            out.writestr(zipfile.ZipInfo(entry, (2020, 2, 2, 0, 0, 0)), data, out.compression)
    return path
