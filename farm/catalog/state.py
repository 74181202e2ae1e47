"""What the farm remembers of its catalog: one document, so that planning asks the object store a fixed number of times.

It is an index over the outcomes of builds, which are kept by build key: losing it costs time and nothing else.
"""

from __future__ import annotations

import base64
import gzip
import io
import zlib
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, ValidationError

from farm import log
from farm.model.base import Sha256, Value
from farm.model.catalog import RebuiltShare
from farm.model.key import KeyFields
from farm.model.outcome import OutcomeFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.store.base import Vault

__all__ = ["CatalogState", "Failure", "NodeState", "SourceFacts", "load_state", "save_state"]

_KIND: Final = "catalog"
_KEY: Final = "state"
_LARGEST: Final = 1024 * 1024 * 1024

_log = log.get(__name__)


class Failure(Value):
    """A build that failed in a way that trying again does not change."""

    build_key: Sha256
    """It is not tried again while the key is this one."""
    error: str
    exit_code: int
    message: str
    on: str
    """RFC 3339."""

    @property
    def again(self) -> str:
        """What is said instead of trying again."""
        return f"failed on {self.on} with the same inputs: {self.message}"


class NodeState(Value):
    """What is known of one node."""

    fields: KeyFields | None = None
    """Of the result that counts; None while there is none."""
    build_key: str = ""
    files: tuple[OutcomeFile, ...] = ()
    share: RebuiltShare = RebuiltShare(own=0, total=0)
    needs: tuple[str, ...] = ()
    """Nodes whose results it was built with."""
    names: tuple[str, ...] = ()
    """What its files may be called by others."""
    seconds: float = 0.0
    built_on: str = ""
    """RFC 3339; when the result was made."""
    verified_on: str = ""
    """When it was last rebuilt from nothing and compared, or made."""
    tried_on: str = ""
    """When that was last tried, and ended without a verdict."""
    verdict: Literal["", "reproduced", "drifted"] = ""
    stage: int = 0
    seeds: tuple[str, ...] = ()
    failure: Failure | None = None


class SourceFacts(Value):
    """What a pin gives: it is the same each time, or it is an error."""

    tree: Sha256
    epoch: int


class CatalogState(Value):
    """What is known of all nodes."""

    schema_version: Literal[1] = 1
    nodes: dict[str, NodeState] = Field(default_factory=dict)
    sources: dict[str, SourceFacts] = Field(default_factory=dict)
    """Digest of a pin → what it gives."""


def load_state(vault: Vault, tell: Callable[[str], None] | None = None) -> CatalogState:
    """Return what is remembered; nothing where it is not there or cannot be read: it is made anew then.

    Args:
        vault: where it is.
        tell: called, in words, where it is there and cannot be read.

    Raises:
        StoreUnavailableError.
    """
    data = vault.get_record(_KIND, _KEY)
    if data is None:
        return CatalogState()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(base64.b64decode(data))) as stream:
            return CatalogState.model_validate_json(stream.read(_LARGEST))
    except (ValidationError, OSError, EOFError, ValueError, zlib.error) as error:
        _log.warning("the state of the catalog is unreadable; it is made anew", reason=type(error).__name__)
        if tell is not None:
            tell("the record of the catalog's state was unreadable, and is made anew")
        return CatalogState()


def save_state(vault: Vault, state: CatalogState) -> None:
    """Keep `state`: the last writer wins.

    Raises:
        StoreUnavailableError.
    """
    packed = gzip.compress(state.model_dump_json(exclude_defaults=True).encode(), compresslevel=3, mtime=0)
    vault.put_record(_KIND, _KEY, base64.b64encode(packed))
