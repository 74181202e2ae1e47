"""What the handlers of all languages need: the bucket, cached records, redirects, pages, files with ranges.

Only what a record names is served: what a crashed publisher left behind is not there. Nothing is cached but records,
which never change. Handlers are plain functions: Starlette runs them in threads, where boto3 may wait.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response, StreamingResponse

from farm.errors import VerificationError
from farm.model.base import CHUNK, sha256_bytes
from farm.repository.http import ByteRange, UnsatisfiableRangeError, etag_matches, parse_range

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from starlette.requests import Request

    from farm.model.base import BlobRef
    from farm.store.objects import ObjectStore

__all__ = ["REVALIDATE", "Bucket", "bucket_of", "constant", "page", "redirect", "stream", "stream_checked"]

REVALIDATE: Final = "no-cache"
_FOREVER: Final = "public, max-age=31536000, immutable"
_CACHED_RECORDS: Final = 4096


class Bucket:
    """The repository's bucket as the handlers see it: opened on first use, opened anew after it failed."""

    def __init__(self, open_store: Callable[[], ObjectStore]) -> None:
        self._open = open_store
        self._store: ObjectStore | None = None
        self._records: dict[str, Any] = {}

    @property
    def store(self) -> ObjectStore:
        """The store."""
        if self._store is None:
            self._store = self._open()
        return self._store

    def forget(self) -> None:
        """Open the store anew next time: its address or keys may be others after a restart."""
        self._store = None

    def cached(self, name: str) -> Any:
        """Return what `keep` was given under this name, None when it is not known any more."""
        return self._records.get(name)

    def keep(self, name: str, record: Any) -> None:
        """Remember something that never changes."""
        if len(self._records) >= _CACHED_RECORDS:
            self._records.clear()
        self._records[name] = record


def bucket_of(request: Request) -> Bucket:
    """Return the bucket of the application that answers `request`."""
    found: Bucket = request.app.state.bucket
    return found


def redirect(relative: str) -> Response:
    """Send the client to a relative address, for good."""
    return Response(status_code=301, headers={"Location": relative, "Cache-Control": "public, max-age=3600"})


def page(request: Request, data: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with something that changes: clients ask again, and are told when nothing did."""
    etag = f'"{sha256_bytes(data)}"'
    common = {**(headers or {}), "Cache-Control": REVALIDATE, "ETag": etag}
    if etag_matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=common)
    return Response(data, headers={**common, "Content-Type": content_type})


def stream(
    request: Request, key: str, ref: BlobRef, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with an object that a record names: whole or one range, streamed from the store.

    The object's size is checked before the status is sent; its digest is the client's business, who has it from a page.
    """

    def body(part: ByteRange | None) -> Generator[bytes, None, None]:
        return _chunks(bucket_of(request).store, key, ref, part)

    return _answer(request, ref, media_type, headers, body)


def stream_checked(
    request: Request, key: str, ref: BlobRef, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer like `stream`, for clients that have no digest from elsewhere: other bytes do not get out whole.

    The last chunk is held back until the digest of all is right: a small object is refused with 502, of a large one the
    connection breaks off. A range of what is larger than one chunk is not checked: whoever put the file together from
    ranges has to.
    """

    def body(part: ByteRange | None) -> Generator[bytes, None, None]:
        store = bucket_of(request).store
        if part is None:
            return _checked(_chunks(store, key, ref, None), key, ref)
        if ref.size <= CHUNK:
            whole = b"".join(_checked(_chunks(store, key, ref, None), key, ref))
            return _once(whole[part.start : part.end + 1])
        return _chunks(store, key, ref, part)

    return _answer(request, ref, media_type, headers, body)


def constant(request: Request, data: bytes, ref: BlobRef, media_type: str) -> Response:
    """Answer with something that follows from a record, without a look at the store."""

    def body(part: ByteRange | None) -> Generator[bytes, None, None]:
        return _once(data if part is None else data[part.start : part.end + 1])

    return _answer(request, ref, media_type, None, body)


def _answer(
    request: Request,
    ref: BlobRef,
    media_type: str,
    more: Mapping[str, str] | None,
    make: Callable[[ByteRange | None], Generator[bytes, None, None]],
) -> Response:
    etag = f'"{ref.sha256}"'
    headers = {
        **(more or {}),
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
    body = make(part)
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


def _checked(chunks: Generator[bytes, None, None], key: str, ref: BlobRef) -> Generator[bytes, None, None]:
    """Pass the chunks on, always one behind, and the last one only when the digest of all is right."""
    hasher = hashlib.sha256()
    held, size, started = b"", 0, False
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
        if size <= CHUNK:
            held += chunk
            continue
        if not started:
            yield b""
            started = True
        yield held
        held = chunk
    if hasher.hexdigest() != ref.sha256:
        msg = f"published object {key} does not hold the bytes that were published ({ref.sha256})"
        raise VerificationError(msg)
    if not started:
        yield b""
    yield held


def _once(data: bytes) -> Generator[bytes, None, None]:
    yield b""
    yield data
