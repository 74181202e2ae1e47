"""Files that a lock takes from farm's own repository: "rebuilt here" is said only of what verifies.

Whoever can write the bucket could otherwise plant a file there, which the next lock would take, under the trusted name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farm.consumer.fetch import fetch_sidecars
from farm.consumer.verify import verify
from farm.errors import InputDigestError, VerificationError
from farm.languages import language
from farm.trust.identity import expected_identity
from farm.trust.verify import load_trust

if TYPE_CHECKING:
    from pathlib import Path

    from farm.config import Settings

__all__ = ["verify_own"]


def verify_own(settings: Settings, index: str, file: Path, ecosystem: str, name: str, version: str) -> None:
    """Verify a file that farm's own repository served.

    Args:
        settings: trust root and identity.
        index: address of the repository for the ecosystem.
        file: under its own name, in a folder that its sidecars may be written to.
        ecosystem: whose file it is.
        name: of the package, or of the module, that it was asked for as.
        version: of it.

    Raises:
        InputDigestError: it does not verify, or it is of another package or version.
        StoreUnavailableError: the repository went away.
        TrustRootError: there is nothing to verify with.
    """
    remedy = "Somebody may have written to the repository's bucket: find out who, before anything is built from it."
    try:
        fetch_sidecars(index, file, file.parent)
    except VerificationError as error:
        raise InputDigestError(f"{file.name} of farm's own repository: {error.message}", remedy=remedy) from error
    verdict = verify(file, trust=load_trust(settings.trust_config_path), identity=expected_identity(settings))
    if not verdict.verified or verdict.facts is None:
        said = "; ".join(f"{check.name}: {check.detail}" for check in verdict.failures)
        raise InputDigestError(f"{file.name} of farm's own repository does not verify: {said}", remedy=remedy)
    facts = verdict.facts
    spoken = language(facts.ecosystem)
    naming, names = spoken.naming, (facts.package, *spoken.modules(facts.options))
    if facts.ecosystem != ecosystem or name not in names or naming.version(version) != naming.version(facts.version):
        raise InputDigestError(
            f"{file.name} of farm's own repository was asked for as {name} {version}, and was built as"
            f" {facts.ecosystem}/{facts.package}@{facts.version}",
            remedy=remedy,
        )
