"""Python's names: what `farm.model.language` asks of a language. Pure and quick to import."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, canonicalize_version, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from farm.ecosystems.python.embedded import embedded_documents
from farm.ecosystems.python.naming import NAMING
from farm.ecosystems.python.numbers import number_of
from farm.ecosystems.python.options import PythonOptions
from farm.errors import SigningRefusedError
from farm.model.language import ArchiveKind, ArchiveName, Language

if TYPE_CHECKING:
    from farm.model.plan import BuildPlan, Target

__all__ = ["LANGUAGE"]

_MAX_FILENAME = 255
_ANY = "any"
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
"""Platform of a target → machine in wheel tags (PEP 600)."""


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _sdist(text: str, version: str) -> ArchiveName:
    return ArchiveName(NAMING.name(text), str(NAMING.version(version)))


def _release(plan: BuildPlan, filename: str) -> str:
    """Demand that a file name (PEP 427) is one of the plan's own package, version and target.

    The build number is not part of the release: a run signs one of the wheels that differ in it, and no second one.
    """
    package = plan.package
    try:
        name, version, _, tags = parse_wheel_filename(filename)
        number = number_of(filename)
        expected = Version(package.version)
    except ValueError as error:
        raise SigningRefusedError(f"{filename!r} is not the name of a wheel: {error}") from error
    if "/" in filename or not filename.isascii() or not filename.isprintable() or len(filename) > _MAX_FILENAME:
        raise SigningRefusedError(f"{filename!r} is not the name of a wheel")
    if name != canonicalize_name(package.name) or version != expected:
        raise SigningRefusedError(f"{filename} is not a file of {package}, which this run builds")
    # Other spellings are further files of the same release: installers would choose between them.
    stem = f"{name.replace('-', '_')}-{version}-" + (f"{number}-" if number else "")
    if not filename.startswith(stem):
        raise SigningRefusedError(f"{filename} is not spelled in normal form: {stem}…")
    _check_tags(plan.target, tags, filename)
    return f"{name} {canonicalize_version(version)} {' '.join(sorted(map(str, tags)))}"


def _check_tags(target: Target, tags: frozenset[Tag], filename: str) -> None:
    """Demand that a wheel installs on the target (PEP 425); a universal one (py2.py3) may be for others too."""
    number = re.fullmatch(r"cp3([0-9]{1,2})", target.interpreter)
    arch = _MACHINES.get(target.platform)
    if number is None or arch is None:
        raise SigningRefusedError(f"nothing is signed for {target.interpreter} on {target.platform}")
    version = (3, int(number[1]))
    known = (
        *cpython_tags(version, [target.interpreter], [_ANY]),
        *compatible_tags(version, target.interpreter, [_ANY]),
    )
    runs = {(tag.interpreter, tag.abi) for tag in known}
    fitting = {tag for tag in tags if (tag.interpreter, tag.abi) in runs}
    for tag in tags:
        native = re.fullmatch(rf"(linux|(many|musl)linux[0-9_]*)_{arch}", tag.platform)
        if not (tag in fitting and native) and not (fitting and tag.platform == _ANY):
            raise SigningRefusedError(f"{filename} is not for {target.interpreter} on {target.platform}: {tag}")


def _is_file_of(package: str, version: str, filename: str) -> bool:
    try:
        name, found, _, _ = parse_wheel_filename(filename)
        return canonicalize_name(package) == name and Version(version) == found
    except (InvalidWheelFilename, InvalidVersion) as error:
        msg = f"{filename!r} is not the name of a wheel: {error}"
        raise ValueError(msg) from error


LANGUAGE = Language(
    name="python",
    naming=NAMING,
    purl=_purl,
    build_type="python-wheel",
    archive=ArchiveKind(
        kind="pypi-sdist",
        description="Name of the project whose source distribution is taken from the configured Python index.",
        read=_sdist,
        purl=lambda found: _purl(found.name, found.version),
    ),
    options=PythonOptions,
    release=_release,
    is_file_of=_is_file_of,
    suffixes=(".whl",),
    component=lambda name, version, _: (name, _purl(name, version)),
    embedded=embedded_documents,
)
"""What farm knows of Python's names."""
