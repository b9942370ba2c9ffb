"""Episodes of pollution that last for days: which level they meet, how probably, from when and until when.

For rule sets with ``[episodes]``, as China's heavy-pollution alert. In each scenario the 24 h means, which may cross
midnight, that are above what any level asks for are gathered into episodes: two with less than `gap_hours` between
them are one. An episode meets a condition by its days: means 24 h or more apart, observed or forecast. Only a
mean made mostly of coming hours raises or keeps a level, and of such a mean the coming hours by themselves must be
as high: what has been measured already makes no clean day a polluted one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from hazecast.alerts.engine.assessment import Excluded, Outlook
from hazecast.alerts.engine.city_hours import DAY_HOURS, CityHours
from hazecast.alerts.engine.warning import Evidence
from hazecast.alerts.rules.criteria import Condition, EpisodeRule, Threshold
from hazecast.alerts.rules.ruleset import Level, RuleSet
from hazecast.forecast.scenarios import trailing_mean
from hazecast.grids.times import to_datetime

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]

_HOUR = timedelta(hours=1)
_DAY = 24
# Most of the hours of a day, and how many of these must be valid: the share that a whole day asks for.
_MOST = _DAY // 2 + 1
_MOST_VALID = int(np.ceil(_MOST * DAY_HOURS / _DAY))
# The air has improved when so many hours in a row were below every level: a choice of this module.
_IMPROVED_HOURS = 3
# What rounding may add to a mean, ug m-3: bounds are taken so much higher.
_ERROR = 1e-6
_OZONE = Threshold(variable="o3_mda8_day", comparator="gt", value=0.0, units="ug m-3")


@dataclass(frozen=True)
class _Course:
    """The course of a city's days and hours in the scenarios with a polluted day to come; arrays are (scenario, time).

    Attributes
    ----------
    rows : int64 (scenario,)
        Positions of these among all scenarios.
    means : float64
        Mean PM2.5 of the 24 h up to each stamp, ug m-3.
    index : float64
        Its AQI; where most of the 24 h, and not all, are still to come, that of the coming ones if it is lower.
    coming : bool (time,)
        Whether the stamp's 24 h are made mostly of coming hours.
    above : bool
        Whether the hour itself is above what any level asks of a day.
    first, last : int64
        Positions of the first and the last stamp of the episode that a stamp belongs to, -1 where to none.
    begins : int64
        Position of the episode's first hour above, where there is one.
    """

    rows: Int
    means: Float
    index: Float
    coming: Bool
    above: Bool
    first: Int
    last: Int
    begins: Int
    _counted: dict[tuple[Threshold, ...], tuple[Int, Bool]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, hours: CityHours, lowest: Threshold, episodes: EpisodeRule) -> _Course:
        coming = np.arange(len(hours.times)) >= hours.now + _MOST
        means, counted = _means(hours.pm25, hours.now)
        index = hours.particle_index(counted)
        rows = np.flatnonzero(lowest.met(index[:, coming]).any(axis=1))
        means, index = means[rows], index[rows]
        above = lowest.met(hours.particle_index(hours.pm25[rows]))
        first, last = gathered(lowest.met(index), episodes.gap_hours)
        begins = np.where(first >= 0, _next(above, np.maximum(first - _DAY + 1, 0)), -1)
        return cls(rows, means, index, coming, above, first, last, begins)

    def days(self, tests: tuple[Threshold, ...]) -> tuple[Int, Bool]:
        """Return how many days of the episode up to each stamp meet `tests`, and the last stamps of these days."""
        if tests not in self._counted:
            self._counted[tests] = counted_days(_all_met(tests, self.index), self.first)
        return self._counted[tests]

    def meets(self, condition: Condition) -> Bool:
        """Return the stamps by which an episode meets a condition: its last day is mostly still to come."""
        count, _ = self.days(condition.tests)
        met = self.coming & _all_met(condition.tests, self.index) & (count >= condition.consecutive)
        for clause in condition.also:
            total = np.take_along_axis(self.days(clause.tests)[0], np.maximum(self.last, 0), axis=1)
            met &= total >= clause.consecutive
        return met


def _means(pm25: Float, now: int) -> tuple[Float, Float]:
    """Return the means of the 24 h up to each stamp, and those that count: of the coming hours alone where that is lower."""
    means = trailing_mean(pm25, _DAY, DAY_HOURS)
    counted = means.copy()
    ahead = trailing_mean(pm25[:, now + 1 :], _DAY, _MOST_VALID)[:, _MOST - 1 :]
    mostly = counted[:, now + _MOST :]
    np.copyto(mostly, ahead, where=ahead < mostly)
    return means, counted


def _all_met(tests: tuple[Threshold, ...], index: Float) -> Bool:
    return np.asarray(np.logical_and.reduce([t.met(index) for t in tests]), dtype=bool)


def _lowest(rules: RuleSet) -> Threshold:
    """Return the test that any index meets that meets one: all ask for an index above a value."""
    clauses = (clause for level in rules.levels for c in level.conditions for clause in c.clauses)
    return min((t for clause in clauses for t in clause.tests), key=lambda t: (t.value, t.comparator == "gt"))


def _next(flags: Bool, at: Int) -> Int:
    """Return the first position at or after `at` where `flags` holds, `at` where there is none; (scenario, time)."""
    found = np.take_along_axis(_following(flags), at, axis=1)
    return np.where(found < flags.shape[1], found, at)


def gathered(polluted: Bool, gap_hours: int) -> tuple[Int, Int]:
    """Gather stamps into episodes: two with less than `gap_hours` stamps between them belong to one.

    Parameters
    ----------
    polluted : bool (scenario, time)
    gap_hours : int

    Returns
    -------
    first, last : int64 (scenario, time)
        Positions of the first and the last stamp of the episode of each polluted stamp; -1 elsewhere.
    """
    length = polluted.shape[1]
    at = np.arange(length)
    before = np.maximum.accumulate(np.where(polluted, at, -length - gap_hours), axis=1)
    after = np.minimum.accumulate(np.where(polluted, at, 2 * length + gap_hours)[:, ::-1], axis=1)[:, ::-1]
    previous = np.concatenate([np.full((len(polluted), 1), -length - gap_hours), before[:, :-1]], axis=1)
    following = np.concatenate([after[:, 1:], np.full((len(polluted), 1), 2 * length + gap_hours)], axis=1)
    opens, closes = polluted & (at - previous > gap_hours), polluted & (following - at > gap_hours)
    first = np.maximum.accumulate(np.where(opens, at, -1), axis=1)
    last = np.minimum.accumulate(np.where(closes, at, length)[:, ::-1], axis=1)[:, ::-1]
    return np.where(polluted, first, -1), np.where(polluted, last, -1)


def counted_days(met: Bool, first: Int) -> tuple[Int, Bool]:
    """Count the days of each episode: the stamps that meet a test, 24 h or more apart, from the first on.

    Parameters
    ----------
    met : bool (scenario, time)
        Whether the 24 h up to the stamp meet the test.
    first : int64 (scenario, time)
        As from `gathered`.

    Returns
    -------
    count : int64 (scenario, time)
        Days of the episode up to each stamp.
    days : bool (scenario, time)
        The last stamps of these days.
    """
    count, days = np.zeros(met.shape, dtype=np.int64), np.zeros(met.shape, dtype=bool)
    # Scenarios without any such stamp have no day; of many places that is most of them.
    some = np.flatnonzero(met.any(axis=1))
    if not some.size:
        return count, days
    length = met.shape[1]
    opens = first[some] == np.arange(length)
    meeting, opening = _following(met[some]), _following(opens)
    chosen = np.zeros(opens.shape, dtype=bool)
    rows, at = np.arange(some.size), meeting[:, 0]
    while rows.size:
        chosen[rows, at] = True
        # The next day ends 24 h later, unless another episode begins before.
        at = meeting[rows, np.minimum(at + _DAY, opening[rows, at + 1])]
        rows, at = rows[at < length], at[at < length]
    total = chosen.cumsum(axis=1)
    # Counted are those since the last beginning.
    before = np.where(opens, total - chosen, 0)
    count[some], days[some] = total - np.maximum.accumulate(before, axis=1), chosen
    return count, days


def _following(flags: Bool) -> Int:
    """Return the first position at or after each one where `flags` holds, the length where there is none.

    Past the end there are `_DAY` more positions, (scenario, time + 24).
    """
    length = flags.shape[1]
    found = np.full((len(flags), length + _DAY), length)
    found[:, :length] = np.where(flags, np.arange(length), length)
    return np.minimum.accumulate(found[:, ::-1], axis=1)[:, ::-1]


def assess_episodes(
    hours: CityHours, rules: RuleSet, episodes: EpisodeRule
) -> tuple[tuple[Outlook, ...], bool, tuple[Excluded, ...]]:
    """Assess one city by its episodes.

    The probability of a level is the share of scenarios in which an episode that is running, or begins within
    `notice_hours`, meets it. A level in force is judged by the episodes that begin within ``life.keep_hours``. An
    outlook begins with the first coming hour above what the levels ask for and ends with the last one of the episode.

    Parameters
    ----------
    hours : CityHours
    rules : RuleSet
    episodes : EpisodeRule
        The rule set's own.

    Returns
    -------
    outlooks : tuple of Outlook
        By rank.
    lift_ready : bool
        Whether none of the last hours observed was above.
    excluded : tuple of Excluded
        The days that count for no level although ozone makes them as bad.
    """
    now, lowest = hours.now, _lowest(rules)
    recent = hours.particle_index(hours.highest_pm25)[:, max(now + 1 - _IMPROVED_HOURS, 0) : now + 1]
    ready = not bool(lowest.met(recent).any())
    course = _Course.of(hours, lowest, episodes) if _may_be_met(hours, lowest) else None
    if course is None or not course.rows.size:
        # As in most places at most times: there is no episode to come in any scenario.
        none = tuple(Outlook.none(level, to_datetime(hours.times[now])) for level in rules.levels)
        return none, ready, _ozone_days(hours, rules)
    met = [[course.meets(c) for c in level.conditions] for level in rules.levels]
    keep = rules.life.keep_hours or len(hours.times)
    # An hour begins where the one before it ends.
    horizons = [course.begins - 1 <= now + h for h in (episodes.notice_hours, keep)]
    outlooks = tuple(_outlook(hours, course, rules, level, met, horizons) for level in rules.levels)
    return outlooks, ready, _ozone_days(hours, rules)


def _may_be_met(hours: CityHours, lowest: Threshold) -> bool:
    """Return whether a coming day of the highest values of all scenarios meets any level: no scenario is above them."""
    _, counted = _means(hours.highest_pm25, hours.now)
    return bool(lowest.met(hours.particle_index(counted + _ERROR))[:, hours.now + _MOST :].any())


def _outlook(
    hours: CityHours,
    course: _Course,
    rules: RuleSet,
    level: Level,
    met: list[list[Bool]],
    horizons: list[Bool],
) -> Outlook:
    higher = [np.logical_or.reduce([m for own in met[rank:] for m in own] or [np.zeros_like(met[0][0])])
              for rank in (level.rank - 1, level.rank)]  # fmt: skip
    raising, keeping = (higher[0] & horizon for horizon in horizons)
    scenarios = len(hours.pm25)
    probability = float(raising.any(axis=1).sum() / scenarios)
    evidence: tuple[Evidence, ...] = ()
    onset, until = to_datetime(hours.times[hours.now]), None
    by, beyond = (raising, higher[1] & horizons[0]) if raising.any() else (keeping, higher[1] & horizons[1])
    if by.any():
        # Of a scenario that meets a higher level too the evidence would say more than the level does.
        only = by & ~beyond.any(axis=1, keepdims=True)
        scenario, stamp, quantile = _typical(course, hours, only if only.any() else by)
        onset, until = _extent(hours, course, scenario, stamp)
        rank, condition = next(
            (rank, c)
            for rank in range(level.rank, len(rules.levels) + 1)
            for c, own in zip(rules.level_of(rank).conditions, met[rank - 1], strict=True)
            if own[scenario, stamp]
        )
        evidence = _days(hours, course, scenario, stamp, rank, condition, quantile)
    return Outlook(
        rank=level.rank,
        level=level.id,
        share=probability,
        probability=probability,
        keep_probability=float(keeping.any(axis=1).sum() / scenarios),
        observed=False,
        raised=probability >= level.raise_probability,
        onset=onset,
        evidence=evidence,
        until=until,
    )


def _typical(course: _Course, hours: CityHours, meeting: Bool) -> tuple[int, int, float]:
    """Return the scenario whose episode ends as the median one does, its first stamp that meets, and its quantile.

    The quantile is that of its mean over the coming hours among all scenarios.
    """
    ahead = hours.pm25[:, hours.now + 1 :]
    load = np.nanmean(ahead[:, ~np.isnan(ahead).all(axis=0)], axis=1)
    candidates = np.flatnonzero(meeting.any(axis=1))
    stamps = meeting[candidates].argmax(axis=1)
    order = np.lexsort((load[course.rows[candidates]], course.last[candidates, stamps]))
    middle = order[(len(order) - 1) // 2]
    chosen = int(candidates[middle])
    own = load[course.rows[chosen]]
    below, same = (load < own).mean(), (load == own).mean()
    return chosen, int(stamps[middle]), round(float(below + 0.5 * same), 3)


def _extent(hours: CityHours, course: _Course, scenario: int, stamp: int) -> tuple[datetime, datetime]:
    """Return the first coming hour above, by its beginning, and the end of the episode's last one."""
    last = int(course.last[scenario, stamp])
    above = np.flatnonzero(course.above[scenario, : last + 1])
    first = above[above >= max(int(course.begins[scenario, stamp]), hours.now + 1)][0]
    return to_datetime(hours.times[first]) - _HOUR, to_datetime(hours.times[above[-1]])


def _days(
    hours: CityHours, course: _Course, scenario: int, stamp: int, rank: int, condition: Condition, quantile: float
) -> tuple[Evidence, ...]:
    """Return the days that a condition counts of an episode, each by its end; and the highest 24 h to come, where they are higher or those are over."""
    first, last = int(course.first[scenario, stamp]), int(course.last[scenario, stamp])
    shown = np.zeros(len(hours.times), dtype=bool)
    for clause in condition.clauses:
        shown |= course.days(clause.tests)[1][scenario]
    shown[:first], shown[last + 1 :] = False, False
    ahead = np.flatnonzero(course.coming[first : last + 1]) + first
    peak = ahead[np.nanargmax(course.means[scenario, ahead])]
    # A day that is over is no evidence by itself: one to come is beside it, also where the count takes it for the same day.
    shown[peak] |= not shown[hours.now + 1 :].any() or course.means[scenario, peak] > np.nanmax(
        course.means[scenario, shown]
    )
    daily = hours.particle_index(course.means[scenario : scenario + 1])[0]
    found = []
    for at in np.flatnonzero(shown):
        seen = max(0, min(_DAY, _DAY - int(at) + hours.now))
        found.append(
            Evidence(
                time=to_datetime(hours.times[at]),
                pm25=None,
                relative_humidity=None,
                visibility=None,
                level=rank,
                basis="observed" if seen == _DAY else "forecast",
                condition=condition.number,
                values={
                    "aqi_24h": float(daily[at]),
                    "pm25_24h": float(course.means[scenario, at]),
                },
                quantile=None if seen == _DAY else quantile,
                observed_hours=seen,
            )
        )
    return tuple(found)


def _ozone_days(hours: CityHours, rules: RuleSet) -> tuple[Excluded, ...]:
    """Return the coming days that only ozone makes as bad as the lowest level asks of one, as probably as it asks."""
    lowest = rules.levels[0]
    tests = lowest.conditions[0].tests
    # No mean of 8 h is above the highest hour.
    highest = np.full((1, len(hours.times)), np.fmax.reduce(hours.highest_o3, axis=None) + _ERROR)
    if not _all_met(tests, hours.ozone_index(highest)).any():
        return ()
    ozone = hours.ozone_index(hours.values(_OZONE, rules))
    particles = hours.particle_index(trailing_mean(hours.pm25, _DAY, DAY_HOURS))
    led = _all_met(tests, ozone) & ~_all_met(tests, particles)
    share = led.mean(axis=0)
    share[: hours.now + 1] = 0.0
    return tuple(
        Excluded(
            day_end=to_datetime(hours.times[at]),
            cause="ozone",
            probability=float(share[at]),
            index=float(np.median(ozone[led[:, at], at])),
        )
        for at in np.flatnonzero(share >= lowest.raise_probability)
    )
