"""The newest PM2.5 of every monitoring station, where its position is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation


@dataclass(frozen=True)
class StationValue:
    """A station's last usable PM2.5, ug m-3, of the hour that ends at `time`; position in degrees."""

    name: str
    latitude: float
    longitude: float
    time: datetime
    pm25: float


def newest_of_stations(store: Store, first: datetime, last: datetime) -> list[StationValue]:
    """Return the newest PM2.5 of each station within some hours, in the order of their ids.

    Parameters
    ----------
    store : Store
    first, last : datetime
        Ends of the first and the last hour, aware, both included.

    Returns
    -------
    list of StationValue
        Without stations whose position is unknown or that have no usable value.
    """
    station, hour = MonitorStation, StationObservation
    query = (
        select(station.id, station.name, station.latitude, station.longitude, hour.time, hour.value)
        .join(hour, hour.station_id == station.id)
        .where(
            hour.pollutant == "pm25",
            hour.value.is_not(None),
            hour.time >= first,
            hour.time <= last,
            station.latitude.is_not(None),
            station.longitude.is_not(None),
        )
        .order_by(station.id, hour.time)
    )
    newest: dict[str, StationValue] = {}
    with store.engine.connect() as connection:
        for number, name, latitude, longitude, time, value in connection.execute(query):
            newest[number] = StationValue(
                name, float(latitude or 0.0), float(longitude or 0.0), time, float(value or 0.0)
            )
    return list(newest.values())
