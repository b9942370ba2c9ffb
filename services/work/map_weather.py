"""The weather grid behind a stored forecast, for what its map shows between the cities."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.services.store.weather_cycles import WeatherStore

log = logging.getLogger(__name__)


def grid_behind(weather_dir: Path, forecast: xr.Dataset, window: tuple[datetime, datetime]) -> xr.Dataset | None:
    """Return temperature and dew point of the grid that a forecast's weather was taken from, by the hour.

    Parameters
    ----------
    weather_dir : Path
        Holds the ingested cycles.
    forecast : xarray.Dataset
        Contract "forecast"; its ``weather_source`` says which cycle it rests on.
    window : tuple of datetime
        Aware start and end of the hours wanted.

    Returns
    -------
    xarray.Dataset or None
        ``t2m`` and ``d2m`` (time, latitude, longitude), K. None where the forecast rests on no cycle that is stored as a
        grid: on none, on files, on one that is condensed to the cities by now, or, which is logged, on a damaged one.
    """
    try:
        return WeatherStore(weather_dir).grid(str(forecast.attrs["weather_source"]), window)
    except InputError as error:
        log.warning("the map spreads the cities' humidity, for the weather grid can't be read: %s", error)
        return None
