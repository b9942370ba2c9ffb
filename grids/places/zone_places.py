"""Whether a city's time zone and its coordinates fit together, by the table of zones of the IANA time zone database."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Literal

from hazecast.grids.observations.station_cities import great_circle_km
from hazecast.grids.places.cities import City

# A city nearer to its zone's place than this is not suspected: this project's choice.
_NEAR_KM = 1_000.0
# Latitude and longitude, degrees, minutes and perhaps seconds (ISO 6709).
_PLACE = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?")


def doubts(city: City) -> list[Literal["zone_of_another_country", "coordinates_swapped"]]:
    """Return what looks wrong about a city's zone and coordinates; neither is surely wrong.

    Parameters
    ----------
    city : City

    Returns
    -------
    list of str
        ``zone_of_another_country``: zones of its country are known, and its own is another country's.
        ``coordinates_swapped``: it is far from its zone's place, and with latitude and longitude in each other's place
        it would be at most half as far.
    """
    known = _zones()
    if city.time_zone not in known:
        return []
    country, latitude, longitude = known[city.time_zone]
    found: list[Literal["zone_of_another_country", "coordinates_swapped"]] = []
    if country != city.country:
        found.append("zone_of_another_country")
    if abs(city.longitude) <= 90.0:
        as_is = great_circle_km(city.latitude, city.longitude, latitude, longitude)
        swapped = great_circle_km(city.longitude, city.latitude, latitude, longitude)
        if as_is > _NEAR_KM and swapped <= as_is / 2:
            found.append("coordinates_swapped")
    return found


@cache
def _zones() -> dict[str, tuple[str, float, float]]:
    """Return country, latitude and longitude (degrees) of each zone of ``zone.tab``."""
    text = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return {row[2]: (row[0], *_degrees(row[1])) for row in rows}


def _degrees(place: str) -> tuple[float, float]:
    parts = _PLACE.fullmatch(place)
    assert parts is not None, place
    found = []
    for sign, *angle in (parts.groups()[:4], parts.groups()[4:]):
        size = sum(float(part or 0) / 60**power for power, part in enumerate(angle))
        found.append(-size if sign == "-" else size)
    return found[0], found[1]
