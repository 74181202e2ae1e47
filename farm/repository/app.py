"""The repository over HTTP: a read-only Starlette application over its bucket, with the routes of every language.

The store is opened late and again after it failed, so that the server can start before the store and outlive its
restarts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from farm import log
from farm.errors import BlobCorruptError, ConfigError, StoreUnavailableError, VerificationError
from farm.model.base import canonical_json
from farm.repository import home
from farm.repository.digests import addresses
from farm.repository.model import TRUST_KEY
from farm.repository.serving import Bucket, bucket_of, page
from farm.repository.snapshot import KEPT, KEPT_NAME, POINTER_KEY
from farm.store.objects import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from farm.repository.layout import Layout
    from farm.store.objects import ObjectStore

__all__ = ["create_app"]

_SHA256: Final = re.compile(r"[0-9a-f]{64}")

_log = log.get(__name__)


def create_app(open_store: Callable[[], ObjectStore], layouts: Sequence[Layout[Any]]) -> Starlette:
    """Return the application.

    Args:
        open_store: opens the repository's bucket; may raise StoreUnavailableError, then the answer is 503 and it is
            called again for the next request.
        layouts: the repositories of the languages.
    """
    app = Starlette(
        routes=[
            Route("/", _home),
            Route("/health", _health),
            Route("/trust/trust_config.json", _trust),
            Route("/sha256/{digest}", _digest),
            Route("/catalog/snapshot.json", _snapshot),
            Route("/catalog/snapshots/{name}", _kept_snapshot),
            *(route for layout in layouts for route in layout.routes()),
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
    app.state.bucket = Bucket(open_store)
    app.state.layouts = tuple(layouts)
    return app


def _unavailable(request: Request, error: Exception) -> Response:
    bucket_of(request).forget()
    _log.warning("store unavailable", path=request.url.path, reason=str(error))
    # The reason names addresses inside the farm: it goes to the log, not to the client.
    return PlainTextResponse("The object store does not answer; try again.\n", 503, {"Retry-After": "5"})


def _damaged(request: Request, error: Exception) -> Response:
    _log.error("repository damaged", path=request.url.path, reason=str(error))
    return PlainTextResponse("The repository is damaged here; tell the team that runs the farm.\n", 502)


def _home(request: Request) -> Response:
    return HTMLResponse(
        home.render(str(request.base_url), request.app.state.layouts, bucket_of(request).store), headers=home.HEADERS
    )


def _health(request: Request) -> Response:
    bucket_of(request).store.head(TRUST_KEY)
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def _trust(request: Request) -> Response:
    data = bucket_of(request).store.get_bytes(TRUST_KEY)
    if data is None:
        raise HTTPException(404)
    return page(request, data, JSON)


def _snapshot(request: Request) -> Response:
    """Say which catalog snapshot is the present one. What is served here is believed by nobody before it verifies."""
    data = bucket_of(request).store.get_bytes(POINTER_KEY)
    if data is None:
        raise HTTPException(404)
    return page(request, data, JSON)


def _kept_snapshot(request: Request) -> Response:
    name = request.path_params["name"]
    data = bucket_of(request).store.get_bytes(f"{KEPT}{name}") if KEPT_NAME.fullmatch(name) else None
    if data is None:
        raise HTTPException(404)
    return page(request, data, JSON)


def _digest(request: Request) -> Response:
    """Say where files with a digest are, relative to this answer."""
    digest = request.path_params["digest"]
    found = addresses(bucket_of(request).store, digest) if _SHA256.fullmatch(digest) else ()
    if not found:
        raise HTTPException(404)
    return page(request, canonical_json({"sha256": digest, "files": [{"url": f"../{path}"} for path in found]}), JSON)
