"""Where an archive is from, as evidence says it: pure text, so that the signer can hold a claim against its pin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from farm.languages import archive_kind
from farm.model.language import ArchiveName
from farm.source.scrub import without_credentials

if TYPE_CHECKING:
    from farm.model.plan import ArchivePin

__all__ = ["is_location", "named_location"]

_FILE_NAME = "file_name="
_QUALIFIER = re.compile(rf"{_FILE_NAME}[A-Za-z0-9._~%-]+")


def named_location(pin: ArchivePin, filename: str) -> str:
    """Return where the file of a named archive is from: a package URL without a host, since its digest is pinned.

    Raises:
        ValueError: no language has archives of the pin's kind.
    """
    return _with(_purl(pin), f"{_FILE_NAME}{quote(filename, safe='')}")


def is_location(pin: ArchivePin, uri: str) -> bool:
    """Return whether the archive of `pin` can be from `uri`; which spelling a file's name has, only its index knows.

    Raises:
        ValueError: no language has archives of the pin's kind.
    """
    if pin.kind == "url":
        return uri == without_credentials(pin.url)
    bare = _purl(pin)
    _, _, query = uri.partition("?")
    named = [part for part in query.split("&") if _QUALIFIER.fullmatch(part)]
    return uri == bare or any(uri == _with(bare, part) for part in named)


def _purl(pin: ArchivePin) -> str:
    return archive_kind(pin.kind).purl(ArchiveName(pin.name, pin.version, pin.variant))


def _with(purl: str, qualifier: str) -> str:
    """Return the package URL with one more qualifier; its specification wants them sorted."""
    bare, _, query = purl.partition("?")
    return f"{bare}?{'&'.join(sorted([*filter(None, query.split('&')), qualifier]))}"
