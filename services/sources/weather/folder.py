"""A folder to which forecasts are delivered from elsewhere: GRIB2, NetCDF or Zarr."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.weather.formats import UNDER_WAY, format_of
from hazecast.grids.weather.grib_fields import CUT_OFF
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import Patience, Traffic
from hazecast.services.sources.weather.grib import read_wanted
from hazecast.services.sources.weather.interface import Cycle, NoCycleError, Wanted, is_late, with_provenance

_NEWEST_TRIED = 5
DELAY = timedelta(hours=9)


class Folder:
    """One entry for each cycle, a file or a folder of files, with names that sort by init time."""

    name = "folder"
    attribution = "see the files' provider"
    lacks: frozenset[str] = frozenset()

    def __init__(self, path: Path) -> None:
        self._path = path
        self.traffic = Traffic()

    @classmethod
    def from_settings(cls, settings: Settings, patience: Patience | None = None) -> Folder:
        """Make the source from the settings; a `WeatherSourceFactory`.

        Parameters
        ----------
        settings : Settings
        patience : Patience, optional
            Time-outs and retries.

        Returns
        -------
        Folder

        Raises
        ------
        InputError
            If the folder is not set.
        """
        if settings.ingest.weather_folder is None:
            raise InputError("HAZECAST_WEATHER_FOLDER", "not set", "a folder, since weather_sources names 'folder'")
        return cls(settings.ingest.weather_folder)

    def close(self) -> None:
        """Do nothing: no connection is open."""

    def newest_cycle(self, before: datetime, wanted: Wanted) -> Cycle:
        """Return the newest readable cycle of the last entries.

        Parameters
        ----------
        before : datetime
            Aware; no later cycle is considered.
        wanted : Wanted

        Returns
        -------
        Cycle

        Raises
        ------
        NoCycleError
            If none can be read; names the fault of each.
        """
        faults = []
        for entry in self._entries():
            try:
                grid = read_wanted(entry, wanted)
                init_time = _init_time(grid, entry)
                if CUT_OFF in str(grid.attrs.get("left_out")):
                    raise InputError(str(entry), grid.attrs["left_out"], "a file that has arrived whole")
            except InputError as error:
                faults.append(str(error))
                continue
            if init_time <= before:
                return Cycle(self.name, init_time, is_late(init_time, before, DELAY))
            faults.append(f"{entry.name} is of {init_time:%Y-%m-%dT%HZ}")
        raise NoCycleError(str(self._path), "; ".join(faults) or "nothing", f"a forecast by {before:%Y-%m-%dT%H:%MZ}")

    def fetch(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Read the entry of a cycle over the box.

        Parameters
        ----------
        cycle : Cycle
        wanted : Wanted
        scratch : Path
            Not used.

        Returns
        -------
        xarray.Dataset
            Contract "weather_grid", or "city_weather" where no grid is wanted.

        Raises
        ------
        NoCycleError
            If the entry no longer exists or can't be read.
        """
        for entry in self._entries():
            try:
                grid = read_wanted(entry, wanted)
                if _init_time(grid, entry) != cycle.init_time:
                    continue
            except InputError:
                continue
            title = f"{grid.attrs['source']} from {entry.name}"
            return with_provenance(grid, cycle, self.attribution, title)
        raise NoCycleError(str(self._path), "gone", f"the entry of {cycle.label}")

    def fetch_past(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Read the entry of an earlier cycle; as `fetch`.

        Parameters
        ----------
        cycle : Cycle
        wanted : Wanted
        scratch : Path
            Not used.

        Returns
        -------
        xarray.Dataset
            Contract "weather_grid".
        """
        return self.fetch(cycle, wanted, scratch)

    def _entries(self) -> list[Path]:
        if not self._path.is_dir():
            raise InputError("weather folder", self._path, "a folder that exists")
        entries = [p for p in self._path.iterdir() if p.is_dir() or format_of(p) is not None]
        # A download under way has not its name yet.
        whole = [p for p in entries if not p.name.startswith(".") and p.suffix not in UNDER_WAY]
        return sorted(whole, reverse=True)[:_NEWEST_TRIED]


def _init_time(grid: xr.Dataset, entry: Path) -> datetime:
    issued = grid.attrs.get("init_time")
    if not issued:
        raise InputError(f"{entry}: init_time", "absent", "a forecast; an analysis goes into an archive")
    return datetime.fromisoformat(str(issued)).astimezone(UTC)
