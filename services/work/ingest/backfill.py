"""Backfill: any period of every source that has a history, and the holes that an outage left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hazecast.grids.errors import InputError
from hazecast.grids.observations.station_cities import load_station_cities
from hazecast.grids.places.cities import Registry
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import Patience
from hazecast.services.sources.monitors.interface import HasHistory, MonitorSource
from hazecast.services.sources.registry import (
    create_monitor_source,
    create_weather_source,
    monitor_source_names,
    weather_source_names,
)
from hazecast.services.sources.weather.interface import WeatherSource
from hazecast.services.store.locks import file_locked
from hazecast.services.store.station_hours import first_stored_hour
from hazecast.services.store.store import Store
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work.ingest.fill import Filled, Progress, fill_cycles, fill_hours
from hazecast.services.work.ingest.holes import AskedInVain, hours_of, missing_cycles, missing_hours
from hazecast.services.work.ingest.variables import weather_wanted

LOCK_FILE, ASKED_FILE = "backfill.lock", "backfill.json"
Kind = Literal["observations", "weather"]
KINDS: tuple[Kind, ...] = ("observations", "weather")
# In one run of the job: a week of each source's hours, a day of cycles.
HOURS_A_RUN, CYCLES_A_RUN = 168, 4
# The newest cycles are the live ingest's: the slowest publisher takes 9 h, and one cycle before may be tried.
_LIVE_CYCLES = timedelta(hours=15)
_REMOVED_SOON = timedelta(hours=6)
# A command may wait for the next hour's quota, a job for less than its own limit.
_WAIT_OF_A_COMMAND, _WAIT_OF_A_JOB = 3_700.0, 600.0


class BackfillBusyError(RuntimeError):
    """Another process is filling holes."""


@dataclass(frozen=True)
class BackfillReport:
    """What became of the holes of each source."""

    filled: tuple[Filled, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """All faults, in words."""
        return tuple(f"{one.kind}, {one.source}: {problem}" for one in self.filled for problem in one.problems)

    @property
    def left(self) -> int:
        """Hours and cycles that are still missing."""
        return sum(one.left for one in self.filled)

    @property
    def status(self) -> str:
        """``"done"``, ``"degraded"``, or ``"failed"`` if no source answered."""
        if self.filled and all(one.status == "failed" for one in self.filled):
            return "failed"
        return "degraded" if self.problems or self.left else "done"


def backfill(
    settings: Settings,
    first: datetime,
    last: datetime,
    source: str | None = None,
    kind: Kind | None = None,
    *,
    again: bool = False,
    clock: Clock = utc_now,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> BackfillReport:
    """Fetch and store what is missing of a period.

    Parameters
    ----------
    settings : Settings
    first, last : datetime
        Aware; both included. Hours by their end, cycles by their init time.
    source : str, optional
        Its name; by default all in the settings.
    kind : {"observations", "weather"}, optional
        By default both, as far as the source gives them.
    again : bool
        Ask also for the hours of observations that are there, for revised values.
    clock : callable
        Gives the time, aware.
    patience : Patience, optional
        Time-outs and retries, by default those of the settings.
    progress : callable, optional

    Returns
    -------
    BackfillReport

    Raises
    ------
    BackfillBusyError
        If another process is filling holes.
    InputError
        If the period is empty or begins in the future, or a source is unknown or can't be asked.
    """
    now = clock()
    if not first <= min(last, now):
        raise InputError("backfill: from and to", f"{first.isoformat()} to {last.isoformat()}", "a period of the past")
    last = min(last, now)
    monitors, weather = _asked_for(settings, source, kind)
    patience = _patient(settings, patience, _WAIT_OF_A_COMMAND)
    with _opened(settings, monitors, weather, patience, clock) as (store, registry, observers, forecasters):
        found = []
        for one in observers:
            hours = hours_of(first, last) if again else missing_hours(store, one.name, first, last)
            if isinstance(one, HasHistory):
                found.append(fill_hours(one, store, registry, hours, clock, progress))
                _say_what_goes_again(settings, found[-1], first, now)
            else:
                found.append(Filled(one.name, "observations", len(hours), notes=["it gives no earlier hours"]))
        if forecasters:
            found.append(_weather_of(settings, forecasters, registry, first, last, clock, progress))
    return BackfillReport(tuple(found))


def fill_holes(settings: Settings, clock: Clock = utc_now, patience: Patience | None = None) -> BackfillReport:
    """Fill the holes since a source was first ingested, a part of them a run, the newest first.

    Parameters
    ----------
    settings : Settings
        Say how far back.
    clock : callable
        Gives the time, aware.
    patience : Patience, optional
        Time-outs and retries, by default those of the settings.

    Returns
    -------
    BackfillReport

    Raises
    ------
    BackfillBusyError
        If another process is filling holes.
    InputError
        If the settings lack what a source needs.
    """
    now = clock()
    oldest = now - timedelta(days=settings.ingest.backfill_days)
    asked = AskedInVain(settings.data_dir / ASKED_FILE)
    patience = _patient(settings, patience, _WAIT_OF_A_JOB)
    monitors, weather = settings.ingest.monitor_sources, settings.ingest.weather_sources
    with _opened(settings, monitors, weather, patience, clock) as (store, registry, observers, forecasters):
        found = []
        for source in observers:
            if (hours := _holes_of(source, store, settings, now, oldest)) and (
                due := asked.due(source.name, hours, now)[-HOURS_A_RUN:]
            ):
                filled = fill_hours(source, store, registry, due, clock)
                still = set(missing_hours(store, source.name, due[0], due[-1]))
                asked.note(source.name, [hour for hour in filled.asked if hour in still], now)
                found.append(filled)
        cycles = WeatherStore(settings.weather_dir)
        started = min((time for time, _, _ in cycles.cycles(now)), default=now)
        since = max(oldest, _first_kept(settings, now), started)
        missing = asked.due("weather", missing_cycles(cycles, since, now - _LIVE_CYCLES), now)[-CYCLES_A_RUN:]
        if missing:
            filled = _fill_cycles(settings, forecasters, registry, cycles, missing, clock)
            there = {time for time, _, _ in cycles.cycles(now)}
            asked.note("weather", [time for time in filled.asked if time not in there], now)
            found.append(filled)
        if found:
            asked.save(oldest)
    return BackfillReport(tuple(found))


def _say_what_goes_again(settings: Settings, filled: Filled, first: datetime, now: datetime) -> None:
    days = settings.retention.observation_days
    if days is not None and first < now - timedelta(days=days):
        oldest = f"{now - timedelta(days=days):%Y-%m-%dT%HZ}"
        filled.trouble(f"hours before {oldest} will be removed again: HAZECAST_KEEP_OBSERVATION_DAYS is {days:g}")


def _holes_of(
    source: MonitorSource, store: Store, settings: Settings, now: datetime, oldest: datetime
) -> list[datetime]:
    """Return the hours that the live ingest no longer asks for, or has asked for once, since the first one stored."""
    started = first_stored_hour(store, source.name)
    if started is None or not isinstance(source, HasHistory):
        return []
    reach = source.history.reach
    first = max(started, oldest, oldest if reach is None else now - reach)
    return missing_hours(store, source.name, first, now - timedelta(hours=settings.ingest.monitor_reread_hours))


def _weather_of(
    settings: Settings,
    sources: Sequence[WeatherSource],
    registry: Registry,
    first: datetime,
    last: datetime,
    clock: Clock,
    progress: Progress | None,
) -> Filled:
    cycles, kept = WeatherStore(settings.weather_dir), _first_kept(settings, clock())
    missing = missing_cycles(cycles, max(first, kept), last)
    filled = _fill_cycles(settings, sources, registry, cycles, missing, clock, progress)
    if first < kept:
        days = f"HAZECAST_WEATHER_KEEP_DAYS is {settings.ingest.weather_keep_days:g}"
        filled.trouble(f"cycles before {kept:%Y-%m-%dT%HZ} would be removed again: {days}")
    return filled


def _fill_cycles(
    settings: Settings,
    sources: Sequence[WeatherSource],
    registry: Registry,
    cycles: WeatherStore,
    missing: Sequence[datetime],
    clock: Clock,
    progress: Progress | None = None,
) -> Filled:
    wanted = weather_wanted(settings, tuple(registry.cities.values()))
    grids_since = clock() - timedelta(days=settings.ingest.weather_keep_days)
    return fill_cycles(sources, wanted, cycles, missing, clock, progress, small_before=grids_since)


def _first_kept(settings: Settings, now: datetime) -> datetime:
    """Return the init time before which cycles are removed today; where the service learns, they stay for longer."""
    days = settings.ingest.weather_keep_days
    if settings.learning.retrain != "off":
        days = max(days, settings.learning.retrain_reach_days)
    return now - timedelta(days=days) + _REMOVED_SOON


def _patient(settings: Settings, patience: Patience | None, wait: float) -> Patience:
    ingest = settings.ingest
    return patience or Patience(ingest.http_attempts, retry_after_max=wait, read_seconds=ingest.http_timeout_seconds)


def _asked_for(settings: Settings, source: str | None, kind: Kind | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the sources of observations and of weather."""
    monitors, weather = settings.ingest.monitor_sources, settings.ingest.weather_sources
    if source is not None:
        monitors = (source,) if source in monitor_source_names() else ()
        weather = (source,) if source in weather_source_names() else ()
        if not monitors and not weather:
            known = sorted({*monitor_source_names(), *weather_source_names()})
            raise InputError("backfill: source", source, f"one of {', '.join(known)}")
    monitors, weather = (monitors if kind != "weather" else ()), (weather if kind != "observations" else ())
    if not monitors and not weather:
        raise InputError("backfill: source", source, f"a source of {kind}")
    return monitors, weather


_Opened = tuple[Store, Registry, list[MonitorSource], list[WeatherSource]]


@contextmanager
def _opened(
    settings: Settings, monitors: Sequence[str], weather: Sequence[str], patience: Patience, clock: Clock
) -> Iterator[_Opened]:
    """Hold the lock of the backfill, and open the store and the sources."""
    registry = city_registry(settings)
    rules = load_station_cities(registry)
    busy = BackfillBusyError("another process is filling holes")
    with ExitStack() as open_:
        open_.enter_context(file_locked(settings.data_dir / LOCK_FILE, busy))
        observers = [create_monitor_source(name, settings, registry, rules, patience) for name in monitors]
        forecasters = [create_weather_source(name, settings, patience) for name in weather]
        for observer in observers:
            open_.callback(observer.close)
        for forecaster in forecasters:
            open_.callback(forecaster.close)
        store = Store(settings.database_url, clock, settings.data_dir)
        open_.callback(store.close)
        store.migrate()
        yield store, registry, observers, forecasters
