"""The series of one place from a collection."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.observations.isd import read_isd, with_weather
from hazecast.grids.places.cities import Registry


def series_at(folder: Path, place: str, pollutant: str, reports: Path | None = None) -> tuple[xr.DataArray, xr.Dataset]:
    """Read the hourly concentrations and the weather of a station or city.

    Parameters
    ----------
    folder : Path
        Of the collection.
    place : str
        City id or station name.
    pollutant : str
        Variable of the observations, such as ``pm25``.
    reports : Path, optional
        Folder of a weather station's yearly files of NOAA's Integrated Surface Database, for a city of a collection without
        weather.

    Returns
    -------
    concentration : xarray.DataArray (time)
        ug m-3, UTC.
    weather : xarray.Dataset (time)
        Hourly weather at the place, with ``u10`` and ``v10``.

    Raises
    ------
    InputError
        If the collection cannot be read, or lacks the place, the pollutant or weather at the place, or has weather beside the
        reports.
    """
    data = read_observations(folder, None)
    if reports is not None:
        if data.weather is not None or place not in data.observations["city"].values:
            raise InputError(
                str(reports), f"weather for {place}", f"a city of {folder}, which has no weather of its own"
            )
        data = with_weather(data, place, read_isd(reports))
    cities = [str(c) for c in data.observations["city"].values]
    stations = [] if data.stations is None else [str(s) for s in data.stations["station"].values]
    if place not in (*cities, *stations):
        raise InputError("place", place, f"one of {[*cities, *stations]}, which {folder} holds")
    table, dim = (data.observations, "city") if place in cities else (data.stations, "station")
    assert table is not None
    if pollutant not in table:
        raise InputError("pollutant", pollutant, f"one of {[str(n) for n in table if '_' not in str(n)]}")
    weather = data.weather if place in cities else data.station_weather
    if weather is None or place not in weather["city"].values or "u10" not in weather:
        raise InputError(str(folder), f"no wind at {place}", "a collection with weather, or a station's reports")
    return table[pollutant].sel({dim: place}, drop=True), weather.sel(city=place, drop=True)


def stations_at(folder: Path, pollutant: str, registry: Registry) -> pd.DataFrame:
    """Read the hourly concentrations of a collection's stations.

    Parameters
    ----------
    folder : Path
        Of the collection.
    pollutant : str
        Variable of the stations, such as ``pm25``.
    registry : Registry
        The cities that stations may belong to.

    Returns
    -------
    pandas.DataFrame (time, station)
        ug m-3, UTC; NaN where not valid.

    Raises
    ------
    InputError
        If the collection cannot be read, or its stations lack the pollutant.
    """
    stations = read_observations(folder, registry).stations
    if stations is None or pollutant not in stations:
        known = [] if stations is None else [str(name) for name in stations.data_vars]
        raise InputError("--pollutant", pollutant, f"one of the stations' variables {known} of {folder}")
    values = stations[pollutant].transpose("time", "station")
    return pd.DataFrame(values.values, index=values["time"].values, columns=values["station"].values)
