"""The Maven repository over HTTP, in the Maven2 layout.

A request lists nothing: the path says group, artifact and version, their pointer names the record, and the record names
every path that is served. Files never change and are held against the record's digest while they are sent, since Maven
itself has nothing but the checksum beside them. Metadata changes, and its checksums are made from what is sent.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse
from starlette.routing import Route

from farm.ecosystems.maven.naming import split_name
from farm.ecosystems.maven.paths import parse_path
from farm.ecosystems.maven.repository.model import (
    FILES,
    PAGE_KEY,
    PREFIXES,
    TEXT,
    XML,
    short_checksums,
)
from farm.ecosystems.maven.repository.published import pointed_at, read_at
from farm.ecosystems.maven.repository.snippets import packages
from farm.repository.serving import REVALIDATE, bucket_of, constant, page, redirect, stream_checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from farm.ecosystems.maven.paths import MavenPath
    from farm.repository.model import Stored

__all__ = ["ROUTES"]

_METADATA: Final = "maven-metadata.xml"
_DEEP: Final = 4
"""Parts of the shortest path of a file: group, artifact, version, name."""


class _Shown(NamedTuple):
    """A record as requests look into it."""

    objects: Mapping[str, Stored]
    checksums: Mapping[str, Mapping[str, str]]
    """Key of a file → its checksums."""


def _get(request: Request) -> Response:
    text = request.path_params["path"]
    if not request.scope["path"].endswith(text):
        raise HTTPException(404)  # a line end that the route's pattern left out
    try:
        path = parse_path(text)
    except ValueError as error:
        raise HTTPException(404) from error
    if path.snapshot:
        raise HTTPException(404)
    if _is_generated(path.of if path.kind == "checksum" else path.text):
        return _generated(request, path)
    return _file(request, path.text)


def _is_generated(text: str) -> bool:
    return text == PREFIXES or text.rpartition("/")[2] == _METADATA


def _generated(request: Request, path: MavenPath) -> Response:
    text = path.of or path.text
    data = bucket_of(request).store.get_bytes(FILES + text)
    if data is None:
        raise HTTPException(404)
    if path.of:
        return page(request, short_checksums(data)[path.algorithm].encode(), TEXT)
    return page(request, data, TEXT if text == PREFIXES else XML)


def _file(request: Request, text: str) -> Response:
    key = FILES + text
    shown = _shown(request, text)
    item = shown.objects.get(key)
    if item is None:
        raise HTTPException(404)
    if item.data is not None:
        return constant(request, item.data, item.ref, item.content_type)
    checksums = shown.checksums.get(key, {"sha256": item.ref.sha256})
    headers = {f"X-Checksum-{name.capitalize()}": value for name, value in checksums.items()}
    return stream_checked(request, key, item.ref, item.content_type, headers)


def _shown(request: Request, text: str) -> _Shown:
    """Return the record that the folder of a path belongs to; answer 404 when there is none."""
    parts = text.split("/")
    if len(parts) < _DEEP or any("." in part for part in parts[:-3]):
        raise HTTPException(404)
    name, version = f"{'.'.join(parts[:-3])}:{parts[-3]}", parts[-2]
    bucket = bucket_of(request)
    known = f"maven/{name}:{version}"
    record_key: str = bucket.cached(known) or _pointer(request, name, version)
    shown: _Shown | None = bucket.cached(record_key)
    if shown is None:
        record = read_at(bucket.store, record_key)
        if record is None:
            raise HTTPException(404)
        shown = _Shown(record.objects(), {FILES + file.path: file.checksums for file in record.files})
        bucket.keep(record_key, shown)
    # Only now: a pointer to a record that is not there yet may come to name another.
    bucket.keep(known, record_key)
    return shown


def _pointer(request: Request, name: str, version: str) -> str:
    try:
        split_name(name)
    except ValueError as error:
        raise HTTPException(404) from error
    found = pointed_at(bucket_of(request).store, name, version)
    if not found:
        raise HTTPException(404)
    return found


def _root(request: Request) -> Response:
    """Show people what is here; Maven never asks for it."""
    links = "".join(
        f'<li><a href="{escape(address)}">{escape(name)}</a> {escape(", ".join(versions))}</li>\n'
        for name, address, versions in packages(bucket_of(request).store.get_bytes(PAGE_KEY))
    )
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Maven repository</title></head>\n'
        f"<body>\n<h1>Maven repository</h1>\n<ul>\n{links}</ul>\n</body>\n</html>\n"
    )
    policy = {"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'"}
    return HTMLResponse(text, headers={"Cache-Control": REVALIDATE, "X-Content-Type-Options": "nosniff", **policy})


ROUTES: Final = (
    Route("/maven", lambda _: redirect("maven/")),
    Route("/maven/", _root),
    Route("/maven/{path:path}", _get),
)
