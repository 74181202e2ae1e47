"""From the SBOM document beside a file to the one inside of it: what only the first one says is taken out.

A verifier reads both and must find exactly this relation between them, so that neither can say anything of its own.
Nothing here imports what writes documents: whoever verifies needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from farm.evidence.sbom import SbomFormat, identified

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BUILD_COMPOSITION",
    "BUILD_RELATIONS",
    "IMAGE_REF",
    "INPUT_PREFIX",
    "MAIN_REF",
    "described_digest",
    "embedded_part",
]

BUILD_COMPOSITION: Final = "build-inputs"
"""CycloneDX: the `bom-ref` of the statement how complete the list of build inputs is."""
MAIN_REF: Final = "SPDXRef-Package"
"""SPDX id of the described package."""
IMAGE_REF: Final = "SPDXRef-BuilderImage"
"""And of the builder image."""
INPUT_PREFIX: Final = "SPDXRef-Input-"
"""How the ids of the build inputs begin."""
BUILD_RELATIONS: Final = frozenset({"BUILD_TOOL_OF", "BUILD_DEPENDENCY_OF"})
"""SPDX: what the two are to the package."""


def embedded_part(kind: SbomFormat, sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document that must be inside of the file whose sidecar is given (parsed).

    Raises:
        ValueError: the sidecar is not of the shape that farm writes.
    """
    part = _cyclonedx_part(sidecar) if kind is SbomFormat.CYCLONEDX else _spdx_part(sidecar)
    return identified(kind, part)


def described_digest(kind: SbomFormat, sidecar: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the file that a sidecar (parsed) is about, empty when it states none.

    Raises:
        ValueError: the sidecar is not of the shape that farm writes.
    """
    if kind is SbomFormat.CYCLONEDX:
        hashes = _mapping(_mapping(sidecar, "metadata"), "component").get("hashes", [])
        return _sha256(hashes, "alg", "SHA-256", "content")
    main = _one([p for p in _objects(sidecar, "packages") if p.get("SPDXID") == MAIN_REF], MAIN_REF)
    return _sha256(main.get("checksums", []), "algorithm", "SHA256", "checksumValue")


def _cyclonedx_part(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    metadata = _mapping(sidecar, "metadata")
    main = _mapping(metadata, "component")
    compositions = _objects(sidecar, "compositions")
    _one([c for c in compositions if c.get("bom-ref") == BUILD_COMPOSITION], BUILD_COMPOSITION)
    return {
        **{key: value for key, value in sidecar.items() if key != "formulation"},
        "metadata": metadata | {"component": {key: value for key, value in main.items() if key != "hashes"}},
        "compositions": [c for c in compositions if c.get("bom-ref") != BUILD_COMPOSITION],
    }


def _spdx_part(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    packages, relations = _objects(sidecar, "packages"), _objects(sidecar, "relationships")
    main = _one([p for p in packages if p.get("SPDXID") == MAIN_REF], MAIN_REF)
    return {
        **sidecar,
        "packages": [
            {key: value for key, value in package.items() if key != "checksums"} if package is main else package
            for package in packages
            if not _is_of_the_build(package.get("SPDXID"))
        ],
        "relationships": [r for r in relations if r.get("relationshipType") not in BUILD_RELATIONS],
    }


def _is_of_the_build(spdx_id: object) -> bool:
    return isinstance(spdx_id, str) and (spdx_id == IMAGE_REF or spdx_id.startswith(INPUT_PREFIX))


def _mapping(holder: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = holder.get(key)
    if not isinstance(found, dict):
        raise ValueError(f"{key} is no object")  # noqa: TRY004 - the caller handles one class for every wrong shape
    return found


def _objects(holder: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = holder.get(key)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ValueError(f"{key} is no list of objects")
    return found


def _one(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    if len(found) != 1:
        raise ValueError(f"it has {len(found)} parts called {name}, not one")
    return found[0]


def _sha256(entries: Any, kind: str, algorithm: str, value: str) -> str:
    """Return the one SHA-256 of a list of digests; another kind of digest or a second one is a wrong shape."""
    if entries == []:
        return ""
    if isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], dict):
        entry = entries[0]
        if set(entry) == {kind, value} and entry[kind] == algorithm and isinstance(entry[value], str):
            return str(entry[value])
    raise ValueError(f"the digests of the described file are not one {algorithm}")
