"""Where the object store is and with which keys: the settings, else what `farm up` wrote for the embedded server.

Kept apart from `farm.store.s3` so that services and the CLI can look without importing boto3.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import SecretStr, ValidationError

from farm.errors import ConfigError, StoreUnavailableError
from farm.model.base import Value

if TYPE_CHECKING:
    from pathlib import Path

    from farm.config import Settings

__all__ = ["EmbeddedServer", "S3Config", "embedded_path", "s3_config"]


class EmbeddedServer(Value):
    """Content of `<data>/run/s3.json`: the embedded server as it was started (the file's mode is 0600)."""

    endpoint: str
    access_key: SecretStr
    secret_key: SecretStr


class S3Config(Value):
    """Everything a client needs; keys do not show in `repr`."""

    endpoint: str
    access_key: SecretStr
    secret_key: SecretStr
    region: str


def embedded_path(settings: Settings) -> Path:
    """Return where `farm up` describes the embedded server."""
    return settings.run_dir / "s3.json"


def s3_config(settings: Settings) -> S3Config:
    """Return endpoint and keys; explicit settings win over the embedded server's.

    Raises:
        StoreUnavailableError: nothing is configured and the embedded server was never started.
        ConfigError: the settings name an endpoint without keys, or the file of `farm up` is unreadable.
    """
    chosen = settings.s3
    if chosen.endpoint:
        if not chosen.access_key.get_secret_value() or not chosen.secret_key.get_secret_value():
            msg = f"s3.endpoint is {chosen.endpoint} but s3.access_key or s3.secret_key is empty"
            raise ConfigError(msg)
        return S3Config(
            endpoint=chosen.endpoint,
            access_key=chosen.access_key,
            secret_key=chosen.secret_key,
            region=chosen.region,
        )
    path = embedded_path(settings)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        msg = f"no object store: no s3.endpoint is configured and {path} is not there (no embedded server was started)"
        raise StoreUnavailableError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise ConfigError(msg) from error
    try:
        server = EmbeddedServer.model_validate(json.loads(text))
    except (ValueError, ValidationError) as error:
        # The content is not repeated: it holds keys.
        msg = f"{path} does not describe an object store (endpoint, access_key, secret_key)"
        raise ConfigError(msg, remedy="Run `farm down`, then `farm up`: it writes the file again.") from error
    return S3Config(
        endpoint=server.endpoint,
        access_key=server.access_key,
        secret_key=server.secret_key,
        region=chosen.region,
    )
