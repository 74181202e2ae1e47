"""Which trust root to verify with: the one that the user names, or that of the user's own farm.

A trust root that came along with the files proves nothing, whatever it says. So one that was not named must belong to a
farm.toml, and must not lie where the files are.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from farm.config import find_config
from farm.errors import TrustRootError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farm.config import Settings

__all__ = ["trust_root"]

_VARIABLE = "FARM_TRUST__TRUST_CONFIG"


def trust_root(named: str, settings: Settings, files: Iterable[Path]) -> Path:
    """Return the path of the trust root.

    Args:
        named: as the user gave it for this call; empty = the settings decide.
        settings: of the farm here.
        files: what is to be verified.

    Raises:
        TrustRootError: none was named, and there is no farm here or its trust root lies in or below a file's folder.
    """
    if named:
        return Path(named)
    root = settings.trust_config_path
    # Settings are read in any case; see farm.config.
    if any(name.upper() == _VARIABLE for name in os.environ):
        return root
    if find_config() is None:
        raise TrustRootError("no farm.toml was found from here upwards, so there is no trust root to verify with")
    for file in files:
        if _beside(root, file):
            raise TrustRootError(
                f"the trust root {root} lies in or below the folder of {file}: it may have come with it"
            )
    return root


def _beside(root: Path, file: Path) -> bool:
    """Return whether the root lies in or below the file's folder, as the paths are written or where links lead."""
    roots = (root.parent.absolute(), root.parent.resolve(), root.resolve().parent)
    folders = (file.parent.absolute(), file.parent.resolve())
    return any(one.is_relative_to(folder) for one in roots for folder in folders)
