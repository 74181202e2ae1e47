"""Farm rebuilds packages from pinned source, where no attacker can reach, and proves it."""

__version__ = "0.1.0"
