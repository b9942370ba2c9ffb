"""Metrics for Prometheus that come from the store, read when they are asked for: every process gives the same.

Names and units follow Prometheus's conventions (https://prometheus.io/docs/practices/naming/): base units in the
name, and time stamps rather than ages, from which a query takes the age.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select, text

from hazecast.grids.times import in_utc
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.settings import Settings
from hazecast.services.observability.worker_metrics import add_workers, folder_of_workers
from hazecast.services.scheduling.due import DueTimes
from hazecast.services.scheduling.history import ENDED_WELL, OUTCOMES, JobHistory
from hazecast.services.scheduling.jobs import all_jobs
from hazecast.services.store.store import Store
from hazecast.services.store.study_records import states_since
from hazecast.services.store.tables.delivery import Delivery
from hazecast.services.store.tables.forecasts import MonitorStation, Observation, StationObservation, WarningDraft
from hazecast.services.store.tables.studies import OPEN
from hazecast.services.store.weather_cycles import WeatherStore

log = logging.getLogger(__name__)

RECENT = timedelta(hours=24)
# The verdict on the model changes twice a day, and takes a month of scores.
_STANDING_SECONDS = 600.0


def new_registry(store: Store, settings: Settings, clock: Clock = utc_now) -> CollectorRegistry:
    """Return a registry with the metrics of the store, and of this process or of all workers of the service.

    Parameters
    ----------
    store : Store
    settings : Settings
    clock : callable
        Gives the time, aware, by which a warning is in force and a run of a job recent.

    Returns
    -------
    CollectorRegistry
    """
    registry, folder = CollectorRegistry(), folder_of_workers()
    PlatformCollector(registry=registry)
    if folder is None:
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
    else:
        add_workers(registry, folder)
    registry.register(StoreMetrics(store, settings, clock))
    return registry


class StoreMetrics(Collector):
    """Metrics read from the store; a part that can't be read is left out, logged and counted.

    Parameters
    ----------
    store : Store
    settings : Settings
    clock : callable
        Gives the time, aware.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock = utc_now) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self._history = JobHistory(store.engine.connect)
        self._standing: tuple[float, Any] | None = None

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the store is not read when the collector is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read all metrics."""
        yield InfoMetricFamily("hazecast_build", "The version that runs.", {"version": _version()})
        faults = _gauge("hazecast_scrape_fault", "1 where a part of the metrics could not be read.", "part")
        parts: dict[str, Callable[[], Iterator[Metric]]] = {
            "store": self._size,
            "forecast": self._forecast,
            "observations": self._observations,
            "weather": self._weather,
            "warnings": self._warnings,
            "jobs": self._jobs,
            "model": self._model,
            "deliveries": self._deliveries,
            "studies": self._studies,
        }
        for name, part in parts.items():
            found: list[Metric] | None = None
            try:
                found = list(part())
            except Exception:
                log.exception("metrics of %s can't be read", name)
            faults.add_metric([name], float(found is None))
            yield from found or ()
        yield faults

    def _size(self) -> Iterator[Metric]:
        size = _gauge("hazecast_store_size_bytes", "Size of the database.")
        size.add_metric([], float(_database_bytes(self._store)))
        free = _gauge("hazecast_data_free_bytes", "Room left where the files are.")
        free.add_metric([], float(shutil.disk_usage(self._settings.data_dir).free))
        yield from (size, free)

    def _forecast(self) -> Iterator[Metric]:
        newest = _gauge("hazecast_forecast_init_timestamp_seconds", "Init time of the newest forecast.", "simulated")
        degraded = _gauge("hazecast_forecast_degraded", "1 if something it needs was missing.", "simulated")
        for simulated in (False, True):
            run = self._store.latest_run(simulated)
            if run is not None:
                newest.add_metric([str(simulated).lower()], run.init_time.timestamp())
                degraded.add_metric([str(simulated).lower()], float(run.degraded))
        yield from (newest, degraded)

    def _observations(self) -> Iterator[Metric]:
        stations = _gauge(
            "hazecast_observation_timestamp_seconds", "End of the newest hour observed, by source.", "source"
        )
        cities = _gauge(
            "hazecast_city_observation_timestamp_seconds", "End of the newest hour that a forecast knew.", "simulated"
        )
        now = self._clock()
        # By station: the key then leads to each newest hour, and the long table isn't read.
        newest = (
            select(func.max(StationObservation.time))
            .where(StationObservation.station_id == MonitorStation.id, StationObservation.time <= now)
            .scalar_subquery()
        )
        each = select(MonitorStation.source, newest.label("time")).subquery()
        with self._store.engine.connect() as connection:
            query = select(each.c.source, func.max(each.c.time)).group_by(each.c.source)
            for source, observed in connection.execute(query):
                if observed is not None:
                    stations.add_metric([source], _seconds(observed))
            for simulated in (False, True):
                known = select(Observation.time).where(Observation.simulated == simulated, Observation.time <= now)
                last = connection.execute(known.order_by(Observation.time.desc()).limit(1)).scalar()
                if last is not None:
                    cities.add_metric([str(simulated).lower()], _seconds(last))
        yield from (stations, cities)

    def _weather(self) -> Iterator[Metric]:
        newest = _gauge("hazecast_weather_init_timestamp_seconds", "Init time of the newest weather cycle.", "source")
        seen: dict[str, datetime] = {}
        for init_time, source, _ in WeatherStore(self._settings.weather_dir).cycles(self._clock()):
            seen.setdefault(source, init_time)
        for source, init_time in seen.items():
            newest.add_metric([source], init_time.timestamp())
        yield newest

    def _warnings(self) -> Iterator[Metric]:
        in_force = _gauge("hazecast_warnings_in_force", "Warnings in force, not simulated.", "rule_set", "level")
        counts: dict[tuple[str, str], int] = {}
        for warning in self._store.warnings_in_force(self._clock(), simulated=False):
            key = (warning.rule_set, warning.level)
            counts[key] = counts.get(key, 0) + 1
        for labels, count in counts.items():
            in_force.add_metric(labels, count)
        waiting = _gauge("hazecast_drafts_waiting", "Messages that wait for a person, not simulated.")
        query = select(func.count()).where(WarningDraft.status == "pending", ~WarningDraft.simulated)
        with self._store.engine.connect() as connection:
            waiting.add_metric([], float(connection.execute(query).scalar_one()))
        yield from (in_force, waiting)

    def _jobs(self) -> Iterator[Metric]:
        history = self._history
        beat = _gauge("hazecast_scheduler_beat_timestamp_seconds", "Last sign of life of the scheduler that leads.")
        if (last := history.last_beat()) is not None:
            beat.add_metric([], last.beat_at.timestamp())
        due = _gauge("hazecast_job_next_run_timestamp_seconds", "When a job is due next.", "job")
        for name, at in DueTimes(self._store.engine.connect).next_runs().items():
            due.add_metric([name], at.timestamp())
        well = _gauge("hazecast_job_last_success_timestamp_seconds", "End of the last run that succeeded.", "job")
        for name, run in history.latest(*ENDED_WELL).items():
            well.add_metric([name], run.finished_at.timestamp())
        recent = _gauge("hazecast_job_recent_runs", "Runs of the last 24 h.", "job", "outcome")
        counts = history.counts(self._clock() - RECENT)
        for job in all_jobs(self._settings):
            for one in OUTCOMES:
                recent.add_metric([job.name, one], counts.get((job.name, one), 0))
        yield from (beat, due, well, *self._ended_jobs(), recent)

    def _ended_jobs(self) -> Iterator[Metric]:
        ended = _gauge("hazecast_job_last_end_timestamp_seconds", "End of the last run, however it ended.", "job")
        duration = _gauge("hazecast_job_last_duration_seconds", "Duration of the last run.", "job")
        late = _gauge("hazecast_job_last_lateness_seconds", "From due to started, of the last run.", "job")
        outcome = _gauge("hazecast_job_last_outcome", "1 for how the last run ended.", "job", "outcome")
        for name, run in self._history.latest(*OUTCOMES).items():
            ended.add_metric([name], run.finished_at.timestamp())
            if run.started_at is not None:
                duration.add_metric([name], (run.finished_at - run.started_at).total_seconds())
                late.add_metric([name], max((run.started_at - run.due).total_seconds(), 0.0))
            for one in OUTCOMES:
                outcome.add_metric([name, one], float(one == run.status))
        yield from (ended, duration, late, outcome)

    def _model(self) -> Iterator[Metric]:
        from hazecast.services.work.verification import serving_id, standing_of

        if self._standing is None or time.monotonic() > self._standing[0]:
            standing = standing_of(self._store, serving_id(self._settings))
            self._standing = (time.monotonic() + _STANDING_SECONDS, standing)
        behind = _gauge(
            "hazecast_model_behind_baseline", "1 where the model in service falls behind.", "baseline", "pollutant"
        )
        worst: dict[tuple[str, str], float] = {}
        for verdict in self._standing[1].verdicts:
            key = (verdict.baseline, verdict.pollutant)
            worst[key] = max(worst.get(key, 0.0), float(verdict.behind))
        for labels, value in worst.items():
            behind.add_metric(labels, value)
        yield behind

    def _deliveries(self) -> Iterator[Metric]:
        deliveries = _gauge("hazecast_deliveries", "Messages to subscribers, by state.", "state")
        oldest = _gauge("hazecast_delivery_oldest_timestamp_seconds", "When the oldest message waiting was made.")
        query = select(Delivery.state, func.count(), func.min(Delivery.created_at)).group_by(Delivery.state)
        with self._store.engine.connect() as connection:
            for name, count, first in connection.execute(query):
                deliveries.add_metric([name], count)
                if name == "pending":
                    oldest.add_metric([], _seconds(first))
        yield from (deliveries, oldest)

    def _studies(self) -> Iterator[Metric]:
        jobs = _gauge("hazecast_study_jobs", "Studies run as jobs: those that wait or run.", "state")
        recent = _gauge("hazecast_study_jobs_recent", "Those that ended in the last 24 h.", "outcome")
        for name, count in states_since(self._store, self._clock() - RECENT).items():
            (jobs if name in OPEN else recent).add_metric([name], count)
        yield from (jobs, recent)


def _gauge(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, labels=labels)


def _seconds(observed: datetime) -> float:
    # An aggregate of SQLite's may come back without its zone.
    return in_utc(observed).timestamp()


def _database_bytes(store: Store) -> int:
    if store.engine.dialect.name == "postgresql":
        with store.engine.connect() as connection:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    path = Path(str(store.engine.url.database))
    return sum(part.stat().st_size for part in (path, path.with_name(f"{path.name}-wal")) if part.exists())


def _version() -> str:
    try:
        return version("hazecast")
    except PackageNotFoundError:
        return "unknown"
