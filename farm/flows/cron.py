"""Cron expressions: what farm accepts, when they fire. Pure; the Prefect server does the firing.

Only what cron(8) of Debian and the Prefect server read alike is accepted: five fields of numbers, names, lists, ranges
and steps. `cronsim` follows Debian's cron, the server has a parser of its own.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from farm.errors import ScheduleError
from farm.model.base import Value

__all__ = ["Cron", "checked", "slug_of"]

_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_NAMES = r"JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT"
_ITEM = re.compile(rf"(?:\*(?:/\d+)?|(?:\d+|{_NAMES})(?:-(?:\d+|{_NAMES})(?:/\d+)?)?)", re.IGNORECASE)


class Cron(Value):
    """A schedule that `checked` accepted."""

    expression: str
    timezone: str

    def next_times(self, count: int, after: datetime | None = None) -> tuple[datetime, ...]:
        """Return the next `count` times after `after` (default: now), in the schedule's time zone."""
        begin = (after or datetime.now(UTC)).astimezone(ZoneInfo(self.timezone))
        return tuple(islice(CronSim(self.expression, begin), count))

    @property
    def slug(self) -> str:
        """Return the name that this schedule is registered by."""
        return slug_of(self.expression, self.timezone)


def slug_of(expression: str, timezone: str) -> str:
    """Return a name that follows from both: a schedule that it does not fit any more was changed by somebody."""
    return "farm-" + hashlib.sha256(f"{expression}\0{timezone}".encode()).hexdigest()[:12]


def _plain(item: str) -> bool:
    """Return whether every reader takes `item` of a list for the same: some take `1-1` for `*`."""
    if _ITEM.fullmatch(item) is None:
        return False
    first, dash, last = item.upper().partition("/")[0].partition("-")
    return not dash or first.lstrip("0") != last.lstrip("0")


def checked(expression: str, timezone: str = "UTC") -> Cron:
    """Return the schedule, its fields separated by single spaces.

    Raises:
        ScheduleError: a field that cannot be read, a time that never comes, an unknown time zone.
    """
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        msg = f"the schedule {expression!r} has {len(fields)} fields instead of {len(_FIELDS)}"
        raise ScheduleError(msg)
    for name, field in zip(_FIELDS, fields, strict=True):
        if not all(map(_plain, field.split(","))):
            msg = f"the schedule {expression!r} has {field!r} as its {name}, which cannot be read"
            raise ScheduleError(msg)
    _, _, day, _, weekday = fields
    if "*" not in {day, weekday} and ("*" in day or "*" in weekday):
        # Debian's cron wants both to fit there, other readers either.
        msg = f"the schedule {expression!r} restricts the day twice, once with a step: programs read that differently"
        raise ScheduleError(msg, remedy="Restrict either the day of month or the day of week.")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"no time zone is called {timezone!r}"
        raise ScheduleError(msg, remedy="Give an IANA name, for example Europe/Berlin.") from error
    made = Cron(expression=" ".join(fields), timezone=timezone)
    try:
        comes = bool(made.next_times(1))
    except CronSimError as error:
        msg = f"the schedule {expression!r} cannot be read: {error}"
        raise ScheduleError(msg) from error
    if not comes:
        msg = f"the time of the schedule {expression!r} never comes"
        raise ScheduleError(msg)
    return made
