"""The repository: every object that a record stands for, and what no record names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from farm.ecosystems.repositories import layouts
from farm.errors import VerificationError
from farm.model.base import sha256_bytes
from farm.model.scrub import Healed, Lost, StoreReport
from farm.pipeline.scrub.ahead import each
from farm.pipeline.scrub.ledger import open_ledger
from farm.repository.healing import heal_published
from farm.repository.model import BUNDLE
from farm.repository.published import damaged
from farm.repository.snapshot import KEPT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farm.pipeline.runtime import Runtime
    from farm.pipeline.scrub.ledger import Ledger
    from farm.repository.model import Record

__all__ = ["scrub_repository"]

_TELL_EVERY: Final = 10
_OWN: Final = ("leases/", "trust/", "digests/", "catalog/")
"""What farm keeps beside what languages do: no record names it."""
_SNAPSHOT: Final = re.compile(re.escape(KEPT) + r"[0-9]+-([0-9a-f]{64})\.json")


class _Looked(NamedTuple):
    """What was found out about one record."""

    record: Record | None
    broken: bool
    problem: str
    """Why the record itself cannot be read."""


def scrub_repository(rt: Runtime, tell: Callable[[str], None]) -> StoreReport:
    """Read and heal the repository; see `farm.pipeline.scrub.scrub`."""
    healed, lost = list[Healed](), list[Lost]()
    objects = size = records = 0
    with rt.scratch("scrub") as work, open_ledger(work / "repository.sqlite") as ledger:
        _list(rt, ledger)
        for layout in layouts():

            def look(key: str, layout: Any = layout) -> _Looked:
                return _look(rt, layout, key)

            for key, found in each(look, layout.record_keys(rt.repository)):
                records += 1
                if found.problem:
                    lost.append(Lost(key=key, reason=found.problem))
                if found.record is None:
                    continue
                for name, item in found.record.objects().items():
                    ledger.named(name, key)
                    objects, size = objects + 1, size + item.ref.size
                if found.broken:
                    _mend(rt, found.record, layout.ecosystem, work, healed, lost)
                if records % _TELL_EVERY == 0:
                    tell(f"repository: {records} records, {size // 1024 // 1024} MiB read, {len(healed)} healed")
        lost += _kept_snapshots(rt)
        orphans = ledger.orphans()
    return StoreReport(
        objects=objects, size=size, records=records, healed=tuple(healed), lost=tuple(lost), orphans=orphans
    )


def _list(rt: Runtime, ledger: Ledger) -> None:
    """Write down what is there: before the records are read, so that what is published meanwhile is no orphan."""
    generated = [layout.generated for layout in layouts()]
    for info in rt.repository.list(""):
        if not info.key.startswith(_OWN) and not any(made(info.key) for made in generated):
            ledger.stored(info.key, info.size)


def _look(rt: Runtime, layout: Any, key: str) -> _Looked:
    try:
        record = layout.record_at(rt.repository, key)
    except VerificationError as error:
        return _Looked(None, broken=False, problem=f"{error.message}; nothing else has it")
    return _Looked(record, broken=record is not None and bool(damaged(rt.repository, record)), problem="")


def _mend(rt: Runtime, record: Record, ecosystem: str, work: Path, healed: list[Healed], lost: list[Lost]) -> None:
    mended = heal_published(
        record, ecosystem=ecosystem, vault=rt.vault, store=rt.repository, run_dir=rt.settings.run_dir, work=work
    )
    healed += [Healed(key=key, source="the vault") for key in mended.healed]
    lost += [Lost(key=key, reason=reason) for key, reason in mended.lost.items()]


def _kept_snapshots(rt: Runtime) -> list[Lost]:
    """Hold the kept catalog snapshots against the digests in their names."""
    wrong = list[Lost]()
    for info in rt.repository.list(KEPT):
        name = _SNAPSHOT.fullmatch(info.key)
        if name is None:
            if not info.key.endswith(BUNDLE):
                wrong.append(Lost(key=info.key, reason="it is nothing that a publisher writes"))
            continue
        document = rt.repository.get_bytes(info.key)
        if document is not None and sha256_bytes(document) != name[1]:
            wrong.append(Lost(key=info.key, reason="it holds other bytes than its name says"))
    return wrong
