"""What the API reads from the store: pages, parts of a run, and whether anything has changed."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.grids.contract import FORECAST_POLLUTANTS, POLLUTANTS
from hazecast.services.store.store import LONGEST_WARNING, Store
from hazecast.services.store.tables.forecasts import (
    CycleRun,
    ForecastRun,
    ForecastValue,
    Observation,
    Warning_,
    WarningAudit,
)

QUANTILE_COLUMNS = ("q10", "q25", "q50", "q75", "q90", "mean")
VALUE_COLUMNS = (*(f"{name}_{part}" for name in FORECAST_POLLUTANTS for part in QUANTILE_COLUMNS), "relative_humidity")
OBSERVED_COLUMNS = (*POLLUTANTS, "pm25_flag", "o3_flag", "pm25_stations", "source")


def public_version(store: Store) -> Hashable:
    """Return what changes whenever a run is stored, removed or withdrawn, or a person approves a warning.

    Warnings are stored with their run or by a decision on a draft, which the audit keeps.
    """
    # A run stamped in the future, by a clock that was wrong, becomes the latest when its time comes.
    begun = select(func.max(ForecastRun.init_time)).where(ForecastRun.init_time <= store.clock())
    query = select(
        begun.scalar_subquery(),
        # The condition lets the index of the withdrawn ones serve.
        select(func.max(ForecastRun.withdrawn_at)).where(ForecastRun.withdrawn_at.is_not(None)).scalar_subquery(),
        # Each run has its own cycle, whatever clock its times are from.
        select(func.max(ForecastRun.cycle_id)).scalar_subquery(),
        select(func.count()).select_from(ForecastRun).scalar_subquery(),
        select(func.max(WarningAudit.id)).scalar_subquery(),
    )
    with store.engine.connect() as connection:
        return tuple(connection.execute(query).one())


def degraded_reasons(store: Store, run: ForecastRun) -> tuple[str, ...]:
    """Return why a run is degraded, as its cycle reported it.

    Parameters
    ----------
    store : Store
    run : ForecastRun

    Returns
    -------
    tuple of str
        Empty if the run isn't degraded, or its cycle is no longer stored.
    """
    if not run.degraded:
        return ()
    with store.sessions() as session:
        report = session.scalar(select(CycleRun.report).where(CycleRun.id == run.cycle_id)) or {}
    found = report.get("reasons")
    return tuple(map(str, found)) if isinstance(found, list) else ()


def runs_page(
    store: Store,
    *,
    simulated: bool | None,
    start: datetime | None,
    end: datetime | None,
    after: tuple[datetime, bool] | None,
    limit: int,
) -> list[ForecastRun]:
    """Return the runs up to now by init time, newest first; of one time the real one before the simulated one.

    Withdrawn ones are left out.

    Parameters
    ----------
    store : Store
    simulated : bool or None
        None for both.
    start, end : datetime or None
        Earliest and latest init time, aware, both included.
    after : (datetime, bool) or None
        Init time and `simulated` of the last run of the page before.
    limit : int
        Size of a page.

    Returns
    -------
    list of ForecastRun
        One more than `limit` where another page follows.
    """
    query = select(ForecastRun).where(ForecastRun.withdrawn_at.is_(None), ForecastRun.init_time <= store.clock())
    query = query.order_by(ForecastRun.init_time.desc(), ForecastRun.simulated).limit(limit + 1)
    if simulated is not None:
        query = query.where(ForecastRun.simulated == simulated)
    if start is not None:
        query = query.where(ForecastRun.init_time >= start)
    if end is not None:
        query = query.where(ForecastRun.init_time <= end)
    if after is not None:
        time, was_simulated = after
        same = ForecastRun.init_time == time
        later = ForecastRun.init_time < time
        query = query.where(later if was_simulated else or_(later, and_(same, ForecastRun.simulated)))
    with store.sessions() as session:
        return list(session.scalars(query))


def init_times_near(store: Store, init_time: datetime, simulated: bool | None, limit: int) -> list[datetime]:
    """Return the init times of the runs nearest to a time, earliest first; withdrawn and future ones are left out.

    Parameters
    ----------
    store : Store
    init_time : datetime
        Aware.
    simulated : bool or None
        None for both.
    limit : int
        At most so many.

    Returns
    -------
    list of datetime
    """
    time = ForecastRun.init_time
    stored = select(time).where(ForecastRun.withdrawn_at.is_(None), time <= store.clock()).distinct().limit(limit)
    if simulated is not None:
        stored = stored.where(ForecastRun.simulated == simulated)
    with store.sessions() as session:
        later = session.scalars(stored.where(time >= init_time).order_by(time)).all()
        earlier = session.scalars(stored.where(time < init_time).order_by(time.desc())).all()
    return sorted(sorted({*earlier, *later}, key=lambda one: abs(one - init_time))[:limit])


def values_of(
    store: Store, run: ForecastRun, cities: Collection[str] | None, first: int, last: int
) -> Sequence[Row[Any]]:
    """Return the values of a run, by city and lead time.

    Parameters
    ----------
    store : Store
    run : ForecastRun
    cities : collection of str or None
        Ids; None for all.
    first, last : int
        Lead times in hours, both included.

    Returns
    -------
    sequence of Row
        ``city``, ``lead_time`` and `VALUE_COLUMNS`.
    """
    columns = [getattr(ForecastValue, name) for name in ("city", "lead_time", *VALUE_COLUMNS)]
    query = select(*columns).where(
        ForecastValue.run_id == run.id, ForecastValue.lead_time >= first, ForecastValue.lead_time <= last
    )
    if cities is not None:
        query = query.where(ForecastValue.city.in_(cities))
    with store.engine.connect() as connection:
        return connection.execute(query.order_by(ForecastValue.city, ForecastValue.lead_time)).all()


def _observed(simulated: bool) -> Select[Any]:
    columns = [getattr(Observation, name) for name in ("city", "time", *OBSERVED_COLUMNS)]
    return select(*columns).where(Observation.simulated == simulated)


def newest_observed(store: Store, simulated: bool, city: str | None = None) -> datetime | None:
    """Return the newest observed hour of a city, or of all, that is not in the future.

    Parameters
    ----------
    store : Store
    simulated : bool
    city : str, optional
        An id; by default all cities.

    Returns
    -------
    datetime or None
        Aware; None if nothing is stored.
    """
    query = select(func.max(Observation.time)).where(
        Observation.simulated == simulated, Observation.time <= store.clock()
    )
    if city is not None:
        query = query.where(Observation.city == city)
    with store.engine.connect() as connection:
        return connection.execute(query).scalar()


def observations_page(
    store: Store,
    city: str,
    simulated: bool,
    *,
    start: datetime,
    end: datetime,
    after: datetime | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Return the observed hours of a city, oldest first.

    Parameters
    ----------
    store : Store
    city : str
    simulated : bool
    start, end : datetime
        Aware, both included.
    after : datetime or None
        Last hour of the page before.
    limit : int
        Size of a page.

    Returns
    -------
    sequence of Row
        ``city``, ``time`` and `OBSERVED_COLUMNS`; one more than `limit` where another page follows.
    """
    query = _observed(simulated).where(Observation.city == city, Observation.time >= start, Observation.time <= end)
    if after is not None:
        query = query.where(Observation.time > after)
    with store.engine.connect() as connection:
        return connection.execute(query.order_by(Observation.time).limit(limit + 1)).all()


def observed_hour(store: Store, simulated: bool, time: datetime) -> Sequence[Row[Any]]:
    """Return what was observed in one hour in all cities.

    Parameters
    ----------
    store : Store
    simulated : bool
    time : datetime
        Aware; the end of the hour.

    Returns
    -------
    sequence of Row
        ``city``, ``time`` and `OBSERVED_COLUMNS`.
    """
    with store.engine.connect() as connection:
        return connection.execute(_observed(simulated).where(Observation.time == time)).all()


@dataclass(frozen=True)
class WarningFilter:
    """Which messages are meant; what is None or empty doesn't narrow."""

    levels: tuple[str, ...] = ()
    cities: tuple[str, ...] | None = None
    rule_sets: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None

    def meets(self, warning: HazeWarning) -> bool:
        """Whether a message is one of them: at no time outside, from its onset to its end."""
        return (
            (not self.levels or warning.level in self.levels)
            and (self.cities is None or warning.city in self.cities)
            and (not self.rule_sets or warning.rule_set in self.rule_sets)
            and (self.start is None or warning.expires >= self.start)
            and (self.end is None or warning.onset <= self.end)
        )

    def conditions(self) -> list[Any]:
        """Return the same as SQL conditions."""
        found: list[Any] = []
        if self.levels:
            found.append(Warning_.level.in_(self.levels))
        if self.cities is not None:
            found.append(Warning_.city.in_(self.cities))
        if self.rule_sets:
            found.append(Warning_.rule_set.in_(self.rule_sets))
        if self.start is not None:
            found.append(Warning_.expires >= self.start)
        if self.end is not None:
            found.append(Warning_.onset <= self.end)
        return found


def warnings_page(
    store: Store, simulated: bool, chosen: WarningFilter, *, after: tuple[datetime, str] | None, limit: int
) -> list[HazeWarning]:
    """Return messages, the newest first.

    Parameters
    ----------
    store : Store
    simulated : bool
    chosen : WarningFilter
    after : (datetime, str) or None
        Time of issue and id of the last message of the page before.
    limit : int
        Size of a page.

    Returns
    -------
    list of HazeWarning
        One more than `limit` where another page follows.
    """
    query = select(Warning_.payload).where(Warning_.simulated == simulated, *chosen.conditions())
    return _newest_first(store, query, after, limit)


def recent_warnings(
    store: Store,
    simulated: bool,
    at: datetime,
    hours: int,
    *,
    cities: Collection[str] | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int,
) -> list[HazeWarning]:
    """Return the messages that were issued, or ended, in the hours before a time, and those that end after it.

    Parameters
    ----------
    store : Store
    simulated : bool
    at : datetime
        Aware; later messages are left out.
    hours : int
    cities : collection of str, optional
        Ids; by default all.
    after : (datetime, str), optional
        Time of issue and id of the last message of the page before.
    limit : int
        Size of a page.

    Returns
    -------
    list of HazeWarning
        The newest first; one more than `limit` where another page follows.
    """
    since = at - timedelta(hours=hours)
    query = select(Warning_.payload).where(
        Warning_.simulated == simulated,
        # Bounds of the index: none that ends later was issued before.
        Warning_.issued <= at,
        Warning_.issued > since - LONGEST_WARNING,
        or_(Warning_.issued > since, Warning_.expires > since),
    )
    if cities is not None:
        query = query.where(Warning_.city.in_(cities))
    return _newest_first(store, query, after, limit)


def _newest_first(
    store: Store, query: Select[Any], after: tuple[datetime, str] | None, limit: int
) -> list[HazeWarning]:
    if after is not None:
        issued, name = after
        query = query.where(or_(Warning_.issued < issued, and_(Warning_.issued == issued, Warning_.id < name)))
    query = query.order_by(Warning_.issued.desc(), Warning_.id.desc()).limit(limit + 1)
    with store.sessions() as session:
        return [HazeWarning.model_validate_json(payload) for payload in session.scalars(query)]


def next_change(store: Store, simulated: bool, at: datetime, in_force: Sequence[HazeWarning]) -> datetime | None:
    """Return when the warnings in force change without anything new being stored: the next to end or to begin.

    Parameters
    ----------
    store : Store
    simulated : bool
    at : datetime
        Aware; only later changes count.
    in_force : sequence of HazeWarning
        In force at `at`.

    Returns
    -------
    datetime or None
        None if never.
    """
    query = select(func.min(Warning_.issued)).where(Warning_.simulated == simulated, Warning_.issued > at)
    with store.engine.connect() as connection:
        begins = connection.execute(query).scalar()
    times = [warning.expires for warning in in_force] + ([begins] if begins else [])
    return min(times, default=None)
