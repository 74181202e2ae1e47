"""How the guest gets into the container: its command line and the message that carries its text."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

__all__ = ["COMMAND", "encode", "guest_message"]

_PACKAGE = "farm.sandbox.guest"
_MODULES = ("wire", "sockets", "escape", "files", "limits", "relay", "main")
"""In the order of their imports of each other."""

_LOADER = f"""
import json, sys, types
host = sys.stdin.buffer
for name, text in json.loads(host.read(int(host.readline()))):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
sys.modules["{_PACKAGE}.main"].main()
"""

COMMAND = ("python3", "-I", "-S", "-B", "-c", _LOADER)
"""Isolated from PYTHON* variables (-I), site packages (-S) and byte code files (-B) of the image."""


def encode(value: object) -> bytes:
    """Return a message to the guest: the length on a line of its own, then JSON."""
    body = json.dumps(value, sort_keys=True).encode()
    return b"%d\n%s" % (len(body), body)


@cache
def guest_message() -> bytes:
    """Return the first message: the guest's modules, name and text, in the order in which they have to be run."""
    folder = files(_PACKAGE)
    return encode(
        [[f"{_PACKAGE}.{name}", folder.joinpath(f"{name}.py").read_text(encoding="utf-8")] for name in _MODULES]
    )
