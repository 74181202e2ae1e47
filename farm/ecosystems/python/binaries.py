"""Tell executables by their first bytes, not by their names."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farm.ecosystems.python.target import Machine

__all__ = ["HEAD", "binary_kind", "elf_fits"]

HEAD = 4096
"""Bytes of a file's beginning that `binary_kind` wants to see."""
_ELF = b"\x7fELF"
_ELF_64_LITTLE = b"\2\1"
_MAGICS = (
    (_ELF, "ELF"),
    (b"\xfe\xed\xfa\xce", "Mach-O"),
    (b"\xfe\xed\xfa\xcf", "Mach-O"),
    (b"\xce\xfa\xed\xfe", "Mach-O"),
    (b"\xcf\xfa\xed\xfe", "Mach-O"),
    (b"\xca\xfe\xba\xbe", "Mach-O or Java class"),
    (b"!<arch>\n", "static library"),
    (b"\0asm", "WebAssembly"),
)
_PE_POINTER = 0x3C


def binary_kind(head: bytes) -> str:
    """Return what kind of machine code a file that begins with `head` is, empty when none."""
    for magic, kind in _MAGICS:
        if head.startswith(magic):
            return kind
    if head.startswith(b"MZ") and len(head) >= _PE_POINTER + 4:
        (offset,) = struct.unpack_from("<L", head, _PE_POINTER)
        if head[offset : offset + 4] == b"PE\0\0" or offset + 4 > len(head):
            return "PE"
    return ""


def elf_fits(head: bytes, machine: Machine) -> bool:
    """Return whether the ELF file that begins with `head` is for `machine` (64 bit, little endian)."""
    if len(head) < 20 or head[4:6] != _ELF_64_LITTLE:  # noqa: PLR2004 - e_machine ends at byte 20 (ELF-64)
        return False
    (number,) = struct.unpack_from("<H", head, 18)
    return bool(number == machine.elf)
