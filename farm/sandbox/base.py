"""The Sandbox protocol: the one narrow way in which foreign code is run.

A run is one fresh container: no network, read-only root, nothing of the host's environment. Inside, a small guest
program (plain Python, brought in read-only) first runs the isolation probe, then unpacks, then runs the steps in order
and stops at the first that fails. Whatever lies in `/out` at the end comes back into a folder of the caller's.

A run that has to ask for files is given one peer: a Unix socket of the host. It has no network all the same: there is
no interface but loopback and no route, so nothing else of the host can be reached, not even by its address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from farm.model.build import Usage
    from farm.model.plan import Limits

__all__ = ["Mount", "Peer", "Sandbox", "SandboxRequest", "SandboxResult", "Step", "Unpack"]


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host, shown read-only at `target` (absolute path in the sandbox)."""

    source: Path
    target: str


@dataclass(frozen=True)
class Peer:
    """The one thing outside that a run may talk to: a Unix socket of the host, shown inside as 127.0.0.1:`port`.

    Each connection to the port is one connection to the socket, carried unread: whoever listens speaks HTTP (or what
    it likes) as on any stream socket, and has to bear a connection that closes without a word, by which the guest sees
    whether anybody listens. Proxies of the host's environment play no part.

    An OCI runtime with a kernel of its own shows Unix sockets of the host only where it is told to (gVisor's `runsc`:
    `--host-uds=open`); otherwise the run fails at its first step, "peer".
    """

    socket: Path
    """Listening; every user may write to it (mode 0666), its folder lets nobody else in (mode 0700)."""
    port: int
    """1024 to 65535. No other run sees it: the same one may be used by all."""


@dataclass(frozen=True)
class Unpack:
    """A tar (shown by a mount at `archive`) that the guest unpacks into `target`, a folder on a writable tmpfs."""

    archive: str
    target: str


@dataclass(frozen=True)
class Step:
    """One command: argument list, working folder, additions to the environment; errors and logs call it `name`."""

    name: str
    argv: tuple[str, ...]
    cwd: str = "/src"
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SandboxRequest:
    """One run.

    Writable in the sandbox are only the tmpfs folders `/src`, `/work`, `/home/build`, `/tmp` and `/out`.
    """

    image_id: str
    label: str
    """The package, for container labels and logs."""
    steps: tuple[Step, ...]
    limits: Limits
    output: Path
    """Existing empty folder of the host that receives the content of `/out`."""
    log: Path
    """File of the host that receives the merged output of the steps."""
    mounts: tuple[Mount, ...] = ()
    """Plain files, and folders that hold nothing but files, folders and links."""
    unpack: tuple[Unpack, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment of the steps (an allow-list: nothing else is set but PATH and HOME)."""
    peer: Peer | None = None
    """What the steps may talk to; None = nothing at all."""


@dataclass(frozen=True)
class SandboxResult:
    """What came of a run that ended by itself: exit code of the last step that ran."""

    exit_code: int
    failed_step: str
    """Name of the step that failed, empty when none did; `unpack …` and `peer` are the guest's own."""
    probe: str
    """The probe's verdict: one line, for the provenance."""
    usage: Usage
    log_tail: str
    """The last lines of the log (at most 4 KiB), for error messages."""


class Sandbox(Protocol):
    """Runs foreign code."""

    def run(self, request: SandboxRequest) -> SandboxResult:
        """Run `request` in a fresh sandbox and wait for its end.

        A failing step is a result, not an exception; what the sandbox itself stops is an exception:

        Raises:
            DockerUnavailableError: no engine.
            ImageMissingError: no such image.
            IsolationError: the probe got through; no step was run.
            SandboxTimeoutError, SandboxMemoryError, SandboxDiskError, SandboxPidsError: a limit was reached.
            OutputUnsafeError: `/out` holds links that leave it, devices, or odd names.
        """
        ...
