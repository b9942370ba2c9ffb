"""Trend and change point of a weather-adjusted series, with intervals that allow for autocorrelation of the weeks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau, theilslopes

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires

# Weeks in a bootstrap block, fewest weeks on each side of a change, fewest weeks of a series. Chosen.
_BLOCK_WEEKS, _SIDE_WEEKS, _MIN_WEEKS = 8, 13, 52
_YEAR = 365.25


@dataclass(frozen=True)
class Trend:
    """Linear trend of the logarithm.

    Attributes
    ----------
    per_year, low, high : float
        Relative change per year (-0.05 is 5 % less), Theil-Sen, and its interval from blocks of eight weeks.
    level : float
        Nominal coverage of the interval.
    tau : float
        Kendall's tau of the weeks (Mann-Kendall's statistic, scaled).
    p_value : float
        Share of block-resampled series without a trend whose tau is at least as large.
    weeks : int
        Weeks with a value.
    """

    per_year: float
    low: float
    high: float
    level: float
    tau: float
    p_value: float
    weeks: int


@dataclass(frozen=True)
class ChangePoint:
    """One step of the mean of the logarithm.

    Attributes
    ----------
    date : pandas.Timestamp
        First week after the step.
    earliest, latest : pandas.Timestamp
        Interval of the date.
    change, low, high : float
        Relative change across the step, and its interval.
    level : float
        Nominal coverage of the intervals.
    p_value : float
        Share of block-resampled series without a step in which the best step explains at least as much.
    """

    date: pd.Timestamp
    earliest: pd.Timestamp
    latest: pd.Timestamp
    change: float
    low: float
    high: float
    level: float
    p_value: float


def weekly(daily: pd.Series) -> pd.Series:
    """Return the logarithm of weekly means (of at least four days) without its annual cycle.

    The cycle is two harmonics, fitted together with a linear trend, which is not removed.

    Raises
    ------
    InputError
        If fewer than 52 weeks have a value, or a value is not above zero.
    """
    if bool((daily.dropna() <= 0).any()):
        raise InputError("concentration", float(daily.min()), "above zero")
    by_week = daily.resample("7D")
    log = np.log(by_week.mean().where(by_week.count() >= 4)).dropna()
    if len(log) < _MIN_WEEKS:
        raise InputError("weeks with a value", len(log), f"at least {_MIN_WEEKS}")
    years = _years(log)
    waves = [f(2 * np.pi * k * years) for k in (1, 2) for f in (np.sin, np.cos)]
    design = np.stack([np.ones_like(years), years, *waves], axis=1)
    fitted = np.linalg.lstsq(design, log.to_numpy(), rcond=None)[0]
    return pd.Series(log.to_numpy() - design[:, 2:] @ fitted[2:], index=log.index)


def trend(log: pd.Series, *, level: float = 0.9, resamples: int = 500, seed: int = 0) -> Trend:
    """Estimate the Theil-Sen slope and the Mann-Kendall test of a weekly series.

    Parameters
    ----------
    log : pandas.Series (week)
        Logarithms, as from `weekly`.
    level : float
        Nominal coverage of the interval.
    resamples : int
        Block-resampled series for the interval and the test.
    seed : int
        Of the resampling.

    Returns
    -------
    Trend
        Relative change per year.

    Examples
    --------
    Two years of weeks that fall by a tenth a year:

    >>> import numpy as np
    >>> import pandas as pd
    >>> weeks = pd.date_range("2013-01-07", periods=104, freq="7D")
    >>> years = (weeks - weeks[0]).days / 365.25
    >>> noise = np.random.default_rng(1).normal(0.0, 0.05, 104)
    >>> found = trend(pd.Series(4.0 + np.log(0.9) * years + noise, index=weeks), resamples=50)
    >>> round(found.per_year, 2), found.p_value < 0.05
    (-0.1, True)
    """
    years, values = _years(log), log.to_numpy()
    slope = float(theilslopes(values, years).slope)
    drawn = _blocks(values - slope * years, resamples, seed)
    slopes = np.array([theilslopes(slope * years + one, years).slope for one in drawn])
    taus = np.array([kendalltau(years, one).statistic for one in drawn])
    tau = float(kendalltau(years, values).statistic)
    low, high = np.expm1(np.quantile(slopes, [(1 - level) / 2, (1 + level) / 2]))
    p = (1 + int((np.abs(taus) >= abs(tau)).sum())) / (resamples + 1)
    return Trend(float(np.expm1(slope)), float(low), float(high), level, tau, p, len(log))


def change_point(log: pd.Series, *, level: float = 0.9, resamples: int = 200, seed: int = 0) -> ChangePoint:
    """Find the single step that explains most of the variance, at least 13 weeks from either end (least squares).

    This does not distinguish a step from a slope: compare with `trend`.

    Parameters
    ----------
    log : pandas.Series (week)
        Logarithms, as from `weekly`.
    level : float
        Nominal coverage of the intervals.
    resamples : int
        Block-resampled series for the intervals and the test.
    seed : int
        Of the resampling.

    Returns
    -------
    ChangePoint
        Date and relative change.

    Raises
    ------
    MissingExtraError
        If the package ``ruptures`` (extra ``studies``) is not installed.
    """
    values = log.to_numpy()
    at, gain = _best(values)
    means = np.where(np.arange(len(values)) < at, values[:at].mean(), values[at:].mean())
    drawn = _blocks(values - means, resamples, seed)
    places = np.array([_best(means + one)[0] for one in drawn])
    steps = np.array(
        [(means + one)[k:].mean() - (means + one)[:k].mean() for one, k in zip(drawn, places, strict=True)]
    )
    null = np.array([_best(one)[1] for one in drawn])
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.expm1(np.quantile(steps, tails))
    first, last = np.quantile(places, tails, method="nearest").astype(int)
    return ChangePoint(
        log.index[at], log.index[first], log.index[last], float(np.expm1(means[-1] - means[0])), float(low), float(high),
        level, (1 + int((null >= gain).sum())) / (resamples + 1),
    )  # fmt: skip


def _best(values: NDArray[Any]) -> tuple[int, float]:
    """Return the position of the best step and the sum of squares that it explains."""
    ruptures = requires("ruptures", "studies")
    found = int(ruptures.Binseg(model="l2", min_size=_SIDE_WEEKS, jump=1).fit(values).predict(n_bkps=1)[0])
    left, right = values[:found], values[found:]
    gain = len(values) * values.var() - len(left) * left.var() - len(right) * right.var()
    return found, float(gain)


def _blocks(residuals: NDArray[Any], resamples: int, seed: int) -> NDArray[Any]:
    """Return block-resampled series of residuals (resamples, weeks), centred."""
    random = np.random.default_rng(seed)
    n = len(residuals)
    starts = random.integers(0, n, size=(resamples, -(-n // _BLOCK_WEEKS)))
    places = (starts[:, :, None] + np.arange(_BLOCK_WEEKS)).reshape(resamples, -1)[:, :n] % n
    return np.asarray(residuals[places] - residuals.mean())


def _years(log: pd.Series) -> NDArray[Any]:
    days = pd.DatetimeIndex(log.index)
    return np.asarray((days - days[0]).days, dtype=float) / _YEAR
