"""Fetch what lies beside a published file from the farm's repository. What comes is not trusted: `verify` decides.

A wheel is found on its project's page, as installers find it. A file whose name does not say where it is (a jar) is
found by its digest: the server answers `sha256/<digest>` with the addresses.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag

import httpx
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from farm.consumer.sidecars import LIMIT, SUFFIXES, json_object
from farm.errors import StoreUnavailableError, VerificationError
from farm.languages import language_of_file
from farm.model.base import sha256_file
from farm.net import DIRECT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["TIMEOUT", "fetch_sidecars", "get_capped"]

_PAGE = "application/vnd.pypi.simple.v1+json"
_PAGE_LIMIT = 64 * 1024 * 1024
_PLAIN = {"accept-encoding": "identity"}
"""A body that was compressed could be far larger than what was counted."""
TIMEOUT = httpx.Timeout(30, connect=10)


def fetch_sidecars(index_url: str, path: Path, into: Path) -> tuple[str, ...]:
    """Write the sidecars of the file at `path` into the folder `into`, named as `verify` looks for them.

    What is there already stays as it is: it may be what somebody wants to have verified.

    Args:
        index_url: where the repository has the file's language: the simple page (PEP 691) where the projects are
            listed, the root of the Maven repository; for what is found by digest the server's root will do too.
        path: the file; a wheel is found by its name, anything else by its digest.
        into: existing folder.

    Returns:
        The suffixes that were fetched; one that the index does not have either is missing and fails in `verify`.

    Raises:
        StoreUnavailableError: the index does not answer.
        VerificationError: it does not list the file, or answers with something too large or unreadable; or the file
            cannot be read, or what came cannot be written.
    """
    find = _finder(path)
    missing = [suffix for suffix in SUFFIXES if not os.path.lexists(into / f"{path.name}{suffix}")]
    if not missing:
        return ()
    found: list[str] = []
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True, mounts=DIRECT) as client:
            address = find(client, httpx.URL(index_url.rstrip("/") + "/"))
            for suffix in missing:
                data = get_capped(client, address.copy_with(path=address.path + suffix), {}, LIMIT)
                if data is not None and _write_new(into / f"{path.name}{suffix}", data):
                    found.append(suffix)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise StoreUnavailableError(f"the index does not answer: {type(error).__name__}: {error}") from error
    return tuple(found)


def _write_new(path: Path, data: bytes) -> bool:
    """Write a file that is not there yet; return False where something, be it a dangling link, has come to be there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return False
    except OSError as error:
        raise VerificationError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
    except OSError as error:
        # A part of it would count as being there the next time.
        path.unlink(missing_ok=True)
        raise VerificationError(f"{path} cannot be written: {error.strerror}") from error
    return True


def _finder(path: Path) -> Callable[[httpx.Client, httpx.URL], httpx.URL]:
    """Return what finds the file's address on an index, by what the file's name is."""
    try:
        language_of_file(path.name)
    except ValueError as error:
        raise VerificationError(str(error)) from error
    if not path.name.endswith(".whl"):
        return partial(_by_digest, path)
    try:
        name = parse_wheel_filename(path.name)[0]
    except InvalidWheelFilename as error:
        raise VerificationError(f"{path.name!r} is not the name of a wheel") from error
    return partial(_on_page, canonicalize_name(name), path.name)


def _by_digest(path: Path, client: httpx.Client, index: httpx.URL) -> httpx.URL:
    try:
        digest = sha256_file(path).sha256
    except OSError as error:
        raise VerificationError(f"{path.name} cannot be read: {error.strerror}") from error
    for place in ("../sha256/", "sha256/"):
        where = index.join(f"{place}{digest}")
        data = get_capped(client, where, {}, LIMIT)
        if data is not None:
            return _listed(json_object("the list of addresses", data), path.name, where)
    raise VerificationError(f"the repository has no file with the digest of {path.name} (sha256 {digest})")


def _listed(answer: dict[str, Any], filename: str, where: httpx.URL) -> httpx.URL:
    files = answer.get("files")
    urls = [f.get("url") for f in files if isinstance(f, dict)] if isinstance(files, list) else []
    # The same bytes can be published under several names; what is signed names one.
    named = [url for url in urls if isinstance(url, str) and url.rpartition("/")[2] == filename]
    if not named:
        raise VerificationError(f"the repository has the bytes of {filename}, but under another name")
    return where.join(named[0])


def _on_page(project: str, filename: str, client: httpx.Client, index: httpx.URL) -> httpx.URL:
    return _address(client, index.join(f"{project}/"), filename)


def _address(client: httpx.Client, page: httpx.URL, filename: str) -> httpx.URL:
    data = get_capped(client, page, {"accept": _PAGE}, _PAGE_LIMIT)
    if data is None:
        raise VerificationError(f"the index has no project for {filename}")
    files = json_object("the project page", data).get("files")
    listed = files if isinstance(files, list) else []
    urls = [f.get("url") for f in listed if isinstance(f, dict) and f.get("filename") == filename]
    if len(urls) != 1 or not isinstance(urls[0], str):
        raise VerificationError(f"the index lists {filename} {len(urls)} times, not once")
    return page.join(urldefrag(urls[0]).url)


def get_capped(client: httpx.Client, url: httpx.URL, headers: dict[str, str], limit: int) -> bytes | None:
    """Return the body, None where there is no such thing.

    Raises:
        StoreUnavailableError: the index answers with an error.
        VerificationError: it sends more than `limit` bytes.
        httpx.HTTPError: it does not answer.
    """
    with client.stream("GET", url, headers=headers | _PLAIN) as response:
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if not response.is_success:
            raise StoreUnavailableError(f"the index answers {response.status_code} for {url.path}")
        data = bytearray()
        for chunk in response.iter_raw():
            data += chunk
            if len(data) > limit:
                raise VerificationError(f"the index sends more than {limit} bytes for {url.path}")
    return bytes(data)
