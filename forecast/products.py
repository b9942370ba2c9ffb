"""Products of a forecast: haze grade, daily means, daily maximum 8-hour mean, the next 24 hours.

All take the median (quantile 0.5) of a forecast Dataset; the daily ones also take observations, so that
forecast and observed values are computed alike. A time stamp marks the end of its hour, so the hour
stamped 00:00 belongs to the day before.
"""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hazecast.forecast.haze_grades import GRADE_BOUNDS
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry

# QX/T 113-2010: relative humidity, %, below which it is haze, and above which fog; between them it is haze with PM2.5, ug m-3,
# above the last. The numbers are cited from memory; the standard's text was not available.
_HUMID = 80.0
_FOG = 95.0
_HUMID_PM25 = 75.0


def haze_grade(
    visibility: npt.ArrayLike, relative_humidity: npt.ArrayLike, pm25: npt.ArrayLike
) -> npt.NDArray[np.int8]:
    """Return the haze grade of QX/T 113-2010, its last divided at 1 km; see `hazecast.forecast.haze_grades`.

    Haze is a visibility below 10 km at RH < 80 %, or at RH 80 to 95 % (both included) with PM2.5 above
    75 ug m-3; above 95 % it is fog. The standard's exclusion of precipitation, dust and smoke is not
    tested: visibility derived from PM2.5 holds none of them.

    Parameters
    ----------
    visibility, relative_humidity, pm25 : array_like
        m, %, ug m-3; broadcast against each other.

    Returns
    -------
    numpy.ndarray of int8
        0 none, 1 slight [5, 10) km, 2 mild [3, 5), 3 moderate [2, 3), 4 severe [1, 2),
        5 extremely severe below 1 km; -1 where an input is missing.

    Examples
    --------
    >>> haze_grade([12_000.0, 4_000.0, 1_500.0], 60.0, [40.0, 120.0, 300.0]).tolist()
    [0, 2, 4]
    """
    seen, humidity, mass = np.broadcast_arrays(
        *(np.asarray(a, dtype=np.float64) for a in (visibility, relative_humidity, pm25))
    )
    grade = sum((seen < bound).astype(np.int8) for bound in GRADE_BOUNDS)
    dry = humidity < _HUMID
    humid = (humidity >= _HUMID) & (humidity <= _FOG) & (mass > _HUMID_PM25)
    grade = np.where(dry | humid, grade, 0)
    missing = np.isnan(seen) | np.isnan(humidity) | np.isnan(mass)
    return np.asarray(np.where(missing, -1, grade), dtype=np.int8)


def valid_times(forecast: xr.Dataset) -> npt.NDArray[np.datetime64]:
    """Return the UTC times a forecast is valid at, shape (lead_time,), each the end of its hour."""
    start = forecast["init_time"].values.astype("datetime64[ns]")
    return np.asarray(start + forecast["lead_time"].values.astype("timedelta64[ns]"))


def median_series(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """Return one variable as (time, city): the median of a forecast, or observations as they are.

    Parameters
    ----------
    dataset : xarray.Dataset
        A forecast or observations.
    name : str
        The variable.

    Returns
    -------
    xarray.DataArray (time, city)

    Raises
    ------
    InputError
        If the variable, or the quantile 0.5 of a forecast, is absent.
    """
    if name not in dataset.data_vars:
        raise InputError("products: variables", sorted(map(str, dataset.data_vars)), f"{name} among them")
    array = dataset[name]
    if "lead_time" not in array.dims:
        return array.transpose("time", "city")
    if "quantile" in array.dims:
        at = np.flatnonzero(np.isclose(dataset["quantile"].values, 0.5))
        if at.size != 1:
            raise InputError("forecast: quantile", dataset["quantile"].values, "0.5 among them")
        array = array.isel(quantile=int(at[0]), drop=True)
    values = array.transpose("lead_time", "city").values
    return xr.DataArray(
        values,
        dims=("time", "city"),
        coords={"time": valid_times(dataset), "city": dataset["city"].values},
        attrs=array.attrs,
        name=name,
    )


def daily_mean(dataset: xr.Dataset, registry: Registry, name: str = "pm25", *, minimum_hours: int = 20) -> xr.Dataset:
    """Return the mean of each day of each city's own time zone.

    Parameters
    ----------
    dataset : xarray.Dataset
        A forecast (the median is taken) or observations.
    registry : Registry
        Gives the time zones.
    name : str
        The pollutant.
    minimum_hours : int
        Fewer valid hours give NaN; 20 is the rule of GB 3095-2012 for 24-hour means (from memory).

    Returns
    -------
    xarray.Dataset
        `name` (date, city), ug m-3, and `hours` (date, city), the number of valid hours. `date` is the
        local calendar day as datetime64 at 00:00.

    Examples
    --------
    >>> from hazecast.grids.places.cities import load_registry
    >>> times = np.datetime64("2013-01-11T17:00", "ns") + np.arange(48) * np.timedelta64(1, "h")
    >>> hourly = xr.Dataset(
    ...     {"pm25": (("time", "city"), np.repeat([[80.0], [200.0]], 24, axis=0))},
    ...     coords={"time": times, "city": ["beijing"]},
    ... )
    >>> daily_mean(hourly, load_registry())["pm25"].sel(city="beijing").values.tolist()
    [80.0, 200.0]
    """
    series = median_series(dataset, name)
    dates, _ = local_hours(series, registry)
    days = np.unique(dates)
    means = np.full((days.size, series.sizes["city"]), np.nan)
    counts = np.zeros(means.shape, dtype=np.int16)
    for c in range(means.shape[1]):
        values = np.asarray(series.values[:, c], dtype=np.float64)
        for d, day in enumerate(days):
            valid = values[(dates[:, c] == day) & ~np.isnan(values)]
            counts[d, c] = valid.size
            if valid.size >= minimum_hours:
                means[d, c] = valid.mean()
    return _by_date(series, days, name, means, {"hours": counts}, f"mean of local day, {minimum_hours} hours or more")


def mda8(
    dataset: xr.Dataset,
    registry: Registry,
    name: str = "o3",
    *,
    minimum_hours: int = 6,
    minimum_windows: int = 14,
) -> xr.Dataset:
    """Return the daily maximum of trailing 8-hour means, for each city's own day.

    A window counts for the day that it lies within: those ending from 08:00 to 24:00 local time, 17 a day
    (HJ 663-2013, with its 14 windows and 6 hours; from memory).

    Parameters
    ----------
    dataset, registry, name
        As in `daily_mean`.
    minimum_hours : int
        Valid hours that one 8-hour mean needs.
    minimum_windows : int
        Valid 8-hour means that a day needs; fewer give NaN.

    Returns
    -------
    xarray.Dataset
        `name` (date, city), ug m-3, and `windows` (date, city), the number of valid 8-hour means.

    Examples
    --------
    >>> from hazecast.grids.places.cities import load_registry
    >>> times = np.datetime64("2013-07-01T16:00", "ns") + np.arange(1, 25) * np.timedelta64(1, "h")
    >>> ozone = np.where((np.arange(24) >= 12) & (np.arange(24) < 20), 180.0, 60.0)
    >>> hourly = xr.Dataset({"o3": (("time", "city"), ozone[:, None])}, coords={"time": times, "city": ["beijing"]})
    >>> mda8(hourly, load_registry())["o3"].item()
    180.0
    """
    series = median_series(dataset, name)
    times = pd.DatetimeIndex(series["time"].values)
    frame = pd.DataFrame(np.asarray(series.values, dtype=np.float64), index=times)
    # Hours that are absent from the axis must count as missing, not shorten the window.
    complete = frame.reindex(pd.date_range(times[0], times[-1], freq="h")) if len(times) else frame
    running = complete.rolling(8, min_periods=minimum_hours).mean().reindex(times).to_numpy()
    dates, hours = local_hours(series, registry)
    days = np.unique(dates)
    peaks = np.full((days.size, series.sizes["city"]), np.nan)
    counts = np.zeros(peaks.shape, dtype=np.int16)
    for c in range(peaks.shape[1]):
        for d, day in enumerate(days):
            means = running[(dates[:, c] == day) & (hours[:, c] >= 8), c]
            means = means[~np.isnan(means)]
            counts[d, c] = means.size
            if means.size >= minimum_windows:
                peaks[d, c] = means.max()
    return _by_date(series, days, name, peaks, {"windows": counts}, "maximum of 8-hour means of local day")


def next_24h(forecast: xr.Dataset) -> xr.Dataset:
    """Return the mean and the maximum of the median forecast over the 24 hours after `init_time`.

    Returns
    -------
    xarray.Dataset
        ``pm25_mean``, ``pm25_max``, ``o3_mean``, ``o3_max`` (city), ug m-3, for each pollutant present;
        ``hours`` (city), the lowest number of valid hours behind them. NaN where no hour is valid.

    Raises
    ------
    InputError
        If the forecast does not reach 24 hours.
    """
    lead = forecast["lead_time"].values.astype("timedelta64[h]").astype(int)
    use = (lead >= 1) & (lead <= 24)
    if int(use.sum()) != 24:
        raise InputError("forecast: lead_time", f"{int(use.sum())} hours within a day", "24")
    result = xr.Dataset(coords={"city": forecast["city"].values})
    counts = []
    for name in ("pm25", "o3"):
        if name not in forecast.data_vars:
            continue
        day = median_series(forecast, name).isel(time=np.flatnonzero(use))
        attrs = {"units": forecast[name].attrs.get("units", "ug m-3")}
        result[f"{name}_mean"] = day.mean("time").assign_attrs(attrs)
        result[f"{name}_max"] = day.max("time").assign_attrs(attrs)
        counts.append(day.notnull().sum("time").values)
    if not counts:
        raise InputError("forecast: variables", sorted(map(str, forecast.data_vars)), "pm25 or o3")
    result["hours"] = ("city", np.min(counts, axis=0).astype(np.int16))
    return result


def local_hours(
    series: xr.DataArray | xr.Dataset, registry: Registry
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64]]:
    """Return the local date and hour of day of each end-of-hour stamp.

    Parameters
    ----------
    series : xarray.DataArray or xarray.Dataset
        With the coordinates ``time`` (UTC) and ``city``.
    registry : Registry
        Gives the time zones.

    Returns
    -------
    dates : datetime64[ns] (time, city)
        The local calendar day at 00:00.
    hours : int64 (time, city)
        1 to 24.
    """
    utc = pd.DatetimeIndex(series["time"].values).tz_localize(UTC)
    dates, hours = [], []
    for city in series["city"].values:
        local = utc.tz_convert(ZoneInfo(registry.city(str(city)).time_zone)).tz_localize(None)
        begun = local - pd.Timedelta(hours=1)
        dates.append(begun.normalize().to_numpy().astype("datetime64[ns]"))
        hours.append(begun.hour.to_numpy().astype(np.int64) + 1)
    return np.stack(dates, axis=1), np.stack(hours, axis=1)


def _by_date(
    series: xr.DataArray,
    days: npt.NDArray[np.datetime64],
    name: str,
    values: npt.NDArray[np.float64],
    counts: dict[str, npt.NDArray[np.int16]],
    method: str,
) -> xr.Dataset:
    units = {"units": series.attrs.get("units", "ug m-3"), "method": method}
    data: dict[str, tuple[tuple[str, str], npt.NDArray[np.generic], dict[str, str]]] = {
        name: (("date", "city"), values, units)
    }
    for label, count in counts.items():
        data[label] = (("date", "city"), count, {"units": "1"})
    return xr.Dataset(data, coords={"date": days, "city": series["city"].values})
