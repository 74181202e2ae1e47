"""The releases of a project, as the page of the simple API lists their sdists (PEP 691, 700, 592)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from farm.ecosystems.python.index import IndexClient, upstream_config
from farm.errors import InputUnavailableError, SourcePinError, SourceUnavailableError
from farm.model.release import Release

if TYPE_CHECKING:
    from farm.config import Settings
    from farm.ecosystems.python.index import IndexFile
    from farm.model.plan import ArchivePin

__all__ = ["release", "releases"]


def releases(pin: ArchivePin, settings: Settings) -> tuple[Release, ...]:
    """Return the releases of the project of `pin`; takes, returns and raises what `Ecosystem.releases` does."""
    return tuple(_release(str(version), files) for version, files in _grouped(pin, settings).items())


def release(pin: ArchivePin, settings: Settings) -> Release | None:
    """Return the release of `pin`; takes, returns and raises what `Ecosystem.release` does."""
    try:
        wanted = Version(pin.version)
    except InvalidVersion as error:
        raise SourcePinError(f"{pin.version!r} is no version (PEP 440)") from error
    files = _grouped(pin, settings).get(wanted)
    return None if files is None else _release(pin.version, files)


def _grouped(pin: ArchivePin, settings: Settings) -> dict[Version, list[IndexFile]]:
    if pin.kind != "pypi-sdist" or not pin.name:
        raise SourcePinError("a pypi-sdist source needs a name")
    config = upstream_config(settings)
    try:
        with IndexClient(config.url, config.ca_bundle) as client:
            listed = client.files(pin.name)
    except InputUnavailableError as error:
        raise SourceUnavailableError(f"releases of {pin.name}: {error.message}") from error
    found: dict[Version, list[IndexFile]] = {}
    for file in listed:
        try:
            found.setdefault(Version(file.version), []).append(file)
        except InvalidVersion:
            continue  # from before PEP 440, or no file of a release
    return found


def _release(version: str, files: list[IndexFile]) -> Release:
    """Say of a release what its sdists say; the most cautious of them counts."""
    # The order in which `locate_sdist` takes them.
    sdists = [file for file in files if file.kind == "sdist"]
    times = [file.upload_time for file in sdists]
    return Release(
        version=version,
        released=max(times) if times and all(times) else "",
        yanked=any(file.yanked for file in sdists or files),
        has_source=bool(sdists),
        pins=tuple(file.sha256 for file in sdists if file.sha256),
    )
