"""Hours and local days of a forecast, with what was observed before it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hazecast.forecast.products import local_hours, valid_times
from hazecast.grids.contract import FORECAST_POLLUTANTS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry

_HOUR = np.timedelta64(1, "h")


def forecast_days(forecast: xr.Dataset, registry: Registry) -> npt.NDArray[np.datetime64]:
    """Return the local days that any city has forecast hours of.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    registry : Registry
        Gives the time zones.

    Returns
    -------
    datetime64[ns] (date,)
        Rising, each at 00:00.
    """
    times = xr.Dataset(coords={"time": valid_times(forecast), "city": forecast["city"].values})
    return np.unique(local_hours(times, registry)[0])


def joined_hours(forecast: xr.Dataset, observations: xr.Dataset | None, quantile: float) -> xr.Dataset:
    """Join the observations of the last 24 hours and a quantile of the forecast.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast".
    observations : xarray.Dataset or None
        Contract "observations"; None leaves the hours up to the init time missing.
    quantile : float
        One of `hazecast.grids.contract.QUANTILES`.

    Returns
    -------
    xarray.Dataset
        ``pm25`` and ``o3`` (time, city), ug m-3, with the coordinate ``init_time``.

    Raises
    ------
    InputError
        If the forecast has neither pollutant.
    """
    at = QUANTILES.index(quantile)
    init = forecast["init_time"].values.astype("datetime64[ns]")
    past = init + (np.arange(24) - 23) * _HOUR
    result = xr.Dataset(
        coords={"time": np.concatenate([past, valid_times(forecast)]), "city": forecast["city"].values}
    ).assign_coords(init_time=init)
    for name in FORECAST_POLLUTANTS:
        if name not in forecast.data_vars:
            continue
        after = forecast[name].transpose("lead_time", "city", "quantile").values[..., at]
        before = np.full((past.size, after.shape[1]), np.nan)
        if observations is not None and name in observations:
            before = (
                observations[name]
                .transpose("time", "city")
                .reindex(time=past, city=forecast["city"].values)
                .values.astype(float)
            )
        result[name] = (("time", "city"), np.concatenate([before, after]), {"units": "ug m-3"})
    if not result.data_vars:
        raise InputError("forecast: variables", sorted(map(str, forecast.data_vars)), "pm25 or o3")
    return result


def by_day(
    values: npt.NDArray[np.float64],
    dates: npt.NDArray[np.datetime64],
    days: npt.NDArray[np.datetime64],
    reduction: Callable[[npt.NDArray[np.float64]], np.floating],
) -> npt.NDArray[np.float64]:
    """Reduce the valid hours of each day.

    Parameters
    ----------
    values : float64 (time, city)
        Any unit; NaN where missing.
    dates : datetime64[ns] (time, city)
        The local day of each hour.
    days : datetime64[ns] (date,)
        The days wanted.
    reduction : callable
        Such as `numpy.max`, called with the valid hours of a day.

    Returns
    -------
    float64 (date, city)
        NaN where a day has no valid hour.
    """
    result = np.full((days.size, values.shape[1]), np.nan)
    for d, day in enumerate(days):
        for c in range(values.shape[1]):
            here = values[dates[:, c] == day, c]
            here = here[np.isfinite(here)]
            if here.size:
                result[d, c] = reduction(here)
    return result


def day_begins(city: City, date: np.datetime64) -> datetime:
    """Return when a city's calendar day begins.

    Parameters
    ----------
    city : City
    date : datetime64
        The city's own calendar day.

    Returns
    -------
    datetime
        In the city's time zone.
    """
    day: datetime = pd.Timestamp(date).to_pydatetime()
    return day.replace(tzinfo=ZoneInfo(city.time_zone))
