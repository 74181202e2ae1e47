"""Sources: a pin → a snapshot in the vault. Imported late: GitPython or httpx come with what a pin needs."""

from farm.source.taking import take

__all__ = ["take"]
