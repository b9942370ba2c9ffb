"""Sampling bags: recovery of a prepared gas, and how long a sample may be stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from hazecast.grids.errors import InputError

MIN_TIMES, MIN_ANALYSES = 3, 6
# A median recovery above this is a percentage. Chosen.
_LIKELY = 2.0


@dataclass(frozen=True)
class BagStability:
    """One compound in a kind of bag; shares of 1, hours.

    Attributes
    ----------
    analyses : int
        Values used.
    recovery, recovery_low, recovery_high : float
        Of the line at storage time 0, with its confidence interval.
    loss_per_hour, loss_low, loss_high : float
        First-order loss rate, h-1; negative where the compound grows.
    stable : bool
        Whether the loss does not differ significantly from 0 (the interval holds it).
    storage : float
        Hours until the lower confidence limit of the recovery (one-sided) falls below `least`; 0 if it is below at once, and never
        more than the longest time tested.
    """

    analyses: int
    recovery: float
    recovery_low: float
    recovery_high: float
    loss_per_hour: float
    loss_low: float
    loss_high: float
    stable: bool
    storage: float


def bag_stability(
    hours: pd.Series, recovery: pd.Series, *, least: float = 0.80, confidence: float = 0.95
) -> BagStability:
    """Estimate recovery and the longest storage of a compound in bags.

    Parameters
    ----------
    hours : pandas.Series (analysis)
        Storage time, h.
    recovery : pandas.Series (analysis)
        Found over prepared, share of 1; each from a bag of its own.
    least : float
        Recovery that a stored sample must still have. 0.80 is chosen; HJ 732-2014 (bags for stack gases) could not be read.
    confidence : float
        Of the intervals.

    Returns
    -------
    BagStability

    Raises
    ------
    InputError
        If fewer than six analyses or three storage times are given, or a value is out of range.

    Notes
    -----
    Least squares of the logarithm of the recovery on time. That a slope which does not differ from 0 is taken for stability, and a
    confidence limit of the line for the shelf life, follows ISO Guide 35:2017 (stability studies); from memory, clauses not read.
    """
    x, share = hours.to_numpy(dtype=float), recovery.to_numpy(dtype=float)
    for name, values, valid in (("hours", hours, x >= 0), ("recovery", recovery, share > 0)):
        if not valid.all():
            at = int(np.argmin(valid))
            raise InputError(
                f"analysis {values.index[at]}: {name}", values.iloc[at], "0 or more" if name == "hours" else "above 0"
            )
    if np.median(share) > _LIKELY:
        raise InputError(
            "recovery: median", float(np.median(share)), f"a share of 1, at most {_LIKELY:g} in the median; not %"
        )
    if not 0 < least < 1:
        raise InputError("least recovery", least, "between 0 and 1")
    if len(x) < MIN_ANALYSES or len(np.unique(x)) < MIN_TIMES:
        raise InputError(
            "analyses and storage times", (len(x), len(np.unique(x))), f"at least {MIN_ANALYSES} and {MIN_TIMES}"
        )
    y, degrees = np.log(share), len(x) - 2
    fit = stats.linregress(x, y)
    factor = float(stats.t.ppf(0.5 + confidence / 2, degrees))
    start = factor * float(fit.intercept_stderr)
    slope = factor * float(fit.stderr)
    grid = np.linspace(0.0, x.max(), 2001)
    scatter = np.sqrt(((y - fit.intercept - fit.slope * x) ** 2).sum() / degrees)
    error = scatter * np.sqrt(1 / len(x) + (grid - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    lower = fit.intercept + fit.slope * grid - float(stats.t.ppf(confidence, degrees)) * error
    below = lower < np.log(least)
    # The last time before which the limit has not been passed.
    storage = grid[-1] if not below.any() else grid[max(int(below.argmax()) - 1, 0)]
    return BagStability(
        analyses=len(x),
        recovery=float(np.exp(fit.intercept)),
        recovery_low=float(np.exp(fit.intercept - start)),
        recovery_high=float(np.exp(fit.intercept + start)),
        loss_per_hour=-float(fit.slope),
        loss_low=-float(fit.slope) - slope,
        loss_high=-float(fit.slope) + slope,
        stable=bool(abs(fit.slope) <= slope),
        storage=float(storage),
    )
