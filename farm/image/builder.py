"""Builder images: find the one that a definition describes, or make it.

An image is found by its tag (`farm/<name>:<first digits of the definition's digest>`) and recognised by its label (the
whole digest): an unchanged definition is never built again. What identifies it elsewhere is the digest over its layers.
"""

from __future__ import annotations

import io
import json
import os
import selectors
import signal
import subprocess
import tarfile
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from filelock import FileLock

from farm.errors import FarmError, ImageBuildError, ImageMissingError
from farm.image.debian import bootstrap_advice, bootstrap_command, bootstrap_environment
from farm.image.definition import ImageDefinition, definition_digest, load_definition, read_requirements
from farm.image.derive import base_environment, customise_base
from farm.image.tools import download_command, download_environment, write_overlay
from farm.model.base import BlobRef, canonical_json, sha256_bytes
from farm.model.build import ImageIdentity
from farm.sandbox.engine import connected, engine_errors, inspect_image, owner_labels, remove_container

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import BinaryIO

    from docker import APIClient

    from farm.config import Settings
    from farm.store.base import Vault

__all__ = ["EnsuredImage", "build_image", "ensure_image", "find_image", "identity_of", "image_tag", "store_packages"]

_LABELS = "farm.image."
_PACKAGES = "/opt/farm-image/packages.txt"
_MAX_LIST = 16 * 1024 * 1024
_BUILD_SECONDS = 3600.0
"""How long one command of the host's may take: a mirror that trickles is no reason to wait for ever."""
_TAIL = 64 * 1024
"""How much of the log's end is read to say what failed."""
_TIDY_SECONDS = 30.0
"""How long a command that was ended may take to remove its half root."""
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _quiet(message: str) -> None:
    del message


@dataclass(frozen=True)
class _Job:
    """One image to make: what it is made of, its digest, where the log goes."""

    definition: ImageDefinition
    requirements: bytes
    digest: str
    log_path: Path

    @property
    def tag(self) -> str:
        return image_tag(self.definition.name, self.digest)


class EnsuredImage(NamedTuple):
    """An image that is there, and whether it was made for this."""

    identity: ImageIdentity
    made: bool


def image_tag(name: str, digest: str) -> str:
    """Return the tag of an image: `farm/<name>:<definition12>` (pure)."""
    return f"farm/{name}:{digest[:12]}"


def find_image(settings: Settings, name: str) -> ImageIdentity:
    """Return the image of the definition `images/<name>` as it is on this host.

    Raises:
        ImageMissingError: it has not been built, or the definition has changed since.
        ImageBuildError: no such definition, or not a readable one.
        DockerUnavailableError: no engine.
    """
    with connected(settings) as api:
        return _find(api, _job(settings, name))


def ensure_image(
    settings: Settings,
    name: str,
    progress: Callable[[str], None] = _quiet,
    *,
    force: bool = False,
    index: str = "",
) -> EnsuredImage:
    """Return the image of the definition `images/<name>`, made now where it is missing (or `force`).

    Args:
        settings: where images and data lie, engine, index.
        name: folder under images/.
        progress: is told in a few words what is being done.
        force: make it again even though it is there.
        index: where pip fetches the tools from, instead of where it is configured to; default: the settings'.

    Raises:
        ImageBuildError: it cannot be made; the message names the log.
        DockerUnavailableError: no engine.
    """
    job = _job(settings, name)
    lock = settings.data / "locks" / f"image-{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    # Two builds that miss the same image make it once.
    with FileLock(lock), connected(settings) as api:
        found = None if force else _find_or_none(api, job)
        if found is not None:
            return EnsuredImage(found, made=False)
        return EnsuredImage(build_image(settings, api, job, progress, index), made=True)


def store_packages(settings: Settings, identity: ImageIdentity, vault: Vault) -> None:
    """Make sure that the vault holds the image's list of packages, which the provenance names by digest.

    Raises:
        ImageBuildError: the list in the image is not the one that its label names.
        ImageMissingError, DockerUnavailableError, StoreUnavailableError.
    """
    if identity.packages is None or vault.has(identity.packages):
        return
    with connected(settings) as api:
        data = _read_packages(api, identity.image_id)
    if sha256_bytes(data) != identity.packages.sha256:
        msg = f"image {identity.name}: its list of packages is not the one that its label names"
        raise ImageBuildError(msg, remedy=f"Run `farm images build {identity.name} --force`.")
    vault.put_bytes(data)


def build_image(
    settings: Settings, api: APIClient, job: _Job, progress: Callable[[str], None], index: str = ""
) -> ImageIdentity:
    """Make the image of `job`, import and tag it; raises like `ensure_image`."""
    definition = job.definition
    job.log_path.parent.mkdir(parents=True, exist_ok=True)
    scratch = settings.data / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=scratch, prefix=f"image-{definition.name}-") as name,
        job.log_path.open("wb") as log,
    ):
        work = Path(name)
        (work / "wheels").mkdir()
        if definition.requirements:
            (work / "requirements.txt").write_bytes(job.requirements)
            progress("fetch the tools")
            fetch = download_command(definition, work / "requirements.txt", work / "wheels")
            _run(fetch, download_environment(os.environ, index or settings.python_index), log, job, _quiet)
        overlay, rootfs = work / "overlay.tar", work / "rootfs.tar"
        write_overlay(definition, job.requirements, work / "wheels", overlay)
        environment: tuple[str, ...] = (_PATH,)
        if definition.base:
            customise_base(api, definition, overlay, rootfs, log=log, progress=progress)
            environment = base_environment(api, definition)
        else:
            progress(f"bootstrap {definition.suite}")
            command = bootstrap_command(definition, overlay, rootfs, environment=os.environ)
            _run(command, bootstrap_environment(definition, os.environ), log, job, progress)
        progress("import into Docker")
        _import(api, job, rootfs, environment)
    return _find(api, job)


def identity_of(inspected: Mapping[str, Any]) -> ImageIdentity:
    """Return the identity of an image from what the engine says of it (pure).

    Raises:
        ImageMissingError: it is not one of farm's.
    """
    labels: dict[str, str] = (inspected.get("Config") or {}).get("Labels") or {}
    try:
        own = {
            key: labels[_LABELS + key] for key in ("name", "definition", "platform", "interpreter", "version", "base")
        }
        packages = json.loads(labels[f"{_LABELS}packages"])
        layers = tuple(inspected["RootFS"]["Layers"])
    except (KeyError, ValueError) as error:
        msg = f"image {inspected.get('Id', '?')} was not made by farm"
        raise ImageMissingError(msg) from error
    return ImageIdentity(
        image_id=inspected["Id"],
        digest=sha256_bytes(canonical_json(list(layers))),
        layers=layers,
        packages=BlobRef.model_validate(packages),
        **own,
    )


def _job(settings: Settings, name: str) -> _Job:
    folder = settings.images / name
    definition = load_definition(folder)
    requirements = read_requirements(definition, folder)
    digest = definition_digest(definition, requirements)
    return _Job(definition, requirements, digest, settings.data / "logs" / f"image-{name}.log")


def _find(api: APIClient, job: _Job) -> ImageIdentity:
    try:
        identity = identity_of(inspect_image(api, job.tag))
    except ImageMissingError as error:
        msg = f"builder image {job.definition.name} is not on this host, or its definition has changed since"
        raise ImageMissingError(msg, remedy=f"Run `farm images build {job.definition.name}`.") from error
    if identity.definition != job.digest:
        msg = f"{job.tag} was made from another definition ({identity.definition[:12]})"
        raise ImageMissingError(msg, remedy=f"Run `farm images build {job.definition.name} --force`.")
    return identity


def _find_or_none(api: APIClient, job: _Job) -> ImageIdentity | None:
    try:
        return _find(api, job)
    except ImageMissingError:
        return None


def _run(
    command: list[str], environment: dict[str, str], log: BinaryIO, job: _Job, progress: Callable[[str], None]
) -> None:
    """Run a command of the host's with its output in the log; lines that mmdebstrap marks `I: ` are progress.

    Raises:
        ImageBuildError: it cannot be started, fails, or takes too long.
    """
    failed = f"image {job.definition.name}: {Path(command[0]).name} failed"
    remedy = f"Read {job.log_path}. {ImageBuildError.default_remedy}"
    try:
        with subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            try:
                for line in _output(process, _BUILD_SECONDS):
                    log.write(line)
                    if line.startswith(b"I: "):
                        progress(line[3:].decode(errors="replace").strip())
            except BaseException:
                # Out of time, or an interrupt, say.
                _end_group(process)
                raise
    except TimeoutError as error:
        log.flush()
        msg = f"{failed}: it took longer than {_BUILD_SECONDS:.0f} s and was ended"
        raise ImageBuildError(msg, remedy=remedy, details={"log": str(job.log_path)}) from error
    except OSError as error:
        raise ImageBuildError(f"{failed}: {error}", remedy=remedy) from error
    log.flush()
    if process.returncode != 0:
        said = _tail(job.log_path)
        last = said.strip().splitlines()
        msg = f"{failed} (exit code {process.returncode}): {last[-1] if last else 'no output'}"
        remedy = f"{bootstrap_advice(said)} {remedy}".strip()
        raise ImageBuildError(msg, remedy=remedy, details={"log": str(job.log_path)})


def _tail(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL))
        return stream.read().decode(errors="replace")


def _output(process: subprocess.Popen[bytes], seconds: float) -> Iterator[bytes]:
    """Yield the lines of the output until the process has ended.

    Raises:
        TimeoutError: that takes longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    if process.stdout is None:
        return
    descriptor, rest = process.stdout.fileno(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())) and time.monotonic() < deadline:
            data = os.read(descriptor, 65536)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            yield from (line + b"\n" for line in lines)
        else:
            raise TimeoutError
    if rest:
        yield rest
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started; gently first: mmdebstrap then takes its half root away."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TIDY_SECONDS)


def _import(api: APIClient, job: _Job, rootfs: Path, environment: Iterable[str]) -> None:
    definition = job.definition
    packages = _packages_in(rootfs)
    labels = {
        "name": definition.name,
        "definition": job.digest,
        "platform": definition.platform,
        "interpreter": definition.interpreter,
        "version": definition.version,
        "base": definition.origin,
        "packages": BlobRef(sha256=sha256_bytes(packages), size=len(packages)).canonical().decode(),
    }
    changes = [
        *(f"ENV {name}={json.dumps(value)}" for name, _, value in (entry.partition("=") for entry in environment)),
        *(f"LABEL {_LABELS}{key}={json.dumps(value)}" for key, value in sorted(labels.items())),
        "USER 1000:1000",
        "WORKDIR /src",
    ]
    repository, _, tag = job.tag.partition(":")
    with engine_errors(f"image {definition.name}: import"):
        answer = api.import_image_from_file(str(rootfs), repository=repository, tag=tag, changes=changes)
    if '"error"' in str(answer):
        msg = f"image {definition.name}: Docker did not import it: {str(answer).strip()[-500:]}"
        raise ImageBuildError(msg)


def _packages_in(rootfs: Path) -> bytes:
    with tarfile.open(rootfs, "r:") as tar:
        for member in tar:
            if member.isreg() and f"/{member.name.removeprefix('./')}" == _PACKAGES:
                return _read_member(tar, member)
    msg = f"the bootstrapped file system has no {_PACKAGES}"
    raise ImageBuildError(msg)


def _read_packages(api: APIClient, image_id: str) -> bytes:
    """Read the package list out of an image that is there already."""
    with engine_errors(f"image {image_id}: read its package list"):
        container = api.create_container(image_id, command=["true"], labels=owner_labels())["Id"]
        try:
            chunks, _ = api.get_archive(container, _PACKAGES)
            data = b"".join(cast("Iterable[bytes]", chunks))
        finally:
            remove_container(api, container)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return _read_member(tar, tar.getmembers()[0])


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    if stream is None or member.size > _MAX_LIST:
        msg = f"{member.name} is no list of packages"
        raise FarmError(msg)
    with stream:
        return stream.read()
