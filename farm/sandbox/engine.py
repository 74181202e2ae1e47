"""The Docker Engine: connect, look up images, tidy up. Nothing here runs foreign code."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import requests
from docker import APIClient
from docker.constants import DEFAULT_UNIX_SOCKET
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.utils import kwargs_from_env

from farm import log
from farm.errors import DockerUnavailableError, ImageMissingError
from farm.sandbox.owner import is_gone, own_mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farm.config import Settings

__all__ = ["LABEL", "connected", "engine_errors", "inspect_image", "owner_labels", "remove_container", "remove_orphans"]

LABEL = "farm.sandbox"
_OWNER = "farm.owner"
_ANSWER_SECONDS = 300
"""How long one answer of the engine may take (removing a container with much in its tmpfs included)."""

_logger = log.get(__name__)


@contextmanager
def connected(settings: Settings) -> Iterator[APIClient]:
    """Give a client of an engine that answers, and close its connections afterwards.

    Raises:
        DockerUnavailableError: none does.
    """
    address = settings.sandbox.docker_host or os.environ.get("DOCKER_HOST", "")
    shown = address or "the default socket"
    try:
        environment = {**os.environ, "DOCKER_HOST": address} if address else dict(os.environ)
        options = kwargs_from_env(environment=environment)
        _knock(str(options.get("base_url") or DEFAULT_UNIX_SOCKET))
        # "auto" asks the engine for its version: the client alone proves nothing.
        api = APIClient(version="auto", timeout=_ANSWER_SECONDS, **options)
    except (DockerException, requests.RequestException, OSError, ValueError) as error:
        msg = f"no Docker Engine answers at {shown}: {error}"
        raise DockerUnavailableError(msg) from error
    try:
        yield api
    finally:
        api.close()


def _knock(address: str) -> None:
    """Connect to a local engine once: where nobody listens, the SDK would leave its socket open."""
    scheme, _, path = address.partition("://")
    if scheme in {"unix", "http+unix"}:
        with socket.socket(socket.AF_UNIX) as attempt:
            attempt.connect(path)


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn what the SDK raises while the engine is asked into DockerUnavailableError (or ImageMissingError)."""
    try:
        yield
    except ImageNotFound as error:
        msg = f"{doing}: no such image on this host ({error.explanation})"
        raise ImageMissingError(msg) from error
    except APIError as error:
        msg = f"{doing}: the Docker Engine refused: {error.explanation or error}"
        raise DockerUnavailableError(msg) from error
    except (DockerException, requests.RequestException) as error:
        msg = f"{doing}: the Docker Engine does not answer: {error}"
        raise DockerUnavailableError(msg) from error


def inspect_image(api: APIClient, image: str) -> dict[str, Any]:
    """Return what the engine knows of `image`.

    Raises:
        ImageMissingError, DockerUnavailableError.
    """
    with engine_errors(f"image {image}"):
        # The stubs leave this method untyped.
        found: dict[str, Any] = cast("Any", api).inspect_image(image)
        return found


def owner_labels() -> dict[str, str]:
    """Return the labels that say whose container it is: this process's, told from any other that has its number."""
    return {LABEL: "1", _OWNER: own_mark()}


def remove_container(api: APIClient, container: str) -> None:
    """Remove the container, running or not; that it is gone already is fine."""
    try:
        api.remove_container(container, v=True, force=True)
    except NotFound:
        pass
    except (DockerException, requests.RequestException) as error:
        # The run's own outcome counts more; `remove_orphans` takes what stayed.
        _logger.warning("a container could not be removed", container=container, error=str(error))


def remove_orphans(settings: Settings) -> int:
    """Remove the sandboxes of farm processes that are gone for certain; return how many.

    Only processes of this boot and this namespace of process ids can be judged. Whatever belongs to others (another
    host that shares the engine, a container, an earlier boot) or cannot be read stays: a live build's is never taken.

    Raises:
        DockerUnavailableError: no engine.
    """
    count = 0
    with connected(settings) as api, engine_errors("look for orphaned sandboxes"):
        for entry in api.containers(all=True, filters={"label": [f"{LABEL}=1"]}):
            if is_gone(str(entry["Labels"].get(_OWNER, ""))):
                remove_container(api, entry["Id"])
                count += 1
    return count
