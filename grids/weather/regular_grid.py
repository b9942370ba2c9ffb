"""Regular latitude-longitude grids: a box or the surroundings of cities, picked from one flat field.

Values are picked right after a field is unpacked, so that at most one global field a thread is in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City

Field = npt.NDArray[np.float64]


class Box(NamedTuple):
    """A box in degrees, both edges included; west of east, longitudes -180 to 180."""

    south: float
    north: float
    west: float
    east: float


# Contains every shipped city.
EAST_ASIA = Box(15.0, 55.0, 95.0, 150.0)
GLOBE = Box(-90.0, 90.0, -180.0, 180.0)
# How far a box reaches beyond its cities, degrees: a cell of the coarsest grids in use.
_MARGIN = 5.0
# Square degrees, about twice East Asia: a box with more is not worth its fields' memory and disk.
_LARGEST = 5_000.0


def box_around(cities: Sequence[City]) -> Box | None:
    """Return the box of the grid that holds cities: East Asia where that does, else their surroundings.

    Parameters
    ----------
    cities : sequence of City
        At least one.

    Returns
    -------
    Box or None
        None where they lie too far apart, or on both sides of 180 degrees: then their values alone are worth keeping.

    Examples
    --------
    >>> from hazecast.grids.places.cities import load_registry
    >>> beijing = load_registry().city("beijing")
    >>> box_around([beijing]) == EAST_ASIA
    True
    >>> box_around([beijing.model_copy(update={"latitude": 45.764, "longitude": 4.836})])
    Box(south=40.0, north=51.0, west=-1.0, east=10.0)
    """
    latitude, longitude = (np.array([getattr(c, axis) for c in cities]) for axis in ("latitude", "longitude"))
    box = Box(
        max(float(np.floor(latitude.min() - _MARGIN)), -90.0), min(float(np.ceil(latitude.max() + _MARGIN)), 90.0),
        float(np.floor(longitude.min() - _MARGIN)), float(np.ceil(longitude.max() + _MARGIN)),
    )  # fmt: skip
    south, north, west, east = EAST_ASIA
    if (
        ((latitude >= south) & (latitude <= north)).all()
        and ((longitude >= west) & (longitude <= east)).all()
    ):  # fmt: skip
        return EAST_ASIA
    within = box.west >= -180.0 and box.east <= 180.0
    return box if within and (box.north - box.south) * (box.east - box.west) <= _LARGEST else None


@dataclass(frozen=True)
class RegularGrid:
    """Axes of a regular grid in the order of its values, in degrees.

    Attributes
    ----------
    first_latitude, first_longitude : float
        Of the first value; the longitude may be anything from -360 to 360.
    latitude_step, longitude_step : float
        The latitude step is signed, the longitude step positive.
    rows, columns : int
        Numbers of latitudes and longitudes.

    Examples
    --------
    >>> grid = RegularGrid(40.0, -0.5, 3, 115.0, 0.5, 4)
    >>> grid.latitude.tolist(), grid.longitude.tolist()
    ([40.0, 39.5, 39.0], [115.0, 115.5, 116.0, 116.5])
    """

    first_latitude: float
    latitude_step: float
    rows: int
    first_longitude: float
    longitude_step: float
    columns: int

    def __str__(self) -> str:
        """The grid in words, for errors."""
        return (
            f"{self.rows} rows from {self.first_latitude:g} N by {self.latitude_step:g} and {self.columns} columns "
            f"from {self.first_longitude:g} E by {self.longitude_step:g} degrees"
        )

    @property
    def latitude(self) -> Field:
        """Latitudes (rows,)."""
        return np.asarray(np.round(self.first_latitude + self.latitude_step * np.arange(self.rows), 6))

    @property
    def longitude(self) -> Field:
        """Longitudes (columns,), ascending; they may pass 180 or 360."""
        return np.asarray(np.round(self.first_longitude + self.longitude_step * np.arange(self.columns), 6))

    @property
    def wraps(self) -> bool:
        """Whether the columns go around the globe."""
        return bool(np.isclose(self.columns * self.longitude_step, 360.0))

    def columns_of(self, longitude: Field) -> Field:
        """Return the fractional columns of longitudes in degrees, counted eastward from the first column."""
        offset = (longitude - self.first_longitude) % 360.0
        # Rounding may put a longitude of the first column slightly west of it.
        return np.asarray(np.where(360.0 - offset < 1e-6, 0.0, offset) / self.longitude_step)


class Pick(Protocol):
    """Picks values from a flat field (rows * columns,)."""

    def __call__(self, values: Field, missing: float | None) -> Field:
        """Return the values picked, NaN where one equals `missing`."""


class Crop:
    """The rows and columns of a grid inside a box, or all of them.

    Raises
    ------
    InputError
        If fewer than two rows or columns lie inside the box.
    """

    def __init__(self, grid: RegularGrid, box: Box | None, name: str) -> None:
        self.shape = (grid.rows, grid.columns)
        self.rows: npt.NDArray[np.intp] | slice = slice(None)
        self.columns: npt.NDArray[np.intp] | slice = slice(None)
        self.latitude, self.longitude = grid.latitude, grid.longitude
        if box is None:
            return
        self.rows = np.flatnonzero((self.latitude >= box.south) & (self.latitude <= box.north))
        east_of_west = (self.longitude - box.west) % 360.0
        inside = np.flatnonzero(east_of_west <= box.east - box.west)
        self.columns = inside[np.argsort(east_of_west[inside], kind="stable")]
        if min(len(self.rows), len(self.columns)) < 2:
            raise InputError(
                f"{name}: grid",
                f"{self.latitude[0]:g} to {self.latitude[-1]:g} N, {self.longitude[0]:g} to {self.longitude[-1]:g} E",
                f"a grid that covers {box}",
            )
        self.latitude = self.latitude[self.rows]
        self.longitude = np.round(box.west + east_of_west[self.columns], 6)

    def __call__(self, values: Field, missing: float | None) -> Field:
        """Return the values of the box (rows, columns)."""
        return _with_nan(values.reshape(self.shape)[self.rows][:, self.columns], missing)


class Corners:
    """The four grid points around each city, with their bilinear weights.

    Attributes
    ----------
    outside : bool (n,)
        Cities that lie outside the grid, and have no value.

    Raises
    ------
    InputError
        If all cities lie outside the grid.
    """

    def __init__(self, grid: RegularGrid, cities: Sequence[City], name: str) -> None:
        row = (np.array([c.latitude for c in cities]) - grid.first_latitude) / grid.latitude_step
        column = grid.columns_of(np.array([c.longitude for c in cities]))
        outside = (row < 0) | (row > grid.rows - 1)
        if not grid.wraps:
            outside |= column > grid.columns - 1
        self.outside = outside
        if outside.all():
            city = cities[0]
            lat, lon = np.sort(grid.latitude), grid.longitude
            raise InputError(
                f"{name}: city {city.id}",
                f"{city.latitude} N {city.longitude} E",
                f"a place within {lat[0]:g} to {lat[-1]:g} N, {lon[0]:g} to {lon[-1]:g} E",
            )
        row, column = np.where(outside, 0.0, row), np.where(outside, 0.0, column)
        top = np.minimum(np.floor(row).astype(int), grid.rows - 2)
        left = np.floor(column).astype(int)
        if not grid.wraps:
            left = np.minimum(left, grid.columns - 2)
        down, along = row - top, column - left
        right = (left + 1) % grid.columns
        self.index = np.stack(
            [y * grid.columns + x for y, x in ((top, left), (top, right), (top + 1, left), (top + 1, right))]
        )
        self.weights = np.stack([(1 - down) * (1 - along), (1 - down) * along, down * (1 - along), down * along])
        self.weights[:, outside] = np.nan

    def __call__(self, values: Field, missing: float | None) -> Field:
        """Return the values at the cities (n,), NaN where a corner is missing."""
        return np.asarray((_with_nan(values[self.index], missing) * self.weights).sum(axis=0))


def _with_nan(values: Field, missing: float | None) -> Field:
    return values if missing is None else np.asarray(np.where(values == missing, np.nan, values))
