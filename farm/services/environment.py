"""The environment of services, an allow-list. Only the worker gets the user's index, git, proxy and Docker settings."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from farm.config import find_config
from farm.net import CA_VARIABLES
from farm.services.registry import prefect_login

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.config import Settings

__all__ = ["base", "farm_settings", "network", "prefect_client", "prefect_server"]

_BASE = ("HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PATH")
_BASE_PREFIXES = ("LC_",)
_CA = (*CA_VARIABLES, "SSL_CERT_DIR", "AWS_CA_BUNDLE")
_NETWORK = ("NETRC", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
# Of git's variables only those that configure: GIT_DIR and its like describe the caller's repository (in a hook, say).
_NETWORK_PREFIXES = ("PIP_", "UV_", "GIT_CONFIG", "GIT_SSL_", "GIT_HTTP_", "GIT_PROXY_", "GIT_SSH", "DOCKER_")

_NOT_HANDED_ON = ("FARM_SERVICES", "FARM_SERVICES__PREFECT_DATABASE")
"""Only the Prefect server itself gets into its database."""


def _pick(names: tuple[str, ...], prefixes: tuple[str, ...] = ()) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k in names or k.startswith(prefixes or ("\0",))}


def base() -> dict[str, str]:
    """Return what every service gets: home, language, PATH (farm's own programs first), custom CA bundles."""
    found = _pick((*_BASE, *_CA), _BASE_PREFIXES)
    scripts = os.path.dirname(sys.executable)  # noqa: PTH120 - sys.executable is text and stays unresolved: a venv's link
    return {**found, "PATH": os.pathsep.join(p for p in (scripts, found.get("PATH", os.defpath)) if p)}


def network() -> dict[str, str]:
    """Return the user's configuration of indexes, git, proxies and Docker, as far as it is in the environment."""
    proxies = tuple(name for lower in _PROXIES for name in (lower, lower.upper()))
    return _pick((*_NETWORK, *proxies), _NETWORK_PREFIXES)


def farm_settings(settings: Settings) -> dict[str, str]:
    """Return the FARM_* variables with which another process, wherever it stands, reads the same settings."""
    found = {k: v for k, v in os.environ.items() if k.startswith("FARM_") and k not in _NOT_HANDED_ON}
    config = find_config()
    if config is not None:
        found["FARM_CONFIG"] = str(config)
    found |= {
        "FARM_DATA": str(settings.data),
        "FARM_RECIPES": str(settings.recipes),
        "FARM_IMAGES": str(settings.images),
        "FARM_WORK_POOL": settings.work_pool,
        "FARM_WORKER": settings.worker,
    }
    if settings.sources:
        found["FARM_SOURCES"] = json.dumps(settings.sources, sort_keys=True)
    if settings.trust.trust_config is not None:
        found["FARM_TRUST__TRUST_CONFIG"] = str(settings.trust.trust_config)
    return found


def prefect_client(settings: Settings, port: int) -> dict[str, str]:
    """Return the PREFECT_* variables of all that speaks to the embedded server; the user's own profile stays out."""
    return {
        "PREFECT_HOME": str(settings.data / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_API_AUTH_STRING": prefect_login(settings),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def prefect_server(settings: Settings, port: int) -> Mapping[str, str]:
    """Return the PREFECT_* variables of the server."""
    own = f"http://127.0.0.1:{port}"
    address = settings.services.prefect_database.get_secret_value()
    # In the environment, where ps does not show it.
    database = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": address} if address else {}
    return {
        **prefect_client(settings, port),
        **database,
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # Whoever can call the API can run commands as the worker: other users and pages of other origins must not.
        "PREFECT_SERVER_API_AUTH_STRING": prefect_login(settings),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{own},http://localhost:{port}",
        # SQLite waits for its lock; a busy machine is no reason to lose a state.
        "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
        "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
    }
