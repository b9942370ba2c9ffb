"""The hourly means of Seoul, as published by the city with Korean column names.

Hours run from 01:00 to 24:00 local time, so the stamp is the end of the hour.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from hazecast.grids.errors import InputError
from hazecast.grids.observations.hourly_tables import Place, local_times, numbers, on_utc, pollutants_of, require

_ZONE = "Asia/Seoul"
_TIME = "일시"
# The column named carbon dioxide ("이산화탄소") is nitrogen dioxide ("이산화질소").
_CARBON_DIOXIDE, _NITROGEN_DIOXIDE = "이산화탄소", "이산화질소"
_POLLUTANTS = {
    "초미세먼지": ("pm25", "ug/m3"),
    "오존": ("o3", "ppm"),
    "미세먼지": ("pm10", "ug/m3"),
    _NITROGEN_DIOXIDE: ("no2", "ppm"),
    "아황산가스": ("so2", "ppm"),
    "일산화탄소": ("co", "ppm"),
}
# No air has so much NO2, and none so little CO2 (about 400 ppm).
_MOST_NO2_PPM = 5.0


def seoul(table: pd.DataFrame, path: Path, counts: Counter[str]) -> list[Place]:
    """Read one file of Seoul's hourly means.

    Parameters
    ----------
    table : pandas.DataFrame
        As published: particles in ug m-3, gases in ppm.
    path : Path
        The file, for errors.
    counts : Counter of str
        Faults found are added, by kind.

    Returns
    -------
    list of Place
        One: the city's mean.

    Raises
    ------
    InputError
        If a column is missing or wrong, or the column named carbon dioxide really holds it.
    """
    if _NITROGEN_DIOXIDE not in table.columns:
        table = table.rename(columns={_CARBON_DIOXIDE: _NITROGEN_DIOXIDE})
    require(table, [_TIME, *_POLLUTANTS], path)
    highest = numbers(table, _NITROGEN_DIOXIDE, path).max()
    if highest > _MOST_NO2_PPM:
        raise InputError(f"{path}: column {_CARBON_DIOXIDE}", highest, f"NO2 of at most {_MOST_NO2_PPM:g} ppm")
    text = table[_TIME].astype(str).str.strip()
    hours = pd.to_numeric(text.str[11:13], errors="coerce")
    wrong = ~(hours.between(1, 24) & text.str.fullmatch(r"\d{4}-\d\d-\d\d \d\d:00"))
    if wrong.any():
        raise InputError(f"{path}: column {_TIME}", text[wrong].iloc[0], "a date and an hour 01:00 to 24:00")
    ends = local_times(text.str[:10], "%Y-%m-%d", path) + pd.to_timedelta(hours, unit="h")
    values = pollutants_of(table, _POLLUTANTS, path)
    return [Place("seoul_mean", "seoul", on_utc(values, ends, _ZONE, path, counts))]
