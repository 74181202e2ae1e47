"""The embedded services: how each is started, where it listens, how it is asked whether it is well."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from farm.model.base import canonical_json
from farm.services import environment, health
from farm.services.registry import bind_socket, read_prefect_login, s3_credentials, signer_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farm.config import Settings
    from farm.services.health import Probe
    from farm.services.registry import PortName

__all__ = [
    "DEPLOYMENT",
    "NIGHTLY",
    "SERVICES",
    "ServiceSpec",
    "service_names",
    "service_probe",
    "service_spec",
    "stop_seconds",
]

SERVICES = ("s3", "signer", "index", "prefect", "worker")
"""Every service, in the order in which they are shown; ended in reverse."""

DEPLOYMENT = "build_package/build"
"""Flow and deployment that builds are submitted to."""

NIGHTLY = "rebuild_catalog/nightly"
"""Flow and deployment that rebuilds of the catalog are submitted to; it has the schedule of the nightly one."""

_PRIVATE = 0o077
_SHARED = 0o022
"""The umask of builds: sandboxes run as another user and read what the worker lays out."""

_STOP_SECONDS = {"worker": 20.0}


@dataclass(frozen=True)
class ServiceSpec:
    """One service as it is to be started."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    url: str
    """What people and other parts reach it at; empty where there is nothing to reach."""
    probe: Probe
    log: Path
    cwd: Path
    umask: int = _PRIVATE
    start_seconds: float = 60.0
    """How long it may take until it is healthy, on a slow and busy machine."""
    own: Mapping[str, str] = field(default_factory=dict)
    """The part of the environment that farm decides: with `argv` it tells whether settings changed since the start."""

    @property
    def basis(self) -> str:
        """Digest of what farm decides about this service."""
        return hashlib.sha256(canonical_json({"argv": list(self.argv), "env": dict(self.own)})).hexdigest()


def service_names(settings: Settings) -> tuple[str, ...]:
    """Return the services that these settings want; a configured object store replaces the embedded one."""
    return tuple(name for name in SERVICES if not (name == "s3" and settings.s3.endpoint))


def stop_seconds(name: str) -> float:
    """Return how long `name` may take to end before it is killed: a worker reports the end of its runs."""
    return _STOP_SECONDS.get(name, 10.0)


def service_spec(settings: Settings, name: str, ports: Mapping[PortName, int]) -> ServiceSpec:
    """Return how `name` (one of `SERVICES`) is run with `ports`; makes the folders and keys that it needs.

    Raises:
        ServiceError: the signer's socket cannot be placed.
    """
    make = {"s3": _s3, "signer": _signer, "index": _index, "prefect": _prefect, "worker": _worker}[name]
    return make(settings, ports)


def service_probe(settings: Settings, name: str, ports: Mapping[PortName, int]) -> Probe:
    """Return how `name` is asked whether it is well. Changes nothing."""
    if name == "s3":
        return health.answers(_url(ports, "s3"))
    if name == "signer":
        return health.socket_ok(signer_address(settings), "/health")
    if name == "index":
        return health.http_ok(f"{_url(ports, 'index')}/health")
    if name == "prefect":
        return health.http_ok(f"{_url(ports, 'prefect')}/api/health")
    api, login = f"{_url(ports, 'prefect')}/api", read_prefect_login(settings)
    return health.worker_online(api, login, settings.work_pool, settings.worker, DEPLOYMENT)


def _url(ports: Mapping[PortName, int], name: PortName) -> str:
    return f"http://127.0.0.1:{ports.get(name, 0)}"


def _module(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", module, *arguments)


def _spec(
    settings: Settings,
    ports: Mapping[PortName, int],
    name: str,
    *argv: str,
    env: Mapping[str, str],
    url: str,
    own: Mapping[str, str] | None = None,
    umask: int = _PRIVATE,
    start_seconds: float = 60.0,
) -> ServiceSpec:
    return ServiceSpec(
        name=name,
        argv=argv,
        env={**environment.base(), **env, **(own or {})},
        url=url,
        probe=service_probe(settings, name, ports),
        log=settings.data / "logs" / f"{name}.log",
        cwd=settings.data,
        umask=umask,
        start_seconds=start_seconds,
        own=own or {},
    )


def _s3(settings: Settings, ports: Mapping[PortName, int]) -> ServiceSpec:
    access, secret = s3_credentials(settings, ports["s3"])
    root = settings.data / "s3"
    for bucket in (settings.s3.vault_bucket, settings.s3.repository_bucket):
        # A folder is a bucket there; making it here spares the first client from having to.
        (root / bucket).mkdir(mode=0o700, parents=True, exist_ok=True)
    program = Path(os.path.dirname(sys.executable)) / "rclone"  # noqa: PTH120 - the venv's folder, not where its link leads
    address = f"127.0.0.1:{ports['s3']}"
    # No configuration file of the user's is read; the keys are in the environment, where ps does not show them.
    argv = (str(program), "serve", "s3", "--config", "", "--addr", address, "--no-modtime", str(root))
    env = {"RCLONE_AUTH_KEY": f'"{access},{secret}"'}
    return _spec(settings, ports, "s3", *argv, env=env, url=_url(ports, "s3"))


def _signer(settings: Settings, ports: Mapping[PortName, int]) -> ServiceSpec:
    address = bind_socket(settings)
    trust = settings.trust
    argv = _module(
        "farm.trust.signer",
        *("--data", str(settings.data / "signer")),
        *("--socket", str(address)),
        *("--trust-out", str(settings.data / "trust" / "trust_config.json")),
        *("--namespace", trust.namespace),
        *("--builder", trust.builder),
        *("--token-seconds", str(trust.token_seconds)),
    )
    return _spec(settings, ports, "signer", *argv, env={}, url=f"unix://{address}")


def _index(settings: Settings, ports: Mapping[PortName, int]) -> ServiceSpec:
    argv = _module("farm.services.index_server", "--port", str(ports["index"]))
    return _spec(settings, ports, "index", *argv, env=environment.farm_settings(settings), url=_url(ports, "index"))


def _prefect(settings: Settings, ports: Mapping[PortName, int]) -> ServiceSpec:
    argv = _module("prefect", "server", "start", "--host", "127.0.0.1", "--port", str(ports["prefect"]))
    own = environment.prefect_server(settings, ports["prefect"])
    # The first start makes the database: half a minute on a quiet machine.
    return _spec(settings, ports, "prefect", *argv, env={}, url=_url(ports, "prefect"), own=own, start_seconds=300.0)


def _worker(settings: Settings, ports: Mapping[PortName, int]) -> ServiceSpec:
    own = {
        **environment.prefect_client(settings, ports["prefect"]),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        # Someone follows the log: half a second is soon enough, and little work for the server.
        "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5",
        "FARM_WORK_POOL": settings.work_pool,
        "FARM_WORKER": settings.worker,
    }
    env = {**environment.network(), **environment.farm_settings(settings)}
    # It waits for the server, whose first start is slow.
    return _spec(
        settings,
        ports,
        "worker",
        *_module("farm.flows.worker"),
        env=env,
        url="",
        own=own,
        umask=_SHARED,
        start_seconds=360.0,
    )
