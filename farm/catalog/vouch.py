"""What the signed snapshot of the catalog says: what the repository holds of each node. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.catalog.finding import folder_of
from farm.model.catalog import CatalogEntry, CatalogFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from farm.catalog.nodes import Catalog
    from farm.catalog.state import NodeState

__all__ = ["entries"]


def entries(catalog: Catalog, nodes: Mapping[str, NodeState]) -> Iterator[CatalogEntry]:
    """Give what is published of each node that has a recipe and a result.

    A recipe that cannot be used takes nothing away that is published: only one that is gone does.
    """
    for name, known in nodes.items():
        if not known.build_key:
            continue
        if name not in catalog.nodes and folder_of(name) not in catalog.broken:
            continue
        place, _, target = name.rpartition(":")
        ecosystem, _, spelled = place.partition("/")
        package, _, version = spelled.rpartition("@")
        files = sorted(known.files, key=lambda file: file.filename)
        yield CatalogEntry(
            ecosystem=ecosystem,
            name=package,
            version=version,
            target=target,
            build_key=known.build_key,
            files=tuple(
                CatalogFile(filename=file.filename, path=file.path, sha256=file.blob.sha256, size=file.blob.size)
                for file in files
            ),
            rebuilt=known.share,
            # Of a result that drifted, this would be the day on which it gave other bytes.
            verified_on=known.verified_on[:10] if known.verdict == "reproduced" else "",
            verdict=known.verdict,
        )
