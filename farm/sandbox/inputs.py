"""What a run shows of the host, checked before a sandbox is made: a clear word here instead of an odd failure inside.

The sandbox's user is nobody on this host. That nothing else is shown is for the probe to find, inside.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from farm.errors import FarmError

if TYPE_CHECKING:
    from pathlib import Path

    from farm.sandbox.base import Mount, Peer, SandboxRequest

__all__ = ["check_inputs"]

_PORTS = range(1024, 65536)
_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH


def check_inputs(request: SandboxRequest) -> None:
    """Check the mounts and the peer of `request`.

    Raises:
        FarmError: an input is missing, not readable for the sandbox's user, or neither a file nor a folder; the peer is
            no socket, closed to the sandbox's user or open to other users of the host, or its port is out of range.
    """
    for mount in request.mounts:
        _check_mount(request.label, mount)
    if request.peer:
        _check_peer(request.label, request.peer)


def _check_mount(label: str, mount: Mount) -> None:
    mode = _mode(mount.source, f"{label}: the input {mount.source} cannot be mounted")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        msg = f"{label}: the input {mount.source} is neither a file nor a folder"
        raise FarmError(msg)
    needed = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    if mode & needed != needed:
        msg = f"{label}: the input {mount.source} is not readable for the sandbox's user"
        raise FarmError(msg)


def _check_peer(label: str, peer: Peer) -> None:
    what = f"{label}: the peer {peer.socket}"
    mode = _mode(peer.socket, f"{what} cannot be mounted")
    # Where it really lies, since a link in a private folder makes nothing private.
    folder = _mode(peer.socket.resolve().parent, f"{what} cannot be mounted")
    if peer.port not in _PORTS:
        msg = f"{what} cannot have the port {peer.port}: it must be {_PORTS.start} to {_PORTS.stop - 1}"
    elif not stat.S_ISSOCK(mode):
        msg = f"{what} is no socket"
    elif not mode & stat.S_IWOTH:
        msg = f"{what} is not writable for the sandbox's user (mode 0666)"
    elif folder & _OTHERS_ENTER:
        # The socket is open to everybody who gets to it: what keeps other users of this host away is its folder.
        msg = f"{what} lies in a folder that other users can enter (mode 0700)"
    else:
        return
    raise FarmError(msg)


def _mode(path: Path, what: str) -> int:
    """Return the mode of `path`; of a link, that of what it leads to, as the engine would mount that."""
    try:
        return path.stat().st_mode
    except OSError as error:
        msg = f"{what}: {error.strerror}"
        raise FarmError(msg) from error
