"""The observations that the service stores, of a period, for its studies."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hazecast.grids.errors import InputError
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from hazecast.grids.observations.collections import MonitorData
    from hazecast.grids.places.cities import Registry


@dataclass(frozen=True)
class StoredObservations:
    """Stored hours of a period: cities as forecasts see them, stations by their ids, with the weather measured beside.

    Attributes
    ----------
    settings : Settings
        Name the store and the cities.
    first, last : datetime
        Ends of the first and the last hour, aware.
    simulated : bool
    of : tuple of str
        Ids of the cities whose stations are meant; all that are forecast where empty.
    """

    settings: Settings
    first: datetime
    last: datetime
    simulated: bool
    of: tuple[str, ...] = ()

    @cached_property
    def registry(self) -> Registry:
        """The cities of the settings."""
        return city_registry(self.settings)

    def _store(self) -> Store:
        return Store(self.settings.database_url, files=self.settings.data_dir)

    def cities(self, wanted: Sequence[str]) -> MonitorData:
        """Return the hours of cities, with the weather measured there.

        Raises
        ------
        InputError
            If none of them has any.
        """
        import xarray as xr

        from hazecast.grids.observations.collections import MonitorData
        from hazecast.services.store.place_hours import city_weather

        for city in wanted:
            self.registry.city(city)
        with closing(self._store()) as store:
            given = [self._observed(store, city) for city in wanted]
            found = [one for one in given if one is not None]
            if not found:
                raise InputError("observations", f"no stored hour of {', '.join(wanted)}", self._period())
            weather = [
                city_weather(store, city, self.first, self.last, self.settings.observation_sources) for city in wanted
            ]
        observed = (
            xr.concat(found, "city", join="outer", combine_attrs="drop_conflicts") if len(found) > 1 else found[0]
        )
        measured = [one for one in weather if one is not None]
        air = xr.concat(measured, "city", join="outer", combine_attrs="drop_conflicts") if measured else None
        return MonitorData(observed, None, air, None, {}, "the store")

    def _observed(self, store: Store, city: str) -> xr.Dataset | None:
        try:
            return observed_hours(store, self.first, self.last, self.simulated, city)
        except InputError:
            # Another of the cities may have been observed; whoever needs this one finds it missing.
            return None

    def series(self, place: str, pollutant: str, reports: Path | None = None) -> tuple[xr.DataArray, xr.Dataset]:
        """Return concentrations and weather of a city, or of a station by its id.

        Parameters
        ----------
        place, pollutant : str
        reports : Path or None
            Not taken: the API has no files.

        Returns
        -------
        xarray.DataArray (time)
        xarray.Dataset (time)

        Raises
        ------
        InputError
            If the pollutant, or the wind, was not observed there.
        """
        concentrations, air = self._both(place, pollutant)
        if air is None or not {"u10", "v10"} <= set(air):
            raise InputError("observations", f"no wind at {place}", "a place where wind is measured beside pollutants")
        return concentrations, air.reindex(time=concentrations["time"])

    def concentrations(self, place: str, pollutant: str) -> xr.DataArray:
        """Return concentrations of a city, or of a station by its id.

        Parameters
        ----------
        place, pollutant : str

        Returns
        -------
        xarray.DataArray (time)
        """
        return self._both(place, pollutant)[0]

    def _both(self, place: str, pollutant: str) -> tuple[xr.DataArray, xr.Dataset | None]:
        if place in self.registry.cities:
            data = self.cities([place])
            concentrations, air = data.observations.sel(city=place, drop=True), data.weather
            air = None if air is None else air.sel(city=place, drop=True)
        else:
            concentrations = air = self._station(place)
        if pollutant not in concentrations:
            known = [str(name) for name in concentrations if "_" not in str(name)]
            raise InputError("pollutant", pollutant, f"one of {known}, which were observed at {place}")
        return concentrations[pollutant], air

    def visibility(self, city: str, reports: Path | None = None) -> tuple[xr.DataArray, xr.Dataset, str]:
        """Return PM2.5 of a city, and the visibility, temperature and dew point that its stations report (METAR).

        Parameters
        ----------
        city : str
        reports : Path or None
            Not taken: the API has no files.

        Returns
        -------
        xarray.DataArray (time)
        xarray.Dataset (time)
            Visibility that rain or snow obscured is not usable as it is stored; without measured precipitation no other hour is
            taken for one of rain.
        str

        Raises
        ------
        InputError
            If the city has no PM2.5, or its stations report no visibility or no humidity.
        """
        import xarray as xr

        from hazecast.services.store.place_hours import city_reports

        pm25 = self.concentrations(city, "pm25")
        with closing(self._store()) as store:
            found = city_reports(store, city, self.first, self.last, self.settings.observation_sources)
        lacking = [name for name in ("visibility", "t2m", "d2m") if found is None or name not in found]
        if found is None or lacking:
            raise InputError(
                "observations",
                f"no {', '.join(lacking)} measured in {city} {self._period()}",
                "a city where an airport's reports (METAR) or a station's visibility, temperature and dew point are stored",
            )
        none = xr.zeros_like(found["visibility"])
        rain = found["tp"].fillna(0.0) if "tp" in found else none
        station = found.assign(rain=rain, snow=none)
        return pm25, station, f"{found.attrs['source']}; PM2.5 as stored"

    def _station(self, place: str) -> xr.Dataset:
        from hazecast.services.store.place_hours import station_table

        with closing(self._store()) as store:
            table = station_table(store, place, self.first, self.last)
        if table.empty:
            raise InputError("place", place, f"a forecast city, or the id of a station, with hours {self._period()}")
        return table.to_xarray()

    def stations(self, pollutant: str) -> pd.DataFrame:
        """Return the stored hours of the stations of the cities that are meant.

        Raises
        ------
        InputError
            If there are none.
        """
        from hazecast.services.store.place_hours import stations_table

        cities = self.of or tuple(self.registry.cities)
        with closing(self._store()) as store:
            table = stations_table(store, cities, pollutant, self.first, self.last)
        if table.empty:
            raise InputError(
                "pollutant", pollutant, f"one that stations of {', '.join(cities)} observed {self._period()}"
            )
        return table

    def _period(self) -> str:
        return f"from {self.first:%Y-%m-%dT%H:%MZ} to {self.last:%Y-%m-%dT%H:%MZ}"
