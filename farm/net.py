"""What farm's connections have in common: no proxy for this host itself, and the CA bundle that the user names."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from farm.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CA_VARIABLES", "DIRECT", "ca_bundle", "direct", "http_date", "is_loopback", "tls_context"]

CA_VARIABLES: Final = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
"""Variables that name a PEM file of authorities; the first that is set counts, wherever farm connects."""

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

DIRECT: Final[Mapping[str, None]] = {
    "all://localhost": None,
    "all://127.0.0.1": None,
    "all://[::1]": None,
}
"""The `mounts` of an httpx client that reaches this host itself directly and everything else as the user configured."""


def is_loopback(url: str) -> bool:
    """Return whether `url` leads to this host itself: a proxy would look for the service on its own host."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def direct(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` for another program, with this host itself among those that no proxy stands before."""
    given = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if given.strip() == "*":
        return {**environment, "no_proxy": "*", "NO_PROXY": "*"}
    listed = [name.strip() for name in given.split(",") if name.strip()]
    listed += [name for name in _LOOPBACK if name not in listed]
    # Programs differ in which spelling they read first.
    return {**environment, "no_proxy": ",".join(listed), "NO_PROXY": ",".join(listed)}


def ca_bundle(environment: Mapping[str, str], otherwise: str = "") -> str:
    """Return the PEM file to trust instead of the system's store, empty for the system's.

    Args:
        environment: the user's.
        otherwise: the file that a configuration file names; it counts where no variable names one.

    Raises:
        ConfigError: the file is not there: to fall back to other authorities is not what the user asked for.
    """
    name = next((name for name in CA_VARIABLES if environment.get(name)), "")
    bundle = environment[name] if name else otherwise
    if bundle and not Path(bundle).is_file():
        msg = f"CA bundle {bundle} ({name or 'cert'}) is not a file"
        raise ConfigError(msg, remedy=f"Correct {name or 'cert in the configuration of pip'}.")
    return bundle


def http_date(text: str) -> str:
    """Return an HTTP date (RFC 9110, 5.6.7) as RFC 3339 in UTC, empty for what is none."""
    try:
        found = parsedate_to_datetime(text)
        return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if found.tzinfo is not None else ""
    except (ValueError, OverflowError):
        return ""


def tls_context(bundle: str) -> ssl.SSLContext:
    """Return a context that trusts what is in `bundle`, or the system's store when it is empty.

    Raises:
        ConfigError: the bundle cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=bundle or None)
    except (OSError, ssl.SSLError) as error:
        msg = f"CA bundle {bundle}: {error}"
        raise ConfigError(msg, remedy=f"Correct the file, or what names it: {', '.join(CA_VARIABLES)}.") from error
