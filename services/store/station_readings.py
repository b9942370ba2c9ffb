"""Stations and their hours, as the networks' readings are stored: in pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation


def stations_page(
    store: Store, cities: Collection[str] | None, *, after: str | None, limit: int
) -> Sequence[MonitorStation]:
    """Return the stations by id.

    Parameters
    ----------
    store : Store
    cities : collection of str or None
        Only those of these cities; None for all.
    after : str or None
        Id of the last station of the page before.
    limit : int
        Size of a page.

    Returns
    -------
    sequence of MonitorStation
        One more than `limit` where another page follows.
    """
    query = select(MonitorStation).order_by(MonitorStation.id).limit(limit + 1)
    if cities is not None:
        query = query.where(MonitorStation.city.in_(cities))
    if after is not None:
        query = query.where(MonitorStation.id > after)
    with store.sessions() as session:
        return session.scalars(query).all()


def station_of(store: Store, station_id: str) -> MonitorStation | None:
    """Return a station by its id; None if there is none.

    Parameters
    ----------
    store : Store
    station_id : str

    Returns
    -------
    MonitorStation or None
    """
    with store.sessions() as session:
        return session.get(MonitorStation, station_id)


def newest_of_station(store: Store, station_id: str) -> datetime | None:
    """Return the newest hour of a station that is not in the future; None without any.

    Parameters
    ----------
    store : Store
    station_id : str

    Returns
    -------
    datetime or None
        Aware.
    """
    query = select(func.max(StationObservation.time)).where(
        StationObservation.station_id == station_id, StationObservation.time <= store.clock()
    )
    with store.engine.connect() as connection:
        return connection.execute(query).scalar()


def readings_page(
    store: Store, station_id: str, *, start: datetime, end: datetime, after: datetime | None, limit: int
) -> tuple[list[datetime], Sequence[Row[Any]]]:
    """Return the hours of a station, oldest first.

    Parameters
    ----------
    store : Store
    station_id : str
    start, end : datetime
        Ends of the first and the last hour, aware, both included.
    after : datetime or None
        The last hour of the page before.
    limit : int
        Hours of a page.

    Returns
    -------
    hours : list of datetime
        One more than `limit` where another page follows.
    readings : sequence of Row
        Of these: ``time``, ``pollutant``, ``value`` (ug m-3, None where it can't be used) and ``flag``.
    """
    row = StationObservation
    wanted = [row.station_id == station_id, row.time >= start, row.time <= min(end, store.clock())]
    if after is not None:
        wanted.append(row.time > after)
    hours = select(row.time).where(*wanted).distinct().order_by(row.time).limit(limit + 1)
    with store.engine.connect() as connection:
        found = list(connection.scalars(hours))
        if not found:
            return [], []
        wanted_rows = select(row.time, row.pollutant, row.value, row.flag).where(*wanted, row.time <= found[-1])
        readings: Sequence[Any] = connection.execute(wanted_rows.order_by(row.time, row.pollutant)).all()
        return found, readings
