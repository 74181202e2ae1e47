from __future__ import annotations

from tests.fixtures_peer import peer
from tests.fixtures_sandbox import image_id, log, output, run, settings

__all__ = ["image_id", "log", "output", "peer", "run", "settings"]
