"""GRIB on grids that aren't regular in latitude and longitude: projections and Gaussian grids, brought onto a regular one.

WMO FM 92, edition 2, templates 3.1 (rotated), 3.10 (Mercator), 3.20 (polar stereographic), 3.30 (Lambert) and 3.40 (Gaussian), as
the weather services of Korea and Taiwan, NCEP and ECMWF write them; eccodes gives the places of their points.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np

from hazecast.grids.errors import InputError
from hazecast.grids.weather.codec import eccodes
from hazecast.grids.weather.regular_grid import Field, RegularGrid
from hazecast.grids.weather.triangles import Axes, Triangles

SCATTERED = ("rotated_ll", "mercator", "polar_stereographic", "lambert", "regular_gg", "reduced_gg")
# Triangles between more points take longer than a minute.
_MOST_POINTS = 1_000_000
# Flag table 3.3, bit 5 (edition 1: table 7): u and v are relative to the grid.
_ALONG_GRID = 8
_DEGREES = (
    "latitudeOfFirstGridPointInDegrees", "longitudeOfFirstGridPointInDegrees", "latitudeOfLastGridPointInDegrees",
    "longitudeOfLastGridPointInDegrees", "LoVInDegrees", "LaDInDegrees", "Latin1InDegrees", "Latin2InDegrees",
    "orientationOfTheGridInDegrees", "latitudeOfSouthernPoleInDegrees", "longitudeOfSouthernPoleInDegrees",
    "angleOfRotationInDegrees", 
)  # fmt: skip
_METRES = ("DxInMetres", "DyInMetres", "DiInMetres", "DjInMetres")
# In degrees twice around the globe; in metres a step that goes around it a third.
_MOST_DEGREES, _MOST_METRES = 720.0, 1e7
_CACHED = 4
_grids: OrderedDict[str, tuple[RegularGrid, Scattered]] = OrderedDict()
_guard = Lock()


@dataclass(frozen=True, eq=False)
class Scattered:
    """The points of a grid, in the order of a field's values, and how they come onto a regular one.

    Attributes
    ----------
    latitude : Field (point,)
        Degrees.
    axes : Axes
        The regular grid, and the points' longitudes.
    angle : Field (point,) or None
        Of a wind along the axes of the grid: how far its x axis is turned from east against the clock, radians.
    """

    latitude: Field
    axes: Axes
    angle: Field | None

    @cached_property
    def _triangles(self) -> Triangles:
        return Triangles.of(self.latitude[None], self.axes)

    @cached_property
    def turn(self) -> tuple[Field, Field]:
        """Cosine and sine of the angle, which there must be, on the regular grid (rows * columns,)."""
        assert self.angle is not None
        return self._onto_rows(np.cos(self.angle)), self._onto_rows(np.sin(self.angle))

    def rows_from_the_west(self, values: Field, grid: RegularGrid) -> Field:
        """Return a field on the regular grid by rows, each from west to east.

        Parameters
        ----------
        values : Field (point,)
            In the file's order, NaN where missing.
        grid : RegularGrid
            As of `scattered_of`.

        Returns
        -------
        Field (rows * columns,)
            NaN outside the points.

        Raises
        ------
        ValueError
            If there is another number of values, or the points hold no triangle.
        """
        if values.size != self.latitude.size:
            raise ValueError(f"{values.size} values, not one for each of {self.latitude.size} points")
        return self._onto_rows(values)

    def _onto_rows(self, values: Field) -> Field:
        with _guard:
            triangles = self._triangles
        return np.asarray(triangles.apply(values[None]).ravel(), np.float64)


def scattered_of(handle: int, where: str) -> tuple[RegularGrid, Scattered]:
    """Return the regular grid onto which a message's values come, and how.

    Parameters
    ----------
    handle : int
        Of eccodes.
    where : str
        File and message, for errors.

    Returns
    -------
    grid : RegularGrid
    points : Scattered

    Raises
    ------
    InputError
        If its points are too many or nowhere, or the order of its values isn't one that can be used.
    """
    key = str(eccodes.codes_get(handle, "md5GridSection"))
    if key in _grids:
        _grids.move_to_end(key)
        return _grids[key]
    count = int(eccodes.codes_get_long(handle, "numberOfDataPoints"))
    if not 3 <= count <= _MOST_POINTS:
        raise InputError(f"{where}: {eccodes.codes_get(handle, 'gridType')}", f"{count} points", f"3 to {_MOST_POINTS}")
    _check_header(handle, where)
    latitude, longitude = (
        np.asarray(eccodes.codes_get_array(handle, name), np.float64) for name in ("latitudes", "longitudes")
    )
    if (
        latitude.size != count
        or longitude.size != count
        or not (np.abs(latitude) <= 90.01).all()
        or not np.isfinite(longitude).all()
    ):
        raise InputError(f"{where}: grid", f"{latitude.size} points", f"{count} on a globe")
    axes = Axes.of(latitude[None], longitude[None], where)
    grid = RegularGrid(
        float(axes.rows[0]), axes.step, len(axes.rows), float(axes.columns[0]), axes.wide, len(axes.columns)
    )
    if min(grid.rows, grid.columns) < 2:
        raise InputError(f"{where}: grid", f"{grid.rows} rows, {grid.columns} columns", "points of a grid")
    found = grid, Scattered(latitude, axes, _angle(handle, latitude, longitude, where))
    _grids[key] = found
    while len(_grids) > _CACHED:
        _grids.popitem(last=False)
    return found


def _check_header(handle: int, where: str) -> None:
    """Refuse numbers that no grid has: from an angle without a value eccodes counts down for ever."""
    limits = {name: _MOST_DEGREES for name in _DEGREES} | {name: _MOST_METRES for name in _METRES}
    for name, most in limits.items():
        if eccodes.codes_is_defined(handle, name):
            value = float(eccodes.codes_get_double(handle, name))
            if not abs(value) <= most:
                raise InputError(f"{where}: {name}", value, f"at most {most:g}")


def _angle(handle: int, latitude: Field, longitude: Field, where: str) -> Field | None:
    """Return by how much the x axis is turned from east at each point; None where winds are to the east and north."""
    kind = str(eccodes.codes_get(handle, "gridType"))
    if kind.endswith("_gg") or not eccodes.codes_get_long(handle, "resolutionAndComponentFlags") & _ALONG_GRID:
        return None
    columns, rows = (int(eccodes.codes_get_long(handle, name)) for name in ("Ni", "Nj"))
    if kind not in ("rotated_ll", "mercator"):
        columns, rows = (int(eccodes.codes_get_long(handle, name)) for name in ("Nx", "Ny"))
    if any(eccodes.codes_get_long(handle, name) for name in ("jPointsAreConsecutive", "alternativeRowScanning")):
        raise InputError(f"{where}: scanningMode", "columns first, or rows that alternate", "rows one after the other")
    if rows * columns != latitude.size or columns < 2:
        raise InputError(f"{where}: grid", f"{rows} rows, {columns} columns", f"{latitude.size} points")
    sign = -1.0 if eccodes.codes_get_long(handle, "iScansNegatively") else 1.0
    counted_on = np.unwrap(longitude.reshape(rows, columns), period=360.0, axis=1)
    east, north = (
        np.asarray(np.gradient(axis, axis=1)) * sign for axis in (counted_on, latitude.reshape(rows, columns))
    )
    return np.asarray(np.arctan2(north, east * np.cos(np.radians(latitude.reshape(rows, columns)))).ravel())
