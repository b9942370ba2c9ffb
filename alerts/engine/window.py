"""The hours that a run warns for, and those about them that a rule set looks at."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import xarray as xr

from hazecast.alerts.engine.inputs import PAST_HOURS
from hazecast.alerts.rules.criteria import HOURLY
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.products import valid_times
from hazecast.forecast.sight import DAY_BEFORE
from hazecast.grids.errors import InputError
from hazecast.grids.times import to_datetime

_HOUR = timedelta(hours=1)


def signal_window(
    init_time: datetime, ruleset: RuleSet, *, time_zone: str = "Asia/Shanghai"
) -> tuple[datetime, datetime]:
    """Return the window a run at `init_time` warns for, as aware UTC.

    For the CMA haze signal it begins at the next 08:00 or 20:00 Beijing time (a run at exactly 08:00 warns
    from 08:00) and lasts 24 hours. Other rule sets take the day that is running, or the hours from the run.

    Parameters
    ----------
    init_time : datetime
        Aware.
    ruleset : RuleSet
    time_zone : str
        The city's, for rule sets that go by it.

    Returns
    -------
    start, end : datetime
        Aware, UTC.

    Raises
    ------
    InputError
        If `init_time` has no time zone.
    """
    if init_time.tzinfo is None:
        raise InputError("init_time", init_time, "a time with a time zone")
    rule = ruleset.window
    if rule.anchor == "now":
        start = init_time.astimezone(UTC)
    else:
        local = init_time.astimezone(ZoneInfo(time_zone if rule.time_zone == "city" else rule.time_zone))
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        candidates = [midnight + timedelta(days=d, hours=h) for d in (-1, 0, 1) for h in rule.starts]
        if rule.anchor == "next":
            start = min(c for c in candidates if c >= local).astimezone(UTC)
        else:
            start = max(c for c in candidates if c <= local).astimezone(UTC)
    return start, start + timedelta(hours=rule.hours)


def forecast_window(forecast: xr.Dataset, rules: RuleSet, time_zone: str) -> tuple[datetime, datetime]:
    """Return the window that a forecast warns for; one that is running ends where the forecast does.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    rules : RuleSet
    time_zone : str
        The city's.

    Returns
    -------
    start, end : datetime
        Aware, UTC.

    Raises
    ------
    InputError
        If the forecast does not cover a window that is still to come.
    """
    init_time = to_datetime(forecast["init_time"].values)
    start, end = signal_window(init_time, rules, time_zone=time_zone)
    reach = to_datetime(valid_times(forecast)[-1])
    if rules.window.anchor != "next":
        end = min(end, reach)
    if end > reach or end <= init_time:
        raise InputError("forecast: lead_time", f"hours up to {reach}", f"all hours of {start} to {end}")
    return start, end


def hours_needed(
    rules: RuleSet, init_time: datetime, windows: Collection[tuple[datetime, datetime]]
) -> tuple[int, int | None]:
    """Return how many hours up to the init time and after it a rule set looks at.

    Parameters
    ----------
    rules : RuleSet
    init_time : datetime
        Aware.
    windows : collection of (datetime, datetime)
        Of the cities.

    Returns
    -------
    past : int
        With the day before them that the visibility of a site goes by.
    ahead : int or None
        None for all that are forecast. Only rule sets of single hours can do with fewer.
    """
    hourly = all(t.variable in HOURLY and not t.decides for t in rules.tests)
    if rules.episodes is not None or any(level.measured for level in rules.levels) or not (hourly and windows):
        return PAST_HOURS, None
    lasting = max(level.persistence.of_hours for level in rules.levels)
    ahead = [*((end - init_time) // _HOUR for _, end in windows), rules.life.keep_hours or 0, lasting]
    past = [*((init_time - start) // _HOUR for start, _ in windows), rules.life.lift_hours, lasting]
    if rules.observed is not None:
        ahead.append(rules.observed.persist_hours)
        past.append(rules.observed.maximum_age_hours + max(rules.observed.second_within_hours, lasting))
    span = max(clause.span_hours for level in rules.levels for c in level.conditions for clause in c.clauses)
    return min(max(past) + span + DAY_BEFORE, PAST_HOURS), max(ahead) + 1
