"""Where crates are fetched: the registry that farm's setting names, else Cargo's configuration, else Cargo's default.

A crate is named by name, version and digest; its address is made here and kept nowhere.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from farm.ecosystems.python.index import IndexClient, IndexFile, authorisation, plain_url
from farm.errors import ConfigError, InputDigestError, InputUnavailableError
from farm.net import DIRECT, ca_bundle, tls_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from farm.config import Settings
    from farm.ecosystems.python.cargo.lockfile import Crate
    from farm.model.base import BlobRef

__all__ = ["CrateClient", "crate_url", "download_template"]

_SPARSE = "sparse+"
_DEFAULT = "crates-io"
_MAX_CONFIG = 64 * 1024
_HOPS = 10
"""Longest chain of `replace-with`."""
_TIMEOUT = httpx.Timeout(60.0, connect=15.0)
_MARKERS = ("{crate}", "{version}", "{prefix}", "{lowerprefix}", "{sha256-checksum}")


def download_template(settings: Settings, env: Mapping[str, str] | None = None) -> str:
    """Return the address of crates, as a registry's `config.json` has it under `dl` (RFC 2141 and 2789 of Rust).

    Args:
        settings: `cargo_registry` wins when it is not empty.
        env: the environment to read (default: the process's).

    Raises:
        ConfigError: Cargo's configuration cannot be read, or replaces the default by what is no sparse registry.
        InputUnavailableError: the registry's own configuration cannot be had.
    """
    env = os.environ if env is None else env
    if settings.cargo_registry:
        return settings.cargo_registry
    index = _configured(env) or _public()
    url = f"{index.rstrip('/')}/config.json"
    headers = authorisation(url, index)
    try:
        with (
            httpx.Client(
                verify=tls_context(ca_bundle(env)), timeout=_TIMEOUT, follow_redirects=True, mounts=DIRECT
            ) as client,
            client.stream("GET", plain_url(url), headers=headers) as response,
        ):
            response.raise_for_status()
            data = b"".join(_capped(response.iter_bytes()))
    except httpx.HTTPError as error:
        said = type(error).__name__
        raise InputUnavailableError(f"the configuration of the crate registry cannot be fetched: {said}") from error
    try:
        found = json.loads(data)["dl"]
    except (ValueError, LookupError, TypeError) as error:
        raise InputUnavailableError("the configuration of the crate registry names no address of crates") from error
    if not isinstance(found, str) or urlsplit(found).scheme not in {"http", "https"}:
        raise InputUnavailableError("the configuration of the crate registry names no http(s) address of crates")
    return found


def crate_url(template: str, crate: Crate) -> str:
    """Return the address of a crate by the rules of `dl` in a registry's configuration (pure)."""
    if not any(marker in template for marker in _MARKERS):
        template = f"{template.rstrip('/')}/{{crate}}/{{version}}/download"
    prefix = _prefix(crate.name)
    values = (crate.name, crate.version, prefix, prefix.lower(), crate.sha256)
    for marker, value in zip(_MARKERS, values, strict=True):
        template = template.replace(marker, value)
    return template


class CrateClient:
    """One registry, over connections that are kept; safe in several threads. Use as a context manager.

    Args:
        settings: where the registry is.
    """

    def __init__(self, settings: Settings) -> None:
        self._template = download_template(settings)
        self._client = IndexClient(self._template, ca_bundle(os.environ))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def download(self, crate: Crate, target: Path, *, size: int | None = None) -> BlobRef:
        """Write the crate to `target`, which appears only when digest and size (where it is known) are right.

        Raises:
            InputDigestError: other bytes.
            InputMissingError: the registry does not have it.
            InputUnavailableError: it does not answer.
        """
        listed = IndexFile(
            filename=crate.filename,
            url=crate_url(self._template, crate),
            sha256=crate.sha256,
            size=size,
            version=crate.version,
            kind="crate",
        )
        found = self._client.download(listed, target, sha256=crate.sha256, max_size=size)
        if size is not None and found.size != size:
            target.unlink()
            raise InputDigestError(f"{crate.filename} has {found.size} bytes, the lock says {size}")
        return found


def _prefix(name: str) -> str:
    """Return the folder of a crate in an index, as Cargo's registry format has it."""
    if len(name) <= 2:  # noqa: PLR2004 - one and two letters have folders of their own
        return str(len(name))
    return f"3/{name[0]}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}"  # noqa: PLR2004 - so have three


def _capped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > _MAX_CONFIG:
            raise InputUnavailableError(f"the configuration of the crate registry is larger than {_MAX_CONFIG} bytes")
        yield chunk


def _public() -> str:
    """Return the index that Cargo takes where nothing is configured: that of the registry that package URLs lead to."""
    from packageurl.contrib.purl2url import get_download_url  # noqa: PLC0415 - only where nothing is configured

    find: Callable[[str], str | None] = get_download_url
    known = urlsplit(find("pkg:cargo/itoa@1.0.1") or "")
    return f"{known.scheme}://index.{known.hostname}"


def _configured(env: Mapping[str, str]) -> str:
    """Return the index that Cargo's configuration puts in the place of the default, empty for none."""
    path, content = _read(env)
    sources, registries = _tables(content.get("source")), _tables(content.get("registries"))
    name = _DEFAULT
    for _ in range(_HOPS):
        following = sources.get(name, {}).get("replace-with")
        if following is None:
            break
        name = str(following)
    else:
        raise ConfigError(f"{path}: replace-with goes round in circles", remedy="Correct Cargo's configuration.")
    if name == _DEFAULT:
        return ""
    address = sources.get(name, {}).get("registry") or registries.get(name, {}).get("index")
    if not isinstance(address, str) or not address.startswith((f"{_SPARSE}http://", f"{_SPARSE}https://")):
        raise ConfigError(
            f"{path}: the source {name!r} that replaces {_DEFAULT} is no sparse registry",
            remedy="Set FARM_CARGO_REGISTRY to where crates can be downloaded.",
        )
    return address.removeprefix(_SPARSE)


def _read(env: Mapping[str, str]) -> tuple[Path, dict[str, Any]]:
    home = env.get("CARGO_HOME") or (f"{env['HOME']}/.cargo" if env.get("HOME") else "")
    # Cargo reads the name without an ending first, which it keeps for old installations.
    for path in (Path(home, "config"), Path(home, "config.toml")) if home else ():
        try:
            return path, tomllib.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {error}", remedy="Correct Cargo's configuration.") from error
    return Path(), {}


def _tables(value: object) -> dict[str, dict[str, Any]]:
    return {key: table for key, table in value.items() if isinstance(table, dict)} if isinstance(value, dict) else {}
