"""Precision from duplicate samples: standard deviation, its interval, and pairs that differ too much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from hazecast.grids.errors import InputError

MIN_PAIRS = 8
_CONFIDENCE = 0.95
# 40 CFR part 58, appendix A, 4.2.1: upper 90 % confidence limit of the coefficient of variation. From memory.
_UPPER_TAIL = 0.1


@dataclass(frozen=True)
class Duplicates:
    """Precision of pairs; in the unit of the results, relative values as a share of the pair's mean.

    Attributes
    ----------
    pairs, below_floor : int
        Pairs used, and pairs left out because their mean is not above the floor.
    deviation, deviation_low, deviation_high : float
        Standard deviation of one result (of both members' differences), with its 95 % interval.
    difference, difference_low, difference_high : float
        Mean of first less second, with its 95 % interval: 0 is inside if both are alike.
    relative, relative_upper : float
        Coefficient of variation of one result, and its upper 90 % limit.
    table : pandas.DataFrame (pair)
        ``first second mean difference relative_difference beyond`` (the last where |first - second| / mean exceeds the largest allowed).
    """

    pairs: int
    below_floor: int
    deviation: float
    deviation_low: float
    deviation_high: float
    difference: float
    difference_low: float
    difference_high: float
    relative: float
    relative_upper: float
    table: pd.DataFrame


def duplicates(pairs: pd.DataFrame, *, floor: float = 0.0, allowed: float = 0.2) -> Duplicates:
    """Estimate precision from pairs of results for one sample.

    s = sqrt(sum d^2 / 2 n) with n degrees of freedom; the relative value from d / mean / sqrt(2), its upper limit by the chi-squared
    distribution with n - 1 degrees of freedom as in 40 CFR part 58, appendix A, 4.2.1 (from memory), which takes the mean of the relative
    differences out: where one result is always the higher, the limit may lie below the value.

    Parameters
    ----------
    pairs : pandas.DataFrame (pair)
        ``first`` and ``second``, none missing.
    floor : float
        Pairs whose mean is not above it (a detection limit, or 0) are left out and counted.
    allowed : float
        Largest relative difference of a pair, share of its mean; the bureau's own (HJ methods state 10 to 30 % each).

    Returns
    -------
    Duplicates

    Raises
    ------
    InputError
        If a result is missing, fewer than eight pairs are above the floor, no pair differs, or `floor` or `allowed` is not valid.
    """
    if not floor >= 0 or not allowed > 0:
        raise InputError("floor, allowed difference", (floor, allowed), "0 or more, and above 0")
    both = pairs[["first", "second"]].astype(float)
    faulty = pd.Series(~np.isfinite(both.to_numpy()).all(axis=1), index=both.index)
    if faulty.any():
        raise InputError(f"pair {both.index[faulty][0]}", "a result without a number", "a number for each")
    used = both[both.mean(axis=1) > floor]
    n = len(used)
    if n < MIN_PAIRS:
        raise InputError("pairs above the floor", n, f"at least {MIN_PAIRS}")
    table = used.assign(mean=used.mean(axis=1), difference=used["first"] - used["second"])
    table["relative_difference"] = table["difference"] / table["mean"]
    table["beyond"] = table["relative_difference"].abs() > allowed
    difference = table["difference"]
    squares = float((difference**2).sum()) / 2
    if squares == 0:
        raise InputError("pairs", "no difference", "some that differ; give more digits")
    low, high = (float(np.sqrt(squares / stats.chi2.ppf(0.5 + side * _CONFIDENCE / 2, n))) for side in (1, -1))
    middle = float(difference.mean())
    reach = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, n - 1) * difference.std(ddof=1) / np.sqrt(n))
    relative = table["relative_difference"] / np.sqrt(2)
    upper = float(relative.std(ddof=1) * np.sqrt((n - 1) / stats.chi2.ppf(_UPPER_TAIL, n - 1)))
    return Duplicates(
        n, len(both) - n, float(np.sqrt(squares / n)), low, high, middle, middle - reach, middle + reach,
        float(np.sqrt((relative**2).mean())), upper, table,
    )  # fmt: skip
