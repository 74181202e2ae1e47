"""How the signer's process is started: the argument list, from the settings. Imports nothing of the signer itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farm.config import Settings

__all__ = ["signer_command"]


def signer_command(settings: Settings) -> list[str]:
    """Return the argument list that starts the signer of these settings with this interpreter."""
    return [
        sys.executable,
        "-m",
        "farm.trust.signer",
        "--data",
        str(settings.data / "signer"),
        "--socket",
        str(settings.signer_socket),
        "--trust-out",
        # Always the embedded instance's own place: a configured trust root is somebody else's file.
        str(settings.data / "trust" / "trust_config.json"),
        "--namespace",
        settings.trust.namespace,
        "--builder",
        settings.trust.builder,
        "--token-seconds",
        str(settings.trust.token_seconds),
    ]
