"""Make the source's copy of the package unimportable, so that tests can only meet the installed wheel.

Arguments: project folder, wheel. Every file that the wheel holds is removed from the project folder and from its first
level of folders that are no packages themselves (src/, lib/, python/). Tests that lie inside the package and are not
in the wheel stay: what is left of the folder is no regular package any more, and a regular one wins wherever it is on
the path.
"""

from __future__ import annotations

import pathlib
import sys
import zipfile


def main(project: str, wheel: str) -> None:
    """Remove the shipped files from the source."""
    base = pathlib.Path(project)
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    roots = [base, *(p for p in base.iterdir() if p.is_dir() and not p.is_symlink() and not is_package(p))]
    for name in names:
        for root in roots:
            (root / name).unlink(missing_ok=True)
    # An egg-info folder would answer importlib.metadata in place of the wheel's own metadata.
    for root in roots:
        for info in root.glob("*.egg-info/PKG-INFO"):
            info.unlink()


def is_package(folder: pathlib.Path) -> bool:
    """Return whether `folder` is a regular package."""
    return (folder / "__init__.py").exists()


if __name__ == "__main__":
    main(*sys.argv[1:])
