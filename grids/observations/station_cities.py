"""Monitoring stations: the city each belongs to, and the mean of a city's stations."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hazecast.grids.contract import POLLUTANTS, check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry, load_registry
from hazecast.grids.places.stations import ROADSIDE, load_stations
from hazecast.grids.quality import FLAG_ATTRS, GOOD, MODELLED
from hazecast.grids.weather.sampling import EARTH_RADIUS_KM

_FILE = Path(__file__).with_name("station_cities.toml")


@dataclass(frozen=True)
class NetworkStation:
    """A place where a network measures.

    Attributes
    ----------
    source, code : str
        The network and its own name for the station; together they are unique.
    name : str
        As published.
    city : str or None
        The city it belongs to; None where it belongs to none.
    latitude, longitude : float or None
        Degrees; None where the network doesn't publish them.
    siting : str
        "background", "roadside" or "" where unknown. Roadside stations represent their street:
        they are stored, but excluded from a city's mean.
    licence, attribution : str
        Terms for redistributing the values, and whom to name as their source.
    """

    source: str
    code: str
    name: str
    city: str | None
    latitude: float | None = None
    longitude: float | None = None
    siting: str = ""
    licence: str = ""
    attribution: str = ""

    @property
    def id(self) -> str:
        """The station's name in the store and on the axis ``station``."""
        return f"{self.source}:{self.code}"


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1)
    city: str
    places: tuple[str, ...] = Field(min_length=1)


@dataclass(frozen=True)
class StationCities:
    """The rules that assign stations to cities: by the place a network names, or by distance.

    Attributes
    ----------
    places : dict of str to dict of str to str
        By source: the start of a published place, and the id of its city.
    radius_km : float
        Greatest distance of a station from its city's centre.
    """

    places: dict[str, dict[str, str]]
    radius_km: float

    def by_place(self, source: str, place: str) -> str | None:
        """Return the city of a published place: that of the longest rule which the place starts with.

        Parameters
        ----------
        source : str
            The network.
        place : str
            As published.

        Returns
        -------
        str or None
            A city's id; None where no rule matches.
        """
        rules = self.places.get(source, {})
        found = [start for start in rules if place.startswith(start)]
        return rules[max(found, key=len)] if found else None

    def by_distance(self, registry: Registry, latitude: float, longitude: float) -> str | None:
        """Return the nearest city within the radius.

        Parameters
        ----------
        registry : Registry
        latitude, longitude : float
            Of the station, degrees.

        Returns
        -------
        str or None
            A city's id; None where none is near enough.
        """
        cities = list(registry.cities.values())
        distances = distances_km(cities, latitude, longitude)
        nearest = int(np.argmin(distances))
        return cities[nearest].id if distances[nearest] <= self.radius_km else None


def distances_km(cities: Sequence[City], latitude: float, longitude: float) -> np.ndarray:
    """Return the great-circle distance of each city's centre (haversine, sphere of 6371 km).

    Parameters
    ----------
    cities : sequence of City
    latitude, longitude : float
        Of the place, degrees.

    Returns
    -------
    float (city,)
        km.
    """
    return great_circle_km(
        np.array([c.latitude for c in cities]), np.array([c.longitude for c in cities]), latitude, longitude
    )


def great_circle_km(
    latitudes: np.ndarray | float, longitudes: np.ndarray | float, latitude: float, longitude: float
) -> np.ndarray:
    """Return the great-circle distance of places (haversine, sphere of 6371 km).

    Parameters
    ----------
    latitudes, longitudes : float (place,)
        Degrees.
    latitude, longitude : float
        Of the point from which they are measured, degrees.

    Returns
    -------
    float (place,)
        km; NaN where a position isn't known.
    """
    lat, lon = np.radians(latitudes), np.radians(longitudes)
    here_lat, here_lon = np.radians(latitude), np.radians(longitude)
    a = np.sin((lat - here_lat) / 2) ** 2 + np.cos(lat) * np.cos(here_lat) * np.sin((lon - here_lon) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(a)))


def load_station_cities(registry: Registry, path: Path | None = None) -> StationCities:
    """Load and check the rules that assign stations to cities, with what the cities say of their stations themselves.

    Parameters
    ----------
    registry : Registry
        The cities that a rule may name.
    path : Path, optional
        TOML; by default the rules that Hazecast ships.

    Returns
    -------
    StationCities

    Raises
    ------
    InputError
        If the file can't be read, names an unknown city, or assigns one place to two cities.
    """
    path = path or _FILE
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        radius = float(tables["radius_km"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(str(path), error, "a TOML file with radius_km and [[rule]] tables") from error
    # Neighbours are stored, and no forecast is made for them.
    others = {city.id for city in load_stations().city}
    places: dict[str, dict[str, str]] = {}
    for number, table in enumerate(tables.get("rule", [])):
        where = f"{path.name}: rule {number + 1}"
        try:
            rule = _Rule.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"{where}, {'.'.join(map(str, first['loc']))}", first["input"], first["msg"]) from error
        if rule.city not in others:
            _known(rule.city, registry)
        for place in rule.places:
            if places.setdefault(rule.source, {}).setdefault(place, rule.city) != rule.city:
                raise InputError(f"{where}, places", place, "a place given to one city")
    for city in registry.cities.values():
        for station in city.stations:
            source, _, place = station.partition(":")
            # A bureau's own word for a place goes before the shipped one.
            places.setdefault(source, {})[place] = city.id
    return StationCities(places, radius)


def _known(city: str, registry: Registry) -> None:
    """Check that a rule's city is shipped or in the registry, whether it is forecast or not."""
    if city not in load_registry().cities:
        registry.city(city)


def city_means(stations: xr.Dataset, source: str) -> xr.Dataset:
    """Average stations to cities.

    A city's value is the mean of its valid stations. Where coordinate ``rank`` (station) orders
    stations by source, an hour is the mean over the first source that has a valid station; sources
    are never mixed. Stations whose flag is "modelled" are used only where a city has
    no measurement of the pollutant at any hour of the Dataset, and the city's flag is then "modelled".

    Parameters
    ----------
    stations : xarray.Dataset (time, station)
        Contract "observations" on ``station``, with coordinate ``city``; where coordinate
        ``siting`` is given, roadside stations are left out.
    source : str
        Attribute ``source`` of the result.

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "observations" with ``<name>_flag`` and the number of stations averaged,
        ``<name>_stations``.
    """
    owner = stations["city"].values.astype(str)
    counted = np.ones(len(owner), bool)
    if "siting" in stations.coords:
        counted = stations["siting"].values.astype(str) != ROADSIDE
    rank = stations["rank"].values if "rank" in stations.coords else np.zeros(len(owner), int)
    cities, city_of = np.unique(owner, return_inverse=True)
    order = np.argsort(city_of, kind="stable")
    members = [own[counted[own]] for own in np.split(order, np.cumsum(np.bincount(city_of))[:-1])]
    result = xr.Dataset(coords={"time": stations["time"], "city": cities.tolist()}, attrs={"source": source})
    for name in POLLUTANTS:
        if name not in stations:
            continue
        values, flags = stations[name].values, stations[f"{name}_flag"].values
        shape = (len(values), len(cities))
        mean, number = np.full(shape, np.nan, np.float32), np.zeros(shape, np.int16)
        flag = np.ones(shape, np.int8)
        for column, own in enumerate(members):
            mean[:, column], number[:, column], flag[:, column] = _one_city(values[:, own], flags[:, own], rank[own])
        dims = ("time", "city")
        result[name] = (dims, mean)
        result[f"{name}_flag"] = (dims, flag, FLAG_ATTRS)
        result[f"{name}_stations"] = (dims, number, {"long_name": "number of valid stations", "units": "1"})
    return check(describe(result, "observations"), "observations", name=source)


def _one_city(values: np.ndarray, flags: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    valid = np.isfinite(values)
    modelled = valid & (flags == MODELLED)
    if (valid & ~modelled).any():
        valid &= ~modelled
    mean, number = np.full(len(values), np.nan, np.float32), np.zeros(len(values), np.int16)
    # Without a valid station the city's flag is the highest of its stations'.
    flag = flags.max(axis=1, initial=1)
    flag[flag == MODELLED] = 1
    for source in np.unique(rank):
        use = valid & (rank == source)
        count = use.sum(axis=1)
        fill = (count > 0) & (number == 0)
        total = np.where(use, values, 0).sum(axis=1)
        mean[fill] = total[fill] / count[fill]
        number[fill] = count[fill]
        flag[fill] = np.where((use & modelled)[fill].any(axis=1), MODELLED, GOOD)
    return mean, number, flag
