"""Visibility that a weather station measured, beside a city's pollutants."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hazecast.grids.contract import check, describe
from hazecast.grids.errors import InputError

# What takes the sight without being haze. Fog and mist stay: the rules tell them by humidity and PM2.5.
_OTHER = ("rain", "snow", "dust", "smoke")


def with_measured_visibility(observations: xr.Dataset, city: str, station: xr.Dataset) -> xr.Dataset:
    """Give a city the visibility that a station near it reported.

    Parameters
    ----------
    observations : xarray.Dataset (time, city)
        Contract "observations".
    city : str
    station : xarray.Dataset (time)
        As from `hazecast.grids.observations.isd.read_isd`: ``visibility``, m, and the present weather.

    Returns
    -------
    xarray.Dataset (time, city)
        With ``visibility``, m: NaN in hours of rain, snow, dust or smoke, and in other cities unless they had one.

    Raises
    ------
    InputError
        If the city or a variable is absent, or there is no hour in common.
    """
    cities = [str(c) for c in observations["city"].values]
    if city not in cities:
        raise InputError("visibility: city", city, f"one of {cities}")
    absent = [name for name in ("visibility", *_OTHER) if name not in station]
    if absent:
        raise InputError("weather station: variables", sorted(map(str, station.data_vars)), f"also {', '.join(absent)}")
    here = station.reindex(time=observations["time"])
    clear = np.logical_and.reduce([here[name].values == 0.0 for name in _OTHER])
    seen = np.where(clear, here["visibility"].values, np.nan)
    if not np.isfinite(seen).any():
        raise InputError(f"visibility of {city}", "no hour in common", "hours of the observations")
    values = np.full((observations.sizes["time"], len(cities)), np.nan, np.float32)
    if "visibility" in observations:
        values[:] = observations["visibility"].transpose("time", "city").values
    values[:, cities.index(city)] = seen
    result = describe(observations.assign(visibility=(("time", "city"), values)), "observations")
    return check(result, "observations", name=f"visibility of {city}")
