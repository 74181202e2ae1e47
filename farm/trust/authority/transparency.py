"""The transparency log in the flavour of Rekor v1: inclusion promise (SET), checkpoint and inclusion proof per entry.

Sources: Rekor's `dsse 0.0.1` and `hashedrekord 0.0.1` entry types, RFC 6962 (tree), the C2SP checkpoint and signed-note
formats. Entries are on disk and synced before a caller sees their proof.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from farm.errors import VerificationError
from farm.model.base import canonical_json
from farm.trust.authority import encoding
from farm.trust.authority.journal import Journal
from farm.trust.merkle import MerkleTree, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["LogEntry", "TransparencyLog"]

_TREE_ID = 1
"""Rekor v1 names its tree in the checkpoint; there is one."""


@dataclass(frozen=True)
class LogEntry:
    """One entry with everything that proves it is in the log."""

    index: int
    time: int
    kind: str
    body: bytes
    log_id: bytes
    promise: bytes
    size: int
    root: bytes
    proof: tuple[bytes, ...]
    checkpoint: str

    def as_json(self) -> dict[str, Any]:
        """Return the `TransparencyLogEntry` message of a Sigstore bundle (protobuf JSON)."""
        return {
            "logIndex": str(self.index),
            "logId": {"keyId": encoding.b64(self.log_id)},
            "kindVersion": {"kind": self.kind, "version": "0.0.1"},
            "integratedTime": str(self.time),
            "inclusionPromise": {"signedEntryTimestamp": encoding.b64(self.promise)},
            "inclusionProof": {
                "logIndex": str(self.index),
                "rootHash": encoding.b64(self.root),
                "treeSize": str(self.size),
                "hashes": [encoding.b64(node) for node in self.proof],
                "checkpoint": {"envelope": self.checkpoint},
            },
            "canonicalizedBody": encoding.b64(self.body),
        }


class TransparencyLog:
    """The log of one instance; every method may be called from several threads."""

    def __init__(self, path: Path, key: ec.EllipticCurvePrivateKey, origin: str) -> None:
        """Load the log at `path` and check it.

        Raises:
            VerificationError: the file or its seal was changed, or an entry is not this log's.
        """
        self.log_id = encoding.key_id(key)
        self._key = key
        self._origin = origin
        self._tree = MerkleTree()
        self._journal = Journal(path, key)
        self._lock = threading.Lock()
        for line, sealed in self._journal.replay():
            self._take(line, sealed=sealed)

    def __len__(self) -> int:
        return len(self._tree)

    def append(self, bodies: Sequence[tuple[str, bytes]], time: int) -> tuple[LogEntry, ...]:
        """Add entries (kind, canonical body) in one durable write and return them with their proofs.

        Raises:
            ServiceError: the log cannot be written; then none of the entries is in it.
        """
        with self._lock:
            first = len(self._tree)
            promises = [
                encoding.sign(self._key, self._promised(body, time, first + n)) for n, (_, body) in enumerate(bodies)
            ]
            self._journal.append(
                [
                    _line(first + n, time, body, promise)
                    for n, ((_, body), promise) in enumerate(zip(bodies, promises, strict=True))
                ]
            )
            for _, body in bodies:
                self._tree.append(leaf_hash(body))
            size, root = len(self._tree), self._tree.root()
            checkpoint = self._checkpoint(size, root)
            return tuple(
                LogEntry(
                    index=first + n,
                    time=time,
                    kind=kind,
                    body=body,
                    log_id=self.log_id,
                    promise=promises[n],
                    size=size,
                    root=root,
                    proof=tuple(self._tree.inclusion_proof(first + n)),
                    checkpoint=checkpoint,
                )
                for n, (kind, body) in enumerate(bodies)
            )

    def checkpoint(self) -> str:
        """Return the signed checkpoint of the present tree."""
        with self._lock:
            return self._checkpoint(len(self._tree), self._tree.root())

    def _take(self, line: bytes, *, sealed: bool) -> None:
        """Take over one line of the file; what the seal does not cover must carry a promise of our own."""
        index = len(self._tree)
        try:
            record = json.loads(line)
            body = base64.b64decode(record["body"], validate=True)
            if record["index"] != index:
                raise VerificationError(f"entry {index} of the transparency log says it is {record['index']}")
            if not sealed:
                promised = self._promised(body, record["time"], index)
                promise = base64.b64decode(record["promise"], validate=True)
                self._key.public_key().verify(promise, promised, ec.ECDSA(hashes.SHA256()))
        except (ValueError, KeyError, TypeError, binascii.Error, InvalidSignature) as error:
            raise VerificationError(f"entry {index} of the transparency log is damaged or not this log's") from error
        self._tree.append(leaf_hash(body))

    def _promised(self, body: bytes, time: int, index: int) -> bytes:
        """Return what the inclusion promise signs."""
        return canonical_json(
            {"body": encoding.b64(body), "integratedTime": time, "logID": self.log_id.hex(), "logIndex": index}
        )

    def _checkpoint(self, size: int, root: bytes) -> str:
        note = f"{self._origin} - {_TREE_ID}\n{size}\n{encoding.b64(root)}\n"
        signature = encoding.b64(self.log_id[:4] + encoding.sign(self._key, note.encode()))
        return f"{note}\n\u2014 {self._origin} {signature}\n"


def _line(index: int, time: int, body: bytes, promise: bytes) -> bytes:
    return canonical_json({"body": encoding.b64(body), "index": index, "promise": encoding.b64(promise), "time": time})
