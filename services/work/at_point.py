"""A run's forecast at a point: of the city there, or of the field that is spread between the cities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.spreading import spread
from hazecast.grids.weather.sampling import EARTH_RADIUS_KM
from hazecast.services.store.reads import VALUE_COLUMNS, values_of
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun

Method = Literal["city", "field"]
# Up to here a point has the city's own values: stations so near differ by 6 % of the semivariance at 1,000 km
# (`hazecast.grids.spreading`).
AT_CITY_KM = 7.0
# Beyond, nothing is known (as on the maps, `hazecast.alerts.maps.areas`): the field would be one city's value far away.
UNCERTAIN = 0.8
# Cities that the field is spread from: those farther away have no weight.
_NEAREST = 40
_CONCENTRATIONS = np.array([name != "relative_humidity" for name in VALUE_COLUMNS])


@dataclass(frozen=True)
class AtPoint:
    """A forecast at a point.

    Attributes
    ----------
    method : {"city", "field"}
    city : City
        The nearest of the run.
    distance : float
        km to it
    uncertainty : float
        Relative deviation of the field, as `hazecast.grids.spreading.spread` gives it; 0 for a city's own values.
    rows : sequence of sequence
        City, lead time and `VALUE_COLUMNS`, as `values_of` returns them.
    """

    method: Method
    city: City
    distance: float
    uncertainty: float
    rows: Sequence[Sequence[Any]]


def forecast_at(
    store: Store,
    run: ForecastRun,
    cities: Iterable[City],
    latitude: float,
    longitude: float,
    leads: tuple[int, int],
    method: Method | None = None,
) -> AtPoint:
    """Return the forecast of a run at a point.

    Parameters
    ----------
    store : Store
    run : ForecastRun
    cities : iterable of City
        Those that may be in the run.
    latitude, longitude : float
        degrees north and east
    leads : (int, int)
        First and last lead time, hours.
    method : {"city", "field"} or None
        None: a city's own values up to `AT_CITY_KM` from it, the field elsewhere.

    Returns
    -------
    AtPoint

    Raises
    ------
    InputError
        If the run has no such hours, or too little is known at the point.
    """
    near = sorted(cities, key=lambda city: distance_km(city, latitude, longitude))[:_NEAREST]
    rows: Sequence[Any] = values_of(store, run, [city.id for city in near], *leads)
    by_city: dict[str, list[Any]] = {}
    for row in rows:
        by_city.setdefault(row[0], []).append(row)
    known = [city for city in near if city.id in by_city]
    if not known:
        raise InputError("point", f"{latitude}, {longitude}", "a run with such hours")
    nearest = known[0]
    distance = distance_km(nearest, latitude, longitude)
    if method == "city" or (method is None and distance <= AT_CITY_KM):
        return AtPoint("city", nearest, distance, 0.0, by_city[nearest.id])
    hours = sorted({row[1] for row in rows})
    values = np.full((len(known), len(hours), len(VALUE_COLUMNS)), np.nan)
    for number, city in enumerate(known):
        for row in by_city[city.id]:
            values[number, row[1] - hours[0]] = np.array(row[2:], float)
    field, uncertainty = _field(values, known, latitude, longitude)
    if uncertainty > UNCERTAIN:
        raise InputError(
            "point", f"{latitude}, {longitude}", f"a point nearer to a city: {nearest.id} is {distance:.0f} km away"
        )
    made = [(nearest.id, lead, *_plain(row)) for lead, row in zip(hours, field, strict=True)]
    return AtPoint("field", nearest, distance, uncertainty, made)


def _field(
    values: npt.NDArray[np.float64], cities: Sequence[City], latitude: float, longitude: float
) -> tuple[npt.NDArray[np.float64], float]:
    """Spread (city, hour, column) to a point; concentrations by their roots, as the maps do."""
    rooted = np.where(_CONCENTRATIONS, np.sqrt(np.maximum(values, 0.0)), values)
    # What no city has, such as humidity without weather, stays missing.
    columns = np.isfinite(rooted).any(axis=(0, 1))
    flat = rooted[..., columns].reshape(len(cities), -1).T
    latitudes = np.array([city.latitude for city in cities])
    longitudes = np.array([city.longitude for city in cities])
    found, deviation = spread(flat, latitudes, longitudes, np.array([latitude]), np.array([longitude]))
    made = np.full(values.shape[1:], np.nan)
    made[:, columns] = found.reshape(values.shape[1], -1)
    return np.where(_CONCENTRATIONS, np.square(made), made), float(deviation[0])


def _plain(row: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in row]


def distance_km(city: City, latitude: float, longitude: float) -> float:
    """Return the great-circle distance of a point from a city.

    Parameters
    ----------
    city : City
    latitude, longitude : float
        degrees north and east

    Returns
    -------
    float
        km

    Examples
    --------
    >>> from hazecast.grids.places.cities import load_registry
    >>> round(distance_km(load_registry().city("beijing"), 39.085, 117.201))
    114
    """
    lat, lon, to_lat, to_lon = np.radians([city.latitude, city.longitude, latitude, longitude])
    half = np.sin((to_lat - lat) / 2) ** 2 + np.cos(lat) * np.cos(to_lat) * np.sin((to_lon - lon) / 2) ** 2
    return float(2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(min(half, 1.0))))
