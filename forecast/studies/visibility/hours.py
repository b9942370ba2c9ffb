"""Hours with PM2.5, humidity and a reported visibility, and the scores of a visibility computed for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hazecast.forecast.evaluation.comparison import BLOCK_DAYS, resampled_days
from hazecast.forecast.site_visibility import inputs_of
from hazecast.forecast.studies.resampled import expanded_tail
from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

# m; what the haze signal's levels and the haze grades turn on.
THRESHOLDS = (2_000.0, 3_000.0, 5_000.0)
# An observer or sensor reports 10 km or more as one.
LIMIT = 9_950.0
_RESAMPLES = 500


@dataclass(frozen=True)
class Hours:
    """Hours of one site, without those of precipitation or with anything missing.

    Attributes
    ----------
    times : datetime64[ns] (hour,)
        End of the hour, UTC.
    pm25, humidity : float64 (hour,)
        ug m-3, %.
    rising, free : float64 (input, hour)
        As from `hazecast.forecast.site_visibility.inputs_of`.
    observed : float64 (hour,)
        Visibility, m; above `LIMIT` it means that or more.
    longitude : float
    """

    times: npt.NDArray[np.datetime64]
    pm25: Float
    humidity: Float
    rising: Float
    free: Float
    observed: Float
    longitude: float

    @property
    def years(self) -> npt.NDArray[np.int64]:
        """The calendar year of each hour, UTC."""
        return np.asarray(pd.DatetimeIndex(self.times).year, dtype=np.int64)

    def where(self, chosen: Bool) -> Hours:
        """Return some of the hours."""
        return Hours(
            self.times[chosen], self.pm25[chosen], self.humidity[chosen], self.rising[:, chosen], self.free[:, chosen],
            self.observed[chosen], self.longitude,
        )  # fmt: skip


def paired_hours(pm25: xr.DataArray, weather: xr.Dataset, longitude: float) -> Hours:
    """Pair the PM2.5 of a city with the reports of a weather station.

    Parameters
    ----------
    pm25 : xarray.DataArray (time)
        Hourly without gaps in the axis, ug m-3.
    weather : xarray.Dataset (time)
        As from `hazecast.grids.observations.isd.read_isd`: ``t2m`` and ``d2m``, K, ``visibility``, m, ``rain`` and
        ``snow``, above 0 where reported.
    longitude : float
        Of the city, degrees east.

    Returns
    -------
    Hours

    Raises
    ------
    InputError
        If a variable is absent or no hour is left.
    """
    absent = [name for name in ("t2m", "d2m", "visibility", "rain", "snow") if name not in weather]
    if absent:
        raise InputError("weather station: variables", sorted(map(str, weather.data_vars)), f"also {', '.join(absent)}")
    here = weather.reindex(time=pm25["time"])
    mass = np.asarray(pm25.values, dtype=np.float64)
    moist = np.asarray(relative_humidity(here["t2m"].values, here["d2m"].values), dtype=np.float64)
    seen = np.asarray(here["visibility"].values, dtype=np.float64)
    rising, free = inputs_of(mass, moist, pm25["time"].values, longitude)
    dry = (here["rain"].values == 0.0) & (here["snow"].values == 0.0)
    use = dry & np.isfinite(seen) & np.isfinite(rising).all(axis=0)
    if not use.any():
        raise InputError("visibility", "no hour", "hours with PM2.5, humidity and visibility, without precipitation")
    return Hours(pm25["time"].values, mass, moist, rising, free, seen, longitude).where(use)


def scores(observed: Bool, given: Bool) -> dict[str, float]:
    """Return the scores of yes-or-no statements.

    Parameters
    ----------
    observed, given : bool (hour,)
        Whether it happened, and whether it was said to.

    Returns
    -------
    dict of str to float
        ``csi`` hits of all hours observed or given, ``bias`` given of observed, ``pod`` hits of observed, ``far`` false
        alarms of given. NaN where nothing is to be divided by.
    """
    hits, happened, said = int((observed & given).sum()), int(observed.sum()), int(given.sum())

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float("nan")

    return {
        "csi": share(hits, happened + said - hits),
        "bias": share(said, happened),
        "pod": share(hits, happened),
        "far": share(said - hits, said),
    }


def score_table(hours: Hours, computed: dict[str, Float], thresholds: Sequence[float] = THRESHOLDS) -> pd.DataFrame:
    """Return the scores of computed visibilities below thresholds.

    Parameters
    ----------
    hours : Hours
    computed : dict of str to float64 (hour,)
        Visibilities, m, by the name of what computed them.
    thresholds : sequence of float
        m.

    Returns
    -------
    pandas.DataFrame
        A row for each name and threshold (``below_m``) with the columns of `scores`, the number of ``events``, and ``csi_low`` and ``csi_high``:
        the 95 % interval of ``csi`` from resampled blocks of ten days, NaN for fewer than 20 days.
    """
    rows, drawn = [], _resampled(hours)
    for name, values in computed.items():
        for threshold in thresholds:
            observed = hours.observed < threshold
            found = scores(observed, values < threshold)
            low, high = _interval(drawn, observed, values < threshold)
            row = {"visibility": name, "below_m": int(threshold), **found, "events": int(observed.sum())}
            rows.append(row | {"csi_low": low, "csi_high": high})
    return pd.DataFrame(rows).set_index(["visibility", "below_m"])


def _resampled(hours: Hours) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Return the day of each hour and how often each day is drawn (resample, day), in blocks; nothing for too few days."""
    day = np.unique(hours.times.astype("datetime64[D]"), return_inverse=True)[1]
    days = int(day.max()) + 1 if len(day) else 0
    return (day, resampled_days(days, resamples=_RESAMPLES)) if days >= 2 * BLOCK_DAYS else None


def _interval(
    drawn: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None, observed: Bool, given: Bool
) -> tuple[float, float]:
    if drawn is None:
        return float("nan"), float("nan")
    day, times = drawn
    days = times.shape[1]
    hits, either = (times @ np.bincount(day, one, minlength=days) for one in (observed & given, observed | given))
    known = either > 0
    if not known.any():
        return float("nan"), float("nan")
    tail = expanded_tail(0.95, days / BLOCK_DAYS)
    low, high = np.quantile(hits[known] / either[known], (tail, 1 - tail))
    return float(low), float(high)
