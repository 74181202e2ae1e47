"""One Maven repository over HTTP: fetch a file to disk whole, with its checksum checked, or say why not.

Connections are kept and reused (a new one for each of the thousands of small files is what makes a recording slow), and
over HTTP/1.1: a file is a response, and what breaks one breaks no other. What a status means:

- 404, 410: the repository does not have it. 403 in the words of S3 (`AccessDenied`) means the same: a bucket that may
  not be listed answers so for what is not there.
- any other 403: the repository has an opinion (a firewall's quarantine, a missing right), so it is an error and no
  reason to ask another repository.
- 401: the credentials are wrong. 429, 5xx, a broken connection: tried again with growing pauses, from the start.

A file whose checksum is wrong is never taken, also not a second time. One without any checksum is taken where the way
protects it (https, or this host) and marked as unchecked; over plain http only metadata is.
"""

from __future__ import annotations

import base64
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import httpx

from farm.ecosystems.maven.checksums import STATED, Measure, read_checksum, stated_in
from farm.errors import ConfigError, FarmError, InputDigestError, InputUnavailableError
from farm.model.base import CHUNK
from farm.net import DIRECT, is_loopback, tls_context
from farm.text import without_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from farm.ecosystems.maven.checksums import Checked, Digests, Stated
    from farm.ecosystems.maven.paths import MavenPath
    from farm.ecosystems.maven.upstreams import Upstream

__all__ = ["Fetched", "Seen", "TransferLimits", "UpstreamClient"]

T = TypeVar("T")

_GONE: Final = frozenset({httpx.codes.NOT_FOUND, httpx.codes.GONE})
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS: Final = 5
_HEAD: Final = 4096
"""How much of an error's body is looked at."""
_BUCKET_WORDS: Final = b"<Code>AccessDenied</Code>"
_CONNECTIONS: Final = 16
_LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True)
class TransferLimits:
    """How much and how long."""

    file_bytes: int = 2 * 1024**3
    metadata_bytes: int = 32 * 1024**2
    attempts: int = 4
    pause: float = 0.5
    """Seconds before the second attempt; doubled for each further one."""
    connect_seconds: float = 15.0
    idle_seconds: float = 60.0
    """Longest silence in the middle of an answer."""


@dataclass(frozen=True)
class Fetched:
    """A file that was fetched."""

    digests: Digests
    checked: Checked
    """Algorithm of the checksum that the repository states and that fits, empty when it states none."""


@dataclass(frozen=True)
class Seen:
    """What a repository says of a file that is not fetched."""

    modified: str
    """Its Last-Modified header, empty when it has none."""
    sha256: str
    """The SHA-256 that it states, empty when it states none."""


class _AgainError(Exception):
    """A failure that another attempt can mend."""

    def __init__(self, final: FarmError, *, after: float = 0.0, most: int = 100) -> None:
        super().__init__(final.message)
        self.final = final
        self.after = after
        self.most = most


class UpstreamClient:
    """One repository; safe to use from several threads. `close()` it.

    Args:
        upstream: which one, and how it is reached.
        limits: how much and how long.
    """

    def __init__(self, upstream: Upstream, limits: TransferLimits | None = None) -> None:
        self.upstream = upstream
        self._limits = limits or TransferLimits()
        self._closing = threading.Event()
        self._client = _client(upstream, self._limits)

    def close(self) -> None:
        """Close the connections; transfers that are under way end with an error."""
        self._closing.set()
        self._client.close()

    def fetch(self, path: MavenPath, target: Path) -> Fetched | None:
        """Write the file to `target`, which is complete and checked when this returns.

        Returns:
            What was measured, None when the repository does not have the file.

        Raises:
            InputUnavailableError: it cannot be had: no answer, refused, broken off each time, too large.
            InputDigestError: the repository states another checksum than the file has.
            ConfigError: the repository wants other credentials.
        """
        return self._repeated(lambda: self._once(path, target))

    def look(self, path: MavenPath) -> Seen | None:
        """Return what the repository says of the file, None when it does not have it. The file is not fetched.

        Raises:
            what `fetch` raises.
        """
        return self._repeated(lambda: self._seen(path))

    def _repeated(self, call: Callable[[], T]) -> T:
        attempt = 0
        while True:
            attempt += 1
            try:
                return call()
            except _AgainError as again:
                pause = max(self._limits.pause * 2 ** (attempt - 1), again.after)
                if attempt >= min(self._limits.attempts, again.most) or self._closing.wait(min(pause, _LONGEST_PAUSE)):
                    raise again.final from again

    def _once(self, path: MavenPath, target: Path) -> Fetched | None:
        if self._closing.is_set():
            raise self._failed(path.text, "the recorder was stopped")
        try:
            with self._opened(path.text) as response:
                if not self._has(response, path.text):
                    return None
                whole = "content-length" in response.headers or "transfer-encoding" in response.headers
                digests = self._written(response, path, target)
                stated = stated_in(response.headers) if "content-encoding" not in response.headers else None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _AgainError(self._failed(path.text, _words(error))) from error
        stated = stated or self._beside(path.text)
        if stated is None:
            self._unchecked(path, whole=whole)
            return Fetched(digests, "")
        algorithm, value = stated
        if not digests.fits(algorithm, value):
            msg = f"repository {self.upstream.id!r} states another {algorithm} than {path.text} has"
            final = InputDigestError(
                msg,
                remedy="Find out why: the file was damaged or changed on the way, or in the repository.",
                details={"path": path.text, "repository": self.upstream.id, "stated": value, "sha256": digests.sha256},
            )
            raise _AgainError(final, most=2)
        return Fetched(digests, algorithm)

    def _seen(self, path: MavenPath) -> Seen | None:
        for method in ("HEAD", "GET"):
            try:
                with self._opened(path.text, method) as response:
                    # Some know no HEAD, and a refusal's meaning stands in its body: then GET, of which no file is read.
                    if method == "HEAD" and response.status_code not in {httpx.codes.OK, *_GONE}:
                        continue
                    if not self._has(response, path.text):
                        return None
                    modified = response.headers.get("last-modified", "")
                    stated = stated_in(response.headers)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _AgainError(self._failed(path.text, _words(error))) from error
            if stated is None or stated[0] != "sha256":
                stated = self._beside(path.text, ("sha256",))
            return Seen(modified, stated[1] if stated is not None else "")
        raise AssertionError(path.text)  # pragma: no cover - GET is answered in some way

    def _has(self, response: httpx.Response, path: str) -> bool:
        """Return whether the file comes with this response, False when the repository does not have it."""
        status = response.status_code
        if status == httpx.codes.OK:
            return True
        if status in _GONE:
            return False
        if status == httpx.codes.FORBIDDEN and _BUCKET_WORDS in _head(response):
            return False
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.PROXY_AUTHENTICATION_REQUIRED}:
            who = "proxy before repository" if status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED else "repository"
            msg = f"the {who} {self.upstream.id!r} answers {status} for {path}: it wants other credentials"
            raise ConfigError(
                msg, remedy=f"Correct the server {self.upstream.id!r} (or the proxy) in Maven's settings."
            )
        failed = self._failed(path, f"it answers {status}")
        if status in _BUSY:
            raise _AgainError(failed, after=_retry_after(response))
        raise failed

    def _written(self, response: httpx.Response, path: MavenPath, target: Path) -> Digests:
        most = self._limits.metadata_bytes if path.kind == "metadata" else self._limits.file_bytes
        measure = Measure()
        with target.open("wb") as out:
            for chunk in response.iter_bytes(CHUNK):
                measure.update(chunk)
                if measure.size > most:
                    raise self._failed(path.text, f"it is larger than {most} bytes")
                if self._closing.is_set():
                    raise self._failed(path.text, "the recorder was stopped")
                out.write(chunk)
        return measure.digests()

    def _beside(self, path: str, algorithms: tuple[Stated, ...] = STATED) -> tuple[Stated, str] | None:
        """Return what the checksum files beside the file state; None when the repository has none of them."""
        unreadable = ""
        for algorithm in algorithms:
            name = f"{path}.{algorithm}"
            try:
                with self._opened(name) as response:
                    if not self._has(response, name):
                        continue
                    value = read_checksum(_head(response), algorithm)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _AgainError(self._failed(name, _words(error))) from error
            if value is not None:
                return algorithm, value
            unreadable = unreadable or name
        if unreadable:
            msg = f"repository {self.upstream.id!r} has a checksum file that cannot be read: {unreadable}"
            raise _AgainError(InputDigestError(msg), most=2)
        return None

    def _unchecked(self, path: MavenPath, *, whole: bool) -> None:
        """Decide about a file without a checksum.

        Raises:
            InputDigestError: nothing protects it.
        """
        base = self.upstream.url
        protected = urlsplit(base).scheme == "https" or is_loopback(base) or path.kind in {"metadata", "signature"}
        if not (whole and protected):
            msg = f"repository {self.upstream.id!r} has no checksum for {path.text}, and nothing else protects the file"
            raise InputDigestError(msg, remedy="Reach the repository over https, or ask its owner for checksums.")

    @contextmanager
    def _opened(self, path: str, method: str = "GET") -> Iterator[httpx.Response]:
        """Open the response for `path`, redirects followed.

        Raises:
            httpx.HTTPError, InputUnavailableError.
        """
        url = f"{self.upstream.url}/{quote(path)}"
        for _ in range(_REDIRECTS + 1):
            with self._client.stream(method, url, headers=self._headers(url)) as response:
                if response.status_code not in _MOVED:
                    yield response
                    return
                url = self._redirected(url, response, path)
        raise self._failed(path, f"it redirects more than {_REDIRECTS} times")

    def _redirected(self, url: str, response: httpx.Response, path: str) -> str:
        try:
            target = str(urljoin(url, response.headers.get("location", "")))
            before, after = urlsplit(url), urlsplit(target)
        except ValueError as error:
            raise self._failed(path, "it redirects to what is no address") from error
        if after.scheme not in {"http", "https"} or not after.hostname:
            raise self._failed(path, "it redirects to what is no http(s) address")
        if before.scheme == "https" and after.scheme != "https":
            raise self._failed(path, "it redirects from https to http")
        if is_loopback(target) and not is_loopback(url):
            raise self._failed(path, "it redirects to this host itself")
        return target

    def _headers(self, url: str) -> dict[str, str]:
        """Return the request headers; credentials go to the repository's own host and to no other."""
        found = {"Accept-Encoding": "identity", "User-Agent": "farm"}
        ours, target = urlsplit(self.upstream.url), urlsplit(url)
        credentials = self.upstream.credentials
        if (ours.scheme, ours.hostname, ours.port) == (target.scheme, target.hostname, target.port):
            found |= dict(credentials.headers)
            if credentials.username or credentials.password:
                token = base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode("ascii")
                found["Authorization"] = f"Basic {token}"
        return found

    def _failed(self, path: str, what: str) -> InputUnavailableError:
        msg = f"{path} cannot be fetched from repository {self.upstream.id!r}: {what}"
        return InputUnavailableError(msg, details={"path": path, "repository": self.upstream.id})


def _client(upstream: Upstream, limits: TransferLimits) -> httpx.Client:
    verify = tls_context(upstream.ca_bundle)
    timeout = httpx.Timeout(limits.idle_seconds, connect=limits.connect_seconds)
    pool = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=60.0)
    if upstream.proxy is None:
        return httpx.Client(verify=verify, timeout=timeout, limits=pool, mounts=DIRECT)
    given = upstream.proxy.credentials
    proxy = httpx.Proxy(upstream.proxy.url, auth=(given.username, given.password) if given else None)
    return httpx.Client(verify=verify, timeout=timeout, limits=pool, proxy=proxy, trust_env=False)


def _head(response: httpx.Response) -> bytes:
    data = b""
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > _HEAD:
            break
    return data


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0.0  # noqa: PLR2004 - below a day


def _words(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    """Return what happened without the address: a redirect's can hold a signature."""
    text = without_controls(str(error)).replace("\n", " ")[:200]
    return f"{type(error).__name__}: {text}" if text and "://" not in text else type(error).__name__
