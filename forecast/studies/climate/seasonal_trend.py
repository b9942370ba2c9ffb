"""Trend of a daily series: the seasonal slope of its monthly means, with a block-bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazecast.forecast.studies.estimate import Estimate
from hazecast.forecast.studies.resampled import block_rows
from hazecast.grids.errors import InputError

RESAMPLES = 1000
# Months in a bootstrap block, days required in a month, months required for a trend. Chosen, not from a source.
_BLOCK, _MIN_DAYS, _MIN_MONTHS = 6, 20, 30


@dataclass(frozen=True)
class Trend:
    """Linear trend with its 95 % interval.

    Attributes
    ----------
    months : int
        Months used.
    first, last : str
        The first and the last of them, YYYY-MM.
    slope : Estimate
        Unit of the series per year.
    relative : Estimate
        The slope in percent of the mean of the months, per year.
    """

    months: int
    first: str
    last: str
    slope: Estimate
    relative: Estimate


def monthly_means(daily: pd.Series, least_days: int = _MIN_DAYS) -> pd.Series:
    """Return the monthly means of a daily series.

    Parameters
    ----------
    daily : pandas.Series (day)
        NaN where there is no value.
    least_days : int
        Valid days that a month needs.

    Returns
    -------
    pandas.Series (month)
        Indexed by period; months with fewer valid days are absent.
    """
    groups = daily.groupby(pd.DatetimeIndex(daily.index).to_period("M"))
    return groups.mean()[groups.count() >= least_days]


def seasonal_trend(daily: pd.Series, *, seed: int = 0) -> Trend:
    """Estimate a linear trend that is not affected by the season.

    The slope is the median over all pairs of the same calendar month in two years (Hirsch, Slack and Smith 1982,
    Water Resour. Res. 18:107, their seasonal slope estimator). For the interval, the residuals from that slope and
    from the level of each calendar month are resampled in circular blocks of six months, inflated for the degrees of
    freedom of the levels and the slope. The interval covers month-to-month variation of the weather, not decadal
    variation: over a few years a slope says little about emissions.

    Parameters
    ----------
    daily : pandas.Series (day)
        NaN where there is no value.
    seed : int
        Of the resampling.

    Returns
    -------
    Trend
        Slope in the unit of the series per year, and in percent of the mean per year.

    Raises
    ------
    InputError
        If fewer than 30 months have 20 valid days.

    Examples
    --------
    Four years that fall by 3 ug m-3 a year below a seasonal cycle:

    >>> import numpy as np
    >>> import pandas as pd
    >>> days = pd.date_range("2013-01-01", "2016-12-31")
    >>> years = (days - days[0]).days / 365.25
    >>> noise = np.random.default_rng(0).normal(0.0, 5.0, len(days))
    >>> daily = pd.Series(90 + 30 * np.cos(2 * np.pi * years) - 3 * years + noise, index=days)
    >>> found = seasonal_trend(daily)
    >>> found.months, round(found.slope.value)
    (48, -3)
    """
    months = monthly_means(daily)
    if len(months) < _MIN_MONTHS:
        raise InputError(f"trend: months with {_MIN_DAYS} valid days", len(months), f"at least {_MIN_MONTHS}")
    periods = pd.PeriodIndex(months.index)
    season = periods.month.to_numpy() - 1
    years = (periods.year.to_numpy() * 12 + season) / 12.0
    values = months.to_numpy(dtype=np.float64)
    slope = float(_slopes(values[None], years, season)[0])
    detrended = values - slope * years
    level = (pd.Series(detrended).groupby(season).transform("mean")).to_numpy()
    size = len(values)
    residuals = (detrended - level) * np.sqrt(size / (size - 1 - len(np.unique(season))))
    drawn = block_rows(size, _BLOCK, np.random.default_rng(seed), draws=RESAMPLES)
    resampled = _slopes(level + slope * years + residuals[drawn], years, season)
    low, high = np.quantile(resampled, (0.025, 0.975))
    percent = 100.0 / values.mean()
    return Trend(
        size,
        str(periods[0]),
        str(periods[-1]),
        Estimate(slope, float(low), float(high)),
        Estimate(slope * percent, float(low * percent), float(high * percent)),
    )


def _slopes(values: NDArray[np.float64], years: NDArray[np.float64], season: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the median seasonal slope per year of each row of values (row, month)."""
    first, second = np.triu_indices(len(years), 1)
    same = season[first] == season[second]
    first, second = first[same], second[same]
    return np.asarray(np.median((values[:, second] - values[:, first]) / (years[second] - years[first]), axis=1))
