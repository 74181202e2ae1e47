"""The virtual environment from `uv.lock`: exactly the locked files, fetched through the user's own index configuration.

`uv sync` would fetch from the addresses that the lock recorded. Here the lock is exported as requirements with hashes,
which any index or mirror can serve. Standard library only.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from infra.host import SetupError, run

__all__ = ["is_current", "make", "needs_venv_module", "package_count"]

_STAMP = ".farm-locked.json"


def _stamp(root: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    for name in ("uv.lock", "pyproject.toml"):
        digest.update((root / name).read_bytes())
    return {"lock": digest.hexdigest(), "python": sys.version.split()[0], "root": str(root)}


def is_current(root: Path, *, dev: bool) -> bool:
    """Return whether `.venv` was made from the present lock by this Python, with the test tools if `dev`."""
    venv = root / ".venv"
    try:
        kept = json.loads((venv / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(kept, dict) or not (venv / "bin" / "farm").exists() or not (venv / "bin" / "python").exists():
        return False
    had_dev = bool(kept.pop("dev", False))
    return kept == _stamp(root) and (had_dev or not dev)


def package_count(root: Path) -> int:
    """Return how many packages the lock names."""
    return len(_lock(root))


def needs_venv_module(root: Path) -> bool:
    """Return whether making the environment takes Python's own venv and pip: there is neither one nor a usable uv."""
    return _uv_on_path() is None and not (root / ".venv" / "bin" / "uv").exists()


def make(root: Path, *, dev: bool) -> None:
    """Make or update `.venv`.

    Raises:
        SetupError: a command failed.
    """
    venv = root / ".venv"
    python = venv / "bin" / "python"
    env = _uv_environment()
    found = _uv_on_path()
    if not python.exists():
        if found:
            run(found, "venv", "--python", sys.executable, "--clear", str(venv), env=env)
        else:
            run(sys.executable, "-m", "venv", "--clear", str(venv))
    (venv / _STAMP).unlink(missing_ok=True)
    uv = found or _install_uv(root, venv)
    groups = ["--no-default-groups", "--group", "build", *(["--group", "dev"] if dev else [])]
    with tempfile.TemporaryDirectory(prefix="farm-setup-") as folder:
        requirements = Path(folder) / "requirements.txt"
        export = ["export", "--frozen", "--no-emit-project", "--no-annotate", "--no-header", "--quiet"]
        run(uv, *export, "--project", str(root), *groups, "--output-file", str(requirements), env=env)
        # Compiled now: every command of farm is a new process, and would compile what it imports again otherwise.
        sync = ["pip", "sync", "--require-hashes", "--compile-bytecode"]
        run(uv, *sync, "--python", str(python), str(requirements), env=env)
    # The project itself, where it stands: its dependencies are there already.
    project = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--python", str(python)]
    run(uv, *project, "--editable", str(root), env=env)
    run(str(python), "-m", "compileall", "-q", str(root / "farm"))
    stamp = {**_stamp(root), "dev": dev}
    (venv / _STAMP).write_text(json.dumps(stamp, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _lock(root: Path) -> list[dict[str, Any]]:
    with (root / "uv.lock").open("rb") as stream:
        packages = tomllib.load(stream).get("package", [])
    return [package for package in packages if isinstance(package, dict)]


def _uv_on_path() -> str | None:
    """Return the uv of the PATH when it is new enough for the lock."""
    found = shutil.which("uv")
    if found is None:
        return None
    told = subprocess.run([found, "--version"], check=False, capture_output=True, text=True).stdout
    match = re.match(r"uv (\d+)\.(\d+)", told)
    return found if match and (int(match[1]), int(match[2])) >= (0, 13) else None


def _install_uv(root: Path, venv: Path) -> str:
    """Install the locked uv with pip, hashes checked, and return its path."""
    uv = venv / "bin" / "uv"
    if uv.exists():
        return str(uv)
    package = next((p for p in _lock(root) if p.get("name") == "uv"), None)
    if package is None:
        msg = "uv.lock does not name uv"
        raise SetupError(msg)
    hashes = " ".join(f"--hash={wheel['hash']}" for wheel in package["wheels"])
    with tempfile.TemporaryDirectory(prefix="farm-setup-") as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"uv=={package['version']} {hashes}\n", encoding="utf-8")
        pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        run(*pip, "install", "--quiet", "--only-binary", ":all:", "--require-hashes", "-r", str(requirements))
    return str(uv)


def _uv_environment() -> dict[str, str]:
    """Return the environment with the user's pip configuration in uv's words, where uv has none of its own."""
    env = dict(os.environ)
    env.pop("VIRTUAL_ENV", None)
    settings = _pip_configuration()
    for option, variable in (
        ("index-url", "UV_DEFAULT_INDEX"),
        ("extra-index-url", "UV_INDEX"),
        ("find-links", "UV_FIND_LINKS"),
        ("trusted-host", "UV_INSECURE_HOST"),
        ("cert", "SSL_CERT_FILE"),
    ):
        values = settings.get(option, "").split()
        if values:
            separator = "," if variable == "UV_FIND_LINKS" else " "
            env.setdefault(variable, separator.join(values))
    if "UV_INDEX_URL" in os.environ:
        env.pop("UV_DEFAULT_INDEX", None)  # the user's own word for it, an older one
    if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        env.setdefault("UV_NO_INDEX", "1")
    # The interpreter is the one that runs set-up: none is downloaded.
    env.setdefault("UV_SYSTEM_CERTS", "1")  # as pip does: a custom CA of the system counts
    return {**env, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}


def _pip_configuration() -> dict[str, str]:
    """Return pip's settings of `[global]` and `[install]` and its variables, in pip's order: later ones win.

    Read here, since there may be no pip yet whose `config list` could be asked.
    """
    found: dict[str, str] = {}
    for path in _pip_files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            msg = f"{path} cannot be read: {error}"
            raise SetupError(msg) from error
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            found[name[4:].lower().replace("_", "-")] = value
    return found


def _pip_files() -> list[Path]:
    """Return where pip looks for its configuration on Unix, in its order."""
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    home = Path.home()
    system = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    user = os.environ.get("XDG_CONFIG_HOME") or str(home / ".config")
    files = [Path(folder) / "pip" / "pip.conf" for folder in system.split(os.pathsep)]
    files += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", Path(user) / "pip" / "pip.conf"]
    return [*files, Path(named)] if named else files
