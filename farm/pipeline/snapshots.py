"""The catalog snapshot from entries to the repository: follow the last one, have it signed, publish it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from farm import log
from farm.ecosystems.repositories import layout_of
from farm.errors import SigningRefusedError
from farm.model.catalog import CatalogSnapshot, following
from farm.model.evidence import PROVENANCE_BUNDLE
from farm.model.plan import PackageId
from farm.pipeline.identity import now
from farm.repository.snapshot import publish_snapshot
from farm.trust.client import SignerClient
from farm.trust.identity import catalog_identity, expected_identity
from farm.trust.snapshots import verify_snapshot
from farm.trust.verify import load_trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from farm.model.base import BlobRef
    from farm.model.catalog import CatalogEntry
    from farm.pipeline.runtime import Runtime

__all__ = ["last_signed", "publish_catalog"]

_NONE: Final[Mapping[str, BlobRef]] = MappingProxyType({})
_BUNDLE_LIMIT: Final = 16 * 1024 * 1024

_log = log.get(__name__)


def last_signed(rt: Runtime) -> CatalogSnapshot | None:
    """Return the catalog snapshot that the signer signed last, verified; None when there was none.

    Raises:
        SignerUnavailableError, TrustRootError.
        VerificationError: what the signer has does not verify with the consumers' trust root.
    """
    with SignerClient(rt.signer_socket) as client:
        last = client.last_snapshot()
    if last is None:
        return None
    trust, identity = load_trust(rt.settings.trust_config_path), catalog_identity(expected_identity(rt.settings))
    return verify_snapshot(trust, last.document.encode(), last.bundle, identity)


def publish_catalog(
    rt: Runtime, entries: Iterable[CatalogEntry], provenances: Mapping[str, BlobRef] = _NONE
) -> CatalogSnapshot:
    """Publish the next catalog snapshot, which says that the repository holds `entries` (in any order).

    A snapshot that an earlier run had signed and did not get to publish is published first. Files that the signer does
    not know any more are shown to it again by the provenance that is published beside them, and by what the vault has
    in `provenances` (SHA-256 of a file → its newest provenance bundle): a later build can have given the same bytes.

    Raises:
        SigningRefusedError: the entries are not what was signed.
        VerificationError, CatalogRollbackError: the catalog in the repository is not as it was left.
        TrustRootError, SignerUnavailableError, PublisherBusyError, StoreUnavailableError.
    """
    named = tuple(entries)
    trust, identity = load_trust(rt.settings.trust_config_path), catalog_identity(expected_identity(rt.settings))

    def publish(document: bytes, bundle: str) -> CatalogSnapshot:
        return publish_snapshot(
            rt.repository, document, bundle, trust=trust, identity=identity, run_dir=rt.settings.run_dir
        )

    with SignerClient(rt.signer_socket) as client:
        last = client.last_snapshot()
        before = None if last is None else publish(last.document.encode(), last.bundle)
        document = following(before, named, now()).canonical()
        try:
            bundle = client.sign_snapshot(document)
        except SigningRefusedError as error:
            unknown = frozenset(error.details.get("unknown", ()))
            if not _remind(rt, client, named, unknown, provenances):
                raise
            # With the time of now: reminding can take minutes.
            document = following(before, named, now()).canonical()
            bundle = client.sign_snapshot(document)
    return publish(document, bundle)


def _remind(
    rt: Runtime,
    client: SignerClient,
    entries: Iterable[CatalogEntry],
    unknown: frozenset[str],
    provenances: Mapping[str, BlobRef],
) -> bool:
    """Show the signer the published provenance of files that it does not know; return whether there was any."""
    shown = False
    for digest in sorted(unknown & provenances.keys()):
        client.remember(rt.vault.read(provenances[digest]).decode(errors="replace"))
        shown = True
    for entry in entries:
        wanted = {file.filename for file in entry.files if file.sha256 in unknown}
        if not wanted:
            continue
        package = PackageId(ecosystem=entry.ecosystem, name=entry.name, version=entry.version)
        suffixes = tuple(f"/{name}{PROVENANCE_BUNDLE}" for name in wanted)
        for record in layout_of(entry.ecosystem).find(rt.repository, package):
            for key in (key for key in record.objects() if key.endswith(suffixes)):
                bundle = rt.repository.get_bytes(key, limit=_BUNDLE_LIMIT)
                if bundle is not None:
                    client.remember(bundle.decode(errors="replace"))
                    shown = True
        _log.info("the signer was shown what it had signed", entry=str(entry), files=len(wanted))
    return shown
