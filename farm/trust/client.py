"""The worker's side of the signer. Knows no key and imports no key code."""

from __future__ import annotations

import json
import socket as sockets
import ssl
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from farm.errors import SignerUnavailableError, SigningRefusedError
from farm.model.base import CHUNK, BlobRef, sha256_stream
from farm.model.evidence import SignedFile
from farm.trust.protocol import RESULT_LENGTH_HEADER, SHA256_HEADER, RunToken, SignedSnapshot, SignerHealth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from farm.model.evidence import JobRecord, RunResult

__all__ = ["SignerClient"]

_Answer = TypeVar("_Answer", bound=BaseModel)
_CONNECT_SECONDS = 5
_TIMEOUT = httpx.Timeout(connect=_CONNECT_SECONDS, read=120, write=120, pool=5)
"""Reading waits for the signer to hash and sign what it was sent; a busy host can take a while."""


class SignerClient:
    """Talks to the signer at a Unix socket. A context manager; safe for threads."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        # trust_env: a proxy variable has no say over a local socket.
        self._http = httpx.Client(
            # No TLS on a Unix socket: an empty context spares the loading of the CA bundle.
            transport=httpx.HTTPTransport(uds=str(socket), verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)),
            base_url="http://signer",
            timeout=_TIMEOUT,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def health(self) -> SignerHealth:
        """Return what the signer says of itself.

        Raises:
            SignerUnavailableError: it does not answer.
        """
        return self._parse(SignerHealth, self._send(self._http.build_request("GET", "/health")))

    def open_run(self, job: JobRecord) -> RunToken:
        """Hand over the job record, before foreign code runs, and get the token for this one run.

        Opening again with the same record gives a new token and ends the earlier one.

        Raises:
            SigningRefusedError: the run is open with another record, or the record is not acceptable.
            SignerUnavailableError: the signer does not answer.
        """
        body = job.canonical()
        request = self._http.build_request("POST", "/runs", content=body, headers={"content-type": "application/json"})
        return self._parse(RunToken, self._send(request))

    def sign(
        self, token: RunToken, result: RunResult, filename: str, path: Path, *, expected: BlobRef | None = None
    ) -> SignedFile:
        """Have one file signed; it is streamed, never in memory as a whole.

        Args:
            token: from `open_run`.
            result: what happened in the run; it goes into the statement as the worker's word.
            filename: under which the file will be published.
            path: the file.
            expected: digest and size by which the file is known (the vault's), so that the file is read once only.

        Raises:
            SigningRefusedError: with the signer's reason; or the file cannot be read here.
            SignerUnavailableError: the signer does not answer, or dies in between.
        """
        try:
            with path.open("rb") as stream:
                return self._parse(
                    SignedFile, self._send(self._signing_request(token, result, filename, stream, expected))
                )
        except OSError as error:
            raise SigningRefusedError(f"{path} cannot be read for signing: {error}") from error

    def _signing_request(
        self, token: RunToken, result: RunResult, filename: str, stream: BinaryIO, expected: BlobRef | None
    ) -> httpx.Request:
        head = result.canonical()
        blob = expected or sha256_stream(stream)
        stream.seek(0)
        return self._http.build_request(
            "POST",
            f"/runs/{quote(token.run_id, safe='')}/files/{quote(filename, safe='')}",
            content=_body(head, stream),
            headers={
                "authorization": f"Bearer {token.token}",
                "content-type": "application/octet-stream",
                "content-length": str(len(head) + blob.size),
                RESULT_LENGTH_HEADER: str(len(head)),
                SHA256_HEADER: blob.sha256,
            },
        )

    def close_run(self, token: RunToken) -> None:
        """End the run: its token signs nothing any more. Closing a closed run is no error.

        Raises:
            SigningRefusedError: the token is of another run.
            SignerUnavailableError: the signer does not answer.
        """
        headers = {"authorization": f"Bearer {token.token}"}
        self._send(self._http.build_request("DELETE", f"/runs/{quote(token.run_id, safe='')}", headers=headers))

    def sign_snapshot(self, document: bytes) -> str:
        """Have a catalog snapshot signed (`CatalogSnapshot.canonical()`) and return the bundle (JSON text).

        The last one can be signed again: whoever died before the answer came asks once more.

        Raises:
            SigningRefusedError: with the signer's reason; where it does not know files that the snapshot names,
                `details["unknown"]` has their digests: show it their provenance with `remember`.
            SignerUnavailableError: the signer does not answer.
        """
        headers = {"content-type": "application/json"}
        request = self._http.build_request("POST", "/snapshots", content=document, headers=headers)
        return self._parse(SignedSnapshot, self._send(request)).bundle

    def last_snapshot(self) -> SignedSnapshot | None:
        """Return the snapshot that was signed last, None when there was none: the next one has to follow it.

        Raises:
            SignerUnavailableError: the signer does not answer.
        """
        request = self._http.build_request("GET", "/snapshots/last")
        try:
            return self._parse(SignedSnapshot, self._send(request))
        except SigningRefusedError as error:
            if error.details.get("status") == httpx.codes.NOT_FOUND:
                return None
            raise

    def remember(self, provenance: str) -> None:
        """Show the signer the provenance bundle of a file that it signed and does not know any more.

        Raises:
            SigningRefusedError: it did not sign it.
            SignerUnavailableError: the signer does not answer.
        """
        self._send(self._http.build_request("POST", "/signed", content=provenance.encode()))

    def _send(self, request: httpx.Request) -> httpx.Response:
        self._probe()
        try:
            response = self._http.send(request)
        except httpx.TransportError as error:
            what = str(error) or type(error).__name__
            raise SignerUnavailableError(f"the signer at {self._socket} does not answer: {what}") from error
        if response.is_success:
            return response
        answer = _answer(response)
        reason = str(answer.get("error") or f"HTTP {response.status_code}")
        if response.is_client_error:
            more = {"unknown": answer["unknown"]} if "unknown" in answer else {}
            details = {"status": response.status_code, **more}
            raise SigningRefusedError(f"the signer refused: {reason}", details=details)
        raise SignerUnavailableError(f"the signer at {self._socket} failed: {reason}")

    def _probe(self) -> None:
        """Connect once before httpx does: it leaves its socket open when nobody listens."""
        with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            try:
                probe.connect(str(self._socket))
            except OSError as error:
                raise SignerUnavailableError(f"the signer at {self._socket} does not answer: {error}") from error

    def _parse(self, kind: type[_Answer], response: httpx.Response) -> _Answer:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise SignerUnavailableError(
                f"what listens at {self._socket} does not answer like a signer of this version: {error}"
            ) from error


def _body(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    yield head
    while chunk := stream.read(CHUNK):
        yield chunk


def _answer(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of a refusal, an empty one where it has none."""
    try:
        answer = json.loads(response.content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
