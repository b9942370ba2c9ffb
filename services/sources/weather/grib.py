"""Shared by the GRIB2 sources: the byte ranges to request, and the check of downloaded messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from hazecast.grids.contract import WEATHER
from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time, to_datetime
from hazecast.grids.weather.grib import read_grib
from hazecast.grids.weather.regular_grid import Box
from hazecast.grids.weather.timeline import RATES, STEP_HOURS, to_hourly
from hazecast.grids.weather.variables import INSTANT
from hazecast.services.core.subprocesses import run_in_subprocess
from hazecast.services.core.weather_reading import read_files, read_files_at_cities
from hazecast.services.sources.partial import ByteRange
from hazecast.services.sources.weather.interface import Wanted
from hazecast.services.sources.weather.values import refuse_another_area, refuse_impossible

# WMO Manual on Codes, FM 92 GRIB edition 2: section 0 holds "GRIB", the edition in octet 8 and the
# message's length in octets 9 to 16; section 8 is "7777".
HEAD_BYTES, _END = 16, b"7777"


def message_length(head: bytes, where: str) -> int:
    """Return the length of a GRIB2 message, bytes.

    Parameters
    ----------
    head : bytes
        Its first 16, or more.
    where : str
        For an error.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If it isn't the head of a message.
    """
    if len(head) < HEAD_BYTES or head[:4] != b"GRIB" or head[7] != 2:
        raise InputError(where, repr(head[:8]), "the head of a GRIB2 message")
    return int.from_bytes(head[8:16])


def read_wanted(path: Path, wanted: Wanted) -> xr.Dataset:
    """Read weather files, in a subprocess: the fields over the box, or hourly values at the cities.

    Parameters
    ----------
    path : Path
        A file, or a folder of them.
    wanted : Wanted

    Returns
    -------
    xarray.Dataset
        Contract "weather_grid" or "city_weather".

    Raises
    ------
    InputError
        If a file can't be read.
    """
    if wanted.gridded:
        return read_files(path, wanted.box)
    return to_hourly(read_files_at_cities(path, wanted.cities))


class Expected(NamedTuple):
    """What the messages of a step must be.

    Attributes
    ----------
    init_time : datetime
        Aware, of the cycle.
    step : int
        Hours after it.
    box : Box
        The part of the grid to decode, which the grid must cover.
    variables : tuple of str
        Of the contract, that the file must hold; others may be in it.
    messages : int or None
        How many there are; None: at least one.
    spans : mapping of str to int, optional
        Hours that rates are means or totals over, where that is known.
    """

    init_time: datetime
    step: int
    box: Box
    variables: tuple[str, ...] = ()
    messages: int | None = None
    spans: Mapping[str, int] | None = None


def titled(model: str, weather: xr.Dataset) -> str:
    """Return the title of a source: the model, with the step of the grid where there is one.

    Parameters
    ----------
    model : str
    weather : xarray.Dataset
        As from `read_wanted`.

    Returns
    -------
    str
    """
    if "latitude" not in weather.dims:
        return model
    return f"{model} {abs(float(weather['latitude'][1] - weather['latitude'][0])):g} degree"


def verify_messages(path: Path, expected: Expected) -> None:
    """Check that a file consists of complete GRIB2 messages that decode to plausible values of what was asked for.

    One that can't be used makes the file fail, as a download is tried again. They are decoded in a subprocess, since a damaged message can crash eccodes.

    Parameters
    ----------
    path : Path
    expected : Expected

    Raises
    ------
    InputError
        If there is another number of messages, or one is incomplete, doesn't decode, or is another than expected.
    """
    data = path.read_bytes()
    at, found = 0, 0
    while at < len(data):
        length = message_length(data[at : at + HEAD_BYTES], f"{path.name}: byte {at}")
        if length < HEAD_BYTES + len(_END) or data[at + length - 4 : at + length] != _END:
            raise InputError(f"{path.name}: message {found + 1}", f"length {length}, no end there", "a whole message")
        at, found = at + length, found + 1
    if found != (expected.messages or max(found, 1)):
        wanted = "at least one" if expected.messages is None else str(expected.messages)
        raise InputError(f"{path.name}: messages", found, wanted)
    run_in_subprocess(_decode, path, expected, where=path.name)


def variables_in(path: Path) -> set[str]:
    """Return the contract's variables of which a GRIB file holds messages: instants, but rates over time; nothing is unpacked.

    Raises
    ------
    InputError
        If eccodes can't be used on the file.
    """
    return run_in_subprocess(_names, path, where=path.name)


def drop_if_lacking(path: Path, variables: Iterable[str]) -> None:
    """Delete a file of an earlier download that was for fewer variables, as before another model came into service.

    Parameters
    ----------
    path : Path
        May not exist.
    variables : iterable of str
        Of the contract, that it must hold.

    Raises
    ------
    InputError
        As of `variables_in`.
    """
    if path.exists() and not set(variables) <= variables_in(path):
        path.unlink()


def _names(path: Path) -> set[str]:
    from hazecast.grids.weather.grib_headers import headers_of

    found = {(header.meaning.name, header.meaning.kind) for header in headers_of(path, [])}
    return {name for name, kind in found if kind == INSTANT or name in RATES}


def _decode(path: Path, expected: Expected) -> None:
    grid = read_grib(path, expected.box)
    if left_out := grid.attrs.get("left_out"):
        raise InputError(path.name, left_out, "messages that can all be used")
    _refuse_another(grid, expected, path.name)
    if means := sorted(set(expected.variables) - _names(path)):
        raise InputError(f"{path.name}: {', '.join(means)}", "means over time alone", "values at a time, as asked for")
    refuse_impossible(grid, path.name, each_time=True)


def _refuse_another(grid: xr.Dataset, expected: Expected, where: str) -> None:
    """Refuse fields of another run, time, kind, quantity or area: a server may send other messages than its index names."""
    asked = "as asked for"
    issued, valid = expected.init_time, expected.init_time + timedelta(hours=expected.step)
    times = [format_time(to_datetime(time)) for time in grid["time"].values]
    if times != [format_time(valid)]:
        raise InputError(f"{where}: valid time", ", ".join(times), f"{format_time(valid)}, {asked}")
    # An analysis has none.
    if (found_issued := grid.attrs.get("init_time", format_time(issued))) != format_time(issued):
        raise InputError(f"{where}: init_time", found_issued, f"{format_time(issued)}, {asked}")
    if "ensemble" in grid.attrs:
        raise InputError(f"{where}: ensemble", grid.attrs["ensemble"], f"a single forecast, {asked}")
    lacking = [name for name in expected.variables if name not in grid]
    if lacking:
        found = f"{', '.join(name for name in WEATHER if name in grid)}, no {', '.join(lacking)}"
        raise InputError(f"{where}: variables", found, f"{', '.join(expected.variables)}, {asked}")
    for name, hours in (expected.spans or {}).items():
        found_hours = float(grid[STEP_HOURS.format(name)][0])
        if found_hours != hours:
            raise InputError(f"{where}: {name}", f"a value over {found_hours:g} h", f"one over {hours} h, {asked}")
    for name in expected.variables:
        missing = int(grid[name].isnull().sum())
        if missing:
            # Fields of global models have a value everywhere.
            raise InputError(
                f"{where}: {name}", f"{missing} of {grid[name].size} values missing", "a value at every point"
            )
    refuse_another_area(grid, expected.box, where)


def merge_ranges(ranges: Iterable[ByteRange]) -> list[ByteRange]:
    """Return byte ranges in ascending order without duplicates, adjacent ones merged."""
    joined: list[ByteRange] = []
    for start, end in sorted(set(ranges), key=lambda span: span[0]):
        if joined and joined[-1][1] == start - 1:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
