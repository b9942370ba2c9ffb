"""What is observed at a run, how high it is beyond doubt, and whether it persists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hazecast.alerts.engine.city_hours import CityHours
from hazecast.alerts.engine.conditions import Met, met_by
from hazecast.alerts.rules.criteria import ObservedRule
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.forecast.dependence import MEDIAN

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Now:
    """What is observed: the stamp, its rank, the highest rank that persists, and the scenarios in which it does."""

    at: int
    rank: int
    persisting: int
    scenarios: Bool


NOTHING_SEEN = Now(-1, 0, 0, np.zeros(0, dtype=bool))


def observed_now(hours: CityHours, rules: RuleSet, rule: ObservedRule, seen: Met, either: Met) -> Now:
    """Return what is observed, and the highest rank of it that persists.

    Parameters
    ----------
    hours : CityHours
    rules : RuleSet
    rule : ObservedRule
        The rule set's own.
    seen, either : Met
        What is met by observation, and by observation or forecast.

    Returns
    -------
    Now
    """
    now = hours.now
    recent = np.arange(max(now - rule.maximum_age_hours, 0), now + 1)
    if not seen.rank[MEDIAN, recent].any():
        return NOTHING_SEEN
    tested = [t for x in rules.levels for c in x.conditions for t in c.tests]
    known: Bool = np.ones(recent.shape, dtype=bool)
    for test in tested:
        known &= np.isfinite(hours.values(test, rules)[MEDIAN, recent])
    if not known.any():
        return NOTHING_SEEN
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
            return Now(at, highest, rank, lasting)
    return Now(at, highest, 0, np.zeros(len(coming), dtype=bool))


def _corroborated(hours: CityHours, rules: RuleSet, rule: ObservedRule, seen: Met, at: int) -> int:
    """Return the highest rank of the observed hour that an hour before it or a second station reaches too."""
    rank = int(seen.rank[MEDIAN, at])
    if not rank or not rule.second_within_hours:
        return rank
    earlier = int(seen.rank[MEDIAN, max(at - rule.second_within_hours, 0) : at].max(initial=0))
    second = hours.of_second_station() if earlier < rank else None
    by_station = (
        0 if second is None else int(met_by(second, rules, "observed", np.ones(len(hours.times), bool)).rank[0, at])
    )
    return min(rank, max(earlier, by_station))
