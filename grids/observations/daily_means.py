"""Daily means of PM2.5 by station, as from the hourly files of Japan's NIES, and the level that they show at a place.

Of two kinds of CSV files, recognised by their columns: ``station, date, pm25_mean`` (ug m-3; any number of files), and one
table of stations with ``station_code, prefecture, latitude, longitude``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from hazecast.grids.contract import POLLUTANTS
from hazecast.grids.errors import InputError
from hazecast.grids.observations.hourly_tables import local_times, numbers, require
from hazecast.grids.observations.station_cities import great_circle_km

_MEANS = ("station", "date", "pm25_mean")
_STATIONS = ("station_code", "prefecture", "latitude", "longitude")


def read_daily_means(directory: Path) -> xr.Dataset:
    """Read a folder of daily means.

    Parameters
    ----------
    directory : Path
        Folder of ``*.csv`` or ``*.csv.gz`` files.

    Returns
    -------
    xarray.Dataset (day, station)
        ``pm25``, ug m-3, NaN where missing or outside the contract's range; ``day`` is the local day. Coordinates
        prefecture, latitude and longitude (station), "" and NaN for a station that the table lacks. Attributes
        ``count_duplicate_rows``, ``count_impossible`` and ``count_unknown_stations``.

    Raises
    ------
    InputError
        If a file can't be read or has other columns, or there are no means or no table of stations.
    """
    paths = sorted([*directory.glob("*.csv"), *directory.glob("*.csv.gz")])
    means: list[pd.DataFrame] = []
    stations: pd.DataFrame | None = None
    for path in paths:
        try:
            table = pd.read_csv(path, encoding="utf-8-sig", dtype={"station": str, "station_code": str})
        except (OSError, EOFError, ValueError) as error:
            raise InputError(str(path), error, "a CSV file in UTF-8") from error
        if "station_code" in table.columns:
            require(table, _STATIONS, path)
            stations = table.drop_duplicates("station_code").set_index("station_code")
        else:
            require(table, _MEANS, path)
            days = local_times(table["date"].astype(str), "%Y-%m-%d", path)
            means.append(
                pd.DataFrame({"day": days, "station": table["station"], "pm25": numbers(table, _MEANS[2], path)})
            )
    if not means or stations is None:
        found = [path.name for path in paths]
        raise InputError(str(directory), found, f"files with {', '.join(_MEANS)}, and one with {', '.join(_STATIONS)}")
    return _dataset(pd.concat(means), stations, directory)


def _dataset(rows: pd.DataFrame, stations: pd.DataFrame, directory: Path) -> xr.Dataset:
    repeated = rows.duplicated(["day", "station"])
    limits = POLLUTANTS["pm25"]
    outside = (rows["pm25"] < limits.low) | (rows["pm25"] > limits.high)
    rows = rows.assign(pm25=rows["pm25"].mask(outside))[~repeated]
    table = rows.pivot(index="day", columns="station", values="pm25").asfreq("D")
    known = stations.reindex(table.columns)
    return xr.Dataset(
        {"pm25": (("day", "station"), table.to_numpy(np.float32), {"units": limits.units})},
        coords={
            "day": table.index.to_numpy("datetime64[ns]"),
            "station": table.columns.to_numpy(str),
            "prefecture": ("station", known["prefecture"].fillna("").to_numpy(str)),
            "latitude": ("station", known["latitude"].to_numpy(float)),
            "longitude": ("station", known["longitude"].to_numpy(float)),
        },
        attrs={
            "source": directory.name,
            "count_duplicate_rows": int(repeated.sum()),
            "count_impossible": int(outside.sum()),
            "count_unknown_stations": int(known["latitude"].isna().sum()),
        },
    )


def level_at(daily: xr.Dataset, latitude: float, longitude: float, *, radius_km: float = 30.0) -> float:
    """Return the mean concentration around a place, for a city that has no series of its own yet.

    Parameters
    ----------
    daily : xarray.Dataset (day, station)
        As of `read_daily_means`.
    latitude, longitude : float
        Of the place, degrees.
    radius_km : float
        Stations within this distance are used, each with the same weight.

    Returns
    -------
    float
        ug m-3; NaN where no station is near enough.
    """
    distance = great_circle_km(daily["latitude"].values, daily["longitude"].values, latitude, longitude)
    near = daily["pm25"].values[:, distance <= radius_km]
    means = [column[np.isfinite(column)].mean() for column in near.T if np.isfinite(column).any()]
    return float(np.mean(means)) if means else float("nan")
