"""What the supervisor tells about a service."""

from __future__ import annotations

from typing import Literal

from farm.model.base import Value

__all__ = ["ServiceState"]


class ServiceState(Value):
    """A service as it is now."""

    name: str
    condition: Literal["healthy", "unhealthy", "died", "stopped"]
    pid: int | None = None
    since: str = ""
    """When it was started (RFC 3339, UTC); empty when it is not running."""
    url: str = ""
    log: str = ""
    detail: str = ""
    """What is wrong with it, or worth knowing."""

    @property
    def healthy(self) -> bool:
        """Whether it runs and answers."""
        return self.condition == "healthy"
