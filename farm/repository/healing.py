"""Writing published objects again that the store lost or changed, from the vault, under the publisher's lease."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farm import log
from farm.errors import BlobCorruptError, BlobMissingError
from farm.repository.lease import publisher_lease
from farm.repository.model import lease_key
from farm.repository.published import damaged

if TYPE_CHECKING:
    from pathlib import Path

    from farm.repository.model import Record
    from farm.store.base import Vault
    from farm.store.objects import ObjectStore

__all__ = ["Mended", "heal_published"]

_log = log.get(__name__)


class Mended(NamedTuple):
    """What came of one record."""

    healed: tuple[str, ...]
    """Keys that are right again."""
    lost: dict[str, str]
    """Key → why the vault could not help."""


def heal_published(
    record: Record, *, ecosystem: str, vault: Vault, store: ObjectStore, run_dir: Path, work: Path, wait: float = 60.0
) -> Mended:
    """Look at everything that a record stands for once more, and write again what is not right.

    Args:
        record: a published record.
        ecosystem: whose it is.
        vault: where the bytes are.
        store: the repository's bucket.
        run_dir: folder of this installation, for the publisher's lock.
        work: scratch folder with room for one file.
        wait: seconds to wait for a publisher.

    Raises:
        PublisherBusyError, StoreUnavailableError.
    """
    healed, lost = list[str](), dict[str, str]()
    with publisher_lease(store, lease_key(ecosystem), run_dir, wait=wait) as lease:
        for key, item in damaged(store, record).items():
            lease.check()
            if item.data is not None:
                store.put_bytes(key, item.data, content_type=item.content_type)
            else:
                path = work / item.ref.sha256
                try:
                    vault.fetch(item.ref, path)
                except (BlobMissingError, BlobCorruptError) as error:
                    lost[key] = error.message
                    continue
                store.put_file(key, path, content_type=item.content_type)
                path.unlink()
            _log.warning("published object restored", key=key, sha256=item.ref.sha256)
            healed.append(key)
    return Mended(tuple(healed), lost)
