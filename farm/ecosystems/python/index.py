"""A small client of the simple repository API (PEP 503, 691): list a project's files, stream one to disk.

Heavy to import (HTTP client, HTML parser), so it is imported by what talks to an index and by nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import netrc
import time
import warnings
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx
from packaging.utils import canonicalize_name
from pypi_simple import (
    ACCEPT_JSON_PREFERRED,
    PYPI_SIMPLE_ENDPOINT,
    ProjectPage,
    UnexpectedRepoVersionWarning,
    UnsupportedRepoVersionError,
)

from farm.ecosystems.python.indexconf import IndexConfig, configured_index
from farm.errors import ConfigError, InputDigestError, InputMissingError, InputUnavailableError
from farm.model.base import CHUNK, BlobRef
from farm.net import DIRECT, tls_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from farm.config import Settings

__all__ = ["IndexClient", "IndexFile", "authorisation", "plain_url", "upstream_config"]

_MAX_PAGE = 128 * 1024 * 1024
_TIMEOUT = httpx.Timeout(60.0, connect=15.0)
_ATTEMPTS = 3
_GONE = frozenset({httpx.codes.NOT_FOUND, httpx.codes.GONE})


@dataclass(frozen=True)
class IndexFile:
    """One file of a project's page."""

    filename: str
    url: str
    sha256: str
    """Lower-case hex, empty when the page states none."""
    size: int | None
    version: str
    kind: str
    """`wheel`, `sdist` or another word of the index, empty when the name cannot be read."""
    upload_time: str = ""
    """When it was uploaded (PEP 700): RFC 3339, UTC, whole seconds; empty when the page does not say."""
    yanked: bool = False
    """Whether its publisher withdrew it (PEP 592)."""


def upstream_config(settings: Settings) -> IndexConfig:
    """Return the upstream index: the configured one, else the public default that pypi-simple names.

    Raises:
        ConfigError: see `configured_index`; also an address that is not http or https.
    """
    found = configured_index(settings.python_index)
    url = found.url or PYPI_SIMPLE_ENDPOINT
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ConfigError(
            f"the Python index named by {found.origin} is not an http(s) address",
            remedy="Set FARM_PYTHON_INDEX to the simple API of an index.",
        )
    return IndexConfig(url=url, ca_bundle=found.ca_bundle, origin=found.origin or "default")


def plain_url(url: str) -> str:
    """Return `url` without credentials."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def authorisation(url: str, index: str) -> dict[str, str]:
    """Return the request headers for `url`: the credentials of the index (or of netrc) where the host is the same.

    Nothing is sent to another host: a page cannot draw the credentials to a server of its choosing.
    """
    ours, target = urlsplit(index), urlsplit(url)
    user, password = "", ""
    if (ours.scheme, ours.hostname, ours.port) == (target.scheme, target.hostname, target.port) and ours.username:
        user, password = unquote(ours.username), unquote(ours.password or "")
    elif target.hostname:
        user, password = _netrc(target.hostname)
    if not user:
        return {}
    token = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return {"Authorization": f"Basic {token}"}


def _netrc(host: str) -> tuple[str, str]:
    try:
        entry = netrc.netrc().authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return "", ""
    return (entry[0] or "", entry[2] or "") if entry else ("", "")


class IndexClient:
    """One index. Use as a context manager; every method may raise InputUnavailableError.

    Args:
        url: address of the simple API, credentials allowed.
        ca_bundle: PEM file to trust besides nothing else; empty = the system's store.
    """

    def __init__(self, url: str, ca_bundle: str = "") -> None:
        self._index = url
        self._base = plain_url(url).rstrip("/")
        self._client = httpx.Client(
            verify=tls_context(ca_bundle), timeout=_TIMEOUT, follow_redirects=True, mounts=DIRECT
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def files(self, project: str) -> tuple[IndexFile, ...]:
        """Return the files that the page of `project` lists, empty when the index does not have the project."""
        url = f"{self._base}/{canonicalize_name(project)}/"
        headers = {"Accept": ACCEPT_JSON_PREFERRED, **authorisation(url, self._index)}
        status, kind, final, body = self._page(url, headers)
        if status in _GONE:
            return ()
        if status != httpx.codes.OK:
            raise InputUnavailableError(f"the index answers {status} for project {project}")
        try:
            page = _parse(project, kind, final, body)
        except (ValueError, UnsupportedRepoVersionError) as error:
            raise InputUnavailableError(f"the index page of {project} cannot be read: {error}") from error
        return tuple(
            IndexFile(
                filename=p.filename,
                url=p.url,
                sha256=p.digests.get("sha256", "").lower(),
                size=p.size,
                version=p.version or "",
                kind=p.package_type or "",
                upload_time=_rfc3339(p.upload_time),
                yanked=p.is_yanked,
            )
            for p in page.packages
            # A yanked file can still be fetched: a lock names it by digest.
        )

    def download(self, file: IndexFile, target: Path, *, sha256: str, max_size: int | None = None) -> BlobRef:
        """Stream `file` to `target`, which appears only when the digest is right.

        Args:
            file: what the page lists.
            target: path to write; its folder exists.
            sha256: the digest the bytes must have.
            max_size: stop when more bytes come.

        Returns:
            The digest and the size as measured.

        Raises:
            InputDigestError: other bytes; nothing is left at `target`.
            InputMissingError: the index lists the file but does not have it.
            InputUnavailableError: the file cannot be had.
        """
        partial = target.with_name(f"{target.name}.partial")
        try:
            found = self._stream(file, partial, max_size)
            if found.sha256 != sha256:
                raise InputDigestError(
                    f"{file.filename} has SHA-256 {found.sha256}, expected {sha256}",
                    details={"filename": file.filename, "expected": sha256, "found": found.sha256},
                )
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return found

    def _stream(self, file: IndexFile, target: Path, max_size: int | None) -> BlobRef:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._streamed(file, target, max_size)
            except httpx.HTTPError as error:
                # A name that is not resolved for a moment, a connection that breaks off: from the beginning, once more.
                if attempt == _ATTEMPTS:
                    raise InputUnavailableError(f"{file.filename} cannot be fetched: {_words(error)}") from error
                time.sleep(0.3 * attempt)
        raise AssertionError(file.filename)  # pragma: no cover - the loop returns or raises

    def _streamed(self, file: IndexFile, target: Path, max_size: int | None) -> BlobRef:
        if urlsplit(file.url).scheme not in {"http", "https"}:
            raise InputUnavailableError(f"the index gives no http(s) address for {file.filename}")
        headers = {"Accept-Encoding": "identity", **authorisation(file.url, self._index)}
        hasher, size = hashlib.sha256(), 0
        with (
            self._client.stream("GET", plain_url(file.url), headers=headers) as response,
            target.open("wb") as out,
        ):
            if response.status_code != httpx.codes.OK:
                kind = InputMissingError if response.status_code in _GONE else InputUnavailableError
                raise kind(f"the index answers {response.status_code} for {file.filename}")
            for chunk in response.iter_bytes(CHUNK):
                size += len(chunk)
                if max_size is not None and size > max_size:
                    raise InputDigestError(f"{file.filename} is larger than the {max_size} bytes that are locked")
                hasher.update(chunk)
                out.write(chunk)
        return BlobRef(sha256=hasher.hexdigest(), size=size)

    def _page(self, url: str, headers: dict[str, str]) -> tuple[int, str, str, bytes]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._client.stream("GET", url, headers=headers) as response:
                    body = b"".join(_capped(response.iter_bytes(CHUNK), url))
                    kind = response.headers.get("content-type", "text/html")
                    return response.status_code, kind, plain_url(str(response.url)), body
            except httpx.HTTPError as error:
                if attempt == _ATTEMPTS:
                    raise InputUnavailableError(f"the index does not answer: {_words(error)}") from error
                time.sleep(0.3 * attempt)
        raise AssertionError(url)  # pragma: no cover - the loop returns or raises


def _rfc3339(time: datetime | None) -> str:
    """Return a time of PEP 700, which are UTC; one that does not say of which zone it is says nothing."""
    if time is None or time.tzinfo is None:
        return ""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _capped(chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > _MAX_PAGE:
            raise InputUnavailableError(f"the index page {url} is larger than {_MAX_PAGE} bytes")
        yield chunk


def _parse(project: str, content_type: str, url: str, body: bytes) -> ProjectPage:
    kind = content_type.partition(";")[0].strip().lower()
    with warnings.catch_warnings():
        # A newer minor version of the API only adds fields (PEP 629).
        warnings.simplefilter("ignore", UnexpectedRepoVersionWarning)
        if kind == "application/vnd.pypi.simple.v1+json":
            return ProjectPage.from_json_data(json.loads(body), url)
        if kind in {"application/vnd.pypi.simple.v1+html", "text/html"}:
            return ProjectPage.from_html(project, body, url)
    raise ValueError(f"content type {kind}")


def _words(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
