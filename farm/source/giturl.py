"""Addresses of git repositories: which ones git may be given, relative ones of submodules, how evidence names them."""

from __future__ import annotations

import re

from farm.errors import SourcePinError
from farm.source.scrub import has_credentials, without_credentials

__all__ = ["check_url", "download_location", "relative_url"]

_SCHEMES = ("https://", "ssh://", "http://", "git://")
_LOCAL = "file://"
_SCP_LIKE = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!:)[^\s:]\S*")


def check_url(url: str, *, local: bool) -> None:
    """Refuse an address that is an option, a command, or holds a secret.

    Args:
        url: as the recipe or `.gitmodules` has it, before `insteadOf`.
        local: whether `file://` is fine (in a recipe; a submodule must not reach for other repositories of this host).

    Raises:
        SourcePinError: it may not be given to git.
    """
    shown = without_credentials(url)
    if any(c.isspace() or ord(c) < ord(" ") for c in url) or url.startswith("-"):
        msg = f"{shown!r} is no address of a git repository"
        raise SourcePinError(msg)
    plain = url.startswith(_SCHEMES) or (local and url.startswith(_LOCAL))
    if not plain and not ("://" not in url and _SCP_LIKE.fullmatch(url)):
        msg = f"{shown!r}: a git source is https://, ssh://, http://, git:// or user@host:path"
        raise SourcePinError(msg)
    if has_credentials(url):
        msg = f"the address {shown} holds credentials"
        remedy = "Keep them in git's credential helper or in insteadOf, never in a recipe or a repository."
        raise SourcePinError(msg, remedy=remedy)


def relative_url(base: str, url: str) -> str:
    """Return the address that `url` of a `.gitmodules` means in the repository `base` (gitmodules(5): `./`, `../`)."""
    if not url.startswith(("./", "../")):
        return url
    result = base.rstrip("/")
    while url.startswith(("./", "../")):
        if url.startswith("../"):
            head, separator, _ = result.rpartition("/")
            result = head if separator else result.rpartition(":")[0]
        url = url.split("/", 1)[1]
    return f"{result}/{url}"


def download_location(url: str, commit: str, tag: str | None) -> str:
    """Return how SPDX and SLSA name it: `git+https://host/path@refs/tags/v1`, else with the commit behind the `@`."""
    clean = without_credentials(url)
    if "://" not in clean:
        host, _, path = clean.partition(":")
        clean = f"ssh://{host}/{path.lstrip('/')}"
    return f"git+{clean}@{f'refs/tags/{tag}' if tag else commit}"
