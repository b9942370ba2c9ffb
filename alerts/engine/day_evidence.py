"""What the evidence of an episode counts: days of 24 h that may cross midnight, and the conditions that they meet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import numpy as np

from hazecast.alerts.engine.warning import Evidence
from hazecast.alerts.rules.criteria import Clause, Condition
from hazecast.alerts.rules.ruleset import RuleSet

_DAY = timedelta(hours=24)


def of_days(evidence: Iterable[Evidence]) -> bool:
    """Return whether evidence is of days, not of hours."""
    return any(e.observed_hours is not None for e in evidence)


def days_of(evidence: Sequence[Evidence], clause: Clause) -> tuple[Evidence, ...]:
    """Return the days that a clause counts: those that meet its tests, from the first on, with 24 h or more between ends.

    Parameters
    ----------
    evidence : sequence of Evidence
        Of one episode, by time.
    clause : Clause
        Of a rule set that goes by episodes.

    Returns
    -------
    tuple of Evidence
    """
    found: list[Evidence] = []
    for day in evidence:
        met = all(bool(t.met(np.array(day.values.get(t.key, np.nan)))) for t in clause.tests)
        if met and (not found or day.time - found[-1].time >= _DAY):
            found.append(day)
    return tuple(found)


def shows(evidence: Sequence[Evidence], condition: Condition) -> bool:
    """Return whether evidence of days shows that a condition is met.

    Parameters
    ----------
    evidence : sequence of Evidence
        As for `days_of`.
    condition : Condition

    Returns
    -------
    bool
    """
    return all(len(days_of(evidence, clause)) >= clause.consecutive for clause in condition.clauses)


def condition_shown(evidence: Sequence[Evidence], rules: RuleSet) -> Condition:
    """Return the condition that the evidence was given for.

    Parameters
    ----------
    evidence : sequence of Evidence
        At least one.
    rules : RuleSet
        The warning's own.

    Returns
    -------
    Condition
    """
    own = rules.level_of(evidence[0].level).conditions
    return next((c for c in own if c.number == evidence[0].condition), own[0])


def highest_shown(evidence: Sequence[Evidence], rules: RuleSet) -> int:
    """Return the highest rank whose conditions evidence of days shows to be met; 0 none.

    Parameters
    ----------
    evidence : sequence of Evidence
        As for `days_of`.
    rules : RuleSet
        The warning's own.

    Returns
    -------
    int
    """
    return max((level.rank for level in rules.levels if any(shows(evidence, c) for c in level.conditions)), default=0)
