"""The other way to a builder image: from an image that the user names by digest, customised in a container.

The result is flattened into one tar with fixed times, so that the same base and definition give the same layer.
"""

from __future__ import annotations

import io
import tarfile
import uuid
from typing import TYPE_CHECKING, Any, cast

from farm.errors import ImageBuildError, ImageMissingError
from farm.sandbox.engine import engine_errors, inspect_image, owner_labels, remove_container

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import BinaryIO

    from docker import APIClient

    from farm.image.definition import ImageDefinition

__all__ = ["base_environment", "customise_base", "normalise_tar"]

_CUSTOMISE_SECONDS = 1200
_BLOCK = 1024 * 1024
_ENGINE_FILES = frozenset({".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab"})
"""Put there by the engine for the container, not by the image."""
_ENGINE_TREES = ("dev/", "proc/", "sys/")


def customise_base(
    api: APIClient,
    definition: ImageDefinition,
    overlay: Path,
    target: Path,
    *,
    log: BinaryIO,
    progress: Callable[[str], None],
) -> None:
    """Write the file system of the base image, customised, to `target` as a tar.

    Raises:
        ImageBuildError: the base cannot be had, or the customisation fails.
        DockerUnavailableError: no engine.
    """
    _have_base(api, definition, progress)
    name = f"farm-image-{uuid.uuid4().hex[:12]}"
    try:
        with engine_errors(f"image {definition.name}: customise {definition.base}"):
            api.create_container(
                definition.base,
                name=name,
                entrypoint=["python3", "-I", "-B", "/opt/farm-image/customise.py"],
                command=[],
                user="0:0",
                labels=owner_labels(),
                host_config=api.create_host_config(network_mode="none"),
                use_config_proxy=False,
            )
            with overlay.open("rb") as stream:
                api.put_archive(name, "/", cast("Any", stream))
            progress(f"customise {definition.base}")
            api.start(name)
            code = api.wait(name, timeout=_CUSTOMISE_SECONDS)["StatusCode"]
            log.write(api.logs(name))
            if code != 0:
                msg = f"image {definition.name}: customising {definition.base} failed (exit code {code})"
                raise ImageBuildError(msg)
            progress("flatten")
            with target.open("wb") as out:
                normalise_tar(cast("Iterable[bytes]", api.export(name, chunk_size=_BLOCK)), out, definition.epoch)
    finally:
        remove_container(api, name)


def base_environment(api: APIClient, definition: ImageDefinition) -> tuple[str, ...]:
    """Return the environment (`NAME=value`) that the base image sets: an import loses it."""
    return tuple((inspect_image(api, definition.base).get("Config") or {}).get("Env") or ())


def _have_base(api: APIClient, definition: ImageDefinition, progress: Callable[[str], None]) -> None:
    try:
        inspect_image(api, definition.base)
    except ImageMissingError:
        repository, _, digest = definition.base.partition("@")
        if not digest:
            msg = f"image {definition.name}: its base {definition.base} is not on this host"
            raise ImageBuildError(msg, remedy="Load it, or name it with its registry as name@sha256:….") from None
        progress(f"pull {definition.base}")
        try:
            with engine_errors(f"image {definition.name}: pull {definition.base}"):
                api.pull(repository, tag=digest, platform=definition.platform)
        except ImageMissingError as error:
            raise ImageBuildError(error.message, remedy="Check the name and digest behind `from`.") from error


def normalise_tar(chunks: Iterable[bytes], out: BinaryIO, epoch: int) -> None:
    """Copy an exported file system: no time newer than `epoch`, nothing of the engine's. Streams."""
    with (
        tarfile.open(fileobj=_Chunks(chunks), mode="r|", bufsize=_BLOCK) as source,
        tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_BLOCK) as target,
    ):
        for member in source:
            if member.name in _ENGINE_FILES or member.name.startswith(_ENGINE_TREES):
                continue
            kept = {k: v for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr.")}
            member.pax_headers = kept
            member.mtime = min(int(member.mtime), epoch)
            member.uname = member.gname = ""
            target.addfile(member, source.extractfile(member) if member.isreg() else None)


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a file to read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
