"""Keeping credentials out of messages, logs and records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["has_credentials", "scrub", "secrets_of", "without_credentials"]

_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/\s'\"<>]*@")
_HEADER = re.compile(r"(?i)\b((?:proxy-)?authorization\s*[:=]\s*)(?:\w+\s+)?\S+")
_QUERY = re.compile(r"(?i)([?&](?:[\w-]*(?:token|secret|key|sig|signature|password))=)[^&\s'\"]+")
_MASK = "***"


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` without the credentials of addresses and headers in it, and without each of `secrets`."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    text = _USERINFO.sub(rf"\1{_MASK}@", text)
    text = _HEADER.sub(rf"\1{_MASK}", text)
    return _QUERY.sub(rf"\1{_MASK}", text)


def secrets_of(url: str) -> frozenset[str]:
    """Return what is secret in an address: its password, or its user name where that stands alone (a token)."""
    if "://" not in url:
        return frozenset()
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    secret = password or (user if urlsplit(url).scheme in {"http", "https"} else "")
    return frozenset(filter(None, (secret, unquote(secret))))


def has_credentials(url: str) -> bool:
    """Return whether the address holds a secret."""
    return bool(secrets_of(url))


def without_credentials(url: str) -> str:
    """Return the address without user, password and secrets of its query (ssh keeps its user, which is no secret)."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    user = userinfo.partition(":")[0]
    keep = f"{user}@" if user and parts.scheme == "ssh" else ""
    return _QUERY.sub(rf"\1{_MASK}", parts._replace(netloc=f"{keep}{host}").geturl())
