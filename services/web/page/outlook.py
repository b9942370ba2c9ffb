"""The days ahead of a city as its bulletin has them, and the index of an observed hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.forecast.daily import DayIndex, day_index
from hazecast.forecast.indices import china_aqi
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime

Values = npt.NDArray[np.float64]


def hour_aqi(pm25: float, o3: float, end: datetime) -> int | None:
    """Return China's AQI of the hour up to `end` from two concentrations, ug m-3; None where neither is known."""
    return china_aqi({"pm25": pm25, "o3": o3}, end - timedelta(hours=1), "hourly").value


@dataclass(frozen=True)
class Day:
    """A local day of a city: ug m-3 and m; None where too few hours are known.

    `pm25` are the low, the median and the high value of its mean; `o3_8h` the median; `haze` a grade.
    """

    date: date
    index: DayIndex | None
    pm25: tuple[float, float, float] | None
    o3_8h: float | None
    visibility: float | None
    haze: int


def days_of(outlook: xr.Dataset, city: City) -> list[Day]:
    """Return the days of a city, from `hazecast.forecast.daily.daily_outlook`; those of which nothing is known are left out."""
    here = outlook.sel(city=city.id)
    found = []
    for at, stamp in enumerate(here["date"].values):
        day = here.isel(date=at)
        pm25, o3_8h = (day[name].values.astype(np.float64) for name in ("pm25_mean", "o3_mda8"))
        index = day_index(city, stamp, float(pm25[1]), float(o3_8h[1]), float(day["o3_max"]))
        if index is None:
            continue
        found.append(
            Day(
                date=to_datetime(stamp).date(),
                index=index,
                pm25=(float(pm25[0]), float(pm25[1]), float(pm25[2])) if np.isfinite(pm25).all() else None,
                o3_8h=_value(float(o3_8h[1])),
                visibility=_value(float(day["visibility_min"])),
                haze=int(day["haze_grade"]),
            )
        )
    return found


def _value(value: float) -> float | None:
    return value if np.isfinite(value) else None
