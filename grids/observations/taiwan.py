"""The stations of Taiwan's environment ministry: one row an hour, or one row a day and quantity as published.

The time is local and the start of the hour, so the end is an hour later. Weather is measured at the station: means over
the hour (wind: over its last ten minutes), which are given at the end of the hour like the concentrations.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from hazecast.grids.derived import dew_point, wind_components
from hazecast.grids.errors import InputError
from hazecast.grids.observations.hourly_tables import (
    Place,
    by_name,
    local_times,
    numbers,
    on_utc,
    pollutants_of,
    require,
)

_ZONE = "Asia/Taipei"
_HOUR = pd.Timedelta(hours=1)
_ZERO_CELSIUS = 273.15
_POLLUTANTS = {
    "PM2.5": ("pm25", "ug/m3"),
    "O3": ("o3", "ppb"),
    "PM10": ("pm10", "ug/m3"),
    "NO2": ("no2", "ppb"),
    "SO2": ("so2", "ppb"),
    "CO": ("co", "ppm"),
}
_WEATHER = ["AMB_TEMP", "RH", "WIND_SPEED", "WIND_DIREC", "RAINFALL"]
# Physical limits; drier than 5 % is a failing sensor (seen at Puzi, then zero for days).
_LIMITS = {
    "AMB_TEMP": (-60.0, 60.0),
    "RH": (5.0, 100.0),
    "WIND_SPEED": (0.0, 110.0),
    "WIND_DIREC": (0.0, 360.0),
    "RAINFALL": (0.0, 400.0),
}
# A mean over an hour this far below that of the hour before is a failing sensor, K. Hazecast's own choice.
_TEMPERATURE_FALL = 12.0
_NO_RAIN = "NR"
# Marks of a value that an instrument, a program or a person found invalid.
_INVALID = r"[#*xXA]\s*$"
_WIDE = {"日期": "date", "測站": "observatory", "測項": "item"}


def taiwan(table: pd.DataFrame, path: Path, counts: Counter[str]) -> list[Place]:
    """Read one station's table with a row an hour.

    Parameters
    ----------
    table : pandas.DataFrame
        Particles in ug m-3, O3, NO2 and SO2 in ppb, CO in ppm, weather in degC, %, m s-1, degrees and mm.
    path : Path
        The file; its name gives the station.
    counts : Counter of str
        Faults found are added, by kind.

    Returns
    -------
    list of Place
        One; the station is a place by itself, so it is also the city.

    Raises
    ------
    InputError
        If a column is missing or wrong.
    """
    require(table, ["time", *_POLLUTANTS, *_WEATHER], path)
    starts = local_times(table["time"], "%Y-%m-%d %H:%M:%S", path)
    return [_station(path.name.split(".")[0], table, starts, path, counts)]


def taiwan_as_published(table: pd.DataFrame, path: Path, counts: Counter[str]) -> list[Place]:
    """Read a table with a row a day and quantity, and a column an hour.

    Parameters
    ----------
    table : pandas.DataFrame
        Units as of `taiwan`. Values marked ``#``, ``*``, ``x`` or ``A`` are invalid, ``NR`` is no rain.
    path : Path
        The file, for errors.
    counts : Counter of str
        Faults found are added, by kind; marked values as "marked_invalid".

    Returns
    -------
    list of Place
        One a station.

    Raises
    ------
    InputError
        If a column or quantity is missing or wrong.
    """
    table = table.rename(columns=_WIDE)
    hours = [name for name in table.columns if str(name).strip().isdecimal()]
    require(table, ["date", "observatory", "item"], path)
    if sorted(int(name) for name in hours) != list(range(24)):
        raise InputError(f"{path}: columns", hours, "the hours 0 to 23")
    dates = local_times(table["date"].astype(str).str.replace("/", "-"), "%Y-%m-%d", path)
    long = table.assign(date=dates).melt(["date", "observatory", "item"], hours, "hour", "value")
    long["time"] = long["date"] + pd.to_timedelta(long["hour"].astype(int), unit="h")
    text = long["value"].astype("string").str.strip()
    marked = text.str.contains(_INVALID, regex=True, na=False)
    counts["marked_invalid"] += int(marked.sum())
    dry = text.eq(_NO_RAIN).fillna(False).to_numpy(bool)
    long["value"] = text.mask(marked | text.eq("")).mask(dry, "0").astype(object)
    places = []
    for name, own in by_name(long, "observatory", path, counts):
        repeated = own.duplicated(["time", "item"])
        counts["duplicate_rows"] += int(repeated.sum())
        hourly = own[~repeated].pivot(index="time", columns="item", values="value").reset_index()
        require(hourly, [*_POLLUTANTS, *_WEATHER], path)
        places.append(_station(name, hourly, hourly["time"], path, counts))
    return places


def _station(name: str, table: pd.DataFrame, starts: pd.Series, path: Path, counts: Counter[str]) -> Place:
    table = on_utc(table, starts + _HOUR, _ZONE, path, counts)
    return Place(name, name.strip().lower(), pollutants_of(table, _POLLUTANTS, path), _weather(table, path, counts))


def _weather(table: pd.DataFrame, path: Path, counts: Counter[str]) -> pd.DataFrame:
    raw = {}
    for name in _WEATHER:
        values = numbers(table, name, path)
        outside = (values < _LIMITS[name][0]) | (values > _LIMITS[name][1])
        counts["impossible_weather"] += int(outside.sum())
        raw[name] = values.mask(outside)
    fallen = raw["AMB_TEMP"] - raw["AMB_TEMP"].shift() < -_TEMPERATURE_FALL
    counts["impossible_weather"] += int(fallen.sum())
    t2m = raw["AMB_TEMP"].mask(fallen) + _ZERO_CELSIUS
    u10, v10 = wind_components(raw["WIND_SPEED"], raw["WIND_DIREC"])
    # An empty cell means no rain, where the station reports at all.
    reports = table[["AMB_TEMP", "RH", "WIND_SPEED"]].notna().any(axis=1)
    dry = reports & table["RAINFALL"].isna()
    return pd.DataFrame(
        {
            "t2m": t2m,
            "d2m": dew_point(t2m, raw["RH"]),
            "u10": u10,
            "v10": v10,
            "tp": np.where(dry, 0.0, raw["RAINFALL"]),
        },
        index=table.index,
    )
