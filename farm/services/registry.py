"""What the run folder remembers: which services run, the ports they keep, the keys of the embedded object store.

Cheap to import: other parts ask here for the address of a service. Records are small JSON files, written atomically; an
unreadable one counts as none, and a record counts only while the process it names lives.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import stat
import string
import tempfile
from typing import TYPE_CHECKING, Literal

import psutil
from pydantic import ValidationError

from farm.errors import ServiceError
from farm.model.base import Value
from farm.sandbox.owner import mark_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from farm.config import Settings

__all__ = [
    "MARKER",
    "PortName",
    "ServiceRecord",
    "alive",
    "bind_socket",
    "choose_ports",
    "drop_record",
    "prefect_login",
    "prefect_login_path",
    "read_ports",
    "read_prefect_login",
    "read_record",
    "run_folder",
    "s3_credentials",
    "service_url",
    "signer_address",
    "write_private",
    "write_record",
]

MARKER = "FARM_SERVICE_MARK"
"""Environment variable of every process of a service: the random mark of its start. A recycled pid has none."""

PortName = Literal["prefect", "s3", "index"]

_SOCKET_LIMIT = 107
"""Bytes of a Unix socket's path that the kernel takes (`sun_path` is 108 with its end)."""

_PORTS = range(20000, 30000)
"""Where ports are chosen: below the range that kernels hand out for outgoing connections, so a kept port stays ours."""


class ServiceRecord(Value):
    """One start of a service, as `<run>/<name>.json` holds it."""

    name: str
    pid: int
    mark: str
    """Value of `MARKER` in the environment of the process and its children."""
    process: str = ""
    """What tells the process itself from any other of its number: see `farm.sandbox.owner`."""
    since: str
    """RFC 3339, UTC, milliseconds."""
    url: str
    log: str
    log_start: int
    """Where in the log this start begins."""
    basis: str
    """Digest of what it was started with: a difference tells that settings changed since."""


def run_folder(settings: Settings) -> Path:
    """Return the run folder; it is made, for this user alone, if it is not there."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    settings.run_dir.chmod(0o700)
    return settings.run_dir


def write_private(path: Path, value: Mapping[str, object]) -> None:
    """Write `value` as JSON to `path` (mode 0600) in one step: a reader sees the old or the new file, never a part."""
    _write_private(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def _write_private(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(name, path)  # noqa: PTH105 - the temporary file is known by name only


def _read(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


# --- records ---------------------------------------------------------------------------------------------------------


def _record_path(settings: Settings, name: str) -> Path:
    return settings.run_dir / f"{name}.service.json"


def read_record(settings: Settings, name: str) -> ServiceRecord | None:
    """Return the record of the last start of `name`; None when there is none or it cannot be read."""
    try:
        return ServiceRecord.model_validate(_read(_record_path(settings, name)))
    except ValidationError:
        return None


def write_record(settings: Settings, record: ServiceRecord) -> None:
    """Keep `record`."""
    write_private(_record_path(settings, record.name), record.model_dump(mode="json"))


def drop_record(settings: Settings, name: str) -> None:
    """Forget the record of `name`."""
    _record_path(settings, name).unlink(missing_ok=True)


def alive(record: ServiceRecord) -> bool:
    """Return whether the process of `record` lives: the pid is in use, by no zombie, and carries the record's mark."""
    try:
        process = psutil.Process(record.pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARKER) == record.mark
    except psutil.AccessDenied:
        # The signer closes its memory to its own user too: only root reads its environment. Its start is no secret.
        return bool(record.process) and mark_of(record.pid) == record.process
    except psutil.Error:
        return False


def service_url(settings: Settings, name: str) -> str:
    """Return the address of the service `name`, empty when it is not running."""
    record = read_record(settings, name)
    return record.url if record is not None and alive(record) else ""


# --- ports -----------------------------------------------------------------------------------------------------------


def read_ports(settings: Settings) -> dict[PortName, int]:
    """Return the ports that were kept (`<run>/ports.json`); names without one are missing."""
    kept = _read(settings.run_dir / "ports.json")
    names: tuple[PortName, ...] = ("prefect", "s3", "index")
    return {name: port for name in names if isinstance(port := kept.get(name), int) and 0 < port < 65536}  # noqa: PLR2004 - the range of TCP ports


def choose_ports(settings: Settings) -> dict[PortName, int]:
    """Settle the port of every service and keep the choice.

    A port of the settings is taken as it is. Else the kept one, unless something that is not ours listens there now;
    else a free one near a number that follows from the data folder, so that it comes out the same if the file is lost.

    Raises:
        ServiceError: a port of the settings is in use by something else.
    """
    wanted: dict[PortName, int] = {
        "prefect": settings.services.prefect_port,
        "s3": settings.services.s3_port,
        "index": settings.services.index_port,
    }
    kept = read_ports(settings)
    chosen: dict[PortName, int] = {}
    for name, port in wanted.items():
        record = read_record(settings, name)
        if record is not None and alive(record) and name in kept:
            chosen[name] = kept[name]  # a running service keeps its port until it is stopped
        elif port:
            if not _free(port):
                msg = f"port {port} of the {name} service is in use by another program"
                raise ServiceError(msg, remedy=f"End that program or set FARM_SERVICES__{name.upper()}_PORT.")
            chosen[name] = port
        elif (old := kept.get(name)) and _free(old):
            chosen[name] = old
        else:
            chosen[name] = _free_port(f"{settings.data}\0{name}", set(chosen.values()) | set(kept.values()))
    if chosen != kept:
        write_private(settings.run_dir / "ports.json", {str(k): v for k, v in chosen.items()})
    return chosen


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a connection in TIME_WAIT is no reason to leave the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(seed: str, taken: set[int]) -> int:
    first = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
    for step in range(len(_PORTS)):
        port = _PORTS[(first + step) % len(_PORTS)]
        if port not in taken and _free(port):
            return port
    msg = f"no free port between {_PORTS.start} and {_PORTS.stop - 1}"
    raise ServiceError(msg, remedy="Set the ports in farm.toml under [services].")


# --- the embedded object store's keys --------------------------------------------------------------------------------


def s3_credentials(settings: Settings, port: int) -> tuple[str, str]:
    """Return access key and secret key of the embedded object store; made once, kept in `<run>/s3.json` (0600)."""
    path = settings.run_dir / "s3.json"
    kept = _read(path)
    alphabet = string.ascii_uppercase + string.digits
    access, secret = kept.get("access_key"), kept.get("secret_key")
    if not (isinstance(access, str) and isinstance(secret, str) and access and secret):
        access, secret = "".join(secrets.choice(alphabet) for _ in range(20)), secrets.token_hex(32)
    wanted: dict[str, object] = {
        "endpoint": f"http://127.0.0.1:{port}",
        "access_key": access,
        "secret_key": secret,
    }
    if wanted != kept:
        write_private(path, wanted)
    return access, secret


# --- who may call the Prefect server ---------------------------------------------------------------------------------


def prefect_login_path(settings: Settings) -> Path:
    """Return the file (0600) whose one line, `user:password`, the Prefect server asks for."""
    return settings.run_dir / "prefect.login"


def read_prefect_login(settings: Settings) -> str:
    """Return the line, empty before the first `farm up`."""
    try:
        return prefect_login_path(settings).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def prefect_login(settings: Settings) -> str:
    """Return the line; made once. Without it, any user of this host could run commands as the worker."""
    if not read_prefect_login(settings):
        _write_private(prefect_login_path(settings), f"farm:{secrets.token_hex(32)}\n")
    return read_prefect_login(settings)


# --- the signer's socket ---------------------------------------------------------------------------------------------


def signer_address(settings: Settings) -> Path:
    """Return the path of the signer's socket: the settings' one, or a short one where that is too long to be bound.

    The short path follows from the long one, so that client and server agree without asking each other.
    """
    wanted = settings.signer_socket
    if len(os.fsencode(wanted)) <= _SOCKET_LIMIT:
        return wanted
    return _short_folder(wanted) / "s"


def bind_socket(settings: Settings) -> Path:
    """Make `signer_address` ready to be bound: its folder is private and ours, a short one has a link from the other.

    Raises:
        ServiceError: the short folder is there and belongs to someone else.
    """
    address = signer_address(settings)
    address.parent.mkdir(mode=0o700, exist_ok=True)
    info = address.parent.lstat()
    # The short folder lies in a folder that all users share: another user could have made it first.
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or info.st_mode & 0o077:
        msg = f"{address.parent} is not a private folder of this user"
        raise ServiceError(msg, remedy="Remove it, or set FARM_DATA to a shorter path.")
    wanted = settings.signer_socket
    if address != wanted and not (wanted.is_symlink() and wanted.readlink() == address):
        wanted.unlink(missing_ok=True)
        wanted.symlink_to(address)
    return address


def _short_folder(wanted: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16]
    return wanted.__class__(tempfile.gettempdir()) / f"farm-{os.getuid()}-{digest}"
