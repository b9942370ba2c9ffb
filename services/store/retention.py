"""Retention: old forecasts, cycles, observations and results of studies are removed, old warnings move to files; audit and scores stay."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, delete, exists, func, not_, or_, select

from hazecast.services.core.settings import Settings
from hazecast.services.store.partitions import remove_before
from hazecast.services.store.run_files import remove_run_file
from hazecast.services.store.store import Store
from hazecast.services.store.study_records import prune_jobs
from hazecast.services.store.tables.forecasts import (
    CycleRun,
    EarlierValue,
    ForecastRun,
    ForecastValue,
    Observation,
    StationObservation,
)
from hazecast.services.store.warning_archive import archive_warnings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pruned:
    """How much was removed, or would be: rows by table, and files."""

    rows: dict[str, int]
    files: int

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows.values())


def prune(settings: Settings, now: datetime, *, dry_run: bool = False) -> Pruned:
    """Remove what is older than the settings of retention keep it; run again it finds nothing.

    The newest forecast stays, however old, and so do drafts, audits and scores; old warnings move to files. PostgreSQL drops
    observations by whole months.

    Parameters
    ----------
    settings : Settings
    now : datetime
        Aware.
    dry_run : bool
        Only count.

    Returns
    -------
    Pruned
        Counts of rows by table and of files.

    Raises
    ------
    StoreError
        If the database or a file can't be written.
    """
    store = Store(settings.database_url, files=settings.data_dir)
    try:
        store.migrate()
        rows: dict[str, int] = {}
        files = 0
        if settings.retention.forecast_days is not None:
            limit = now - timedelta(days=settings.retention.forecast_days)
            files = _prune_forecasts(store, limit, now, rows, dry_run)
        if settings.retention.observation_days is not None:
            limit = now - timedelta(days=settings.retention.observation_days)
            _prune_observations(store, limit, rows, dry_run)
        if settings.retention.warning_days is not None:
            limit = now - timedelta(days=settings.retention.warning_days)
            rows["warning"] = archive_warnings(store, settings.data_dir, limit, dry_run=dry_run)
        results = now - timedelta(days=settings.retention.study_days)
        jobs = min(results, now - timedelta(days=settings.schedule.job_history_days))
        rows |= prune_jobs(store, results, jobs, dry_run=dry_run)
    finally:
        store.close()
    pruned = Pruned(rows, files)
    if pruned.total and not dry_run:
        log.info("removed as too old: %s; %d files", rows, files)
    return pruned


def _prune_forecasts(store: Store, limit: datetime, now: datetime, rows: dict[str, int], dry_run: bool) -> int:
    newest = (
        select(func.max(ForecastRun.init_time))
        .where(ForecastRun.init_time <= now, ForecastRun.withdrawn_at.is_(None))
        .group_by(ForecastRun.simulated)
    )
    retained = or_(ForecastRun.init_time >= limit, ForecastRun.init_time.in_(newest))
    with store.sessions() as session:
        runs = session.scalars(select(ForecastRun).where(not_(retained))).all()
    # Files first: of a run without files the next pruning takes the rest, but nothing would find files without a run.
    paths = [Path(name) for run in runs for name in (run.netcdf_path, run.map_path)]
    files = sum(path.exists() if dry_run else remove_run_file(path) for path in paths)
    ids = [run.id for run in runs]
    with store.writing() as connection:
        for some in _split(ids):
            _count(rows, "forecast_value", _remove(connection, ForecastValue, ForecastValue.run_id.in_(some), dry_run))
            _count(rows, "forecast_run", _remove(connection, ForecastRun, ForecastRun.id.in_(some), dry_run))
        of_run = exists().where(ForecastRun.cycle_id == CycleRun.id, retained)
        gone = CycleRun.started_at < limit, CycleRun.status != "running", ~of_run
        _count(rows, "cycle_run", _remove(connection, CycleRun, gone, dry_run))
    return files


def _prune_observations(store: Store, limit: datetime, rows: dict[str, int], dry_run: bool) -> None:
    with store.writing() as connection:
        for table in (EarlierValue, StationObservation, Observation):
            _count(rows, table.__tablename__, remove_before(connection, table, limit, dry_run=dry_run))


def _remove(connection: Connection, table: type, condition: object, dry_run: bool) -> int:
    conditions = condition if isinstance(condition, tuple) else (condition,)
    if dry_run:
        return int(connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())
    return int(connection.execute(delete(table).where(*conditions)).rowcount)


def _count(rows: dict[str, int], name: str, number: int) -> None:
    rows[name] = rows.get(name, 0) + number


def _split(ids: Sequence[int], size: int = 500) -> list[Sequence[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
