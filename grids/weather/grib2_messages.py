"""Messages of GRIB2 files, decoded with eccodes: which of them the contract needs, and what they hold.

A message that the contract doesn't need is skipped before it is unpacked. Of each unpacked field only a box or the
grid points around the cities are retained.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from hazecast.grids.errors import InputError
from hazecast.grids.weather.codec import eccodes
from hazecast.grids.weather.regular_grid import Field, Pick, RegularGrid

# Contract name, factor, and what the values are over their step.
_Known = tuple[str, float, str]
# By eccodes' short name: contract name, what the values are over their step, and the factor to the
# contract for each unit. GFS gives precipitation in kg m-2 and ECMWF in m; cloud cover is a fraction
# or in per cent. A total of J m-2 divided by its hours is J m-2 h-1, hence the seconds of an hour.
_NAMES: dict[str, tuple[str, str, dict[str, float]]] = {
    "2t": ("t2m", "instant", {"K": 1.0}),
    "2d": ("d2m", "instant", {"K": 1.0}),
    "10u": ("u10", "instant", {"m s**-1": 1.0}),
    "10v": ("v10", "instant", {"m s**-1": 1.0}),
    "sp": ("sp", "instant", {"Pa": 1.0}),
    "blh": ("blh", "instant", {"m": 1.0}),
    "tcc": ("tcc", "instant", {"%": 0.01, "(0 - 1)": 1.0}),
    "tp": ("tp", "accumulation", {"kg m**-2": 1.0, "m": 1000.0}),
    "ssrd": ("ssrd", "accumulation", {"J m**-2": 1.0 / 3600.0}),
    "sdswrf": ("ssrd", "average", {"W m**-2": 1.0}),
    "avg_sdswrf": ("ssrd", "average", {"W m**-2": 1.0}),
}
# Local codes of NCEP that eccodes has no name for: discipline, category, number -> name, unit.
_NCEP = {(0, 3, 196): ("blh", "m")}
_LEVELS = {"sp": "surface", "blh": "surface"}
# The keys that a short name is derived from.
_CODES = (
    "centre",
    "discipline",
    "parameterCategory",
    "parameterNumber",
    "typeOfFirstFixedSurface",
    "scaledValueOfFirstFixedSurface",
    "typeOfSecondFixedSurface",
    "productDefinitionTemplateNumber",
    "stepType",
)
_MISSING = 1e20
_LONGEST_STEP = 24 * 400
_THREADS = min(4, os.cpu_count() or 1)
# A grid of 0.05 degree; a larger count is a damaged header, and would exhaust the memory.
_MOST_VALUES = 3_601 * 7_200


@dataclass(frozen=True)
class Message:
    """One unpacked field.

    Attributes
    ----------
    name : str
        A variable of the contract.
    init : datetime64
        Init time of the run, UTC.
    start, end : int
        First and last hour of the step after `init`; equal for an instant.
    values : Field
        The values picked, in units of the contract; an accumulation is a total over the step.
    kind : {"instant", "average", "accumulation"}
        What the values are over the step.
    centre : str
        The originating centre, as eccodes abbreviates it.
    """

    name: str
    init: np.datetime64
    start: int
    end: int
    values: Field
    kind: str
    centre: str = "kwbc"


def run_of_grib2(path: Path) -> tuple[np.datetime64, np.datetime64, np.datetime64]:
    """Return init time, first and last valid time of a GRIB2 file, without unpacking a field.

    Raises
    ------
    InputError
        If the file is broken or holds nothing of the contract.
    """
    inits, ends = set(), []
    seen: dict[tuple[int | str, ...], _Known | None] = {}
    for handle in _handles(path):
        try:
            if _known(handle, path, seen) is not None:
                with _input_errors(path):
                    init, _, end = _steps(handle)
                inits.add(init)
                ends.append(end)
        finally:
            eccodes.codes_release(handle)
    if len(inits) != 1:
        raise InputError(str(path), f"runs {sorted(map(str, inits))}", "messages of one run")
    run = inits.pop()
    return run, run + np.timedelta64(min(ends), "h"), run + np.timedelta64(max(ends), "h")


def read_messages(
    files: Path | Sequence[Path], pick_on: Callable[[RegularGrid, Path], Pick]
) -> tuple[list[Message], RegularGrid]:
    """Read all messages of the contract, and of each field the part that a `Pick` returns.

    Unpacking takes nearly all of the time and runs in eccodes without Python's global lock, so that threads
    share it; at most two fields a thread are in memory.

    Parameters
    ----------
    files : Path or sequence of Path
        GRIB2 files of one run.
    pick_on : callable
        Makes the `Pick` for the grid of the first message; also gets the file's path, for errors.

    Returns
    -------
    messages : list of Message
        In the order of the files.
    grid : RegularGrid
        The grid of all messages.

    Raises
    ------
    InputError
        If a file is broken or holds nothing of the contract, or the files mix runs or grids.
    """
    _retain_freed_memory()
    found: list[Message] = []
    grid, pick = None, None
    seen: dict[tuple[int | str, ...], _Known | None] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for path in [files] if isinstance(files, Path) else files:
            pending: deque[Future[Message]] = deque()
            for handle in _handles(path):
                job = None
                try:
                    known = _known(handle, path, seen)
                    # GFS also publishes cloud cover averaged over the bucket.
                    if known is not None and (known[2] != "instant" or _is_instant(handle, path)):
                        own = _grid(handle, path)
                        if grid is None or pick is None:
                            grid, pick = own, pick_on(own, path)
                        elif own != grid:
                            raise InputError(f"{path}: {known[0]}", own, f"one grid, {grid}")
                        job = pool.submit(_decode, handle, *known, pick, path)
                        pending.append(job)
                finally:
                    if job is None:
                        eccodes.codes_release(handle)
                if len(pending) > 2 * _THREADS:
                    found.append(pending.popleft().result())
            if not pending:
                raise InputError(str(path), "no message of the contract", f"any of {sorted(_NAMES)}")
            found += [message.result() for message in pending]
    if grid is None or not any(m.kind == "instant" or m.end > m.start for m in found):
        raise InputError(str(files), "no field at or over a time", "weather fields")
    if len({message.init for message in found}) > 1:
        raise InputError(str(files), f"runs {sorted({str(m.init) for m in found})}", "one run")
    return found, grid


def _retain_freed_memory() -> None:
    """Make the C library retain freed blocks as large as a global field from one message to the next.

    By default glibc returns them to the kernel, and allocating them again takes half of the
    decoding time. Freeing a block raises that limit to its size, up to 32 MiB (mallopt(3),
    M_MMAP_THRESHOLD). Elsewhere this does nothing.
    """
    np.empty(31 * 2**20, np.uint8)


@contextmanager
def _input_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (eccodes.CodesInternalError, ValueError, OverflowError, TypeError, IndexError, MemoryError) as error:
        # A damaged header may give an impossible length, type or count.
        raise InputError(str(path), error, "GRIB2 messages that decode") from error


def _handles(path: Path) -> Iterator[int]:
    """Yield the handles of a file's messages; the caller releases each."""
    with path.open("rb") as file:
        while True:
            with _input_errors(path):
                handle = eccodes.codes_grib_new_from_file(file)
            if handle is None:
                return
            yield handle


def _known(handle: int, path: Path, seen: dict[tuple[int | str, ...], _Known | None]) -> _Known | None:
    """Return contract name, factor and kind; None for a message that isn't needed.

    eccodes takes long to find a short name, so `seen` caches the result for each set of codes.
    """
    with _input_errors(path):
        edition = eccodes.codes_get(handle, "edition")
        if edition != 2:
            raise InputError(f"{path}: GRIB edition", edition, "2")
        codes = tuple(eccodes.codes_get(handle, key) for key in _CODES)
        if codes not in seen:
            seen[codes] = _named(handle, path)
        return seen[codes]


def _named(handle: int, path: Path) -> _Known | None:
    short, units = eccodes.codes_get(handle, "shortName"), eccodes.codes_get(handle, "units")
    if short == "unknown" and eccodes.codes_get(handle, "centre") == "kwbc":
        own = tuple(eccodes.codes_get(handle, k) for k in ("discipline", "parameterCategory", "parameterNumber"))
        short, units = _NCEP.get(own, (short, units))
    level = eccodes.codes_get(handle, "typeOfLevel")
    if short not in _NAMES or _LEVELS.get(short, level) != level:
        return None
    name, kind, factors = _NAMES[short]
    if units not in factors:
        raise InputError(f"{path}: {short} units", units, f"one of {sorted(factors)}")
    return name, factors[units], kind


def _is_instant(handle: int, path: Path) -> bool:
    with _input_errors(path):
        return bool(eccodes.codes_get(handle, "stepType") == "instant")


def _decode(handle: int, name: str, factor: float, kind: str, pick: Pick, path: Path) -> Message:
    """Unpack a message, pick its values, and release it."""
    try:
        with _input_errors(path):
            missing = None
            if eccodes.codes_get(handle, "bitmapPresent"):
                eccodes.codes_set(handle, "missingValue", _MISSING)
                missing = _MISSING
            values = pick(eccodes.codes_get_values(handle), missing) * factor
            init, start, end = _steps(handle)
            centre = str(eccodes.codes_get(handle, "centre"))
            return Message(name, init, start, end, values, kind, centre)
    finally:
        eccodes.codes_release(handle)


def _steps(handle: int) -> tuple[np.datetime64, int, int]:
    """Return the run of a message, and the start and end of its step in hours."""
    date, clock = eccodes.codes_get(handle, "dataDate"), eccodes.codes_get(handle, "dataTime")
    init = datetime.strptime(f"{date:08d}{clock:04d}", "%Y%m%d%H%M")
    eccodes.codes_set(handle, "stepUnits", 1)
    start, end = int(eccodes.codes_get(handle, "startStep")), int(eccodes.codes_get(handle, "endStep"))
    if not 0 <= start <= end <= _LONGEST_STEP:
        raise ValueError(f"step {start}-{end} h, expected 0 to {_LONGEST_STEP}")
    return np.datetime64(init, "ns"), start, end


def _grid(handle: int, path: Path) -> RegularGrid:
    """Return the grid of a message.

    Raises
    ------
    InputError
        If it isn't regular, or its header contradicts itself.
    """
    with _input_errors(path):
        kind = eccodes.codes_get(handle, "gridType")
        if kind != "regular_ll":
            raise InputError(f"{path}: gridType", kind, "regular_ll")
        rows, columns = eccodes.codes_get(handle, "Nj"), eccodes.codes_get(handle, "Ni")
        count = eccodes.codes_get(handle, "numberOfDataPoints")
        if min(rows, columns) < 2 or rows * columns != count or count > _MOST_VALUES:
            raise InputError(
                f"{path}: grid", f"{rows} rows, {columns} columns, {count} values", "rows times columns values"
            )
        step = eccodes.codes_get(handle, "jDirectionIncrementInDegrees")
        grid = RegularGrid(
            first_latitude=eccodes.codes_get(handle, "latitudeOfFirstGridPointInDegrees"),
            latitude_step=step if eccodes.codes_get(handle, "jScansPositively") else -step,
            rows=rows,
            first_longitude=eccodes.codes_get(handle, "longitudeOfFirstGridPointInDegrees"),
            longitude_step=eccodes.codes_get(handle, "iDirectionIncrementInDegrees"),
            columns=columns,
        )
        ends = np.abs([grid.first_latitude, grid.first_latitude + grid.latitude_step * (rows - 1)])
        if not (ends.max() < 90.01 and step > 0 and 0 < grid.longitude_step * columns < 360.01):
            raise InputError(f"{path}: grid", grid, "latitudes and longitudes on a globe")
        return grid
