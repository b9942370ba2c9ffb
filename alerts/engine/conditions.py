"""Which hours of a city meet the conditions of a rule set's levels, in every scenario."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hazecast.alerts.engine.city_hours import CityHours
from hazecast.alerts.engine.warning import Basis
from hazecast.alerts.rules.criteria import Clause, Condition
from hazecast.alerts.rules.ruleset import RuleSet

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Met:
    """The highest rank met at each stamp and the number of the condition that met it, int8 (scenario, time)."""

    rank: npt.NDArray[np.int8]
    number: npt.NDArray[np.int8]

    def or_higher(self, other: Met) -> Met:
        """Return what this or the other meets, the higher rank of each stamp."""
        if other is self:
            return self
        mine = self.rank >= other.rank
        return Met(np.where(mine, self.rank, other.rank), np.where(mine, self.number, other.number))


def met_by(hours: CityHours, rules: RuleSet, basis: Basis, within: Bool) -> Met:
    """Return what is met by conditions that values of a kind may meet.

    Parameters
    ----------
    hours : CityHours
    rules : RuleSet
    basis : {"forecast", "observed"}
        Of the values.
    within : bool (time,)
        The window, in which the further clauses of a condition must be met.

    Returns
    -------
    Met
    """
    ranks, numbers = np.zeros(hours.pm25.shape, dtype=np.int8), np.zeros(hours.pm25.shape, dtype=np.int8)
    for level in rules.levels:
        # Backwards, so that the first condition met is the one that stays.
        for condition in reversed(level.conditions):
            if condition.basis in ("any", basis):
                here = _condition(hours, rules, condition, within)
                ranks[here], numbers[here] = level.rank, condition.number
    return Met(ranks, numbers)


def met_as_forecast_and_observed(hours: CityHours, rules: RuleSet, within: Bool) -> tuple[Met, Met]:
    """Return what is met as a forecast, and as an observation; the same object where no condition tells them apart.

    Parameters
    ----------
    hours : CityHours
    rules : RuleSet
    within : bool (time,)
        As for `met_by`.

    Returns
    -------
    forecast, observed : Met
    """
    expected = met_by(hours, rules, "forecast", within)
    alike = all(condition.basis == "any" for level in rules.levels for condition in level.conditions)
    return expected, expected if alike else met_by(hours, rules, "observed", within)


def _clause(hours: CityHours, rules: RuleSet, clause: Clause) -> Bool:
    """Return where a clause is met, (scenario, time): at the stamp itself and the ones before it."""
    first, *others = clause.tests
    met = first.met(hours.values(first, rules))
    for test in others:
        if not met.any():
            break
        met = met & test.met(hours.values(test, rules))
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
