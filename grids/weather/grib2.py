"""GRIB2 of NOAA's GFS and ECMWF's IFS on regular grids, into the data contract.

Both are read by the same code: short names, units and levels of either centre are mapped to the contract
(`hazecast.grids.weather.grib2_messages`, which loads eccodes when a file is first read), and accumulations over either
centre's buckets become rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER, check, describe, within_limits
from hazecast.grids.places.cities import City
from hazecast.grids.weather.regular_grid import Box, Corners, Crop, Field

if TYPE_CHECKING:
    from hazecast.grids.weather.grib2_messages import Message

# Attribute `source` by originating centre.
_MODELS = {"kwbc": "GFS", "ecmf": "IFS"}


def read_grib2(files: Path | Sequence[Path], box: Box | None = None) -> xr.Dataset:
    """Read the contract's variables from the GRIB2 files of one run on a regular grid.

    Precipitation, accumulated since the start of its bucket, becomes mm h-1; radiation,
    averaged since then, becomes the mean of its own step. Both centres publish a file for
    each step, and a bucket may start in an earlier one: pass all files of a run together.

    Parameters
    ----------
    files : Path or sequence of Path
    box : Box, optional
        Read only this part; by default the whole grid.

    Returns
    -------
    xarray.Dataset (time, latitude, longitude)
        float32, axes in the order of the file; attribute ``init_time`` for a forecast.

    Raises
    ------
    InputError
        If a file is broken, or they mix forecasts or grids or hold nothing of the contract.
    """
    from hazecast.grids.weather.grib2_messages import read_messages

    messages, grid = read_messages(files, lambda grid, path: Crop(grid, box, str(path)))
    crop = Crop(grid, box, str(files))
    return _assembled(
        messages, ("latitude", "longitude"), {"latitude": crop.latitude, "longitude": crop.longitude}, str(files)
    )


def read_grib2_at_cities(files: Path | Sequence[Path], cities: Sequence[City]) -> xr.Dataset:
    """Read the contract's variables from the GRIB2 files of one run bilinearly at cities.

    The result is that of `read_grib2` and `hazecast.grids.weather.sampling.at_cities`, in a fraction of the
    memory and time.

    Parameters
    ----------
    files : Path or sequence of Path
        GRIB2 files of one run.
    cities : sequence of City

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "city_weather".

    Raises
    ------
    InputError
        As `read_grib2`, and if a city lies outside the grid.
    """
    from hazecast.grids.weather.grib2_messages import read_messages

    messages, _ = read_messages(files, lambda grid, path: Corners(grid, cities, str(path)))
    dataset = _assembled(messages, ("city",), {"city": [city.id for city in cities]}, str(files))
    return check(describe(dataset, "city_weather"), "city_weather", name=str(files))


def step_means(messages: list[Message]) -> dict[int, Field]:
    """Turn accumulations or averages over growing buckets into means of single steps.

    GFS restarts its buckets every 6 h and also publishes some totals since the start of the run;
    ECMWF accumulates over the whole run. For each end the shortest bucket is used, and the total of
    an earlier one with the same start is subtracted.

    Returns
    -------
    dict of int to Field
        By the end of the step in hours after the init time: its mean rate, not below zero.
    """
    shortest: dict[int, Message] = {}
    for message in messages:
        if message.end > message.start and (message.end not in shortest or message.start > shortest[message.end].start):
            shortest[message.end] = message
    by_bucket = {(m.start, m.end): m for m in messages}
    result: dict[int, Field] = {}
    for end, message in shortest.items():
        before = max((e for s, e in by_bucket if s == message.start and s < e < end), default=None)
        total, hours = _total(message), end - message.start
        if before is not None:
            total = total - _total(by_bucket[message.start, before])
            hours = end - before
        result[end] = np.maximum(total / hours, 0.0)
    return result


def _total(message: Message) -> Field:
    return message.values * (message.end - message.start) if message.kind == "average" else message.values


def _assembled(
    messages: list[Message], dims: tuple[str, ...], axes: dict[str, Field] | dict[str, list[str]], where: str
) -> xr.Dataset:
    first = messages[0]
    fields: dict[str, dict[int, Field]] = {}
    for name in WEATHER:
        own = [m for m in messages if m.name == name]
        if not own:
            continue
        fields[name] = {m.end: m.values for m in own} if own[0].kind == "instant" else step_means(own)
    steps = sorted({step for field in fields.values() for step in field})
    blank = np.full(first.values.shape, np.nan)
    time = first.init + np.array(steps).astype("timedelta64[h]")
    dataset = xr.Dataset(
        {
            name: (("time", *dims), np.stack([field.get(step, blank) for step in steps]).astype(np.float32))
            for name, field in fields.items()
        },
        coords={"time": time.astype("datetime64[ns]"), **axes},
        attrs={"source": _MODELS.get(first.centre, first.centre)},
    )
    for name in fields:
        dataset[name] = within_limits(dataset[name], name, where)
    if any(m.end > 0 for m in messages):
        dataset.attrs["init_time"] = np.datetime_as_string(first.init, unit="s") + "Z"
    return dataset
