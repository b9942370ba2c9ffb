"""Places and times as the command line prints them: a city by its own name, times in its own zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hazecast.alerts.messages.texts import catalog
from hazecast.grids.places.cities import City


def place_name(city: City) -> str:
    """Return a city's name in English, and in its own language where that is Chinese or Japanese."""
    own = {"CN": city.name_zh, "JP": city.name_ja}.get(city.country, city.name_en)
    return city.name_en if own == city.name_en else f"{city.name_en} {own}"


def stamp(time: datetime, zone: str) -> str:
    """Return a time in a zone, without the zone's name.

    Parameters
    ----------
    time : datetime
        Aware.
    zone : str
        IANA name.

    Returns
    -------
    str
    """
    return f"{time.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def zone_name(zone: str, time: datetime) -> str:
    """Return the name of a zone, such as Beijing time.

    Parameters
    ----------
    zone : str
        IANA name.
    time : datetime
        Aware.

    Returns
    -------
    str
    """
    return catalog("en").zone(zone, time)
