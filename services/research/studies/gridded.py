"""The gridded weather that a study follows: files, or the archive that the service stores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import xarray as xr
    from numpy import datetime64

    from hazecast.services.core.settings import Settings

# What a study may hold of it, or of the paths through it, in memory, bytes.
MOST_BYTES = 2**30


class Gridded(Protocol):
    """Wind on a grid."""

    @property
    def settings(self) -> Settings:
        """The settings that name the cities."""

    @property
    def name(self) -> str:
        """Where it is, for errors."""

    def wind(self, first: datetime64, last: datetime64, level: float | None) -> tuple[xr.Dataset, tuple[str, str]]:
        """Return the wind of a period, and the names of its parts.

        Parameters
        ----------
        first, last : datetime64
            UTC.
        level : float or None
            Pressure level, hPa; None for 10 m.

        Returns
        -------
        xarray.Dataset (time, latitude, longitude)
        (str, str)
            Eastward and northward, m s-1.

        Raises
        ------
        InputError
            If there is none.
        """


@dataclass(frozen=True)
class WeatherFiles:
    """Gridded weather of files.

    Attributes
    ----------
    path : Path
        GRIB2 or NetCDF.
    """

    path: Path

    @property
    def settings(self) -> Settings:
        """Those of the environment."""
        from hazecast.services.core.settings import Settings

        return Settings()

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def wind(self, first: datetime64, last: datetime64, level: float | None) -> tuple[xr.Dataset, tuple[str, str]]:
        """Return all that the files hold, whatever the period.

        Parameters
        ----------
        first, last : datetime64
        level : float or None

        Returns
        -------
        xarray.Dataset (time, latitude, longitude)
        (str, str)
        """
        from hazecast.services.core.weather_reading import read_files, read_level_wind_of_files

        if level is None:
            return read_files(self.path), ("u10", "v10")
        return read_level_wind_of_files(self.path, level), ("u", "v")


@dataclass(frozen=True)
class StoredWeather:
    """The weather archive that the service stores (docs/archive.md): wind at 10 m.

    Attributes
    ----------
    settings : Settings
    """

    settings: Settings

    @property
    def name(self) -> str:
        """In words: where the service keeps it is nobody's business."""
        return "weather"

    def wind(self, first: datetime64, last: datetime64, level: float | None) -> tuple[xr.Dataset, tuple[str, str]]:
        """Return the stored hours of a period.

        Parameters
        ----------
        first, last : datetime64
        level : float or None
            None: the archive has no pressure levels.

        Returns
        -------
        xarray.Dataset (time, latitude, longitude)
        (str, str)

        Raises
        ------
        InputError
            If none are stored, or more than a study may hold in memory.
        """
        from hazecast.grids.errors import InputError
        from hazecast.grids.times import to_datetime
        from hazecast.services.store.weather_archive import WeatherArchive

        assert level is None
        archive, names = WeatherArchive(self.settings.archive_dir), ("u10", "v10")
        hours = archive.hours()
        within = hours[(hours >= first) & (hours <= last)]
        period = f"gridded wind of {first:.16}Z to {last:.16}Z in the service's weather archive"
        if not within.size:
            held = f"its hours are {hours[0]:.16}Z to {hours[-1]:.16}Z" if hours.size else "the archive is empty"
            raise InputError(self.name, f"none stored: {held}", period)
        one = archive.analyses(to_datetime(within[0]), to_datetime(within[0]))
        lacking = [name for name in names if name not in one]
        if lacking:
            raise InputError(self.name, f"an archive without {', '.join(lacking)}", period)
        size = 4 * len(one.data_vars) * one.sizes["latitude"] * one.sizes["longitude"] * within.size
        if size > MOST_BYTES:
            most = within.size * MOST_BYTES // size // 24
            raise InputError("from, to", f"{within.size // 24} days", f"{most} at most, which fit into memory")
        return archive.analyses(to_datetime(within[0]), to_datetime(within[-1]))[[*names]], names
