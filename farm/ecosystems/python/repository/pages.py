"""The index pages as a function of the records: PEP 503 HTML and PEP 691 JSON, the same facts in both.

JSON carries sizes, upload times and versions (PEP 700), core metadata (PEP 658, 714), provenance (PEP 740), yanks
(PEP 592) and the project's status (PEP 792): API version 1.4.

All addresses are relative, so that the stored pages are right behind any host and prefix. PEP 740 wants the one of the
provenance in full, and clients insist: whoever serves the pages knows where, and calls `with_base`.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from packaging.version import Version

from farm.ecosystems.python.repository.model import METADATA, file_key, integrity_key, release_of
from farm.model.base import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.utils import BuildTag

    from farm.ecosystems.python.repository.model import PublishedFile

__all__ = ["API_VERSION", "project_html", "project_json", "root_html", "root_json", "with_base"]

API_VERSION: Final = "1.4"
_BASE: Final = re.compile(r"https?://[A-Za-z0-9.:_\[\]-]+(/[A-Za-z0-9._~%-]+)*/")
_UP: Final = "../../"
"""From `simple/<name>/` to where `files/` and `integrity/` are."""


def project_json(name: str, records: Iterable[PublishedFile]) -> bytes:
    """Return the PEP 691 page of a project."""
    ordered = _ordered(records)
    versions = dict.fromkeys(record.package.version for record in ordered)
    return canonical_json(
        {
            "meta": {"api-version": API_VERSION},
            "name": name,
            "project-status": {"status": "active"},
            "versions": list(versions),
            "files": [_file(record) for record in ordered],
        }
    )


def project_html(name: str, records: Iterable[PublishedFile]) -> bytes:
    """Return the PEP 503 page of a project."""
    return _document(f"Links for {name}", (_anchor(record) for record in _ordered(records)))


def root_json(names: Iterable[str]) -> bytes:
    """Return the PEP 691 page that lists the projects."""
    return canonical_json(
        {"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in sorted(set(names))]}
    )


def root_html(names: Iterable[str]) -> bytes:
    """Return the PEP 503 page that lists the projects."""
    return _document("Simple index", (f'<a href="{escape(name)}/">{escape(name)}</a>' for name in sorted(set(names))))


def with_base(page: bytes, base: str) -> bytes:
    """Return a project page with full addresses of the provenance.

    Args:
        page: as `project_json` or `project_html` made it. Quotes are escaped in all values of both, so what is replaced
            can only be the key itself.
        base: where `simple/` is, ending in `/`; anything but a plain address leaves the page as it is.
    """
    if not _BASE.fullmatch(base):
        return page
    for key in (b'"provenance":"', b' data-provenance="'):
        page = page.replace(key + _UP.encode(), key + base.encode())
    return page


def _ordered(records: Iterable[PublishedFile]) -> list[PublishedFile]:
    def place(record: PublishedFile) -> tuple[Version, BuildTag, str]:
        return Version(record.package.version), release_of(record.filename).build, record.filename

    return sorted(records, key=place)


def _urls(record: PublishedFile) -> tuple[str, str]:
    """Return the relative addresses of the file and of its provenance."""
    return (
        _UP + quote(file_key(record.blob.sha256, record.filename)),
        _UP + quote(integrity_key(record.package, record.filename)),
    )


def _file(record: PublishedFile) -> dict[str, Any]:
    url, provenance = _urls(record)
    metadata: dict[str, str] | bool = {"sha256": record.parts[METADATA].sha256} if METADATA in record.parts else False
    entry: dict[str, Any] = {
        "filename": record.filename,
        "url": url,
        "hashes": {"sha256": record.blob.sha256},
        "size": record.blob.size,
        "upload-time": record.upload_time,
        "yanked": record.yanked,
        "core-metadata": metadata,
        # The name before PEP 714, for clients that know no other.
        "data-dist-info-metadata": metadata,
        "provenance": provenance,
    }
    if record.requires_python:
        entry["requires-python"] = record.requires_python
    return entry


def _anchor(record: PublishedFile) -> str:
    url, provenance = _urls(record)
    attributes = {"href": f"{url}#sha256={record.blob.sha256}"}
    if METADATA in record.parts:
        digest = f"sha256={record.parts[METADATA].sha256}"
        attributes |= {"data-core-metadata": digest, "data-dist-info-metadata": digest}
    attributes["data-provenance"] = provenance
    if record.requires_python:
        attributes["data-requires-python"] = record.requires_python
    if record.yanked is not False:
        attributes["data-yanked"] = "" if record.yanked is True else record.yanked
    words = " ".join(f'{key}="{escape(value)}"' for key, value in attributes.items())
    return f"<a {words}>{escape(record.filename)}</a>"


def _document(title: str, lines: Iterable[str]) -> bytes:
    body = "".join(f"{line}<br>\n" for line in lines)
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n'
        "<head>\n"
        '<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{API_VERSION}">\n'
        f"<title>{escape(title)}</title>\n"
        "</head>\n"
        "<body>\n"
        f"<h1>{escape(title)}</h1>\n"
        f"{body}"
        "</body>\n"
        "</html>\n"
    ).encode()
