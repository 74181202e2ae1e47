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
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

__all__ = [
    "Engine",
    "SetupError",
    "apt_install",
    "elevation",
    "engine_address",
    "missing_packages",
    "probe_engine",
    "run",
    "start_engine",
]

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
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
    """Return where the engine is expected: farm's setting, DOCKER_HOST, or the default socket."""
    return os.environ.get("FARM_SANDBOX__DOCKER_HOST") or os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET


def probe_engine(address: str | None = None) -> Engine:
    """Ask the engine itself; a docker client on the PATH says nothing about one."""
    address = address or engine_address()
    parts = urlsplit(address)
    if parts.scheme not in {"unix", "tcp", "http"}:
        # An engine behind ssh or TLS is the user's own affair; farm reports what comes of it.
        return Engine(address, version="not probed")
    connection = (
        _UnixConnection(parts.path)
        if parts.scheme == "unix"
        else http.client.HTTPConnection(parts.hostname or "localhost", parts.port or 2375, timeout=5)
    )
    try:
        connection.request("GET", "/version")
        answer = connection.getresponse()
        value = json.loads(answer.read(1 << 20))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Engine(address, reason=str(error))
    finally:
        connection.close()
    version = value.get("Version") if isinstance(value, dict) else None
    return Engine(address, version=str(version)) if version else Engine(address, reason=f"HTTP {answer.status}")


def start_engine(data: Path) -> None:
    """Start Docker Engine: by the service manager where one runs, else `dockerd` itself, log and pid file in `data`.

    Raises:
        SetupError: it does not answer in time.
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


def missing_packages(*, engine: bool, venv: bool) -> list[str]:
    """Return the Debian packages that are needed and not there.

    Args:
        engine: whether Docker Engine has to be installed.
        venv: whether Python's venv module is needed.
    """
    needed = {
        "git": shutil.which("git") is None,
        "mmdebstrap": shutil.which("mmdebstrap") is None,
        # Signatures of the base system are checked with it; on Debian it is there, on Ubuntu it is not.
        "debian-archive-keyring": not _KEYRING.exists(),
        "gpg": shutil.which("gpg") is None,
        "docker.io": engine and shutil.which("dockerd") is None,
        "python3-venv": venv and not _has_ensurepip(),
    }
    return [name for name, missing in needed.items() if missing]


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
