"""Trajectories computed by HYSPLIT, from its files of endpoints (tdump).

The format is that of NOAA Air Resources Laboratory's "Trajectory output file format" (ready.noaa.gov/hypub/trajinfo.html):
meteorological grids, starting points, names of diagnostic variables, then a line for each endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from hazecast.grids.errors import InputError

# Endpoints of a line before its diagnostic variables: trajectory, grid, year to minute, forecast hour, age, position, height.
_COLUMNS = 12
# Years have two digits. Reanalyses begin in 1940 (ERA5): what is earlier is of this century.
_FIRST_YEAR = 40


class _Path(NamedTuple):
    """One trajectory: when it starts, and (latitude, longitude, height) by age in hours."""

    start: np.datetime64
    points: dict[float, tuple[float, float, float]]


def read_endpoints(path: Path) -> xr.Dataset:
    """Read a file of endpoints, or all files of a folder.

    Parameters
    ----------
    path : Path
        Text as HYSPLIT writes it; hidden files of a folder are passed over.

    Returns
    -------
    xarray.Dataset (parcel, age)
        ``latitude`` and ``longitude`` (degrees), ``height`` (m above ground); ``age`` in hours, from 0, negative backward;
        coordinate ``start`` (parcel,), UTC. NaN after a trajectory's last endpoint; attribute ``left_early`` counts those
        that end before the longest, ``source`` tells how HYSPLIT moved them vertically.

    Raises
    ------
    InputError
        With line, if a file is not of the format, is cut off, or differs in direction from the others; if a trajectory
        has no endpoint at its start or one age twice.
    """
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")) if path.is_dir() else [path]
    if not files:
        raise InputError(str(path), "an empty folder", "files of endpoints")
    parcels: list[_Path] = []
    kinds = set()
    for file in files:
        kind, found = _read(file)
        kinds.add(kind)
        parcels += found
    if len(kinds) != 1:
        raise InputError(str(path), sorted(" ".join(kind) for kind in kinds), "one direction and one vertical motion")
    ages = np.array(sorted({age for parcel in parcels for age in parcel.points}, key=abs))
    values = np.full((3, len(parcels), len(ages)), np.nan)
    for row, parcel in enumerate(parcels):
        for age, point in parcel.points.items():
            values[:, row, int(np.searchsorted(np.abs(ages), abs(age)))] = point
    dims = ("parcel", "age")
    units = {"latitude": "degrees_north", "longitude": "degrees_east", "height": "m"}
    return xr.Dataset(
        {name: (dims, values[row], {"units": unit}) for row, (name, unit) in enumerate(units.items())},
        coords={
            "age": ("age", ages, {"units": "h"}),
            "start": ("parcel", np.array([parcel.start for parcel in parcels], "datetime64[ns]")),
        },
        attrs={
            "source": "HYSPLIT, " + " ".join(kinds.pop()).lower(),
            "left_early": int(np.isnan(values[0, :, -1]).sum()),
        },
    )


def _read(path: Path) -> tuple[tuple[str, str], list[_Path]]:
    """Return direction and vertical motion, and the trajectories of a file."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), error, "a file of endpoints, which is plain text") from error
    rows = iter([(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()])
    for _ in range(int(_numbers(path, rows, 1)[0])):
        _record(path, rows, 6)
    number, (count, *kind) = _record(path, rows, 3)
    if not count.isdigit() or kind[0] not in ("FORWARD", "BACKWARD"):
        raise InputError(
            f"{path}, line {number}", " ".join([count, *kind]), "number, FORWARD or BACKWARD, vertical motion"
        )
    starts = [_numbers(path, rows, 7) for _ in range(int(count))]
    diagnostics = int(_numbers(path, rows, 1)[0])
    found = [_Path(_time(path, start[:4]), {}) for start in starts]
    for number, cells in rows:
        _add(found, f"{path}, line {number}", cells, _COLUMNS + diagnostics)
    for at, parcel in enumerate(found, start=1):
        if 0.0 not in parcel.points or len(parcel.points) < 2:
            raise InputError(
                f"{path}: trajectory {at}", f"ages {sorted(parcel.points)[:3]}", "its start and what follows"
            )
    return (kind[0], kind[1]), found


def _add(found: list[_Path], where: str, cells: list[str], columns: int) -> None:
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise InputError(where, error, "numbers") from None
    if len(values) != columns or not 1 <= values[0] <= len(found):
        raise InputError(where, " ".join(cells), f"{columns} numbers, the first a trajectory, 1 to {len(found)}")
    age, latitude, longitude, height = values[8:12]
    points = found[int(values[0]) - 1].points
    if age in points or abs(latitude) > 90.0 or abs(longitude) > 360.0:
        raise InputError(where, f"age {age:g} h at {latitude:g}, {longitude:g}", "each age once, degrees on the globe")
    points[age] = (latitude, (longitude + 180.0) % 360.0 - 180.0, height)


def _record(path: Path, rows: Iterator[tuple[int, list[str]]], least: int) -> tuple[int, list[str]]:
    number, cells = next(rows, (0, []))
    if len(cells) < least:
        raise InputError(
            f"{path}, line {number}" if number else str(path),
            " ".join(cells) or "the end of the file",
            f"a record of {least} values, as HYSPLIT's files of endpoints have there",
        )
    return number, cells


def _numbers(path: Path, rows: Iterator[tuple[int, list[str]]], least: int) -> list[float]:
    number, cells = _record(path, rows, least)
    try:
        return [float(cell) for cell in cells[:least]]
    except ValueError:
        raise InputError(f"{path}, line {number}", " ".join(cells), f"{least} numbers") from None


def _time(path: Path, start: list[float]) -> np.datetime64:
    year, month, day, hour = (int(value) for value in start)
    century = 0 if year >= 100 else 1900 if year >= _FIRST_YEAR else 2000
    try:
        return np.datetime64(f"{century + year:04d}-{month:02d}-{day:02d}T{hour:02d}", "ns")
    except ValueError as error:
        raise InputError(f"{path}: starting point", start, "year, month, day and hour") from error
