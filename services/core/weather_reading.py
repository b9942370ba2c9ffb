"""Weather files read in a subprocess: a damaged one may end its reader, or never let it return, but not the service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.places.cities import City
from hazecast.grids.weather.files import Period, read_weather, read_weather_at_cities, span_of
from hazecast.grids.weather.regular_grid import Box
from hazecast.services.core.subprocesses import SECONDS, run_in_subprocess


def read_files(
    path: Path | Sequence[Path],
    box: Box | None = None,
    period: Period | None = None,
    *,
    alone: bool = True,
    seconds: float = SECONDS,
) -> xr.Dataset:
    """Read weather files in a subprocess; otherwise as `hazecast.grids.weather.files.read_weather`.

    Parameters
    ----------
    path : Path or sequence of Path
    box : Box, optional
    period : two datetime64, optional
    alone : bool
        Wait for other files to be read; see `hazecast.services.core.subprocesses.run_in_subprocess`.
    seconds : float
        Time limit.

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
    return run_in_subprocess(_grid, path, box, period, where=where, alone=alone, seconds=seconds)


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
    return run_in_subprocess(read_weather_at_cities, path, tuple(cities), where=str(path))


def span_of_file(path: Path, *, seconds: float = SECONDS) -> tuple[np.datetime64 | None, np.datetime64, np.datetime64]:
    """Return what a file covers, in a subprocess; otherwise as `hazecast.grids.weather.files.span_of`.

    Parameters
    ----------
    path : Path
    seconds : float
        Time limit.

    Returns
    -------
    datetime64 or None, datetime64, datetime64

    Raises
    ------
    InputError
        As `read_files`.
    """
    return run_in_subprocess(span_of, path, where=str(path), seconds=seconds)


def _grid(path: Path | Sequence[Path], box: Box | None, period: Period | None) -> xr.Dataset:
    return read_weather(path, box=box, period=period)
