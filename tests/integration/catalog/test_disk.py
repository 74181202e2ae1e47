"""No room is left below the data folder while a catalog is rebuilt."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from farm.errors import CatalogFailedError, DiskFullError, StoreUnavailableError

from .farms import states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .farms import CatalogFarm

pytestmark = [
    pytest.mark.docker,
    pytest.mark.services,
    pytest.mark.skipif(os.geteuid() != 0, reason="a file system can be mounted by root only"),
]


@contextmanager
def small_file_system(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    mount, umount = (shutil.which(name) or name for name in ("mount", "umount"))
    subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run([umount, "-l", folder], check=True)


def test_a_full_disk_is_named_and_after_making_room_the_next_run_completes(
    new_farm: Callable[..., CatalogFarm],
) -> None:
    farm = new_farm("full")
    with small_file_system(farm.home.data, "64m"), farm.home.running("s3", "signer"):
        farm.add("tinyback")
        farm.add("low", "tinyback")
        filler = farm.home.data / "filler"
        state = os.statvfs(farm.home.data)
        filler.write_bytes(b"x" * (state.f_bavail * state.f_frsize))
        done = farm.rebuild()
        assert "Traceback" not in done.err
        expected = {kind.exit_code: kind.__name__ for kind in (DiskFullError, StoreUnavailableError)}
        if done.code == CatalogFailedError.exit_code:
            errors = {node["error"] for node in done.data["nodes"] if node["error"]}
            assert errors
            assert errors <= set(expected.values())
        else:
            assert done.data["error"] == expected[done.code]
        filler.unlink()
        assert states(farm.rebuild().ok()) == {"tinyback": "built", "low": "built"}
        assert states(farm.rebuild().ok()) == {"tinyback": "unchanged", "low": "unchanged"}
