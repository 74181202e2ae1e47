"""Resolve requirements to wheels: uv as a subprocess, its pylock.toml (PEP 751) read into pins.

Only wheels are taken, so nothing foreign runs here. Farm's own index comes first and the first index that has a
project is the only one asked for it: a version uploaded upstream cannot displace what was rebuilt here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from uv import find_uv_bin

from farm.ecosystems.python.target import python_version, resolver_platform, supported_tags
from farm.errors import InputUnavailableError, ResolutionError
from farm.net import direct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from packaging.tags import Tag
    from packaging.utils import BuildTag

    from farm.model.plan import Target

__all__ = ["Indexes", "Pin", "parse_requirements", "resolve"]

_TIMEOUT = 600
_NO_SOLUTION = 1
"""Exit code of uv when it has read everything and found none; 2 is everything else."""
_KEPT_UV_VARIABLES = frozenset(
    {"UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"}
)
"""Variables of the user's that say how to reach an index; all others of uv could change what is chosen."""
_NOTHING: Mapping[str, Sequence[str]] = MappingProxyType({})
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


@dataclass(frozen=True)
class Indexes:
    """Where to resolve from; addresses may hold credentials."""

    upstream: str
    own: str = ""
    ca_bundle: str = ""


@dataclass(frozen=True, order=True)
class Pin:
    """One chosen wheel."""

    name: str
    version: str
    filename: str
    sha256: str
    size: int | None = field(default=None, compare=False)
    """As the index states it, None when it does not."""


def parse_requirements(lines: Iterable[str], origin: str) -> tuple[str, ...]:
    """Return the requirements (PEP 508) of `lines` in one spelling, sorted, without duplicates.

    They come from foreign code and foreign metadata and end up in a file that uv reads, so nothing but a plain
    requirement passes: no option lines, no direct references.

    Raises:
        ResolutionError: a line that is no requirement, or that names an address instead of a version.
    """
    found: set[str] = set()
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise ResolutionError(f"{origin}: {line[:200]!r} is no requirement: {error}") from error
        if requirement.url:
            raise ResolutionError(
                f"{origin}: {requirement.name} is required from an address, not from an index",
                remedy="Add a recipe for it and require it by version.",
            )
        found.add(str(requirement))
    return tuple(sorted(found))


def resolve(
    requirements: Sequence[str],
    *,
    target: Target,
    indexes: Indexes,
    work: Path,
    constraints: Sequence[str] = (),
    exclude: Sequence[str] = (),
    preferred: Mapping[str, Sequence[str]] = _NOTHING,
) -> tuple[Pin, ...]:
    """Choose exactly one wheel for every project in the closure of `requirements`, for `target`.

    Args:
        requirements: parsed requirements.
        target: platform and interpreter, for markers and tags.
        indexes: where to look.
        work: scratch folder for the files that uv reads.
        constraints: requirements that bound versions without asking for the project.
        exclude: projects that are left out of the closure (the one that is being built).
        preferred: project → versions that are taken before others, the newest first, where the requirements and the
            index allow one of them; otherwise they change nothing.

    Raises:
        ResolutionError: no solution in wheels; the resolver's words are in the message.
        InputUnavailableError: an index does not answer, or not as an index does.
    """
    if not requirements:
        return ()
    files = {"requirements.in": requirements, "constraints.txt": constraints, "excludes.txt": exclude}
    for name, lines in files.items():
        (work / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    argv = [
        find_uv_bin(), "pip", "compile", str(work / "requirements.in"),
        "--constraints", str(work / "constraints.txt"), "--excludes", str(work / "excludes.txt"),
        "--format", "pylock.toml", "--output-file", str(work / "pylock.toml"),
        "--only-binary", ":all:", "--index-strategy", "first-index", "--no-config", "--no-header", "--no-progress",
        "--color", "never", "--quiet", "--no-python-downloads", "--no-sources",
        "--python-version", python_version(target), "--python-platform", resolver_platform(target),
    ]  # fmt: skip
    # uv keeps the versions of an earlier output where it can: that is how it is told what to prefer.
    (work / "pylock.toml").write_text(_preferences(preferred), encoding="utf-8")
    try:
        done = subprocess.run(
            argv,
            env=_environment(os.environ, indexes),
            cwd=work,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputUnavailableError(f"the resolver did not end within {_TIMEOUT} s") from error
    words = _CREDENTIALS.sub("", done.stderr).strip()[-4000:]
    if done.returncode not in {0, _NO_SOLUTION}:
        raise InputUnavailableError(f"the resolver could not read the index:\n{words}", details={"resolver": words})
    if done.returncode:
        raise ResolutionError(
            f"no solution in wheels for {', '.join(requirements)}:\n{words}", details={"resolver": words}
        )
    return _read_pylock((work / "pylock.toml").read_text(encoding="utf-8"), supported_tags(target))


def _preferences(preferred: Mapping[str, Sequence[str]]) -> str:
    """Return a pylock.toml (PEP 751) that names the preferred versions, and no files: uv looks those up itself.

    Of several versions of one project uv takes the newest that the requirements allow.
    """
    packages = [
        f"{{ name = {json.dumps(name)}, version = {json.dumps(version)} }},\n"
        for name, versions in sorted(preferred.items())
        for version in versions
    ]
    return f'lock-version = "1.0"\ncreated-by = "farm"\npackages = [\n{"".join(packages)}]\n'


def _environment(host: Mapping[str, str], indexes: Indexes) -> dict[str, str]:
    """Return uv's environment: the host's without what could steer the resolution; addresses are not in the arguments.

    Arguments of a process are public on its host, its environment is not. No proxy stands before this host itself,
    where farm's own index is.
    """
    env = {
        key: value
        for key, value in direct(host).items()
        if key in _KEPT_UV_VARIABLES or not key.startswith(("UV_", "PIP_", "PYTHON", "VIRTUAL_ENV", "CONDA_"))
    }
    env["UV_DEFAULT_INDEX"] = indexes.upstream
    if indexes.own:
        env["UV_INDEX"] = indexes.own
    if indexes.ca_bundle:
        env["SSL_CERT_FILE"] = indexes.ca_bundle
    return env


def _read_pylock(text: str, tags: Sequence[Tag]) -> tuple[Pin, ...]:
    """Read a pylock.toml: the best wheel of each package, of equal ones the highest build number; sorted by name."""
    rank = {tag: position for position, tag in enumerate(tags)}
    data: dict[str, Any] = tomllib.loads(text)
    pins = []
    for package in data.get("packages", []):
        name, version = package["name"], package.get("version", "")
        candidates = [
            (score, _pin(canonicalize_name(name), version, wheel))
            for wheel in package.get("wheels", [])
            if (score := _score(_filename(wheel), rank)) is not None
        ]
        if not candidates:
            raise ResolutionError(f"{name} {version} has no wheel for this target")
        best = max(score for score, _ in candidates)
        pins.append(min(pin for score, pin in candidates if score == best))
    return tuple(sorted(pins))


def _score(filename: str, rank: Mapping[Tag, int]) -> tuple[int, BuildTag] | None:
    """Return what installers compare wheels of a version by, the best highest: tag, then build number (PEP 427)."""
    try:
        _, _, build, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return None
    best = min((rank[tag] for tag in tags if tag in rank), default=None)
    return None if best is None else (-best, build)


def _pin(name: str, version: str, wheel: Mapping[str, Any]) -> Pin:
    filename = _filename(wheel)
    sha256 = wheel.get("hashes", {}).get("sha256", "")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ResolutionError(
            f"the index states no SHA-256 for {filename}", remedy="Use an index that states SHA-256 digests."
        )
    return Pin(name=name, version=version, filename=filename, sha256=sha256, size=wheel.get("size"))


def _filename(wheel: Mapping[str, Any]) -> str:
    name = wheel.get("name") or PurePosixPath(unquote(urlsplit(str(wheel.get("url", ""))).path)).name
    return str(name)
