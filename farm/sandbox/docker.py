"""The Docker sandbox: one fresh container for each run, judged by the probe before it is given anything to do."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from typing import TYPE_CHECKING, Any, NoReturn, cast

from docker.types import LogConfig, Mount, Ulimit

from farm.errors import (
    FarmError,
    IsolationError,
    OutputUnsafeError,
    SandboxDiskError,
    SandboxMemoryError,
    SandboxPidsError,
    SandboxTimeoutError,
)
from farm.model.build import Usage
from farm.sandbox.base import SandboxResult
from farm.sandbox.bootstrap import COMMAND, encode, guest_message
from farm.sandbox.channel import AttachStream, LogSink, Wire
from farm.sandbox.engine import connected, engine_errors, inspect_image, owner_labels, remove_container
from farm.sandbox.inputs import check_inputs
from farm.sandbox.output import Report, read_frame, receive_output
from farm.sandbox.probe import Expectation, judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import APIClient

    from farm.config import Settings
    from farm.sandbox.base import SandboxRequest

__all__ = ["HOME", "OUTPUT", "PEER", "WRITABLE", "DockerSandbox", "container_options"]

HOME = "/home/build"
OUTPUT = "/out"
WRITABLE = ("/src", "/work", HOME, "/tmp", OUTPUT)  # noqa: S108 - a tmpfs of the container
PEER = "/run/peer.sock"
"""Where the socket of the run's peer is mounted."""
USER = 1000
HOSTNAME = "sandbox"

_MIB = 1024 * 1024
_CPU_PERIOD = 100_000
_PROBE_SECONDS = 120
"""Until the probe's report is there: a busy host may take its time to start a container."""
_END_SECONDS = 60
_LOG_BYTES = 64 * _MIB
_OPEN_FILES = 16384
_SHM_MB = 64
_FULL_WORDS = re.compile(r"No space left on device|Disk quota exceeded|\b(ENOSPC|EDQUOT)\b")
_HALF_FULL = 0.5


def container_options(request: SandboxRequest, *, runtime: str = "") -> dict[str, Any]:
    """Return the host configuration of the container, as arguments of the SDK's `create_host_config` (pure)."""
    limits = request.limits
    # What lies in a tmpfs is charged as memory: both limits hold only when there is room for both.
    memory = (limits.memory_mb + limits.disk_mb) * _MIB
    return {
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        # No word on seccomp: the engine's default profile then applies, and the probe sees that it does. What that one
        # lets pass differs from version to version: the guest adds a filter of its own (farm.sandbox.guest.sockets).
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": memory,
        "memswap_limit": memory,
        # A quota, not "nano CPUs": the engine refuses those where they are more than the host has.
        "cpu_period": _CPU_PERIOD,
        "cpu_quota": int(limits.cpus * _CPU_PERIOD),
        "pids_limit": limits.pids,
        "oom_score_adj": 500,
        "ulimits": [
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="nofile", soft=_OPEN_FILES, hard=_OPEN_FILES),
        ],
        "tmpfs": {target: _tmpfs(target, limits.disk_mb) for target in WRITABLE},
        "shm_size": _SHM_MB * _MIB,
        "ipc_mode": "private",
        "cgroupns": "private",
        "log_config": LogConfig(type="none"),
        "mounts": [
            Mount(target, str(source), type="bind", read_only=True, propagation="rprivate")
            for source, target in _shown(request)
        ],
        # The host's name servers and search domains are nobody's business inside.
        "dns": ["127.0.0.1"],
        "dns_search": ["."],
        "restart_policy": {"Name": "no"},
        **({"runtime": runtime} if runtime else {}),
    }


def _shown(request: SandboxRequest) -> Iterator[tuple[Path, str]]:
    for mount in request.mounts:
        yield mount.source, mount.target
    if request.peer:
        # The socket alone, not its folder. Read-only all the same: that concerns its name and mode, not who connects.
        yield request.peer.socket, PEER


def _tmpfs(target: str, size_mb: int) -> str:
    run = "noexec" if target == OUTPUT else "exec"
    mode = "1777" if target == "/tmp" else "0755"  # noqa: S108 - a tmpfs of the container
    return f"rw,{run},nosuid,nodev,size={size_mb}m,mode={mode},uid={USER},gid={USER}"


class DockerSandbox:
    """Runs foreign code in Docker containers (see `farm.sandbox.base.Sandbox`).

    Args:
        settings: engine address and OCI runtime.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def run(self, request: SandboxRequest) -> SandboxResult:
        """Run `request`; see the protocol for what it raises."""
        check_inputs(request)
        name = f"farm-{uuid.uuid4().hex[:12]}"
        with connected(self._settings) as api, LogSink(request.log, _LOG_BYTES) as sink:
            image = inspect_image(api, request.image_id)
            try:
                with engine_errors(f"{request.label}: create the sandbox"):
                    self._create(api, name, request)
                return _Run(api, name, request, sink).go(_expectation(request, image))
            except BaseException:
                _empty(request.output)
                raise
            finally:
                remove_container(api, name)

    def options(self, request: SandboxRequest) -> dict[str, Any]:
        """Return the container's host configuration (a seam: tests weaken it to see that the probe notices)."""
        return container_options(request, runtime=self._settings.sandbox.runtime)

    def _create(self, api: APIClient, name: str, request: SandboxRequest) -> None:
        api.create_container(
            request.image_id,
            name=name,
            entrypoint=list(COMMAND),
            command=[],
            user=f"{USER}:{USER}",
            hostname=HOSTNAME,
            environment={"HOME": HOME},
            working_dir="/",
            stdin_open=True,
            tty=False,
            network_disabled=False,
            labels={**owner_labels(), "farm.package": request.label},
            host_config=api.create_host_config(**self.options(request)),
            # The client's proxy variables are the host's environment.
            use_config_proxy=False,
        )


class _Run:
    """One container from its start to its end."""

    def __init__(self, api: APIClient, name: str, request: SandboxRequest, sink: LogSink) -> None:
        self._api = api
        self._name = name
        self._request = request
        self._sink = sink

    def go(self, expected: Expectation) -> SandboxResult:
        with engine_errors(f"{self._request.label}: attach to the sandbox"):
            # Before the start, so that nothing it says is lost: there is no log driver.
            attached = self._api.attach_socket(self._name, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        # The SDK wraps the socket of a local engine in a read-only file object.
        wire = cast("Wire", getattr(attached, "_sock", attached))
        try:
            with engine_errors(f"{self._request.label}: start the sandbox"):
                self._api.start(self._name)
            stream = AttachStream(wire, self._sink)
            verdict = self._probe(stream, expected)
            started = time.monotonic()
            report = self._work(stream)
            seconds = round(time.monotonic() - started, 3)
        finally:
            # Both, and before the container is removed: as long as somebody holds the socket, the engine waits for a
            # reader of what a container still has to say.
            attached.close()
            wire.close()
        _raise_limit(report, self._request, self._sink.tail)
        return SandboxResult(
            exit_code=report.exit_code,
            failed_step=report.failed_step,
            probe=verdict,
            usage=Usage(seconds=seconds, peak_memory_mb=_mib(report.peak_memory)),
            log_tail=self._sink.tail,
        )

    def _probe(self, stream: AttachStream, expected: Expectation) -> str:
        stream.allow(_PROBE_SECONDS)
        try:
            stream.send(guest_message())
            stream.send(encode({"inputs": sorted(target for _, target in _shown(self._request))}))
            _, facts = read_frame(stream, b"P")
        except (EOFError, TimeoutError, OutputUnsafeError) as error:
            said = _last_line(self._sink.tail)
            msg = f"{self._request.label}: the isolation probe gave no report ({error}){said}"
            raise IsolationError(msg) from error
        verdict = judge(facts, expected)
        self._sink.write(f"farm: {verdict}\n".encode())
        return verdict

    def _work(self, stream: AttachStream) -> Report:
        limits = self._request.limits
        stream.allow(limits.time_seconds)
        try:
            stream.send(encode(_job(self._request)))
            return receive_output(stream, self._request.output, limits.output_mb * _MIB)
        except TimeoutError as error:
            msg = f"{self._request.label}: ran longer than {limits.time_seconds} s"
            raise SandboxTimeoutError(msg, details={"log_tail": self._sink.tail}) from error
        except EOFError as error:
            self._raise_broken(error)

    def _raise_broken(self, cause: EOFError) -> NoReturn:
        """The guest ended without an answer: the kernel killed it, or what runs as the same user forged its end."""
        with engine_errors(f"{self._request.label}: ask how the sandbox ended"):
            self._api.wait(self._name, timeout=_END_SECONDS)
            state = self._api.inspect_container(self._name)["State"]
        if state.get("OOMKilled"):
            msg = f"{self._request.label}: ran out of memory ({self._request.limits.memory_mb} MiB)"
            raise SandboxMemoryError(msg) from cause
        msg = (
            f"{self._request.label}: the sandbox ended without an answer (exit code {state.get('ExitCode')}, {cause})"
            f"{_last_line(self._sink.tail)}"
        )
        raise OutputUnsafeError(msg) from cause


def _job(request: SandboxRequest) -> dict[str, Any]:
    return {
        "home": HOME,
        "output": OUTPUT,
        "writable": list(WRITABLE),
        "disk_bytes": request.limits.disk_mb * _MIB,
        "env": dict(request.env),
        "unpack": [[unpack.archive, unpack.target] for unpack in request.unpack],
        "steps": [
            {"name": step.name, "argv": list(step.argv), "cwd": step.cwd, "env": dict(step.env)}
            for step in request.steps
        ],
        "peer": {"path": PEER, "port": request.peer.port} if request.peer else None,
    }


def _expectation(request: SandboxRequest, image: dict[str, Any]) -> Expectation:
    of_image = (entry.partition("=")[0] for entry in (image.get("Config") or {}).get("Env") or ())
    return Expectation(
        env=frozenset({"PATH", "HOME", "HOSTNAME", *of_image}),
        inputs=frozenset(mount.target for mount in request.mounts),
        writable=frozenset(WRITABLE),
        user=USER,
        peer=PEER if request.peer else "",
    )


def _raise_limit(report: Report, request: SandboxRequest, tail: str) -> None:
    """Raise what belongs to the limit that was reached, if one was."""
    limits, step = request.limits, report.failed_step or "a step"
    share, where = report.fullest
    # A step that fails for want of space often takes its files with it before anybody can look: then its words count.
    # What lies in a tmpfs is memory, so a disk that was ever full shows in the peak.
    possible = share >= _HALF_FULL or not 0 <= report.peak_memory < limits.disk_mb * _MIB
    full = report.exit_code != 0 and possible and _FULL_WORDS.search(tail)
    reached: dict[str, tuple[type[FarmError], str]] = {
        "disk": (SandboxDiskError, f"filled {where} ({limits.disk_mb} MiB)"),
        "memory": (SandboxMemoryError, f"ran out of memory ({limits.memory_mb} MiB)"),
        "pids": (SandboxPidsError, f"wanted more than {limits.pids} processes"),
    }
    limit = report.limit or ("disk" if full else "")
    if limit:
        kind, words = reached[limit]
        raise kind(f"{request.label}: {step} {words}", details={"step": step, "log_tail": tail})


def _mib(size: int) -> int | None:
    return round(size / _MIB) if size > 0 else None


def _last_line(tail: str) -> str:
    lines = tail.strip().splitlines()
    return f"; the log ends with: {lines[-1][:500]}" if lines else ""


def _empty(folder: Path) -> None:
    """Take away what came of a run that failed: half an output is none."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
