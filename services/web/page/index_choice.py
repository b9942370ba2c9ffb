"""The index of the reader's choice: China's AQI, the United States' AQI, Europe's index, or the words of Japan's standards.

Without a choice a city goes by its own country's, or the one that its setting names. Japan has no index: its words are those of
the environmental standards and of the alerts, by day or, for now, by the mean of the last 24 hours.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from hazecast.forecast.day_index import DayIndex, day_index, europe_index, index_name
from hazecast.forecast.indices import (
    china_aqi,
    nowcast_pm,
    ozone_ppm,
    us_sub_index,
)
from hazecast.grids.places.cities import City

Values = npt.NDArray[np.float64]
Choice = Literal["china", "us", "japan", "europe"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
# Of 24 hours, as for a day's mean (`hazecast.forecast.products.daily_mean`), and of 8, as for the highest 8 hours.
_DAY_HOURS, _OZONE_HOURS = 20, 6


def choice_of(wanted: Choice | None, city: City | None) -> Choice | None:
    """Return the index that a city is shown by.

    Parameters
    ----------
    wanted : {"china", "us", "japan", "europe"} or None
        What the reader chose.
    city : City or None

    Returns
    -------
    {"china", "us", "japan", "europe"} or None
        None where nothing was chosen and the city's country has another.
    """
    if wanted is not None or city is None:
        return wanted or "china"
    own = index_name(city)
    return next((choice for choice in CHOICES if choice == own), None)


def index_of_day(
    choice: Choice | None, city: City, date: np.datetime64, pm25: float, o3_8h: float, o3_1h: float, pm25_1h: float
) -> DayIndex | None:
    """Return how a day is rated by an index.

    Parameters
    ----------
    choice : {"china", "us", "japan", "europe"} or None
        None for that of the city's country.
    city : City
    date : datetime64
        The city's own calendar day.
    pm25, o3_8h, o3_1h : float
        Daily mean, highest 8-hour and 1-hour mean, ug m-3; NaN where unknown.
    pm25_1h : float
        Highest hour, ug m-3.

    Returns
    -------
    DayIndex or None
        None where nothing is known.
    """
    return day_index(_rated_as(city, choice), date, pm25, o3_8h, o3_1h, pm25_1h)


def index_of_hour(choice: Choice | None, city: City, end: datetime, pm25: Values, o3: Values) -> DayIndex | None:
    """Return how an hour is rated by an index, from the hours up to it.

    China: the hourly report of HJ 633. United States: the PM NowCast of the last 12 hours, and ozone's mean of the last 8 and
    its last hour. Japan: the mean PM2.5 of the last 24 hours, and ozone's last hour. Europe: the hour itself.

    Parameters
    ----------
    choice : {"china", "us", "japan", "europe"} or None
        None for that of the city's country.
    city : City
    end : datetime
        End of the hour, aware.
    pm25, o3 : float64 (24,)
        Of the hours that end with this one, oldest first; ug m-3, NaN where unknown.

    Returns
    -------
    DayIndex or None
        None where too little is known.
    """
    if choice == "china":
        now = {"pm25": float(pm25[-1]), "o3": float(o3[-1])}
        return DayIndex.of(china_aqi(now, end - timedelta(hours=1), "hourly"))
    if choice == "europe":
        return europe_index({"pm25": float(pm25[-1]), "o3": float(o3[-1])})
    hour, eight = float(o3[-1]), _mean(o3[-8:], _OZONE_HOURS)
    mass = float(nowcast_pm(pm25[-12:])) if choice == "us" else _mean(pm25, _DAY_HOURS)
    return day_index(_rated_as(city, choice), np.datetime64(end.replace(tzinfo=None), "D"), mass, eight, hour)


def us_hours(pm25: Values, o3: Values) -> Values:
    """Return the United States' AQI of every hour, as `index_of_hour` does.

    Parameters
    ----------
    pm25, o3 : float64 (time, city)
        ug m-3, NaN where unknown.

    Returns
    -------
    float64 (time, city)
        NaN where it is not known.
    """
    padded = np.concatenate([np.full((11, pm25.shape[1]), np.nan), pm25])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 12, axis=0)
    past = np.concatenate([np.full((7, o3.shape[1]), np.nan), o3])
    eights = np.lib.stride_tricks.sliding_window_view(past, 8, axis=0)
    known = np.isfinite(eights)
    counts = known.sum(axis=-1)
    means = np.where(known, eights, 0.0).sum(axis=-1) / np.maximum(counts, 1)
    eight = np.where(counts >= _OZONE_HOURS, means, np.nan)
    parts = [
        us_sub_index("pm25", nowcast_pm(windows)),
        us_sub_index("o3_8h", ozone_ppm(eight)),
        us_sub_index("o3_1h", ozone_ppm(o3)),
    ]
    return np.asarray(np.fmax.reduce(parts), dtype=np.float64)


def _rated_as(city: City, choice: Choice | None) -> City:
    """Return a city as if its setting named the index that is chosen."""
    return city if choice is None else city.model_copy(update={"rated_by": choice})


def _mean(values: Values, least: int) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size >= least else float("nan")
