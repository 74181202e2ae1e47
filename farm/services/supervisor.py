"""`farm up`, `farm down`, `farm status`: the embedded services as child processes that outlive the command."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from farm.errors import ServiceError
from farm.services.model import ServiceState
from farm.services.process import exit_note, log_tail, owned, spawn, stop
from farm.services.registry import (
    alive,
    choose_ports,
    drop_record,
    prefect_login_path,
    read_ports,
    read_record,
    run_folder,
    write_record,
)
from farm.services.specs import SERVICES, service_names, service_probe, service_spec, stop_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from farm.config import Settings
    from farm.services.registry import ServiceRecord
    from farm.services.specs import ServiceSpec

__all__ = ["Progress", "down", "status", "up"]

Progress = Callable[[str], None]
"""Told in one line what happens."""

_LOCK_SECONDS = 600.0
_POLL_SECONDS = 0.2


def up(
    settings: Settings, names: Iterable[str] | None = None, progress: Progress | None = None
) -> tuple[ServiceState, ...]:
    """Start what is not running, wait until all of it is healthy, and return the state of every service asked for.

    Running services are reused. Services start side by side. Two calls at the same time take turns.

    Args:
        settings: whose services.
        names: some of them; default: all that the settings want.
        progress: told what happens; called from several threads.

    Raises:
        ServiceError: one did not start, died or did not get healthy in time; the message ends with its log. What did
            start keeps running.
    """
    tell = progress or _silent
    selected = _select(settings, names)
    with _locked(settings):
        ports = choose_ports(settings)
        specs = [service_spec(settings, name, ports) for name in selected]
        given_up = threading.Event()
        with ThreadPoolExecutor(max_workers=len(specs) or 1) as pool:
            try:
                results = list(pool.map(lambda spec: _ensure(settings, spec, tell, given_up), specs))
            except KeyboardInterrupt:
                given_up.set()  # nobody waits any longer; what was started keeps running
                raise
    failures = [result for result in results if isinstance(result, ServiceError)]
    if failures:
        first = failures[0]
        others = [failure.message.splitlines()[0] for failure in failures[1:]]
        raise ServiceError("\n".join([first.message, *others]), remedy=first.remedy, details=first.details)
    return tuple(result for result in results if isinstance(result, ServiceState))


def down(
    settings: Settings, names: Iterable[str] | None = None, progress: Progress | None = None
) -> tuple[ServiceState, ...]:
    """End the services (TERM, then KILL for what does not listen) and return their states. Nothing else is signalled.

    Raises:
        ServiceError: a process does not end, or another `farm up` holds the lock.
    """
    tell = progress or _silent
    selected = tuple(names) if names is not None else SERVICES
    _check_names(selected, SERVICES)
    with _locked(settings):
        # The worker first, so that nothing it runs loses the services below it.
        for name in sorted(selected, key=SERVICES.index, reverse=True):
            record = read_record(settings, name)
            if record is None:
                continue
            tell(f"{name}: stopping")
            ended = stop(record, stop_seconds(name))
            drop_record(settings, name)
            tell(f"{name}: stopped" if ended else f"{name}: was not running any more")
    return status(settings, [name for name in selected if name in service_names(settings)])


def status(settings: Settings, names: Iterable[str] | None = None) -> tuple[ServiceState, ...]:
    """Return the state of every service (or of `names`), each asked now. Starts and changes nothing."""
    selected = _select(settings, names)
    with ThreadPoolExecutor(max_workers=len(selected) or 1) as pool:
        return tuple(pool.map(lambda name: _state(settings, name), selected))


def _silent(text: str) -> None:
    del text


def _check_names(names: Sequence[str], known: Sequence[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        msg = f"no service called {', '.join(unknown)}"
        raise ServiceError(msg, remedy=f"The services are {', '.join(known)}.")


def _select(settings: Settings, names: Iterable[str] | None) -> tuple[str, ...]:
    known = service_names(settings)
    selected = known if names is None else tuple(names)
    _check_names(selected, known)
    return selected


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    lock = FileLock(run_folder(settings) / "supervisor.lock", timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        msg = f"another `farm up` or `farm down` has been busy with {settings.data} for {_LOCK_SECONDS:.0f} s"
        raise ServiceError(msg, remedy="Wait for it to end, or end it.") from error
    try:
        yield
    finally:
        lock.release()


def _ensure(
    settings: Settings, spec: ServiceSpec, tell: Progress, given_up: threading.Event
) -> ServiceState | ServiceError:
    """Bring one service to health. An error is returned, so that the others' starts are not cut off."""
    record = read_record(settings, spec.name)
    try:
        if record is not None and alive(record):
            started = False
        else:
            if record is not None:
                stop(record, stop_seconds(spec.name))  # children that a crashed service left behind
            tell(f"{spec.name}: starting")
            record = _start(settings, spec)
            started = True
        begun = time.monotonic()
        _wait_healthy(spec, record, given_up)
    except ServiceError as error:
        tell(f"{spec.name}: failed")
        return error
    changed = "" if record.basis == spec.basis else "started with other settings: `farm down` and `farm up` apply them"
    if started:
        tell(f"{spec.name}: ready after {time.monotonic() - begun:.1f} s")
    else:
        tell(f"{spec.name}: running already" + (f" ({changed})" if changed else ""))
    return _running(settings, record, "", changed)


def _start(settings: Settings, spec: ServiceSpec) -> ServiceRecord:
    record = spawn(
        spec.name,
        spec.argv,
        spec.env,
        log=spec.log,
        cwd=spec.cwd,
        url=spec.url,
        basis=spec.basis,
        umask=spec.umask,
    )
    write_record(settings, record)
    return record


def _wait_healthy(spec: ServiceSpec, record: ServiceRecord, given_up: threading.Event) -> None:
    """Wait until the probe is content.

    Raises:
        ServiceError: it died, or time ran out.
    """
    deadline = time.monotonic() + spec.start_seconds
    while True:
        wrong = spec.probe(record.since)
        # Life is looked at after the probe: a stranger on the port must not vouch for a service that is dead.
        if not alive(record):
            raise _failure(spec, record, exit_note(record))
        if not wrong:
            return
        if time.monotonic() >= deadline:
            raise _failure(spec, record, f"is not healthy after {spec.start_seconds:.0f} s ({wrong})")
        if given_up.wait(_POLL_SECONDS):
            raise _failure(spec, record, "was not waited for")


def _failure(spec: ServiceSpec, record: ServiceRecord, what: str) -> ServiceError:
    tail = log_tail(record)
    msg = f"service {spec.name} {what}" + (f"\n{tail}" if tail else "")
    return ServiceError(
        msg,
        remedy=f"Read {spec.log}, then run `farm up` again.",
        details={"service": spec.name, "log": str(spec.log)},
    )


def _state(settings: Settings, name: str) -> ServiceState:
    record = read_record(settings, name)
    if record is None:
        return ServiceState(name=name, condition="stopped")
    if not alive(record):
        left = len(owned(record))
        detail = "it ended without being stopped" + (f"; {left} of its processes are left" if left else "")
        return ServiceState(name=name, condition="died", log=record.log, detail=detail)
    wrong = service_probe(settings, name, read_ports(settings))(record.since)
    return _running(settings, record, wrong)


def _running(settings: Settings, record: ServiceRecord, wrong: str, detail: str = "") -> ServiceState:
    if record.name == "prefect":
        detail = detail or f"the UI asks once for the line in {prefect_login_path(settings)}"
    return ServiceState(
        name=record.name,
        condition="unhealthy" if wrong else "healthy",
        pid=record.pid,
        since=record.since,
        url=record.url,
        log=record.log,
        detail=wrong or detail,
    )
