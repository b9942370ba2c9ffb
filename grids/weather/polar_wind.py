"""Wind that a file gives as speed and direction, turned into its components: angles are never interpolated.

CF standard name table: ``wind_speed``, ``wind_from_direction`` and ``wind_to_direction``, the angle clockwise from north.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.weather.netcdf_axes import height_of
from hazecast.grids.weather.valid_range import within_valid_range
from hazecast.grids.weather.variables import HEIGHTS_M, column_of, statistic_of
from hazecast.grids.weather.wind import wind_of

Array = npt.NDArray[np.float64]

# What of the wind could not be used, beside the variables, for those who read them.
LEFT_OUT = "wind_left_out"
_SPEED, _FROM, _TO = "speed", "from", "to"
_STANDARD_NAMES = {"wind_speed": _SPEED, "wind_from_direction": _FROM, "wind_to_direction": _TO}
# Names that tell the height, 10 m: of ECMWF's parameter database, CMIP, NASA POWER and Open-Meteo.
_NAMES = {
    "si10": _SPEED, "10si": _SPEED, "sfcwind": _SPEED, "ws10m": _SPEED, "wind_speed_10m": _SPEED,
    "10wdir": _FROM, "wdir10": _FROM, "wd10m": _FROM, "wind_direction_10m": _FROM,
}  # fmt: skip
_RADIAN = 180.0 / np.pi
_DEGREES = {
    "degree": 1.0, "degrees": 1.0, "deg": 1.0, "\N{DEGREE SIGN}": 1.0, "degree true": 1.0, "degrees true": 1.0,
    "degree_true": 1.0, "degrees_true": 1.0, "degree_t": 1.0, "radian": _RADIAN, "radians": _RADIAN, "rad": _RADIAN,
}  # fmt: skip
_INSTANT = (None, "point", "instant")


class _Part(NamedTuple):
    name: str
    kind: str


def with_wind_components(raw: xr.Dataset, where: str) -> xr.Dataset:
    """Add the components of the wind at 10 m where a file gives its speed and direction alone.

    Parameters
    ----------
    raw : xarray.Dataset
        As opened.
    where : str
        The file, for errors.

    Returns
    -------
    xarray.Dataset
        With ``u10`` and ``v10`` in the unit of the speed; attribute `LEFT_OUT` says why not where a speed or a direction
        can't be used.
    """
    parts = [_Part(name, kind) for name in map(str, raw.data_vars) if (kind := _kind(name, raw[name])) is not None]
    if not parts or _holds_components(raw):
        return raw
    try:
        return raw.assign(_components(raw, parts, where))
    except InputError as error:
        return raw.assign_attrs({LEFT_OUT: str(error)})


def _kind(name: str, array: xr.DataArray) -> str | None:
    """Return what of the wind at 10 m a variable is; None for anything else and other heights."""
    if name.lower() in _NAMES:
        return _NAMES[name.lower()]
    height = height_of(array)
    if height is not None and height not in HEIGHTS_M["u10"]:
        return None
    return _STANDARD_NAMES.get(str(array.attrs.get("standard_name")))


def _holds_components(raw: xr.Dataset) -> bool:
    for name in map(str, raw.data_vars):
        try:
            column = column_of(name, raw[name].attrs, height_of(raw[name]))
        except InputError:
            continue
        if column is not None and column.name == "u10":
            return True
    return False


def _components(raw: xr.Dataset, parts: list[_Part], where: str) -> dict[str, xr.DataArray]:
    speeds = [part for part in parts if part.kind == _SPEED]
    directions = [part for part in parts if part.kind != _SPEED]
    if not speeds or not directions:
        found = f"{parts[0].name} alone"
        raise InputError(f"{where}: wind", found, "speed and direction in one file, or both components")
    for part in (speeds[0], directions[0]):
        array = raw[part.name]
        if part.name.lower() not in _NAMES and height_of(array) is None:
            raise InputError(
                f"{where}: {part.name}: height", "not stated", "a coordinate of 10 m, or a name such as si10"
            )
        if statistic_of(array.attrs) not in _INSTANT:
            raise InputError(f"{where}: {part.name}: statistic", statistic_of(array.attrs), "instants")
    speed, direction = (within_valid_range(raw[part.name]) for part in (speeds[0], directions[0]))
    if set(speed.dims) != set(direction.dims):
        raise InputError(f"{where}: {direction.name}", direction.dims, f"the axes of {speed.name}, {speed.dims}")
    places = f"{where}: {speed.name}", f"{where}: {direction.name}"
    angle = _degrees(direction.transpose(*speed.dims), places[1])
    u, v = wind_of(speed.values, angle, *places)
    sign = -1.0 if directions[0].kind == _TO else 1.0
    names = (("u10", "eastward_wind"), ("v10", "northward_wind"))
    return {
        name: speed.copy(data=sign * component + 0.0).assign_attrs(standard_name=standard)
        for (name, standard), component in zip(names, (u, v), strict=True)
    }


def _degrees(direction: xr.DataArray, where: str) -> Array:
    """Return the direction that the wind comes from or goes to in degrees."""
    factor = _DEGREES.get(str(direction.attrs.get("units", "")).strip().lower())
    if factor is None:
        raise InputError(f"{where} units", direction.attrs.get("units"), f"one of {sorted(_DEGREES)}")
    return np.asarray(direction.values * factor)
