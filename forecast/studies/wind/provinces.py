"""Transport from provinces: concentrations at arrival against the hours that the air spent over each area.

A regression on residence time. What it gives of an area is what the air brings more for an hour over it than for an hour over no
area at all (the sea, or areas that are not named): a contribution of the region, not an inventory of its emissions. Paths of
neighbouring areas go together, which widens the intervals; they are honest about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from hazecast.forecast.evaluation.comparison import resampled_days
from hazecast.grids.errors import InputError

Array = NDArray[np.float64]

# All chosen: fewer give no interval that can be trusted.
MIN_DAYS, MIN_DAYS_CROSSED = 30, 8
# Days in a block of the resampling: as long as a path, since the weather of one day is also that of the next.
BLOCK_DAYS = 3
RESAMPLES = 500
_LEVEL = 0.95
SEASONS = {12: "winter", 1: "winter", 2: "winter"} | dict.fromkeys((3, 4, 5), "spring")
SEASONS |= dict.fromkeys((6, 7, 8), "summer") | dict.fromkeys((9, 10, 11), "autumn")


@dataclass(frozen=True)
class Contributions:
    """What areas contribute to elements.

    Attributes
    ----------
    table : pandas.DataFrame ((element, area))
        ``hours`` (mean over the area before an arrival), ``per_hour`` (concentration for each hour), ``contribution`` (to the mean
        concentration), ``low`` and ``high`` (95 % of it), ``share`` of the mean, ``share_low`` and ``share_high``, ``shown`` (whether
        the interval is above 0). An area that the air crossed on fewer than `MIN_DAYS_CROSSED` days has its hours alone.
    elements : pandas.DataFrame (element)
        ``samples``, ``days``, ``mean``, ``rest`` (share of the mean that no area accounts for: background, what is emitted
        where the air arrives, other areas), ``r2``.
    """

    table: pd.DataFrame
    elements: pd.DataFrame


def residence(paths: xr.Dataset, areas: Mapping[str, shapely.Geometry]) -> pd.DataFrame:
    """Return how long the air of each arrival had been over each area.

    Parameters
    ----------
    paths : xarray.Dataset (parcel, age)
        Backward, as from `hazecast.forecast.studies.wind.trajectories.trajectories`; ``age`` in hours.
    areas : mapping of str to shapely.Geometry
        In degrees. Where two overlap, an hour counts for both.

    Returns
    -------
    pandas.DataFrame (parcel, area)
        Hours; NaN where a path ended early. The arrival itself counts for none: it is common to all paths.

    Raises
    ------
    InputError
        If there is no area, or the paths are not backward.
    """
    age = paths["age"].values.astype(float)
    if not areas:
        raise InputError("areas", "none", "one or more")
    if len(age) < 2 or not (np.diff(age) < 0).all():
        raise InputError("age", age[:3].tolist(), "hours that go backward from 0")
    lat, lon = paths["latitude"].values[:, 1:], paths["longitude"].values[:, 1:]
    hours, whole = -np.diff(age), np.isfinite(lat).all(axis=1)
    found = {}
    for name, area in areas.items():
        shapely.prepare(area)
        found[name] = np.where(whole, shapely.contains_xy(area, lon, lat) @ hours, np.nan)
    return pd.DataFrame(found)


def of_filters(
    hours: pd.DataFrame, arrival: NDArray[np.datetime64], start: Sequence[pd.Timestamp], end: Sequence[pd.Timestamp]
) -> pd.DataFrame:
    """Return the mean residence of the arrivals during each filter, which holds the air of its whole period.

    Parameters
    ----------
    hours : pandas.DataFrame (parcel, area)
        From `residence`.
    arrival : datetime64 (parcel,)
        UTC.
    start, end : sequence of pandas.Timestamp
        Of the filters, UTC; arrivals after the start and up to the end count.

    Returns
    -------
    pandas.DataFrame (filter, area)
        NaN where no arrival falls into the period.
    """
    times = pd.DatetimeIndex(arrival)
    rows = [hours[(times > first) & (times <= last)].mean() for first, last in zip(start, end, strict=True)]
    return pd.DataFrame(rows, columns=hours.columns).reset_index(drop=True)


def contributions(
    hours: pd.DataFrame,
    concentration: pd.DataFrame,
    when: pd.DatetimeIndex,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Contributions:
    """Estimate what areas contribute, with a level of each season and intervals from resampled blocks of days.

    Ordinary least squares, each element by itself, not bound to be positive: an estimate below 0 says that none is shown. The
    intervals are of the contribution in the very period of the samples: its paths are given, and what varies are emissions and
    measurements.

    Parameters
    ----------
    hours : pandas.DataFrame (sample, area)
        From `residence` or `of_filters`; samples without are left out.
    concentration : pandas.DataFrame (sample, element)
        In any unit, the same samples; NaN where missing, zero allowed.
    when : pandas.DatetimeIndex (sample,)
        Time of each sample, whose month gives the season.
    resamples : int
    seed : int
        Of the resampling.

    Returns
    -------
    Contributions

    Raises
    ------
    InputError
        If the samples differ, a concentration is negative, or an element has fewer than `MIN_DAYS` days.
    """
    if not len(hours) == len(concentration) == len(when):
        raise InputError("samples", (len(hours), len(concentration), len(when)), "the same in paths and concentrations")
    negative = [str(name) for name in concentration if (concentration[name] < 0).any()]
    if negative:
        raise InputError(f"element {negative[0]}", float(concentration[negative[0]].min()), "0 or more")
    rows: dict[tuple[str, str], dict[str, object]] = {}
    elements: dict[str, dict[str, object]] = {}
    for name in concentration:
        known = (hours.notna().all(axis=1).to_numpy()) & concentration[name].notna().to_numpy()
        days, value = when[known].normalize(), concentration[name].to_numpy(float)[known]
        if len(value) and not value.std() > 0:
            raise InputError(f"element {name}", f"{value[0]:g} in every sample", "concentrations that vary")
        if days.nunique() < MIN_DAYS:
            raise InputError(f"element {name}: days with a path", days.nunique(), f"at least {MIN_DAYS}")
        one = _Fit(hours[known].to_numpy(float), value, when[known])
        one.resample(resamples, seed)
        rows |= {(str(name), area): one.row(number) for number, area in enumerate(map(str, hours.columns))}
        elements[str(name)] = one.summary()
    table = pd.DataFrame(list(rows.values()), index=pd.MultiIndex.from_tuples(rows, names=["element", "area"]))
    return Contributions(table, pd.DataFrame(list(elements.values()), index=pd.Index(elements, name="element")))


def by_season(
    hours: pd.DataFrame, concentration: pd.DataFrame, when: pd.DatetimeIndex, *, seed: int = 0
) -> dict[str, Contributions]:
    """Estimate what areas contribute in each season by itself.

    Parameters
    ----------
    hours, concentration, when
        As `contributions`.
    seed : int
        Of the resampling.

    Returns
    -------
    dict of str to Contributions
        By season, of those that have enough days of every element.
    """
    found = {}
    season = np.array([SEASONS[month] for month in when.month])
    for name in dict.fromkeys(season):
        chosen = season == name
        known = concentration[chosen].notna() & hours[chosen].notna().all(axis=1).to_numpy()[:, None]
        days = when[chosen].normalize()
        if all(days[known[one].to_numpy()].nunique() >= MIN_DAYS for one in known):
            found[str(name)] = contributions(hours[chosen], concentration[chosen], when[chosen], seed=seed)
    return found


class _Fit:
    """The regression of one element: normal equations by day, which resampling adds up again."""

    def __init__(self, hours: Array, value: Array, when: pd.DatetimeIndex) -> None:
        self.hours, self.value = hours, value
        days = when.normalize()
        first = days.min()
        # Days without samples keep their place: blocks are of neighbouring days.
        self.day = ((days - first) // pd.Timedelta(days=1)).to_numpy(np.int64)
        crossed = [len(np.unique(self.day[column > 0])) >= MIN_DAYS_CROSSED for column in hours.T]
        self.used = np.flatnonzero(crossed)
        levels = pd.get_dummies(pd.Series([SEASONS[month] for month in when.month])).to_numpy(float)
        self.design = np.column_stack([hours[:, self.used], levels])
        self.beta = self._solved(np.ones((1, int(self.day.max()) + 1)))[0]

    def _solved(self, counts: Array) -> Array:
        """Return the coefficients where days count so often, (resample, coefficient)."""
        length = counts.shape[1]
        squares = np.zeros((length, self.design.shape[1], self.design.shape[1]))
        np.add.at(squares, self.day, self.design[:, :, None] * self.design[:, None, :])
        moments = np.zeros((length, self.design.shape[1]))
        np.add.at(moments, self.day, self.design * self.value[:, None])
        inverse = np.linalg.pinv(np.tensordot(counts, squares, 1), hermitian=True)
        return np.asarray(np.einsum("rij,rj->ri", inverse, counts @ moments))

    def resample(self, resamples: int, seed: int) -> None:
        """Draw blocks of days; the half width of the interval of each coefficient, by Student's t.

        Its degrees of freedom are the blocks less the coefficients: with few blocks the percentiles of the draws are too narrow.
        """
        length = int(self.day.max()) + 1
        freedom = length / BLOCK_DAYS - self.design.shape[1]
        if freedom < 1:
            raise InputError("days", length, f"more than {BLOCK_DAYS * (self.design.shape[1] + 1)} for as many areas")
        counts = resampled_days(length, block=BLOCK_DAYS, resamples=resamples, seed=seed).astype(float)
        spread = self._solved(counts).std(axis=0, ddof=1)
        self.half = spread * float(stats.t.ppf((1 + _LEVEL) / 2, freedom))

    def row(self, area: int) -> dict[str, object]:
        """Return the row of an area."""
        spent = float(self.hours[:, area].mean())
        if area not in self.used:
            return {"hours": spent, "shown": False}
        at = int(np.flatnonzero(self.used == area)[0])
        slope, half, mean = float(self.beta[at]), float(self.half[at]), float(self.value.mean())
        brought, off = slope * spent, half * spent
        found: dict[str, object] = {"hours": spent, "per_hour": slope, "contribution": brought}
        found |= {"low": brought - off, "high": brought + off, "share": brought / mean}
        return found | {
            "share_low": (brought - off) / mean,
            "share_high": (brought + off) / mean,
            "shown": slope > half,
        }

    def summary(self) -> dict[str, object]:
        """Return what is said of the element."""
        fitted, mean = self.design @ self.beta, float(self.value.mean())
        left = float(((self.value - fitted) ** 2).sum() / ((self.value - mean) ** 2).sum())
        brought = float(self.beta[: len(self.used)] @ self.hours[:, self.used].mean(axis=0))
        days = len(np.unique(self.day))
        return {"samples": len(self.value), "days": days, "mean": mean, "rest": 1 - brought / mean, "r2": 1 - left}
