"""The hourly files of Hong Kong's Environmental Protection Department.

Hours are numbered 01 to 24 in local time: hour 01 ends at 01:00, so the number is the end of the hour.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

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

_ZONE = "Asia/Hong_Kong"
# Fine and respirable suspended particulates are PM2.5 and PM10; CO is in 10 ug m-3, as the remarks say.
_POLLUTANTS = {name: (ours, "ug/m3") for name, ours in
               {"FSP": "pm25", "O3": "o3", "RSP": "pm10", "NO2": "no2", "SO2": "so2", "CO": "co"}.items()}  # fmt: skip
_CO_FACTOR = 10.0


def hong_kong(table: pd.DataFrame, path: Path, counts: Counter[str]) -> list[Place]:
    """Read one file of Hong Kong's network.

    Parameters
    ----------
    table : pandas.DataFrame
        As published, below the remarks: ug m-3, and CO in 10 ug m-3.
    path : Path
        The file, for errors.
    counts : Counter of str
        Faults found are added, by kind.

    Returns
    -------
    list of Place
        One a station, named ``hongkong_<station>``.

    Raises
    ------
    InputError
        If a column is missing or wrong.
    """
    require(table, ["DATE", "HOUR", "STATION", *_POLLUTANTS], path)
    return [_station(name, own, path, counts) for name, own in by_name(table, "STATION", path, counts)]


def _station(name: str, table: pd.DataFrame, path: Path, counts: Counter[str]) -> Place:
    hours = numbers(table, "HOUR", path)
    if not hours.between(1, 24).all():
        raise InputError(f"{path}: HOUR", hours[~hours.between(1, 24)].iloc[0], "1 to 24")
    ends = local_times(table["DATE"], "%d/%m/%Y", path) + pd.to_timedelta(hours, unit="h")
    values = pollutants_of(table, _POLLUTANTS, path)
    values["co"] *= _CO_FACTOR
    station = f"hongkong_{name.strip().lower().replace(' ', '_')}"
    return Place(station, "hongkong", on_utc(values, ends, _ZONE, path, counts))
