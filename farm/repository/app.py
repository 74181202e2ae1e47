"""The index over HTTP: a read-only Starlette application over the repository's bucket.

Only what a record names is served: what a crashed publisher left behind is not there. Nothing is cached but records,
which never change. The store is opened late and again after it failed, so that the index can start before the store and
outlive its restarts. Handlers are plain functions: Starlette runs them in threads, where boto3 may wait.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from farm import log
from farm.errors import BlobCorruptError, ConfigError, StoreUnavailableError, VerificationError
from farm.model.base import sha256_bytes
from farm.repository import home, pages
from farm.repository.http import ByteRange, UnsatisfiableRangeError, etag_matches, parse_range
from farm.repository.model import (
    METADATA,
    ROOT_HTML,
    ROOT_JSON,
    TRUST_KEY,
    file_key,
    integrity_key,
    page_keys,
    release_of,
)
from farm.repository.negotiate import HTML_TYPES, TYPES, choose
from farm.repository.published import read_record
from farm.store.objects import BINARY, JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from starlette.requests import Request

    from farm.model.base import BlobRef
    from farm.repository.model import PublishedFile
    from farm.store.objects import ObjectStore

__all__ = ["create_app"]

_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,200}[A-Za-z0-9])?")
_SIDECAR: Final = re.compile(r"(?P<file>.+\.whl)(?P<suffix>(\.[a-z0-9]+)*)")
_INTEGRITY_TYPE: Final = "application/vnd.pypi.integrity.v1+json"
_TEXT: Final = "text/plain; charset=utf-8"
_FOREVER: Final = "public, max-age=31536000, immutable"
_REVALIDATE: Final = "no-cache"
_CACHED_RECORDS: Final = 4096

_log = log.get(__name__)


class _Repository:
    """The bucket as the handlers see it: opened on first use, opened anew after it failed."""

    def __init__(self, open_store: Callable[[], ObjectStore]) -> None:
        self._open = open_store
        self._store: ObjectStore | None = None
        self._records: dict[str, PublishedFile] = {}

    @property
    def store(self) -> ObjectStore:
        """The store."""
        if self._store is None:
            self._store = self._open()
        return self._store

    def forget(self) -> None:
        """Open the store anew next time: its address or keys may be others after a restart."""
        self._store = None

    def record(self, filename: str, sha256: str = "") -> PublishedFile:
        """Return the record of a published file (of that digest, where one is given).

        Raises:
            HTTPException: 404, no such file is published.
        """
        try:
            project = release_of(filename).project
        except VerificationError as error:
            raise HTTPException(404) from error
        record = self._records.get(filename)
        if record is None or sha256 not in {"", record.blob.sha256}:
            record = read_record(self.store, project, filename)
            if record is None or sha256 not in {"", record.blob.sha256}:
                raise HTTPException(404)
            if len(self._records) >= _CACHED_RECORDS:
                self._records.clear()
            self._records[filename] = record
        return record


def create_app(open_store: Callable[[], ObjectStore]) -> Starlette:
    """Return the application.

    Args:
        open_store: opens the repository's bucket; may raise StoreUnavailableError, then the answer is 503 and it is
            called again for the next request.
    """
    app = Starlette(
        routes=[
            Route("/", _home),
            Route("/health", _health),
            Route("/simple", lambda _: _redirect("simple/")),
            Route("/simple/", _root),
            Route("/simple/{name}", _unslashed),
            Route("/simple/{name}/", _project),
            Route("/files/{head}/{tail}/{name}", _file),
            Route("/integrity/{project}/{version}/{filename}/provenance", _integrity),
            Route("/trust/trust_config.json", _trust),
        ],
        exception_handlers={
            StoreUnavailableError: _unavailable,
            ConfigError: _unavailable,
            VerificationError: _damaged,
            BlobCorruptError: _damaged,
        },
    )
    # Its redirects would carry the request's Host; ours are relative.
    app.router.redirect_slashes = False
    app.state.repository = _Repository(open_store)
    return app


def _repository(request: Request) -> _Repository:
    found: _Repository = request.app.state.repository
    return found


def _unavailable(request: Request, error: Exception) -> Response:
    _repository(request).forget()
    _log.warning("store unavailable", path=request.url.path, reason=str(error))
    # The reason names addresses inside the farm: it goes to the log, not to the client.
    return PlainTextResponse("The object store does not answer; try again.\n", 503, {"Retry-After": "5"})


def _damaged(request: Request, error: Exception) -> Response:
    _log.error("repository damaged", path=request.url.path, reason=str(error))
    return PlainTextResponse("The repository is damaged here; tell the team that runs the farm.\n", 502)


def _redirect(relative: str) -> Response:
    return Response(status_code=301, headers={"Location": relative, "Cache-Control": "public, max-age=3600"})


def _home(request: Request) -> Response:
    raw = _repository(request).store.get_bytes(ROOT_JSON)
    return HTMLResponse(home.render(str(request.base_url), raw), headers=home.HEADERS)


def _health(request: Request) -> Response:
    _repository(request).store.head(ROOT_JSON)
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def _root(request: Request) -> Response:
    return _page(request, ROOT_HTML, ROOT_JSON, (pages.root_html(()), pages.root_json(())))


def _unslashed(request: Request) -> Response:
    return _redirect(f"{_normalised(request)}/")


def _project(request: Request) -> Response:
    name = _normalised(request)
    if name != request.path_params["name"]:
        return _redirect(f"../{name}/")
    return _page(request, *page_keys(name), None)


def _normalised(request: Request) -> str:
    name = request.path_params["name"]
    if not _NAME.fullmatch(name):
        raise HTTPException(404)
    return canonicalize_name(name)


def _page(request: Request, html: str, plain: str, empty: tuple[bytes, bytes] | None) -> Response:
    """Answer with the representation that the client prefers; `empty` stands in where nothing was published yet."""
    kind = choose(request.query_params.get("format") or request.headers.get("accept"))
    headers = {"Vary": "Accept", "Cache-Control": _REVALIDATE}
    if kind is None:
        return PlainTextResponse("This index speaks: " + ", ".join(TYPES) + "\n", 406, headers)
    wants_html = kind in HTML_TYPES
    data = _repository(request).store.get_bytes(html if wants_html else plain)
    if data is None and empty is not None:
        data = empty[0] if wants_html else empty[1]
    if data is None:
        raise HTTPException(404)
    data = pages.with_base(data, str(request.base_url))
    headers["ETag"] = f'"{sha256_bytes(data)}"'
    if etag_matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(data, headers={**headers, "Content-Type": f"{kind}; charset=utf-8" if wants_html else kind})


def _file(request: Request) -> Response:
    match = _SIDECAR.fullmatch(request.path_params["name"])
    sha256 = request.path_params["head"] + request.path_params["tail"]
    # Two digits and the rest, as on the page: one file has one address.
    if match is None or len(request.path_params["head"]) != 2 or not re.fullmatch(r"[0-9a-f]{64}", sha256):  # noqa: PLR2004 - the key's layout
        raise HTTPException(404)
    record = _repository(request).record(match["file"], sha256)
    suffix = match["suffix"]
    ref = record.parts.get(suffix) if suffix else record.blob
    key = file_key(sha256, request.path_params["name"])
    if ref is None:
        raise HTTPException(404)
    return _stream(request, key, ref, _TEXT if suffix == METADATA else JSON if suffix else BINARY)


def _integrity(request: Request) -> Response:
    record = _repository(request).record(request.path_params["filename"])
    if (record.package.name, record.package.version) != (
        request.path_params["project"],
        request.path_params["version"],
    ):
        raise HTTPException(404)
    return _stream(request, integrity_key(record.package, record.filename), record.provenance, _INTEGRITY_TYPE)


def _trust(request: Request) -> Response:
    data = _repository(request).store.get_bytes(TRUST_KEY)
    if data is None:
        raise HTTPException(404)
    return Response(data, media_type=JSON, headers={"Cache-Control": _REVALIDATE, "ETag": f'"{sha256_bytes(data)}"'})


def _stream(request: Request, key: str, ref: BlobRef, media_type: str) -> Response:
    """Answer with an object that a record names: whole or one range, streamed from the store."""
    etag = f'"{ref.sha256}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": _FOREVER,
        "ETag": etag,
        "X-Content-Type-Options": "nosniff",
        "X-Farm-Sha256": ref.sha256,
    }
    if etag_matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range")
    if request.method == "HEAD" or request.headers.get("if-range", etag) != etag:
        wanted = None
    try:
        part = parse_range(wanted, ref.size)
    except UnsatisfiableRangeError:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{ref.size}"})
    whole = ByteRange(0, ref.size - 1)
    headers["Content-Length"] = str((part or whole).length)
    headers["Content-Type"] = media_type
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.end}/{ref.size}"
    body = _chunks(_repository(request).store, key, ref, part)
    # The first step opens the object: what is wrong with it is known before the status is sent.
    next(body)
    if request.method == "HEAD":
        body.close()
        return Response(headers=headers)
    return StreamingResponse(body, 206 if part else 200, headers)


def _chunks(store: ObjectStore, key: str, ref: BlobRef, part: ByteRange | None) -> Generator[bytes, None, None]:
    bounds = {"start": part.start, "end": part.end} if part else {}
    with store.open(key, **bounds) as found:
        if found is None or found.info.size != ref.size:
            size = "missing" if found is None else f"{found.info.size} bytes"
            msg = f"published object {key} is {size} where {ref.size} bytes were published"
            raise VerificationError(msg)
        yield b""
        yield from found.chunks
