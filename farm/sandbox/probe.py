"""The probe's judging half, pure: from the facts the guest collected to a verdict.

Whatever is not exactly as it must be is a finding. Facts that are missing, of another type or unknown are findings too:
a sandbox that cannot be judged is none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from farm.errors import IsolationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Expectation", "Facts", "findings", "judge", "parse_facts"]

_UNREACHABLE = frozenset({"ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EHOSTUNREACH", "EINVAL", "EACCES", "EPERM"})
"""What connect says where there is no way out. EINVAL: a link-local IPv6 address without an interface to leave by."""
_NOBODY = frozenset({"ECONNREFUSED"})
_ABSENT = frozenset({"ENOENT", "ENOTDIR", "EACCES"})
_FORBIDDEN = frozenset({"EPERM", "EACCES"})
_SOCKETS = {
    **dict.fromkeys(("AF_ALG", "AF_BLUETOOTH", "AF_PACKET", "AF_VSOCK"), _FORBIDDEN | {"EAFNOSUPPORT"}),
    # The kernel alone would say EAFNOSUPPORT to a family that there is not: this one shows that a filter answers.
    "AF_UNSPEC": _FORBIDDEN,
    "io_uring": _FORBIDDEN | {"ENOSYS"},
}
"""What each of the guest's attempts (`SOCKET_PROBES` there) may have come to. Every one must have been made."""
_DEVICES = frozenset({
    "console", "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout",
    "tty", "urandom", "zero",
})  # fmt: skip
_ENGINE_MOUNTS = frozenset({
    "/", "/dev", "/dev/console", "/dev/mqueue", "/dev/pts", "/dev/shm", "/etc/hostname",  # noqa: S108 - the engine's
    "/etc/hosts", "/etc/resolv.conf", "/proc", "/sys",
})  # fmt: skip
_ENGINE_TREES = (
    "/proc/",
    "/sys/fs/cgroup",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
    "/sys/devices/system/cpu/",
)
"""Below these the OCI runtime hides or protects files by mounts of its own."""
_NOT_OURS_TO_WRITE = frozenset({"/", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/sys"})

Text = Annotated[str, Field(max_length=4096)]
Names = Annotated[tuple[Text, ...], Field(max_length=4096)]


class _Reported(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MountFact(_Reported):
    """A line of mountinfo."""

    point: Text
    options: Names
    propagation: Names
    type: Text


class Facts(_Reported):
    """What the guest saw and tried; see `farm.sandbox.guest.escape.collect`."""

    version: Literal[1]
    pid: int
    uids: tuple[int, int, int]
    gids: Annotated[tuple[int, ...], Field(max_length=4096)]
    status: dict[str, str]
    interfaces: Names
    routes: Names
    connects: Annotated[tuple[tuple[Text, Text], ...], Field(max_length=4096, min_length=1)]
    """What was connected to and the error it gave, `connected` and the like where it gave none."""
    sockets: dict[str, str]
    """Kind of socket that no network namespace holds → the error that making it gave, `created` and so on if none."""
    unfiltered: Text
    """Why the guest's own socket filter is not in force; empty when it is."""
    unix: Names
    env: Names
    writable: Names
    special: dict[str, str]
    """What among the inputs is no file, folder or link, path → kind."""
    mounts: Annotated[tuple[MountFact, ...], Field(max_length=4096, min_length=1)]
    devices: Names
    hardened: bool
    """Whether the guest made itself undumpable, so that what it runs (the same user) can neither trace nor open it."""


@dataclass(frozen=True)
class Expectation:
    """What a run was given, and so may be seen inside."""

    env: frozenset[str]
    """Names of environment variables: those of the image and what Docker adds."""
    inputs: frozenset[str]
    """Targets of the read-only mounts."""
    writable: frozenset[str]
    """The tmpfs folders."""
    user: int
    peer: str = ""
    """Where the peer's socket is mounted; empty when the run has none."""


def parse_facts(raw: bytes) -> Facts:
    """Read the probe's report.

    Raises:
        IsolationError: it is not one.
    """
    try:
        return Facts.model_validate_json(raw)
    except ValidationError as error:
        places = sorted({".".join(map(str, e["loc"])) or "the whole" for e in error.errors()})
        msg = f"the isolation probe's report cannot be read ({', '.join(places[:5])})"
        raise IsolationError(msg) from error


def judge(raw: bytes, expected: Expectation) -> str:
    """Return the verdict in one line (the same for equal conditions: it goes into the provenance).

    Raises:
        IsolationError: the report is malformed, or something got through; the message names each.
    """
    found = list(findings(parse_facts(raw), expected))
    if found:
        msg = f"the isolation probe got through: {'; '.join(found)}"
        raise IsolationError(msg, details={"findings": found})
    return (
        "isolated: no network, no sockets but local, internet and netlink ones, "
        f"uid {expected.user}, no capabilities, no new privileges, seccomp filter, "
        "read-only root and inputs, environment on the allow-list"
        f"{'; one peer: recorder' if expected.peer else ''}"
    )


def findings(facts: Facts, expected: Expectation) -> Iterator[str]:
    """Yield what is not as it must be, in a fixed order."""
    yield from _network(facts)
    yield from _privileges(facts, expected)
    for name in sorted(set(facts.env) - expected.env):
        yield f"environment variable {json.dumps(name)} is visible"
    for path in facts.writable:
        yield f"{path} can be written"
    yield from _special(facts, expected)
    yield from _mounts(facts, expected)
    for name in sorted(set(facts.devices) - _DEVICES):
        yield f"device /dev/{name} is there"


def _network(facts: Facts) -> Iterator[str]:
    for name in facts.interfaces:
        if name != "lo":
            yield f"network interface {name}"
    for name in facts.routes:
        yield f"network route through {name}"
    for target, result in facts.connects:
        kind = target.partition(" ")[0]
        harmless = {"unix": _ABSENT, "dns": _UNREACHABLE | _NOBODY}.get(kind, _UNREACHABLE)
        if result not in harmless:
            yield f"{target}: {result}"
    if facts.unfiltered:
        yield f"sockets are not restricted: {facts.unfiltered}"
    for name in sorted(_SOCKETS.keys() | facts.sockets.keys()):
        result = facts.sockets.get(name, "not tried")
        if result not in _SOCKETS.get(name, ()):
            yield f"socket {name}: {result}"
    for path in facts.unix:
        yield f"Unix socket {path} of somebody else is in the network namespace"


def _privileges(facts: Facts, expected: Expectation) -> Iterator[str]:
    if facts.pid != 1:
        yield f"the guest is process {facts.pid}, not 1: the process namespace is shared"
    if set(facts.uids) != {expected.user}:
        yield f"user ids are {', '.join(map(str, facts.uids))}, not {expected.user}"
    if set(facts.gids) != {expected.user}:
        yield f"group ids are {', '.join(map(str, facts.gids))}, not {expected.user}"
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        value = facts.status.get(name, "missing")
        if value.strip("0"):
            yield f"capabilities {name} {value}"
    for name, must in (("NoNewPrivs", "1"), ("Seccomp", "2")):
        value = facts.status.get(name, "missing")
        if value != must:
            yield f"{name} is {value}, not {must}"
    if not facts.hardened:
        yield "the guest can be traced by what it runs (without ctypes, Python cannot make it undumpable)"


def _special(facts: Facts, expected: Expectation) -> Iterator[str]:
    if expected.peer and expected.peer not in facts.special:
        yield f"the peer {expected.peer} is no socket"
    for path, kind in sorted(facts.special.items()):
        if path != expected.peer:
            yield f"the input {json.dumps(path)} is no file, folder or link: {kind}"
        elif kind != "socket":
            yield f"the peer {path} is no socket: {kind}"


def _mounts(facts: Facts, expected: Expectation) -> Iterator[str]:
    shown = expected.inputs | ({expected.peer} if expected.peer else set())
    points = [mount.point for mount in facts.mounts]
    if expected.peer and points.count(expected.peer) > 1:
        yield f"{expected.peer} is mounted more than once"
    for point in sorted((shown | expected.writable | {"/"}) - set(points)):
        yield f"{point} is not the mount it should be"
    for mount in facts.mounts:
        ours = mount.point in shown or mount.point in expected.writable
        if not ours and mount.point not in _ENGINE_MOUNTS and not mount.point.startswith(_ENGINE_TREES):
            yield f"{mount.point} is mounted from outside"
        if mount.point in expected.writable and mount.type != "tmpfs":
            yield f"{mount.point} is {mount.type}, not a tmpfs"
        if mount.point in shown | _NOT_OURS_TO_WRITE and "ro" not in mount.options:
            yield f"{mount.point} is not mounted read-only"
        if mount.point in expected.writable and not {"nosuid", "nodev"} <= set(mount.options):
            yield f"{mount.point} is mounted without nosuid and nodev"
        # The root itself may be a slave of where Docker keeps it; anything that sends mounts back is a way out.
        if any(word.startswith("shared:") for word in mount.propagation) or (mount.point != "/" and mount.propagation):
            yield f"mounts at {mount.point} propagate ({' '.join(mount.propagation)})"
