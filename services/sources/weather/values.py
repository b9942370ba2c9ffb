"""What no weather can be, though each value by itself is possible: fields of one value, of another area, damper than damp."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER
from hazecast.grids.errors import InputError
from hazecast.grids.weather.regular_grid import Box

# Never the same everywhere, unlike clouds, rain and sunshine: a field of one value is what a failed encoder writes.
_VARYING = ("t2m", "d2m", "u10", "v10", "sp", "blh")
# Chosen: in a few places, or hours, rounded values may be alike.
_MANY = 48
# Saturated air has a dew point of its temperature. Chosen: so far above, K, in more than so large a share of the values.
# Packing and supersaturation move it by less, and a humidity over ice by more where it is very cold.
_ABOVE, _SHARE = 1.0, 0.5


def refuse_impossible(weather: xr.Dataset, where: str, *, each_time: bool) -> None:
    """Refuse weather that contradicts itself.

    Parameters
    ----------
    weather : xarray.Dataset (time, ...)
        Contract "weather_grid" or "city_weather".
    where : str
        Where it was read from, for errors.
    each_time : bool
        Whether a variable must vary over the grid at each time; regional models may write zeros at their first.

    Raises
    ------
    InputError
        If a variable that varies has one value throughout, or dew points lie above the temperature.
    """
    for name in _VARYING:
        if name in weather:
            array = weather[name].transpose("time", ...).values
            for part in (*array, array) if each_time else (array,):
                refuse_one_value(part, f"{where}: {name}", WEATHER[name].units)
    if {"t2m", "d2m"} <= set(weather.data_vars):
        excess = (weather["d2m"] - weather["t2m"]).values
        above, known = int((excess > _ABOVE).sum()), int(np.isfinite(excess).sum())
        if above > _SHARE * known:
            found = f"{above} of {known} values more than {_ABOVE:g} K above the temperature, at most {np.nanmax(excess):.1f} K"
            raise InputError(f"{where}: d2m", found, "a dew point up to the temperature")


def refuse_one_value(values: np.ndarray, where: str, unit: str) -> None:
    """Refuse many values that are all the same.

    Parameters
    ----------
    values : float (...)
        NaN where unknown.
    where : str
        File and variable, for errors.
    unit : str

    Raises
    ------
    InputError
        If they are.
    """
    known = values[np.isfinite(values)]
    if known.size >= _MANY and known.min() == known.max():
        raise InputError(where, f"{known[0]:g} {unit} at all {known.size} places and times", "values that vary")


def refuse_another_area(grid: xr.Dataset, box: Box, where: str) -> None:
    """Refuse a grid that doesn't reach a box's edges but for a step.

    Parameters
    ----------
    grid : xarray.Dataset (latitude, longitude)
    box : Box
    where : str
        Where it was read from, for errors.

    Raises
    ------
    InputError
        If it doesn't.
    """
    for axis, (low, high) in {"latitude": box[:2], "longitude": box[2:]}.items():
        points = grid[axis].values
        step = float(np.abs(np.diff(points)).max())
        if points.min() - step > low or points.max() + step < high:
            found = f"{points.min():g} to {points.max():g} degrees"
            raise InputError(f"{where}: {axis}", found, f"{low:g} to {high:g} degrees, as asked for")
