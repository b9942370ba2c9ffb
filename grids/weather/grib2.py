"""GRIB2 of NOAA's GFS and ECMWF's IFS, decoded with eccodes.

A file is read message by message: what the contract doesn't need is passed over before it is
unpacked, and of each unpacked field only a box or the cities' corners are kept.
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

import eccodes
import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER, check, describe, within_limits
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.weather.regular_grid import Box, Corners, Crop, Field, Pick, RegularGrid

# Contract name, factor, and what the values are over their step.
_Known = tuple[str, float, str]
# By eccodes' short name: contract name, what the values are over their step, and the factor to the
# contract for each unit. GFS counts rain in kg m-2 and ECMWF in m; cloud cover comes as a share or
# in per cent. A total of J m-2 divided by its hours is J m-2 h-1, hence the seconds of an hour.
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
# Codes of NCEP's own that eccodes has no name for: discipline, category, number -> name, unit.
_NCEP = {(0, 3, 196): ("blh", "m")}
_MODELS = {"kwbc": "GFS", "ecmf": "IFS"}
_LEVELS = {"sp": "surface", "blh": "surface"}
# What a short name follows from.
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
class _Message:
    """One unpacked field; `values` are those picked, hours are since `init`."""

    name: str
    init: np.datetime64
    start: int
    end: int
    values: Field
    kind: str
    centre: str = "kwbc"


def read_grib2(files: Path | Sequence[Path], box: Box | None = None) -> xr.Dataset:
    """Read the contract's variables from the GRIB2 files of one run on a regular grid.

    Precipitation, accumulated since the start of its bucket, becomes mm h-1; radiation,
    averaged since then, becomes the mean of its own step. GFS publishes a file for each
    step, and a bucket's start lies in another one: give all files of a run together.

    Parameters
    ----------
    files : Path or sequence of Path
    box : Box, optional
        Keep only this part; by default the whole grid.

    Returns
    -------
    xarray.Dataset (time, latitude, longitude)
        float32, axes in the order of the file; attribute ``init_time`` for a forecast.

    Raises
    ------
    InputError
        If a file is broken, or they mix forecasts or grids or hold nothing of the contract.
    """
    messages, grid = _messages(files, lambda grid, path: Crop(grid, box, str(path)))
    crop = Crop(grid, box, str(files))
    return _assembled(
        messages, ("latitude", "longitude"), {"latitude": crop.latitude, "longitude": crop.longitude}, str(files)
    )


def read_grib2_at_cities(files: Path | Sequence[Path], cities: Sequence[City]) -> xr.Dataset:
    """Read the contract's variables from the GRIB2 files of one run bilinearly at cities.

    The result is that of `read_grib2` and `hazecast.grids.weather.sampling.at_cities`, in a fraction of the
    memory and time.

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "city_weather".

    Raises
    ------
    InputError
        As `read_grib2`, and if a city lies outside the grid.
    """
    messages, _ = _messages(files, lambda grid, path: Corners(grid, cities, str(path)))
    dataset = _assembled(messages, ("city",), {"city": [city.id for city in cities]}, str(files))
    return check(describe(dataset, "city_weather"), "city_weather", name=str(files))


def run_of_grib2(path: Path) -> tuple[np.datetime64, np.datetime64, np.datetime64]:
    """Return init time, first and last valid time of a GRIB2 file; no field is unpacked.

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
                with _clear_errors(path):
                    init, _, end = _steps(handle)
                inits.add(init)
                ends.append(end)
        finally:
            eccodes.codes_release(handle)
    if len(inits) != 1:
        raise InputError(str(path), f"runs {sorted(map(str, inits))}", "messages of one run")
    run = inits.pop()
    return run, run + np.timedelta64(min(ends), "h"), run + np.timedelta64(max(ends), "h")


def step_means(messages: list[_Message]) -> dict[int, Field]:
    """Turn accumulations or averages over growing buckets into means of single steps.

    GFS restarts its buckets every 6 h and publishes some totals since the start of the run
    besides; for each end the shortest bucket is taken, and what an earlier one of the same
    start already holds is taken off.
    """
    shortest: dict[int, _Message] = {}
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


def _total(message: _Message) -> Field:
    return message.values * (message.end - message.start) if message.kind == "average" else message.values


def _assembled(
    messages: list[_Message], dims: tuple[str, ...], axes: dict[str, Field] | dict[str, list[str]], where: str
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


def _messages(
    files: Path | Sequence[Path], pick_on: Callable[[RegularGrid, Path], Pick]
) -> tuple[list[_Message], RegularGrid]:
    """Read all messages of the contract, of each what the pick made for their grid keeps.

    Unpacking takes nearly all of the time and runs in eccodes without Python's lock: threads
    share it, and at most two fields a thread are held.
    """
    _keep_blocks()
    found: list[_Message] = []
    grid, pick = None, None
    seen: dict[tuple[int | str, ...], _Known | None] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for path in [files] if isinstance(files, Path) else files:
            under_way: deque[Future[_Message]] = deque()
            for handle in _handles(path):
                job = None
                try:
                    known = _known(handle, path, seen)
                    # GFS publishes cloud cover averaged over the bucket besides.
                    if known is not None and (known[2] != "instant" or _is_instant(handle, path)):
                        own = _grid(handle, path)
                        if grid is None or pick is None:
                            grid, pick = own, pick_on(own, path)
                        elif own != grid:
                            raise InputError(f"{path}: {known[0]}", own, f"one grid, {grid}")
                        job = pool.submit(_decoded, handle, *known, pick, path)
                        under_way.append(job)
                finally:
                    if job is None:
                        eccodes.codes_release(handle)
                if len(under_way) > 2 * _THREADS:
                    found.append(under_way.popleft().result())
            if not under_way:
                raise InputError(str(path), "no message of the contract", f"any of {sorted(_NAMES)}")
            found += [message.result() for message in under_way]
    if grid is None or not any(m.kind == "instant" or m.end > m.start for m in found):
        raise InputError(str(files), "no field at or over a time", "weather fields")
    if len({message.init for message in found}) > 1:
        raise InputError(str(files), f"runs {sorted({str(m.init) for m in found})}", "one run")
    return found, grid


def _keep_blocks() -> None:
    """Let the C library keep blocks as large as a global field from one message to the next.

    By default glibc gives them back to the kernel, and getting them anew takes half of the
    decoding time. Freeing a block raises that limit to its size, up to 32 MiB (mallopt(3),
    M_MMAP_THRESHOLD). Elsewhere this does nothing.
    """
    np.empty(31 * 2**20, np.uint8)


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (eccodes.CodesInternalError, ValueError, OverflowError, TypeError, IndexError, MemoryError) as error:
        # A damaged header may give a length, a type or a count that can't be.
        raise InputError(str(path), error, "GRIB2 messages that decode") from error


def _handles(path: Path) -> Iterator[int]:
    """Yield the messages of a file; who takes one releases it."""
    with path.open("rb") as file:
        while True:
            with _clear_errors(path):
                handle = eccodes.codes_grib_new_from_file(file)
            if handle is None:
                return
            yield handle


def _known(handle: int, path: Path, seen: dict[tuple[int | str, ...], _Known | None]) -> _Known | None:
    """Return contract name, factor and kind; None for a message that isn't needed.

    eccodes takes long to find a short name: `seen` keeps what it said of the same codes.
    """
    with _clear_errors(path):
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
    with _clear_errors(path):
        return bool(eccodes.codes_get(handle, "stepType") == "instant")


def _decoded(handle: int, name: str, factor: float, kind: str, pick: Pick, path: Path) -> _Message:
    """Unpack a message, keep what `pick` keeps, and release it."""
    try:
        with _clear_errors(path):
            missing = None
            if eccodes.codes_get(handle, "bitmapPresent"):
                eccodes.codes_set(handle, "missingValue", _MISSING)
                missing = _MISSING
            values = pick(eccodes.codes_get_values(handle), missing) * factor
            init, start, end = _steps(handle)
            centre = str(eccodes.codes_get(handle, "centre"))
            return _Message(name, init, start, end, values, kind, centre)
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
    with _clear_errors(path):
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
