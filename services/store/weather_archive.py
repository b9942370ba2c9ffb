"""The weather archive on disk, in Zarr through xarray.

``analyses/2014-02.zarr`` holds the hours of a month, ``forecasts/20140220T0000Z.zarr`` one
forecast run. An archive holds one source on one grid.

Writes are atomic. A forecast run and the frame of a month are written beside their
place and renamed. An hour is written to its month file by file, each replaced atomically by Zarr, and
counts only once its bits in `PRESENT` are written, which comes last: a writer that is killed
before that leaves the hour out, and the next one writes it again. A month has one writer at a
time, by a lock file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.contract import WEATHER, check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.places.cities import City
from hazecast.grids.times import to_datetime64
from hazecast.grids.weather.archive_layout import (
    PRESENT,
    check_fits,
    check_hours,
    empty_month,
    encoding,
    hours_of,
    presence,
    present_names,
)
from hazecast.grids.weather.sampling import at_cities
from hazecast.services.store.locks import file_locked

_ANALYSES, _FORECASTS = "analyses", "forecasts"


@dataclass(frozen=True)
class Written:
    """How many hours or runs were written, and how many were there already."""

    new: int = 0
    known: int = 0


class WeatherArchive:
    """An archive in a folder, which is made when something is first written.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, grid: xr.Dataset, *, replace: bool = False) -> Written:
        """Write the hours of an analysis, or a forecast run, that aren't there yet.

        Parameters
        ----------
        grid : xarray.Dataset (time, latitude, longitude)
            Contract "weather_grid"; with ``init_time`` it is a forecast run and stored as one.
        replace : bool
            Write hours again that are there already, for a source that revises them.

        Returns
        -------
        Written
            Hours of an analysis, or runs.

        Raises
        ------
        InputError
            If it breaks the contract, or doesn't fit the archive; nothing is then written.
        """
        name = f"{self.folder}: {grid.attrs.get('source', 'weather')}"
        check(grid, "weather_grid", name=name)
        check_hours(grid, name)
        if "init_time" in grid.attrs:
            return self._append_forecast(grid, replace)
        written = Written()
        months = grid["time"].values.astype("datetime64[M]")
        for month in np.unique(months):
            part = self._append_month(grid.isel(time=months == month), month, replace, name)
            written = Written(written.new + part.new, written.known + part.known)
        return written

    def hours(self) -> np.ndarray:
        """Return the hours of analyses that are there, datetime64[ns], ascending."""
        found = [_present_hours(month) for month in self._months()]
        return np.concatenate(found) if found else np.array([], "datetime64[ns]")

    def runs(self) -> list[datetime]:
        """Return the init times of the forecast runs that are there, ascending."""
        return [_run_time(path) for path in sorted((self.folder / _FORECASTS).glob("*.zarr"))]

    def run(self, init_time: datetime) -> xr.Dataset:
        """Return a forecast run, contract "weather_grid"; values are read when used.

        Raises
        ------
        InputError
            If it isn't there.
        """
        path = self._run_path(init_time)
        if not path.exists():
            raise InputError(f"{self.folder}: init_time", init_time.isoformat(), f"one of {len(self.runs())} runs")
        return _open(path)

    def analyses(self, first: datetime, last: datetime, *, near: Sequence[City] = ()) -> xr.Dataset:
        """Read the hours from `first` to `last`, both included.

        Parameters
        ----------
        first, last : datetime
            Aware.
        near : sequence of City
            Read only the part of the grid that surrounds these cities.

        Returns
        -------
        xarray.Dataset (time, latitude, longitude)
            Contract "weather_grid", in memory.

        Raises
        ------
        InputError
            If no hour is there, or a city lies outside the grid.
        """
        start, end = (to_datetime64(t) for t in (first, last))
        parts = []
        for path in self._months(start, end):
            month = _open(path)
            times, bits = month["time"].values, month[PRESENT].values
            wanted = np.flatnonzero((bits != 0) & (times >= start) & (times <= end))
            if not wanted.size:
                continue
            # A slice is read many times faster than a list of hours; gaps are taken out after.
            span = slice(wanted[0], wanted[-1] + 1)
            part = month[present_names(bits[wanted])].isel({"time": span} | _around(month, near)).load()
            parts.append(part.isel(time=wanted - wanted[0]))
        if not parts:
            raise InputError(f"{self.folder}: hours", "none", f"weather from {first:%Y-%m-%dT%H:%MZ} on")
        grid = xr.concat(parts, "time", combine_attrs="override", join="exact") if len(parts) > 1 else parts[0]
        return check(describe(grid, "weather_grid"), "weather_grid", name=str(self.folder))

    def at_cities(self, cities: Sequence[City], first: datetime, last: datetime) -> xr.Dataset:
        """Read the hours from `first` to `last`, both included, at cities.

        Parameters
        ----------
        cities : sequence of City
        first, last : datetime
            Aware.

        Returns
        -------
        xarray.Dataset (time, city)
            Contract "city_weather".

        Raises
        ------
        InputError
            As `analyses`.
        """
        return at_cities(self.analyses(first, last, near=cities), cities)

    def prune(self, before: datetime) -> int:
        """Delete the months and runs that end before a time; return how many."""
        limit = to_datetime64(before)
        old = [path for path in self._months() if hours_of(np.datetime64(path.stem, "M"))[-1] < limit]
        old += [path for path in (self.folder / _FORECASTS).glob("*.zarr") if _run_time(path) < before]
        for path in old:
            with only_writer(path):
                _remove(path)
        return len(old)

    def _months(self, start: np.datetime64 | None = None, end: np.datetime64 | None = None) -> Iterator[Path]:
        for path in sorted((self.folder / _ANALYSES).glob("*.zarr")):
            month = np.datetime64(path.stem, "M")
            if (start is None or month >= start.astype("datetime64[M]")) and (
                end is None or month <= end.astype("datetime64[M]")
            ):
                yield path

    def _append_month(self, grid: xr.Dataset, month: np.datetime64, replace: bool, name: str) -> Written:
        path = self.folder / _ANALYSES / f"{month}.zarr"
        with only_writer(path):
            for earlier in self._months():
                # One source on one grid through all months.
                check_fits(grid, _open(earlier), name)
                break
            if not path.exists():
                _write_whole(empty_month(month, grid), path)
            stored = _open(path)
            stored_bits = stored[PRESENT].values
            places = np.searchsorted(stored["time"].values, grid["time"].values)
            bits = presence(grid)
            wanted = (bits != 0) & ((stored_bits[places] == 0) | replace)
            for day in np.unique(places[wanted] // 24):
                # By day, as the archive is chunked; by runs of hours, as a region must be.
                own = np.flatnonzero(wanted & (places // 24 == day))
                for run in np.split(own, np.flatnonzero(np.diff(places[own]) != 1) + 1):
                    _write_hours(path, grid.isel(time=run), bits[run], int(places[run[0]]))
            return Written(int(wanted.sum()), int((~wanted).sum()))

    def _append_forecast(self, grid: xr.Dataset, replace: bool) -> Written:
        path = self._run_path(datetime.fromisoformat(str(grid.attrs["init_time"])))
        with only_writer(path):
            if path.exists():
                if not replace:
                    return Written(known=1)
                _remove(path)
            _write_whole(grid[[n for n in WEATHER if n in grid]].load().astype(np.float32), path)
            return Written(new=1)

    def _run_path(self, init_time: datetime) -> Path:
        return self.folder / _FORECASTS / f"{init_time.astimezone(UTC):%Y%m%dT%H%MZ}.zarr"


def prune_weather_archive(folder: Path, days: int | None, now: datetime) -> int:
    """Apply the retention of ``HAZECAST_ARCHIVE_DAYS``.

    Analyses are kept by complete months: a month is deleted once its last hour is older than `days`.

    Parameters
    ----------
    folder : Path
        Of the archive.
    days : int or None
        None keeps everything.
    now : datetime
        Aware.

    Returns
    -------
    int
        How many months and runs were deleted.
    """
    return 0 if days is None else WeatherArchive(folder).prune(now - timedelta(days=days))


def _open(path: Path) -> xr.Dataset:
    requires("zarr", "archive")
    try:
        opened: xr.Dataset = xr.open_zarr(path, chunks=None, consolidated=False)
        return opened
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(str(path), error, "a Zarr group of the weather archive") from error


def _present_hours(path: Path) -> np.ndarray:
    month = _open(path)
    return np.asarray(month["time"].values[month[PRESENT].values != 0])


def _run_time(path: Path) -> datetime:
    return datetime.strptime(path.stem, "%Y%m%dT%H%MZ").replace(tzinfo=UTC)


def _write_hours(path: Path, grid: xr.Dataset, bits: np.ndarray, start: int) -> None:
    names = [name for name in WEATHER if name in grid]
    region = {"time": slice(start, start + grid.sizes["time"])}
    area = {axis: slice(0, grid.sizes[axis]) for axis in ("latitude", "longitude")}
    values = grid[names].astype(np.float32).drop_vars(list(grid.coords)).drop_attrs()
    values.to_zarr(path, region=region | area, consolidated=False)
    _mark_present(path, bits, region)


def _mark_present(path: Path, bits: np.ndarray, region: dict[str, slice]) -> None:
    xr.Dataset({PRESENT: ("time", bits)}).to_zarr(path, region=region, consolidated=False)


def _write_whole(dataset: xr.Dataset, path: Path) -> None:
    part = path.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    # Not computed: values that Dask holds, the blanks of a month, aren't written; others are.
    dataset.to_zarr(part, compute=False, encoding=encoding(dataset), zarr_format=3, consolidated=False)
    part.replace(path)


def _remove(path: Path) -> None:
    # Renamed first: a removal that is killed leaves no part of it in place.
    part = path.with_suffix(".removed")
    shutil.rmtree(part, ignore_errors=True)
    path.replace(part)
    shutil.rmtree(part)


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold the lock of a month or a run: no other process writes to it, or removes it."""
    with file_locked(path.with_suffix(".lock")):
        yield


def _around(grid: xr.Dataset, cities: Sequence[City]) -> dict[str, slice]:
    if not cities:
        return {}
    result = {}
    for axis in ("latitude", "longitude"):
        values, places = grid[axis].values, [getattr(city, axis) for city in cities]
        first = int(np.searchsorted(values, min(places), side="right")) - 1
        last = int(np.searchsorted(values, max(places)))
        # Beyond the edge: `at_cities` names the city.
        result[axis] = slice(max(first, 0), max(last, first + 1) + 1)
    return result
