"""From the quantiles of a forecast to probabilities, through scenarios.

A forecast gives quantiles for each hour. `COUNT` equally likely scenarios represent it: in every hour their values are exactly
its quantiles at `LEVELS`, and over the hours they go together as the errors of forecasts do
(`hazecast.forecast.dependence`). Whatever a criterion is made of (any hour of a window, a mean, days in a row), its
probability is the share of scenarios that meet it. Humidity and visibility have scenarios of their own.

Between quantiles, log(1 + concentration) is linear in the standard normal deviate; beyond the outermost
ones the outermost segment is carried on (a log-normal tail).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hazecast.forecast.dependence import COUNT, LEVELS, Variable, levels, ranks
from hazecast.grids.contract import QUANTILES
from hazecast.grids.errors import InputError

Float = npt.NDArray[np.float64]

# The standard deviation of the logit of relative humidity's error when it persists by the hour of the day, on days 1 to 5
# (Beijing, 2014-03 to 2015-02), and that of a forecast of it as a share of that: 13.5 to 15.9 % against 20 to 24 % (a
# regional model over Beijing, autumn 2018, models/weather_errors.py).
_HUMIDITY_DEVIATION = (0.99, 1.09, 1.10, 1.11, 1.12)
_FORECAST_SHARE = 0.67


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


def at_levels(values: npt.ArrayLike, *, highest: float = np.inf) -> Float:
    """Return the quantiles of every hour at `LEVELS`, each hour by itself.

    Parameters
    ----------
    values : array_like, (time, quantile)
        ug m-3, at `hazecast.grids.contract.QUANTILES`.
    highest : float
        Upper bound, ug m-3: the physically possible range.

    Returns
    -------
    numpy.ndarray, (level, time)
        ug m-3, rising with the level; NaN in hours with a missing quantile.

    Raises
    ------
    InputError
        If the last axis isn't that of the quantiles.

    Examples
    --------
    >>> from hazecast.forecast.dependence import MEDIAN
    >>> found = at_levels([[20.0, 30.0, 50.0, 80.0, 120.0]])
    >>> found.shape, float(found[MEDIAN, 0].round(6))
    ((101, 1), 50.0)
    """
    logs = _sorted_log(values)
    # Rounded, so that the logarithm's own errors don't decide a comparison with a threshold.
    return np.asarray(np.clip(np.round(np.expm1(_weights() @ logs.T), 9), 0.0, highest), dtype=np.float64)


def at_highest_level(values: npt.ArrayLike, *, highest: float = np.inf) -> Float:
    """Return what no scenario is above in any hour: the last row of `at_levels`, without the others.

    Parameters
    ----------
    values : array_like, (time, quantile)
        ug m-3, at `hazecast.grids.contract.QUANTILES`.
    highest : float
        Upper bound, ug m-3.

    Returns
    -------
    numpy.ndarray, (time,)
        ug m-3, but for the rounding of sums equal to that row.

    Raises
    ------
    InputError
        If the last axis isn't that of the quantiles.
    """
    logs = _sorted_log(values)
    return np.asarray(np.clip(np.round(np.expm1(logs @ _weights()[-1]), 9), 0.0, highest), dtype=np.float64)


def trajectories(values: npt.ArrayLike, variable: Variable, *, highest: float = np.inf) -> Float:
    """Return the scenarios of one place.

    Parameters
    ----------
    values : array_like, (lead_time, quantile)
        Hourly from one hour ahead, ug m-3, at `hazecast.grids.contract.QUANTILES`.
    variable : {"pm25", "o3"}
        Whose dependence over hours they have.
    highest : float
        Upper bound of every scenario, ug m-3: the physically possible range.

    Returns
    -------
    numpy.ndarray, (scenario, lead_time)
        ug m-3; in every hour the values of `at_levels` in another order. NaN in hours with a missing quantile.

    Raises
    ------
    InputError
        If the last axis isn't that of the quantiles.
    """
    rising = at_levels(values, highest=highest)
    return np.take_along_axis(rising, ranks(variable, rising.shape[1]), axis=0)


def needed_level(rising: Float, share: float, *, first: int = 0, hours: int = 1, of_hours: int = 1) -> int:
    """Return the level that is as high for so many hours as a share of the scenarios is.

    The values of one level in all hours are no scenario, but a likely shape of the hours: with it, a place for which no
    scenarios are at hand meets a criterion of hours about when that share of its scenarios would.

    Parameters
    ----------
    rising : float64 (level, time)
        PM2.5 as from `at_levels`, without gaps.
    share : float
        Of the scenarios, above 0.
    first : int
        Lead times of the forecast before those given.
    hours, of_hours : int
        For `hours` of some `of_hours` hours in a row; by default the highest hour counts.

    Returns
    -------
    int
        Position in `LEVELS`.
    """
    order = ranks("pm25", first + rising.shape[1])[:, first:]
    reached = np.sort(_lasting(np.take_along_axis(rising, order, axis=0), hours, of_hours))
    wanted = reached[max(COUNT - max(int(np.ceil(COUNT * share - 1e-9)), 1), 0)]
    return int(min(np.searchsorted(_lasting(rising, hours, of_hours), wanted), COUNT - 1))


def _lasting(values: Float, hours: int, of_hours: int) -> Float:
    """Return the value that is reached for `hours` of some `of_hours` hours in a row, (level,)."""
    span = min(of_hours, values.shape[1])
    stretches = np.lib.stride_tricks.sliding_window_view(values, span, axis=1)
    place = max(span - hours, 0)
    return np.asarray(np.partition(stretches, place, axis=-1)[..., place].max(axis=-1), dtype=np.float64)


def humidity_trajectories(humidity: Float, source: str) -> Float:
    """Return the scenarios of relative humidity.

    The logit of the humidity has a normal error, whose deviation grows with the days ahead.

    Parameters
    ----------
    humidity : float64 (lead_time,)
        Hourly from one hour ahead, %.
    source : str
        A forecast's ``humidity_source``; see `hazecast.forecast.produce.humidity_ahead`. Where it is that of a forecast or of
        persistence, humidity errs; what was observed, or has no source, is certain.

    Returns
    -------
    float64 (scenario, lead_time)
        %; NaN where the humidity is.
    """
    share = {"diurnal persistence": 1.0, "mixed": 1.0, "forecast weather": _FORECAST_SHARE}.get(source, 0.0)
    if share == 0.0:
        return np.broadcast_to(humidity, (COUNT, humidity.size)).astype(np.float64)
    from scipy.special import expit, logit

    days = (np.arange(humidity.size) + 0.5) / 24.0
    deviation = share * np.interp(days, np.arange(len(_HUMIDITY_DEVIATION)) + 0.5, _HUMIDITY_DEVIATION)
    given = logit(np.clip(humidity / 100.0, 0.01, 0.99))
    return np.asarray(100.0 * expit(given + deviation * _humidity_deviates(humidity.size)), dtype=np.float64)


@lru_cache(maxsize=8)
def _humidity_deviates(hours: int) -> Float:
    """Return the normal deviates of the scenarios of humidity, (scenario, lead_time): the same for every place."""
    from scipy.special import ndtri

    return np.asarray(ndtri(levels("humidity", hours)), dtype=np.float64)


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
