"""Import one module and check that it came from the environment. Argument: the module's name."""

from __future__ import annotations

import importlib
import pathlib
import sys


def main(name: str) -> int:
    """Import `name`; 0 when it lies in the environment."""
    module = importlib.import_module(name)
    files = [module.__file__] if module.__file__ else list(module.__path__)
    prefix = pathlib.Path(sys.prefix).resolve()
    outside = [file for file in files if prefix not in pathlib.Path(file).resolve().parents]
    if outside or not files:
        sys.stderr.write(f"{name} was imported from {', '.join(outside) or 'nowhere'}, not from the wheel\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
