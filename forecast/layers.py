"""The layers of a map: pollutants, AQI, visibility and haze grade for each hour of a forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from hazecast.forecast.indices import china_standard, china_sub_index
from hazecast.forecast.products import haze_grade, median_series, valid_times
from hazecast.forecast.visibility import visibility

LAYERS: tuple[str, ...] = ("pm25", "o3", "aqi", "visibility", "haze_grade")


def hourly_layers(forecast: xr.Dataset) -> xr.Dataset:
    """Return the layers of each hour of a forecast, by its median.

    Returns
    -------
    xarray.Dataset (time, city)
        ``pm25`` and ``o3``, ug m-3; ``aqi``, China's of the hourly report from these two alone, by the
        standard in force when the hour begins; ``visibility``, m; ``haze_grade`` of QX/T 113-2010 (see
        `hazecast.forecast.products.haze_grade`). NaN where an input is missing.

    Raises
    ------
    InputError
        If PM2.5, ozone or the median is absent.
    """
    pm25, o3 = median_series(forecast, "pm25"), median_series(forecast, "o3")
    humidity = forecast["relative_humidity"].transpose("lead_time", "city").values.astype(np.float64)
    seen = visibility(pm25.values, humidity)
    grade = haze_grade(seen, humidity, pm25.values).astype(np.float64)
    values = {
        "pm25": (pm25.values, "ug m-3"),
        "o3": (o3.values, "ug m-3"),
        "aqi": (_hourly_aqi(pm25, o3), "1"),
        "visibility": (seen, "m"),
        "haze_grade": (np.where(grade < 0, np.nan, grade), "1"),
    }
    return xr.Dataset(
        {name: (("time", "city"), np.asarray(array, np.float64), {"units": u}) for name, (array, u) in values.items()},
        coords={"time": valid_times(forecast), "city": forecast["city"].values},
    )


def _hourly_aqi(pm25: xr.DataArray, o3: xr.DataArray) -> np.ndarray:
    begins = pd.DatetimeIndex(pm25["time"].values - np.timedelta64(1, "h")).tz_localize("UTC")
    rows = []
    for at, begin in enumerate(begins):
        standard = china_standard(begin.to_pydatetime())
        parts = [china_sub_index(n, a.values[at], standard, "hourly") for n, a in (("pm25", pm25), ("o3", o3))]
        rows.append(np.fmax.reduce(parts))
    return np.stack(rows)
