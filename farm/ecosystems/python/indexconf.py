"""Which Python index the user has configured, with the CA bundle that goes with it.

Order: farm's own setting, uv's and pip's variables, uv's files, pip's files. No index of farm's choosing is in between:
where nothing is configured the caller takes the public default. `extra-index-url` is not read on purpose: a second
index of equal rank is how look-alike packages get in.
"""

from __future__ import annotations

import configparser
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farm.errors import ConfigError
from farm.net import ca_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["IndexConfig", "configured_index", "index_for_pip"]

_INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")


@dataclass(frozen=True)
class IndexConfig:
    """What the user configured; `url` is empty when nothing names an index."""

    url: str
    """Address of the simple API, perhaps with credentials: never logged, never recorded."""
    ca_bundle: str
    """PEM file to trust, empty = the system's."""
    origin: str
    """Where the address was found, for messages."""


def configured_index(setting: str, env: Mapping[str, str] | None = None) -> IndexConfig:
    """Return the index that applies.

    Args:
        setting: `Settings.python_index`; wins when it is not empty.
        env: the environment to read (default: the process's).

    Raises:
        ConfigError: a configuration file that cannot be read, or a CA bundle that is not there.
    """
    env = os.environ if env is None else env
    pip = _pip_options(env)
    url, origin = _first_index(setting, env, pip)
    return IndexConfig(url=url, ca_bundle=ca_bundle(env, pip.get("cert", ("", ""))[0]), origin=origin)


def index_for_pip(setting: str, env: Mapping[str, str] | None = None) -> str:
    """Return the index to name to a pip that farm runs: empty where pip is configured with one, or nothing is.

    Takes and raises what `configured_index` does. pip reads no configuration of uv's: where that alone names an index,
    pip would go to the public one.
    """
    env = os.environ if env is None else env
    if not setting and (env.get("PIP_INDEX_URL") or "index-url" in _pip_options(env)):
        return ""
    return configured_index(setting, env).url


def _first_index(setting: str, env: Mapping[str, str], pip: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    if setting:
        return setting, "python_index"
    for name in _INDEX_VARIABLES:
        if env.get(name):
            return _without_name(env[name]), name
    for path in _uv_files(env):
        url = _uv_index(path)
        if url:
            return url, str(path)
    return pip.get("index-url", ("", ""))


def _without_name(value: str) -> str:
    """Return the address of uv's `name=address` form."""
    name, separator, address = value.partition("=")
    return address if separator and name.replace("-", "").replace("_", "").isalnum() else value


def _config_home(env: Mapping[str, str]) -> Path | None:
    if env.get("XDG_CONFIG_HOME"):
        return Path(env["XDG_CONFIG_HOME"])
    return Path(env["HOME"]) / ".config" if env.get("HOME") else None


def _uv_files(env: Mapping[str, str]) -> Iterator[Path]:
    if env.get("UV_CONFIG_FILE"):
        yield Path(env["UV_CONFIG_FILE"])
        return
    home = _config_home(env)
    if home is not None:
        yield home / "uv" / "uv.toml"
    yield Path("/etc/xdg/uv/uv.toml")
    yield Path("/etc/uv/uv.toml")


def _uv_index(path: Path) -> str:
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}", remedy="Correct uv's configuration file.") from error
    indexes = data.get("index")
    listed = indexes if isinstance(indexes, list) else []
    candidates = [entry.get("url") for entry in listed if isinstance(entry, dict) and entry.get("default") is True]
    candidates.append(data.get("index-url"))
    pip = data.get("pip")
    if isinstance(pip, dict):
        candidates.append(pip.get("index-url"))
    return next((url for url in candidates if isinstance(url, str) and url), "")


def _pip_files(env: Mapping[str, str]) -> Iterator[Path]:
    """Yield pip's configuration files, the strongest first."""
    named = env.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    if named:
        yield Path(named)
    if env.get("VIRTUAL_ENV"):
        yield Path(env["VIRTUAL_ENV"]) / "pip.conf"
    home = _config_home(env)
    if home is not None:
        yield home / "pip" / "pip.conf"
    if env.get("HOME"):
        yield Path(env["HOME"]) / ".pip" / "pip.conf"
    yield Path("/etc/xdg/pip/pip.conf")
    yield Path("/etc/pip.conf")


def _pip_options(env: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return pip's options of all files, option → (value, file); a command's section wins over `global`."""
    found: dict[str, tuple[str, str]] = {}
    for path in _pip_files(env):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, configparser.Error) as error:
            raise ConfigError(f"{path}: {error}", remedy="Correct pip's configuration file.") from error
        for section in ("download", "install", "global"):
            if parser.has_section(section):
                for key, value in parser.items(section):
                    # pip reads index_url and index-url alike.
                    found.setdefault(key.replace("_", "-"), (value.strip(), str(path)))
    return found
