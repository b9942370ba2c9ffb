"""What the page shows of a forecast beside its concentrations: indices by the hour, and the days ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import xarray as xr

from forecast.indices import Category, category_of, china_daily_report, china_standard, china_sub_index
from forecast.products import daily_mean, haze_grade, mda8, median_series, valid_times
from forecast.visibility import visibility
from grids.cities import City, Registry
from grids.contract import describe
from services.inputs import as_datetime

Values = npt.NDArray[np.float64]
LAYERS = ("pm25", "o3", "aqi", "visibility", "haze")


def hourly_layers(forecast: xr.Dataset) -> dict[str, Values]:
    """Return the values of each map layer by hour and city, from the medians of a forecast.

    Returns
    -------
    dict of float (lead_time, city)
        ``pm25`` and ``o3`` in ug m-3; ``aqi``, China's of the hourly report, from the two; ``visibility`` in m;
        ``haze``, the grade of QX/T 113 (0 to 4). NaN where unknown.
    """
    pm25, o3 = (np.asarray(median_series(forecast, name).values, dtype=np.float64) for name in ("pm25", "o3"))
    humidity = np.asarray(forecast["relative_humidity"].transpose("lead_time", "city").values, dtype=np.float64)
    aqi = np.stack([_hourly_aqi(pm25[i], o3[i], time) for i, time in enumerate(_times(valid_times(forecast)))])
    seen = visibility(pm25, humidity)
    grade = haze_grade(seen, humidity, pm25).astype(np.float64)
    return {"pm25": pm25, "o3": o3, "aqi": aqi, "visibility": seen, "haze": np.where(grade < 0, np.nan, grade)}


def hour_aqi(pm25: float, o3: float, end: datetime) -> int | None:
    """Return China's AQI of one hour from the two concentrations, ug m-3; None where neither is known."""
    found = float(_hourly_aqi(np.array([pm25]), np.array([o3]), end)[0])
    return None if np.isnan(found) else int(found)


def _hourly_aqi(pm25: Values, o3: Values, end: datetime) -> Values:
    # The version in force when the hour begins.
    standard = china_standard(as_datetime(np.datetime64(end.replace(tzinfo=None), "ns") - np.timedelta64(1, "h")))
    parts = [china_sub_index(name, values, standard, "hourly") for name, values in (("pm25", pm25), ("o3", o3))]
    return np.asarray(np.fmax.reduce(parts), dtype=np.float64)


def _times(stamps: npt.NDArray[np.datetime64]) -> list[datetime]:
    return [as_datetime(stamp) for stamp in stamps]


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
        self._seen = layers["visibility"]
        self._grade = layers["haze"]
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
