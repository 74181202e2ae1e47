from __future__ import annotations

from tests.fixtures_python import index

__all__ = ["index"]
