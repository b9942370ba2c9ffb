"""Shared by the GRIB2 sources: the byte ranges to request, and the check of downloaded messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time, to_datetime
from hazecast.grids.weather.grib import read_grib
from hazecast.grids.weather.regular_grid import Box
from hazecast.grids.weather.timeline import to_hourly
from hazecast.services.core.subprocesses import run_in_subprocess
from hazecast.services.core.weather_reading import read_files, read_files_at_cities
from hazecast.services.sources.partial import ByteRange
from hazecast.services.sources.weather.interface import Wanted

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


def verify_messages(path: Path, count: int | None, box: Box, valid_time: datetime) -> None:
    """Check that a file consists of complete GRIB2 messages of one time that decode to plausible values.

    One that can't be used makes the file fail, as a download is tried again. They are decoded in a subprocess, since a damaged message can crash eccodes.

    Parameters
    ----------
    path : Path
    count : int or None
        Number of messages; None: at least one.
    box : Box
        The part of the grid to decode.
    valid_time : datetime
        Of all messages, aware.

    Raises
    ------
    InputError
        If there is another number of messages, or one is incomplete, doesn't decode, or is of another time.
    """
    data = path.read_bytes()
    at, found = 0, 0
    while at < len(data):
        length = message_length(data[at : at + HEAD_BYTES], f"{path.name}: byte {at}")
        if length < HEAD_BYTES + len(_END) or data[at + length - 4 : at + length] != _END:
            raise InputError(f"{path.name}: message {found + 1}", f"length {length}, no end there", "a whole message")
        at, found = at + length, found + 1
    if found != (count or max(found, 1)):
        raise InputError(f"{path.name}: messages", found, "at least one" if count is None else str(count))
    run_in_subprocess(_decode, path, box, valid_time, where=path.name)


def _decode(path: Path, box: Box, valid_time: datetime) -> None:
    grid = read_grib(path, box)
    if left_out := grid.attrs.get("left_out"):
        raise InputError(path.name, left_out, "messages that can all be used")
    times = [format_time(to_datetime(time)) for time in grid["time"].values]
    if times != [format_time(valid_time)]:
        raise InputError(f"{path.name}: valid time", ", ".join(times), f"{format_time(valid_time)}, as its index says")


def merge_ranges(ranges: Iterable[ByteRange]) -> list[ByteRange]:
    """Return byte ranges in ascending order without duplicates, adjacent ones merged."""
    joined: list[ByteRange] = []
    for start, end in sorted(set(ranges), key=lambda span: span[0]):
        if joined and joined[-1][1] == start - 1:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
