"""Merge `maven-metadata.xml` of farm's own repository with that of a configured one.

A range must see the versions of both, or it would stop at what farm has rebuilt. So: all versions, the configured
repository's first and in its order; `latest` and `release` as the configured repository says (farm's own where it says
nothing), since a rebuild of an old version is not the latest; plug-in prefixes of both, farm's own first; everything
else from the configured repository.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # only to write; parsing is defusedxml's
from typing import TYPE_CHECKING

import defusedxml.ElementTree as SafeTree
from defusedxml.common import DefusedXmlException

from farm.errors import InputUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

__all__ = ["merge_metadata", "read_metadata"]


def merge_metadata(own: bytes, other: bytes, path: str) -> bytes:
    """Return the metadata of both as one document, the same for the same two.

    Args:
        own: what farm's own repository has.
        other: what the configured repository has.
        path: for messages.

    Raises:
        InputUnavailableError: one of them is no Maven metadata.
    """
    root, extra = read_metadata(other, path), read_metadata(own, path)
    _add_versions(root, extra)
    _add_plugins(root, extra)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text + b"\n"


def read_metadata(data: bytes, path: str) -> Element:
    """Return the root of `maven-metadata.xml`, its elements without namespaces; `path` is for messages.

    Raises:
        InputUnavailableError: it is no Maven metadata.
    """
    try:
        root = SafeTree.fromstring(data, forbid_dtd=True)
    except (SafeTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        msg = f"{path} is no metadata of Maven: {type(error).__name__}"
        raise InputUnavailableError(msg, remedy="Look at the file in the repository; it cannot be read.") from error
    for element in root.iter():
        # Files with and without the schema's namespace mean the same.
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != "metadata":
        msg = f"{path} is no metadata of Maven: its root is <{root.tag}>"
        raise InputUnavailableError(msg, remedy="Look at the file in the repository; it cannot be read.")
    root.attrib.clear()
    return root


def _texts(root: Element, path: str) -> Iterator[str]:
    return ((element.text or "").strip() for element in root.iterfind(path))


def _add_versions(root: Element, extra: Element) -> None:
    known = set(_texts(root, "versioning/versions/version"))
    new = [text for text in _texts(extra, "versioning/versions/version") if text and text not in known]
    if extra.find("versioning") is None:
        return
    versioning = _inner(root, "versioning")
    for name in ("latest", "release"):
        if not any(_texts(versioning, name)):
            for text in _texts(extra, f"versioning/{name}"):
                _inner(versioning, name).text = text
    if new:
        versions = _inner(versioning, "versions")
        for text in new:
            ET.SubElement(versions, "version").text = text


def _add_plugins(root: Element, extra: Element) -> None:
    own = list(extra.iterfind("plugins/plugin"))
    if not own:
        return
    plugins = _inner(root, "plugins")
    prefixes = {prefix for plugin in own for prefix in _texts(plugin, "prefix")}
    others = [p for p in plugins if not prefixes & set(_texts(p, "prefix"))]
    plugins[:] = [*own, *others]


def _inner(parent: Element, name: str) -> Element:
    found = parent.find(name)
    return found if found is not None else ET.SubElement(parent, name)
