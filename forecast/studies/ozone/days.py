"""Daily series for the ozone study from a city's hourly observations and weather."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import xarray as xr

from hazecast.forecast.products import daily_mean, mda8
from hazecast.forecast.studies.ozone.effects import oxidant
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry

_ZERO_CELSIUS = 273.15
# Local hours (end of the hour) over which Ox is averaged: the hours of ozone production. Chosen, not from a source.
_DAYTIME = range(11, 19)
_MIN_HOURS, _MIN_DAYTIME = 18, 6


def daily_series(observations: xr.Dataset, weather: xr.Dataset | None, registry: Registry, city: str) -> pd.DataFrame:
    """Return daily ozone, NO2, Ox and maximum temperature of a city.

    Parameters
    ----------
    observations : xarray.Dataset
        Contract "observations" on ``city``, with ``o3``; ``no2`` for the columns that need it.
    weather : xarray.Dataset or None
        Contract "city_weather", with ``t2m``.
    registry : Registry
        Gives the city's time zone.
    city : str
        City id.

    Returns
    -------
    pandas.DataFrame (day)
        Local days with ``o3`` (highest 8 h mean, ug m-3), ``no2`` (mean, ug m-3), ``ox`` (O3 + NO2, mean from 10:00
        to 18:00, ppb) and ``t_max`` (degC); a column is absent where its input is.

    Raises
    ------
    InputError
        If the city or its ozone is not in the observations.
    """
    cities = [str(name) for name in observations["city"].values]
    if city not in cities:
        raise InputError("city", city, f"one of {cities}, which were observed")
    if "o3" not in observations or not bool(observations["o3"].sel(city=city).notnull().any()):
        raise InputError(f"{city}: o3", "no observed value", "hourly ozone")
    here = observations.sel(city=[city])
    table = pd.DataFrame({"o3": _column(mda8(here, registry), "o3")})
    if "no2" in here and bool(here["no2"].notnull().any()):
        table["no2"] = _column(daily_mean(here, registry, "no2"), "no2")
        hourly = {name: here[name].isel(city=0).to_series().astype(float) for name in ("o3", "no2")}
        table["ox"] = _of_day(oxidant(hourly["o3"], hourly["no2"]), registry, city, _DAYTIME, _MIN_DAYTIME, "mean")
    if weather is not None and "t2m" in weather and city in weather["city"].values:
        degrees = weather["t2m"].sel(city=city).to_series().astype(float) - _ZERO_CELSIUS
        table["t_max"] = _of_day(degrees, registry, city, range(1, 25), _MIN_HOURS, "max")
    table.index.name = "day"
    return table


def _column(daily: xr.Dataset, name: str) -> pd.Series:
    return pd.Series(daily[name].values[:, 0], index=pd.DatetimeIndex(daily["date"].values))


def _of_day(hourly: pd.Series, registry: Registry, city: str, hours: range, least: int, how: str) -> pd.Series:
    """Aggregate the local hours of each local day; NaN where fewer than `least` are valid."""
    zone = ZoneInfo(registry.city(city).time_zone)
    begun = pd.DatetimeIndex(hourly.index).tz_localize("UTC").tz_convert(zone).tz_localize(None) - pd.Timedelta(hours=1)
    chosen = np.isin(begun.hour + 1, list(hours))
    groups = pd.Series(hourly.to_numpy()[chosen], index=begun[chosen].normalize()).groupby(level=0)
    return groups.agg(how).where(groups.count() >= least)
