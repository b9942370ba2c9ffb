"""The record of every run: claimed, running, ended, missed."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.store.tables.jobs import JobRun, SchedulerBeat
from hazecast.services.store.upsert import upsert

OPEN = ("due", "running")
ENDED_WELL = ("done", "degraded")
OUTCOMES = (*ENDED_WELL, "failed", "timeout", "interrupted", "missed")
_RUN = cast(Table, JobRun.__table__)
# How the error of a run begins that could not use the store.
STORE_FAULT = "StoreError: "
_LONGEST = 4_000
# Longer than the time between signs of life (seconds), and than another process needs to take over.
SILENT_AFTER = timedelta(seconds=60)
# How far the clocks of two machines may differ.
_CLOCKS_APART = timedelta(seconds=10)


def runner_name() -> str:
    """Return a name for this process that is unique among those on one store: host and process id."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}"


def beat_fault(beat: Row[Any] | None, now: datetime, silent_after: timedelta = SILENT_AFTER) -> str | None:
    """Return what is wrong with the leader's last sign of life, in words.

    Parameters
    ----------
    beat : Row or None
        See `JobHistory.last_beat`.
    now : datetime
        Aware.
    silent_after : timedelta
        Its greatest age.

    Returns
    -------
    str or None
        None if a scheduler leads.
    """
    if beat is None:
        return "none has run on this store"
    age = now - beat.beat_at
    if age > silent_after:
        return f"silent for {age.total_seconds():.0f} s: no job is fired"
    if age < -_CLOCKS_APART:
        return f"its last sign of life is {-age.total_seconds():.0f} s in the future: a clock is or was wrong"
    return None


class JobHistory:
    """The runs of all jobs.

    Parameters
    ----------
    begin : callable
        Opens a transaction: an engine's own, or the one that only the leader can make (`Fence.begin`).
    clock : callable
        Gives the time, aware.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Connection]], clock: Clock = utc_now) -> None:
        self._begin, self._clock = begin, clock

    def claim(
        self, name: str, due: datetime, *, attempt: int = 1, skipped: int = 0, manual: bool = False
    ) -> int | None:
        """Claim a run: of all processes that try, one succeeds.

        Parameters
        ----------
        name : str
            The job.
        due : datetime
            Aware.
        attempt : int
            1, or more where the process of an earlier attempt died.
        skipped : int
            How many other due times the run replaces.
        manual : bool
            Whether it was started manually.

        Returns
        -------
        int or None
            The id of the run; None if it was claimed before.
        """
        return self._add(name, due, "due", attempt=attempt, skipped=skipped, manual=manual)

    def missed(self, name: str, due: Sequence[datetime], reason: str) -> None:
        """Record due times that are not run: one row for all, at the last of them.

        Parameters
        ----------
        name : str
            The job.
        due : sequence of datetime
            In order; one at least.
        reason : str
        """
        now = self._clock()
        self._add(name, due[-1], "missed", skipped=len(due) - 1, error=reason, finished_at=now)

    def _add(self, name: str, due: datetime, status: str, **given: Any) -> int | None:
        values = {"attempt": 1, "skipped": 0, "manual": False} | given
        values |= {"name": name, "due": due, "status": status, "runner": runner_name(), "claimed_at": self._clock()}
        try:
            with self._begin() as connection:
                return int(connection.execute(insert(_RUN).values(**values).returning(_RUN.c.id)).scalar_one())
        except IntegrityError:
            return None

    def skip(self, name: str, count: int) -> None:
        """Add to the due times that the unfinished runs of a job replace.

        Parameters
        ----------
        name : str
            The job.
        count : int
        """
        change = update(_RUN).where(_RUN.c.name == name, _RUN.c.status.in_(OPEN))
        with self._begin() as connection:
            connection.execute(change.values(skipped=_RUN.c.skipped + count))

    def start(self, run_id: int) -> bool:
        """Record that a claimed run starts; return False if it must not start any more."""
        return self._change(run_id, ("due",), status="running", started_at=self._clock(), runner=runner_name())

    def finish(self, run_id: int, status: str, *, detail: str | None = None, error: str | None = None) -> bool:
        """Record how a run ended.

        Parameters
        ----------
        run_id : int
        status : str
            One of `OUTCOMES`.
        detail : str, optional
            What it did, in a sentence.
        error : str, optional
            What went wrong.

        Returns
        -------
        bool
            False if an end was recorded before; it stays.
        """
        texts = {"detail": detail and detail[:_LONGEST], "error": error and error[:_LONGEST]}
        return self._change(run_id, OPEN, status=status, finished_at=self._clock(), **texts)

    def _change(self, run_id: int, of: Sequence[str], **values: Any) -> bool:
        change = update(_RUN).where(_RUN.c.id == run_id, _RUN.c.status.in_(of)).values(**values)
        with self._begin() as connection:
            return connection.execute(change).rowcount == 1

    def unfinished(self) -> Sequence[Row[Any]]:
        """Return the runs that were claimed and have not ended."""
        return self._rows(select(_RUN).where(_RUN.c.status.in_(OPEN)).order_by(_RUN.c.id))

    def interrupted(self, name: str, since: datetime) -> Sequence[Row[Any]]:
        """Return the scheduled runs of a job whose last attempt was interrupted.

        Parameters
        ----------
        name : str
            The job.
        since : datetime
            Only those due at this time or later.

        Returns
        -------
        sequence of Row
            By due time.
        """
        later = _RUN.alias()
        again = select(later.c.id).where(
            later.c.name == _RUN.c.name, later.c.due == _RUN.c.due, later.c.attempt > _RUN.c.attempt
        )
        query = select(_RUN).where(_RUN.c.name == name, _RUN.c.status == "interrupted", _RUN.c.due >= since)
        return self._rows(query.where(~_RUN.c.manual, ~again.exists()).order_by(_RUN.c.due))

    def run(self, run_id: int) -> Row[Any]:
        """Return a run."""
        row: Row[Any] = self._rows(select(_RUN).where(_RUN.c.id == run_id))[0]
        return row

    def runs(self, name: str, limit: int = 20, before: int | None = None) -> Sequence[Row[Any]]:
        """Return the newest runs of a job.

        Parameters
        ----------
        name : str
            The job.
        limit : int
        before : int, optional
            Only runs with a smaller id, for the next page.

        Returns
        -------
        sequence of Row
            Newest first.
        """
        query = select(_RUN).where(_RUN.c.name == name).order_by(_RUN.c.id.desc()).limit(limit)
        return self._rows(query if before is None else query.where(_RUN.c.id < before))

    def latest(self, *statuses: str) -> dict[str, Row[Any]]:
        """Return the newest run of each job by its name, of all runs or of those with one of the statuses."""
        newest = select(func.max(_RUN.c.id)).group_by(_RUN.c.name)
        if statuses:
            newest = newest.where(_RUN.c.status.in_(statuses))
        return {row.name: row for row in self._rows(select(_RUN).where(_RUN.c.id.in_(newest)))}

    def counts(self, since: datetime) -> dict[tuple[str, str], int]:
        """Count the runs claimed since a time, by job and status."""
        query = select(_RUN.c.name, _RUN.c.status, func.count().label("runs")).where(_RUN.c.claimed_at >= since)
        rows = self._rows(query.group_by(_RUN.c.name, _RUN.c.status))
        return {(row.name, row.status): row.runs for row in rows}

    def prune(self, before: datetime) -> int:
        """Remove the ended runs claimed before a time, except the newest of each job; return how many."""
        kept = select(func.max(_RUN.c.id)).group_by(_RUN.c.name)
        old = delete(_RUN).where(_RUN.c.claimed_at < before, _RUN.c.status.not_in(OPEN), _RUN.c.id.not_in(kept))
        with self._begin() as connection:
            return connection.execute(old).rowcount

    def beat(self, leading_since: datetime) -> None:
        """Record the leader's sign of life."""
        row = {"id": 1, "runner": runner_name(), "leading_since": leading_since, "beat_at": self._clock()}
        with self._begin() as connection:
            upsert(connection, SchedulerBeat, [row])

    def last_beat(self) -> Row[Any] | None:
        """Return the leader's last sign of life."""
        rows = self._rows(select(SchedulerBeat.__table__))
        return rows[0] if rows else None

    def _rows(self, query: Any) -> Sequence[Any]:
        with self._begin() as connection:
            return connection.execute(query).all()
