"""The hours of weather: parts of one source joined, and steps of several hours turned into hours.

An instant is interpolated between its neighbours; a rate holds over the whole of its own step. Gaps longer than
`LONGEST_GAP_HOURS` stay empty: what happened in them isn't known.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.contract import WEATHER
from hazecast.grids.errors import InputError

# Global models publish every 1, 3 or 6 h; over more the diurnal cycle is lost.
LONGEST_GAP_HOURS = 6
# Means over the step that the time ends; all others are instants.
RATES = ("tp", "ssrd")
# The length of each step of a rate, hours, beside the rate on the same times.
STEP_HOURS = "{}_step_hours"
_HOUR = np.timedelta64(1, "h")
# Files of one source round their values differently: a share of the value.
_SAME = 1e-3
# Half a step of the finest grids is far larger, rounding in single precision smaller.
_SAME_DEGREES = 1e-4

Array = npt.NDArray[np.floating]


def step_variables(dataset: xr.Dataset) -> list[str]:
    """Return the names of the variables that hold lengths of steps; see `STEP_HOURS`."""
    return [name for rate in RATES if (name := STEP_HOURS.format(rate)) in dataset]


def hours_long(hours: float) -> np.timedelta64:
    """Return a length of time, to the minute."""
    return np.timedelta64(round(hours * 60), "m")


def to_hourly(grid: xr.Dataset) -> xr.Dataset:
    """Turn weather at steps of up to 6 h into weather at every hour.

    Parameters
    ----------
    grid : xarray.Dataset (time, ...)
        Contract "weather_grid" or "city_weather", with `STEP_HOURS` of a rate where it is known; else a rate is
        taken to hold since the time before.

    Returns
    -------
    xarray.Dataset (time, ...)
        Every whole hour from the first to the last. Attribute ``time_interpolated`` is 1 where an hour was filled, and
        the attribute ``time_interpolation`` of each such variable says how.

    Raises
    ------
    InputError
        If no whole hour lies between the first and the last time.
    """
    times = grid["time"].values
    first = times[0].astype("datetime64[h]").astype(times.dtype)
    hours = np.arange(first if first == times[0] else first + _HOUR, times[-1] + np.timedelta64(1, "ns"), _HOUR)
    if not hours.size:
        raise InputError("weather: time", f"{times[0]} to {times[-1]}", "a whole hour among them")
    result = xr.Dataset(coords={"time": hours.astype("datetime64[ns]")}, attrs=grid.attrs)
    result = result.assign_coords({name: axis for name, axis in grid.coords.items() if "time" not in axis.dims})
    filled = False
    for name in [name for name in WEATHER if name in grid]:
        array = grid[name].transpose("time", ...)
        if name in RATES:
            steps = grid.get(STEP_HOURS.format(name))
            values = _spread(times, array.values, hours, None if steps is None else steps.values)
            how = "the mean of its step"
        else:
            values, how = interpolated(times, array.values, hours), "linear"
        result[name] = (array.dims, values.astype(np.float32), array.attrs)
        known = np.isfinite(array.values).reshape(len(times), -1).any(axis=1)
        present = np.isfinite(values).reshape(len(hours), -1).any(axis=1)
        if (present & ~np.isin(hours, times[known])).any():
            result[name].attrs["time_interpolation"] = f"{how}, over gaps of up to {LONGEST_GAP_HOURS} h"
            filled = True
    return result.assign_attrs(time_interpolated=1) if filled else result


def interpolated(times: npt.NDArray[np.datetime64], values: Array, hours: npt.NDArray[np.datetime64]) -> Array:
    """Interpolate instants linearly over gaps of up to `LONGEST_GAP_HOURS`; each place by its own known values.

    Parameters
    ----------
    times : datetime64 (t,)
        Increasing.
    values : float (t, ...)
        NaN where unknown.
    hours : datetime64 (h,)
        Increasing.

    Returns
    -------
    float (h, ...)
        NaN in longer gaps, and before the first and after the last known value.
    """
    axis = np.union1d(times, hours)
    flat = np.full((len(axis), int(np.prod(values.shape[1:]))), np.nan)
    flat[np.searchsorted(axis, times)] = values.reshape(len(times), -1)
    known = np.isfinite(flat)
    position = np.arange(len(axis))[:, None]
    before = np.maximum.accumulate(np.where(known, position, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, position, len(axis))[::-1], axis=0)[::-1]
    inside = (before >= 0) & (after < len(axis)) & ~known
    before, after = np.where(inside, before, 0), np.where(inside, after, 0)
    clock = (axis - axis[0]) / _HOUR
    gap = clock[after] - clock[before]
    inside &= gap <= LONGEST_GAP_HOURS
    share = (clock[position] - clock[before]) / np.where(inside, gap, 1.0)
    low, high = (np.take_along_axis(flat, index, axis=0) for index in (before, after))
    flat = np.where(inside, low + share * (high - low), flat)
    return np.asarray(flat[np.searchsorted(axis, hours)].reshape(len(hours), *values.shape[1:]))


def _spread(
    times: npt.NDArray[np.datetime64], values: Array, hours: npt.NDArray[np.datetime64], steps: Array | None
) -> Array:
    """Give each hour the mean rate over it: of the step that it lies in, or of the shorter steps in it (hours, ...)."""
    flat = values.reshape(len(times), -1)
    total = np.zeros((len(hours), flat.shape[1]))
    weight = np.zeros_like(total)
    ends = (times - hours[0]) / _HOUR
    lengths = np.diff(ends, prepend=ends[0] - 1.0) if steps is None else steps
    for row in np.flatnonzero(np.isfinite(flat).any(axis=1)):
        length = float(lengths[row])
        # The mean of a longer step says little of its hours.
        if not length <= LONGEST_GAP_HOURS:
            continue
        start = ends[row] - length
        for hour in range(max(int(np.floor(start)) + 1, 0), min(int(np.ceil(ends[row])) + 1, len(hours))):
            part = min(ends[row], hour) - max(start, hour - 1)
            if part > 0:
                valid = np.isfinite(flat[row])
                total[hour] += np.where(valid, flat[row], 0.0) * part
                weight[hour] += np.where(valid, part, 0.0)
    # An hour of which a part is not known has no mean.
    with np.errstate(invalid="ignore"):
        mean = np.where(weight > 0.999, total / weight, np.nan)
    return np.asarray(mean.reshape(len(hours), *values.shape[1:]))


def joined(parts: list[xr.Dataset], path: Path | Sequence[Path]) -> xr.Dataset:
    """Join parts of one source that hold different times or variables, or repeat each other.

    Parameters
    ----------
    parts : list of xarray.Dataset
        At least one, on one grid or at the same cities.
    path : Path or sequence of Path
        Where they were read from, for errors.

    Returns
    -------
    xarray.Dataset
        Sorted by time, each time once.

    Raises
    ------
    InputError
        If there is none, or they come from several forecasts, lie on several grids, or give one time two values.
    """
    where = (
        str(path)
        if isinstance(path, Path)
        else f"{path[0]} and {len(path) - 1} more"
        if len(path) > 1
        else str(path[0])
    )
    if not parts:
        raise InputError(where, "no file for these hours", "weather files")
    if len(parts) == 1 and parts[0].indexes["time"].is_monotonic_increasing and parts[0].indexes["time"].is_unique:
        return parts[0]
    issued = {part.attrs.get("init_time") for part in parts}
    if len(issued) > 1:
        raise InputError(f"{where}: init_time", sorted(map(str, issued)), "files of one forecast or analysis")
    first = parts[0]
    axes = [str(dim) for dim in first.dims if dim != "time"]
    for part in parts[1:]:
        for axis in axes:
            if axis not in part.coords or not _equal(first[axis].values, part[axis].values):
                raise InputError(f"{where}: {axis}", "several grids", "files on one grid")
    times = np.unique(np.concatenate([part["time"].values for part in parts]))
    result = xr.Dataset(coords={"time": times} | {axis: first[axis] for axis in axes}, attrs=first.attrs)
    for name in dict.fromkeys(str(name) for part in parts for name in part.data_vars):
        own = [part[name] for part in parts if name in part]
        result[name] = (own[0].dims, _laid_over(own, times, f"{where}: {name}"), own[0].attrs)
    left_out = "; ".join(dict.fromkeys(text for part in parts if (text := str(part.attrs.get("left_out", "")))))
    return result.assign_attrs(left_out=left_out) if left_out else result


def _equal(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Return whether two axes are the same; degrees may be rounded to single precision in one of two files."""
    if one.dtype.kind == other.dtype.kind == "f":
        return one.shape == other.shape and bool(np.allclose(one, other, rtol=0.0, atol=_SAME_DEGREES))
    return bool(np.array_equal(one, other))


def _laid_over(parts: list[xr.DataArray], times: npt.NDArray[np.datetime64], where: str) -> Array:
    """Put parts on common times; where two give a value, they must agree."""
    shape = (len(times), *parts[0].shape[1:])
    result = np.full(shape, np.nan, np.result_type(parts[0].dtype, np.float32))
    for part in parts:
        for row, values in zip(np.searchsorted(times, part["time"].values), part.values, strict=True):
            old = result[row]
            differs = np.isfinite(old) & np.isfinite(values) & ~np.isclose(old, values, rtol=_SAME, atol=1e-6)
            if differs.any():
                at = np.unravel_index(int(np.argmax(differs)), differs.shape) if differs.ndim else ()
                raise InputError(
                    f"{where} at {np.datetime_as_string(times[row], unit='m')}Z",
                    f"two values, {old[at]:g} and {values[at]:g}",
                    "one value for one time",
                )
            result[row] = np.where(np.isfinite(old), old, values)
    return result
