"""Recovery from killed cycles: they are found by the lock that a running cycle holds, and their files are removed.

A cycle notes which files it is about to write before it does. If it is killed, the next one finds its lock free,
marks it failed, and removes those of its files that no stored run names.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, null, or_, select, update
from sqlalchemy.orm import Session

from hazecast.services.core.errors import StoreError
from hazecast.services.store.database import Sessions
from hazecast.services.store.locks import cycle_lock, is_free, remove_stale_cycle_locks
from hazecast.services.store.run_files import remove_run_file
from hazecast.services.store.tables.forecasts import CycleRun, ForecastRun

log = logging.getLogger(__name__)

INTERRUPTED = "interrupted"
INTERRUPTED_LATE = "interrupted after its forecast was stored"
_FILES = "files"
# How long PostgreSQL is given, in seconds, to see that the process of a session is gone.
_PATIENCE = 5.0


@dataclass(frozen=True)
class Recovered:
    """How many cycles had been killed, and how many files they had left."""

    cycles: int = 0
    files: int = 0


def note_files(session: Session, cycle_id: int, files: Iterable[str], **values: Any) -> None:
    """Note what a running cycle is about to write or to replace, within the caller's transaction.

    Parameters
    ----------
    session : Session
    cycle_id : int
    files : iterable of str
        Paths. They replace those noted before.
    **values : object
        Other columns of the cycle's row to set.

    Raises
    ------
    StoreError
        If another process took the cycle for dead, so that its files may be gone.
    """
    row = session.get(CycleRun, cycle_id, with_for_update=True)
    if row is None or row.status != "running":
        raise StoreError(f"cycle {cycle_id} was given up by another process: its connection had been lost")
    row.report = {_FILES: sorted(files)}
    for name, value in values.items():
        setattr(row, name, value)


def recover(engine: Engine, sessions: Sessions, at: datetime) -> Recovered:
    """Mark the cycles that a dead process left running as failed, and remove their files.

    Parameters
    ----------
    engine : Engine
    sessions : Sessions
    at : datetime
        The current time, aware, as the end of those cycles.

    Returns
    -------
    Recovered
    """
    with sessions() as session:
        running = session.scalars(select(CycleRun.id).where(CycleRun.status == "running")).all()
    dead = _dead(engine, running)
    if dead:
        with sessions.begin() as session:
            session.execute(
                update(CycleRun)
                .where(CycleRun.id.in_(dead), CycleRun.status == "running")
                .values(status="failed", error=INTERRUPTED, finished_at=at)
            )
    remove_stale_cycle_locks(engine)
    with sessions() as session:
        failed = select(CycleRun.id).where(CycleRun.status == "failed")
        left = session.scalars(failed.where(or_(CycleRun.report.is_not(null()), CycleRun.id.in_(dead)))).all()
    removed = sum(clear_files(sessions, cycle_id) for cycle_id in left)
    if dead or removed:
        log.warning("%d interrupted cycles (%s), %d of their files removed", len(dead), _listed(dead), removed)
    return Recovered(len(dead), removed)


def clear_files(sessions: Sessions, cycle_id: int) -> int:
    """Remove the files of a failed cycle that no stored run names.

    Parameters
    ----------
    sessions : Sessions
    cycle_id : int

    Returns
    -------
    int
        How many files were removed; 0 if the cycle didn't fail.
    """
    with sessions() as session:
        row = session.get(CycleRun, cycle_id)
        if row is None or row.status != "failed":
            return 0
        files = [str(name) for name in (row.report or {}).get(_FILES, [])]  # type: ignore[attr-defined]
        stored = session.scalar(select(ForecastRun.id).where(ForecastRun.cycle_id == cycle_id))
        wanted = _named(session, files)
    removed = sum(remove_run_file(Path(name)) for name in files if name not in wanted)
    values: dict[str, Any] = {"report": null()}
    if stored is not None and row.error == INTERRUPTED:
        values |= {"status": "degraded", "error": INTERRUPTED_LATE}
    with sessions.begin() as session:
        session.execute(update(CycleRun).where(CycleRun.id == cycle_id).values(**values))
    return removed


def _named(session: Session, files: Sequence[str]) -> set[str]:
    query = select(ForecastRun.netcdf_path, ForecastRun.map_path).where(
        or_(ForecastRun.netcdf_path.in_(files), ForecastRun.map_path.in_(files))
    )
    return {name for row in session.execute(query) for name in row}


def _dead(engine: Engine, running: Sequence[int]) -> list[int]:
    """Return those whose lock is free. PostgreSQL may need a moment to see that a process is gone."""
    dead: list[int] = []
    end = time.monotonic() + (_PATIENCE if engine.dialect.name == "postgresql" else 0.0)
    while True:
        dead += [cycle_id for cycle_id in running if cycle_id not in dead and is_free(cycle_lock(engine, cycle_id))]
        if len(dead) == len(running) or time.monotonic() >= end:
            return dead
        time.sleep(0.1)


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids)) or "none new"
