"""A seccomp filter of the guest's own: sockets of the kinds that a network namespace holds, and no others.

The container's network namespace is empty, but not every socket lives in one: AF_VSOCK reaches the hypervisor, AF_ALG
and others reach kernel code that no build needs. Whether the engine's own profile lets them pass depends on its version
and configuration. Filters add up (seccomp(2)): the stricter answer counts, nothing can take a filter away again, and
every process that the guest starts inherits it.
"""

from __future__ import annotations

import os
import struct

# AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: numbers of <linux/socket.h>.
FAMILIES = (1, 2, 10, 16)

# For each machine, as uname has it: AUDIT_ARCH_* of <linux/audit.h>, then the numbers of socket and socketpair.
MACHINES = {
    "x86_64": (0xC000003E, 41, 53),
    "aarch64": (0xC00000B7, 198, 199),
}

# Makes sockets without the system call of that name; the numbers are those of every machine.
IO_URING = (425, 426, 427)

# Above the numbers of both machines: x86_64 has the x32 calls here, with numbers of their own.
X32 = 0x40000000

EPERM, ENOSYS = 1, 38

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
"""Instructions of classic BPF: ld [k], jeq #k, jge #k, ret #k."""
_NUMBER, _ARCH, _DOMAIN = 0, 4, 16
"""Offsets in struct seccomp_data; of the first argument the lower half, since the kernel reads an int there."""

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def program(machine: str) -> bytes:
    """Return the filter for `machine` (struct sock_filter, one after the other).

    Raises:
        ValueError: this machine's system calls are not known.
    """
    if machine not in MACHINES:
        msg = f"no socket filter for the machine {machine!r}"
        raise ValueError(msg)
    arch, socket, socketpair = MACHINES[machine]
    # Each line: instruction, operand, where to go when it is so and when it is not (a label, or on to the next line).
    lines = [
        (_LOAD, _ARCH, "", ""),
        # Another architecture of the same processor (32 bits) has other numbers: none of its calls can be judged.
        (_EQUAL, arch, "", "deny"),
        (_LOAD, _NUMBER, "", ""),
        (_AT_LEAST, X32, "unknown", ""),
        *((_EQUAL, number, "deny", "") for number in IO_URING),
        (_EQUAL, socket, "domain", ""),
        (_EQUAL, socketpair, "domain", "allow"),
        (_LOAD, _DOMAIN, "", ""),
        *((_EQUAL, family, "allow", "") for family in FAMILIES),
        (_RETURN, _ERRNO | EPERM, "", ""),
        (_RETURN, _ALLOW, "", ""),
        (_RETURN, _ERRNO | ENOSYS, "", ""),
    ]
    end = len(lines)
    labels = {"domain": end - 4 - len(FAMILIES), "deny": end - 3, "allow": end - 2, "unknown": end - 1}
    return b"".join(
        struct.pack("=HBBI", code, *(labels.get(label, at + 1) - at - 1 for label in (then, otherwise)), operand)
        for at, (code, operand, then, otherwise) in enumerate(lines)
    )


def restrict() -> str:
    """Put this process (of one thread) and all that it will start under the filter; return why not, nothing if done."""
    try:
        import ctypes  # noqa: PLC0415 - some small Pythons come without it

        code = program(os.uname().machine)
    except (ImportError, ValueError) as error:
        return str(error)

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))

    libc = ctypes.CDLL(None, use_errno=True)
    wanted = Program(len(code) // 8, code)
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(wanted), zero, zero) != 0:
        return f"the kernel refused the socket filter: {os.strerror(ctypes.get_errno())}"
    return ""
