"""Cycles on disk: what models of weather and of composition forecast, one NetCDF file a cycle."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import xarray as xr

from hazecast.services.core.files import atomic_write
from hazecast.services.sources.weather.interface import Cycle, Wanted

_STAMP = "%Y%m%dT%H%MZ"


class CycleStore:
    """A folder of ingested cycles, ``<source>/<init time>.nc``.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, cycle: Cycle) -> bool:
        """Return whether a cycle is there."""
        return self.path(cycle).exists()

    def holds(self, cycle: Cycle, wanted: Wanted) -> bool:
        """Return whether a cycle is there and needs no other fetch.

        Parameters
        ----------
        cycle : Cycle
        wanted : Wanted
            What would be fetched.

        Returns
        -------
        bool
        """
        return self.has(cycle)

    def path(self, cycle: Cycle) -> Path:
        """Return the file of a cycle."""
        return self.folder / cycle.source / f"{cycle.label}.nc"

    def path_of(self, source: str, dataset: xr.Dataset) -> Path:
        """Return the file of the cycle that a source gave, by the init time in its attributes.

        Parameters
        ----------
        source : str
            Name of the source.
        dataset : xarray.Dataset

        Returns
        -------
        Path
        """
        init_time = datetime.fromisoformat(str(dataset.attrs["init_time"])).astimezone(UTC)
        return self.path(Cycle(source, init_time))

    def scratch(self, cycle: Cycle, purpose: str = "parts") -> Path:
        """Return the folder of a cycle's downloads, made if absent; a download continues what is there.

        Parameters
        ----------
        cycle : Cycle
        purpose : str
            Who downloads; two at once must not share a folder.

        Returns
        -------
        Path
        """
        folder = self.folder / cycle.source / f"{cycle.label}.{purpose}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def clear_scratch(self, cycle: Cycle, purpose: str = "parts") -> None:
        """Remove a cycle's downloads.

        Parameters
        ----------
        cycle : Cycle
        purpose : str
            As of `scratch`.
        """
        shutil.rmtree(self.folder / cycle.source / f"{cycle.label}.{purpose}", ignore_errors=True)

    def save(self, source: str, dataset: xr.Dataset) -> Path:
        """Store a cycle atomically, under the init time in its attributes.

        Parameters
        ----------
        source : str
            Name of the source.
        dataset : xarray.Dataset
            Contract "weather_grid", "city_weather" or "composition".

        Returns
        -------
        Path
            The file.

        Raises
        ------
        StoreError
            If it can't be written.
        """
        path = self.path_of(source, dataset)
        encoding = {str(name): {"zlib": True, "complevel": 1} for name in dataset.data_vars}
        with atomic_write(path) as part:
            dataset.to_netcdf(part, engine="netcdf4", encoding=encoding)
        return path

    def prune(self, before: datetime) -> int:
        """Remove cycles and downloads with an init time before `before`; return how many."""
        removed = 0
        for source in self._sources():
            for path in (self.folder / source).iterdir():
                init_time = _init_time(path)
                if init_time is not None and init_time < before:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                    removed += 1
        return removed

    def cycles(self, at: datetime) -> list[tuple[datetime, str, Path]]:
        """Return the cycles issued at or before `at`, newest first: init time, source, file."""
        found = [
            (init_time, source, path)
            for source in self._sources()
            for path in (self.folder / source).glob("*.nc")
            if (init_time := _init_time(path)) is not None and init_time <= at
        ]
        return sorted(found, reverse=True, key=lambda cycle: cycle[0])

    def _sources(self) -> list[str]:
        return sorted(p.name for p in self.folder.iterdir() if p.is_dir()) if self.folder.is_dir() else []


def _init_time(path: Path) -> datetime | None:
    try:
        return datetime.strptime(path.name.partition(".")[0], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
