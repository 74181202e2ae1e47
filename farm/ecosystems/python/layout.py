"""Where things lie inside the sandbox, and the steps that fill a virtual environment offline.

All paths are fixed, because build paths reach the output (debug information, generated files).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.python.target import python_version
from farm.ecosystems.run import SRC, stage
from farm.sandbox.base import Mount, Step

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from farm.model.lock import LockedFile
    from farm.model.plan import Target
    from farm.store.base import Vault

__all__ = [
    "CARGO_HOME",
    "CRATES",
    "GUEST",
    "INPUTS",
    "OUT",
    "SYSTEM_PATH",
    "TOOLS",
    "TOOLS_PYTHON",
    "VENV",
    "VENV_PYTHON",
    "frontend_folder",
    "project_folder",
    "requirement_lines",
    "stage_wheels",
    "venv_steps",
]

OUT = "/out"
VENV = "/work/venv"
VENV_PYTHON = f"{VENV}/bin/python"
INPUTS = "/inputs"
CRATES = "/crates"
CARGO_HOME = "/work/cargo"
"""Cargo's configuration and, in its folder `vendor`, the unpacked crates (builds of extensions in Rust)."""
GUEST = "/farm-guest"
"""Small programs of farm that run in the sandbox (farm/ecosystems/python/guest)."""
TOOLS = "/opt/farm-tools"
"""Virtual environment of the image: build, auditwheel and what they need. Builds never see it."""
TOOLS_PYTHON = f"{TOOLS}/bin/python"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_CACHE = "/work/uv-cache"
"""On the same tmpfs as the environment, so that uv links the unpacked files instead of copying them."""


def frontend_folder(target: Target) -> str:
    """Return the working folder of `python -m build`.

    `python -m` puts the working folder, and only it, at the head of the import path: from here the environment's own
    interpreter finds `build` and what it needs, while the backend, a child process in the source folder, sees nothing
    but the locked files.
    """
    return f"{TOOLS}/lib/python{python_version(target)}/site-packages"


def project_folder(subdirectory: str) -> str:
    """Return the folder of the project in the unpacked source."""
    return f"{SRC}/{subdirectory}" if subdirectory else SRC


def requirement_lines(files: Iterable[tuple[str, str]]) -> str:
    """Return the requirements file that installs exactly `files` (filename, SHA-256), each by path and digest."""
    return "".join(f"{INPUTS}/{filename} --hash=sha256:{digest}\n" for filename, digest in files)


def stage_wheels(files: Iterable[LockedFile], vault: Vault, folder: Path) -> Mount:
    """Write the locked files from the vault (digest checked) and their requirements file into the new `folder`.

    Returns:
        The mount that shows the folder to the sandbox.
    """
    folder.mkdir()
    # The sandbox's user is another one than ours, whatever our umask and the vault's temporary files say.
    folder.chmod(0o755)
    listed = sorted(files, key=lambda f: f.filename)
    for file in listed:
        stage(vault, file.ref, folder / file.filename)
    text = requirement_lines((f.filename, f.sha256) for f in listed)
    requirements = folder / "requirements.txt"
    requirements.write_text(text, encoding="utf-8")
    requirements.chmod(0o644)
    return Mount(folder, INPUTS)


def venv_steps(target: Target, *, install: bool = True) -> tuple[Step, ...]:
    """Return the steps that make a fresh environment and install the staged files into it.

    Everything is offline and each file is checked against its digest once more, inside.
    """
    uv = ("uv", "--quiet", "--offline", "--no-config", "--cache-dir", _CACHE)
    python = f"python{python_version(target)}"
    make = (*uv, "venv", "--no-project", "--no-python-downloads", "--python", python, VENV)
    steps = [Step("venv", make, cwd="/work")]
    if install:
        argv = (*uv, "pip", "install", "--python", VENV_PYTHON, "--no-index", "--no-deps", "--require-hashes")
        steps.append(Step("install", (*argv, "-r", f"{INPUTS}/requirements.txt"), cwd="/work"))
    return tuple(steps)
