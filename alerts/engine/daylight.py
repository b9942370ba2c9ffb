"""Sunrise and sunset of a place.

General Solar Position Calculations of NOAA's Global Monitoring Division, after Spencer (1971): fractional year, equation
of time, declination, and the hour angle at a zenith of 90.833 degrees (refraction and the sun's radius). Good to some two
minutes between the polar circles.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import acos, cos, degrees, pi, radians, sin, tan

_ZENITH = radians(90.833)


def daylight(day: date, latitude: float, longitude: float) -> tuple[datetime, datetime]:
    """Return when the sun rises and sets.

    Parameters
    ----------
    day : date
        Of the place's own solar time.
    latitude, longitude : float
        Degrees north and east.

    Returns
    -------
    sunrise, sunset : datetime
        UTC. Where the sun doesn't rise both are noon, where it doesn't set they are a day apart.

    Examples
    --------
    >>> from datetime import date
    >>> [f"{time:%d %H:%M}" for time in daylight(date(2025, 6, 21), 35.69, 139.69)]  # Tokyo, + 9 h
    ['20 19:25', '21 09:59']
    """
    year = 2.0 * pi / 365.0 * (day.timetuple().tm_yday - 1)
    equation = 229.18 * (
        0.000075 + 0.001868 * cos(year) - 0.032077 * sin(year) - 0.014615 * cos(2.0 * year) - 0.040849 * sin(2.0 * year)
    )
    declination = (
        0.006918
        - 0.399912 * cos(year)
        + 0.070257 * sin(year)
        - 0.006758 * cos(2.0 * year)
        + 0.000907 * sin(2.0 * year)
        - 0.002697 * cos(3.0 * year)
        + 0.00148 * sin(3.0 * year)
    )
    here = radians(latitude)
    cosine = cos(_ZENITH) / (cos(here) * cos(declination)) - tan(here) * tan(declination)
    angle = degrees(acos(min(max(cosine, -1.0), 1.0)))
    noon = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=720.0 - 4.0 * longitude - equation)
    half = timedelta(minutes=4.0 * angle)
    return _minute(noon - half), _minute(noon + half)


def _minute(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)
