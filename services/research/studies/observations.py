"""The observations that a study is asked about: a collection of files, or what the service stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from hazecast.grids.observations.collections import MonitorData
    from hazecast.grids.places.cities import Registry


class Observations(Protocol):
    """Observed hours; their times are UTC and mark the end of the hour."""

    @property
    def registry(self) -> Registry:
        """The cities that they may be of."""

    def cities(self, wanted: Sequence[str]) -> MonitorData:
        """Return what was observed in cities, and the weather there, as far as known; perhaps of other cities too.

        Parameters
        ----------
        wanted : sequence of str
            Ids of cities.

        Returns
        -------
        MonitorData

        Raises
        ------
        InputError
            If there is nothing, or it can't be read.
        """

    def series(self, place: str, pollutant: str, reports: Path | None = None) -> tuple[xr.DataArray, xr.Dataset]:
        """Return concentrations and weather of a place, as `hazecast.services.research.places.series_at` does.

        Parameters
        ----------
        place : str
            City or station.
        pollutant : str
        reports : Path or None
            Folder of a weather station's files.

        Returns
        -------
        xarray.DataArray (time)
            ug m-3.
        xarray.Dataset (time)

        Raises
        ------
        InputError
            If they lack the place, the pollutant or wind there.
        """

    def concentrations(self, place: str, pollutant: str) -> xr.DataArray:
        """Return concentrations of a place.

        Parameters
        ----------
        place : str
            City or station.
        pollutant : str

        Returns
        -------
        xarray.DataArray (time)
            ug m-3.

        Raises
        ------
        InputError
            If they lack the place or the pollutant.
        """

    def visibility(self, city: str, reports: Path | None = None) -> tuple[xr.DataArray, xr.Dataset, str]:
        """Return PM2.5 and reported visibility of a city.

        Parameters
        ----------
        city : str
        reports : Path or None
            Folder of a weather station's files.

        Returns
        -------
        xarray.DataArray (time)
            ug m-3.
        xarray.Dataset (time)
            As `hazecast.forecast.studies.visibility.hours.paired_hours` takes it.
        str
            Where they are from.

        Raises
        ------
        InputError
            If something lacks.
        """

    def stations(self, pollutant: str) -> pd.DataFrame:
        """Return what the stations observed.

        Parameters
        ----------
        pollutant : str

        Returns
        -------
        pandas.DataFrame (time, station)
            ug m-3.

        Raises
        ------
        InputError
            If the stations lack the pollutant.
        """


@dataclass(frozen=True)
class Collection:
    """The observations of a collection of files.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    @cached_property
    def registry(self) -> Registry:
        """The cities of the settings."""
        from hazecast.services.core.places import city_registry
        from hazecast.services.core.settings import Settings

        return city_registry(Settings())

    def cities(self, wanted: Sequence[str]) -> MonitorData:
        """Return all that the collection holds, whichever cities are wanted."""
        from hazecast.grids.observations.collections import read_observations

        return read_observations(self.folder, self.registry)

    def series(self, place: str, pollutant: str, reports: Path | None = None) -> tuple[xr.DataArray, xr.Dataset]:
        """Return concentrations and weather of a station or city of the collection.

        Parameters
        ----------
        place, pollutant : str
        reports : Path or None

        Returns
        -------
        xarray.DataArray (time)
        xarray.Dataset (time)
        """
        from hazecast.services.research.places import series_at

        return series_at(self.folder, place, pollutant, reports)

    def concentrations(self, place: str, pollutant: str) -> xr.DataArray:
        """Return concentrations of a station or city of the collection.

        Parameters
        ----------
        place, pollutant : str

        Returns
        -------
        xarray.DataArray (time)
        """
        return self.series(place, pollutant)[0]

    def visibility(self, city: str, reports: Path | None = None) -> tuple[xr.DataArray, xr.Dataset, str]:
        """Return PM2.5 of the collection, and what a weather station reported.

        Parameters
        ----------
        city : str
        reports : Path or None

        Returns
        -------
        xarray.DataArray (time)
        xarray.Dataset (time)
        str

        Raises
        ------
        InputError
            If no station's files are given.
        """
        from hazecast.grids.errors import InputError
        from hazecast.grids.observations.collections import read_observations
        from hazecast.grids.observations.isd import read_isd

        if reports is None:
            raise InputError("--weather-station", None, "a folder of NOAA ISD files with the visibility of the place")
        data, station = read_observations(self.folder, None), read_isd(reports)
        return (
            data.observations["pm25"].sel(city=city),
            station,
            f"{station.attrs['source']}; PM2.5 of {data.source}",
        )

    def stations(self, pollutant: str) -> pd.DataFrame:
        """Return what the collection's stations observed."""
        from hazecast.services.research.places import stations_at

        return stations_at(self.folder, pollutant, self.registry)
