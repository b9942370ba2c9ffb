"""The yearly files of the US State Department's monitors: hourly PM2.5 of its diplomatic posts.

The stamp is the end of the hour: a year's file runs from 01:00 on January 1 to 12 AM of the next year, and the hours
agree with those of the neighbouring stations of China's network, which stamps the end, without a lag.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from hazecast.grids.errors import InputError
from hazecast.grids.observations.hourly_tables import Place, by_name, local_times, numbers, on_utc, require
from hazecast.grids.places.cities import load_registry
from hazecast.grids.places.stations import load_stations
from hazecast.grids.units import to_ug_m3

_TIME = "Date (LT)"
_PARTS = ["Year", "Month", "Day", "Hour"]
_COLUMNS = ["Site", "Parameter", _TIME, *_PARTS, "Raw Conc.", "Conc. Unit", "Duration", "QC Name"]


def us_posts(table: pd.DataFrame, path: Path, counts: Counter[str]) -> list[Place]:
    """Read one file of the US posts.

    Parameters
    ----------
    table : pandas.DataFrame
        As published: ``Raw Conc.`` is used where ``QC Name`` is Valid.
    path : Path
        The file, for errors.
    counts : Counter of str
        Rows that aren't valid are added as ``qc_<name>``, rows of other pollutants or durations
        as "other_rows", faults by kind.

    Returns
    -------
    list of Place
        One a site, named ``<city>_us_post``.

    Raises
    ------
    InputError
        If a column is missing or wrong, or a site is no known city.
    """
    require(table, _COLUMNS, path)
    hourly = table["Parameter"].astype(str).str.startswith("PM2.5") & (table["Duration"] == "1 Hr")
    counts["other_rows"] += int((~hourly).sum())
    table = table[hourly]
    if table.empty:
        raise InputError(f"{path}: Parameter, Duration", "no row", "hourly PM2.5")
    return [_site(site, own, path, counts) for site, own in by_name(table, "Site", path, counts)]


def _site(site: str, table: pd.DataFrame, path: Path, counts: Counter[str]) -> Place:
    city = site.strip().lower().replace(" ", "_")
    zone = load_stations().known_time_zone(city, load_registry())
    if zone is None:
        raise InputError(f"{path}: Site", site, "a city of cities.toml or stations.toml, for its time zone")
    units = table["Conc. Unit"].unique()
    if len(units) != 1:
        raise InputError(f"{path}: Conc. Unit", list(units), "one unit in a file")
    raw = numbers(table, "Raw Conc.", path) * to_ug_m3("pm25", str(units[0]))
    valid = table["QC Name"] == "Valid"
    for name, number in table["QC Name"][~valid].astype(str).value_counts().items():
        counts[f"qc_{str(name).lower()}"] += int(number)
    values = pd.DataFrame({"pm25": raw.where(valid)})
    return Place(f"{city}_us_post", city, on_utc(values, _ends(table, path, counts), zone, path, counts))


def _ends(table: pd.DataFrame, path: Path, counts: Counter[str]) -> pd.Series:
    times = local_times(table[_TIME], "%Y-%m-%d %I:%M %p", path)
    parts = pd.to_datetime(pd.DataFrame({name.lower(): numbers(table, name, path) for name in _PARTS}), errors="coerce")
    wrong = times != parts
    if wrong.any():
        raise InputError(f"{path}: {_TIME}", table[_TIME][wrong].iloc[0], "the time of Year, Month, Day and Hour")
    # On the night that summer time begins in the US, the files have 03:00 twice and no 02:00, whatever the place.
    before = times - pd.Timedelta(hours=1)
    slipped = times.duplicated(keep="last") & (times.dt.hour == 3) & ~before.isin(times)
    counts["us_summer_time"] += int(slipped.sum())
    return times.where(~slipped, before)
