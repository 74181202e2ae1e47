"""The embedded services of `farm up`: object store, signer, index, Prefect server and worker, as child processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from farm.services.supervisor import down, status, up

__all__ = ["down", "status", "up"]


def __getattr__(name: str) -> Any:
    # Who only asks the registry for an address (every build does) must not pay for the supervisor's imports.
    if name in __all__:
        from farm.services import supervisor  # noqa: PLC0415 - see above

        return getattr(supervisor, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
