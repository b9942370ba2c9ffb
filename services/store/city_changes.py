"""What was done with cities through the API, and what the store holds of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from hazecast.services.store.drafts import Decider
from hazecast.services.store.locks import lock_until_commit
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

Change = Literal["add", "change", "remove"]
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


def is_stored(store: Store, city: str) -> bool:
    """Return whether anything is stored of a city: a forecast, an observation, a station, a warning or a draft.

    Parameters
    ----------
    store : Store
    city : str
        Its id.

    Returns
    -------
    bool
    """
    tables = (ForecastValue, Observation, MonitorStation, Warning_, WarningDraft)
    with store.sessions() as session:
        return bool(session.scalar(select(or_(*(exists().where(table.city == city) for table in tables)))))


def record_change(
    session: Session,
    action: Change,
    city: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    *,
    by: str,
    who: Decider,
    at: datetime,
) -> None:
    """Write a change of a city into the audit, within the caller's transaction; others wait until it ends.

    Parameters
    ----------
    session : Session
        In a transaction that writes.
    action : {"add", "change", "remove"}
    city : str
        Its id.
    before, after : mapping or None
        Its fields.
    by : str
        Name of the account.
    who : Decider
    at : datetime
        Aware.
    """
    lock_until_commit(session, "cities")
    written = [None if one is None else json.dumps(one, ensure_ascii=False, sort_keys=True) for one in (before, after)]
    session.add(
        CityChange(
            at=at, city=city, action=action, by=by, account_id=who.account_id, key_id=who.key_id,
            before=written[0], after=written[1],
        )
    )  # fmt: skip
    session.flush()


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
