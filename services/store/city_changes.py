"""What was done with cities, through the API or by the command, and what the store holds of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import (
    CycleRun,
    ForecastRun,
    ForecastValue,
    MonitorStation,
    Observation,
    StationObservation,
    Warning_,
    WarningDraft,
)
from hazecast.services.store.tables.places import CityChange

# A station is said to report where its newest hour is no older.
REPORTING = timedelta(hours=24)


@dataclass(frozen=True)
class Held:
    """What the store holds of cities: the newest run, its cities, why others were left out, and stations by city.

    `stations` are all that are known, `reporting` those with an hour within `REPORTING`.
    """

    run: ForecastRun | None
    forecast: frozenset[str] = frozenset()
    skipped: Mapping[str, str] = field(default_factory=dict)
    stations: Mapping[str, int] = field(default_factory=dict)
    reporting: Mapping[str, int] = field(default_factory=dict)


def held_of_cities(store: Store) -> Held:
    """Return what the store holds of its cities now."""
    run = store.latest_run()
    station, hour = MonitorStation, StationObservation
    known = select(station.city, func.count()).group_by(station.city)
    newest = (
        select(hour.station_id)
        .where(hour.time >= store.clock() - REPORTING, hour.value.is_not(None))
        .distinct()
        .subquery()
    )
    reporting = (
        select(station.city, func.count()).join(newest, newest.c.station_id == station.id).group_by(station.city)
    )
    with store.sessions() as session:
        stations, active = _counts(session, known), _counts(session, reporting)
        if run is None:
            return Held(None, stations=stations, reporting=active)
        cities = select(ForecastValue.city).where(ForecastValue.run_id == run.id, ForecastValue.lead_time == 1)
        report = session.scalar(select(CycleRun.report).where(CycleRun.id == run.cycle_id)) or {}
        left_out = report.get("skipped")
        skipped = {str(k): str(v) for k, v in left_out.items()} if isinstance(left_out, dict) else {}
        return Held(run, frozenset(session.scalars(cities)), skipped, stations, active)


def _counts(session: Session, query: Select[str, int]) -> dict[str, int]:
    return {city: count for city, count in session.execute(query)}


def is_stored(session: Session, city: str) -> bool:
    """Return whether anything is stored of a city: a forecast, an observation, a station, a warning or a draft.

    Parameters
    ----------
    session : Session
    city : str
        Its id.

    Returns
    -------
    bool
    """
    tables = (ForecastValue, Observation, MonitorStation, Warning_, WarningDraft)
    return bool(session.scalar(select(or_(*(exists().where(table.city == city) for table in tables)))))


def changes_of(store: Store, city: str) -> Sequence[CityChange]:
    """Return what was done with a city, the first first.

    Parameters
    ----------
    store : Store
    city : str
        Its id.

    Returns
    -------
    sequence of CityChange
    """
    with store.sessions() as session:
        return session.scalars(select(CityChange).where(CityChange.city == city).order_by(CityChange.id)).all()
