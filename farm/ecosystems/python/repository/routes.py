"""The Python index over HTTP: the simple API with content negotiation, the files, the provenance objects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from farm.ecosystems.python.repository import pages
from farm.ecosystems.python.repository.model import (
    METADATA,
    ROOT_HTML,
    ROOT_JSON,
    TEXT,
    PublishedFile,
    file_key,
    integrity_key,
    page_keys,
    release_of,
)
from farm.ecosystems.python.repository.negotiate import HTML_TYPES, TYPES, choose
from farm.ecosystems.python.repository.published import read_record
from farm.errors import VerificationError
from farm.repository.serving import REVALIDATE, bucket_of, page, redirect, stream
from farm.store.objects import BINARY, JSON

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["ROUTES"]

_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,200}[A-Za-z0-9])?")
_SIDECAR: Final = re.compile(r"(?P<file>.+\.whl)(?P<suffix>(\.[a-z0-9]+)*)")
_INTEGRITY_TYPE: Final = "application/vnd.pypi.integrity.v1+json"


def _record(request: Request, filename: str, sha256: str = "") -> PublishedFile:
    """Return the record of a published file (of that digest, where one is given); answer 404 when there is none."""
    try:
        project = release_of(filename).project
    except VerificationError as error:
        raise HTTPException(404) from error
    bucket = bucket_of(request)
    name = f"python/{filename}"
    record: PublishedFile | None = bucket.cached(name)
    if record is None or sha256 not in {"", record.blob.sha256}:
        record = read_record(bucket.store, project, filename)
        if record is None or sha256 not in {"", record.blob.sha256}:
            raise HTTPException(404)
        bucket.keep(name, record)
    return record


def _root(request: Request) -> Response:
    return _page(request, ROOT_HTML, ROOT_JSON, (pages.root_html(()), pages.root_json(())))


def _unslashed(request: Request) -> Response:
    return redirect(f"{_normalised(request)}/")


def _project(request: Request) -> Response:
    name = _normalised(request)
    if name != request.path_params["name"]:
        return redirect(f"../{name}/")
    return _page(request, *page_keys(name), None)


def _normalised(request: Request) -> str:
    name = request.path_params["name"]
    if not _NAME.fullmatch(name):
        raise HTTPException(404)
    return canonicalize_name(name)


def _page(request: Request, html: str, plain: str, empty: tuple[bytes, bytes] | None) -> Response:
    """Answer with the representation that the client prefers; `empty` stands in where nothing was published yet."""
    kind = choose(request.query_params.get("format") or request.headers.get("accept"))
    headers = {"Vary": "Accept"}
    if kind is None:
        refused = "This index speaks: " + ", ".join(TYPES) + "\n"
        return PlainTextResponse(refused, 406, {**headers, "Cache-Control": REVALIDATE})
    wants_html = kind in HTML_TYPES
    data = bucket_of(request).store.get_bytes(html if wants_html else plain)
    if data is None and empty is not None:
        data = empty[0] if wants_html else empty[1]
    if data is None:
        raise HTTPException(404)
    data = pages.with_base(data, str(request.base_url))
    return page(request, data, f"{kind}; charset=utf-8" if wants_html else kind, headers)


def _file(request: Request) -> Response:
    match = _SIDECAR.fullmatch(request.path_params["name"])
    sha256 = request.path_params["head"] + request.path_params["tail"]
    # Two digits and the rest, as on the page: one file has one address.
    if match is None or len(request.path_params["head"]) != 2 or not re.fullmatch(r"[0-9a-f]{64}", sha256):  # noqa: PLR2004 - the key's layout
        raise HTTPException(404)
    record = _record(request, match["file"], sha256)
    suffix = match["suffix"]
    ref = record.parts.get(suffix) if suffix else record.blob
    key = file_key(sha256, request.path_params["name"])
    if ref is None:
        raise HTTPException(404)
    return stream(request, key, ref, TEXT if suffix == METADATA else JSON if suffix else BINARY)


def _integrity(request: Request) -> Response:
    record = _record(request, request.path_params["filename"])
    asked = (request.path_params["project"], request.path_params["version"])
    if (record.package.name, record.package.version) != asked:
        raise HTTPException(404)
    return stream(request, integrity_key(record.package, record.filename), record.provenance, _INTEGRITY_TYPE)


ROUTES: Final = (
    Route("/simple", lambda _: redirect("simple/")),
    Route("/simple/", _root),
    Route("/simple/{name}", _unslashed),
    Route("/simple/{name}/", _project),
    Route("/files/{head}/{tail}/{name}", _file),
    Route("/integrity/{project}/{version}/{filename}/provenance", _integrity),
)
