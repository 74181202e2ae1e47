"""Fetching an archive by its address: http(s) only, streamed, with the user's proxies and CA bundle."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from farm.errors import SourceMissingError, SourceUnavailableError, SourceUnsafeError
from farm.net import DIRECT, ca_bundle, http_date, tls_context
from farm.source.safety import CAPS, Caps
from farm.source.scrub import scrub, secrets_of, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from farm.model.plan import ArchivePin

__all__ = ["fetch_url", "look_at"]

_GONE = frozenset({httpx.codes.NOT_FOUND, httpx.codes.GONE})
_REDIRECTS = 5
_PLAIN = {"Accept-Encoding": "identity"}
_TIMEOUT = httpx.Timeout(60.0, connect=20.0)


def fetch_url(
    pin: ArchivePin,
    target: Path,
    *,
    headers: Mapping[str, str] | None = None,
    bundle: str = "",
    caps: Caps = CAPS,
) -> str:
    """Write the file at `pin.url` to `target` and return the address, without credentials. No digest is checked here.

    Args:
        pin: its `url` counts; user and password in it are used, never shown.
        target: the file.
        headers: request headers; they go to the host of the address alone, not to where it redirects.
        bundle: PEM file to trust; empty = the one that the environment names, else the system's.
        caps: how large the file may be.

    Raises:
        SourceUnavailableError: no answer, or another answer than the file.
        SourceMissingError: the answer that there is no such file.
        SourceUnsafeError: another scheme than http or https, a redirect to one or from https to http, too large.
    """
    shown = without_credentials(pin.url)
    with _answer("GET", pin.url, shown, headers or {}, bundle) as response:
        _save(response, target, shown, caps)
    return shown


def look_at(pin: ArchivePin) -> str | None:
    """Return since when the file at `pin.url` is what it is, as its host says; the file is not fetched.

    Returns:
        RFC 3339, UTC; empty when the host does not say, None when it answers that there is no such file.

    Raises:
        SourceUnavailableError, SourceUnsafeError: as for `fetch_url`; also a host that knows no HEAD.
    """
    shown = without_credentials(pin.url)
    with _answer("HEAD", pin.url, shown, {}, "") as response:
        if response.status_code in _GONE:
            return None
        if response.status_code != httpx.codes.OK:
            msg = f"{shown} answers {response.status_code} {response.reason_phrase}"
            raise SourceUnavailableError(msg)
        return http_date(response.headers.get("last-modified", ""))


@contextmanager
def _answer(method: str, url: str, shown: str, headers: Mapping[str, str], bundle: str) -> Iterator[httpx.Response]:
    """Give the answer to one request; what breaks while its body is read is told by the same error.

    Raises:
        SourceUnavailableError, SourceUnsafeError.
    """
    secrets = {*secrets_of(url), *headers.values()}
    context = tls_context(bundle or ca_bundle(os.environ))
    try:
        _check(httpx.URL(url), None, shown)
        with httpx.Client(verify=context, timeout=_TIMEOUT, follow_redirects=False, mounts=DIRECT) as client:
            request = client.build_request(method, url, headers={**headers, **_PLAIN})
            with _followed(client, request, shown) as response:
                yield response
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        msg = f"{shown} cannot be fetched: {scrub(str(error) or type(error).__name__, secrets)}"
        raise SourceUnavailableError(msg) from None  # the cause's text holds the address as it was


@contextmanager
def _followed(client: httpx.Client, request: httpx.Request, shown: str) -> Iterator[httpx.Response]:
    """Give the response at the end of the redirects, its body not read yet."""
    for _ in range(_REDIRECTS + 1):
        response = client.send(request, stream=True)
        try:
            following = response.next_request
            if following is None:
                yield response
                return
        finally:
            response.close()
        _check(following.url, request.url, shown)
        same = (following.url.scheme, following.url.netloc) == (request.url.scheme, request.url.netloc)
        # Built anew for another host: what was meant for the first one, cookies included, stays there.
        request = following if same else httpx.Request(following.method, following.url, headers=_PLAIN)
    msg = f"{shown} redirects more than {_REDIRECTS} times"
    raise SourceUnavailableError(msg)


def _check(url: httpx.URL, before: httpx.URL | None, shown: str) -> None:
    downgraded = before is not None and before.scheme == "https" and url.scheme != "https"
    if url.scheme not in {"http", "https"} or downgraded:
        msg = f"{shown} leads to {url.scheme}://, which is not followed"
        raise SourceUnsafeError(msg)


def _save(response: httpx.Response, target: Path, shown: str, caps: Caps) -> None:
    if response.status_code != httpx.codes.OK:
        msg = f"{shown} answers {response.status_code} {response.reason_phrase}"
        raise (SourceMissingError if response.status_code in _GONE else SourceUnavailableError)(msg)
    size = 0
    with target.open("wb") as output:
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > caps.archive_bytes:
                msg = f"{shown} is larger than {caps.archive_bytes} bytes"
                raise SourceUnsafeError(msg)
            output.write(chunk)
