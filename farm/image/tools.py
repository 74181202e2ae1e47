"""The overlay of a builder image: the tools' wheels, fetched through pip's own configuration, and the customisation."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from typing import TYPE_CHECKING

from farm.image.definition import CUSTOMISE, ImageDefinition
from farm.net import direct

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["download_command", "download_environment", "write_overlay"]

_PREFIX = "opt/farm-image"
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def download_command(definition: ImageDefinition, requirements: Path, target: Path) -> list[str]:
    """Return the pip command that fetches the wheels of `requirements` for a CPython image into `target` (pure).

    The index, proxies, certificates and credentials are those pip is configured with (see `download_environment`).
    """
    machine = _MACHINES[definition.architecture]
    return [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--require-hashes", "--no-deps", "--only-binary=:all:",
        "--implementation=cp", f"--python-version={definition.version}",
        f"--abi={definition.interpreter}", "--abi=abi3", "--abi=none",
        f"--platform=manylinux_2_28_{machine}", f"--platform=manylinux_2_17_{machine}",
        f"--platform=manylinux2014_{machine}", "--platform=any",
        f"--dest={target}", f"--requirement={requirements}",
    ]  # fmt: skip


def download_environment(environment: Mapping[str, str], index: str) -> dict[str, str]:
    """Return the environment of that command: the host's, with `index` where one is named.

    An index's address may hold credentials. Arguments of a process are public on its host, its environment is not.
    """
    return {**direct(environment), **({"PIP_INDEX_URL": index} if index else {})}


def write_overlay(definition: ImageDefinition, requirements: bytes, wheels: Path, target: Path) -> None:
    """Write the tar that is unpacked into the new root: deterministic, owned by root."""
    plan = {
        "interpreter": definition.interpreter,
        "tools": bool(definition.requirements),
        "version": definition.version,
        "wheels": definition.kept_wheels,
    }
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in (_PREFIX, f"{_PREFIX}/wheels"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, definition.epoch
            tar.addfile(folder)
        _add(tar, "customise.py", CUSTOMISE.read_bytes(), definition.epoch)
        _add(tar, "plan.json", json.dumps(plan, sort_keys=True).encode(), definition.epoch)
        if definition.requirements:
            _add(tar, "requirements.txt", requirements, definition.epoch)
        for wheel in sorted(wheels.iterdir()):
            info = tarfile.TarInfo(f"{_PREFIX}/wheels/{wheel.name}")
            info.mode, info.mtime, info.size = 0o644, definition.epoch, wheel.stat().st_size
            with wheel.open("rb") as stream:
                tar.addfile(info, stream)


def _add(tar: tarfile.TarFile, name: str, data: bytes, epoch: int) -> None:
    info = tarfile.TarInfo(f"{_PREFIX}/{name}")
    info.mode, info.mtime, info.size = 0o644, epoch, len(data)
    tar.addfile(info, io.BytesIO(data))
