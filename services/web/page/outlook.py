"""The days ahead of a city, as in its bulletin, by the index of the reader's choice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import xarray as xr

from hazecast.forecast.day_index import DayIndex
from hazecast.forecast.haze_grades import GRADE_BOUNDS
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime
from hazecast.services.web.page.index_choice import Choice, index_of_day


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


def days_of(outlook: xr.Dataset, city: City, choice: Choice | None) -> list[Day]:
    """Return the days of a city; those of which nothing is known are left out.

    Parameters
    ----------
    outlook : xarray.Dataset
        From `hazecast.forecast.daily.daily_outlook`.
    city : City
    choice : {"china", "us", "japan", "europe"} or None
        The index; None for that of the city's country.

    Returns
    -------
    list of Day
    """
    here = outlook.sel(city=city.id)
    found = []
    for at, stamp in enumerate(here["date"].values):
        day = here.isel(date=at)
        pm25, o3_8h = (day[name].values.astype(np.float64) for name in ("pm25_mean", "o3_mda8"))
        values = float(pm25[1]), float(o3_8h[1]), float(day["o3_max"]), float(day["pm25_max"])
        index = index_of_day(choice, city, stamp, *values)
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
