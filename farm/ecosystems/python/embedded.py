"""Reading the embedded SBOMs of a wheel (PEP 770) without unpacking it: size caps, one entry each, nothing written."""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO

from farm.errors import VerificationError
from farm.evidence.sbom import DOCUMENT_LIMIT as LIMIT
from farm.evidence.sbom import SbomFormat, embedded_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["embedded_documents"]


def embedded_documents(wheel: BinaryIO) -> dict[str, bytes]:
    """Return the documents that farm embeds, in every format, by the suffix of their sidecars.

    Args:
        wheel: the open wheel, seekable.

    Raises:
        VerificationError: unreadable archive; a document that is missing, there twice or too large.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return {kind.value: _document(archive, embedded_name(kind)) for kind in SbomFormat}
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        NotImplementedError,  # a compression method that Python does not know
        RuntimeError,  # encrypted
        ValueError,
        OSError,
    ) as error:
        raise VerificationError(f"the wheel cannot be read: {error}") from error


def _document(archive: zipfile.ZipFile, name: str) -> bytes:
    entry = _only(archive.infolist(), name)
    with archive.open(entry) as stream:
        # The size in the directory is a claim; this is the cap.
        data = stream.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise VerificationError(f"the embedded {name} is larger than {LIMIT} bytes")
    return data


def _only(entries: Iterable[zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    found = [e for e in entries if re.fullmatch(rf"[^/]+\.dist-info/sboms/{re.escape(name)}", e.filename)]
    if len(found) != 1:
        raise VerificationError(f"the wheel holds {len(found)} embedded {name}, not one")
    return found[0]
