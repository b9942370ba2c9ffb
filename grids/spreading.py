"""From cities to the map between them: kriging without a mean of all, with weights that are never negative.

The semivariance grows as a power of the distance, as it does in observations from 5 to 2,000 km, so a value far from all
others goes over into those of its own region, not into a mean over two countries. Weights below nothing would throw a
field above its highest city, and hardly any are far away: they are left out, and a field stays within its cities' range.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError
from hazecast.grids.weather.sampling import EARTH_RADIUS_KM

Float = npt.NDArray[np.float64]

# Chosen on 2013-2014 by leave-one-out error of PM2.5 and ozone (docs/maps-and-cap.md). The nugget, what two places at one
# place would differ by, is a share of the semivariance at 1,000 km; with it that of stations 7 km apart is 6 %.
EXPONENT = 0.7
NUGGET = 0.03
_UNIT_KM = 1000.0
# At this distance from the only city nothing is known: there the relative deviation is 1.
REACH_KM = 200.0
# A city whose weight is below this has none. Subtracted from all, so that weights stay continuous.
_LEAST_WEIGHT = 0.005
# Weights that are computed at a time: 20 MB.
_CHUNK = 2_500_000
# Cities that weights are computed of: the system to solve grows with the cube of their number, and a map of a continent
# shows no more.
MOST_PLACES = 300


@dataclass(frozen=True)
class Weights:
    """How places between cities follow from them: weights (place, city), and the relative deviation (place,)."""

    values: Float
    deviation: Float


def spread(
    values: npt.NDArray[np.floating],
    latitude: npt.NDArray[np.floating],
    longitude: npt.NDArray[np.floating],
    at_latitude: npt.NDArray[np.floating],
    at_longitude: npt.NDArray[np.floating],
) -> tuple[Float, Float]:
    """Interpolate values at cities to places between them.

    Parameters
    ----------
    values : float (k, n)
        `k` fields at `n` cities. A city where any field is NaN is left out. Of more than `MOST_PLACES` an even choice is
        taken.
    latitude, longitude : float (n,)
        Of the cities, degrees.
    at_latitude, at_longitude : float (...)
        Of the places, degrees, of one shape.

    Returns
    -------
    field : float (k, ...)
        Within the range of the cities near each place.
    deviation : float (...)
        Standard deviation of what is not known, as a share of that 200 km from the only city: near 0 at a city, at
        most 1.

    Raises
    ------
    InputError
        If no city has valid values.

    Examples
    --------
    >>> field, deviation = spread(
    ...     np.array([[20.0, 80.0]]), np.array([39.9, 31.2]), np.array([116.4, 121.5]),
    ...     np.array([39.9, 35.5]), np.array([116.4, 119.0]),
    ... )
    >>> [round(float(v)) for v in field[0]], [round(float(d), 1) for d in deviation]
    ([21, 50], [0.0, 1.0])
    """
    known = np.isfinite(values).all(axis=0)
    if known.sum() > MOST_PLACES:
        kept = np.flatnonzero(known)
        known = np.zeros_like(known)
        known[kept[_thinned(np.asarray(latitude[kept], np.float64), np.asarray(longitude[kept], np.float64))]] = True
    if not known.any():
        raise InputError("values to spread", "no valid place", "at least one place with all values")
    places = [np.asarray(a, dtype=np.float64) for a in (latitude[known], longitude[known], at_latitude, at_longitude)]
    shape = places[2].shape
    found = _weights(*(a.tobytes() for a in places))
    return (values[:, known] @ found.values.T).reshape(len(values), *shape), found.deviation.reshape(shape)


def _thinned(latitude: Float, longitude: Float) -> npt.NDArray[np.intp]:
    """Return at most `MOST_PLACES` of the places: of each cell of a lattice the one nearest its middle."""
    step = 0.25
    while True:
        rows, columns = np.round(latitude / step), np.round(longitude / step)
        order = np.argsort(np.hypot(latitude - rows * step, longitude - columns * step), kind="stable")
        _, first = np.unique(np.stack([rows[order], columns[order]]), axis=1, return_index=True)
        if len(first) <= MOST_PLACES:
            return np.sort(order[first])
        step *= 1.2


@lru_cache(maxsize=4)
def _weights(latitude: bytes, longitude: bytes, at_latitude: bytes, at_longitude: bytes) -> Weights:
    cities, places = (
        _on_sphere(np.frombuffer(lat), np.frombuffer(lon))
        for lat, lon in ((latitude, longitude), (at_latitude, at_longitude))
    )
    size = max(_CHUNK // len(cities), 1)
    parts = [weights(cities, places[start : start + size]) for start in range(0, len(places), size)]
    return Weights(np.concatenate([p.values for p in parts]), np.concatenate([p.deviation for p in parts]))


def weights(
    cities: Float, places: Float, *, exponent: float = EXPONENT, nugget: float = NUGGET, least: float = _LEAST_WEIGHT
) -> Weights:
    """Return the weights of cities at places: ordinary kriging, then without those below `least`.

    Parameters
    ----------
    cities, places : float (n, 3), (m, 3)
        On the unit sphere.
    exponent : float
        Of the semivariance's growth with the distance, 0 to 2.
    nugget : float
        Error variance of a city's value, as a share of the semivariance at 1,000 km.
    least : float
        Subtracted from each weight; what is left below 0 counts as 0.

    Returns
    -------
    Weights
        Each place's sum up to 1.
    """
    count = len(cities)
    between, towards = (_semivariance(cities, cities, exponent), _semivariance(places, cities, exponent))
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = between - nugget * np.eye(count)
    system[count, count] = 0.0
    right = np.ones((count + 1, len(places)))
    right[:count] = towards.T
    raw = np.linalg.solve(system, right)[:count].T
    # The heaviest city keeps some weight however many there are.
    kept = np.maximum(raw - np.minimum(least, 0.5 * raw.max(axis=1, keepdims=True)), 0.0)
    kept /= kept.sum(axis=1, keepdims=True)
    variance = 2.0 * (kept * towards).sum(axis=1) - ((kept @ between) * kept).sum(axis=1)
    unknown = 2.0 * (REACH_KM / _UNIT_KM) ** exponent
    return Weights(kept, np.sqrt(np.clip(variance / unknown, 0.0, 1.0)))


def _semivariance(places: Float, others: Float, exponent: float) -> Float:
    squared = np.maximum(2.0 - 2.0 * places @ others.T, 0.0)
    found: Float = (np.sqrt(squared) * EARTH_RADIUS_KM / _UNIT_KM) ** exponent
    return found


def _on_sphere(latitude: Float, longitude: Float) -> Float:
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
