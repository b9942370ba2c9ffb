"""Hours with PM2.5, humidity and a reported visibility, and the scores of a visibility computed for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hazecast.forecast.site_visibility import inputs_of
from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

# m; what the haze signal's levels and the haze grades turn on.
THRESHOLDS = (2_000.0, 3_000.0, 5_000.0)
# An observer or sensor reports 10 km or more as one.
LIMIT = 9_950.0


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
        A row for each name and threshold (``below_m``) with the columns of `scores` and the number of ``events``.
    """
    rows = []
    for name, values in computed.items():
        for threshold in thresholds:
            observed = hours.observed < threshold
            found = scores(observed, values < threshold)
            rows.append({"visibility": name, "below_m": int(threshold), **found, "events": int(observed.sum())})
    return pd.DataFrame(rows).set_index(["visibility", "below_m"])
