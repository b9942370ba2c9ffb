"""Decisions on measured means at set hours of the day, as Japan's prefectures make them on PM2.5.

A decision is made at the end of an hour of the city's day, on the hours of its stations up to then; it counts until the
next. For hours still to come, and where only a city's mean is known, the city's value stands for every station. Once
a decision has been met on measurement, the rule set's own lift ends the alert, or the day does; an alert that was only
forecast ends when it is no longer likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from hazecast.alerts.engine.assessment import Outlook
from hazecast.alerts.engine.city_hours import CityHours
from hazecast.alerts.engine.warning import Evidence
from hazecast.alerts.rules.criteria import Aggregator, Clause, Condition, Threshold
from hazecast.alerts.rules.ruleset import Level, RuleSet
from hazecast.forecast.dependence import LEVELS, MEDIAN
from hazecast.grids.times import to_datetime, to_datetime64

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

# Of the hours of a mean so many must be valid, and of a whole day 20 h: this module's choice.
_MEAN_SHARE = 2 / 3
_DAY_HOURS = 20
# As many as a rule set may ask for (`days_before` of `hazecast.alerts.rules.criteria.Threshold`).
_DAYS_BEFORE = 4
_HIGHEST = Aggregator(kind="max")


@dataclass(frozen=True, eq=False)
class Day:
    """The running day of a city, station by station.

    Attributes
    ----------
    values : float64 (station, scenario, hour)
        PM2.5 of the hours that end at 01:00 to 24:00, ug m-3; NaN where unknown.
    before : float64 (station, day)
        Daily means of the days before, the newest first, ug m-3.
    hour : int
        How many hours of the day are over, 0 to 23.
    """

    values: Float
    before: Float
    hour: int

    @classmethod
    def of(cls, hours: CityHours) -> Day:
        """Return the day that is running at the init time."""
        local = to_datetime(hours.times[hours.now]).astimezone(ZoneInfo(hours.city.time_zone))
        hour = local.hour
        first = hours.now + 1 - hour
        city = hours.pm25[:, : first + 24]
        city = np.pad(city, ((0, 0), (0, first + 24 - city.shape[1])), constant_values=np.nan)
        own = hours.stations
        past = hours.now + 1
        if own is not None:
            own = own[np.isfinite(own[:, past - 24 : past]).any(axis=1), :past]
        if own is None or not len(own):
            own = city[MEDIAN : MEDIAN + 1, :past]
        coming = np.broadcast_to(city[None, :, past:], (len(own), len(city), first + 24 - past))
        measured = np.broadcast_to(own[:, None, first:past], (len(own), len(city), hour))
        days = [own[:, first - 24 * (i + 1) : first - 24 * i] for i in range(_DAYS_BEFORE)]
        before = np.stack([_mean(d, _DAY_HOURS) for d in days], axis=1)
        return cls(np.concatenate([measured, coming], axis=2), before, hour)

    @cached_property
    def _running(self) -> tuple[Float, npt.NDArray[np.int64]]:
        """Sum and number of the valid hours before each hour, (station, scenario, 25)."""
        valid = np.isfinite(self.values)
        none_before = ((0, 0), (0, 0), (1, 0))
        total = np.pad(np.where(valid, self.values, 0.0).cumsum(axis=2), none_before)
        return total, np.pad(valid.cumsum(axis=2), none_before)

    def _mean(self, first: int, last: int) -> Float:
        """Return the mean of the hours `first` to `last` of the day, (station, scenario)."""
        total, count = self._running
        needed = int(np.ceil(_MEAN_SHARE * (last - first + 1)))
        return _mean_of(total[:, :, last] - total[:, :, first - 1], count[:, :, last] - count[:, :, first - 1], needed)

    def of_test(self, test: Threshold, hour: int) -> Float:
        """Return what a test compares when it is decided at the end of an hour of the day.

        Parameters
        ----------
        test : Threshold
        hour : int
            1 to 24.

        Returns
        -------
        numpy.ndarray of float64, (station, scenario)
            ug m-3; NaN where too few hours are valid.
        """
        if test.days_before is not None:
            highest = np.fmax.reduce(self.before[:, : test.days_before], axis=1)
            return np.broadcast_to(highest[:, None], self.values.shape[:2])
        if test.mean_hours is not None:
            return self._mean(*test.mean_hours)
        if test.last_hours is not None:
            return self._mean(hour + 1 - test.last_hours, hour) if hour >= test.last_hours else self._unknown()
        assert test.mean_since is not None
        if hour < test.mean_since:
            return self._unknown()
        later = range(hour, 25) if test.expected else (hour,)
        return np.asarray(np.fmax.reduce([self._mean(test.mean_since, last) for last in later]))

    def _unknown(self) -> Float:
        return np.full(self.values.shape[:2], np.nan)


@dataclass(frozen=True, eq=False)
class Decision:
    """One condition, decided at the end of one hour of the day.

    Attributes
    ----------
    rank : int
    condition : Condition
    hour : int
        1 to 24.
    met : bool (scenario,)
    exceeding : bool (station, scenario)
        The stations whose own values exceed.
    values : dict of str to float64 (scenario,)
        What was compared, over the stations as the rule set combines them.
    """

    rank: int
    condition: Condition
    hour: int
    met: Bool
    exceeding: Bool
    values: dict[str, Float]

    @property
    def expects(self) -> bool:
        """Whether the decision rests on hours still to come, too."""
        return any(t.expected for clause in self.condition.clauses for t in clause.tests)


def _mean(values: Float, needed: int) -> Float:
    """Return the mean over the last axis where at least `needed` values are valid, else NaN."""
    valid = np.isfinite(values)
    return _mean_of(np.where(valid, values, 0.0).sum(axis=-1), valid.sum(axis=-1), needed)


def _mean_of(total: Float, count: npt.NDArray[np.int64], needed: int) -> Float:
    # Rounded far below what is measured: a mean of exactly 85 is not above 85.
    mean = np.round(total / np.maximum(count, 1), 6)
    return np.where(count >= max(needed, 1), mean, np.nan)


def _clause(day: Day, clause: Clause, rules: RuleSet, hour: int) -> tuple[Bool, Bool, dict[str, Float]]:
    """Return where a clause is met (scenario,), by which stations, and the values compared."""
    name = clause.tests[0].aggregator
    aggregator = rules.aggregators[name] if name else _HIGHEST
    own = [day.of_test(test, hour) for test in clause.tests]
    exceeding = np.all([t.met(v) for t, v in zip(clause.tests, own, strict=True)], axis=0)
    if aggregator.kind in ("mean", "median"):
        combined = [_mean(v.T, 1) if aggregator.kind == "mean" else _median(v) for v in own]
        met = np.all([t.met(v) for t, v in zip(clause.tests, combined, strict=True)], axis=0)
    else:
        # Of one station all tests must be met: those that meet them are counted, and the last one needed is shown.
        known = np.isfinite(own[0]).sum(axis=0)
        needed = np.array([aggregator.needed(int(n)) for n in known])
        met = exceeding.sum(axis=0) >= needed
        order = np.argsort(np.where(exceeding, -own[0], np.inf), axis=0, kind="stable")
        shown = order[np.minimum(needed, len(order)) - 1, np.arange(order.shape[1])]
        combined = [v[shown, np.arange(v.shape[1])] for v in own]
    return met, exceeding, {t.key: v for t, v in zip(clause.tests, combined, strict=True)}


def _median(values: Float) -> Float:
    known = np.isfinite(values).any(axis=0)
    result = np.full(values.shape[1], np.nan)
    result[known] = np.nanmedian(values[:, known], axis=0)
    return result


def decide_day(day: Day, rules: RuleSet) -> list[Decision]:
    """Return all decisions of a day, made and to come.

    Parameters
    ----------
    day : Day
    rules : RuleSet

    Returns
    -------
    list of Decision
        By level, condition and hour.
    """
    found = []
    for level in rules.levels:
        for condition in level.conditions:
            for hour in condition.decision_hours:
                met, exceeding, values = _clause(day, condition, rules, hour)
                for also in condition.also:
                    too, _, more = _clause(day, also, rules, hour)
                    met, values = met & too, values | more
                found.append(Decision(level.rank, condition, hour, met, exceeding, values))
    return found


def _criteria(hours: CityHours, rules: RuleSet, day: Day) -> list[Decision]:
    """Return what no decision tests, as the daily mean, as if decided at each coming hour of the day that meets it."""
    found = []
    nowhere = np.zeros(day.values.shape[:2], dtype=bool)
    for level in rules.levels:
        for condition in level.conditions:
            if condition.decision_hours:
                continue
            coming = slice(hours.now + 1, hours.now + 25 - day.hour)
            values = {t.key: hours.values(t, rules)[:, coming] for t in condition.tests}
            met = np.all([t.met(values[t.key]) for t in condition.tests], axis=0)
            for at in np.flatnonzero(met.any(axis=0)):
                compared = {name: v[:, at] for name, v in values.items()}
                found.append(Decision(level.rank, condition, day.hour + 1 + int(at), met[:, at], nowhere, compared))
    return found


def assess_decisions(hours: CityHours, rules: RuleSet, start: datetime) -> tuple[tuple[Outlook, ...], bool, bool]:
    """Return the outlook of each level of a rule set that decides at set hours, and what allows a lift.

    Parameters
    ----------
    hours : CityHours
    rules : RuleSet
    start : datetime
        When the running day begins, aware.

    Returns
    -------
    outlooks : tuple of Outlook
        Lowest level first. `probability` is the share of scenarios in which the decision that counts, one to come
        or another criterion of the day is met.
    lift_ready : bool
        Whether a level may be lifted.
    declared : bool
        Whether one was declared on measurement since the day began.
    """
    day = Day.of(hours)
    made = decide_day(day, rules)
    counting = max((d.hour for d in made if d.hour <= day.hour), default=0)
    declared = [d for d in made if d.hour <= day.hour and _declared(d, rules)]
    coming = [d for d in made if d.hour > day.hour] + _criteria(hours, rules, day)
    ready = _lift_ready(day, declared, rules)
    # Once the rule's own test for a lift is met, only scenarios in which the air gets worse again count.
    lifted = bool(declared) and ready
    returning = _returning(day, rules) if lifted else np.ones(day.values.shape[1], dtype=bool)
    outlooks = [
        _outlook(
            hours,
            level,
            start,
            [d for d in declared if not (lifted or d.hour < counting or d.rank < level.rank)],
            [replace(d, met=d.met & returning) for d in coming if d.rank >= level.rank],
        )
        for level in rules.levels
    ]
    return tuple(outlooks), ready, bool(declared)


def _outlook(
    hours: CityHours, level: Level, start: datetime, now: Sequence[Decision], coming: Sequence[Decision]
) -> Outlook:
    """Return the outlook of a level from the decisions met now and those to come."""
    never = np.zeros(len(hours.pm25), dtype=bool)
    met = np.any([never, *(d.met for d in (*now, *coming))], axis=0)
    probability = float(met.mean())
    # What only measurement may decide is not raised by a forecast of it, though it counts for how likely the level is.
    announced = [d.met for d in coming if d.condition.basis != "observed"]
    likely = float(np.any([never, *announced], axis=0).mean()) >= level.raise_probability
    measured = any(not d.expects for d in now)
    day = (hours.times > to_datetime64(start)) & (hours.times <= to_datetime64(start + timedelta(days=1)))
    standing = hours.standing(day)
    # Of the scenarios that meet it, the one whose mean of the day is nearest to the median.
    chosen = int(min(np.flatnonzero(met), key=lambda n: abs(int(standing[n]) - MEDIAN), default=MEDIAN))
    quantile = round(float(LEVELS[standing[chosen]]), 3)
    shown = [d for d in (*now, *coming) if d.met[chosen]] if met.any() else []
    evidence = sorted(
        (_evidence(hours, d, start, chosen, None if d in now and not d.expects else quantile) for d in shown),
        key=lambda e: e.time,
    )
    init_time = to_datetime(hours.times[hours.now])
    return Outlook(
        rank=level.rank,
        level=level.id,
        share=probability,
        probability=probability,
        keep_probability=probability,
        observed=bool(now),
        raised=bool(now) or likely,
        # What was decided holds since then; what is expected, from its hour on.
        onset=evidence[0].time if evidence else max(start, init_time),
        evidence=tuple(evidence),
        measured=measured,
    )


def _declared(decision: Decision, rules: RuleSet) -> bool:
    """Return whether a decision of the past was met: for certain, or as far as it rests on the coming hours likely."""
    return float(decision.met.mean()) >= rules.level_of(decision.rank).raise_probability


def _lift_ready(day: Day, declared: Sequence[Decision], rules: RuleSet) -> bool:
    """Return whether the stations that exceeded, and their neighbours, allow a lift."""
    life = rules.life
    if not declared or life.lift == "forecast":
        return True
    if life.lift == "never" or day.hour < life.lift_hours or (life.lift_at and day.hour not in life.lift_at):
        return False
    if life.lift_at and any(d.hour == day.hour for d in declared):
        return False
    exceeded = np.any([d.exceeding[:, MEDIAN] for d in declared], axis=0)
    last = day.values[:, MEDIAN, day.hour - life.lift_hours : day.hour]
    for test in life.lift_tests:
        met = test.met(last)
        # The trend of the neighbours: none is above the bound and rising.
        rising = ~exceeded & ~met[:, -1] & (last[:, -1] > last[:, 0])
        if not met[exceeded].all() or rising.any():
            return False
    return True


def _returning(day: Day, rules: RuleSet) -> Bool:
    """Return the scenarios in which a coming hour of the day no longer meets the tests of a lift."""
    coming = day.values[:, :, day.hour :]
    fails = [(~t.met(coming) & np.isfinite(coming)).any(axis=(0, 2)) for t in rules.life.lift_tests]
    return np.asarray(np.any([np.zeros(coming.shape[1], dtype=bool), *fails], axis=0))


def _evidence(hours: CityHours, decision: Decision, start: datetime, scenario: int, quantile: float | None) -> Evidence:
    """Return a decision of a scenario as evidence; without a quantile it was measured."""

    def known(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    time = start + timedelta(hours=decision.hour)
    at = hours.now + round((time - to_datetime(hours.times[hours.now])) / timedelta(hours=1))
    return Evidence(
        time=time,
        pm25=known(hours.pm25[scenario, at]),
        relative_humidity=known(hours.humidity[scenario, at]),
        visibility=known(hours.visibility[scenario, at]),
        level=decision.rank,
        basis="observed" if quantile is None else "forecast",
        condition=decision.condition.number,
        values={name: float(v[scenario]) for name, v in decision.values.items() if np.isfinite(v[scenario])},
        quantile=quantile,
    )
