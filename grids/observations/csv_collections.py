"""The two collections of the UCI repository: their columns, units and faults.

Neither says what its stamps mean, and within a row concentrations and weather are of different hours. Found by comparison with
the METARs of Beijing's airport (instants, UTC) and with the files of the US posts (ends of hours), 2013 and 2014:

- five-cities: the weather is that of the METAR at the stamp (equal in 97 % of hours). The concentrations, of the US posts and of
  the Chinese stations alike, are those that both networks publish an hour later (99.9 % equal): the stamp is the hour's start.
- beijing-multisite: the concentrations are at the end of their hour. The weather is that of an hour later: the hourly changes of
  temperature, dew point, pressure and wind correlate best with METAR (0.71, 0.52, 0.38 and 0.28 at Shunyi, 10 km
  away) if the stamp is put an hour later, at all of five stations tested.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from hazecast.grids.derived import wind_components
from hazecast.grids.errors import InputError
from hazecast.grids.observations.hourly_tables import Place, numbers, on_utc, require

_ZERO_CELSIUS = 273.15
_ZONE = "Asia/Shanghai"
_HOUR = pd.Timedelta(hours=1)
_TIME = ["year", "month", "day", "hour"]
_COMPASS = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]
_DEGREES = {name: number * 22.5 for number, name in enumerate(_COMPASS)}
_MULTISITE = {"PM2.5": "pm25", "O3": "o3", "PM10": "pm10", "NO2": "no2", "SO2": "so2", "CO": "co"}
_MULTISITE_WEATHER = ["TEMP", "PRES", "DEWP", "RAIN", "WSPM"]
_FIVE_WEATHER = ["DEWP", "HUMI", "PRES", "TEMP", "Iws", "precipitation"]
# Physical limits of the published weather columns; values outside are counted and become missing.
_LIMITS = {
    "TEMP": (-60.0, 60.0),
    "DEWP": (-80.0, 45.0),
    "PRES": (600.0, 1_100.0),
    "RAIN": (0.0, 400.0),
    "precipitation": (0.0, 400.0),
    "WSPM": (0.0, 110.0),
    "Iws": (0.0, 5_000.0),
    "HUMI": (0.0, 100.0),
}


def beijing_multisite(table: pd.DataFrame, path: Path, counts: Counter[str]) -> list[Place]:
    """Read one station's table of the Beijing multi-site collection.

    Parameters
    ----------
    table : pandas.DataFrame
        As published: hours of Beijing time, pollutants in ug m-3, weather in degC, hPa, mm and m s-1.
    path : Path
        The file, for errors.
    counts : Counter of str
        Faults found are added, by kind.

    Returns
    -------
    list of Place
        One.

    Raises
    ------
    InputError
        If a column is missing or holds something that is not a number.
    """
    require(table, [*_TIME, *_MULTISITE, *_MULTISITE_WEATHER, "wd", "station"], path)
    table = _on_utc(table, path, counts)
    pollutants = pd.DataFrame({ours: numbers(table, name, path) for name, ours in _MULTISITE.items()})
    raw = {name: _weather_column(table, name, path, counts) for name in _MULTISITE_WEATHER}
    unknown = table["wd"].notna() & ~table["wd"].isin(_COMPASS)
    if unknown.any():
        raise InputError(f"{path}: column wd", table["wd"][unknown].iloc[0], f"one of {_COMPASS}")
    u10, v10 = wind_components(raw["WSPM"], table["wd"].map(_DEGREES).astype(float))
    weather = _weather(raw, raw["RAIN"], u10, v10)
    names = table["station"].dropna().unique()
    if len(names) != 1:
        raise InputError(f"{path}: column station", list(names), "one station in a file")
    return [Place(str(names[0]), "beijing", pollutants, weather.shift(freq=_HOUR))]


def five_cities(table: pd.DataFrame, path: Path, counts: Counter[str]) -> list[Place]:
    """Read one city's table of the five-cities collection.

    Parameters
    ----------
    table : pandas.DataFrame
        As published: hours of Beijing time, PM2.5 in ug m-3, weather in degC, hPa and mm, cumulated wind in m s-1.
    path : Path
        The file; its name gives the city.
    counts : Counter of str
        Faults found are added, by kind.

    Returns
    -------
    list of Place
        One for each site.

    Raises
    ------
    InputError
        If a column is missing or holds something that is not a number.
    """
    require(table, [*_TIME, *_FIVE_WEATHER, "cbwd"], path)
    sites = [name for name in table.columns if name.startswith("PM_")]
    if not sites:
        raise InputError(f"{path}: columns", list(table.columns), "at least one PM_ column")
    table = _on_utc(table, path, counts)
    city = path.name.split(".")[0].lower()
    raw = {name: _weather_column(table, name, path, counts) for name in _FIVE_WEATHER}
    u10, v10 = _wind(table["cbwd"], raw["Iws"], path, counts)
    weather = _weather(raw, raw["precipitation"], u10, v10)
    places = []
    for site in sites:
        name = site.removeprefix("PM_").lower().replace(" ", "_")
        pollutants = pd.DataFrame({"pm25": numbers(table, site, path)}).shift(freq=_HOUR)
        places.append(Place(f"{city}_{name}", city, pollutants, weather))
    return places


def _weather_column(table: pd.DataFrame, name: str, path: Path, counts: Counter[str]) -> pd.Series:
    values = numbers(table, name, path)
    low, high = _LIMITS[name]
    outside = (values < low) | (values > high)
    counts["impossible_weather"] += int(outside.sum())
    return values.mask(outside)


def _on_utc(table: pd.DataFrame, path: Path, counts: Counter[str]) -> pd.DataFrame:
    parts = pd.DataFrame({name: numbers(table, name, path) for name in _TIME})
    try:
        times = pd.to_datetime(parts)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{path}: year, month, day, hour", error, "dates and hours 0 to 23") from error
    if times.isna().any():
        raise InputError(f"{path}: year, month, day, hour", "a missing value", "a time in every row")
    return on_utc(table, times, _ZONE, path, counts)


def _weather(raw: dict[str, pd.Series], rain: pd.Series, u10: np.ndarray, v10: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "t2m": raw["TEMP"] + _ZERO_CELSIUS,
            "d2m": raw["DEWP"] + _ZERO_CELSIUS,
            "u10": u10,
            "v10": v10,
            "sp": raw["PRES"] * 100.0,
            "tp": rain,
        },
        index=rain.index,
    )


def _wind(
    direction: pd.Series, cumulated: pd.Series, path: Path, counts: Counter[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Convert the cumulated wind speed to hourly components.

    The published speed accumulates while the direction stays the same, so within such a run the
    hour's speed is the difference from the hour before. Where that hour is missing the speed
    is unknown. "cv", calm or variable, has no direction and is treated as calm.
    """
    degrees = {"NE": 45.0, "SE": 135.0, "SW": 225.0, "NW": 315.0, "cv": 0.0}
    unknown = direction.notna() & ~direction.isin(list(degrees))
    if unknown.any():
        raise InputError(f"{path}: column cbwd", direction[unknown].iloc[0], f"one of {sorted(degrees)}")
    same = direction.eq(direction.shift()) & direction.notna()
    step = cumulated.diff()
    adjacent = cumulated.index.to_series().diff().eq(pd.Timedelta(hours=1))
    inside = same & (step >= 0)
    lost = same & ~adjacent & (step >= 0)
    speed = cumulated.where(~inside, step).mask(lost)
    counts["wind_not_recoverable"] += int(lost.sum())
    calm = direction.eq("cv")
    counts["calm_wind"] += int(calm.sum())
    u10, v10 = wind_components(speed.mask(calm, 0.0), direction.map(degrees).astype(float))
    return u10, v10
