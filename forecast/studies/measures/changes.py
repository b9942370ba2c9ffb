"""Trend and change-point of a weather-normalised series, with intervals that know neighbouring weeks are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau, theilslopes

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires

# Weeks drawn together, and the fewest on each side of a change: chosen.
_BLOCK_WEEKS, _SIDE_WEEKS, _MIN_WEEKS = 8, 13, 52
_YEAR = 365.25


@dataclass(frozen=True)
class Trend:
    """Straight change of the logarithm.

    Attributes
    ----------
    per_year, low, high : float
        Relative change a year (-0.05 is 5 % less), Theil-Sen, and its interval from blocks of eight weeks.
    level : float
    tau : float
        Kendall's tau of the weeks (Mann-Kendall's statistic, scaled).
    p_value : float
        Share of block-resampled series without a trend whose tau is as large.
    weeks : int
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
        Relative change across it.
    level : float
    p_value : float
        Share of block-resampled series without a step in which the best step explains as much.
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
    """Return the logarithm of weekly means (of at least four days) without its yearly cycle.

    The cycle is two harmonics, fitted together with a straight line that stays in.

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
    """Estimate Theil-Sen's slope and Mann-Kendall's test of a series of weeks, as `weekly` gives it."""
    years, values = _years(log), log.to_numpy()
    slope = float(theilslopes(values, years).slope)
    rest = values - slope * years
    drawn = _blocks(rest, resamples, seed)
    slopes = np.array([theilslopes(slope * years + one, years).slope for one in drawn])
    taus = np.array([kendalltau(years, one).statistic for one in drawn])
    tau = float(kendalltau(years, values).statistic)
    low, high = np.expm1(np.quantile(slopes, [(1 - level) / 2, (1 + level) / 2]))
    p = (1 + int((np.abs(taus) >= abs(tau)).sum())) / (resamples + 1)
    return Trend(float(np.expm1(slope)), float(low), float(high), level, tau, p, len(log))


def change_point(log: pd.Series, *, level: float = 0.9, resamples: int = 200, seed: int = 0) -> ChangePoint:
    """Find the one step that explains most, at least 13 weeks from either end (least squares).

    Whether it is a step or a slope can't be told from this: both are given their say by `trend`.
    """
    values = log.to_numpy()
    at, gain = _best(values)
    means = np.where(np.arange(len(values)) < at, values[:at].mean(), values[at:].mean())
    drawn = _blocks(values - means, resamples, seed)
    again = [_best(means + one) for one in drawn]
    places = np.array([one[0] for one in again])
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
    ruptures = requires("ruptures", "studies")
    found = ruptures.Binseg(model="l2", min_size=_SIDE_WEEKS, jump=1).fit(values).predict(n_bkps=1)[0]
    left, right = values[:found], values[found:]
    gain = len(values) * values.var() - len(left) * left.var() - len(right) * right.var()
    return found, float(gain)


def _blocks(rest: NDArray[Any], resamples: int, seed: int) -> NDArray[Any]:
    """Return series of blocks drawn from `rest`, (resamples, weeks), centred."""
    random = np.random.default_rng(seed)
    n = len(rest)
    starts = random.integers(0, n, size=(resamples, -(-n // _BLOCK_WEEKS)))
    places = (starts[:, :, None] + np.arange(_BLOCK_WEEKS)).reshape(resamples, -1)[:, :n] % n
    return np.asarray(rest[places] - rest.mean())


def _years(log: pd.Series) -> NDArray[Any]:
    days = pd.DatetimeIndex(log.index)
    return np.asarray((days - days[0]).days, dtype=float) / _YEAR
