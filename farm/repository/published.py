"""Reading records, and finding out whether the bytes that they stand for are still right."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from farm.errors import BlobMissingError, FarmError, VerificationError
from farm.repository.model import Record

if TYPE_CHECKING:
    from farm.repository.model import Stored
    from farm.store.objects import ObjectStore

__all__ = ["damaged", "parse_record", "verify_published"]

_R = TypeVar("_R", bound=Record)


def parse_record(store: ObjectStore, key: str, model: type[_R]) -> _R | None:
    """Return the record at `key`, None when there is none. What it says is for the caller to hold against its place.

    Raises:
        VerificationError: it is unreadable.
    """
    raw = store.get_bytes(key)
    if raw is None:
        return None
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        msg = f"the record {key} of the repository is unreadable"
        raise VerificationError(msg, remedy="Restore the object from a backup of the bucket.") from error


def damaged(store: ObjectStore, record: Record) -> dict[str, Stored]:
    """Re-read every object of `record` and return those that are missing or hold other bytes."""
    return {key: item for key, item in record.objects().items() if _problem(store, key, item) is not None}


def verify_published(store: ObjectStore, record: Record) -> None:
    """Re-read every byte that `record` stands for.

    Raises:
        BlobMissingError: an object is gone.
        VerificationError: an object holds other bytes than were published.
    """
    for key, item in record.objects().items():
        problem = _problem(store, key, item)
        if problem is not None:
            raise problem


def _problem(store: ObjectStore, key: str, item: Stored) -> FarmError | None:
    hasher = hashlib.sha256()
    with store.open(key) as found:
        if found is None:
            return BlobMissingError(
                f"published object {key} is gone from the repository",
                remedy="Publish the same build again: it is written again from the vault.",
            )
        if found.info.size == item.ref.size:
            for chunk in found.chunks:
                hasher.update(chunk)
            if hasher.hexdigest() == item.ref.sha256:
                return None
    return VerificationError(f"published object {key} does not hold the bytes that were published ({item.ref.sha256})")
