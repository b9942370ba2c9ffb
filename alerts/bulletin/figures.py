"""Numbers as a bulletin writes them: whole, unless that would put a value into another class than it is in."""

from __future__ import annotations

from datetime import date as date_type
from typing import Literal

import numpy as np

from hazecast.alerts.bulletin.content import Range
from hazecast.alerts.messages.rounding import Bound
from hazecast.alerts.messages.texts import Catalog
from hazecast.forecast.days import day_begins
from hazecast.forecast.indices import band_steps, china_standard
from hazecast.grids.places.cities import City


def class_bounds(city: City, date: np.datetime64, pollutant: Literal["pm25", "o3"]) -> tuple[Bound, ...]:
    """Return where the classes of a day's value end in the city's country: a value at a bound is in the lower class.

    Parameters
    ----------
    city : City
    date : numpy.datetime64
        The city's own calendar day.
    pollutant : {"pm25", "o3"}
        Daily mean of PM2.5; daily maximum 8-hour mean of ozone.

    Returns
    -------
    tuple of (float, "le")
        Of a limit in ug m-3. China: the breakpoints of HJ 633 in force on the day. Japan: the standard and the
        guideline of PM2.5; its ozone is rated by the hour. None elsewhere.
    """
    if city.country == "CN":
        item = {"pm25": "pm25", "o3": "o3_8h"}[pollutant]
        ends = china_standard(day_begins(city, date)).tables["daily"][item]
    elif city.country == "JP" and pollutant == "pm25":
        ends = tuple(float(step["above"]) for step in band_steps("japan_pm25_day"))
    else:
        ends = ()
    return tuple((end, "le") for end in ends if end > 0.0)


def whole(value: float, words: Catalog, bounds: tuple[Bound, ...] = ()) -> str:
    """Return a value as a whole number, or as fine as it takes to stay on its side of the bounds.

    Parameters
    ----------
    value : float
        NaN where unknown.
    words : Catalog
    bounds : tuple of (float, str), optional
        As from `class_bounds`.

    Returns
    -------
    str
    """
    return words.rounded(value, 1.0, bounds) if np.isfinite(value) else words.say("daily.none")


def signed(value: float) -> str:
    """Return a difference as a whole number with its sign."""
    return f"{round(value):+d}".replace("-", "−")


def with_range(values: Range, words: Catalog, bounds: tuple[Bound, ...] = ()) -> str:
    """Return a value with its range in brackets.

    Parameters
    ----------
    values : tuple of float
        Low, middle and high.
    words : Catalog
    bounds : tuple of (float, str), optional
        As from `class_bounds`.

    Returns
    -------
    str
    """
    if not np.isfinite(values).all():
        return whole(values[1], words, bounds)
    low, middle, high = (whole(v, words, bounds) for v in values)
    return f"{middle} ({words.say('daily.range', low=low, high=high)})"


def as_date(date: np.datetime64) -> date_type:
    """Return a day as Python has it."""
    day: date_type = date.astype("datetime64[D]").item()
    return day
