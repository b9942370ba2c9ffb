"""Levels that are declared on measurement, as Japan's photochemical oxidant advisories (発令).

Such a level is raised when it is measured and judged to continue, and stands while it is measured, or is expected to be
met again; where the rule set says so, only while the sun is up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from hazecast.alerts.engine.assessment import Outlook
from hazecast.alerts.engine.city_hours import CityHours
from hazecast.alerts.engine.daylight import daylight
from hazecast.alerts.engine.warning import Evidence
from hazecast.alerts.rules.ruleset import Level, RuleSet
from hazecast.forecast.dependence import MEDIAN
from hazecast.grids.times import to_datetime, to_datetime64

Bool = npt.NDArray[np.bool_]


def declared_outlook(
    outlook: Outlook,
    level: Level,
    hours: CityHours,
    rules: RuleSet,
    reached: Bool,
    stamp: Callable[[int], Evidence],
) -> Outlook:
    """Return the outlook of a level that only measurement may declare.

    Parameters
    ----------
    outlook : Outlook
        As of any other level: `observed` where it is measured and judged to continue.
    level : Level
    hours : CityHours
    rules : RuleSet
    reached : bool (scenario, time)
        Where the level, or a higher one, is met, measured or forecast.
    stamp : callable
        Gives the evidence of an observed stamp by its position.

    Returns
    -------
    Outlook
        `keep_probability` is 1 while the level is measured (by the last hour of the day that was), else that of meeting
        it again within ``keep_hours``; outside daylight the level is neither raised nor kept.
    """
    init_time = to_datetime(hours.times[hours.now])
    sunset = None
    if rules.life.until_sunset:
        today = init_time.astimezone(ZoneInfo(hours.city.time_zone)).date()
        sunrise, sunset = daylight(today, hours.city.latitude, hours.city.longitude)
        if not sunrise <= init_time < sunset:
            return replace(outlook, keep_probability=0.0, observed=False, raised=False, evidence=(), measured=True)
    at = _last_measured(hours, level, rules)
    still = at is not None and bool(reached[MEDIAN, at])
    coming = _coming(hours, rules, sunset)
    again = reached[:, coming].any(axis=1)
    if still and not outlook.observed:
        assert at is not None
        seen = stamp(at)
        outlook = replace(outlook, onset=seen.time, evidence=(seen,))
    return replace(
        outlook,
        # Beyond the daylight nothing is said of a level that ends with it.
        evidence=tuple(e for e in outlook.evidence if sunset is None or e.time <= sunset),
        probability=float(np.mean(again | still)),
        keep_probability=1.0 if still else float(again.mean()),
        measured=True,
        until=sunset,
    )


def declared_today(hours: CityHours, rules: RuleSet, rank: npt.NDArray[np.int8]) -> bool:
    """Return whether a level that only measurement may declare was measured since the city's day began.

    Parameters
    ----------
    hours : CityHours
    rules : RuleSet
    rank : int8 (scenario, time)
        What was observed.

    Returns
    -------
    bool
        True for a rule set without such levels.
    """
    lowest = min((level.rank for level in rules.levels if level.measured), default=0)
    day = int(hours.local_hours()[hours.now]) % 24
    return not lowest or bool((rank[MEDIAN, hours.now + 1 - day : hours.now + 1] >= lowest).any())


def _last_measured(hours: CityHours, level: Level, rules: RuleSet) -> int | None:
    """Return the position of the last hour of the city's day with a measured value, or None."""
    day = int(hours.local_hours()[hours.now]) % 24
    known = np.ones(day, dtype=bool)
    first = hours.now + 1 - day
    for condition in level.conditions:
        for test in condition.tests:
            known &= np.isfinite(hours.values(test, rules)[MEDIAN, first : hours.now + 1])
    return int(first + np.flatnonzero(known)[-1]) if known.any() else None


def _coming(hours: CityHours, rules: RuleSet, sunset: datetime | None) -> slice:
    """Return the hours ahead on which a level in force is judged."""
    ahead = hours.now + 1
    last = len(hours.times) if rules.life.keep_hours is None else ahead + rules.life.keep_hours
    if sunset is not None:
        last = min(last, int(np.searchsorted(hours.times, to_datetime64(sunset), side="right")))
    return slice(ahead, max(last, ahead))
