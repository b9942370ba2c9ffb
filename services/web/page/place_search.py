"""Places by name in three languages, or by the nearest to a point: what the page's search field suggests."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from hazecast.grids.observations.station_cities import distances_km
from hazecast.grids.places.cities import City, Registry
from hazecast.services.web.page.words import Words

MOST = 8


@dataclass(frozen=True)
class Found:
    """A place that was found, and how far it is from the point asked for, km; None by name."""

    city: City
    distance: float | None = None


def search(registry: Registry, name: str, most: int = MOST) -> list[Found]:
    """Return the places that a reader may mean by a name, or the beginning or a part of one.

    Names that begin with it come first, then those that hold it; upper and lower case, width, accents, spaces and hyphens make
    no difference.

    Parameters
    ----------
    registry : Registry
    name : str
        In Chinese, Japanese or Latin letters.
    most : int
        As many at most.

    Returns
    -------
    list of Found
        Empty for an empty name.
    """
    wanted = _plain(name)
    if not wanted:
        return []
    ranked: list[tuple[int, int, City]] = []
    for number, city in enumerate(registry.cities.values()):
        names = _names(city)
        if wanted in names:
            ranked.append((0, number, city))
        elif any(one.startswith(wanted) for one in names):
            ranked.append((1, number, city))
        elif any(wanted in one for one in names):
            ranked.append((2, number, city))
    ranked.sort(key=lambda one: one[:2])
    return [Found(city) for _, _, city in ranked[:most]]


def meant(registry: Registry, name: str) -> City | None:
    """Return the one place that a name stands for: of that very name, or the only one that it may mean.

    Parameters
    ----------
    registry : Registry
    name : str

    Returns
    -------
    City or None
    """
    found = search(registry, name, 2)
    exact = [one.city for one in found if _plain(name) in _names(one.city)]
    if len(exact) == 1 or (len(found) == 1 and not exact):
        return found[0].city
    return None


def nearest(registry: Registry, latitude: float, longitude: float) -> Found:
    """Return the place nearest to a point, by great circles.

    Parameters
    ----------
    registry : Registry
    latitude, longitude : float
        Degrees.

    Returns
    -------
    Found
    """
    cities = list(registry.cities.values())
    distances = distances_km(cities, latitude, longitude)
    at = int(distances.argmin())
    return Found(cities[at], float(distances[at]))


def places_json(found: list[Found], registry: Registry, words: Words) -> bytes:
    """Return places as the search field takes them: id, name, the region it lies in, and the distance, km.

    Parameters
    ----------
    found : list of Found
    registry : Registry
    words : Words

    Returns
    -------
    bytes
        JSON.
    """
    content = [
        {
            "id": one.city.id,
            "name": words.of(one.city),
            "region": words.of(registry.regions[one.city.region]) if one.city.region in registry.regions else "",
            "distance": None if one.distance is None else round(one.distance),
        }
        for one in found
    ]
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(maxsize=20_000)
def _names(city: City) -> frozenset[str]:
    return frozenset(_plain(name) for name in (city.name_zh, city.name_ja, city.name_en, city.id))


def _plain(name: str) -> str:
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in parts if c.isalnum())
