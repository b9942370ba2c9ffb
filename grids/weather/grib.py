"""GRIB of any centre, editions 1 and 2, on regular grids, into the data contract.

What a message holds is decided by `hazecast.grids.weather.variables`; eccodes, loaded when a file is first read, decodes
it (`hazecast.grids.weather.grib_messages`). Totals and means over any buckets become means of single steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER, check, describe
from hazecast.grids.derived import dew_point, dew_point_of_mixing_ratio
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.weather.netcdf_names import HUMIDITY, SPECIFIC
from hazecast.grids.weather.regular_grid import Box, Corners, Crop, Field
from hazecast.grids.weather.timeline import RATES, STEP_HOURS, hours_long
from hazecast.grids.weather.variables import AVERAGE, INSTANT, plausible

if TYPE_CHECKING:
    from hazecast.grids.weather.grib_messages import Contents, Message

# Two messages for the same may be packed differently: a share of the value.
_SAME = 1e-3
# Packing makes a total fall by less than this share of the largest, and than so much: mm, and W h m-2 or hours of cloud.
_FALL = 0.01
_FALL_LEAST = {"tp": 0.25, "ssrd": 10.0, "tcc": 0.25}
# Reasons why something was left out that are written out; there may be one a message.
_REASONS = 10

_Series = dict[np.datetime64, Field]


def read_grib(files: Path | Sequence[Path], box: Box | None = None) -> xr.Dataset:
    """Read the contract's variables from GRIB files of one run, or of analyses, on a regular grid.

    Totals and means become the mean rate of their own step. A bucket may start in an earlier file: pass all files of a
    run together. Where humidity is given, relative, or specific and the pressure, and no dew point, it is derived. Of an ensemble the control is read, or the
    mean where there is no control.

    Parameters
    ----------
    files : Path or sequence of Path
    box : Box, optional
        Read only this part; by default the whole grid.

    Returns
    -------
    xarray.Dataset (time, latitude, longitude)
        float32, axes in the order of the file. Attributes ``init_time`` for a forecast, ``derived_variables``,
        ``ensemble``, and ``left_out`` with what could not be used.

    Raises
    ------
    InputError
        If nothing can be used, or the files mix forecasts or grids, or give one time two values.
    """
    from hazecast.grids.weather.grib_headers import named
    from hazecast.grids.weather.grib_messages import read_messages

    contents = read_messages(files, lambda grid, where: Crop(grid, box, where))
    grids = list(dict.fromkeys(message.grid for message in contents.messages))
    if len(grids) > 1:
        raise InputError(f"{named(files)}: grids", "; ".join(map(str, grids)), "one grid in the box")
    assert grids[0] is not None
    crop = Crop(grids[0], box, named(files))
    axes = {"latitude": crop.latitude, "longitude": crop.longitude}
    return _assembled(contents, ("latitude", "longitude"), axes, named(files))


def read_grib_at_cities(files: Path | Sequence[Path], cities: Sequence[City]) -> xr.Dataset:
    """Read the contract's variables from GRIB files of one run, or of analyses, bilinearly at cities.

    The result is that of `read_grib` and `hazecast.grids.weather.sampling.at_cities`, in a fraction of the
    memory and time. The fields may lie on several grids: each city is taken from those that hold it.

    Parameters
    ----------
    files : Path or sequence of Path
    cities : sequence of City
        Those outside all grids have no values, and are named in the attribute ``places_outside``.

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "city_weather"; attributes as of `read_grib`.

    Raises
    ------
    InputError
        As `read_grib`, and if no city lies on a grid.
    """
    from hazecast.grids.weather.grib_headers import named
    from hazecast.grids.weather.grib_messages import read_messages

    outside = np.ones(len(cities), bool)

    def corners(grid: object, where: str) -> Corners:
        pick = Corners(grid, cities, where)  # type: ignore[arg-type]
        outside[~pick.outside] = False
        return pick

    contents = read_messages(files, corners)
    dataset = _assembled(contents, ("city",), {"city": [city.id for city in cities]}, named(files))
    if outside.any():
        dataset.attrs["places_outside"] = ", ".join(c.id for c, out in zip(cities, outside, strict=True) if out)
    return check(describe(dataset, "city_weather"), "city_weather", name=named(files))


def step_means(messages: list[Message]) -> dict[float, tuple[Field, float]]:
    """Turn totals or means over growing buckets of one run into means of single steps.

    GFS restarts its buckets every 6 h and also publishes some totals since the start of the run; ECMWF accumulates over
    the whole run, ERA5-Land since midnight. For each end the shortest bucket is used, and the total of an earlier one
    with the same start is subtracted.

    Parameters
    ----------
    messages : list of Message
        Of one run and one variable.

    Returns
    -------
    dict of float to (Field, float)
        By the end of the step in hours after the reference time: its mean rate, not below zero, and its length in hours.
        NaN where a total is less than an earlier one of the same start by more than packing makes: since when it is one
        can't be told.
    """
    shortest: dict[float, Message] = {}
    for message in messages:
        if message.end > message.start and (message.end not in shortest or message.start > shortest[message.end].start):
            shortest[message.end] = message
    by_bucket = {(m.start, m.end): m for m in messages}
    result: dict[float, tuple[Field, float]] = {}
    for end, message in shortest.items():
        before = max((e for s, e in by_bucket if s == message.start and s < e < end), default=None)
        total, hours = _total(message), end - message.start
        if before is not None:
            rise = total - _total(by_bucket[message.start, before])
            packing = _FALL * float(np.nan_to_num(np.abs(total)).max(initial=0.0)) + _FALL_LEAST[message.name]
            total = np.where(rise < -packing, np.nan, rise)
            hours = end - before
        result[end] = np.maximum(total / hours, 0.0), hours
    return result


def _total(message: Message) -> Field:
    return message.values * (message.end - message.start) if message.kind == AVERAGE else message.values


def _assembled(
    contents: Contents, dims: tuple[str, ...], axes: dict[str, Field] | dict[str, list[str]], where: str
) -> xr.Dataset:
    from hazecast.grids.weather.grib_headers import MEAN, SINGLE, forecast_of

    lowest = min(message.member for message in contents.messages)
    messages = [message for message in contents.messages if message.member == lowest]
    init_time = forecast_of([(m.init, m.end, m.kind) for m in messages], where)
    fields, lengths = _series(messages, where, contents.faults)
    derived = _with_dew_point(fields)
    times = sorted({time for name in WEATHER for time in fields.get(name, ())})
    if not times:
        found = contents.faults[0] if contents.faults else f"{', '.join(sorted(fields))}, nothing at or over a time"
        raise InputError(where, found, "weather fields")
    blank = np.full(messages[0].values.shape, np.nan)
    dataset = xr.Dataset(
        {
            name: (("time", *dims), np.stack([fields[name].get(time, blank) for time in times]).astype(np.float32))
            for name in WEATHER
            if fields.get(name)
        },
        coords={"time": np.array(times, "datetime64[ns]"), **axes},
        attrs={"source": " and ".join(sorted({message.source for message in messages}))},
    )
    for name in RATES:
        if name in dataset:
            column = np.array([lengths[name].get(time, np.nan) for time in times], np.float32)
            dataset[STEP_HOURS.format(name)] = ("time", column, {"units": "h"})
    if init_time is not None:
        dataset.attrs["init_time"] = np.datetime_as_string(init_time, unit="s") + "Z"
    if derived:
        dataset.attrs["derived_variables"] = "d2m"
    if any(message.member != SINGLE for message in messages):
        dataset.attrs["ensemble"] = "mean" if lowest == MEAN else "control"
    faults = list(dict.fromkeys(contents.faults))
    if faults:
        more = [f"{len(faults) - _REASONS} more"] if len(faults) > _REASONS else []
        dataset.attrs["left_out"] = "; ".join([fault.replace(";", ",") for fault in faults[:_REASONS]] + more)
    return dataset


def _series(
    messages: list[Message], where: str, faults: list[str]
) -> tuple[dict[str, _Series], dict[str, dict[np.datetime64, float]]]:
    """Return each variable's fields by valid time, and of rates the lengths of their steps in hours."""
    fields: dict[str, _Series] = defaultdict(dict)
    lengths: dict[str, dict[np.datetime64, float]] = defaultdict(dict)
    groups: dict[tuple[str, int, bool], list[Message]] = defaultdict(list)
    for message in messages:
        groups[message.name, message.rank, message.kind == INSTANT].append(message)
    for (name, _, instant), own in sorted(groups.items(), key=lambda group: group[0][:2]):
        if instant:
            found = _instants(own, where)
        else:
            found, steps = _rates(own, where, faults)
            if name != "tcc":
                lengths[name] = steps | lengths[name]
        fields[name] = found | fields[name]
    return fields, lengths


def _instants(messages: list[Message], where: str) -> _Series:
    result: _Series = {}
    for message in messages:
        time = message.init + hours_long(message.end)
        result[time] = _agreed(result.get(time), message.values, f"{where}: {message.name} at {time}")
    return result


def _rates(messages: list[Message], where: str, faults: list[str]) -> tuple[_Series, dict[np.datetime64, float]]:
    result: _Series = {}
    lengths: dict[np.datetime64, float] = {}
    runs: dict[tuple[np.datetime64, object], dict[tuple[float, float], Message]] = defaultdict(dict)
    for message in messages:
        run = runs[message.init, message.grid]
        bucket = (message.start, message.end)
        if bucket in run:
            _agreed(run[bucket].values, message.values, f"{where}: {message.name} over {bucket} h after {message.init}")
        run.setdefault(bucket, message)
    for (init, _), buckets in runs.items():
        for end, (values, hours) in step_means(list(buckets.values())).items():
            time = init + hours_long(end)
            name = messages[0].name
            try:
                rate = plausible(values, name, f"{where}: {name} at {np.datetime_as_string(time, unit='m')}Z")
            except InputError as error:
                faults.append(str(error))
                continue
            if time in result and lengths[time] <= hours:
                rate = np.asarray(np.where(np.isfinite(result[time]), result[time], rate), np.float64)
            result[time], lengths[time] = rate, min(hours, lengths.get(time, hours))
    return result, lengths


def _agreed(one: Field | None, other: Field, where: str) -> Field:
    """Return the values of two messages for the same, which must not differ; on several grids they complete each other."""
    if one is None:
        return other
    both = np.isfinite(one) & np.isfinite(other)
    differ = both & ~np.isclose(one, other, rtol=_SAME, atol=_SAME)
    if differ.any():
        at = int(np.argmax(differ))
        raise InputError(where, f"two values, {one.ravel()[at]:g} and {other.ravel()[at]:g}", "one value for one time")
    return np.where(np.isfinite(one), one, other)


def _with_dew_point(fields: dict[str, _Series]) -> bool:
    """Derive the dew point where only the humidity is known; return whether any was."""
    derived: _Series = {}
    known, t2m, sp = (fields.get(name, {}) for name in ("d2m", "t2m", "sp"))
    for time, humidity in fields.pop(HUMIDITY, {}).items():
        if time not in known and time in t2m:
            derived[time] = np.asarray(dew_point(t2m[time], humidity), np.float64)
    for time, specific in fields.pop(SPECIFIC, {}).items():
        if time not in known and time not in derived and time in sp:
            ratio = specific / (1.0 - specific)
            derived[time] = np.asarray(dew_point_of_mixing_ratio(ratio, sp[time]), np.float64)
    if derived:
        fields["d2m"] = known | derived
    return bool(derived)
