"""Usable hours of one place or of a city's stations over a longer time, as studies ask for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import numpy as np
import pandas as pd
import xarray as xr
from sqlalchemy import DateTime, func, select, type_coerce

from hazecast.grids.contract import MEASURED_WEATHER, check, describe
from hazecast.services.sources.monitors.interface import measured_name
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation

_WEATHER = {measured_name(name): name for name in MEASURED_WEATHER}
_VISIBILITY = {measured_name("visibility"): "visibility"}
# Read as stored, without a zone: hours one by one would cost more than the query.
_TIME = type_coerce(StationObservation.time, DateTime()).label("time")


def city_weather(
    store: Store, city: str, first: datetime, last: datetime, preference: Sequence[str] = ()
) -> xr.Dataset | None:
    """Return the weather that a city's stations measured: hourly means, of the first source that has any.

    Parameters
    ----------
    store : Store
    city : str
    first, last : datetime
        Ends of the first and the last hour, aware, both included.
    preference : sequence of str
        Names of sources, first choice first; others follow in alphabetical order.

    Returns
    -------
    xarray.Dataset (time, city) or None
        Contract "city_weather"; None where none was measured.
    """
    wide, sources = _first_choice(store, city, first, last, preference, _WEATHER)
    if wide.empty:
        return None
    arrays = {str(name): (("time", "city"), wide[[name]].to_numpy(np.float32)) for name in wide}
    found = xr.Dataset(
        arrays,
        coords={"time": wide.index.to_numpy("datetime64[ns]"), "city": np.array([city], object)},
        attrs={"source": f"weather measured by {sources}"},
    )
    return check(describe(found, "city_weather"), "city_weather", name="stored weather")


def city_reports(
    store: Store, city: str, first: datetime, last: datetime, preference: Sequence[str] = ()
) -> xr.Dataset | None:
    """Return the weather and the visibility that a city's stations reported, as `city_weather`.

    Parameters
    ----------
    store : Store
    city : str
    first, last : datetime
        Aware, both included.
    preference : sequence of str

    Returns
    -------
    xarray.Dataset (time) or None
        Of the contract's names and units; None where nothing was.
    """
    wide, sources = _first_choice(store, city, first, last, preference, _WEATHER | _VISIBILITY)
    if wide.empty:
        return None
    arrays = {str(name): ("time", wide[name].to_numpy(float)) for name in wide}
    return xr.Dataset(arrays, {"time": wide.index.to_numpy("datetime64[ns]")}, {"source": f"reports of {sources}"})


def _first_choice(
    store: Store, city: str, first: datetime, last: datetime, preference: Sequence[str], names: dict[str, str]
) -> tuple[pd.DataFrame, str]:
    """Return hourly means over a city's stations by the contract's names, of the first source that has any, and the sources."""
    hour = StationObservation
    query = (
        select(MonitorStation.source, _TIME, hour.pollutant, func.avg(hour.value).label("value"))
        .join(MonitorStation, hour.station_id == MonitorStation.id)
        .where(
            MonitorStation.city == city,
            hour.time >= first,
            hour.time <= last,
            hour.pollutant.in_(list(names)),
            hour.value.is_not(None),
        )
        .group_by(MonitorStation.source, hour.time, hour.pollutant)
    )
    with store.engine.connect() as connection:
        table = pd.DataFrame(connection.execute(query).all(), columns=["source", "time", "name", "value"])
    rank = {source: number for number, source in enumerate(preference)}
    table["rank"] = table["source"].map(lambda source: (rank.get(source, len(rank)), source))
    chosen = table.sort_values("rank").drop_duplicates(["time", "name"])
    wide = chosen.pivot(index="time", columns="name", values="value").rename(columns=names)
    return wide, ", ".join(sorted(set(chosen["source"])))


def stations_table(store: Store, cities: Collection[str], name: str, first: datetime, last: datetime) -> pd.DataFrame:
    """Return the usable hours of the stations of cities.

    Parameters
    ----------
    store : Store
    cities : collection of str
    name : str
        Of a pollutant.
    first, last : datetime
        Ends of the first and the last hour, aware, both included.

    Returns
    -------
    pandas.DataFrame (time, station)
        ug m-3; every hour between the first and the last that is stored, by the stations' ids; empty where nothing is.
    """
    hour = StationObservation
    query = (
        select(hour.station_id, _TIME, hour.value)
        .join(MonitorStation, hour.station_id == MonitorStation.id)
        .where(
            MonitorStation.city.in_(list(cities)),
            hour.time >= first,
            hour.time <= last,
            hour.pollutant == name,
            hour.value.is_not(None),
        )
    )
    with store.engine.connect() as connection:
        table = pd.DataFrame(connection.execute(query).all(), columns=["station", "time", "value"])
    return _hourly(table.pivot(index="time", columns="station", values="value"))


def station_table(store: Store, station: str, first: datetime, last: datetime) -> pd.DataFrame:
    """Return the usable hours of one station.

    Parameters
    ----------
    store : Store
    station : str
        Its id.
    first, last : datetime
        Ends of the first and the last hour, aware, both included.

    Returns
    -------
    pandas.DataFrame (time, quantity)
        Pollutants in ug m-3 and weather by the contract's names; every hour between the first and the last that is stored; empty
        where nothing is.
    """
    hour = StationObservation
    query = select(_TIME, hour.pollutant, hour.value).where(
        hour.station_id == station, hour.time >= first, hour.time <= last, hour.value.is_not(None)
    )
    with store.engine.connect() as connection:
        table = pd.DataFrame(connection.execute(query).all(), columns=["time", "name", "value"])
    return _hourly(table.pivot(index="time", columns="name", values="value").rename(columns=_WEATHER))


def _hourly(table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        return table
    times = pd.DatetimeIndex(table.index).as_unit("ns")
    return table.set_axis(times).reindex(pd.date_range(times[0], times[-1], freq="h", name="time")).astype(float)
