from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect.server.schemas.schedules import CronSchedule

from farm.errors import ScheduleError
from farm.flows.cron import checked

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(st.one_of(st.just("*"), span), st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    item = st.one_of(number.map(str), span, step)
    return st.one_of(st.just("*"), st.lists(item, min_size=1, max_size=3).map(",".join))


@settings(max_examples=100, deadline=None)
@given(st.tuples(_field(0, 59), _field(0, 23), _field(1, 31), _field(1, 12), _field(0, 6)).map(" ".join))
def test_what_farm_accepts_fires_when_the_server_says(expression: str) -> None:
    """The server has a parser of its own: a schedule that is read differently there must not be accepted."""
    try:
        cron = checked(expression)
    except ScheduleError:
        return
    told = asyncio.run(CronSchedule(cron=cron.expression, timezone="UTC").get_dates(n=3, start=NOW))
    assert list(cron.next_times(3, NOW)) == [datetime.fromisoformat(str(date)).astimezone(UTC) for date in told]


@pytest.mark.parametrize("expression", ["0 2 * * *", "*/15 1-3 * * MON-FRI", "0 0 1 jan,jul *", "30 4 1,15 * 5"])
def test_the_usual_ones_are_accepted(expression: str) -> None:
    assert len(checked(f"  {expression} ").next_times(3)) == 3
    assert checked(f"  {expression} ").expression == expression


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "0 2 * *",
        "0 0 2 * * *",
        "60 2 * * *",
        "0 24 * * *",
        "0 2 0 * *",
        "0 2 * 13 *",
        "0 2 * * 8",
        "0 2 30 2 *",
        "0 2 L * *",
        "0 2 * * 5#2",
        "@daily",
        "R R * * *",
        "H H * * *",
        "0 2 */2 * MON",
        "0 2 * * FRI-MON",
        "*/0 * * * *",
        "0 2 * * ?",
        "0 2, * * *",
        "0 2 * * *; reboot",
    ],
)
def test_what_is_none_or_read_differently_elsewhere_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        checked(expression)
    assert caught.value.exit_code == 16
    assert expression in caught.value.message


@pytest.mark.parametrize("timezone", ["Mars/Base", "../../etc/passwd", "", "/etc/localtime"])
def test_an_unknown_time_zone_is_refused(timezone: str) -> None:
    with pytest.raises(ScheduleError, match="no time zone"):
        checked("0 2 * * *", timezone)


def test_times_are_those_of_the_time_zone_and_its_summer() -> None:
    berlin = checked("0 2 * * *", "Europe/Berlin")
    assert [time.isoformat() for time in berlin.next_times(1, NOW)] == ["2026-03-02T02:00:00+01:00"]
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert [time.isoformat() for time in berlin.next_times(1, summer)] == ["2026-07-02T02:00:00+02:00"]


def test_the_name_of_a_schedule_follows_from_its_content() -> None:
    assert checked("0  2 * * *").slug == checked("0 2 * * *").slug
    others = {checked("0 2 * * *").slug, checked("0 3 * * *").slug, checked("0 2 * * *", "Europe/Berlin").slug}
    assert len(others) == 3
