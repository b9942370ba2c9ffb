"""What the jobs do; each is called with the settings and the time it was due. Heavy imports wait until then."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.spec import JobResult
from hazecast.services.store.locks import store_locked
from hazecast.services.store.store import Store

if TYPE_CHECKING:
    from hazecast.services.work.report import CycleReport

log = logging.getLogger(__name__)


class CycleBusy(RuntimeError):  # noqa: N818 a state, not a fault
    """Another process is running a cycle."""


@contextmanager
def cycle_lock(settings: Settings, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the one lock under which a cycle runs.

    Parameters
    ----------
    settings : Settings
    wait_seconds : float
        How long to wait for another process that holds it.

    Yields
    ------
    None

    Raises
    ------
    CycleBusy
        If another process still runs one after `wait_seconds`.
    """
    busy = CycleBusy("another process is running a cycle")
    with store_locked(settings.database_url, "cycle", busy, wait_seconds):
        yield


def cycle(settings: Settings, due: datetime, clock: Clock = utc_now) -> JobResult:
    """Run a forecast cycle, and make ahead what readers will ask for.

    Parameters
    ----------
    settings : Settings
    due : datetime
        When the run was due.
    clock : callable
        Gives the time, aware.

    Returns
    -------
    JobResult
        ``degraded`` with the reasons where the cycle was.
    """
    with cycle_lock(settings, wait_seconds=60.0):
        report = scheduled_cycle(settings)
    from hazecast.services.work.cycle_products import make_products

    unmade = make_products(settings, clock())
    summary = f"init time {format_time(report.init_time)}, {len(report.lines)} cities, {len(report.warnings)} messages"
    # What could not be made is made on demand: no fault of the forecast.
    if unmade:
        summary += f"; {len(unmade)} products not made"
    if report.status == "degraded":
        return JobResult("degraded", f"{summary}; {'; '.join(report.reasons)}")
    return JobResult("done", summary)


def scheduled_cycle(settings: Settings) -> CycleReport:
    """Run a cycle; with live weather or live observations, fetch the newest first.

    If fetching fails, the cycle runs all the same and reports what was missing.
    """
    from hazecast.services.work.cycle import run_cycle
    from hazecast.services.work.ingest.ingest import ingest_live

    if settings.live:
        try:
            ingest_live(settings)
        except Exception:
            log.exception("ingest failed; the cycle runs with what is there")
    return run_cycle(settings)


def ingest(settings: Settings, due: datetime) -> JobResult:
    """Fetch the newest weather and observations.

    Parameters
    ----------
    settings : Settings
    due : datetime
        When the run was due.

    Returns
    -------
    JobResult
        ``degraded`` with the reasons where a part is missing.

    Raises
    ------
    RuntimeError
        If nothing was fetched.
    """
    from hazecast.services.work.ingest.ingest import ingest_live

    report = ingest_live(settings)
    if report.status == "failed":
        raise RuntimeError("; ".join(report.reasons))
    return JobResult("degraded" if report.reasons else "done", "; ".join(report.reasons) or None)


def backfill(settings: Settings, due: datetime, clock: Clock = utc_now) -> JobResult:
    """Fill the holes that an outage left in observations and weather.

    Parameters
    ----------
    settings : Settings
    due : datetime
        When the run was due.
    clock : callable
        Gives the time, aware.

    Returns
    -------
    JobResult
        ``degraded`` with the reasons where a source could not be asked; what publishers don't have is no fault.
    """
    from hazecast.services.work.ingest.backfill import fill_holes

    report = fill_holes(settings, clock)
    summary = "; ".join((*(one.summary for one in report.filled), *report.problems))
    return JobResult("degraded" if report.problems else "done", summary or None)


def watch(settings: Settings, due: datetime, clock: Clock = utc_now) -> JobResult:
    """Take the tables that were delivered into the watched folder.

    Parameters
    ----------
    settings : Settings
    due : datetime
        When the run was due.
    clock : callable
        Gives the time, aware.

    Returns
    -------
    JobResult
        ``degraded`` with the first problem of each table that was not taken whole.
    """
    from hazecast.services.work.ingest.watched import take_delivered

    taken = take_delivered(settings, clock)
    problems = [f"{table.name}: {table.outcome}, {table.problems[0]}" for table in taken if table.problems]
    if problems:
        return JobResult("degraded", "; ".join(problems))
    return JobResult(
        "done", f"{len(taken)} tables, {sum(table.saved.new for table in taken)} new values" if taken else None
    )


def composition(settings: Settings, due: datetime, clock: Clock = utc_now) -> JobResult:
    """Fetch the newest run of a chemistry model.

    Parameters
    ----------
    settings : Settings
    due : datetime
        When the run was due.
    clock : callable
        Gives the time, aware.

    Returns
    -------
    JobResult
        ``degraded`` with the reasons where there is no run or it is late; forecasts do without it.
    """
    from hazecast.services.work.ingest.ingest import ingest_composition

    reasons = ingest_composition(settings, clock).reasons
    return JobResult("degraded" if reasons else "done", "; ".join(reasons) or None)


def verification(settings: Settings, due: datetime, clock: Clock = utc_now) -> JobResult:
    """Score the forecasts whose valid times have passed.

    Parameters
    ----------
    settings : Settings
    due : datetime
        When the run was due.
    clock : callable
        Gives the time, aware.

    Returns
    -------
    JobResult
    """
    from hazecast.services.work.verification import verify

    store = Store(settings.database_url, clock, settings.data_dir)
    try:
        report = verify(settings, store, clock())
    finally:
        store.close()
    return JobResult("done", f"{report.pairs} pairs of {report.days} days; {' '.join(report.standing.sentences)}")


def janitor(settings: Settings, due: datetime, clock: Clock = utc_now) -> JobResult:
    """Remove what is older than the settings keep it.

    Parameters
    ----------
    settings : Settings
    due : datetime
        When the run was due.
    clock : callable
        Gives the time, aware.

    Returns
    -------
    JobResult
    """
    from hazecast.services.scheduling.history import JobHistory
    from hazecast.services.store.composition_cycles import CompositionStore
    from hazecast.services.store.partitions import make_months
    from hazecast.services.store.retention import prune
    from hazecast.services.store.weather_archive import prune_weather_archive
    from hazecast.services.store.weather_cycles import WeatherStore
    from hazecast.services.work.ingest.weather import remove_old

    now = clock()
    store = Store(settings.database_url, clock, settings.data_dir)
    try:
        runs = JobHistory(store.engine.begin).prune(now - timedelta(days=settings.schedule.job_history_days))
        with store.writing() as connection:
            make_months(connection, now)
    finally:
        store.close()
    cycles = remove_old(settings, WeatherStore(settings.weather_dir), now)
    if settings.ingest.composition_keep_days is not None:
        limit = now - timedelta(days=settings.ingest.composition_keep_days)
        cycles += CompositionStore(settings.composition_dir).prune(limit)
    pruned = prune(settings, now)
    archived = prune_weather_archive(settings.archive_dir, settings.ingest.archive_days, now)
    summary = f"{pruned.total} rows and {pruned.files} files of old forecasts and observations, {runs} runs of jobs"
    return JobResult(
        "done",
        f"removed: {summary}, {cycles} cycles of weather and composition, {archived} parts of the weather archive",
    )


def retrain(settings: Settings, due: datetime, clock: Clock = utc_now) -> JobResult:
    """Train the network on the store and compare it with the model in service.

    Parameters
    ----------
    settings : Settings
    due : datetime
        When the run was due.
    clock : callable
        Gives the time, aware.

    Returns
    -------
    JobResult
        ``degraded`` with the reason where the store holds too little to learn from.
    """
    from hazecast.services.research.retraining import retrain as train_and_compare

    # In a process of its own, which yields to cycles and answers.
    os.nice(10)
    try:
        return JobResult("done", str(train_and_compare(settings, clock=clock)))
    except InputError as error:
        return JobResult("degraded", str(error))
