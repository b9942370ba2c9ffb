"""Cycles that were killed: they are found by the lock that a running cycle holds, and leave nothing behind.

A cycle notes which files it is about to write before it does. If it is killed, the next one finds its lock free,
marks it failed, and removes those of its files that no stored run names.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, null, or_, select, text, update
from sqlalchemy.orm import Session

from hazecast.services.core.errors import StoreError
from hazecast.services.core.files import remove_file
from hazecast.services.store.database import Sessions
from hazecast.services.store.tables.forecasts import CycleRun, ForecastRun

log = logging.getLogger(__name__)

INTERRUPTED = "interrupted"
INTERRUPTED_LATE = "interrupted after its forecast was stored"
# First key of the advisory locks of running cycles; the second is the cycle's id.
_RUNNING = 0x4A5F
_FILES = "files"
# How long PostgreSQL is given, in seconds, to see that the process of a session is gone.
_PATIENCE = 5.0


@dataclass(frozen=True)
class Recovered:
    """How many cycles had been killed, and how many files they had left."""

    cycles: int = 0
    files: int = 0


class Mark(Protocol):
    """The lock of one cycle; the system frees it if the process is killed."""

    def take(self) -> bool:
        """Take it if it is free; return whether it was."""

    def free(self) -> None:
        """Give it back."""


def mark_of(engine: Engine, cycle_id: int) -> Mark:
    """Return the lock of a cycle: a file beside SQLite's, or PostgreSQL's advisory lock."""
    if engine.dialect.name == "postgresql":
        return _AdvisoryMark(engine, cycle_id)
    return _FileMark(Path(f"{engine.url.database}.cycle{cycle_id}.lock"))


class _FileMark:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path, timeout=0, thread_local=False)

    def take(self) -> bool:
        try:
            self._lock.acquire()
        except Timeout:
            return False
        except OSError as error:
            raise StoreError(f"{self._path}: can't be written: {error}") from error
        return True

    def free(self) -> None:
        # Removed while held: whoever opened it before waits for nothing, since ids aren't used twice.
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._lock.release(force=True)


class _AdvisoryMark:
    def __init__(self, engine: Engine, cycle_id: int) -> None:
        self._engine, self._keys = engine, {"a": _RUNNING, "b": cycle_id}
        self._connection: Connection | None = None

    def take(self) -> bool:
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if self._connection.execute(text("SELECT pg_try_advisory_lock(:a, :b)"), self._keys).scalar():
            return True
        self.free()
        return False

    def free(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(StoreError):
                connection.execute(text("SELECT pg_advisory_unlock(:a, :b)"), self._keys)
            connection.close()


def note_files(session: Session, cycle_id: int, files: Iterable[str], **values: Any) -> None:
    """Note what a running cycle is about to write or to replace, within the caller's transaction.

    Raises
    ------
    StoreError
        If the cycle has been given up, so that its files may be gone.
    """
    row = session.get(CycleRun, cycle_id, with_for_update=True)
    if row is None or row.status != "running":
        raise StoreError(f"cycle {cycle_id} was given up by another process: its connection had been lost")
    row.report = {_FILES: sorted(files)}
    for name, value in values.items():
        setattr(row, name, value)


def recover(engine: Engine, sessions: Sessions, at: datetime) -> Recovered:
    """Mark the cycles that a dead process left running, and remove what they left of files."""
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
    _sweep_marks(engine)
    with sessions() as session:
        failed = select(CycleRun.id).where(CycleRun.status == "failed")
        left = session.scalars(failed.where(or_(CycleRun.report.is_not(null()), CycleRun.id.in_(dead)))).all()
    removed = sum(clear_files(sessions, cycle_id) for cycle_id in left)
    if dead or removed:
        log.warning("%d interrupted cycles (%s), %d of their files removed", len(dead), _listed(dead), removed)
    return Recovered(len(dead), removed)


def clear_files(sessions: Sessions, cycle_id: int) -> int:
    """Remove the files of a failed cycle that no stored run names; return how many."""
    with sessions() as session:
        row = session.get(CycleRun, cycle_id)
        if row is None or row.status != "failed":
            return 0
        files = [str(name) for name in (row.report or {}).get(_FILES, [])]  # type: ignore[attr-defined]
        stored = session.scalar(select(ForecastRun.id).where(ForecastRun.cycle_id == cycle_id))
        wanted = _named(session, files)
    removed = sum(remove_file(Path(name)) for name in files if name not in wanted)
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
        dead += [cycle_id for cycle_id in running if cycle_id not in dead and _is_free(mark_of(engine, cycle_id))]
        if len(dead) == len(running) or time.monotonic() >= end:
            return dead
        time.sleep(0.1)


def _is_free(mark: Mark) -> bool:
    if not mark.take():
        return False
    mark.free()
    return True


def _sweep_marks(engine: Engine) -> None:
    """Remove the lock files of cycles killed after they were finished, or before anyone could see them."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        database = Path(engine.url.database)
        for path in database.parent.glob(f"{database.name}.cycle*.lock"):
            _is_free(_FileMark(path))


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids)) or "none new"
