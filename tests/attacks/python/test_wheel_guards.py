"""Wheels that are not what the recipe says, or that contradict themselves."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from farm.ecosystems.python.guards import FOREIGN_BINARIES, NO_NATIVE_CODE, guard_wheel
from farm.ecosystems.python.inspect import only_wheel
from farm.errors import GuardError
from farm.model.base import BlobRef
from farm.model.build import BuildResult, RawArtifact, Usage
from farm.model.plan import BuildSpec, Waiver
from tests.fixtures_python import ELF_ARM, ELF_X86, plan_of, record_of, wheel_files, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

NATIVE = "cp311-cp311-linux_x86_64"
RECORD = "sample-1.0.dist-info/RECORD"
PE = b"MZ" + bytes(58) + struct.pack("<L", 64) + b"PE\0\0"


def spec(tags: str = "", *rules: str) -> BuildSpec:
    return BuildSpec(image="x", tags=tags, waivers=tuple(Waiver(rule=r, reason="because") for r in rules))


def guard(
    folder: Path, files: dict[str, bytes], name: str = "sample-1.0-py3-none-any.whl", build: BuildSpec | None = None
) -> None:
    guard_wheel(write_wheel(folder, files, name), plan_of("sample", "1.0", build=build))


def native_files(code: bytes = ELF_X86) -> dict[str, bytes]:
    return wheel_files(tag=NATIVE, files={"sample/_speed.so": code})


def test_right_wheels_pass(tmp_path: Path) -> None:
    guard(tmp_path, wheel_files(), build=spec("py3-none-any"))
    guard(tmp_path, native_files(), f"sample-1.0-{NATIVE}.whl", build=spec("cp311-cp311-linux"))
    universal = wheel_files(tag="py2-none-any", wheel="Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py2-none-any\n"
                            "Tag: py3-none-any\n")  # fmt: skip
    guard(tmp_path, universal, "sample-1.0-py2.py3-none-any.whl", build=spec("py2.py3-none-any"))


@pytest.mark.parametrize(
    "names", [[], ["a.whl", "b.whl"], ["sample-1.0-py3-none-any.whl", "extra.txt"], ["sample.zip"]]
)
def test_exactly_one_wheel(names: list[str]) -> None:
    ref = BlobRef(sha256="0" * 64, size=1)
    artifacts = tuple(RawArtifact(filename=name, blob=ref) for name in names)
    result = BuildResult(commands=(), environment={}, artifacts=artifacts, log=ref, probe="", usage=Usage(seconds=1))
    with pytest.raises(GuardError, match="exactly one wheel"):
        only_wheel(plan_of("sample", "1.0"), result)


@pytest.mark.parametrize(
    "filename",
    ["sample-1.0.zip", "sample-py3-none-any.whl", "other-1.0-py3-none-any.whl", "sample-2.0-py3-none-any.whl",
     "sample-0.1.dev1-py3-none-any.whl"],
)  # fmt: skip
def test_another_name_or_version_in_the_filename(tmp_path: Path, filename: str) -> None:
    with pytest.raises(GuardError):
        guard(tmp_path, wheel_files(), filename)


def test_another_name_or_version_all_through(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match=r"the source builds other 1\.0"):
        guard(tmp_path, wheel_files("other"), "other-1.0-py3-none-any.whl")
    with pytest.raises(GuardError, match=r"the source builds sample 0\.1\.dev1"):
        guard(tmp_path, wheel_files("sample", "0.1.dev1"), "sample-0.1.dev1-py3-none-any.whl")


def test_metadata_of_another_project(tmp_path: Path) -> None:
    files = wheel_files(metadata="Metadata-Version: 2.1\nName: requests\nVersion: 1.0\n")
    with pytest.raises(GuardError, match="requests"):
        guard(tmp_path, files)
    twice = wheel_files(metadata="Metadata-Version: 2.1\nName: sample\nName: requests\nVersion: 1.0\n")
    with pytest.raises(GuardError):
        guard(tmp_path, twice)


def test_a_second_dist_info_folder(tmp_path: Path) -> None:
    files = wheel_files(files={"requests-2.0.dist-info/METADATA": b"Name: requests\n"})
    with pytest.raises(GuardError, match=r"2 \.dist-info folders"):
        guard(tmp_path, files)


def test_a_native_package_that_came_out_pure(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="came out pure"):
        guard(tmp_path, wheel_files(), build=spec("cp311-cp311-linux"))


def test_a_pure_package_that_came_out_native(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="expects the tags py3-none-any"):
        guard(tmp_path, native_files(), f"sample-1.0-{NATIVE}.whl", build=spec("py3-none-any"))


def test_native_tags_without_native_code(tmp_path: Path) -> None:
    files = wheel_files(tag=NATIVE)
    with pytest.raises(GuardError, match="holds no native code"):
        guard(tmp_path, files, f"sample-1.0-{NATIVE}.whl", build=spec("cp311-cp311-linux"))
    guard(tmp_path, files, f"sample-1.0-{NATIVE}.whl", build=spec("cp311-cp311-linux", NO_NATIVE_CODE))


def test_native_code_in_a_pure_wheel(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="native code"):
        guard(tmp_path, wheel_files(files={"sample/_x.so": ELF_X86}))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sample/x.exe", PE),
        ("sample/innocent.txt", PE),
        ("sample/x.dylib", b"\xcf\xfa\xed\xfe" + bytes(60)),
        ("sample/X.class", b"\xca\xfe\xba\xbe" + bytes(60)),
        ("sample/x.a", b"!<arch>\n" + bytes(60)),
        ("sample/x.wasm", b"\0asm" + bytes(60)),
    ],
)
def test_foreign_binaries_whatever_they_are_called(tmp_path: Path, name: str, content: bytes) -> None:
    files = wheel_files(files={name: content})
    with pytest.raises(GuardError, match="not built for"):
        guard(tmp_path, files)
    guard(tmp_path, files, build=spec("", FOREIGN_BINARIES))


def test_an_elf_file_of_another_machine(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="not built for"):
        guard(tmp_path, native_files(ELF_ARM), f"sample-1.0-{NATIVE}.whl")


@pytest.mark.parametrize("name", ["sample/x.pyc", "sample/__pycache__/x.txt", "sample/x.pyo"])
def test_bytecode(tmp_path: Path, name: str) -> None:
    with pytest.raises(GuardError, match="bytecode"):
        guard(tmp_path, wheel_files(files={name: b"x"}))


def test_tags_in_wheel_that_are_not_those_of_the_filename(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="not those of the filename"):
        guard(tmp_path, wheel_files(tag="py2-none-any"))
    with pytest.raises(GuardError, match="Root-Is-Purelib"):
        guard(tmp_path, wheel_files(pure=False))


@pytest.mark.parametrize("tag", ["cp310-cp310-linux_x86_64", "cp311-cp311-linux_aarch64", "cp311-cp311-win_amd64",
                                 "py2-none-any"])  # fmt: skip
def test_a_tag_that_does_not_run_on_the_target(tmp_path: Path, tag: str) -> None:
    files = wheel_files(tag=tag, files={"sample/x.so": ELF_X86} if "linux" in tag else None)
    with pytest.raises(GuardError, match="does not run on"):
        guard(tmp_path, files, f"sample-1.0-{tag}.whl")


def damaged(**changes: bytes | None) -> dict[str, bytes]:
    files = wheel_files()
    for name, data in changes.items():
        if data is None:
            del files[name]
        else:
            files[name] = data
    return files


def test_record_that_misses_a_file(tmp_path: Path) -> None:
    files = {**wheel_files(), "sample/extra.py": b"evil"}
    with pytest.raises(GuardError, match=r"not listed: sample/extra\.py"):
        guard(tmp_path, files)


def test_record_that_lists_what_is_absent(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match=r"absent: sample/__init__\.py"):
        guard(tmp_path, damaged(**{"sample/__init__.py": None}))


def test_record_with_another_digest_or_size(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="another digest or size"):
        guard(tmp_path, damaged(**{"sample/__init__.py": b"X = 2\n"}))


@pytest.mark.parametrize(
    "line",
    [b"sample/__init__.py,,\n", b"sample/__init__.py,md5=abc,6\n", b"sample/__init__.py,sha256=abc,6\n", b"a,b\n",
     b"\xff\xfe", b'"unclosed'],
)  # fmt: skip
def test_record_that_proves_nothing(tmp_path: Path, line: bytes) -> None:
    files = wheel_files()
    rest = record_of({k: v for k, v in files.items() if k not in {RECORD, "sample/__init__.py"}}, RECORD)
    with pytest.raises(GuardError, match="RECORD"):
        guard(tmp_path, {**files, RECORD: line + rest})


def test_record_missing_or_without_itself(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="has no"):
        guard(tmp_path, damaged(**{RECORD: None}))
    files = wheel_files()
    with pytest.raises(GuardError, match="does not list itself"):
        guard(tmp_path, {**files, RECORD: files[RECORD].replace(f"{RECORD},,\n".encode(), b"")})


def test_a_signature_that_nobody_checks(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="signature"):
        guard(tmp_path, wheel_files(files={"sample-1.0.dist-info/RECORD.jws": b"{}"}))


def test_a_data_folder_of_another_project(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match=r"\.data folder"):
        guard(tmp_path, wheel_files(files={"requests-2.0.data/scripts/x": b"x"}))


def test_startup_code_is_noted(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, wheel_files(files={"evil.pth": b"import os\n"}))
    assert guard_wheel(path, plan_of("sample", "1.0")).startup == ("evil.pth",)
