"""Unpack crates into a folder that stands in for Cargo's registry, and keep Cargo to it and to its lock files.

Arguments: folder with the `.crate` files, CARGO_HOME (made here), paths of the Cargo.lock files of the source.
Written for Python 3.9. The folder takes the place of Cargo's default registry, and of the one that a lock file names.
A crate is a gzipped tar of one folder, `name-version`; whatever else is in one ends the
program: entries outside of that folder, links, devices, the same name twice.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import re
import shutil
import sys
import tarfile

SUFFIX = ".crate"
CONFIG = """\
[net]
offline = true

[source.farm]
directory = "{0}"

[source.crates-io]
replace-with = "farm"
"""
OTHER = """
[source."{0}"]
registry = "{1}"
replace-with = "farm"
"""
REGISTRY = re.compile(r'^source = "((?:registry|sparse)\+[^"\\\s]+)"$', re.MULTILINE)
DEFAULT = re.compile(r"/crates\Wio-index$")
"""How Cargo's name for its default registry ends in a lock file."""


def main(crates: str, home: str, *locks: str) -> None:
    """Unpack everything and write Cargo's configuration."""
    vendor = pathlib.Path(home, "vendor")
    vendor.mkdir(parents=True)
    for archive in sorted(pathlib.Path(crates).glob(f"*{SUFFIX}")):
        try:
            unpack(archive, vendor)
        except (OSError, ValueError, EOFError, tarfile.TarError) as error:
            sys.exit(f"{archive.name}: {error}")
    others: set[str] = set()
    for lock in map(pathlib.Path, locks):
        others.update(name for name in REGISTRY.findall(lock.read_text("utf-8")) if not DEFAULT.search(name))
        # What `cargo --locked` is for, whoever calls Cargo: where the file would have to change, the build fails.
        lock.chmod(0o444)
    config = CONFIG.format(vendor)
    for name in sorted(others):
        # The address of a git index stands after the word, that of a sparse one is written with it.
        address = name.removeprefix("registry+")
        config += OTHER.format(name, address)
    pathlib.Path(home, "config.toml").write_text(config, encoding="utf-8")


def unpack(archive: pathlib.Path, vendor: pathlib.Path) -> None:
    """Unpack one crate as Cargo wants it in a directory source.

    Raises:
        ValueError: an entry that no crate has.
        OSError, EOFError, tarfile.TarError: the archive cannot be read, the file system is full.
    """
    name = archive.name[: -len(SUFFIX)]
    top = vendor / name
    top.mkdir()
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            parts = member.name.rstrip("/").split("/")
            if parts[0] != name or any(part in {"", ".", ".."} for part in parts) or "\0" in member.name:
                raise ValueError(f"the entry {member.name!r} does not lie in the crate's folder {name}")
            path = vendor.joinpath(*parts)
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                write(tar, member, path)
            else:
                raise ValueError(f"the entry {member.name!r} is neither a file nor a folder")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    # Cargo compares "package" with the checksum in Cargo.lock. Digests of single files are for editors, not for safety.
    text = json.dumps({"files": {}, "package": digest}, sort_keys=True)
    (top / ".cargo-checksum.json").write_text(text, encoding="utf-8")


def write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: pathlib.Path) -> None:
    """Write one file; its folder is made where it has no entry of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    if source is None:
        raise ValueError(f"the entry {member.name!r} has no content")
    with source, path.open("xb") as out:
        shutil.copyfileobj(source, out)
    path.chmod(0o755 if member.mode & 0o100 else 0o644)


if __name__ == "__main__":
    main(*sys.argv[1:])
