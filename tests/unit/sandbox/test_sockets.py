from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys

import pytest

from farm.sandbox.guest import sockets

ALLOW = 0x7FFF0000
EPERM = 0x00050000 | errno.EPERM
ENOSYS = 0x00050000 | errno.ENOSYS

X86_64, AARCH64, I386, ARM, BIG_ENDIAN_AARCH64 = 0xC000003E, 0xC00000B7, 0x40000003, 0x40000028, 0x800000B7
VSOCK, ALG, PACKET = 40, 38, 17


def answer(code: bytes, arch: int, number: int, *args: int) -> int:
    """Run classic BPF over a struct seccomp_data, as the kernel does."""
    data = struct.pack("=iIQ6Q", number, arch, 0x7F0000000000, *(*args, *[0] * 6)[:6])
    at = accumulator = 0
    while True:
        instruction, then, otherwise, operand = struct.unpack_from("=HBBI", code, at * 8)
        at += 1
        match instruction:
            case 0x20:
                [accumulator] = struct.unpack_from("=I", data, operand)
            case 0x15:
                at += then if accumulator == operand else otherwise
            case 0x35:
                at += then if accumulator >= operand else otherwise
            case 0x06:
                return int(operand)
            case _:
                pytest.fail(f"instruction {instruction:#x} is none that a filter uses here")


@pytest.mark.parametrize(
    ("machine", "arch", "socket", "pair"), [("x86_64", X86_64, 41, 53), ("aarch64", AARCH64, 198, 199)]
)
def test_sockets_of_the_network_namespace_pass_and_no_others(machine: str, arch: int, socket: int, pair: int) -> None:
    code = sockets.program(machine)

    for number in (socket, pair):
        passing = {family for family in range(64) if answer(code, arch, number, family, 1, 0) == ALLOW}
        assert passing == {1, 2, 10, 16}
        assert {answer(code, arch, number, family) for family in {*range(64)} - passing} == {EPERM}
        # The kernel reads an int: what is in the upper half of the register is nothing to it.
        assert answer(code, arch, number, (1 << 32) | VSOCK) == EPERM
        assert answer(code, arch, number, (7 << 32) | 2) == ALLOW
        assert answer(code, arch, number, 0xFFFFFFFF) == EPERM


@pytest.mark.parametrize(
    ("machine", "arch", "number", "expected"),
    [
        ("x86_64", X86_64, 0, ALLOW),  # read
        ("x86_64", X86_64, 59, ALLOW),  # execve
        ("x86_64", X86_64, 198, ALLOW),  # lremovexattr: a socket elsewhere
        ("x86_64", X86_64, 424, ALLOW),
        ("x86_64", X86_64, 425, EPERM),  # io_uring_setup, _enter, _register
        ("x86_64", X86_64, 426, EPERM),
        ("x86_64", X86_64, 427, EPERM),
        ("x86_64", X86_64, 428, ALLOW),
        ("x86_64", X86_64, 0x40000000 + 41, ENOSYS),  # x32
        ("x86_64", X86_64, 0x40000000, ENOSYS),
        ("x86_64", X86_64, -1, ENOSYS),
        ("x86_64", I386, 3, EPERM),
        ("x86_64", I386, 102, EPERM),  # socketcall
        ("x86_64", AARCH64, 198, EPERM),
        ("aarch64", AARCH64, 63, ALLOW),  # read
        ("aarch64", AARCH64, 41, ALLOW),  # pivot_root: a socket elsewhere
        ("aarch64", AARCH64, 425, EPERM),
        ("aarch64", ARM, 281, EPERM),
        ("aarch64", BIG_ENDIAN_AARCH64, 198, EPERM),
        ("aarch64", X86_64, 41, EPERM),
    ],
)
def test_other_calls_and_other_architectures(machine: str, arch: int, number: int, expected: int) -> None:
    for domain in (2, PACKET, ALG, VSOCK):
        assert answer(sockets.program(machine), arch, number, domain) == expected


@pytest.mark.parametrize("machine", ["", "i686", "armv7l", "riscv64", "ppc64le", "s390x", "aarch64_be"])
def test_there_is_no_filter_for_an_unknown_machine(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no socket filter"):
        sockets.program(machine)

    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "h", "6", "1", machine)))
    assert "no socket filter" in sockets.restrict()


def test_the_kernel_takes_the_filter_and_children_keep_it() -> None:
    script = (
        "import ctypes, socket, subprocess, sys\n"
        "from farm.sandbox.guest.sockets import restrict\n"
        "one = ctypes.c_ulong(1); zero = ctypes.c_ulong(0)\n"
        "assert ctypes.CDLL(None).prctl(38, one, zero, zero, zero) == 0\n"  # PR_SET_NO_NEW_PRIVS
        "assert restrict() == '', restrict()\n"
        "for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_NETLINK):\n"
        "    socket.socket(family, socket.SOCK_DGRAM).close()\n"
        "code = 'import socket\\ntry: socket.socket(40, 1)\\nexcept PermissionError: raise SystemExit(7)'\n"
        "raise SystemExit(subprocess.run([sys.executable, '-c', code]).returncode)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 7
