"""The vault: every blob against its name, every record against its digest, and both against each other."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from farm.ecosystems.repositories import layouts
from farm.errors import BlobCorruptError, VerificationError
from farm.model.scrub import Lost, StoreReport
from farm.pipeline.scrub.ahead import each
from farm.pipeline.scrub.ledger import open_ledger
from farm.pipeline.scrub.sources import heal
from farm.store.vault import record_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from farm.pipeline.runtime import Runtime
    from farm.pipeline.scrub.ledger import Ledger

__all__ = ["scrub_vault"]

_TELL_EVERY: Final = 50
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LOST_RECORD: Final = "it held other bytes than were written; the next build of what it is about writes it again"


def scrub_vault(rt: Runtime, tell: Callable[[str], None]) -> StoreReport:
    """Read and heal the vault; see `farm.pipeline.scrub.scrub`."""
    with rt.scratch("scrub") as work, open_ledger(work / "vault.sqlite") as ledger:
        objects, size, damaged = _read_blobs(rt, ledger, tell)
        records, lost = _read_records(rt, ledger, tell)
        _name_published(rt, ledger)
        for blob in ledger.missing():
            # Again: it may have been written after it was listed for.
            if rt.vault.is_right(blob.key) is None:
                damaged[blob.key] = f"it is gone, and {blob.holder} names it"
        orphans = ledger.orphans()
    healed, unhealed = heal(rt, damaged, tell)
    return StoreReport(
        objects=objects,
        size=size,
        records=records,
        healed=tuple(healed),
        lost=(*lost, *unhealed),
        orphans=orphans,
    )


def _read_blobs(rt: Runtime, ledger: Ledger, tell: Callable[[str], None]) -> tuple[int, int, dict[str, str]]:
    """Read every blob; return how many, their bytes, and digest → what is wrong for those that are not right."""
    count, total, damaged = 0, 0, dict[str, str]()

    def look(blob: tuple[str, int]) -> bool | None:
        return rt.vault.is_right(blob[0]) if blob[0] else None

    for (sha256, size), right in each(look, rt.vault.blobs()):
        ledger.stored(sha256 or f"no blob {count}", size)
        count, total = count + 1, total + size
        if right is False:
            damaged[sha256] = "it holds other bytes"
        if count % _TELL_EVERY == 0:
            tell(f"vault: {count} blobs, {total // 1024 // 1024} MiB read, {len(damaged)} damaged")
    return count, total, damaged


def _read_records(rt: Runtime, ledger: Ledger, tell: Callable[[str], None]) -> tuple[int, list[Lost]]:
    """Read every record and write down which blobs it names; return how many, and those that are damaged."""
    count, lost = 0, list[Lost]()

    def read(name: tuple[str, str]) -> bytes | str | None:
        try:
            return rt.vault.read_record(*name) if name[0] else None
        except BlobCorruptError:
            return _LOST_RECORD

    for (kind, key), data in each(read, rt.vault.all_records()):
        count += 1
        if isinstance(data, str):
            lost.append(Lost(key=record_key(kind, key), reason=data))
        elif data is not None:
            for digest, is_blob in _digests(data):
                if is_blob:
                    ledger.named(digest, f"the record {record_key(kind, key)}")
                ledger.mentioned(digest)
        if count % _TELL_EVERY == 0:
            tell(f"vault: {count} records read, {len(lost)} damaged")
    return count, lost


def _name_published(rt: Runtime, ledger: Ledger) -> None:
    """Write down which blobs published records name: what is published can be written again from the vault."""
    for layout in layouts():

        def read(key: str, layout: Any = layout) -> Any:
            try:
                return layout.record_at(rt.repository, key)
            except VerificationError:
                return None  # the repository's own scrub says so

        for key, record in each(read, layout.record_keys(rt.repository)):
            if record is not None:
                for item in record.objects().values():
                    if item.data is None:
                        ledger.named(item.ref.sha256, f"the published record {key}")


def _digests(data: bytes) -> Iterator[tuple[str, bool]]:
    """Yield every SHA-256 in a record, and whether it stands there as a blob: with a size beside it.

    Kinds of records come and go, so their models are not asked. A digest without a size is spoken of, not more: that of
    a tree or of an image's layers is no blob's.
    """
    try:
        waiting: list[Any] = [json.loads(data)]
    except (ValueError, RecursionError):
        return  # some records are no JSON; what they speak of, others name
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            digest = value.get("sha256")
            if isinstance(digest, str) and _SHA256.fullmatch(digest) and isinstance(value.get("size"), int):
                yield digest, True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and _SHA256.fullmatch(value):
            yield value, False
