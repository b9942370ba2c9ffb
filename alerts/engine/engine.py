"""Applying a rule set to a forecast: which level each city meets, and how probably.

`hazecast.alerts.engine.lifecycle.advance` turns this into messages. Both are pure: the same input gives the same result.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.alerts.engine.assessment import Assessment, Excluded, Outlook
from hazecast.alerts.engine.city_hours import CityHours, Inputs
from hazecast.alerts.engine.decisions import assess_decisions
from hazecast.alerts.engine.declared import declared_outlook, declared_today
from hazecast.alerts.engine.episodes import assess_episodes
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import Basis, Evidence, in_force_at
from hazecast.alerts.rules.calibration import WeatherClass, weather_class
from hazecast.alerts.rules.criteria import Clause, Condition, ObservedRule
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.dependence import LEVELS, MEDIAN
from hazecast.forecast.products import valid_times
from hazecast.forecast.sight import Sight
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import to_datetime, to_datetime64

__all__ = ["Assessment", "advance", "assess", "in_force_at", "signal_window"]
_LOG = logging.getLogger(__name__)

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Met:
    """The highest rank met at each stamp and the number of the condition that met it, (scenario, time)."""

    rank: npt.NDArray[np.int8]
    number: npt.NDArray[np.int8]

    def or_higher(self, other: _Met) -> _Met:
        mine = self.rank >= other.rank
        return _Met(np.where(mine, self.rank, other.rank), np.where(mine, self.number, other.number))


@dataclass(frozen=True)
class _Now:
    """What is observed: the stamp, its rank, the highest rank that persists, and the scenarios in which it does."""

    at: int
    rank: int
    persisting: int
    scenarios: Bool


_NOTHING_SEEN = _Now(-1, 0, 0, np.zeros(0, dtype=bool))


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
    chosen = [c for c in known if (c.country == ruleset.country if cities is None else c.id in cities)]
    inputs, seeing = Inputs.of(forecast, observations, stations), sight or Sight()
    # What is taken as certain is not calibrated.
    weather = weather_class(forecast.attrs) if seeing.spread else None
    result = [
        _assess_city(inputs.hours_of(city, seeing, ruleset.zone_of(city.id)), forecast, ruleset, weather)
        for city in sorted(chosen, key=lambda c: c.id)
    ]
    wanted = {c.id for c in registry.cities.values() if c.country == ruleset.country} if cities is None else set(cities)
    absent = wanted - {a.city for a in result}
    if absent:
        _LOG.info("%s: %d cities are not in the forecast and are not assessed", ruleset.id, len(absent))
    return result


def _window(hours: CityHours, init_time: datetime, forecast: xr.Dataset, rules: RuleSet) -> tuple[datetime, datetime]:
    start, end = signal_window(init_time, rules, time_zone=hours.city.time_zone)
    reach = to_datetime(valid_times(forecast)[-1])
    if rules.window.anchor != "next":
        # A window that is running ends where the forecast does.
        end = min(end, reach)
    if end > reach or end <= init_time:
        raise InputError("forecast: lead_time", f"hours up to {reach}", f"all hours of {start} to {end}")
    return start, end


def _probability(rules: RuleSet, weather: WeatherClass | None, scenarios: Bool) -> float:
    """Return the probability that some scenarios stand for; without a kind of weather their share."""
    share = float(scenarios.mean())
    return share if weather is None else rules.probability(weather, share)


def _assess_city(hours: CityHours, forecast: xr.Dataset, rules: RuleSet, weather: WeatherClass | None) -> Assessment:
    init_time = to_datetime(hours.times[hours.now])
    start, end = _window(hours, init_time, forecast, rules)
    if rules.decision_hours:
        return _assessment(hours, forecast, rules, (start, end), *assess_decisions(hours, rules, start))
    if rules.episodes is not None:
        outlooks, lift_ready, excluded = assess_episodes(hours, rules, rules.episodes)
        return _assessment(hours, forecast, rules, (start, end), outlooks, lift_ready, excluded=excluded)
    # A stamp ends its hour: the window [start, end) holds the stamps after start up to end.
    within = (hours.times > to_datetime64(start)) & (hours.times <= to_datetime64(end))
    after = hours.times > to_datetime64(init_time)
    horizon = rules.life.keep_hours
    judged = within if horizon is None else after & (hours.times <= to_datetime64(init_time + timedelta(hours=horizon)))
    coming = within | (after & (hours.times <= to_datetime64(end)))
    expected, seen = _met(hours, rules, "forecast", within), _met(hours, rules, "observed", within)
    either = expected.or_higher(seen)
    now = _observed(hours, rules, rules.observed, seen, either) if rules.observed else _NOTHING_SEEN
    declared = declared_today(hours, rules, seen.rank)
    lift_ready = not declared or _lift_ready(hours, rules)
    # After the rule's own test for a lift is met, only scenarios in which that test fails again count.
    returning = np.ones(hours.pm25.shape[0], dtype=bool)
    if rules.life.lift == "observed" and lift_ready:
        fails = [~t.met(hours.values(t, rules)[:, within & after]).all(axis=1) for t in rules.life.lift_tests]
        returning = np.any(fails, axis=0)
    found = []
    for level in rules.levels:
        met = returning & level.persistence.lasts(expected.rank[:, within] >= level.rank)
        kept = returning & level.persistence.lasts(either.rank[:, judged] >= level.rank)
        observed = now.persisting >= level.rank
        # What the observed hours of the window alone meet is no forecast.
        certain = bool(level.persistence.lasts(expected.rank[:, within & ~after] >= level.rank).all())
        chance = partial(_probability, rules, None if certain else weather)
        if observed:
            evidence = [_stamp(hours, rules, MEDIAN, now.at, seen)]
            evidence += _evidence(hours, rules, level.rank, now.scenarios, either, after & coming)
        elif met.any():
            evidence = _evidence(hours, rules, level.rank, met, expected, coming)
        else:
            evidence = _evidence(hours, rules, level.rank, kept, either, coming if horizon is None else judged)
        if evidence and not observed and rules.window.anchor == "next":
            early = now.rank >= level.rank or evidence[0].time <= start
            onset = init_time if early else start
        else:
            onset = _onset(evidence, observed, rules) if evidence else start
        outlook = Outlook(
            rank=level.rank,
            level=level.id,
            share=float(met.mean()),
            probability=chance(met),
            keep_probability=chance(kept),
            observed=observed,
            raised=observed or (bool(evidence) and chance(met) >= level.raise_probability),
            onset=onset,
            evidence=tuple(evidence),
        )
        if level.measured:
            stamp = partial(_stamp, hours, rules, MEDIAN, met=seen)
            outlook = declared_outlook(outlook, level, hours, rules, either.rank >= level.rank, stamp)
        found.append(outlook)
    return _assessment(hours, forecast, rules, (start, end), tuple(found), lift_ready, declared)


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
        missing_hours=int(np.isnan(_needed(hours, rules)[MEDIAN, coming]).sum()), declared=declared,
        excluded=excluded,
    )  # fmt: skip


def _needed(hours: CityHours, rules: RuleSet) -> npt.NDArray[np.float64]:
    names = {t.variable for t in rules.tests}
    return hours.visibility if "visibility" in names else hours.o3 if "ox" in names else hours.pm25


def _clause(hours: CityHours, rules: RuleSet, clause: Clause) -> Bool:
    """Return where a clause is met, (scenario, time): at the stamp itself and the ones before it."""
    met = np.ones(hours.pm25.shape, dtype=bool)
    for test in clause.tests:
        met &= test.met(hours.values(test, rules))
    result = met.copy()
    for step in range(1, clause.consecutive):
        back = step * clause.spacing_hours
        earlier = np.zeros_like(met)
        earlier[:, back:] = met[:, :-back]
        result &= earlier
    return result


def _condition(hours: CityHours, rules: RuleSet, condition: Condition, within: Bool) -> Bool:
    met = _clause(hours, rules, condition)
    for test in condition.now:
        met &= test.met(hours.values(test, rules)[:, hours.now, None])
    for clause in condition.also:
        met &= np.any(_clause(hours, rules, clause)[:, within], axis=1, keepdims=True)
    return met


def _met(hours: CityHours, rules: RuleSet, basis: Basis, within: Bool) -> _Met:
    """Return what is met by conditions that `basis` may meet."""
    ranks, numbers = np.zeros(hours.pm25.shape, dtype=np.int8), np.zeros(hours.pm25.shape, dtype=np.int8)
    for level in rules.levels:
        # Backwards, so that the first condition met is the one that stays.
        for condition in reversed(level.conditions):
            if condition.basis in ("any", basis):
                here = _condition(hours, rules, condition, within)
                ranks[here], numbers[here] = level.rank, condition.number
    return _Met(ranks, numbers)


def _observed(hours: CityHours, rules: RuleSet, rule: ObservedRule, seen: _Met, either: _Met) -> _Now:
    """Return what is observed, and the highest rank of it that persists."""
    now = hours.now
    recent = np.arange(max(now - rule.maximum_age_hours, 0), now + 1)
    tested = [t for x in rules.levels for c in x.conditions for t in c.tests]
    known: Bool = np.ones(recent.shape, dtype=bool)
    for test in tested:
        known &= np.isfinite(hours.values(test, rules)[MEDIAN, recent])
    if not known.any():
        return _NOTHING_SEEN
    at = int(recent[known][-1])
    highest = _corroborated(hours, rules, rule, seen, at)
    coming = either.rank[:, now + 1 : now + 1 + rule.persist_hours]
    for rank in range(highest, 0, -1):
        persistence = rules.level_of(rank).persistence
        # Every stretch within reach of the observed hour holds it.
        about = either.rank[:, max(at + 1 - persistence.of_hours, 0) : at + persistence.of_hours]
        lasting = (coming >= rank).sum(axis=1) >= rule.persist_share * rule.persist_hours
        lasting &= persistence.lasts(about >= rank)
        if float(lasting.mean()) >= rule.persist_probability:
            return _Now(at, highest, rank, lasting)
    return _Now(at, highest, 0, np.zeros(len(coming), dtype=bool))


def _corroborated(hours: CityHours, rules: RuleSet, rule: ObservedRule, seen: _Met, at: int) -> int:
    """Return the highest rank of the observed hour that an hour before it or a second station reaches too."""
    rank = int(seen.rank[MEDIAN, at])
    if not rank or not rule.second_within_hours:
        return rank
    earlier = int(seen.rank[MEDIAN, max(at - rule.second_within_hours, 0) : at].max(initial=0))
    second = hours.of_second_station() if earlier < rank else None
    by_station = (
        0 if second is None else int(_met(second, rules, "observed", np.ones(len(hours.times), bool)).rank[0, at])
    )
    return min(rank, max(earlier, by_station))


def _evidence(hours: CityHours, rules: RuleSet, rank: int, scenarios: Bool, met: _Met, within: Bool) -> list[Evidence]:
    """Return the stamps that meet a rank, of the scenario that meets it whose mean concentration is nearest to the median."""
    if not scenarios.any():
        return []
    standing = hours.standing(within, "o3" if any(t.variable == "ox" for t in rules.tests) else "pm25")
    scenario = int(min(np.flatnonzero(scenarios), key=lambda n: abs(int(standing[n]) - MEDIAN)))
    quantile = round(float(LEVELS[standing[scenario]]), 3)
    stamps = map(int, np.flatnonzero(within & (met.rank[scenario] >= rank)))
    return [_stamp(hours, rules, scenario, t, met, None if t <= hours.now else quantile) for t in stamps]


def _stamp(
    hours: CityHours, rules: RuleSet, scenario: int, at: int, met: _Met, quantile: float | None = None
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


def _onset(evidence: list[Evidence], observed: bool, rules: RuleSet) -> datetime:
    first = evidence[0]
    if observed:
        return first.time
    condition = next(c for c in rules.level_of(first.level).conditions if c.number == first.condition)
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
