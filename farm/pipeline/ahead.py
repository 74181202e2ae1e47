"""Importing what later steps need while a sandbox runs: this process only waits then."""

from __future__ import annotations

import importlib
import threading

__all__ = ["import_ahead"]


def import_ahead(*modules: str) -> None:
    """Begin to import `modules`, one after the other, in the background.

    A step that imports one of them waits for it as for any import. An import that fails here fails again, and is told,
    where the module is needed.
    """

    def work() -> None:
        for name in modules:
            try:
                importlib.import_module(name)
            except ImportError:
                return

    threading.Thread(target=work, name="import-ahead", daemon=True).start()
