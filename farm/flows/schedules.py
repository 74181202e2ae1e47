"""The schedule of the nightly rebuild, kept by the Prefect server: shown, set, paused, resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farm.errors import ScheduleError
from farm.flows.api import ask, connect, deployment_named
from farm.flows.cron import checked
from farm.model.base import Value
from farm.services.registry import service_url
from farm.services.specs import NIGHTLY

if TYPE_CHECKING:
    import httpx

    from farm.config import Settings
    from farm.flows.cron import Cron

__all__ = ["ScheduleState", "pause", "resume", "set_schedule", "show"]

_SHOWN = 3


class ScheduleState(Value):
    """The schedule as the server has it."""

    cron: str
    """Empty where there is none: it was deleted in the Prefect UI, or is of another kind."""
    timezone: str
    paused: bool
    from_settings: bool
    """Whether it is as farm registered it: then a change of the settings changes it at the next `farm up`."""
    next: tuple[str, ...]
    """The next times (RFC 3339); none while it is paused."""
    url: str
    """Its page in the Prefect UI."""


def show(settings: Settings) -> ScheduleState:
    """Return the schedule.

    Raises:
        PrefectUnavailableError: no server, or the deployment is not registered.
    """
    with connect(settings) as api:
        return _state(settings, deployment_named(api, NIGHTLY))


def set_schedule(settings: Settings, cron: str, timezone: str = "") -> ScheduleState:
    """Make `cron` the one schedule of the nightly rebuild. A paused one stays paused.

    Args:
        settings: whose rebuild.
        cron: five fields.
        timezone: IANA name; empty = as it is, else the one of the settings.

    Raises:
        ScheduleError: it is no schedule; nothing was changed.
        PrefectUnavailableError: no server, or the deployment is not registered.
    """
    # Checked before a server is asked: a typo is told also where none runs.
    checked(cron, timezone or settings.catalog.timezone)
    with connect(settings) as api:
        deployment = deployment_named(api, NIGHTLY)
        first, *others = deployment["schedules"] or [None]
        kept = (first or {}).get("schedule", {}).get("timezone")
        chosen = checked(cron, timezone or kept or settings.catalog.timezone)
        body = {"schedule": {"cron": chosen.expression, "timezone": chosen.timezone}}
        path = f"/deployments/{deployment['id']}/schedules"
        if first is None:
            ask(api, "POST", path, [{**body, "active": True, "slug": chosen.slug}])
        else:
            ask(api, "PATCH", f"{path}/{first['id']}", body)
        for other in others:
            ask(api, "DELETE", f"{path}/{other['id']}")
        return _state(settings, deployment_named(api, NIGHTLY))


def pause(settings: Settings) -> ScheduleState:
    """Let the schedule start nothing until it is resumed.

    Raises:
        ScheduleError: there is no schedule.
        PrefectUnavailableError: no server, or the deployment is not registered.
    """
    return _activate(settings, active=False)


def resume(settings: Settings) -> ScheduleState:
    """Let the schedule start rebuilds again.

    Raises:
        ScheduleError: there is no schedule.
        PrefectUnavailableError: no server, or the deployment is not registered.
    """
    return _activate(settings, active=True)


def _activate(settings: Settings, *, active: bool) -> ScheduleState:
    with connect(settings) as api:
        deployment = deployment_named(api, NIGHTLY)
        if not deployment["schedules"]:
            msg = "the nightly rebuild has no schedule"
            raise ScheduleError(msg, remedy='Make one: `farm schedule set "0 2 * * *"`.')
        for schedule in deployment["schedules"]:
            _patch(api, deployment, schedule, active=active)
        if active and deployment["paused"]:
            # Paused as a whole, in the Prefect UI.
            ask(api, "POST", f"/deployments/{deployment['id']}/resume_deployment")
        return _state(settings, deployment_named(api, NIGHTLY))


def _patch(api: httpx.Client, deployment: Any, schedule: Any, *, active: bool) -> None:
    ask(api, "PATCH", f"/deployments/{deployment['id']}/schedules/{schedule['id']}", {"active": active})


def _state(settings: Settings, deployment: Any) -> ScheduleState:
    schedules = deployment["schedules"] or []
    first = schedules[0] if schedules else {}
    cron = _readable(first.get("schedule") or {})
    paused = bool(deployment["paused"]) or not first.get("active", False)
    times = cron.next_times(_SHOWN) if cron is not None and not paused else ()
    return ScheduleState(
        cron=cron.expression if cron else str((first.get("schedule") or {}).get("cron") or ""),
        timezone=cron.timezone if cron else "",
        paused=paused,
        from_settings=cron is not None and first.get("slug") == cron.slug,
        next=tuple(time.isoformat() for time in times),
        url=f"{service_url(settings, 'prefect')}/deployments/deployment/{deployment['id']}",
    )


def _readable(schedule: Any) -> Cron | None:
    """Return the schedule if farm can tell its times; one made in the Prefect UI may be of another kind."""
    try:
        return checked(str(schedule.get("cron") or ""), str(schedule.get("timezone") or "UTC"))
    except ScheduleError:
        return None
