"""The axes of NetCDF files: which coordinate is time, latitude and longitude, and what a forecast's times are."""

from __future__ import annotations

import re
from collections.abc import Sequence

import cf_xarray  # noqa: F401 - adds the accessor `cf`
import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.times import parse_time, rounded, to_datetime64
from hazecast.grids.unit_texts import plain_unit
from hazecast.grids.weather.netcdf_zones import check_zone

_AXES = ("latitude", "longitude")
# Longitudes may be counted on beyond 180 or 360.
_MOST_DEGREES = {"latitude": 91.0, "longitude": 721.0}
_REFERENCE, _PERIOD, _MEMBER = "forecast_reference_time", "forecast_period", "realization"
# Usual names of what cf-xarray doesn't know, by their standard name: cfgrib's and those of the data stores.
_USUAL = {_REFERENCE: (_REFERENCE,), _PERIOD: (_PERIOD, "step", "leadtime"), _MEMBER: ("number", "member")}
_ZERO, _NANOSECOND = np.timedelta64(0, "ns"), np.timedelta64(1, "ns")
_MINUTE, _HOUR = np.timedelta64(1, "m"), np.timedelta64(1, "h")
# Calendars of real dates (CF 4.4.1); in the others of climate models dates are missing, or others are there.
_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
# Axes on which the numbers are no values of a forecast.
_NO_VALUES = ("quantile", "percentile", "threshold", "probability")
# Units that an axis in degrees doesn't have.
_NO_DEGREES = re.compile(r"rad|k?m$|(?:kilo)?met(?:er|re)", re.IGNORECASE)
# Units of heights, the factors to m.
_METRES = {"m": 1.0, "km": 1000.0, "cm": 0.01}
# A date and time of day as text.
_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}(?::?\d{2}){0,2}(?:\.0*)?(?:Z|[+-]\d{2}:?\d{2})?")
# Units of time by CF, section 4.4, with a date, a time of day and an offset from UTC. The library takes any other zone for UTC.
_SINCE = re.compile(
    r"\s*\w+\s+since\s+[+-]?\d{1,8}(-\d{1,2}(-\d{1,2})?)?([T\s]\s*\d{1,2}(:\d{1,2}(:\d{1,2}(\.\d*)?)?)?)?"
    r"\s*(Z|UTC|UT|GMT|[+-]\d{1,2}(:?\d{2})?)?\s*",
    re.IGNORECASE,
)


def with_plain_axes(raw: xr.Dataset, where: str) -> xr.Dataset:
    """Return a file's contents on the axes time, latitude and longitude.

    Of an ensemble the control, number 0, is taken; an axis of one value is removed.

    Parameters
    ----------
    raw : xarray.Dataset
        As opened, not loaded.
    where : str
        The file, for errors.

    Returns
    -------
    xarray.Dataset
        Valid times, to the minute; attribute ``init_time`` where the file states a reference time before them.

    Raises
    ------
    InputError
        If an axis is missing, two-dimensional or no axis, or has one value, or the file holds several forecasts or
        perturbed members alone, or its times are of another calendar or don't tell the minute.
    """
    _check_clock(raw, where)
    check_zone(raw, where)
    odd = [str(name) for name in {*raw.dims, *raw.coords} if str(name).lower() in _NO_VALUES]
    if odd:
        raise InputError(
            f"{where}: axis {odd[0]}", "quantiles or probabilities", "a single forecast, a control or a mean"
        )
    marked = raw.cf.guess_coord_axis()
    names = {axis: _axis(marked, axis, where) for axis in _AXES}
    found = {standard: _named(marked, standard) for standard in _USUAL}
    raw = _control(raw, found[_MEMBER], where)
    raw = _with_valid_times(raw, _time_of(marked, found[_REFERENCE]), found[_REFERENCE], found[_PERIOD], where)
    raw = raw.rename({own: axis for axis, own in names.items() if own != axis})
    # The axes of the grid may have names of their own, such as y and x.
    raw = raw.swap_dims({raw[axis].dims[0]: axis for axis in _AXES if raw[axis].dims not in ((), (axis,))})
    if "expver" in raw.dims:
        raw = _of_best_version(raw)
    raw = _without_single_values(raw)
    for axis in ("time", *_AXES):
        if axis not in raw.dims:
            raise InputError(f"{where}: dimensions", tuple(raw.dims), "time, latitude, longitude")
    raw = raw.assign_coords(time=_of_texts(raw["time"].variable))
    if not np.issubdtype(raw["time"].dtype, np.datetime64) or not raw.sizes["time"]:
        raise InputError(f"{where}: time", f"{raw.sizes['time']} values of {raw['time'].dtype}", "dates")
    clock = raw["time"].variable
    raw = raw.assign_coords(time=xr.Variable("time", _to_the_minute(raw["time"], where), clock.attrs, clock.encoding))
    for axis in _AXES:
        if raw.sizes[axis] < 2:
            raise InputError(f"{where}: {axis}", f"{raw.sizes[axis]} value", "two or more, for cities lie between them")
        if raw[axis].dtype.kind not in "fiu" or not (np.abs(raw[axis].values) <= _MOST_DEGREES[axis]).all():
            raise InputError(f"{where}: {axis}", raw[axis].values, "degrees")
        _check_axis(raw[axis], f"{where}: {axis}")
    return raw


def _check_axis(axis: xr.DataArray, where: str) -> None:
    units = str(axis.attrs.get("units", "")).strip()
    if _NO_DEGREES.match(units):
        raise InputError(f"{where} units", units, "degrees")
    values, numbers = np.unique(axis.values, return_counts=True)
    if (numbers > 1).any():
        raise InputError(where, f"{values[numbers > 1][0]:g} more than once", "each value of an axis once")


def _of_texts(time: xr.Variable) -> xr.Variable:
    """Return times that are written as texts, such as 2014-02-20 00:00:00, as dates; without an offset they are UTC, as in CF 4.4."""
    if time.dtype.kind not in "OSU" or not time.size:
        return time
    texts = [one.decode("ascii", "replace") if isinstance(one, bytes) else str(one) for one in time.values]
    stated = [text.strip("\0 ").replace("_", "T") for text in texts]
    if not all(_WRITTEN.fullmatch(text) for text in stated):
        return time
    try:
        dates = [to_datetime64(parse_time(text, "time")) for text in stated]
    except InputError:
        return time
    return xr.Variable("time", np.array(dates, "datetime64[ns]"), time.attrs)


def _check_clock(raw: xr.Dataset, where: str) -> None:
    for name, array in raw.variables.items():
        units, calendar = array.encoding.get("units"), array.encoding.get("calendar")
        if calendar is not None and array.dtype.kind in "OM" and str(calendar).lower() not in _CALENDARS:
            raise InputError(f"{where}: {name} calendar", calendar, f"one of real dates: {', '.join(_CALENDARS)}")
        if np.issubdtype(array.dtype, np.datetime64) and units is not None and not _SINCE.fullmatch(str(units)):
            raise InputError(
                f"{where}: {name} units", units, "a time since a date, in UTC or with an offset such as +08:00"
            )


def _to_the_minute(time: xr.DataArray, where: str) -> npt.NDArray[np.datetime64]:
    """Return times rounded to the minute: as numbers of days they are a little beside it."""
    values = time.values.astype("datetime64[ns]")
    missing = int(np.isnat(values).sum())
    if missing:
        raise InputError(f"{where}: time", f"{missing} of {len(values)} missing", "a time at each step")
    exact = _resolution(time)
    if exact <= _MINUTE:
        return rounded(values, _MINUTE)
    hours = rounded(values, _HOUR)
    if (np.abs(values - hours) <= exact).all():
        return hours
    found = (
        f"{time.encoding.get('dtype')} of {time.encoding.get('units')}, exact to {exact / np.timedelta64(1, 's'):.0f} s"
    )
    raise InputError(f"{where}: time", found, "numbers that tell the minute")


def _resolution(time: xr.DataArray) -> np.timedelta64:
    """Return how far apart the numbers are that a file can hold for its times; zero if they are whole numbers."""
    kind, units = np.dtype(time.encoding.get("dtype", "i8")), time.encoding.get("units")
    if kind.kind != "f" or units is None:
        return _ZERO
    counted = xr.Dataset(coords={"time": ("time", [0, 1], {"units": str(units), "calendar": "standard"})})
    zero, one = xr.decode_cf(counted)["time"].values.astype("datetime64[ns]")
    number = float((time.values.astype("datetime64[ns]").max() - zero) / (one - zero))
    return np.timedelta64(round(float(np.spacing(np.array(abs(number), kind))) * int((one - zero) / _NANOSECOND)), "ns")


def _of_best_version(raw: xr.Dataset) -> xr.Dataset:
    """Return ERA5 with its newest months from ERA5T: each hour of the first version that holds it, by number."""
    order = (
        np.argsort(raw["expver"].values.astype(int), kind="stable")
        if "expver" in raw.coords
        else range(raw.sizes["expver"])
    )
    versions = [raw.isel(expver=int(number)).drop_vars("expver", errors="ignore") for number in order]
    result = versions[0]
    for other in versions[1:]:
        result = result.fillna(other)
    return result


def _without_single_values(raw: xr.Dataset) -> xr.Dataset:
    """Remove axes of one value; of a height it stays known of which variables it is, as of a scalar coordinate."""
    extra = [str(dim) for dim in raw.dims if dim not in ("time", *_AXES) and raw.sizes[dim] == 1]
    for name in raw.data_vars:
        own = [dim for dim in extra if dim in raw[name].dims]
        if own:
            stated = str(raw[name].encoding.get("coordinates", "")).split()
            raw[name].encoding["coordinates"] = " ".join([*stated, *own])
    return raw.squeeze(extra)


def height_of(array: xr.DataArray) -> float | None:
    """Return the height above ground in m that a coordinate of one value gives; None without one, or if several differ.

    It is the variable's by its attribute ``coordinates`` (CF 5.7) or as its axis: a file may hold others' heights, and its
    levels.
    """
    found = {}
    for name, axis in array.coords.items():
        factor = _metres(axis)
        if axis.size == 1 and factor is not None:
            found[str(name)] = factor * float(axis.values.ravel()[0])
    stated = {*str(array.encoding.get("coordinates", "")).split(), *map(str, array.dims)}
    heights = {height for name, height in found.items() if name in stated}
    return heights.pop() if len(heights) == 1 else None


def _metres(axis: xr.DataArray) -> float | None:
    """Return the factor from a height above ground to m; None where it is none, or in another unit."""
    named = axis.attrs.get("standard_name") == "height" or str(axis.name).lower() in ("height", "heightaboveground")
    # Some write "m above ground".
    unit = (plain_unit(str(axis.attrs.get("units", "m"))).split() or ["m"])[0]
    return _METRES.get(unit) if named and axis.dtype.kind in "fiu" else None


def at_height(array: xr.DataArray, heights_m: Sequence[float]) -> xr.DataArray:
    """Return a variable on several heights above ground at the first of those that count; unchanged without such an axis.

    Parameters
    ----------
    array : xarray.DataArray
    heights_m : sequence of float
        Heights that count, m, the best first.

    Returns
    -------
    xarray.DataArray
        Its height a coordinate, stated as its own.
    """
    for dim in map(str, array.dims):
        axis = array.coords.get(dim)
        factor = None if axis is None else _metres(axis)
        if axis is None or axis.size < 2 or factor is None:
            continue
        for height in heights_m:
            at = np.flatnonzero(np.isclose(factor * axis.values, height))
            if len(at) == 1:
                result = array.isel({dim: int(at[0])})
                result.encoding["coordinates"] = f"{array.encoding.get('coordinates', '')} {dim}"
                return result
    return array


def axis_names(marked: xr.Dataset, axis: str) -> list[str]:
    """Return the coordinates that may be an axis, those that CF's attributes mark first.

    Parameters
    ----------
    marked : xarray.Dataset
        With the axes that cf-xarray guesses.
    axis : {"latitude", "longitude"}

    Returns
    -------
    list of str
    """
    names = [str(name) for name in marked.cf.coordinates.get(axis, []) if name in marked.variables]
    usual = (axis, axis[:3], f"nav_{axis[:3]}")
    return names + [str(name) for name in marked.variables if str(name).lower() in usual]


def _axis(marked: xr.Dataset, axis: str, where: str) -> str:
    candidates = axis_names(marked, axis)
    plain = [name for name in candidates if marked[name].ndim == 1]
    if plain:
        return plain[0]
    if candidates:
        found = f"{candidates[0]} on {marked[candidates[0]].dims}"
        raise InputError(f"{where}: {axis}", found, "an axis of a grid that is regular in latitude and longitude")
    raise InputError(f"{where}: {axis}", sorted(map(str, marked.coords)), f"a coordinate of {axis}")


def _named(marked: xr.Dataset, standard: str) -> str | None:
    own = [str(name) for name in marked.cf.standard_names.get(standard, [])]
    own += [name for name in _USUAL[standard] if name in marked.variables]
    return next((name for name in own if marked[name].ndim <= 1), None)


def _time_of(marked: xr.Dataset, reference: str | None) -> str | None:
    """Return the coordinate of valid times, one-dimensional or scalar."""
    own = ["valid_time", *map(str, marked.cf.coordinates.get("time", [])), "time", "Time"]
    return next((n for n in own if n in marked.variables and n != reference and marked[n].ndim <= 1), None)


def _control(raw: xr.Dataset, member: str | None, where: str) -> xr.Dataset:
    if member is None:
        return raw
    numbers = np.atleast_1d(raw[member].values)
    if 0 not in numbers.tolist():
        raise InputError(f"{where}: {member}", numbers[:5], "0, the control; perturbed members alone are no forecast")
    if member in raw.dims:
        raw = raw.isel({member: int(np.flatnonzero(numbers == 0)[0])})
    return raw.drop_vars(member)


def _with_valid_times(
    raw: xr.Dataset, time: str | None, reference: str | None, period: str | None, where: str
) -> xr.Dataset:
    # cfgrib calls the reference time plain "time" beside a step and valid times.
    if reference is None and period is not None and "time" in raw.variables and raw["time"].ndim <= 1:
        reference, time = "time", (time if time != "time" else None)
    if reference is None or period is None:
        if time is None:
            raise InputError(f"{where}: time", sorted(map(str, raw.coords)), "a coordinate of valid times")
        return _of_one_forecast(_onto_time(raw, time), reference, where)
    runs, steps = np.atleast_1d(raw[reference].values), np.atleast_1d(raw[period].values)
    if not np.issubdtype(steps.dtype, np.timedelta64) or not np.issubdtype(runs.dtype, np.datetime64):
        raise InputError(f"{where}: {reference} and {period}", f"{runs.dtype} and {steps.dtype}", "dates and periods")
    if len(runs) > 1 and (steps != _ZERO).any():
        shown = ", ".join(np.datetime_as_string(runs[:3], unit="h"))
        raise InputError(f"{where}: {reference}", f"{len(runs)} forecasts, {shown} ...", "one forecast a file")
    valid = (runs[:, None] + steps[None]).ravel().astype("datetime64[ns]")
    along = reference if len(runs) > 1 else period
    other = period if along == reference else reference
    raw = raw.squeeze(other) if other in raw.dims else raw
    if along not in raw.dims:
        raw = raw.expand_dims(along)
    gone = [n for n in raw.coords if n != along and (n in (reference, period, "valid_time", "time"))]
    raw = raw.drop_vars(gone).assign_coords({along: valid})
    raw = raw if along == "time" else raw.rename({along: "time"})
    if (steps > _ZERO).any():
        raw = raw.assign_attrs(init_time=np.datetime_as_string(runs[0].astype("datetime64[s]")) + "Z")
    return raw


def _of_one_forecast(raw: xr.Dataset, reference: str | None, where: str) -> xr.Dataset:
    """Return what has valid times and a reference time without periods, with the attribute ``init_time`` if it is a forecast."""
    if reference is None or not np.issubdtype(raw[reference].dtype, np.datetime64):
        return raw
    runs, times = np.broadcast_arrays(np.atleast_1d(raw[reference].values), raw["time"].values)
    if (runs == times).all():
        return raw
    if len(np.unique(runs)) > 1:
        shown = ", ".join(np.datetime_as_string(np.unique(runs)[:3], unit="h"))
        raise InputError(f"{where}: {reference}", f"several forecasts, {shown} ...", "one forecast a file")
    return raw.assign_attrs(init_time=np.datetime_as_string(runs[0].astype("datetime64[s]")) + "Z")


def _onto_time(raw: xr.Dataset, time: str) -> xr.Dataset:
    if raw[time].ndim == 0:
        raw = raw.expand_dims(time)
    dim = str(raw[time].dims[0])
    if dim != time:
        raw = raw.swap_dims({dim: time})
    if time == "time":
        return raw
    return raw.drop_vars("time", errors="ignore").rename({time: "time"})
