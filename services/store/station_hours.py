"""Which hours of a monitoring source are in the store."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation


def stored_hours(store: Store, source: str, first: datetime, last: datetime) -> set[datetime]:
    """Return the hours for which a source has anything stored.

    Parameters
    ----------
    store : Store
    source : str
        Name of the source.
    first, last : datetime
        Aware, both included.

    Returns
    -------
    set of datetime
    """
    query = (
        select(StationObservation.time).distinct().join(MonitorStation)
        .where(MonitorStation.source == source, StationObservation.time >= first, StationObservation.time <= last)
    )  # fmt: skip
    with store.engine.connect() as connection:
        return set(connection.scalars(query))


def stations_by_hour(store: Store, source: str, first: datetime, last: datetime) -> dict[datetime, int]:
    """Return how many stations of a source have anything stored, for each hour that has any.

    Parameters
    ----------
    store : Store
    source : str
        Name of the source.
    first, last : datetime
        Aware, both included.

    Returns
    -------
    dict of datetime to int
    """
    query = (
        select(StationObservation.time, func.count(StationObservation.station_id.distinct())).join(MonitorStation)
        .where(MonitorStation.source == source, StationObservation.time >= first, StationObservation.time <= last).group_by(StationObservation.time)
    )  # fmt: skip
    with store.engine.connect() as connection:
        return {time: stations for time, stations in connection.execute(query)}


def first_stored_hour(store: Store, source: str) -> datetime | None:
    """Return the first hour for which a source has anything stored.

    Parameters
    ----------
    store : Store
    source : str
        Name of the source.

    Returns
    -------
    datetime or None
        None where nothing is.
    """
    query = select(func.min(StationObservation.time)).join(MonitorStation).where(MonitorStation.source == source)
    with store.engine.connect() as connection:
        found: datetime | None = connection.scalar(query)
    return found
