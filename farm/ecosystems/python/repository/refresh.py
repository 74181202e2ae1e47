"""Writing the pages. They are made from what is listed, and listed again afterwards until nothing changed meanwhile.

A page is written after every file that it names: a reader never follows a link to nothing, whenever the writer stops.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from farm.ecosystems.python.repository import pages
from farm.ecosystems.python.repository.model import RECORDS, ROOT_HTML, ROOT_JSON, SIMPLE, page_keys
from farm.ecosystems.python.repository.negotiate import HTML_V1, JSON_V1
from farm.ecosystems.python.repository.published import project_records
from farm.repository.settle import until_stable

if TYPE_CHECKING:
    from farm.store.objects import ObjectStore

__all__ = ["refresh_project", "refresh_root"]


def refresh_project(store: ObjectStore, name: str) -> None:
    """Bring the pages of one project (normalised name) in line with its records; nothing is written when they are.

    Raises:
        VerificationError: a record is unreadable; the pages stay as they were.
        PublisherBusyError: the records kept changing under way.
    """

    def listing() -> list[tuple[str, str, int]]:
        return sorted((item.key, item.etag, item.size) for item in store.list(f"{RECORDS}{name}/"))

    def write() -> None:
        records = project_records(store, name)
        html, plain = page_keys(name)
        _write(store, html, pages.project_html(name, records), HTML_V1)
        _write(store, plain, pages.project_json(name, records), JSON_V1)

    until_stable(listing, write, f"the pages of {name}")


def refresh_root(store: ObjectStore) -> None:
    """Bring the root pages in line with the projects that have both of their pages; see `refresh_project`."""

    def listing() -> list[str]:
        return sorted(store.folders(SIMPLE))

    def write() -> None:
        known = _known(store)
        names = [name for name in listing() if name in known or all(store.head(key) for key in page_keys(name))]
        _write(store, ROOT_HTML, pages.root_html(names), HTML_V1)
        _write(store, ROOT_JSON, pages.root_json(names), JSON_V1)

    until_stable(listing, write, "the root page")


def _write(store: ObjectStore, key: str, data: bytes, content_type: str) -> None:
    if store.get_bytes(key) != data:
        store.put_bytes(key, data, content_type=content_type)


def _known(store: ObjectStore) -> set[str]:
    """Return the projects of the present root page: their pages were there before, and pages are never removed."""
    raw = store.get_bytes(ROOT_JSON)
    try:
        return {str(project["name"]) for project in json.loads(raw or b"{}")["projects"]}
    except (ValueError, KeyError, TypeError):
        # A page that is missing or damaged proves nothing: every project is looked at.
        return set()
