"""From the quantiles of a forecast to probabilities, through scenarios.

A forecast gives quantiles for each hour and no dependence between hours. Haze hours depend on each other
strongly, so comonotone dependence is assumed: the trajectory that stays at the p-quantile in every hour,
and of every pollutant, is one scenario, and `LEVELS` gives equally likely ones. Whatever a criterion is
made of (an hour, a mean, days in a row), its probability is the share of scenarios that meet it. For "any
hour of a window" this is the highest hourly probability, the lowest value that any dependence allows; for
means it is the widest spread. The probability thresholds make up for the error of the assumption: they are
chosen on a backtest of these same probabilities.

Between quantiles, log(1 + concentration) is linear in the standard normal deviate; beyond the outermost
ones the outermost segment is carried on (a log-normal tail).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hazecast.grids.contract import QUANTILES
from hazecast.grids.errors import InputError

Float = npt.NDArray[np.float64]

# Odd, so that the median is one of them.
COUNT = 51
LEVELS: Float = (np.arange(COUNT) + 0.5) / COUNT
MEDIAN = COUNT // 2


def needed_scenario(probability: float) -> int:
    """Return the lowest scenario that must meet a level for the level's probability to reach `probability`."""
    return COUNT - int(np.ceil(COUNT * probability - 1e-9))


@lru_cache
def _weights() -> Float:
    """Return the matrix (scenario, quantile) that interpolates, and extrapolates at both ends."""
    # Imported here: SciPy is slow to load, and most that import this module need only its constants.
    from scipy.special import ndtri

    z, target = ndtri(np.array(QUANTILES)), ndtri(LEVELS)
    segment = np.clip(np.searchsorted(z, target) - 1, 0, len(z) - 2)
    share = (target - z[segment]) / (z[segment + 1] - z[segment])
    weights = np.zeros((COUNT, len(z)))
    rows = np.arange(COUNT)
    weights[rows, segment] = 1.0 - share
    weights[rows, segment + 1] = share
    return weights


def _sorted_log(values: npt.ArrayLike) -> Float:
    quantiles = np.asarray(values, dtype=np.float64)
    if quantiles.ndim == 0 or quantiles.shape[-1] != len(QUANTILES):
        raise InputError("scenarios: quantiles", quantiles.shape, f"{len(QUANTILES)} in the last axis")
    # Crossed quantiles are put in order; a missing one makes the whole hour missing.
    missing = np.isnan(quantiles).any(axis=-1, keepdims=True)
    return np.where(missing, np.nan, np.sort(np.log1p(np.maximum(quantiles, 0.0)), axis=-1))


def trajectories(values: npt.ArrayLike, *, highest: float = np.inf) -> Float:
    """Return the scenarios of one place.

    Parameters
    ----------
    values : array_like, (time, quantile)
        ug m-3, at `hazecast.grids.contract.QUANTILES`.
    highest : float
        Upper bound of every scenario, ug m-3: the physically possible range.

    Returns
    -------
    numpy.ndarray, (scenario, time)
        ug m-3, rising with the scenario; NaN in hours with a missing quantile.

    Raises
    ------
    InputError
        If the last axis isn't that of the quantiles.

    Examples
    --------
    >>> found = trajectories([[20.0, 30.0, 50.0, 80.0, 120.0]])
    >>> found.shape, float(found[MEDIAN, 0].round(6))
    ((51, 1), 50.0)
    """
    logs = _sorted_log(values)
    # Rounded, so that the logarithm's own errors don't decide a comparison with a threshold.
    return np.asarray(np.clip(np.round(np.expm1(_weights() @ logs.T), 9), 0.0, highest), dtype=np.float64)


def exceedance_probability(values: npt.ArrayLike, threshold: npt.ArrayLike) -> Float:
    """Return the probability that a concentration exceeds a threshold, hour by hour.

    Parameters
    ----------
    values : array_like, (..., quantile)
        ug m-3, at `hazecast.grids.contract.QUANTILES`.
    threshold : array_like, (...)
        ug m-3, one for all or one for each.

    Returns
    -------
    numpy.ndarray, (...)
        0 to 1; NaN where a quantile is missing.

    Raises
    ------
    InputError
        If a threshold is negative or the last axis isn't that of the quantiles.

    Examples
    --------
    >>> float(exceedance_probability([20.0, 30.0, 50.0, 80.0, 120.0], 80.0).round(3))
    0.25
    """
    from scipy.special import ndtr, ndtri

    if not np.all(np.asarray(threshold) >= 0.0):
        raise InputError("exceedance: threshold", threshold, "0 or more")
    logs, bound = _sorted_log(values), np.log1p(threshold)
    z = ndtri(np.array(QUANTILES))
    deviate = np.full(logs.shape[:-1], np.nan)
    for low in range(len(z) - 1):
        first, second = logs[..., low], logs[..., low + 1]
        rise = second - first
        share = np.where(rise > 1e-9, (bound - first) / np.maximum(rise, 1e-9), np.where(bound >= first, 1e3, -1e3))
        here = z[low] + share * (z[low + 1] - z[low])
        inside = (bound >= first) if low else np.ones(first.shape, bool)
        deviate = np.where(inside, here, deviate)
    return np.asarray(np.where(np.isnan(logs).any(axis=-1), np.nan, 1.0 - ndtr(deviate)), dtype=np.float64)


def trailing_mean(values: Float, hours: int, minimum: int) -> Float:
    """Return running means over the hours up to each stamp.

    Parameters
    ----------
    values : float64 (..., time)
        Hourly, any unit; NaN where missing. Hours before the axis count as missing.
    hours : int
        Length of the mean.
    minimum : int
        Fewer valid hours give NaN.

    Returns
    -------
    float64 (..., time)
    """
    valid = np.isfinite(values)

    def sums(array: Float) -> Float:
        total = np.cumsum(array, axis=-1)
        shifted = np.zeros_like(total)
        shifted[..., hours:] = total[..., :-hours]
        return total - shifted

    count = sums(valid.astype(np.float64))
    mean = sums(np.where(valid, values, 0.0)) / np.maximum(count, 1.0)
    # Rounded, so that the sums' own errors don't decide a comparison with a threshold.
    return np.asarray(np.where(count >= minimum, np.round(mean, 9), np.nan), dtype=np.float64)
