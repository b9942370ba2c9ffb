"""The days ahead of a city, and the index of an observed hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import xarray as xr

from forecast.indices import Category, category_of, china_aqi, china_daily_report
from forecast.layers import hourly_layers
from forecast.products import daily_mean, mda8, median_series, valid_times
from grids.cities import City, Registry
from grids.contract import describe
from services.inputs import as_datetime

Values = npt.NDArray[np.float64]


def hour_aqi(pm25: float, o3: float, end: datetime) -> int | None:
    """Return China's AQI of the hour up to `end` from two concentrations, ug m-3; None where neither is known."""
    return china_aqi({"pm25": pm25, "o3": o3}, end - timedelta(hours=1), "hourly").value


@dataclass(frozen=True)
class Day:
    """A local day of a city: concentrations ug m-3, visibility m; None where too few hours are known."""

    date: date
    aqi: int | None
    category: Category | None
    standard: str
    pm25: float | None
    o3_8h: float | None
    visibility: float | None
    haze: int | None


class Outlook:
    """The local days that a forecast reaches into, of all its cities; hours already past are the observed ones.

    Parameters
    ----------
    forecast : xarray.Dataset
        Contract "forecast" with ``relative_humidity``.
    observed : xarray.Dataset or None
        Contract "observations"; its hours up to the init time complete the first day.
    registry : Registry
    """

    def __init__(self, forecast: xr.Dataset, observed: xr.Dataset | None, registry: Registry) -> None:
        joined = _joined(forecast, observed)
        self._report = china_daily_report(joined, registry)
        self._pm25 = daily_mean(joined, registry)["pm25"]
        self._o3 = mda8(joined, registry)["o3"]
        layers = hourly_layers(forecast)
        self._seen = layers["visibility"].values
        self._grade = layers["haze_grade"].values
        self._times = valid_times(forecast)
        self._cities = [str(c) for c in forecast["city"].values]

    def days(self, city: City) -> list[Day]:
        """Return the days of a city, today first; a last day of which too few hours are forecast is left out."""
        at = self._cities.index(city.id)
        local = _local_days(self._times, city)
        first = local[0]
        result = []
        for d, stamp in enumerate(self._report["date"].values):
            day = stamp.astype("datetime64[D]").item()
            hours = np.flatnonzero(local == np.datetime64(day))
            aqi = _value(self._report["aqi"].values[d, at])
            if np.datetime64(day) < first or hours.size == 0 or (aqi is None and np.datetime64(day) > first):
                continue
            grade = _value(_highest(self._grade[hours, at]))
            result.append(
                Day(
                    date=day,
                    aqi=None if aqi is None else int(aqi),
                    category=None if aqi is None else category_of("china", aqi),
                    standard=str(self._report["standard"].values[d]),
                    pm25=_value(self._pm25.values[d, at]),
                    o3_8h=_value(self._o3.values[d, at]),
                    visibility=_value(-_highest(-self._seen[hours, at])),
                    haze=None if grade is None else int(grade),
                )
            )
        return result


def _joined(forecast: xr.Dataset, observed: xr.Dataset | None) -> xr.Dataset:
    """Return observed hours up to the init time and the medians after it as one Dataset of observations."""
    names = ("pm25", "o3")
    coming = xr.Dataset({name: median_series(forecast, name) for name in names})
    if observed is not None:
        init = forecast["init_time"].values
        known = observed[[n for n in names if n in observed]].reindex(city=forecast["city"].values)
        coming = xr.concat([known.sel(time=slice(None, init)), coming], "time", join="outer")
    return describe(coming.assign_attrs(source="observations, then the forecast"), "observations")


def _local_days(stamps: npt.NDArray[np.datetime64], city: City) -> npt.NDArray[np.datetime64]:
    zone = ZoneInfo(city.time_zone)
    # A stamp ends its hour: 00:00 belongs to the day before.
    begun = [as_datetime(stamp - np.timedelta64(1, "h")).astimezone(zone).date() for stamp in stamps]
    return np.array(begun, dtype="datetime64[D]")


def _highest(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else float("nan")


def _value(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
