"""The probe's collecting half: try to get out in every way that is known, and tell what happened.

It runs before anything foreign is unpacked or run. `farm.sandbox.probe` judges the facts on the host.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# Documentation and link-local addresses: no packet to them means anything to anybody, but a route to them is a route.
PROBE_ADDRESSES = (
    (socket.AF_INET, "192.0.2.1", 443),
    (socket.AF_INET, "169.254.169.254", 80),
    (socket.AF_INET6, "2001:db8::1", 443),
    (socket.AF_INET6, "fe80::1", 80),
)
ENGINE_SOCKETS = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
)
# Sockets that no network namespace holds, with their numbers of <linux/socket.h> (not every Python has the names). The
# last is no family: only where a filter answers for the kernel is it refused as forbidden.
SOCKET_PROBES = (
    ("AF_PACKET", 17, socket.SOCK_RAW, 0),
    ("AF_BLUETOOTH", 31, socket.SOCK_RAW, 1),
    ("AF_ALG", 38, socket.SOCK_SEQPACKET, 0),
    ("AF_VSOCK", 40, socket.SOCK_STREAM, 0),
    ("AF_UNSPEC", 0, socket.SOCK_STREAM, 0),
)
VSOCK_HOST = (2, 0xFFFFFFFE)
"""VMADDR_CID_HOST, and a port that nobody listens on: whoever refuses is there all the same."""
IO_URING_SETUP = 425
WRITE_PROBES = ("/", "/bin", "/dev", "/etc", "/home", "/opt", "/proc/sys/kernel", "/root", "/run", "/srv", "/sys",
                "/sys/fs/cgroup", "/usr", "/usr/local/bin", "/var", "/var/tmp")  # fmt: skip  # noqa: S108 - it must not be writable


def collect(inputs: list[str], status: dict[str, str], unfiltered: str) -> dict[str, Any]:
    """Try to get out in every way that is known and report what happened; the host judges it.

    Args:
        inputs: the read-only mounts, the peer's socket included.
        status: what `process_status` gave before the guest restricted itself: later it would tell of that too.
        unfiltered: what `farm.sandbox.guest.sockets.restrict` returned.
    """
    return {
        "version": 1,
        "pid": os.getpid(),
        "uids": list(os.getresuid()),
        "gids": sorted({*os.getresgid(), *os.getgroups()}),
        "status": status,
        "unfiltered": unfiltered,
        "interfaces": sorted(name for _, name in socket.if_nameindex()),
        "routes": _routes(),
        "connects": [*_connects(), *_name_servers(), *_engine_sockets()],
        "sockets": dict(_sockets()),
        "unix": _unix_sockets(),
        "env": sorted(_initial_environment()),
        "writable": sorted(p for p in {*WRITE_PROBES, *inputs} if _writable(Path(p))),
        "special": special_files(inputs),
        "mounts": _mounts(),
        "devices": sorted(os.listdir("/dev")),  # noqa: PTH208 - names, not paths
        "hardened": False,
    }


def process_status() -> dict[str, str]:
    """Return what the kernel says of this process's privileges (proc(5), status)."""
    wanted = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {key: value.strip() for key, _, value in pairs if key in wanted}


def _routes() -> list[str]:
    found = []
    for name in ("route", "ipv6_route"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", name).read_text(encoding="ascii").splitlines():
                device = line.split()[0 if name == "route" else -1]
                if device not in {"Iface", "lo"}:
                    found.append(device)
    return sorted(set(found))


def _error_name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error))


def _connects() -> Iterator[list[str]]:
    for family, address, port in PROBE_ADDRESSES:
        for kind, word in ((socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")):
            # Nobody waits for an answer: where there is a route, connect does not fail at once.
            yield [f"{word} {address} port {port}", _try_connect(family, kind, (address, port))]


def _try_connect(family: int, kind: int, address: Any) -> str:
    try:
        with socket.socket(family, kind) as attempt:
            attempt.settimeout(0)
            attempt.connect(address)
    except OSError as error:
        return _error_name(error)
    return "connected"


def _sockets() -> Iterator[tuple[str, str]]:
    for name, family, kind, protocol in SOCKET_PROBES:
        yield name, _try_socket(family, kind, protocol)
    yield "io_uring", _try_io_uring()


def _try_socket(family: int, kind: int, protocol: int) -> str:
    try:
        attempt = socket.socket(family, kind, protocol)
    except OSError as error:
        return _error_name(error)
    with attempt:
        if family != getattr(socket, "AF_VSOCK", None):
            return "created"
        attempt.settimeout(1)
        try:
            attempt.connect(VSOCK_HOST)
        except OSError as error:
            return f"created, to the host: {_error_name(error)}"
    return "created, to the host: connected"


def _try_io_uring() -> str:
    """Ask for a ring without a place for its parameters: EFAULT means that there would have been one."""
    try:
        import ctypes  # noqa: PLC0415 - some small Pythons come without it
    except ImportError as error:
        return str(error)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    if libc.syscall(ctypes.c_long(IO_URING_SETUP), ctypes.c_ulong(1), ctypes.c_void_p(None)) >= 0:
        return "created"
    return _error_name(OSError(ctypes.get_errno(), ""))


def _name_servers() -> Iterator[list[str]]:
    try:
        lines = Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split()
        if words[:1] == ["nameserver"] and len(words) > 1:
            yield [f"dns {words[1]}", _ask(words[1])]


def _ask(server: str) -> str:
    """Ask a name server for the root; a loopback one refuses at once unless somebody listens there."""
    query = struct.pack(">HHHHHH", 1, 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack(">HH", 2, 1)
    try:
        with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as attempt:
            attempt.settimeout(0.05)
            attempt.connect((server, 53))
            attempt.send(query)
            attempt.recv(512)
    except socket.timeout:  # noqa: UP041 - another class than TimeoutError before Python 3.10
        return "sent"
    except OSError as error:
        return _error_name(error)
    return "answered"


def _engine_sockets() -> Iterator[list[str]]:
    for path in ENGINE_SOCKETS:
        yield [f"unix {path}", _try_connect(socket.AF_UNIX, socket.SOCK_STREAM, path)]


def _unix_sockets() -> list[str]:
    lines = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    named = 8
    return sorted(words[7] if len(words) >= named else "(unnamed)" for words in (line.split() for line in lines))


def _initial_environment() -> list[str]:
    # Not os.environ: Python itself may have added LC_CTYPE to that.
    raw = Path("/proc/self/environ").read_bytes().split(b"\0")
    return [os.fsdecode(entry.partition(b"=")[0]) for entry in raw if entry]


def _writable(path: Path) -> bool:
    try:
        if path.is_dir():
            attempt = path / ".farm-probe"
            os.close(os.open(attempt, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            attempt.unlink()
        else:
            os.close(os.open(path, os.O_WRONLY))
    except OSError:
        return False
    return True


def special_files(inputs: list[str]) -> dict[str, str]:
    """Return what at and below `inputs` is more than content, path → kind.

    Read-only mounts keep nobody from talking to a socket or a pipe, nor to a device.
    """
    found: dict[str, str] = {}
    for path in inputs:
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - the same for all below, which are text too
        except OSError as error:
            found[path] = _error_name(error)
            continue
        if stat.S_ISDIR(mode):
            _look_below(path, found)
        elif not stat.S_ISREG(mode):
            found[path] = _kind(mode)
    return {os.fsencode(path).decode("utf-8", "backslashreplace"): kind for path, kind in sorted(found.items())}


def _look_below(top: str, found: dict[str, str]) -> None:
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif not (entry.is_symlink() or entry.is_file(follow_symlinks=False)):
                        found[entry.path] = _kind(entry.stat(follow_symlinks=False).st_mode)
        except OSError as error:
            # What cannot be listed may hold anything, but only where it can be entered is it of use to anybody.
            if os.access(folder, os.X_OK):
                found[folder] = _error_name(error)


def _kind(mode: int) -> str:
    for test, word in ((stat.S_ISSOCK, "socket"), (stat.S_ISFIFO, "pipe")):
        if test(mode):
            return word
    return "device"


def _mounts() -> list[dict[str, Any]]:
    """Read /proc/self/mountinfo (proc(5)): point, options, propagation and type of each mount."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        words = left.split(" ")
        found.append({
            "point": words[4].encode(errors="replace").decode("unicode_escape"),
            "options": sorted(words[5].split(",")),
            "propagation": words[6:],
            "type": right.split(" ")[0],
        })  # fmt: skip
    return found


def harden() -> bool:
    """Make the guest undumpable, so that foreign code of the same user can neither trace it nor open its files."""
    try:
        import ctypes  # noqa: PLC0415 - some small Pythons come without it
    except ImportError:
        return False
    pr_set_dumpable = 4
    return bool(ctypes.CDLL(None).prctl(pr_set_dumpable, 0, 0, 0, 0) == 0)
