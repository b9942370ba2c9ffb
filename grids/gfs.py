"""GRIB2 with the names of NOAA's GFS, decoded with eccodes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import eccodes
import numpy as np
import numpy.typing as npt
import xarray as xr

from grids.errors import InputError

# eccodes' short name -> contract name and factor.
_INSTANT: dict[str, tuple[str, float]] = {
    "2t": ("t2m", 1.0),
    "2d": ("d2m", 1.0),
    "10u": ("u10", 1.0),
    "10v": ("v10", 1.0),
    "sp": ("sp", 1.0),
    "blh": ("blh", 1.0),
    "hpbl": ("blh", 1.0),
    "tcc": ("tcc", 0.01),
}
_ACCUMULATED = {"tp": "tp"}
_AVERAGED = {"sdswrf": "ssrd", "avg_sdswrf": "ssrd", "dswrf": "ssrd"}
_LEVELS = {"sp": "surface", "blh": "surface", "hpbl": "surface"}

Field = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Message:
    name: str
    init: np.datetime64
    start: int
    end: int
    latitude: Field
    longitude: Field
    values: Field
    kind: str


def read_grib2(path: Path) -> xr.Dataset:
    """Read the contract's variables from a GRIB2 file on a regular grid.

    Precipitation, accumulated since the start of its bucket, becomes mm h-1; radiation,
    averaged since then, becomes the mean of its own step.

    Raises
    ------
    InputError
        If the file is broken, mixes forecasts or grids, or holds nothing of the contract.
    """
    messages = _messages(path)
    if not messages:
        raise InputError(str(path), "no message of the contract", f"any of {sorted(_INSTANT)}, tp, sdswrf")
    first = messages[0]
    for message in messages:
        if message.init != first.init or message.values.shape != first.values.shape:
            raise InputError(f"{path}: {message.name}", f"run {message.init}", f"one run ({first.init}) on one grid")
    fields: dict[str, dict[int, Field]] = {}
    for name in sorted({m.name for m in messages}):
        own = [m for m in messages if m.name == name]
        fields[name] = {m.end: m.values for m in own} if own[0].kind == "instant" else step_means(own)
    steps = sorted({step for field in fields.values() for step in field})
    blank = np.full(first.values.shape, np.nan)
    time = first.init + np.array(steps).astype("timedelta64[h]")
    dataset = xr.Dataset(
        {
            name: (
                ("time", "latitude", "longitude"),
                np.stack([field.get(step, blank) for step in steps]).astype(np.float32),
            )
            for name, field in fields.items()
        },
        coords={"time": time.astype("datetime64[ns]"), "latitude": first.latitude, "longitude": first.longitude},
        attrs={"source": "GFS"},
    )
    if any(m.end > 0 for m in messages):
        dataset.attrs["init_time"] = np.datetime_as_string(first.init, unit="s") + "Z"
    return dataset


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


def _messages(path: Path) -> list[_Message]:
    found = []
    with path.open("rb") as file:
        while True:
            try:
                handle = eccodes.codes_grib_new_from_file(file)
            except eccodes.CodesInternalError as error:
                raise InputError(str(path), error, "a whole GRIB2 file") from error
            if handle is None:
                break
            try:
                message = _decoded(handle, path)
            except eccodes.CodesInternalError as error:
                raise InputError(str(path), error, "GRIB2 messages that decode") from error
            finally:
                eccodes.codes_release(handle)
            if message is not None:
                found.append(message)
    return found


def _decoded(handle: int, path: Path) -> _Message | None:
    short = eccodes.codes_get(handle, "shortName")
    if short in _LEVELS and eccodes.codes_get(handle, "typeOfLevel") != _LEVELS[short]:
        return None
    if short in _INSTANT:
        (name, factor), kind = _INSTANT[short], "instant"
    elif short in _ACCUMULATED:
        name, factor, kind = _ACCUMULATED[short], 1.0, "accumulation"
    elif short in _AVERAGED:
        name, factor, kind = _AVERAGED[short], 1.0, "average"
    else:
        return None
    grid = eccodes.codes_get(handle, "gridType")
    if grid != "regular_ll":
        raise InputError(f"{path}: {short} gridType", grid, "regular_ll")
    rows, columns = eccodes.codes_get(handle, "Nj"), eccodes.codes_get(handle, "Ni")
    eccodes.codes_set(handle, "missingValue", 1e20)
    values = np.asarray(eccodes.codes_get_values(handle), dtype=np.float64).reshape(rows, columns)
    date, clock = eccodes.codes_get(handle, "dataDate"), eccodes.codes_get(handle, "dataTime")
    init = datetime.strptime(f"{date:08d}{clock:04d}", "%Y%m%d%H%M").replace(tzinfo=UTC)
    eccodes.codes_set(handle, "stepUnits", 1)
    return _Message(
        name=name,
        init=np.datetime64(init.replace(tzinfo=None), "ns"),
        start=int(eccodes.codes_get(handle, "startStep")),
        end=int(eccodes.codes_get(handle, "endStep")),
        latitude=_axis(handle, "latitude", rows, "jDirectionIncrementInDegrees"),
        longitude=_axis(handle, "longitude", columns, "iDirectionIncrementInDegrees"),
        values=np.where(values > 1e19, np.nan, values) * factor,
        kind=kind,
    )


def _axis(handle: int, name: str, count: int, increment: str) -> Field:
    """Return grid coordinates in degrees in the order of the values, which may cross 0 E."""
    first = eccodes.codes_get(handle, f"{name}OfFirstGridPointInDegrees")
    step = eccodes.codes_get(handle, increment)
    if name == "latitude" and not eccodes.codes_get(handle, "jScansPositively"):
        step = -step
    return np.asarray(np.round(first + step * np.arange(count), 6))
