"""The signed snapshot of the catalog: what the repository holds after a night, as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.catalog.work import now
from farm.errors import SigningRefusedError
from farm.model.catalog import CatalogEntry, CatalogFile, following, parse_snapshot
from farm.repository.snapshot import publish_snapshot
from farm.trust.client import SignerClient
from farm.trust.identity import catalog_identity, expected_identity
from farm.trust.verify import load_trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from farm.catalog.nodes import Catalog
    from farm.catalog.state import NodeState
    from farm.model.catalog import CatalogSnapshot
    from farm.pipeline.runtime import Runtime

__all__ = ["entries", "publish_catalog"]


def entries(catalog: Catalog, nodes: Mapping[str, NodeState]) -> Iterator[CatalogEntry]:
    """Give what is published of each node that has a recipe and a result."""
    for name, node in catalog.nodes.items():
        known = nodes.get(name)
        if known is None or not known.build_key:
            continue
        files = sorted(known.files, key=lambda file: file.filename)
        yield CatalogEntry(
            ecosystem=node.package.ecosystem,
            name=node.package.name,
            version=node.package.version,
            target=node.target.key,
            build_key=known.build_key,
            files=tuple(
                CatalogFile(filename=file.filename, path=file.path, sha256=file.blob.sha256, size=file.blob.size)
                for file in files
            ),
            rebuilt=known.share,
            verified_on=known.verified_on[:10] if known.verdict else "",
            verdict=known.verdict,
        )


def publish_catalog(rt: Runtime, catalog: Catalog, nodes: Mapping[str, NodeState]) -> CatalogSnapshot:
    """Have the snapshot of what is published signed, verify it, and publish it.

    A night that was killed between the two leaves a signed one behind: it is published first, since the next one has to
    follow it.

    Raises:
        SignerUnavailableError, SigningRefusedError: the signer does not know a file (and nobody can show it), say.
        VerificationError, TrustRootError, PublisherBusyError, StoreUnavailableError.
    """
    trust = load_trust(rt.settings.trust_config_path)
    identity = catalog_identity(expected_identity(rt.settings))

    def publish(document: bytes, bundle: str) -> CatalogSnapshot:
        return publish_snapshot(
            rt.repository, document, bundle, trust=trust, identity=identity, run_dir=rt.settings.run_dir
        )

    with SignerClient(rt.signer_socket) as signer:
        last = signer.last_snapshot()
        before = None
        if last is not None:
            document = last.document.encode()
            publish(document, last.bundle)
            before = parse_snapshot(document)
        wanted = following(before, entries(catalog, nodes), now()).canonical()
        return publish(wanted, _signed(rt, signer, wanted, nodes))


def _signed(rt: Runtime, signer: SignerClient, document: bytes, nodes: Mapping[str, NodeState]) -> str:
    """Have `document` signed; show the signer what it does not know any more of what it signed itself."""
    try:
        return signer.sign_snapshot(document)
    except SigningRefusedError as error:
        unknown = set(error.details.get("unknown", ()))
        if not unknown:
            raise
        for known in nodes.values():
            for file in known.files:
                if file.blob.sha256 in unknown:
                    signer.remember(rt.vault.read(file.provenance).decode())
    return signer.sign_snapshot(document)
