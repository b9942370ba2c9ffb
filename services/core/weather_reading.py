"""Weather files read in a subprocess: a damaged one may end its reader, or never let it return, but not the service."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.places.cities import City
from hazecast.grids.weather.files import Period, read_weather, read_weather_at_cities, span_of
from hazecast.grids.weather.pressure_levels import read_level_wind
from hazecast.grids.weather.regular_grid import Box
from hazecast.services.core.subprocesses import run_in_subprocess

# Chosen, far above what reading takes on a busy machine, packed archives included: a small file that its library never
# returns from holds up the others for a minute.
_LEAST_SECONDS, _SECONDS_A_MB = 60.0, 2.0


def read_files(
    path: Path | Sequence[Path],
    box: Box | None = None,
    period: Period | None = None,
    *,
    alone: bool = True,
    seconds: float | None = None,
) -> xr.Dataset:
    """Read weather files in a subprocess; otherwise as `hazecast.grids.weather.files.read_weather`.

    Parameters
    ----------
    path : Path or sequence of Path
    box : Box, optional
    period : two datetime64, optional
    alone : bool
        Wait for other files to be read; see `hazecast.services.core.subprocesses.run_in_subprocess`.
    seconds : float, optional
        Time limit; by default that of `time_limit`.

    Returns
    -------
    xarray.Dataset
        Contract "weather_grid".

    Raises
    ------
    InputError
        As `read_weather`, and if the reader crashes or does not return in time.
    """
    where = str(path) if isinstance(path, Path) else ", ".join(map(str, path[:3]))
    paths = [path] if isinstance(path, Path) else path
    limit = time_limit(*paths) if seconds is None else seconds
    return run_in_subprocess(_grid, path, box, period, where=where, alone=alone, seconds=limit)


def read_files_at_cities(path: Path, cities: Sequence[City]) -> xr.Dataset:
    """Read weather files at cities in a subprocess; otherwise as `hazecast.grids.weather.files.read_weather_at_cities`.

    Parameters
    ----------
    path : Path
    cities : sequence of City

    Returns
    -------
    xarray.Dataset
        Contract "city_weather".

    Raises
    ------
    InputError
        As `read_files`.
    """
    return run_in_subprocess(read_weather_at_cities, path, tuple(cities), where=str(path), seconds=time_limit(path))


def read_level_wind_of_files(path: Path, level_hpa: float) -> xr.Dataset:
    """Read the wind on a pressure level in a subprocess; otherwise as `hazecast.grids.weather.pressure_levels.read_level_wind`.

    Parameters
    ----------
    path : Path
    level_hpa : float
        hPa.

    Returns
    -------
    xarray.Dataset (time, latitude, longitude)

    Raises
    ------
    InputError
        As `read_level_wind`, and as `read_files`.
    """
    return run_in_subprocess(read_level_wind, path, level_hpa, where=str(path), seconds=time_limit(path))


def span_of_file(
    path: Path, *, seconds: float | None = None
) -> tuple[np.datetime64 | None, np.datetime64, np.datetime64]:
    """Return what a file covers, in a subprocess; otherwise as `hazecast.grids.weather.files.span_of`.

    Parameters
    ----------
    path : Path
    seconds : float, optional
        Time limit; by default that of `time_limit`.

    Returns
    -------
    datetime64 or None, datetime64, datetime64

    Raises
    ------
    InputError
        As `read_files`.
    """
    return run_in_subprocess(span_of, path, where=str(path), seconds=time_limit(path) if seconds is None else seconds)


def time_limit(*paths: Path) -> float:
    """Return how long files may take to be read, s: a floor, and more for each MB of the files and of those in the folders."""
    size = 0
    for path in paths:
        for file in path.rglob("*") if path.is_dir() else [path]:
            # What is gone is named by the reader.
            with suppress(OSError):
                size += file.stat().st_size
    return _LEAST_SECONDS + _SECONDS_A_MB * size / 2**20


def _grid(path: Path | Sequence[Path], box: Box | None, period: Period | None) -> xr.Dataset:
    return read_weather(path, box=box, period=period)
