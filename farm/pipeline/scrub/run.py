"""The order of a scrub: the vault first, then the repository, which is healed from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.ecosystems.base import unheard
from farm.model.scrub import ScrubReport
from farm.pipeline.scrub.repository import scrub_repository
from farm.pipeline.scrub.vault import scrub_vault

if TYPE_CHECKING:
    from collections.abc import Callable

    from farm.pipeline.runtime import Runtime

__all__ = ["scrub"]


def scrub(
    rt: Runtime, *, vault: bool = True, repository: bool = True, tell: Callable[[str], None] = unheard
) -> ScrubReport:
    """Read every byte of the stores again and heal what can be.

    Args:
        rt: settings and stores. Indexes and source hosts are asked for what is damaged alone.
        vault: look at the vault.
        repository: look at the repository.
        tell: called with how far it is.

    Raises:
        StoreUnavailableError, ConfigError: the object store does not answer.
        PublisherBusyError: something published is damaged, and a publisher was at work all the time.
    """
    return ScrubReport(
        vault=scrub_vault(rt, tell) if vault else None,
        repository=scrub_repository(rt, tell) if repository else None,
    )
