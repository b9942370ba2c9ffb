"""A simple trend of a daily series: the seasonal slope of its months, with a block-bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazecast.forecast.studies.ozone.effects import Estimate
from hazecast.grids.errors import InputError

RESAMPLES = 1000
# Months drawn together, days that a month needs, and months that a trend needs. Chosen, not taken from a source.
_BLOCK, _MIN_DAYS, _MIN_MONTHS = 6, 20, 30


@dataclass(frozen=True)
class Trend:
    """A trend.

    Attributes
    ----------
    months : int
        Months behind it.
    first, last : str
        The first and the last of them.
    slope : Estimate
        Unit of the series a year.
    relative : Estimate
        The same in percent of the mean of the months.
    """

    months: int
    first: str
    last: str
    slope: Estimate
    relative: Estimate


def monthly_means(daily: pd.Series, least_days: int = _MIN_DAYS) -> pd.Series:
    """Return the mean of each month (PeriodIndex) with at least `least_days` valid days; other months are absent."""
    groups = daily.groupby(pd.DatetimeIndex(daily.index).to_period("M"))
    return groups.mean()[groups.count() >= least_days]


def seasonal_trend(daily: pd.Series, *, seed: int = 0) -> Trend:
    """Estimate a trend free of the season.

    The slope is the median over all pairs of the same calendar month in two years (Hirsch, Slack and Smith 1982,
    Water Resour. Res. 18:107, their seasonal slope estimator). For the interval, residuals from that slope and
    the level of each calendar month are drawn again in circular blocks of six months, widened for the levels and
    the slope that were fitted. It holds what weather does from month to month, not what it does from decade to
    decade: over few years a slope tells little of emissions.

    Parameters
    ----------
    daily : pandas.Series (day)
        NaN where there is no value.
    seed : int

    Raises
    ------
    InputError
        If fewer than 30 months have 20 valid days.
    """
    months = monthly_means(daily)
    if len(months) < _MIN_MONTHS:
        raise InputError(f"trend: months with {_MIN_DAYS} valid days", len(months), f"at least {_MIN_MONTHS}")
    periods = pd.PeriodIndex(months.index)
    season = periods.month.to_numpy() - 1
    years = (periods.year.to_numpy() * 12 + season) / 12.0
    values = months.to_numpy(dtype=np.float64)
    slope = float(_slopes(values[None], years, season)[0])
    rest = values - slope * years
    level = (pd.Series(rest).groupby(season).transform("mean")).to_numpy()
    size = len(values)
    residuals = (rest - level) * np.sqrt(size / (size - 1 - len(np.unique(season))))
    starts = np.random.default_rng(seed).integers(size, size=(RESAMPLES, -(-size // _BLOCK)))
    drawn = ((starts[:, :, None] + np.arange(_BLOCK)).reshape(RESAMPLES, -1) % size)[:, :size]
    again = _slopes(level + slope * years + residuals[drawn], years, season)
    low, high = np.quantile(again, (0.025, 0.975))
    percent = 100.0 / values.mean()
    return Trend(
        size,
        str(periods[0]),
        str(periods[-1]),
        Estimate(slope, float(low), float(high)),
        Estimate(slope * percent, float(low * percent), float(high * percent)),
    )


def _slopes(values: NDArray[np.float64], years: NDArray[np.float64], season: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the median slope, a year, of each row of (row, month)."""
    first, second = np.triu_indices(len(years), 1)
    same = season[first] == season[second]
    first, second = first[same], second[same]
    return np.asarray(np.median((values[:, second] - values[:, first]) / (years[second] - years[first]), axis=1))
