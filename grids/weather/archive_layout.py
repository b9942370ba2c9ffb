"""Layout of the weather archive on disk: a Zarr group for each month, with all its hours allocated in advance.

A chunk holds a day of a small tile, so that reading a city's year reads little else; a
shard holds the tiles of a day, so that an hour's map is one file a variable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from hazecast.grids.contract import WEATHER, describe
from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires

DAY_HOURS, TILE = 24, 32
# For each hour the variables that it holds, one bit each in the contract's order. It is written
# last: an hour without a bit was not written completely, and readers ignore it.
PRESENT = "present_variables"
Times = npt.NDArray[np.datetime64]


def hours_of(month: np.datetime64) -> Times:
    """Return all hours of a UTC month."""
    hours = np.arange(month.astype("datetime64[h]"), (month + 1).astype("datetime64[h]"))
    return hours.astype("datetime64[ns]")


def empty_month(month: np.datetime64, like: xr.Dataset) -> xr.Dataset:
    """Return the template of a month: all variables of the contract, no hour present.

    Parameters
    ----------
    month : datetime64[M]
    like : xarray.Dataset
        Contract "weather_grid"; gives the grid and the source.

    Returns
    -------
    xarray.Dataset (time, latitude, longitude)
        Lazy, NaN throughout, with `PRESENT` (time,) zero.
    """
    da = requires("dask.array", "archive")

    times, shape = hours_of(month), (like.sizes["latitude"], like.sizes["longitude"])
    blank = da.full((len(times), *shape), np.nan, dtype=np.float32, chunks=(DAY_HOURS, *map(_tiled, shape)))
    dataset = xr.Dataset(
        {name: (("time", "latitude", "longitude"), blank) for name in WEATHER},
        coords={"time": times, "latitude": like["latitude"], "longitude": like["longitude"]},
        attrs={"source": like.attrs["source"]} | {k: like.attrs[k] for k in ("simulated",) if k in like.attrs},
    )
    dataset[PRESENT] = ("time", np.zeros(len(times), np.int32), {"flag_meanings": " ".join(WEATHER)})
    return describe(dataset, "weather_grid")


def encoding(dataset: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Return the encoding (chunks, shards, compression) of the variables of a month or of a forecast cycle."""
    codecs = requires("zarr.codecs", "archive")

    shape = (dataset.sizes["latitude"], dataset.sizes["longitude"])
    fields = {
        "chunks": (DAY_HOURS, TILE, TILE),
        "shards": (DAY_HOURS, *map(_tiled, shape)),
        "compressors": [codecs.BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")],
        "fill_value": np.float32(np.nan),
    }
    result: dict[str, dict[str, Any]] = {name: fields for name in WEATHER if name in dataset}
    one_chunk = {"chunks": (dataset.sizes["time"],)}
    result["time"] = one_chunk | {"units": "hours since 1970-01-01 00:00:00", "dtype": "int64"}
    if PRESENT in dataset:
        result[PRESENT] = one_chunk
    return result


def presence(grid: xr.Dataset) -> npt.NDArray[np.int32]:
    """Return for each hour of a grid the bits of the variables that have any value (time,); see `PRESENT`."""
    bits = np.zeros(grid.sizes["time"], np.int32)
    for number, name in enumerate(WEATHER):
        if name in grid:
            bits |= grid[name].notnull().any(["latitude", "longitude"]).values.astype(np.int32) << number
    return bits


def present_names(bits: npt.NDArray[np.int32]) -> list[str]:
    """Return the names of the variables that any of the hours holds."""
    some = int(np.bitwise_or.reduce(bits)) if bits.size else 0
    return [name for number, name in enumerate(WEATHER) if some >> number & 1]


def check_fits(grid: xr.Dataset, month: xr.Dataset, name: str) -> None:
    """Check that a grid can be written into a month of the archive.

    Parameters
    ----------
    grid : xarray.Dataset
        Contract "weather_grid".
    month : xarray.Dataset
        The archive's month.
    name : str
        What to call `grid` in an error, usually its file.

    Raises
    ------
    InputError
        If its axes or its source differ, or a time is not a whole hour.
    """
    for axis in ("latitude", "longitude"):
        own, archived = grid[axis].values, month[axis].values
        if own.shape != archived.shape or not np.allclose(own, archived, atol=1e-4):
            raise InputError(
                f"{name}: {axis}",
                f"{own.size} from {own[0]:g} to {own[-1]:g}",
                f"the archive's, {archived.size} from {archived[0]:g} to {archived[-1]:g}",
            )
    if grid.attrs["source"] != month.attrs["source"]:
        raise InputError(f"{name}: source", grid.attrs["source"], f"the archive's, {month.attrs['source']}")
    check_hours(grid, name)


def check_hours(grid: xr.Dataset, name: str) -> None:
    """Check that every time is a whole hour.

    Parameters
    ----------
    grid : xarray.Dataset
    name : str
        What to call `grid` in an error.

    Raises
    ------
    InputError
        If one is not.
    """
    times = grid["time"].values
    between = times[times != times.astype("datetime64[h]")]
    if between.size:
        raise InputError(f"{name}: time", between[0], "whole hours")


def _tiled(size: int) -> int:
    return -(-size // TILE) * TILE
