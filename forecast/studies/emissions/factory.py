"""A factory before and after a measure: emissions per tonne of product, saving and payback, with intervals.

Paired runs at like output, Student's t on the logarithm of the ratio; uncertainties that all runs share by the GUM (JCGM 100:2008, 5.1.2 and G.4.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from hazecast.forecast.studies.estimate import Estimate
from hazecast.grids.errors import InputError

MIN_RUNS = 3
# Runs of a pair are alike if their outputs differ by no more; otherwise the pair is named.
_ALIKE = 0.1
_MG_PER_KG = 1e6
_COLUMNS = ("concentration", "flow", "product")


@dataclass(frozen=True)
class FactoryChange:
    """What the measure changed.

    Attributes
    ----------
    before, after : float
        Geometric mean of the emission per tonne of product, kg t-1.
    reduction : Estimate
        One less the ratio of after to before, share of 1.
    avoided : Estimate
        Emission avoided in a year at the given output, kg: from the mean difference of the pairs.
    runs : int
        Pairs.
    degrees : float
        Effective degrees of freedom.
    confidence : float
        Of the intervals.
    unlike : tuple of str
        Pairs whose output of product differs by more than 10 %.
    table : pandas.DataFrame (run)
        ``before after`` (kg t-1) and ``reduction`` of each pair.
    """

    before: float
    after: float
    reduction: Estimate
    avoided: Estimate
    runs: int
    degrees: float
    confidence: float
    unlike: tuple[str, ...]
    table: pd.DataFrame


@dataclass(frozen=True)
class Payback:
    """Cost of the measure against what it saves.

    Attributes
    ----------
    saving : Estimate
        A year, net of its running cost, in the currency given.
    years : Estimate
        Investment over saving; infinite where the saving is not above 0.
    discounted_years : float
        With interest on what is not paid back yet; infinite where it never is.
    cost_per_kg : Estimate
        Annualised investment and running cost, less what is saved beside the emission's charge, for each kg avoided; infinite where none is.
    """

    saving: Estimate
    years: Estimate
    discounted_years: float
    cost_per_kg: Estimate


@dataclass(frozen=True)
class Costs:
    """Money of a measure, in one currency.

    Attributes
    ----------
    investment : float
        At the beginning.
    running : float
        More cost a year: power, reagents, staff.
    saved : float
        Saved a year beside the emission's charge: material, energy.
    charge : float
        Tax or price for each kg emitted.
    life : float
        Years.
    interest : float
        A year, share of 1.
    """

    investment: float
    running: float = 0.0
    saved: float = 0.0
    charge: float = 0.0
    life: float = 10.0
    interest: float = 0.05


def factory_change(
    before: pd.DataFrame, after: pd.DataFrame, *, output: float, systematic: float = 0.0, confidence: float = 0.95
) -> FactoryChange:
    """Compare the emission per tonne of product in paired runs.

    Each run emits concentration times flow over product. The interval is symmetric for the logarithm of after over before.

    Parameters
    ----------
    before, after : pandas.DataFrame (run)
        Runs of the same names: ``concentration`` (mg m-3, dry, standard state), ``flow`` (m3 h-1, the same state), ``product`` (t h-1).
    output : float
        Product of a year, t.
    systematic : float
        Relative standard uncertainty of the ratio that all runs share (calibration, flow), share of 1.
    confidence : float
        Of the intervals.

    Returns
    -------
    FactoryChange

    Raises
    ------
    InputError
        If fewer than three runs are in both, a run is in one alone, a value is not above 0, or an argument is out of range.
    """
    if not output > 0 or not systematic >= 0 or not 0 < confidence < 1:
        raise InputError(
            "output, systematic, confidence", (output, systematic, confidence), "above 0, 0 or more, between 0 and 1"
        )
    alone = before.index.symmetric_difference(after.index)
    if len(alone):
        raise InputError(f"run {alone[0]}", "in one table alone", "a run of that name before and after")
    if len(before) < MIN_RUNS or before.index.has_duplicates:
        raise InputError("paired runs", len(before.index.unique()), f"at least {MIN_RUNS}, each once")
    rates = [_rate(one.loc[before.index], name) for one, name in ((before, "before"), (after, "after"))]
    logs = np.log((rates[1] / rates[0]).to_numpy())
    n, middle = len(logs), float(logs.mean())
    random = float(logs.var(ddof=1)) / n
    variance = random + systematic**2
    degrees = float(np.inf) if random == 0 else variance**2 / (random**2 / (n - 1))
    reach = float(stats.t.ppf(0.5 + confidence / 2, max(1.0, degrees)) * np.sqrt(variance))
    reduction = Estimate(*(float(1 - np.exp(one)) for one in (middle, middle + reach, middle - reach)))
    level = [float(np.exp(np.log(rate).mean())) for rate in rates]
    avoided = _avoided(rates, output, systematic, confidence)
    made = after.loc[before.index, "product"] / before["product"]
    table = pd.DataFrame({"before": rates[0], "after": rates[1], "reduction": 1 - rates[1] / rates[0]})
    unlike = tuple(str(name) for name in made.index[(made - 1).abs() > _ALIKE])
    return FactoryChange(level[0], level[1], reduction, avoided, n, degrees, confidence, unlike, table)


def payback(avoided: Estimate, costs: Costs) -> Payback:
    """Set the cost of a measure against its saving.

    Saving = charge times avoided + saved - running; simple payback = investment / saving; discounted payback n with
    investment = saving (1 - (1 + i)^-n) / i; investment annualised by i / (1 - (1 + i)^-life). Intervals are those of `avoided` alone.

    Parameters
    ----------
    avoided : Estimate
        Emission avoided in a year, kg.
    costs : Costs

    Returns
    -------
    Payback

    Raises
    ------
    InputError
        If a cost is negative, the investment or life is not above 0, or interest is not between 0 and 1.
    """
    for name in ("investment", "life"):
        if not getattr(costs, name) > 0:
            raise InputError(name, getattr(costs, name), "above 0")
    for name in ("running", "saved", "charge", "interest"):
        if not getattr(costs, name) >= 0:
            raise InputError(name, getattr(costs, name), "0 or more")
    if not costs.interest < 1:
        raise InputError("interest", costs.interest, "a share below 1")
    kg = (avoided.value, avoided.low, avoided.high)
    saving = [costs.charge * one + costs.saved - costs.running for one in kg]
    years = [costs.investment / one if one > 0 else float(np.inf) for one in saving]
    annual = costs.investment * _annuity(costs.interest, costs.life) + costs.running - costs.saved
    each = [annual / one if one > 0 else float(np.inf) for one in kg]
    return Payback(
        Estimate(*saving), Estimate(years[0], years[2], years[1]), _discounted(costs, saving[0]), Estimate(each[0], *sorted(each[1:]))
    )  # fmt: skip


def _avoided(rates: list[pd.Series], output: float, systematic: float, confidence: float) -> Estimate:
    """Return the emission avoided in a year, from the arithmetic mean difference of the pairs, kg."""
    difference = (rates[0] - rates[1]).to_numpy()
    n, random = len(difference), float(difference.var(ddof=1)) / len(difference)
    variance = random + (systematic * float(rates[1].mean())) ** 2
    degrees = float(np.inf) if random == 0 else variance**2 / (random**2 / (n - 1))
    reach = float(stats.t.ppf(0.5 + confidence / 2, max(1.0, degrees)) * np.sqrt(variance))
    middle = float(difference.mean())
    return Estimate(*(output * one for one in (middle, middle - reach, middle + reach)))


def _rate(runs: pd.DataFrame, name: str) -> pd.Series:
    """Return the emission per tonne of product of each run, kg t-1."""
    for at, row in runs.iterrows():
        for column in _COLUMNS:
            if not (np.isfinite(row[column]) and row[column] > 0):
                raise InputError(f"{name}, run {at}: {column}", row[column], "above 0")
    return runs["concentration"] * runs["flow"] / _MG_PER_KG / runs["product"]


def _annuity(interest: float, years: float) -> float:
    return 1 / years if interest == 0 else interest / (1 - (1 + interest) ** -years)


def _discounted(costs: Costs, saving: float) -> float:
    if saving <= 0 or costs.interest * costs.investment >= saving:
        return float(np.inf)
    if costs.interest == 0:
        return costs.investment / saving
    return float(-np.log(1 - costs.interest * costs.investment / saving) / np.log(1 + costs.interest))
