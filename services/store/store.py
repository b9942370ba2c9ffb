"""The store: forecasts, observations, warnings and the outcome of every cycle."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import xarray as xr
from sqlalchemy import Connection, delete, insert, select, update

from hazecast.alerts.engine.warning import HazeWarning, in_force_at, standing_at
from hazecast.grids.contract import LEAD_HOURS, check
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.errors import StoreError
from hazecast.services.store.database import Sessions, make_engine, migrate, redacted, writing
from hazecast.services.store.drafts import approved_ids, save_drafts, warning_row
from hazecast.services.store.locks import Lock, cycle_lock, lock_until_commit
from hazecast.services.store.outbox import record_run
from hazecast.services.store.recovery import clear_files, note_files, recover
from hazecast.services.store.rows import (
    forecast_digest,
    in_parts,
    observation_rows,
    run_row,
    value_rows,
)
from hazecast.services.store.run_files import remove_run_file
from hazecast.services.store.tables.forecasts import CycleRun, ForecastRun, ForecastValue, Observation, Warning_
from hazecast.services.store.upsert import upsert

# No warning outlives its window, which ends with the forecast or the next two days at the latest.
LONGEST_WARNING = timedelta(hours=LEAD_HOURS + 48)


class Store:
    """A database, SQLite or PostgreSQL, with the files that it names; see `hazecast.services.store.database`.

    Parameters
    ----------
    database_url : str
        SQLAlchemy URL.
    clock : callable
        Gives the current time, aware, for when rows were written.
    files : Path, optional
        The data folder, below which the files lie; by default the folder of SQLite's file.
    """

    def __init__(self, database_url: str, clock: Clock = utc_now, files: Path | None = None) -> None:
        self.url = database_url
        self.clock = clock
        self.engine = make_engine(database_url, files)
        self.sessions = self._session = Sessions(self.engine)
        self._cycle_locks: dict[int, Lock] = {}

    def close(self) -> None:
        """Give all connections and locks back."""
        while self._cycle_locks:
            self._cycle_locks.popitem()[1].release()
        self.engine.dispose()

    def migrate(self, revision: str = "head") -> None:
        """Bring the schema to `revision`; ``base`` drops all tables."""
        migrate(self.engine, revision)

    def writing(self) -> AbstractContextManager[Connection]:
        """Open a transaction that writes; committed at the end, undone by an error."""
        return writing(self.engine)

    def begin_cycle(self, init_time: datetime | None, simulated: bool) -> int:
        """Note the start of a cycle; others see it running until it is finished or killed.

        Parameters
        ----------
        init_time : datetime or None
            Aware; None if it is not known yet.
        simulated : bool

        Returns
        -------
        int
            Id of the cycle.

        Raises
        ------
        StoreError
            If the database can't be written, or another process holds the lock of that id.
        """
        with self._session.begin() as session:
            row = CycleRun(init_time=init_time, simulated=simulated, status="running", started_at=self.clock())
            session.add(row)
            session.flush()
            # Before anyone can see the row: a cycle without its lock is taken for dead.
            lock = cycle_lock(self.engine, row.id)
            if not lock.acquire():
                raise StoreError(f"{redacted(self.url)}: another process holds the lock of cycle {row.id}")
            self._cycle_locks[row.id] = lock
            return row.id

    def note_files(self, cycle_id: int, init_time: datetime, simulated: bool, files: Sequence[Path]) -> None:
        """Note what a cycle is about to write: if it is killed, the next one removes it.

        Parameters
        ----------
        cycle_id : int
        init_time : datetime
            Aware.
        simulated : bool
        files : sequence of Path

        Raises
        ------
        StoreError
            If another process took the cycle for dead.
        """
        with self._session.begin() as session:
            note_files(session, cycle_id, map(str, files), init_time=init_time, simulated=simulated)

    def finish_cycle(
        self, cycle_id: int, status: str, *, error: str | None = None, report: dict[str, object] | None = None
    ) -> None:
        """Note how a cycle ended, and release its lock.

        Parameters
        ----------
        cycle_id : int
        status : {"done", "degraded", "failed"}
            Files of a failed one are removed.
        error : str, optional
            What made it fail.
        report : dict, optional
            JSON values; NaN is stored as null.
        """
        values: dict[str, Any] = {"status": status, "error": error, "finished_at": self.clock()}
        if report is not None:
            # JSON has no NaN: PostgreSQL refuses it.
            values["report"] = json.loads(json.dumps(report), parse_constant=lambda _: None)
        with self._session.begin() as session:
            session.execute(update(CycleRun).where(CycleRun.id == cycle_id).values(**values))
        if status == "failed":
            clear_files(self.sessions, cycle_id)
        if cycle_id in self._cycle_locks:
            self._cycle_locks.pop(cycle_id).release()

    def recover(self) -> int:
        """Mark cycles that a dead process left running as failed and remove their files; return how many cycles."""
        return recover(self.engine, self.sessions, self.clock()).cycles

    def cycles(self, limit: int = 20, before: int | None = None) -> Sequence[CycleRun]:
        """Return the newest cycles, newest first.

        Parameters
        ----------
        limit : int
        before : int, optional
            Only cycles with a smaller id, for the next page.

        Returns
        -------
        sequence of CycleRun
        """
        query = select(CycleRun).order_by(CycleRun.id.desc()).limit(limit)
        with self._session() as session:
            return session.scalars(query if before is None else query.where(CycleRun.id < before)).all()

    def save_run(
        self,
        forecast: xr.Dataset,
        observations: xr.Dataset,
        warnings: Sequence[HazeWarning],
        *,
        netcdf_path: Path,
        map_path: Path,
        cycle_id: int,
        proposals: Sequence[HazeWarning] = (),
        drafted: Collection[tuple[str, str]] = (),
    ) -> None:
        """Store a run completely, in one transaction, in place of an earlier one of its init time.

        Parameters
        ----------
        forecast : xarray.Dataset (lead_time, city, quantile)
            Contract "forecast".
        observations : xarray.Dataset (time, city)
            Contract "observations"; what the forecast was made from.
        warnings : sequence of HazeWarning
            Messages that are issued at once.
        netcdf_path, map_path : Path
            Files of the run, written already.
        cycle_id : int
        proposals : sequence of HazeWarning
            Messages that a person must approve.
        drafted : collection of (str, str)
            All rule sets and cities whose messages need approval, so that older proposals are superseded. Messages
            that a
            person approved stay.

        Raises
        ------
        InputError
            If a Dataset breaks the contract; nothing is then stored.
        StoreError
            If the database can't be written, or another process took the cycle for dead; nothing is then stored.
        """
        check(forecast, "forecast", name="forecast")
        check(observations, "observations", name="observations")
        run = run_row(forecast, netcdf_path, map_path, cycle_id, self.clock())
        with self._session.begin() as session:
            lock_until_commit(session, "run")
            old = session.scalar(_same_run(run))
            replaced = {old.netcdf_path, old.map_path} if old is not None else set()
            note_files(session, cycle_id, {run.netcdf_path, run.map_path, *replaced})
            if old is not None:
                session.execute(delete(ForecastValue).where(ForecastValue.run_id == old.id))
                session.delete(old)
            session.execute(
                delete(Warning_).where(
                    Warning_.simulated == run.simulated,
                    Warning_.run_init_time == run.init_time,
                    Warning_.id.not_in(approved_ids(run.init_time, run.simulated)),
                )
            )
            session.flush()
            session.add(run)
            session.flush()
            for rows in value_rows(forecast, run.id):
                session.execute(insert(ForecastValue), rows)
            for part in in_parts(observations):
                upsert(session.connection(), Observation, observation_rows(part, run.simulated))
            session.add_all(warning_row(warning) for warning in warnings)
            save_drafts(session, proposals, drafted, run.init_time, run.simulated, at=run.created_at)
            session.flush()
            record_run(session, run, forecast_digest(forecast), warnings)
        for path in replaced - {run.netcdf_path, run.map_path}:
            remove_run_file(Path(path))

    def latest_run(self, simulated: bool | None = None) -> ForecastRun | None:
        """Return the newest run that is neither withdrawn nor in the future; by default a real one before any simulated one."""
        query = select(ForecastRun).where(ForecastRun.withdrawn_at.is_(None), ForecastRun.init_time <= self.clock())
        query = query.order_by(ForecastRun.init_time.desc()).limit(1)
        with self._session() as session:
            # One kind after the other: each is found by an index.
            found = (
                session.scalar(query.where(ForecastRun.simulated == kind))
                for kind in ((False, True) if simulated is None else (simulated,))
            )
            return next((run for run in found if run is not None), None)

    def run_at(self, init_time: datetime, simulated: bool) -> ForecastRun | None:
        """Return the run of an init time, unless it was withdrawn.

        Parameters
        ----------
        init_time : datetime
            Aware.
        simulated : bool

        Returns
        -------
        ForecastRun or None
        """
        query = select(ForecastRun).where(
            ForecastRun.init_time == init_time, ForecastRun.simulated == simulated, ForecastRun.withdrawn_at.is_(None)
        )
        with self._session() as session:
            return session.scalar(query)

    def warnings_before(self, init_time: datetime, simulated: bool) -> list[HazeWarning]:
        """Return the warnings in force at an init time by the messages of earlier runs alone, also if issued after it.

        Parameters
        ----------
        init_time : datetime
            Aware.
        simulated : bool

        Returns
        -------
        list of HazeWarning
        """
        earlier = self._warnings(
            Warning_.simulated == simulated,
            Warning_.run_init_time < init_time,
            Warning_.run_init_time > init_time - LONGEST_WARNING,
        )
        return standing_at(earlier, init_time)

    def warnings_in_force(self, at: datetime, simulated: bool) -> list[HazeWarning]:
        """Return the warnings in force.

        Parameters
        ----------
        at : datetime
            Aware.
        simulated : bool

        Returns
        -------
        list of HazeWarning
        """
        recent = self._warnings(
            Warning_.simulated == simulated, Warning_.issued <= at, Warning_.issued > at - LONGEST_WARNING
        )
        return in_force_at(recent, at)

    def warning(self, warning_id: str, simulated: bool | None = None) -> HazeWarning | None:
        """Return one message.

        Parameters
        ----------
        warning_id : str
        simulated : bool, optional
            By default either, a real one before a simulated one of the same id.

        Returns
        -------
        HazeWarning or None
        """
        found = [w for w in self._warnings(Warning_.id == warning_id) if simulated in (None, w.simulated)]
        return min(found, key=lambda w: w.simulated, default=None)

    def warnings_of_run(self, init_time: datetime, simulated: bool) -> dict[str, HazeWarning]:
        """Return the messages of a run, by id.

        Parameters
        ----------
        init_time : datetime
            Aware.
        simulated : bool

        Returns
        -------
        dict of str to HazeWarning
        """
        found = self._warnings(Warning_.simulated == simulated, Warning_.run_init_time == init_time)
        return {message.id: message for message in found}

    def _warnings(self, *conditions: Any) -> list[HazeWarning]:
        query = select(Warning_.payload).where(*conditions).order_by(Warning_.issued, Warning_.id)
        with self._session() as session:
            return [HazeWarning.model_validate_json(payload) for payload in session.scalars(query)]


def _same_run(run: ForecastRun) -> Any:
    return select(ForecastRun).where(ForecastRun.init_time == run.init_time, ForecastRun.simulated == run.simulated)
