"""Three ways to decode a GFS cycle, each run in a process of its own: WAY SMALL_FILE FILE.

The small file is read first, so that imports and tables are loaded. Prints seconds, processor
seconds and the peak memory of the process in bytes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

# Before eccodes, or the process dies as it exits: see grids/__init__.py.
import pyproj  # noqa: F401  # isort: skip
import cfgrib
import eccodes
import numpy as np
import xarray as xr

from hazecast.grids.places.cities import City, load_registry
from hazecast.grids.weather.grib import read_grib_at_cities
from tests.benchmarks.gfs_cycle import VARIABLES
from tests.support.memory import highest_mb


def hazecast(path: Path, cities: Sequence[City]) -> dict[str, np.ndarray]:
    """Hazecast's reader."""
    return {str(name): array.values for name, array in read_grib_at_cities(path, cities).items()}


def plain(path: Path, cities: Sequence[City]) -> dict[str, np.ndarray]:
    """The plain way: cfgrib sorts the messages into datasets, xarray interpolates."""
    points = {
        "latitude": xr.DataArray([city.latitude for city in cities], dims="city"),
        "longitude": xr.DataArray([city.longitude for city in cities], dims="city"),
    }
    datasets = cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": ""})
    return {str(name): d[name].interp(points).values for d in datasets for name in d if name != "r2"}


def bare(path: Path, cities: Sequence[City]) -> int:
    """Unpack the messages that the contract needs and do nothing with them."""
    number = needed = 0
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            # The last variable of each hour isn't needed.
            if number % len(VARIABLES) != len(VARIABLES) - 1:
                eccodes.codes_get_values(handle)
                needed += 1
            eccodes.codes_release(handle)
            number += 1
    return needed


WAYS = {"hazecast": hazecast, "plain": plain, "bare": bare}

if __name__ == "__main__":
    way, everywhere = WAYS[sys.argv[1]], list(load_registry().cities.values())
    way(Path(sys.argv[2]), everywhere)
    start, start_cpu = time.perf_counter(), time.process_time()
    way(Path(sys.argv[3]), everywhere)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    print(seconds, cpu, 1e6 * highest_mb())
