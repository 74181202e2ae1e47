"""SBOM documents that backends and repair tools put into a wheel (PEP 770): keep them, in one deterministic form."""

from __future__ import annotations

import json
import time
from typing import Any

from farm.errors import GuardError
from farm.model.base import canonical_json
from farm.model.build import FileNote

__all__ = ["components", "normalise"]

_SETS = frozenset({"components", "dependencies", "dependsOn", "provides", "externalReferences", "hashes", "properties"})
"""CycloneDX lists whose order means nothing, and which tools write in any order."""


def normalise(data: bytes, epoch: int, label: str) -> bytes:
    """Return a JSON SBOM with sorted keys and sets and, for CycloneDX, the build's time; other documents unchanged.

    What is of the run goes: its time, a random number, which version of a tool wrote the document (the provenance names
    image and inputs). Every statement about content is kept.

    Raises:
        GuardError: JSON that cannot be canonicalised.
    """
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        return _canonical(document, label)
    metadata = document.get("metadata")
    if isinstance(metadata, dict) and "timestamp" in metadata:
        metadata["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    if isinstance(metadata, dict) and "tools" in metadata:
        metadata["tools"] = _unversioned(metadata["tools"])
    # A random serial number is of the run too; without one the document is valid (CycloneDX 1.6, serialNumber).
    document.pop("serialNumber", None)
    return _canonical(_sorted(document), label)


def components(data: bytes) -> tuple[FileNote, ...]:
    """Return the components that a CycloneDX document lists besides its subject, name → version, sorted."""
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(document, dict):
        return ()
    metadata = document.get("metadata")
    subject = _named(metadata.get("component")) if isinstance(metadata, dict) else None
    listed = document.get("components")
    found = {named for item in (listed if isinstance(listed, list) else []) if (named := _named(item))} - {subject}
    return tuple(FileNote(name=name, value=version) for name, version in sorted(pair for pair in found if pair))


def _named(component: Any) -> tuple[str, str] | None:
    if not isinstance(component, dict) or not component.get("name"):
        return None
    return str(component["name"]), str(component.get("version") or "")


def _unversioned(tools: Any) -> Any:
    """Return `metadata.tools` by names alone: a list up to CycloneDX 1.4, an object of lists since."""
    if isinstance(tools, dict):
        return {key: _unversioned(value) for key, value in tools.items()}
    if not isinstance(tools, list):
        return tools
    kept = ("type", "vendor", "publisher", "group", "name")
    return [{k: tool[k] for k in kept if k in tool} if isinstance(tool, dict) else tool for tool in tools]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: sorted(map(_sorted, item), key=canonical_json)
            if key in _SETS and isinstance(item, list)
            else _sorted(item)
            for key, item in value.items()
        }
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _canonical(value: Any, label: str) -> bytes:
    try:
        return canonical_json(value)
    except (ValueError, RecursionError) as error:
        raise GuardError(f"{label}: an embedded SBOM cannot be written canonically: {error}") from error
