"""The regular grid of a GRIB message, and the order in which it stores its values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hazecast.grids.errors import InputError
from hazecast.grids.weather.codec import eccodes
from hazecast.grids.weather.grib_scattered import SCATTERED, Scattered, scattered_of
from hazecast.grids.weather.regular_grid import Field, RegularGrid

# A grid of 0.05 degree; a larger count is a damaged header, and would exhaust the memory.
_MOST_VALUES = 3_601 * 7_200
# Edition 1 gives thousandths of a degree.
_ROUNDED = 0.0005


class Scan(NamedTuple):
    """The order of a field's values: WMO FM 92, edition 2, flag table 3.4, and edition 1, table 8."""

    columns_westward: bool = False
    columns_first: bool = False
    rows_alternate: bool = False
    last_column_repeats: bool = False

    def rows_from_the_west(self, values: Field, grid: RegularGrid) -> Field:
        """Return a flat field by rows, each from west to east.

        Parameters
        ----------
        values : Field (rows * columns,)
            In the file's order.
        grid : RegularGrid

        Returns
        -------
        Field (rows * columns,)
        """
        if not any(self):
            return values
        columns = grid.columns + self.last_column_repeats
        shape = (columns, grid.rows) if self.columns_first else (grid.rows, columns)
        field = values.reshape(shape)
        if self.rows_alternate:
            field = field.copy()
            field[1::2] = field[1::2, ::-1]
        if self.columns_first:
            field = field.T
        if self.columns_westward:
            field = field[:, ::-1]
        return np.ascontiguousarray(field[:, : grid.columns]).ravel()


def grid_of(handle: int, where: str) -> tuple[RegularGrid, Scan | Scattered]:
    """Return the grid of a message and the order of its values.

    A grid that is regular in a projection, or Gaussian, is brought onto a regular one; see `Scattered`.

    Parameters
    ----------
    handle : int
        Of eccodes.
    where : str
        File and message, for errors.

    Returns
    -------
    grid : RegularGrid
        Longitudes ascending, latitudes in the order of the file.
    scan : Scan or Scattered

    Raises
    ------
    InputError
        If its points aren't known or too many, or its header contradicts itself.
    """
    kind = eccodes.codes_get(handle, "gridType")
    if kind in SCATTERED:
        return scattered_of(handle, where)
    if kind != "regular_ll":
        raise InputError(f"{where}: gridType", kind, f"regular_ll or one of {', '.join(SCATTERED)}")
    rows, columns = (int(eccodes.codes_get_long(handle, key)) for key in ("Nj", "Ni"))
    count = eccodes.codes_get_long(handle, "numberOfDataPoints")
    if min(rows, columns) < 2 or rows * columns != count or count > _MOST_VALUES:
        raise InputError(
            f"{where}: grid", f"{rows} rows, {columns} columns, {count} values", "rows times columns values"
        )
    westward, columns_first, alternate = (
        bool(eccodes.codes_get_long(handle, key))
        for key in ("iScansNegatively", "jPointsAreConsecutive", "alternativeRowScanning")
    )
    first, last = (_corner(handle, which) for which in ("First", "Last"))
    west, east = (last[1], first[1]) if westward else (first[1], last[1])
    # The steps are taken from end to end, since the header may round a third of a degree, but must not contradict it.
    down, along = (last[0] - first[0]) / (rows - 1), ((east - west) % 360.0 or 360.0) / (columns - 1)
    northward = bool(eccodes.codes_get_long(handle, "jScansPositively"))
    given = eccodes.codes_get_long(handle, "ijDirectionIncrementGiven")
    steps = [eccodes.codes_get_double(handle, f"{axis}DirectionIncrementInDegrees") for axis in "ij"] if given else []
    fits = all(abs(step - own) <= _ROUNDED + 0.005 * own for step, own in zip(steps, (along, abs(down)), strict=False))
    repeats = along * columns > 360.01
    grid = RegularGrid(first[0], down, rows, west, along, columns - repeats)
    if not (
        fits
        and max(abs(first[0]), abs(last[0])) < 90.01
        and down != 0
        and (down > 0) is northward
        and along * (columns - 1) < 360.01
    ):
        raise InputError(f"{where}: grid", grid, "latitudes and longitudes on a globe")
    return grid, Scan(westward, columns_first, alternate, repeats)


def _corner(handle: int, which: str) -> tuple[float, float]:
    latitude, longitude = (
        float(eccodes.codes_get_double(handle, f"{axis}Of{which}GridPointInDegrees"))
        for axis in ("latitude", "longitude")
    )
    return latitude, longitude
