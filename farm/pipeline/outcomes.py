"""The records of finished builds, by build key: what a later run finds, and what it is held against."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import ValidationError

from farm import log
from farm.errors import NotReproducibleError
from farm.model.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farm.model.build import Artifact
    from farm.model.evidence import JobRecord
    from farm.store.base import Vault

__all__ = ["OUTCOMES", "known_outcome", "record_name", "record_outcome", "refuse_other_bytes"]

OUTCOMES = "outcomes"
"""Record kind of finished builds, by build key."""

_ODD = re.compile(r"[^A-Za-z0-9._+-]|^[._+-]")

_log = log.get(__name__)


def record_outcome(vault: Vault, outcome: Outcome) -> None:
    """Keep the outcome under its build key."""
    vault.put_record(OUTCOMES, outcome.build_key, outcome.canonical())


def known_outcome(vault: Vault, build_key: str) -> Outcome | None:
    """Return the recorded outcome of the build key; None for none, and for a record that says nothing of use."""
    data = vault.get_record(OUTCOMES, build_key)
    if data is None:
        return None
    try:
        outcome = Outcome.model_validate_json(data)
    except ValidationError:
        _log.warning("the record of an earlier build is of another format; it does not count", build_key=build_key[:12])
        return None
    return outcome if outcome.files else None  # a build without files is none


def refuse_other_bytes(vault: Vault, record: JobRecord, artifacts: Iterable[Artifact]) -> None:
    """Hold a build against an earlier one of the same key.

    A build number is no difference: it says what was published before, not what was built.

    Raises:
        NotReproducibleError: that one gave other bytes.
    """
    known = known_outcome(vault, record.build_key)
    if known is None:
        return
    before = {file.content.filename: file.content.sha256 for file in known.files}
    now = {artifact.content.filename: artifact.content.sha256 for artifact in artifacts}
    if before != now:
        raise NotReproducibleError(
            f"{record.plan.package} was built before with the same build key and gave other bytes",
            details={"before": before, "now": now},
        )


def record_name(text: str) -> str:
    """Return `text` as a part of a record's key: what has no place there (Maven's colon) is written `!3a`."""
    return _ODD.sub(lambda found: f"!{ord(found[0]):x}", text)
