"""Grids that are regular in a projection, not in latitude and longitude: brought onto a regular one.

Their files hold latitude and longitude on both axes of the grid (CF conventions 1.11, section 5.6): WRF, rotated poles,
Lambert and polar stereographic grids.
"""

from __future__ import annotations

from collections.abc import Hashable

import cf_xarray  # noqa: F401 - adds the accessor `cf`
import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.weather.netcdf_axes import axis_names
from hazecast.grids.weather.polar_wind import with_wind_components
from hazecast.grids.weather.triangles import Axes, Triangles
from hazecast.grids.weather.valid_range import within_valid_range
from hazecast.grids.weather.variables import column_of
from hazecast.grids.weather.wrf import from_wrf, is_wrf

Array = npt.NDArray[np.float64]

_AXES = ("latitude", "longitude")
_TRUE_WIND = {"u10": "eastward_wind", "v10": "northward_wind"}
_MOST_POINTS = 4_000_000


def on_regular_grid(raw: xr.Dataset, where: str, *, coordinates_only: bool = False) -> xr.Dataset:
    """Return a file's contents on a grid that is regular in latitude and longitude; unchanged where it is so already.

    Values are interpolated linearly in the triangles between the points of the grid (Delaunay), to a step as wide as the
    grid's own; outside its points they are NaN. A wind that isn't stated to be eastward and northward may be along the axes of the
    projection: it is given a unit that says so, and is refused by name when it is read. Of WRF's output the variables are derived first; see
    `hazecast.grids.weather.wrf`.

    Parameters
    ----------
    raw : xarray.Dataset
        As opened.
    where : str
        The file, for errors.
    coordinates_only : bool
        Leave out the values on the grid.

    Returns
    -------
    xarray.Dataset
        Variables on latitude and longitude, ascending, degrees; all that isn't on the grid as it was.

    Raises
    ------
    InputError
        If the coordinates are not on the same two axes, move, or hold no triangle.
    """
    found = _two_dimensional(raw)
    if found is None:
        return raw
    latitude, longitude = (_still(raw[name], where) for name in found)
    dims = latitude.dims
    if set(longitude.dims) != set(dims) or latitude.size > _MOST_POINTS:
        shape = f"{latitude.sizes} and {longitude.sizes}"
        raise InputError(f"{where}: {found[0]}, {found[1]}", shape, f"the same two axes, up to {_MOST_POINTS} points")
    of_wrf = is_wrf(raw)
    if coordinates_only:
        raw = raw.drop_vars([name for name, array in raw.data_vars.items() if set(dims) & set(array.dims)])
    if of_wrf:
        raw = from_wrf(raw, where)
    raw = with_wind_components(raw, where)
    axes = Axes.of(latitude.values, longitude.transpose(*dims).values, where)
    try:
        weights = Triangles.of(latitude.values, axes)
    except ValueError as error:
        raise InputError(f"{where}: latitude, longitude", error, "points of a grid") from error
    on_grid = {
        name: _interpolated(array, weights, dims) for name, array in raw.data_vars.items() if _is_wanted(array, dims)
    }
    others = [name for name, array in raw.variables.items() if set(dims) & set(array.dims)]
    return raw.drop_vars(others).assign_coords(weights.axes()).assign(on_grid)


def _two_dimensional(raw: xr.Dataset) -> tuple[str, str] | None:
    """Return the names of latitude and longitude where they are on two axes and none is on one."""
    marked = raw.cf.guess_coord_axis()
    names = []
    for axis, wrf in zip(_AXES, ("XLAT", "XLONG"), strict=True):
        known = axis_names(marked, axis)
        if any(raw[name].ndim == 1 for name in known):
            return None
        # WRF holds those of the staggered points too.
        wide = [wrf] if wrf in raw.variables else [name for name in known if raw[name].ndim >= 2]
        if not wide:
            return None
        names.append(wide[0])
    return names[0], names[1]


def _still(axis: xr.DataArray, where: str) -> xr.DataArray:
    """Return a coordinate on two axes; WRF writes it for every time."""
    while axis.ndim > 2:
        dim = axis.dims[0]
        if not bool((axis == axis.isel({dim: 0})).all()):
            raise InputError(f"{where}: {axis.name}", f"it changes along {dim}", "a grid that stays where it is")
        axis = axis.isel({dim: 0})
    return axis.reset_coords(drop=True).astype(np.float64)


def _is_wanted(array: xr.DataArray, dims: tuple[Hashable, ...]) -> bool:
    if not set(dims) <= set(array.dims) or array.dtype.kind not in "fiu":
        return False
    try:
        return column_of(str(array.name), array.attrs, None) is not None
    except InputError:
        return True  # named when it is read


def _is_along_the_grid(array: xr.DataArray) -> bool:
    """Return whether a variable is a wind that isn't stated to be eastward or northward."""
    try:
        column = column_of(str(array.name), array.attrs, None)
    except InputError:
        return False
    stated = array.attrs.get("standard_name")
    return column is not None and column.name in _TRUE_WIND and stated != _TRUE_WIND[column.name]


def _interpolated(array: xr.DataArray, weights: Triangles, dims: tuple[Hashable, ...]) -> xr.DataArray:
    array = within_valid_range(array).transpose(..., *dims)
    kept = {name: axis for name, axis in array.coords.items() if not set(dims) & set(axis.dims)}
    values = weights.apply(array.values)
    attrs = dict(array.attrs)
    if _is_along_the_grid(array):
        attrs["units"] = f"{attrs.get('units')} along the axes of the projection"
    result = xr.DataArray(values, dims=(*array.dims[:-2], *_AXES), coords=kept | weights.axes(), attrs=attrs)
    result.encoding = {"coordinates": array.encoding.get("coordinates", "")}
    return result
