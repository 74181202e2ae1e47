"""The signer's HTTP interface (see `farm.trust.protocol`): reads requests, hashes what streams in, maps errors."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from farm import log
from farm.errors import FarmError, ServiceError, SigningRefusedError, VerificationError
from farm.model.base import BlobRef
from farm.model.catalog import MAX_SNAPSHOT_BYTES
from farm.model.evidence import JobRecord, RunResult
from farm.trust.protocol import (
    MAX_JOB_BYTES,
    MAX_RESULT_BYTES,
    RESULT_LENGTH_HEADER,
    SHA256_HEADER,
)
from farm.trust.signer.claims import check_filename, check_result
from farm.trust.verify import MAX_BUNDLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.trust.protocol import SignerHealth
    from farm.trust.signer.runs import RunRegister
    from farm.trust.signer.signed import SignedFiles
    from farm.trust.signer.signing import FileSigner
    from farm.trust.signer.snapshots import CatalogSigner

__all__ = ["Service", "make_app"]

_LOG = log.get(__name__)
_Model = TypeVar("_Model", bound=BaseModel)
_EMBEDDED_BYTES = 64 * 1024 * 1024
"""What finishing may add to the output that the recipe's limit allows: the documents that farm embeds."""


@dataclass(frozen=True)
class Service:
    """What the interface is an interface to."""

    runs: RunRegister
    signer: FileSigner
    signed: SignedFiles
    catalog: CatalogSigner
    learn: Callable[[str], str]
    """Takes a provenance bundle; see `SignedFiles.learn`."""
    health: Callable[[], SignerHealth]


def make_app(service: Service) -> Starlette:
    """Return the ASGI application."""

    async def health(_: Request) -> Response:
        return _answer(service.health())

    async def open_run(request: Request) -> Response:
        job = _parse(JobRecord, await _read(request, MAX_JOB_BYTES), "job record")
        token = await run_in_threadpool(service.runs.open, job)
        _LOG.info("run opened", run=job.run_id, package=str(job.plan.package))
        return _answer(token)

    async def close_run(request: Request) -> Response:
        run_id = request.path_params["run_id"]
        service.runs.close(run_id, _bearer(request))
        _LOG.info("run closed", run=run_id)
        return Response(status_code=204)

    async def sign(request: Request) -> Response:
        run_id, filename = request.path_params["run_id"], request.path_params["filename"]
        # Everything that can be refused is refused before the body is read.
        job = service.runs.find(run_id, _bearer(request))
        release = check_filename(job, filename)
        result_bytes, file_bytes = _lengths(request, job)
        result, blob = await _receive(request, result_bytes, file_bytes)
        expected = request.headers.get(SHA256_HEADER, "")
        if expected != blob.sha256:
            raise SigningRefusedError(f"{filename} has the digest {blob.sha256} here, the worker expects {expected!r}")
        check_result(job, result, time.time())
        # This asks for the token once more: the run can have been closed or have expired while the body came in.
        await run_in_threadpool(service.runs.settle, run_id, _bearer(request), release, blob.sha256)
        signed = await run_in_threadpool(service.signer.sign, job, result, filename, blob)
        # Before the answer: what nobody got is no loss in the register, what is missing there is.
        await run_in_threadpool(service.signed.add, job, filename, blob)
        _LOG.info("file signed", run=run_id, package=str(job.plan.package), file=filename, sha256=blob.sha256)
        return _answer(signed)

    return Starlette(
        routes=[
            Route("/health", health, methods=["GET"]),
            Route("/runs", open_run, methods=["POST"]),
            Route("/runs/{run_id}", close_run, methods=["DELETE"]),
            Route("/runs/{run_id}/files/{filename}", sign, methods=["POST"]),
            *_catalog_routes(service),
        ],
        exception_handlers={FarmError: _on_error, HTTPException: _on_http, ClientDisconnect: _on_disconnect},
    )


def _catalog_routes(service: Service) -> list[Route]:
    """Return what has to do with snapshots. No token: they are of no run, and only farm's user reaches the socket."""

    async def sign_snapshot(request: Request) -> Response:
        document = await _read(request, MAX_SNAPSHOT_BYTES)
        signed = await run_in_threadpool(service.catalog.sign, document)
        _LOG.info("snapshot signed", sequence=signed.sequence, sha256=signed.sha256)
        return _answer(signed)

    async def last_snapshot(_: Request) -> Response:
        found = await run_in_threadpool(service.catalog.last)
        if found is None:
            raise HTTPException(404, "no snapshot was signed yet")
        return _answer(found)

    async def learn(request: Request) -> Response:
        bundle = (await _read(request, MAX_BUNDLE_BYTES)).decode(errors="replace")
        try:
            sha256 = await run_in_threadpool(service.learn, bundle)
        except VerificationError as error:
            raise SigningRefusedError(
                f"this is no provenance that was signed here: {error.message}", details={"status": 422}
            ) from error
        _LOG.info("signed file learned again", sha256=sha256)
        return Response(status_code=204)

    return [
        Route("/snapshots", sign_snapshot, methods=["POST"]),
        Route("/snapshots/last", last_snapshot, methods=["GET"]),
        Route("/signed", learn, methods=["POST"]),
    ]


def _lengths(request: Request, job: JobRecord) -> tuple[int, int]:
    """Return the sizes of the result and of the file that the headers announce.

    Raises:
        SigningRefusedError: missing, malformed or too large.
    """
    try:
        total = int(request.headers["content-length"])
        head = int(request.headers[RESULT_LENGTH_HEADER])
    except (KeyError, ValueError) as error:
        raise SigningRefusedError("the request does not say how long its parts are", details={"status": 411}) from error
    limit = job.plan.limits.output_mb * 1024 * 1024 + _EMBEDDED_BYTES
    if not 0 < head <= MAX_RESULT_BYTES or not 0 < total - head <= limit:
        raise SigningRefusedError(
            f"the run result ({head} bytes) or the file ({total - head} bytes, at most {limit}) is empty or too large",
            details={"status": 413},
        )
    return head, total - head


async def _receive(request: Request, result_bytes: int, file_bytes: int) -> tuple[RunResult, BlobRef]:
    """Read the body: the result is kept, the file is only hashed, chunk by chunk.

    Only the digest is signed, so no byte of the file has to be stored where the keys are.
    """
    head, hasher, size = bytearray(), hashlib.sha256(), 0
    async for chunk in request.stream():
        rest = chunk
        if missing := result_bytes - len(head):
            head += chunk[:missing]
            rest = chunk[missing:]
        hasher.update(rest)
        size += len(rest)
    if len(head) != result_bytes or size != file_bytes:
        raise SigningRefusedError("the request ended early", details={"status": 400})
    result = _parse(RunResult, bytes(head), "run result")
    return result, BlobRef(sha256=hasher.hexdigest(), size=size)


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise SigningRefusedError(f"the request is larger than {limit} bytes", details={"status": 413})
    return bytes(body)


def _parse(kind: type[_Model], data: bytes, what: str) -> _Model:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SigningRefusedError(
            f"the {what} is not valid: {where}: {first['msg']}", details={"status": 422}
        ) from error


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise SigningRefusedError("the request carries no run token", details={"status": 401})
    return token


def _answer(value: BaseModel) -> Response:
    return Response(value.model_dump_json(), media_type="application/json")


def _on_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, FarmError):
        raise error
    if isinstance(error, SigningRefusedError):
        status = int(error.details.get("status", 403))
    else:
        status = 503 if isinstance(error, ServiceError) else 500
    _LOG.warning("refused" if status < 500 else "failed", path=request.url.path, status=status, reason=error.message)  # noqa: PLR2004 - HTTP's own boundary
    answer: dict[str, Any] = {"error": error.message}
    if "unknown" in error.details:
        answer["unknown"] = error.details["unknown"]
    return JSONResponse(answer, status_code=status)


def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse(
        {"error": f"{request.method} {request.url.path}: {error.detail}"}, status_code=error.status_code
    )


def _on_disconnect(request: Request, error: Exception) -> Response:
    del error
    _LOG.warning("the client went away", path=request.url.path)
    return JSONResponse({"error": "the client went away"}, status_code=400)
