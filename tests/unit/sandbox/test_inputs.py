from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from farm.errors import FarmError
from farm.model.plan import Limits
from farm.sandbox.base import Mount, Peer, SandboxRequest
from farm.sandbox.docker import PEER, container_options
from farm.sandbox.guest.escape import special_files
from farm.sandbox.inputs import check_inputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def request(tmp_path: Path, *mounts: Path, peer: Peer | None = None) -> SandboxRequest:
    return SandboxRequest(
        image_id="sha256:0", label="x", steps=(), limits=Limits(), output=tmp_path, log=tmp_path / "log",
        mounts=tuple(Mount(path, "/in/" + path.name) for path in mounts), peer=peer,
    )  # fmt: skip


def bind(path: Path, mode: int = 0o666) -> Path:
    """Leave a socket at `path`, by a short name: that of a test's folder may be too long for one."""
    before = os.getcwd()  # noqa: PTH109 - to go back to
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)
    path.chmod(mode)
    return path


@pytest.fixture
def private(tmp_path: Path) -> Path:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


def test_files_and_folders_and_a_private_socket_pass(tmp_path: Path, private: Path) -> None:
    (tmp_path / "file").touch(mode=0o644)
    (tmp_path / "folder").mkdir(mode=0o755)

    check_inputs(request(tmp_path, tmp_path / "file", tmp_path / "folder", peer=Peer(bind(private / "s"), 8080)))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda _: None, "cannot be mounted: No such file"),
        (bind, "neither a file nor a folder"),
        (os.mkfifo, "neither a file nor a folder"),
        (lambda path: path.symlink_to("/dev/null"), "neither a file nor a folder"),
        (lambda path: path.touch(mode=0o600), "not readable"),
        (lambda path: path.mkdir(mode=0o744), "not readable"),
    ],
    ids=["missing", "socket", "pipe", "device", "private file", "closed folder"],
)
def test_an_input_is_a_file_or_a_folder_that_can_be_read(
    tmp_path: Path, make: Callable[[Path], object], word: str
) -> None:
    make(tmp_path / "it")

    with pytest.raises(FarmError, match=word) as caught:
        check_inputs(request(tmp_path, tmp_path / "it"))

    assert str(tmp_path / "it") in caught.value.message


@pytest.mark.parametrize("port", [0, 80, 1023, 65536, -1])
def test_a_port_is_one_that_anybody_may_have(tmp_path: Path, private: Path, port: int) -> None:
    with pytest.raises(FarmError, match="1024 to 65535"):
        check_inputs(request(tmp_path, peer=Peer(bind(private / "s"), port)))


def test_a_peer_is_a_socket_for_the_sandbox_and_nobody_else(tmp_path: Path, private: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(FarmError) as caught:
            check_inputs(request(tmp_path, peer=Peer(path, 8080)))
        return caught.value.message

    (private / "file").touch(mode=0o666)
    (tmp_path / "open").mkdir(mode=0o755)
    (private / "link").symlink_to(bind(tmp_path / "open" / "s"))

    assert "No such file" in refused(private / "nothing")
    assert "is no socket" in refused(private / "file")
    assert "not writable for the sandbox's user" in refused(bind(private / "closed", 0o660))
    assert "other users can enter" in refused(tmp_path / "open" / "s")
    assert "other users can enter" in refused(private / "link")


def test_a_peer_adds_one_read_only_mount_and_changes_nothing_else(tmp_path: Path, private: Path) -> None:
    plain = container_options(request(tmp_path, private))
    with_peer = container_options(request(tmp_path, private, peer=Peer(private / "s", 8080)))

    assert with_peer["network_mode"] == "none"
    *same, added = with_peer.pop("mounts")
    assert same == plain.pop("mounts")
    assert (added["Source"], added["Target"], added["ReadOnly"]) == (str(private / "s"), PEER, True)
    assert with_peer == plain


def test_what_is_more_than_content_is_found_wherever_it_lies(tmp_path: Path) -> None:
    deep = tmp_path / "folder" / "a" / "b"
    deep.mkdir(parents=True)
    bind(deep / "s")
    os.mkfifo(deep.parent / "p")
    (deep / "file").touch()
    (deep / "link").symlink_to("s")
    (tmp_path / "plain").touch()
    inputs = [str(tmp_path / name) for name in ("folder", "plain", "missing")]

    assert special_files([*inputs, "/dev/null", str(deep / "s")]) == {
        "/dev/null": "device",
        str(deep / "s"): "socket",
        str(deep.parent / "p"): "pipe",
        str(tmp_path / "missing"): "ENOENT",
    }
