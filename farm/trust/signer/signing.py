"""What the signer signs: a file that belongs to the job, and a statement that it wrote itself from the job record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.evidence import provenance
from farm.model.base import canonical_json
from farm.model.evidence import SignedFile
from farm.trust.authority.instance import Authority, Claims
from farm.trust.identity import ExpectedIdentity, source_claim
from farm.trust.verify import Trust, verify_file, verify_provenance

if TYPE_CHECKING:
    from farm.evidence.provenance import BuilderClaim
    from farm.model.base import BlobRef
    from farm.model.evidence import JobRecord, RunResult

__all__ = ["FileSigner"]


class FileSigner:
    """Signs files for jobs with the instance's keys and checks every result with the stock verifier."""

    def __init__(self, authority: Authority, trust: Trust, builder: BuilderClaim, issuer: str) -> None:
        """Bind the parts.

        Args:
            authority: the key code.
            trust: the public trust root, as consumers have it.
            builder: what statements say about the builder.
            issuer: what certificates name as issuer.
        """
        self._authority = authority
        self._trust = trust
        self._builder = builder
        self._issuer = issuer

    def sign(self, job: JobRecord, result: RunResult, filename: str, blob: BlobRef) -> SignedFile:
        """Sign one file.

        Args:
            job: the record that the signer kept.
            result: what the worker says happened.
            filename: already checked with `check_filename`, as the result with `check_result`.
            blob: digest and size as the signer computed them.

        Raises:
            SigningRefusedError: no statement can be written for this job.
            ServiceError: the transparency log cannot be written.
            VerificationError: what was signed does not verify; it is not handed out.
        """
        statement = provenance.statement(job, result, filename, blob, self._builder)
        claims = self._claims(job)
        signature, bundle = self._authority.sign(bytes.fromhex(blob.sha256), canonical_json(statement), claims)
        uri, digest, _ = source_claim(job)
        identity = ExpectedIdentity(builder=self._builder.id, issuer=self._issuer, source_uri=uri, source_digest=digest)
        verify_file(self._trust, blob, signature, identity)
        verify_provenance(self._trust, blob, bundle, filename, identity)
        return SignedFile(filename=filename, blob=blob, signature=signature, provenance=bundle)

    def _claims(self, job: JobRecord) -> Claims:
        uri, digest, ref = source_claim(job)
        return Claims(
            identity=self._builder.id,
            issuer=self._issuer,
            extensions={
                "build_signer_uri": self._builder.id,
                "runner_environment": "self-hosted",
                "source_repository_uri": uri,
                "source_repository_digest": digest,
                "source_repository_ref": ref,
                "build_config_uri": f"{self._builder.build_type_namespace}/recipes/{job.plan.recipe_path}",
                "build_config_digest": f"sha256:{job.plan.recipe_digest}",
                "run_invocation_uri": job.run_uri,
            },
        )
