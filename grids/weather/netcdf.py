"""NetCDF files and Zarr stores into the contract, by CF standard names and by the names of ECMWF and CMIP.

Layouts of the Climate and Atmosphere Data Stores, old and new, of cfgrib, and of forecasts by reference time and period;
coordinates are found by their standard names, units or usual names (cf-xarray).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER
from hazecast.grids.derived import dew_point
from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.times import parse_time, to_datetime64
from hazecast.grids.weather.accumulation import rates_of_totals
from hazecast.grids.weather.curvilinear import on_regular_grid
from hazecast.grids.weather.netcdf_axes import with_plain_axes
from hazecast.grids.weather.netcdf_steps import Steps, is_over_time, stated_steps
from hazecast.grids.weather.regular_grid import Box
from hazecast.grids.weather.timeline import STEP_HOURS, joined, step_variables
from hazecast.grids.weather.variables import HUMIDITY, Column, column_of, contract_name, plausible

_DIMS = ("time", "latitude", "longitude")
# A total since 00 UTC needs the values before it.
_BEFORE = np.timedelta64(25, "h")
UNKNOWN_SOURCE = "unknown source"


def span_of_netcdf(path: Path) -> tuple[np.datetime64 | None, np.datetime64, np.datetime64]:
    """Return init time, None where none is stated, first and last time.

    Raises
    ------
    InputError
        If the file can't be read.
    """
    with opened_netcdf(path, values=False) as raw:
        times = _stamped_at_the_end(raw)[0]["time"].values
        return _init_time(raw), times.min(), times.max()


@contextmanager
def opened_netcdf(path: Path, *, values: bool = True) -> Iterator[xr.Dataset]:
    """Open a NetCDF file or Zarr store, its axes named time, latitude and longitude; see `with_plain_axes`.

    A grid that isn't regular in latitude and longitude is brought onto one that is; see `on_regular_grid`.

    Parameters
    ----------
    path : Path
    values : bool
        Whether values on such a grid are wanted.

    Yields
    ------
    xarray.Dataset

    Raises
    ------
    InputError
        If it is damaged, or lacks an axis.
    """
    if path.is_dir():
        requires("zarr", "archive")
    try:
        with xr.open_dataset(path, engine="zarr" if path.is_dir() else "netcdf4", decode_timedelta=True) as raw:
            yield with_plain_axes(on_regular_grid(raw, str(path), coordinates_only=not values), str(path))
    except InputError:
        raise
    except Exception as error:
        # On a damaged file the libraries raise nearly any exception.
        raise InputError(str(path), error, "a whole NetCDF file") from error


def read_netcdf(
    path: Path, box: Box | None = None, period: tuple[np.datetime64, np.datetime64] | None = None
) -> xr.Dataset:
    """Read a NetCDF file or Zarr store.

    Parameters
    ----------
    path : Path
    box : Box, optional
        Read only this part of the grid.
    period : two datetime64, optional
        Read only times from the first to the second, both included.

    Returns
    -------
    xarray.Dataset (time, latitude, longitude)
        Variables of the contract, axes in the order of the file; attribute ``left_out`` names variables that can't be
        used, and ``source`` is the file's own: where it states none, it is not guessed.

    Raises
    ------
    InputError
        If nothing in it can be used, or a time has two values.
    """
    with opened_netcdf(path) as opened:
        raw = opened.isel(_wanted(opened, box, period)).load()
    if not all(raw.sizes[dim] for dim in _DIMS):
        raise InputError(str(path), "nothing there", "times and a grid within the period and the box")
    raw, steps = _stamped_at_the_end(raw)
    result, faults = _columns(raw, steps, path)
    result = result.assign(raw[step_variables(raw)].data_vars)
    derived = HUMIDITY in result and "d2m" not in result and "t2m" in result
    if derived:
        values = dew_point(result["t2m"].values, result[HUMIDITY].values).astype(np.float32)
        result["d2m"] = (_DIMS, values)
    result = result.drop_vars(HUMIDITY, errors="ignore")
    if not any(name in result for name in WEATHER):
        if faults:
            raise InputError(str(path), "; ".join(faults), "a variable that can be used")
        raise InputError(f"{path}: variables", sorted(map(str, raw.data_vars)), f"any of {sorted(WEATHER)}")
    attrs = {key: raw.attrs[key] for key in ("init_time", "simulated") if key in raw.attrs} | {"source": _source(raw)}
    attrs |= {"derived_variables": "d2m"} if derived else {}
    attrs |= {"left_out": "; ".join(text.replace(";", ",") for text in faults)} if faults else {}
    result = joined([result.assign_attrs(attrs)], path)
    return result if period is None else result.sel(time=slice(*period))


def _columns(raw: xr.Dataset, steps: Steps | None, path: Path) -> tuple[xr.Dataset, list[str]]:
    """Return the contract's variables, and why others that are nowhere else in the file can't be used."""
    init_time = _init_time(raw)
    result = xr.Dataset(coords={dim: raw[dim] for dim in _DIMS})
    faults: list[tuple[str | None, str]] = []
    for name in map(str, raw.data_vars):
        try:
            column = column_of(name, raw[name].attrs, _height(raw[name]))
            if column is not None and column.name not in result:
                own = steps if is_over_time(raw[name]) else None
                result = _with_column(result, raw[name], column, init_time, own, f"{path}: {name}")
        except InputError as error:
            faults.append((contract_name(name, raw[name].attrs), str(error)))
    # Temperature on levels beside that of 2 m costs nothing.
    return result, [text for name, text in faults if name not in result]


def _stamped_at_the_end(raw: xr.Dataset) -> tuple[xr.Dataset, Steps | None]:
    """Return a file with the ends of its steps as times, where it holds sums and means alone, and the steps it states."""
    steps = stated_steps(raw)
    if steps is None or (steps.ends == raw["time"].values).all():
        return raw, steps
    used = [raw[name] for name in map(str, raw.data_vars) if contract_name(name, raw[name].attrs) is not None]
    if used and all(map(is_over_time, used)):
        return raw.assign_coords(time=steps.ends), steps
    return raw, steps


def _with_column(
    result: xr.Dataset,
    array: xr.DataArray,
    column: Column,
    init_time: np.datetime64 | None,
    steps: Steps | None,
    where: str,
) -> xr.Dataset:
    if set(array.dims) != set(_DIMS) or array.dtype.kind not in "fiu":
        raise InputError(where, f"{array.dtype} on {array.dims}", "numbers on time, latitude, longitude")
    values = array.transpose(*_DIMS).values.astype(np.float64)
    if steps is not None:
        if not (steps.ends == array["time"].values).all():
            raise InputError(
                where, "hours that end at other times than its stamps, beside instants", "a file of its own"
            )
        values = values / steps.lengths[:, None, None] if column.total else values
        result[STEP_HOURS.format(column.name)] = ("time", steps.lengths.astype(np.float32), {"units": "h"})
    elif column.total:
        order = np.argsort(array["time"].values, kind="stable")
        times, first = np.unique(array["time"].values[order], return_index=True)
        rows = order[first]
        rates, lengths = rates_of_totals(values[rows], times, init_time, where)
        back = np.searchsorted(times, array["time"].values)
        values = np.asarray(rates[back], np.float64)
        since_before = np.diff(times, prepend=times[0] - np.timedelta64(1, "h")) / np.timedelta64(1, "h")
        if not (np.isnan(lengths) | (lengths == since_before)).all():
            result[STEP_HOURS.format(column.name)] = ("time", lengths[back].astype(np.float32), {"units": "h"})
    values = plausible(values * column.factor + column.offset, column.name, where)
    result[column.name] = (_DIMS, values.astype(np.float32))
    return result


def _height(array: xr.DataArray) -> float | None:
    """Return the height above ground in m that a scalar coordinate gives."""
    for name, axis in array.coords.items():
        is_height = axis.attrs.get("standard_name") == "height" or str(name).lower() in ("height", "heightaboveground")
        if is_height and axis.size == 1 and axis.dtype.kind in "fiu":
            return float(axis.values.ravel()[0])
    return None


def _source(raw: xr.Dataset) -> str:
    stated = str(raw.attrs.get("source", "")).strip()
    institution = str(raw.attrs.get("institution", "")).strip()
    return stated or (f"{UNKNOWN_SOURCE} of {institution}" if institution else UNKNOWN_SOURCE)


def _init_time(raw: xr.Dataset) -> np.datetime64 | None:
    issued = raw.attrs.get("init_time")
    return to_datetime64(parse_time(str(issued), "init_time")) if issued else None


def _wanted(raw: xr.Dataset, box: Box | None, period: tuple[np.datetime64, np.datetime64] | None) -> dict[str, slice]:
    """Return the part of a file inside box and period as slices, which are the fastest to read."""
    result: dict[str, slice] = {}
    masks = {}
    if box is not None:
        east = (raw["longitude"].values - box.west) % 360.0
        masks = {
            "latitude": (raw["latitude"].values >= box.south) & (raw["latitude"].values <= box.north),
            "longitude": east <= box.east - box.west,
        }
    if period is not None:
        masks["time"] = (raw["time"].values >= period[0] - _BEFORE) & (raw["time"].values <= period[1])
    for dim, mask in masks.items():
        inside = np.flatnonzero(mask)
        result[dim] = slice(inside[0], inside[-1] + 1) if inside.size else slice(0)
    return result
