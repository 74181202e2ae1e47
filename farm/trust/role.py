"""Whether this process is the signer: the key code loads in no other.

Only the signer's `__main__` declares the role, before it imports anything that leads to the key code.
"""

from __future__ import annotations

__all__ = ["declare_signer", "is_signer"]


class _Role:
    signer = False


def declare_signer() -> None:
    """Make this process the signer, for good: the key code can be imported from now on."""
    _Role.signer = True


def is_signer() -> bool:
    """Return whether this process declared itself the signer."""
    return _Role.signer
