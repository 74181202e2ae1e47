"""The publish step: from signed artifacts to a publication, through the gate that consumers' verification is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farm.ecosystems.repositories import layout_of
from farm.pipeline.identity import now
from farm.repository.model import BUNDLE, PROVENANCE_BUNDLE, Publication, PublishFile
from farm.repository.publish import publish, publish_trust_config
from farm.repository.sigstore_gate import open_gate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farm.model.base import BlobRef
    from farm.model.build import Artifact
    from farm.model.evidence import JobRecord, SignedFile
    from farm.pipeline.runtime import Runtime
    from farm.repository.model import Published

__all__ = ["make_publication", "publish_build"]


def make_publication(
    rt: Runtime,
    record: JobRecord,
    artifacts: Sequence[Artifact],
    signed: Sequence[SignedFile],
    documents: Sequence[dict[str, BlobRef]],
) -> Publication:
    """Return what one build asks to publish; all of its bytes are in the vault then.

    Raises:
        GuardError, StoreUnavailableError.
    """
    layout = layout_of(record.plan.package.ecosystem)
    files = tuple(
        PublishFile(
            filename=artifact.filename,
            path=artifact.path,
            blob=file.blob,
            sidecars={
                **beside,
                **layout.parts(artifact),
                BUNDLE: rt.vault.put_bytes(file.signature.encode()),
                PROVENANCE_BUNDLE: rt.vault.put_bytes(file.provenance.encode()),
            },
        )
        for artifact, file, beside in zip(artifacts, signed, documents, strict=True)
    )
    origin = record.recipe_origin
    return Publication(
        package=record.plan.package,
        names=layout.declared(record.plan),
        recipe=record.plan.recipe_path + (f"@{origin.commit}" if origin.commit and not origin.dirty else ""),
        run_uri=record.run_uri,
        build_key=record.build_key,
        upload_time=now(),
        files=files,
    )


def publish_build(rt: Runtime, publication: Publication) -> Published[Any]:
    """Publish the files of one build.

    Returns:
        The records of the files, and which of them were new.

    Raises:
        VerificationError, ImmutableError, PublisherBusyError, StoreUnavailableError, TrustRootError.
    """
    gate = open_gate(rt.settings)
    # First: what the repository's own trust configuration does not cover must not get into it.
    publish_trust_config(rt.repository, rt.settings.trust_config_path)
    with rt.scratch("publish") as work:
        return publish(
            publication,
            layout=layout_of(publication.package.ecosystem),
            vault=rt.vault,
            store=rt.repository,
            gate=gate,
            run_dir=rt.settings.run_dir,
            work=work,
        )
