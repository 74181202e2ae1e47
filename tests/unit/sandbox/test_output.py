from __future__ import annotations

import io
import json
import os
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farm.errors import FarmError, OutputUnsafeError, SandboxDiskError
from farm.sandbox import output
from farm.sandbox.guest import files
from farm.sandbox.guest.wire import send
from farm.sandbox.output import read_frame, receive_output

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1000
CLOSING = {
    "exit_code": 0,
    "failed_step": "",
    "limit": "",
    "seconds": 0.5,
    "peak_memory": 4096,
    "fullest": [0.1, "/out"],
}


class Bytes:
    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._stream.read(size)

    def read_exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError
        return data


def frame(kind: bytes, value: Any) -> bytes:
    out = io.BytesIO()
    send(out, kind, value)
    return out.getvalue()


def entry(path: str, content: bytes | None = b"", **more: Any) -> bytes:
    value = {"path": path, "kind": "file", "size": len(content or b""), "executable": False, **more}
    return frame(b"E", value) + (content or b"")


def closing(entries: int, **more: Any) -> bytes:
    return frame(b"R", {**CLOSING, "entries": entries, **more})


def folder(path: str) -> bytes:
    return entry(path, kind="folder")


def link(path: str, target: str) -> bytes:
    return entry(path, kind="link", target=target)


def test_a_tree_comes_back_as_it_was(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    outside.mkdir()
    (inside / "sub" / "empty").mkdir(parents=True)
    (inside / "sub" / "ä b").write_bytes(b"x" * 300)
    (inside / "run").write_bytes(b"#!/bin/sh\n")
    (inside / "run").chmod(0o4711)
    (inside / "link").symlink_to("sub/ä b")
    stream = io.BytesIO()
    count = files.send_output(stream, inside)

    report = receive_output(Bytes(stream.getvalue() + closing(count)), outside, LIMIT)

    assert report.exit_code == 0
    assert sorted(str(p.relative_to(outside)) for p in outside.rglob("*")) == [
        "link",
        "run",
        "sub",
        "sub/empty",
        "sub/ä b",
    ]
    assert (outside / "sub" / "ä b").read_bytes() == b"x" * 300
    assert (outside / "run").stat().st_mode & 0o7777 == 0o755
    assert (outside / "sub" / "ä b").stat().st_mode & 0o7777 == 0o644
    assert (outside / "link").readlink() == inside.joinpath("link").readlink()


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        receive_output(Bytes(folder("a") + entry("a/b", b"1") + closing(2)), tmp_path, LIMIT)
    finally:
        os.umask(before)

    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o644


UNSAFE = {
    "absolute": entry("/etc/cron.d/x", b"1") + closing(1),
    "parent": entry("../x", b"1") + closing(1),
    "parent inside": folder("a") + entry("a/../../x", b"1") + closing(2),
    "dot": entry("./x", b"1") + closing(1),
    "empty name": entry("", b"1") + closing(1),
    "double slash": folder("a") + entry("a//x", b"1") + closing(2),
    "newline": entry("a\nb", b"1") + closing(1),
    "nul": entry("a\0b", b"1") + closing(1),
    "backslash": entry("a\\b", b"1") + closing(1),
    "surrogate": entry("a\udc80", b"1") + closing(1),
    "long name": entry("a" * 256, b"1") + closing(1),
    "deep": entry("/".join("a" * 100), b"1") + closing(1),
    "twice": entry("a", b"1") + entry("a", b"2") + closing(2),
    "file over folder": folder("a") + entry("a", b"2") + closing(2),
    "below a file": entry("a", b"1") + entry("a/b", b"2") + closing(2),
    "below nothing": entry("a/b", b"2") + closing(1),
    "through a link": link("a", ".") + entry("a/b", b"2") + closing(2),
    "device": entry("a", kind="special") + closing(1),
    "absolute link": link("a", "/etc/passwd") + closing(1),
    "link out": link("a", "../../etc/passwd") + closing(1),
    "link out by a link": folder("d") + folder("d/e") + link("d/e/up", "../..") + link("x", "d/e/up/..") + closing(4),
    "link to nothing": link("a", "b") + closing(1),
    "link to itself": link("a", "a") + closing(1),
    "link without target": link("a", "") + closing(1),
    "link with nul": link("a", "b\0c") + closing(1),
    "unknown kind of entry": entry("a", kind="door") + closing(1),
    "unknown key": entry("a", b"1", owner=0) + closing(1),
    "negative size": frame(b"E", {"path": "a", "kind": "file", "size": -1, "executable": False}) + closing(1),
    "size as text": frame(b"E", {"path": "a", "kind": "file", "size": "1", "executable": False}) + closing(1),
    "no json": struct.pack(">cQ", b"E", 3) + b"{{{",
    "huge frame": struct.pack(">cQ", b"E", 2**62),
    "unknown frame": struct.pack(">cQ", b"X", 0),
    "probe again": frame(b"P", {}) + closing(0),
    "more after the end": closing(0) + b"\0",
    "two ends": closing(0) + closing(0),
    "wrong count": entry("a", b"1") + closing(2),
    "unknown limit": closing(0, limit="sky"),
    "exit code beyond": closing(0, exit_code=256),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_output_is_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()

    with pytest.raises(OutputUnsafeError):
        receive_output(Bytes(UNSAFE[name]), root, LIMIT)

    assert [p.name for p in tmp_path.iterdir()] == ["root"]


def test_the_size_is_held_against_the_cap_before_anything_is_written(tmp_path: Path) -> None:
    data = entry("a", b"x" * 600) + frame(b"E", {"path": "b", "kind": "file", "size": 401, "executable": False})

    with pytest.raises(SandboxDiskError, match="'b' has 401 bytes, 400 were left"):
        receive_output(Bytes(data), tmp_path, LIMIT)

    assert not (tmp_path / "b").exists()


def test_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_ENTRIES", 3)

    with pytest.raises(SandboxDiskError, match="entries"):
        receive_output(Bytes(b"".join(entry(str(i)) for i in range(4)) + closing(4)), tmp_path, LIMIT)


@pytest.mark.parametrize("data", [b"", entry("a", b"1"), entry("a", b"12")[:-1], closing(0)[:-1]])
def test_an_early_end_is_no_answer(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(EOFError):
        receive_output(Bytes(data), tmp_path, LIMIT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.lists(
        st.binary(max_size=30)
        | st.builds(
            entry,
            st.text(alphabet="ab./\\\n\0ä", max_size=8),
            st.binary(max_size=5),
            kind=st.sampled_from(["file", "folder", "link"]),
            target=st.text(alphabet="ab./", max_size=6),
        )
        | st.builds(closing, st.integers(0, 3)),
        max_size=6,
    )
)
def test_whatever_comes_nothing_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]) -> None:
    top = tmp_path_factory.mktemp("top")
    root = top / "root"
    root.mkdir()
    try:
        receive_output(Bytes(b"".join(parts)), root, LIMIT)
    except (FarmError, EOFError):
        pass
    else:
        for path in root.rglob("*"):
            assert path.resolve(strict=True).is_relative_to(root)
    assert [p.name for p in top.iterdir()] == ["root"]


def test_a_frame_of_another_kind_is_refused() -> None:
    with pytest.raises(OutputUnsafeError, match="malformed"):
        read_frame(Bytes(frame(b"R", {})), b"P")


def test_frames_are_what_the_module_says() -> None:
    assert frame(b"P", {"b": 1, "a": 2}) == b"P" + (16).to_bytes(8, "big") + json.dumps({"a": 2, "b": 1}).encode()
