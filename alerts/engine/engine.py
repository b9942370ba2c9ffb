"""Applying a rule set to a forecast: which level each city meets, and how probably.

`hazecast.alerts.engine.lifecycle.advance` turns this into messages. Both are pure: the same input gives the same result.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.alerts.engine.assessment import Assessment, Excluded, Outlook
from hazecast.alerts.engine.city_hours import CityHours
from hazecast.alerts.engine.conditions import Met, met_as_forecast_and_observed
from hazecast.alerts.engine.decisions import assess_decisions
from hazecast.alerts.engine.declared import declared_outlook, declared_today
from hazecast.alerts.engine.episodes import assess_episodes
from hazecast.alerts.engine.inputs import Inputs
from hazecast.alerts.engine.observation import NOTHING_SEEN, Now, observed_now
from hazecast.alerts.engine.warning import Evidence
from hazecast.alerts.engine.window import forecast_window, hours_needed
from hazecast.alerts.rules.calibration import WeatherClass, weather_class
from hazecast.alerts.rules.ruleset import Level, RuleSet
from hazecast.forecast.dependence import LEVELS, MEDIAN
from hazecast.forecast.sight import Sight
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import to_datetime, to_datetime64

_LOG = logging.getLogger(__name__)

Bool = npt.NDArray[np.bool_]


def assess(
    forecast: xr.Dataset,
    observations: xr.Dataset | None,
    registry: Registry,
    ruleset: RuleSet,
    *,
    stations: xr.Dataset | None = None,
    cities: Sequence[str] | None = None,
    sight: Sight | None = None,
) -> list[Assessment]:
    """Compute how probably each city meets each level, and which levels are raised.

    A scenario of the forecast (`hazecast.forecast.scenarios`) meets a level if the stamps of the window that reach it
    last as its ``persistence`` asks; its probability is the share of such scenarios, calibrated where the rule set has
    curves. A level is raised when that reaches its ``raise_probability``. Where the rule set has an ``observed`` rule, it is also raised when the
    latest stamp no older than ``maximum_age_hours`` reaches it and it persists; an observed red that is
    forecast to persist as yellow counts as yellow.

    Evidence are the stamps that reach the level from the run to the window's end. Of a window that is still to come
    (anchor "next") a level begins with the window, or at the run if it is reached before the window or is observed.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast", with ``relative_humidity`` (lead_time, city), %.
    observations : xarray.Dataset or None
        Contract "observations". Its ``relative_humidity`` (time, city) is used where present, else the
        forecast's humidity of the first hour; its ``visibility`` (time, city), m, measured without precipitation, is what
        was observed, else it follows from PM2.5 and humidity. Hours after the init time are not read.
    registry : Registry
    ruleset : RuleSet
    stations : xarray.Dataset or None
        Observations by station with the coordinate ``city``, for rules that count stations.
    cities : sequence of str, optional
        Which cities the rule set is applied to; by default all of its country.
    sight : Sight, optional
        How visibility follows from PM2.5 and humidity where it was not measured, and whether scenarios differ in both and
        probabilities are calibrated; by default the shipped one, in which they do and are.

    Returns
    -------
    list of Assessment
        One for each city, by city id; those that meet no level included.

    Raises
    ------
    InputError
        If the forecast lacks humidity, does not cover the window, or names an unknown city.

    Examples
    --------
    A forecast of 400 ug m-3 in moist air for Shanghai, the same in every quantile:

    >>> import numpy as np, xarray as xr
    >>> from hazecast.alerts.rules.book import RuleBook
    >>> from hazecast.grids.contract import LEAD_HOURS, QUANTILES
    >>> from hazecast.grids.places.cities import load_registry
    >>> forecast = xr.Dataset(
    ...     {
    ...         "pm25": (("lead_time", "city", "quantile"), np.full((LEAD_HOURS, 1, len(QUANTILES)), 400.0)),
    ...         "relative_humidity": (("lead_time", "city"), np.full((LEAD_HOURS, 1), 85.0)),
    ...     },
    ...     coords={
    ...         "lead_time": (np.arange(LEAD_HOURS) + 1) * np.timedelta64(1, "h").astype("timedelta64[ns]"),
    ...         "city": ["shanghai"],
    ...         "quantile": list(QUANTILES),
    ...         "init_time": np.datetime64("2013-01-12T10:00", "ns"),
    ...     },
    ...     attrs={"simulated": 0, "weather_source": "none"},
    ... )
    >>> found = assess(forecast, None, load_registry(), RuleBook.shipped().haze_signal)
    >>> [(one.city, one.level, round(one.of(one.rank).probability, 3)) for one in found]
    [('shanghai', 'orange', 0.998)]
    """
    if "relative_humidity" not in forecast.data_vars:
        raise InputError("forecast: relative_humidity", "absent", "(lead_time, city) in %")
    known = [registry.city(str(c)) for c in forecast["city"].values]
    of_country = (c.id for c in registry.cities.values() if c.country == ruleset.country)
    wanted = set(of_country if cities is None else cities)
    chosen = [c for c in known if c.id in wanted]
    windows = {zone: forecast_window(forecast, ruleset, zone) for zone in {c.time_zone for c in chosen}}
    past, ahead = hours_needed(ruleset, to_datetime(forecast["init_time"].values), windows.values())
    inputs = Inputs.of(forecast, observations, stations, past_hours=past, ahead_hours=ahead)
    seeing = sight or Sight()
    # What is taken as certain is not calibrated.
    weather = weather_class(forecast.attrs) if seeing.spread else None
    result = [
        _assess_city(
            inputs.hours_of(city, seeing, ruleset.zone_of(city.id)),
            forecast,
            ruleset,
            windows[city.time_zone],
            weather,
        )
        for city in sorted(chosen, key=lambda c: c.id)
    ]
    absent = wanted - {a.city for a in result}
    if absent:
        _LOG.info("%s: %d cities are not in the forecast and are not assessed", ruleset.id, len(absent))
    return result


def _probability(rules: RuleSet, weather: WeatherClass | None, scenarios: Bool) -> float:
    """Return the probability that some scenarios stand for; without a kind of weather their share."""
    share = float(scenarios.mean())
    return share if weather is None else rules.probability(weather, share)


def _assess_city(
    hours: CityHours,
    forecast: xr.Dataset,
    rules: RuleSet,
    window: tuple[datetime, datetime],
    weather: WeatherClass | None,
) -> Assessment:
    if rules.decision_hours:
        return _assessment(hours, forecast, rules, window, *assess_decisions(hours, rules, window[0]))
    if rules.episodes is not None:
        outlooks, lift_ready, excluded = assess_episodes(hours, rules, rules.episodes)
        return _assessment(hours, forecast, rules, window, outlooks, lift_ready, excluded=excluded)
    course = _Course.of(hours, rules, window)
    declared = declared_today(hours, rules, course.seen.rank)
    lift_ready = not declared or _lift_ready(hours, rules)
    returning = _returning(course, lift_ready)
    found = []
    for level in rules.levels:
        outlook = _outlook(course, level, returning, weather)
        if level.measured:
            stamp = partial(_stamp, hours, rules, MEDIAN, met=course.seen)
            outlook = declared_outlook(outlook, level, hours, rules, course.either.rank >= level.rank, stamp)
        found.append(outlook)
    return _assessment(hours, forecast, rules, window, tuple(found), lift_ready, declared)


@dataclass(frozen=True)
class _Course:
    """What a city's hours meet, and the hours that count; masks are bool (time,).

    Attributes
    ----------
    start : datetime
        Of the window.
    within : bool
        The window's hours.
    judged : bool
        Those that a level in force is judged on.
    coming : bool
        Those whose stamps are evidence.
    after : bool
        Those after the init time.
    expected, seen, either : Met
        By forecast, by observation, by one of the two.
    highest : int
        The highest rank met in any hour of any scenario.
    now : Now
    """

    hours: CityHours
    rules: RuleSet
    start: datetime
    within: Bool
    judged: Bool
    coming: Bool
    after: Bool
    expected: Met
    seen: Met
    either: Met
    highest: int
    now: Now

    @classmethod
    def of(cls, hours: CityHours, rules: RuleSet, window: tuple[datetime, datetime]) -> _Course:
        start, end = map(to_datetime64, window)
        init_time, horizon = hours.times[hours.now], rules.life.keep_hours
        # A stamp ends its hour: the window [start, end) holds the stamps after start up to end.
        within, after = (hours.times > start) & (hours.times <= end), hours.times > init_time
        judged = within if horizon is None else after & (hours.times <= init_time + np.timedelta64(horizon, "h"))
        expected, seen = met_as_forecast_and_observed(hours, rules, within)
        either = expected.or_higher(seen)
        return cls(
            hours, rules, window[0], within, judged, within | (after & (hours.times <= end)), after, expected, seen,
            either, int(either.rank.max()), observed_now(hours, rules, rules.observed, seen, either) if rules.observed else NOTHING_SEEN,
        )  # fmt: skip


def _returning(course: _Course, lift_ready: bool) -> Bool:
    """Return the scenarios that count: after the rule's own test for a lift is met, those in which that test fails again."""
    hours, rules = course.hours, course.rules
    if rules.life.lift != "observed" or not lift_ready:
        return np.ones(hours.pm25.shape[0], dtype=bool)
    ahead = course.within & course.after
    fails = [~t.met(hours.values(t, rules)[:, ahead]).all(axis=1) for t in rules.life.lift_tests]
    return np.asarray(np.any(fails, axis=0), dtype=bool)


def _outlook(course: _Course, level: Level, returning: Bool, weather: WeatherClass | None) -> Outlook:
    hours, rules, now, rank = course.hours, course.rules, course.now, level.rank
    if rank > course.highest:
        # As for most levels in most places: no hour of any scenario meets it.
        return Outlook.none(level, course.start, _probability(rules, weather, np.zeros(1, dtype=bool)))
    met = returning & level.persistence.lasts(course.expected.rank[:, course.within] >= rank)
    kept = returning & level.persistence.lasts(course.either.rank[:, course.judged] >= rank)
    observed = now.persisting >= rank
    # What the observed hours of the window alone meet is no forecast.
    over = course.within & ~course.after
    certain = bool(level.persistence.lasts(course.expected.rank[:, over] >= rank).all())
    chance = partial(_probability, rules, None if certain else weather)
    if observed:
        evidence = [_stamp(hours, rules, MEDIAN, now.at, course.seen)]
        evidence += _evidence(hours, rules, rank, now.scenarios, course.either, course.after & course.coming)
    elif met.any():
        evidence = _evidence(hours, rules, rank, met, course.expected, course.coming)
    else:
        shown = course.coming if rules.life.keep_hours is None else course.judged
        evidence = _evidence(hours, rules, rank, kept, course.either, shown)
    return Outlook(
        rank=rank,
        level=level.id,
        share=float(met.mean()),
        probability=chance(met),
        keep_probability=chance(kept),
        observed=observed,
        raised=observed or (bool(evidence) and chance(met) >= level.raise_probability),
        onset=_onset(course, rank, evidence, observed),
        evidence=tuple(evidence),
    )


def _assessment(
    hours: CityHours,
    forecast: xr.Dataset,
    rules: RuleSet,
    window: tuple[datetime, datetime],
    outlooks: tuple[Outlook, ...],
    lift_ready: bool,
    declared: bool = True,
    excluded: tuple[Excluded, ...] = (),
) -> Assessment:
    city, init_time = hours.city, hours.times[hours.now]
    coming = (hours.times > max(init_time, to_datetime64(window[0]))) & (hours.times <= to_datetime64(window[1]))
    return Assessment(
        rule_set=rules.id, city=city.id, area_zh=city.name_zh, area_ja=city.name_ja, area_en=city.name_en,
        start=window[0], end=window[1], outlooks=outlooks, lift_ready=lift_ready, init_time=to_datetime(init_time),
        simulated=bool(int(forecast.attrs["simulated"])), weather_source=str(forecast.attrs["weather_source"]),
        missing_hours=int(_unknown(hours, rules)[coming].sum()), declared=declared,
        excluded=excluded,
    )  # fmt: skip


def _unknown(hours: CityHours, rules: RuleSet) -> Bool:
    """Return the hours without a value that the rule set needs, (time,)."""
    names = {t.variable for t in rules.tests}
    if "visibility" in names:
        values = hours.visibility[MEDIAN]
    else:
        values = hours.highest_o3[0] if "ox" in names else hours.highest_pm25[0]
    return np.asarray(np.isnan(values), dtype=bool)


def _evidence(hours: CityHours, rules: RuleSet, rank: int, scenarios: Bool, met: Met, within: Bool) -> list[Evidence]:
    """Return the stamps that meet a rank, of the scenario that meets it whose mean concentration is nearest to the median."""
    if not scenarios.any():
        return []
    standing = hours.standing(within, "o3" if any(t.variable == "ox" for t in rules.tests) else "pm25")
    scenario = int(min(np.flatnonzero(scenarios), key=lambda n: abs(int(standing[n]) - MEDIAN)))
    quantile = round(float(LEVELS[standing[scenario]]), 3)
    stamps = map(int, np.flatnonzero(within & (met.rank[scenario] >= rank)))
    return [_stamp(hours, rules, scenario, t, met, None if t <= hours.now else quantile) for t in stamps]


def _stamp(
    hours: CityHours, rules: RuleSet, scenario: int, at: int, met: Met, quantile: float | None = None
) -> Evidence:
    """Return a stamp of a scenario as evidence; without a quantile it was observed."""

    def known(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    rank, number = int(met.rank[scenario, at]), int(met.number[scenario, at])
    condition = next(c for c in rules.level_of(rank).conditions if c.number == number)
    values = {t.key: float(hours.values(t, rules)[scenario, at]) for t in condition.tests}
    return Evidence(
        time=to_datetime(hours.times[at]),
        pm25=known(hours.pm25[scenario, at]),
        relative_humidity=known(hours.humidity[scenario, at]),
        visibility=known(hours.visibility[scenario, at]),
        level=rank,
        basis="observed" if quantile is None else "forecast",
        condition=number,
        values=values,
        quantile=quantile,
    )


def _onset(course: _Course, rank: int, evidence: list[Evidence], observed: bool) -> datetime:
    """Return when a level begins; see `assess`."""
    if not evidence:
        return course.start
    first = evidence[0]
    if not observed and course.rules.window.anchor == "next":
        early = course.now.rank >= rank or first.time <= course.start
        return to_datetime(course.hours.times[course.hours.now]) if early else course.start
    if observed:
        return first.time
    condition = next(c for c in course.rules.level_of(first.level).conditions if c.number == first.condition)
    return first.time - timedelta(hours=condition.span_hours)


def _lift_ready(hours: CityHours, rules: RuleSet) -> bool:
    """Return whether the last observed hours meet the rule set's tests for a lift."""
    if rules.life.lift != "observed":
        return rules.life.lift == "forecast"
    last = slice(hours.now + 1 - rules.life.lift_hours, hours.now + 1)
    ready = True
    for test in rules.life.lift_tests:
        values = hours.values(test, rules)[MEDIAN : MEDIAN + 1, last]
        if test.variable == "pm25" and hours.stations is not None:
            reporting = np.isfinite(hours.stations[:, last]).any(axis=1)
            values = hours.stations[reporting, last]
        ready &= values.size > 0 and bool(test.met(values).all())
    return ready
