"""Places and times as the command line prints them: a city by its own name, times in its own zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any
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


def in_zone(value: Any, zone: str) -> Any:
    """Return JSON values with every time in a zone, with its offset.

    Parameters
    ----------
    value : JSON value
        Times are texts by ISO 8601 with a time and an offset, or with ``Z``.
    zone : str
        IANA name.

    Returns
    -------
    JSON value
        All that is no time is unchanged.
    """
    if isinstance(value, dict):
        return {name: in_zone(item, zone) for name, item in value.items()}
    if isinstance(value, list):
        return [in_zone(item, zone) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(zone)).isoformat()
    if not isinstance(value, str) or "T" not in value or not value[:4].isdigit():
        return value
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return value
    return value if time.tzinfo is None else time.astimezone(ZoneInfo(zone)).isoformat()
