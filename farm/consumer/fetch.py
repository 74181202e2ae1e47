"""Fetch what lies beside a published file from the farm's index. What comes is not trusted: `verify` decides."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urldefrag

import httpx
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from farm.consumer.sidecars import LIMIT, SUFFIXES, json_object
from farm.errors import StoreUnavailableError, VerificationError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["fetch_sidecars"]

_PAGE = "application/vnd.pypi.simple.v1+json"
_PAGE_LIMIT = 64 * 1024 * 1024
_PLAIN = {"accept-encoding": "identity"}
"""A body that was compressed could be far larger than what was counted."""
_TIMEOUT = httpx.Timeout(30, connect=10)


def fetch_sidecars(index_url: str, path: Path, into: Path) -> tuple[str, ...]:
    """Write the sidecars of the file at `path` into the folder `into`, named as `verify` looks for them.

    Args:
        index_url: the index's simple page (PEP 691), where the projects are listed.
        path: the file; it is found on the index by its name.
        into: existing folder.

    Returns:
        The suffixes that the index has; one that it does not have is missing here and fails in `verify`.

    Raises:
        StoreUnavailableError: the index does not answer.
        VerificationError: it does not list the file, or answers with something too large or unreadable.
    """
    try:
        name = parse_wheel_filename(path.name)[0]
    except InvalidWheelFilename as error:
        raise VerificationError(f"{path.name!r} is not the name of a wheel") from error
    found: list[str] = []
    try:
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
            page = httpx.URL(index_url.rstrip("/") + "/").join(f"{canonicalize_name(name)}/")
            address = _address(client, page, path.name)
            for suffix in SUFFIXES:
                data = _get(client, address.copy_with(path=address.path + suffix), {}, LIMIT)
                if data is not None:
                    (into / f"{path.name}{suffix}").write_bytes(data)
                    found.append(suffix)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise StoreUnavailableError(f"the index does not answer: {type(error).__name__}: {error}") from error
    return tuple(found)


def _address(client: httpx.Client, page: httpx.URL, filename: str) -> httpx.URL:
    data = _get(client, page, {"accept": _PAGE}, _PAGE_LIMIT)
    if data is None:
        raise VerificationError(f"the index has no project for {filename}")
    files = json_object("the project page", data).get("files")
    listed = files if isinstance(files, list) else []
    urls = [f.get("url") for f in listed if isinstance(f, dict) and f.get("filename") == filename]
    if len(urls) != 1 or not isinstance(urls[0], str):
        raise VerificationError(f"the index lists {filename} {len(urls)} times, not once")
    return page.join(urldefrag(urls[0]).url)


def _get(client: httpx.Client, url: httpx.URL, headers: dict[str, str], limit: int) -> bytes | None:
    """Return the body, None where there is no such thing."""
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
