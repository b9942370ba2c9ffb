"""Numbers, names and headings as a bulletin writes them: a number is whole, unless that would put it into another class."""

from __future__ import annotations

from datetime import date as date_type

import numpy as np

from hazecast.alerts.bulletin.content import Range
from hazecast.alerts.messages.rounding import rounded
from hazecast.alerts.messages.texts import Catalog
from hazecast.forecast.day_index import day_index
from hazecast.forecast.dependence import Variable
from hazecast.grids.places.cities import City

# Decimals of a value that is nearer to the end of its class than any reader needs to know.
_FINEST = 6


def whole(value: float, words: Catalog) -> str:
    """Return a value as a whole number.

    Parameters
    ----------
    value : float
        NaN where unknown.
    words : Catalog

    Returns
    -------
    str
    """
    return words.rounded(value) if np.isfinite(value) else words.say("daily.none")


def in_its_class(value: float, city: City, date: np.datetime64, pollutant: Variable, words: Catalog) -> str:
    """Return a day's value as a whole number, or as fine as it takes to be in the class that it is in.

    Parameters
    ----------
    value : float
        ug m-3: daily mean of PM2.5 or daily maximum 8-hour mean of ozone; NaN where unknown.
    city : City
        Its country's index gives the classes; where that rates another value of the day, the number is whole.
    date : numpy.datetime64
        The city's own calendar day.
    pollutant : {"pm25", "o3"}
    words : Catalog

    Returns
    -------
    str
    """
    if not np.isfinite(value):
        return words.say("daily.none")
    own = _class_of(value, city, date, pollutant)
    steps = (10.0**-decimals for decimals in range(_FINEST))
    step = next((s for s in steps if _class_of(rounded(value, s).value, city, date, pollutant) == own), 10.0**-_FINEST)
    return words.rounded(value, step)


def _class_of(value: float, city: City, date: np.datetime64, pollutant: Variable) -> str | None:
    unknown = float("nan")
    pm25, o3 = (value, unknown) if pollutant == "pm25" else (unknown, value)
    index = day_index(city, date, pm25, o3, unknown)
    return None if index is None else index.id


def beside_limit(value: float, limit: float, words: Catalog) -> str:
    """Return a value as a whole number, or as fine as it takes to be on its side of a limit that it may reach.

    Parameters
    ----------
    value, limit : float
        ug m-3; the value NaN where unknown.
    words : Catalog

    Returns
    -------
    str
    """
    return words.rounded(value, 1.0, [(limit, "le")]) if np.isfinite(value) else words.say("daily.none")


def signed(value: float) -> str:
    """Return a difference as a whole number with its sign."""
    return f"{round(value):+d}".replace("-", "−")


def with_range(middle: str, values: Range, words: Catalog) -> str:
    """Return a value with its range in brackets.

    Parameters
    ----------
    middle : str
        The value as it is written.
    values : tuple of float
        Low, middle and high, ug m-3.
    words : Catalog

    Returns
    -------
    str
    """
    if not np.isfinite(values).all():
        return middle
    low, high = whole(values[0], words), whole(values[2], words)
    return f"{middle} ({words.say('daily.range', low=low, high=high)})"


def as_date(date: np.datetime64) -> date_type:
    """Return a day as Python has it."""
    day: date_type = date.astype("datetime64[D]").item()
    return day


def headings(words: Catalog, *columns: str) -> tuple[str, ...]:
    """Return the headings of a table's columns.

    Parameters
    ----------
    words : Catalog
    *columns : str
        Keys of the messages ``daily.column``.

    Returns
    -------
    tuple of str
    """
    return tuple(words.say(f"daily.column.{column}") for column in columns)


def name_of(city: City, words: Catalog) -> str:
    """Return a city's name in the language of the words.

    Parameters
    ----------
    city : City
    words : Catalog

    Returns
    -------
    str
    """
    return str(getattr(city, f"name_{words.language}"))
