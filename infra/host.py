"""What is on this host and how to get what is missing: Debian packages, Docker Engine. Standard library only."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

__all__ = [
    "Engine",
    "SetupError",
    "access_command",
    "allow_user",
    "apt_install",
    "elevation",
    "engine_address",
    "has_postgresql",
    "missing_images",
    "missing_packages",
    "probe_engine",
    "run",
    "start_engine",
]

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_PROBED = frozenset({"unix", "tcp", "http"})
_ENGINE_SECONDS = 90.0


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


@dataclass(frozen=True)
class Engine:
    """What answered at the engine's address."""

    address: str
    version: str = ""
    """Empty when nothing answered."""
    reason: str = ""
    """Why nothing answered."""
    denied: bool = False
    """Whether it is because this user may not use the socket."""


def run(*argv: str, env: dict[str, str] | None = None) -> None:
    """Run a command and show its output.

    Raises:
        SetupError: it failed.
    """
    print(f"  $ {' '.join(argv)}", flush=True)
    if subprocess.run(argv, check=False, env=env).returncode != 0:
        msg = f"this command failed: {' '.join(argv)}"
        raise SetupError(msg)


# --- Docker Engine ---------------------------------------------------------------------------------------------------


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def engine_address() -> str:
    """Return where the engine is expected: farm's setting (variable, else farm.toml), DOCKER_HOST, the default socket.

    Raises:
        SetupError: farm.toml cannot be read.
    """
    own = os.environ.get("FARM_SANDBOX__DOCKER_HOST") or _configured_address()
    return own or os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET


def _configured_address() -> str:
    """Return `sandbox.docker_host` of the farm.toml that `farm.config.find_config` would find from here."""
    here = Path.cwd()
    named = os.environ.get("FARM_CONFIG")
    candidates = [Path(named)] if named else [folder / "farm.toml" for folder in (here, *here.parents)]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        return ""
    try:
        sandbox = tomllib.loads(path.read_text(encoding="utf-8")).get("sandbox")
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read: {error}"
        raise SetupError(msg) from error
    return str(sandbox.get("docker_host") or "") if isinstance(sandbox, dict) else ""


def probe_engine(address: str | None = None) -> Engine:
    """Ask the engine itself; a docker client on the PATH says nothing about one."""
    address = address or engine_address()
    if urlsplit(address).scheme not in _PROBED:
        # An engine behind ssh or TLS is the user's own affair; farm reports what comes of it.
        return Engine(address, version="not probed")
    try:
        value = _ask(address, "/version")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Engine(address, reason=str(error), denied=isinstance(error, PermissionError))
    version = value.get("Version") if isinstance(value, dict) else None
    return Engine(address, version=str(version)) if version else Engine(address, reason="it is no Docker Engine")


def _ask(address: str, path: str) -> Any:
    """Return the JSON that the engine answers to GET `path`."""
    parts = urlsplit(address)
    connection = (
        _UnixConnection(parts.path)
        if parts.scheme == "unix"
        else http.client.HTTPConnection(parts.hostname or "localhost", parts.port or 2375, timeout=5)
    )
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read(1 << 20))
    finally:
        connection.close()


def missing_images(images: Path, engine: Engine) -> list[str]:
    """Return `name (Debian suite)` of the builder images to be bootstrapped that the engine does not have.

    They are told by name alone: whether a definition has changed since takes farm itself to say.
    """
    wanted = {}
    for path in sorted(images.glob("*/image.toml")):
        try:
            suite = tomllib.loads(path.read_text(encoding="utf-8")).get("suite")
        except (OSError, ValueError):
            continue  # `farm images build` says what is wrong with it
        if suite:
            wanted[path.parent.name] = f"{path.parent.name} (Debian {suite})"
    return [said for name, said in wanted.items() if not _has_image(engine, name)]


def _has_image(engine: Engine, name: str) -> bool:
    if not engine.version or urlsplit(engine.address).scheme not in _PROBED:
        return False
    filters = quote(json.dumps({"label": [f"farm.image.name={name}"]}))
    try:
        found = _ask(engine.address, f"/images/json?filters={filters}")
    except (OSError, http.client.HTTPException, ValueError):
        return False
    return isinstance(found, list) and bool(found)


def access_command(address: str) -> list[str]:
    """Return the command that lets this user use the engine's socket, until the socket is made anew.

    An entry in its access list works at once, whoever started the engine; membership in a group takes a new login.
    """
    return ["setfacl", "-m", f"u:{os.getuid()}:rw", urlsplit(address).path]


def allow_user(engine: Engine) -> Engine:
    """Let this user use the socket of an engine that denied it; return what answers then.

    Raises:
        SetupError: it did not help.
    """
    run(*elevation(), *access_command(engine.address))
    after = probe_engine(engine.address)
    if after.denied:
        msg = f"this user may not use the Docker Engine at {after.address}, even with an entry in the socket's list"
        raise SetupError(msg)
    return after


def start_engine(data: Path) -> None:
    """Start Docker Engine: by the service manager where one runs, else `dockerd` itself, log and pid file in `data`.

    A user that the new socket denies is let in.

    Raises:
        SetupError: it does not answer in time, or does not let this user in.
    """
    log = data / "logs" / "dockerd.log"
    if Path("/run/systemd/system").is_dir():
        run(*elevation(), "systemctl", "start", "docker")
        where = "journalctl -u docker"
    else:
        log.parent.mkdir(parents=True, exist_ok=True)
        (data / "run").mkdir(parents=True, exist_ok=True)
        _drop_stale_pid_file()
        print(f"  $ dockerd   (log {log})", flush=True)
        with log.open("ab") as stream:
            process = subprocess.Popen(
                [*elevation(), "dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        (data / "run" / "dockerd.pid").write_text(f"{process.pid}\n", encoding="ascii")
        # It is to outlive this program: nobody waits for it here.
        process.returncode = 0
        where = str(log)
    deadline = time.monotonic() + _ENGINE_SECONDS
    while not (engine := probe_engine()).version:
        if engine.denied:
            allow_user(engine)
        if time.monotonic() > deadline:
            msg = f"Docker Engine does not answer at {engine.address} ({engine.reason}); see {where}"
            raise SetupError(msg)
        time.sleep(0.5)


def _drop_stale_pid_file() -> None:
    """Remove the engine's pid file when its number belongs to another program now: dockerd would refuse to start.

    That happens where a machine's disk outlives its processes (containers, snapshots).
    """
    pid_file = Path("/var/run/docker.pid")
    try:
        number = int(pid_file.read_text(encoding="ascii"))
        name = Path(f"/proc/{number}/comm").read_text(encoding="utf-8").strip()
        if name != "dockerd":
            pid_file.unlink()
    except (OSError, ValueError):
        return  # no such file or process: dockerd copes


# --- Debian packages -------------------------------------------------------------------------------------------------

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def missing_packages(*, engine: bool, access: bool, venv: bool, dev: bool = False) -> list[str]:
    """Return the Debian packages that are needed and not there.

    Args:
        engine: whether Docker Engine has to be installed.
        access: whether this user has to be let in by the engine's socket.
        venv: whether Python's venv module is needed.
        dev: whether the tests' own programs are needed: stock Maven and a JDK, as a developer who uses farm has them,
            and PostgreSQL, which a test starts for itself.
    """
    needed = {
        "git": shutil.which("git") is None,
        "mmdebstrap": shutil.which("mmdebstrap") is None,
        # Signatures of the base system are checked with it; on Debian it is there, on Ubuntu it is not.
        "debian-archive-keyring": not _KEYRING.exists(),
        "gpg": shutil.which("gpg") is None,
        # mmdebstrap without root makes a system with many users in a user namespace; that takes newuidmap.
        "uidmap": os.geteuid() != 0 and shutil.which("newuidmap") is None,
        "docker.io": engine and shutil.which("dockerd") is None,
        "acl": access and shutil.which("setfacl") is None,
        "python3-venv": venv and not _has_ensurepip(),
        # It brings a JRE; what compiles is a package of its own.
        "maven": dev and shutil.which("mvn") is None,
        "default-jdk-headless": dev and shutil.which("javac") is None,
        "postgresql": dev and not has_postgresql(),
    }
    return [name for name, missing in needed.items() if missing]


def has_postgresql() -> bool:
    """Return whether PostgreSQL's server is there: Debian keeps it, by version, outside of the PATH."""
    return shutil.which("initdb") is not None or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def _has_ensurepip() -> bool:
    # Debian's python3 has an ensurepip module without the wheels it installs: only trying tells.
    probe = [sys.executable, "-c", "import ensurepip, venv; ensurepip.version()"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def elevation() -> list[str]:
    """Return what stands before a command that needs root: nothing for root, else sudo.

    Raises:
        SetupError: neither root nor sudo.
    """
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        msg = "this needs root, and sudo is not there"
        raise SetupError(msg)
    return [sudo]


def apt_install(packages: list[str]) -> None:
    """Install Debian packages.

    Raises:
        SetupError: no apt-get, or it failed.
    """
    if shutil.which("apt-get") is None:
        msg = f"install these by your system's package manager: {' '.join(packages)}"
        raise SetupError(msg)
    apt = [*elevation(), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    run(*apt, "update")
    run(*apt, "install", "-y", "--no-install-recommends", *packages)
