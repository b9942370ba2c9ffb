"""The days ahead of a city, the same as in its bulletin, and the index of an observed hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.forecast.daily import DayIndex, day_index
from hazecast.forecast.haze_grades import GRADE_BOUNDS
from hazecast.forecast.indices import china_aqi
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime

Values = npt.NDArray[np.float64]


def hour_aqi(pm25: float, o3: float, end: datetime) -> int | None:
    """Return China's AQI of an hour from PM2.5 and ozone.

    Parameters
    ----------
    pm25, o3 : float
        ug m-3; NaN where unknown.
    end : datetime
        End of the hour, aware: the standard in force then is applied.

    Returns
    -------
    int or None
        None where neither is known.
    """
    return china_aqi({"pm25": pm25, "o3": o3}, end - timedelta(hours=1), "hourly").value


@dataclass(frozen=True)
class Day:
    """A local day of a city; None where too few hours are known.

    Attributes
    ----------
    date : date
    index : DayIndex or None
    pm25 : (float, float, float) or None
        Low, median and high value of the day's mean, ug m-3.
    o3_8h : float or None
        Median of the highest 8 h mean, ug m-3.
    visibility : float or None
        Lowest, m, where it is of the grade.
    haze : int
        Grade.
    """

    date: date
    index: DayIndex | None
    pm25: tuple[float, float, float] | None
    o3_8h: float | None
    visibility: float | None
    haze: int


def days_of(outlook: xr.Dataset, city: City) -> list[Day]:
    """Return the days of a city; those of which nothing is known are left out.

    Parameters
    ----------
    outlook : xarray.Dataset
        From `hazecast.forecast.daily.daily_outlook`.
    city : City

    Returns
    -------
    list of Day
    """
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
                visibility=_of_grade(float(day["visibility_min"]), int(day["haze_grade"])),
                haze=int(day["haze_grade"]),
            )
        )
    return found


def _of_grade(visibility: float, grade: int) -> float | None:
    """Return the day's lowest visibility where it is of the day's grade: in mist it is lower, and would contradict it."""
    return visibility if sum(visibility < bound for bound in GRADE_BOUNDS) == grade else None


def _value(value: float) -> float | None:
    return value if np.isfinite(value) else None
