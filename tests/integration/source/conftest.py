from __future__ import annotations

from tests.fixtures_source import repo, taker

__all__ = ["repo", "taker"]
