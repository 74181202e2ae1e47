"""Python: wheels built by PEP 517 backends."""

from farm.ecosystems.python.ecosystem import PythonEcosystem

__all__ = ["PythonEcosystem"]
