"""NetCDF files and Zarr stores into the contract, by CF standard names and by the names of ECMWF and CMIP.

Layouts of the Climate and Atmosphere Data Stores, old and new, of cfgrib, and of forecasts by reference time and period;
coordinates are found by their standard names, units or usual names (cf-xarray).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.contract import WEATHER
from hazecast.grids.derived import dew_point, dew_point_of_mixing_ratio
from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.times import parse_time, to_datetime64
from hazecast.grids.weather.accumulation import rates_of_totals
from hazecast.grids.weather.curvilinear import on_regular_grid
from hazecast.grids.weather.formats import NothingError
from hazecast.grids.weather.netcdf_axes import at_height, height_of, with_plain_axes
from hazecast.grids.weather.netcdf_groups import groups_of, opened_group
from hazecast.grids.weather.netcdf_layouts import with_usual_names
from hazecast.grids.weather.netcdf_names import HUMIDITY, SPECIFIC
from hazecast.grids.weather.netcdf_steps import Steps, is_over_time, stated_steps, times_of
from hazecast.grids.weather.polar_wind import LEFT_OUT, with_wind_components
from hazecast.grids.weather.regular_grid import Box
from hazecast.grids.weather.timeline import RATES, STEP_HOURS, joined, step_variables
from hazecast.grids.weather.valid_range import within_valid_range
from hazecast.grids.weather.variables import HEIGHTS_M, Column, column_of, contract_name, plausible

_DIMS = ("time", "latitude", "longitude")
# A total since 00 UTC needs the values before it.
_BEFORE = np.timedelta64(25, "h")
_PER_CENT = 0.01
UNKNOWN_SOURCE = "unknown source"
# What a variable may be of the contract, and why it can't be used.
_Fault = tuple[str | None, str]


def span_of_netcdf(path: Path) -> tuple[np.datetime64 | None, np.datetime64, np.datetime64]:
    """Return init time, None where none is stated, first and last time.

    Raises
    ------
    InputError
        If the file can't be read.
    """
    spans = []
    for group in groups_of(path):
        with opened_netcdf(path, values=False, group=group) as raw:
            times = times_of(raw)
            spans.append((_init_time(raw), times.min(), times.max()))
    return spans[0][0], min(first for _, first, _ in spans), max(last for _, _, last in spans)


@contextmanager
def opened_netcdf(path: Path, *, values: bool = True, group: str = "") -> Iterator[xr.Dataset]:
    """Open a NetCDF file or Zarr store, its axes named time, latitude and longitude; see `with_plain_axes`.

    A grid that isn't regular in latitude and longitude is brought onto one that is; see `on_regular_grid`.

    Parameters
    ----------
    path : Path
    values : bool
        Whether values on such a grid are wanted.
    group : str
        One of its groups; see `hazecast.grids.weather.netcdf_groups`.

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
    where = _where(path, group)
    try:
        with opened_group(path, group) as raw:
            named = with_usual_names(raw, where)
            yield with_plain_axes(on_regular_grid(named, where, coordinates_only=not values), where)
    except InputError:
        raise
    except Exception as error:
        # On a damaged file the libraries raise nearly any exception.
        raise InputError(str(path), error, "a whole NetCDF file") from error


def _where(path: Path, group: str) -> str:
    return f"{path}: group {group}" if group else str(path)


def read_netcdf(
    path: Path, box: Box | None = None, period: tuple[np.datetime64, np.datetime64] | None = None, group: str = ""
) -> xr.Dataset:
    """Read a NetCDF file or Zarr store, or one of its groups.

    Parameters
    ----------
    path : Path
    box : Box, optional
        Read only this part of the grid.
    period : two datetime64, optional
        Read only times from the first to the second, both included.
    group : str
        See `hazecast.grids.weather.netcdf_groups.groups_of`.

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
    where = _where(path, group)
    with opened_netcdf(path, group=group) as opened:
        raw = opened.isel(_wanted(opened, box, period)).load()
    if not all(raw.sizes[dim] for dim in _DIMS):
        raise InputError(where, "nothing there", "times and a grid within the period and the box")
    raw = with_wind_components(raw, where)
    parts, faults = _columns(raw, where)
    if not parts:
        raise _nothing(raw, faults, where)
    result, derived = _with_dew_point(parts[0])
    parts[0] = result
    # Temperature on levels beside that of 2 m costs nothing.
    faults = [(name, text) for name, text in faults if all(name not in part for part in parts)]
    attrs = {key: raw.attrs[key] for key in ("init_time", "simulated") if key in raw.attrs} | {"source": _source(raw)}
    attrs |= {"derived_variables": "d2m"} if derived else {}
    attrs |= {"left_out": "; ".join(dict.fromkeys(text.replace(";", ",") for _, text in faults))} if faults else {}
    result = joined([part.assign_attrs(attrs) for part in parts], path)
    return result if period is None else result.sel(time=slice(*period))


def _nothing(raw: xr.Dataset, faults: list[_Fault], path: str) -> InputError:
    if not faults:
        return NothingError(f"{path}: variables", sorted(map(str, raw.data_vars)), f"any of {sorted(WEATHER)}")
    error = NothingError(path, "; ".join(dict.fromkeys(text for _, text in faults)), "a variable that can be used")
    error.lost = frozenset(name for name, _ in faults if name is not None)
    return error


def _with_dew_point(result: xr.Dataset) -> tuple[xr.Dataset, bool]:
    """Derive the dew point where a humidity alone is known; return whether it was."""
    values = None
    if "d2m" not in result and {HUMIDITY, "t2m"} <= set(result.data_vars):
        values = dew_point(result["t2m"].values, result[HUMIDITY].values)
    elif "d2m" not in result and {SPECIFIC, "sp"} <= set(result.data_vars):
        specific = result[SPECIFIC].values.astype(np.float64)
        values = dew_point_of_mixing_ratio(specific / (1.0 - specific), result["sp"].values)
    if values is not None:
        result = result.assign(d2m=(_DIMS, values.astype(np.float32)))
    return result.drop_vars([HUMIDITY, SPECIFIC], errors="ignore"), values is not None


def _columns(raw: xr.Dataset, path: str) -> tuple[list[xr.Dataset], list[_Fault]]:
    """Return the contract's variables, those over steps that end at other times than the stamps apart, and why others can't be used."""
    init_time, steps = _init_time(raw), stated_steps(raw)
    result = xr.Dataset(raw[step_variables(raw)].data_vars, {dim: raw[dim] for dim in _DIMS})
    late = xr.Dataset() if steps is None else xr.Dataset(coords={**result.coords, "time": steps.ends})
    faults: list[_Fault] = []
    if LEFT_OUT in raw.attrs:
        faults += [("u10", str(raw.attrs[LEFT_OUT])), ("v10", str(raw.attrs[LEFT_OUT]))]
    for name in map(str, raw.data_vars):
        own = contract_name(name, raw[name].attrs)
        array = at_height(raw[name], HEIGHTS_M.get(own or "", ()))
        try:
            column = column_of(name, array.attrs, height_of(array))
            if column is None or column.name in result or column.name in late:
                continue
            where = f"{path}: {name}"
            if steps is None or not is_over_time(array):
                result = _with_column(result, array, column, init_time, None, where)
            elif (steps.ends == raw["time"].values).all():
                result = _with_column(result, array, column, init_time, steps, where)
            else:
                late = _with_column(late, array.assign_coords(time=steps.ends), column, init_time, steps, where)
        except InputError as error:
            faults.append((own, str(error)))
    return [part for part in (result, late) if any(name in part for name in WEATHER)], faults


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
    values = within_valid_range(array).transpose(*_DIMS).values
    if steps is not None:
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
    elif column.name in RATES and STEP_HOURS.format(column.name) not in result:
        _check_ends(array["time"].values, where)
    values = plausible(values * column.factor + column.offset, column.name, where)
    highest = float(np.nanmax(values, initial=0.0))
    if column.name == "tcc" and column.factor == _PER_CENT and 0.0 < highest <= column.factor:
        raise InputError(where, f"values of at most {highest / column.factor:g} %", "per cent, not a fraction")
    result[column.name] = (_DIMS, values.astype(np.float32))
    return result


def _check_ends(times: npt.NDArray[np.datetime64], where: str) -> None:
    """Refuse means over hours that don't end where they are stamped, such as all at half past."""
    beside = times != times.astype("datetime64[h]")
    if beside.all() and (np.diff(np.unique(times)) >= np.timedelta64(1, "h")).all():
        raise InputError(
            where,
            f"means at {np.datetime_as_string(times[0], unit='m')}Z without bounds",
            "the hours that they are over",
        )


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
