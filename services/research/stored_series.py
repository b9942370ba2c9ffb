"""Series of many places on disk: made by Dask some places at a time, and cut into windows without being held in memory.

A year of ten thousand places, with what is usual at each of their hours, takes 20 GB as arrays. `build_series` computes it in blocks of
places, on the threads of this process or on the workers of a ``dask.distributed`` scheduler that see the same files; `stored_series` opens
the blocks as arrays that lie on disk (NumPy's ``.npy``, mapped into memory), from which `hazecast.models.series.WindowSet` cuts a batch as
from any other. A block is complete once its folder has its name: one that is there is not computed again.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hazecast.forecast.inputs import series_of
from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.observations.collections import MonitorData
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import to_datetime
from hazecast.models.background import Background, MonthlyClimate
from hazecast.models.series import HourlySeries
from hazecast.services.core.cluster import Progress, dask_client
from hazecast.services.store.weather_archive import WeatherArchive

# Gives the series of some places, ids, with areas of their own; it is pickled where a scheduler is given by address.
Source = Callable[[Sequence[str]], HourlySeries]
PLACES_AT_ONCE = 128
# `hazecast.models.windows.balanced` tells the cities of two series apart up to so many.
_MOST_AT_ONCE = 1_000
_reading = threading.Lock()
_ARRAYS = ("observations", "weather", "times", "utc_offset", "places", "latitude", "longitude", "area", "prior")
_BACKGROUND = ("level", "spread", "long_level", "same_hour", "weather_level")


@dataclass(frozen=True)
class ArchiveSource:
    """Series of cities from a file of observations and a weather archive, of which no more is read than their own.

    Attributes
    ----------
    observations : Path
        NetCDF: contract "observations" (time, city), hourly without gaps.
    weather : Path or None
        Folder of the archive, see `hazecast.services.store.weather_archive`.
    registry : Registry
        The cities.
    """

    observations: Path
    weather: Path | None
    registry: Registry

    def __call__(self, places: Sequence[str]) -> HourlySeries:
        """Return the series of some cities, given their ids."""
        # HDF5 is not made for several threads at once.
        with _reading, xr.open_dataset(self.observations) as whole:
            observed = whole.sel(city=list(places)).load()
        weather = None
        if self.weather is not None:
            cities, times = [self.registry.city(name) for name in places], observed["time"].values
            first, last = to_datetime(times[0]), to_datetime(times[-1])
            weather = WeatherArchive(self.weather).at_cities(cities, first, last).reindex(time=times)
        found = MonitorData(observed, None, weather, None, {}, str(observed.attrs["source"]))
        return series_of(found, self.registry, stations=False)


@dataclass(frozen=True)
class _Block:
    """Some places, and the folder that their series go into."""

    source: Source
    places: tuple[str, ...]
    folder: Path


def build_series(
    source: Source,
    places: Sequence[str],
    folder: Path,
    *,
    at_once: int = PLACES_AT_ONCE,
    scheduler_address: str | None = None,
    progress: Progress | None = None,
) -> int:
    """Compute the series of many places, or go on with it.

    Parameters
    ----------
    source : callable
        Called with the ids of a block; returns its `HourlySeries`, in which every place is its own area.
    places : sequence of str
        Ids.
    folder : Path
        Holds a folder a block; made if absent.
    at_once : int
        How many places a block has, 1 to 1,000.
    scheduler_address : str, optional
        Of a ``dask.distributed`` scheduler whose workers see `folder` under the same path. By default threads of this process.
    progress : callable, optional
        Called with the number of blocks done and in all.

    Returns
    -------
    int
        How many blocks were computed; the others were there.

    Raises
    ------
    InputError
        If the scheduler doesn't answer, or a source gives other places than it was asked for.
    """
    if not 1 <= at_once <= _MOST_AT_ONCE:
        raise InputError("places at once", at_once, f"1 to {_MOST_AT_ONCE}")
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [
        _Block(source, tuple(places[start : start + at_once]), folder / f"{start // at_once:06d}")
        for start in range(0, len(places), at_once)
    ]
    wanted = [block for block in blocks if not block.folder.is_dir()]
    with dask_client(scheduler_address) as client, client.as_current():
        tasks = client.map(_build, wanted, pure=False)
        for done, (_, _) in enumerate(requires("distributed", "archive").as_completed(tasks, with_results=True), 1):
            if progress is not None:
                progress(done, len(wanted))
    return len(wanted)


def stored_series(folder: Path) -> tuple[HourlySeries, ...]:
    """Open the series that `build_series` wrote; values are read when windows are cut.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    tuple of HourlySeries
        One a block, with what is usual at each place computed already.

    Raises
    ------
    InputError
        If there is none.
    """
    blocks = sorted(path for path in folder.glob("[0-9]*") if path.suffix == "")
    if not blocks:
        raise InputError(str(folder), "no series", "the folder that build_series wrote")
    return tuple(_opened(block) for block in blocks)


def _build(block: _Block) -> None:
    series = block.source(block.places)
    if tuple(map(str, series.places)) != block.places or series.area_observations.shape != series.observations.shape:
        expected = f"the {len(block.places)} places that were asked for, each its own area"
        raise InputError("series", f"{len(series.places)} places", expected)
    part = block.folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    arrays: dict[str, Any] = {name: getattr(series, name) for name in _ARRAYS}
    arrays |= {f"background.{name}": getattr(series.background, name) for name in _BACKGROUND}
    arrays |= {"weather_climate": series.weather_climate, "monthly.means": series.monthly.means}
    arrays["monthly.first_month"] = np.array(series.monthly.first_month)
    for name, values in arrays.items():
        if values is not None:
            np.save(part / f"{name}.npy", values, allow_pickle=False)
    os.replace(part, block.folder)


def _opened(folder: Path) -> HourlySeries:
    found: dict[str, Any] = {
        path.stem: np.load(path, mmap_mode="r" if path.stat().st_size else None, allow_pickle=False)
        for path in folder.glob("*.npy")
    }
    own = {name: found.get(name) for name in _ARRAYS}
    series = HourlySeries(**own, area_observations=own["observations"], area_weather=own["weather"])  # type: ignore[arg-type]
    computed = {
        "background": Background(**{name: found[f"background.{name}"] for name in _BACKGROUND}),
        "weather_climate": found["weather_climate"],
        "area_weather_climate": found["weather_climate"],
        "monthly": MonthlyClimate(int(found["monthly.first_month"]), found["monthly.means"]),
    }
    # What the series would compute of itself when first asked, for all places in memory.
    series.__dict__.update(computed)
    return series
