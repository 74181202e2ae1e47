"""A folder of blobs on this host, so that a build with hundreds of inputs does not wait for as many requests.

Nothing in it is trusted: a file's digest is computed each time it is handed out, and one that is wrong is dropped and
taken from the vault again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from farm import log
from farm.model.base import sha256_file

if TYPE_CHECKING:
    from farm.model.base import BlobRef
    from farm.store.base import Vault

__all__ = ["BlobCache"]

_log = log.get(__name__)


class BlobCache:
    """Blobs of the vault, as read-only files.

    Args:
        vault: where they are from.
        folder: made on first use; removing it costs nothing but time.
    """

    def __init__(self, vault: Vault, folder: Path) -> None:
        self._vault = vault
        self._folder = folder

    def link(self, ref: BlobRef, target: Path) -> None:
        """Make `target` a hard link to the blob, read-only; a copy where the file system has no room for a link.

        Raises:
            BlobMissingError, BlobCorruptError, StoreUnavailableError: the vault does not have it.
        """
        kept = self._place(ref)
        if self._right(kept, ref):
            try:
                os.link(kept, target)
            except FileNotFoundError:
                pass  # somebody emptied the folder just now
            except OSError:
                self._vault.fetch(ref, target)
                return
            else:
                return
        self._vault.fetch(ref, target)
        target.chmod(0o444)
        self._keep(target, kept)

    def add(self, ref: BlobRef, file: Path) -> None:
        """Keep `file`, whose digest was just checked, unless the blob is there already."""
        kept = self._place(ref)
        if not kept.exists():
            file.chmod(0o444)
            self._keep(file, kept)

    def copy(self, sha256: str, target: Path) -> bool:
        """Write the blob to `target` if the folder has it; return whether it has. The caller checks the digest."""
        try:
            shutil.copyfile(self._folder / sha256[:2] / sha256, target)
        except FileNotFoundError:
            return False
        return True

    def _place(self, ref: BlobRef) -> Path:
        return self._folder / ref.sha256[:2] / ref.sha256

    def _right(self, kept: Path, ref: BlobRef) -> bool:
        try:
            if sha256_file(kept) == ref:
                return True
        except FileNotFoundError:
            return False
        _log.warning("a cached blob was changed on this host; taking it from the vault", sha256=ref.sha256)
        kept.unlink(missing_ok=True)
        return False

    def _keep(self, target: Path, kept: Path) -> None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=kept.parent, prefix=".new-")
        os.close(handle)
        temporary = Path(name)
        try:
            temporary.unlink()
            os.link(target, temporary)
            temporary.replace(kept)
        except OSError:
            # Another file system, say: then there is no cache of it.
            return
        finally:
            temporary.unlink(missing_ok=True)
