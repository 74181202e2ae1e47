"""The key code: an embedded Sigstore instance (certificate authority, transparency log, timestamps) with its keys.

It loads only in a process that declared itself the signer (`farm.trust.role.declare_signer`): worker code that imports
it by mistake, or is made to, stops here. What protects the keys themselves is the signer's own process and user.
"""

from __future__ import annotations

from farm.trust import role

__all__ = ["KeyCodeImportError"]


class KeyCodeImportError(ImportError):
    """The key code was imported by a process that is not the signer."""


if not role.is_signer():
    raise KeyCodeImportError(f"{__name__} is key code: only the signer process may import it", name=__name__)
