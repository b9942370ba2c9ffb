"""When each scheduled job is due next: the table ``scheduled_job``, and the due times that have passed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.triggers.base import BaseTrigger
from sqlalchemy import Connection, delete, select

from hazecast.services.scheduling.spec import Schedule, schedule_from
from hazecast.services.store.tables.jobs import ScheduledJob
from hazecast.services.store.upsert import upsert


@dataclass(frozen=True)
class NextRun:
    """When a job is due next, by the schedule that it had when this was stored; `due` is None for never again."""

    schedule: Schedule
    due: datetime | None


class DueTimes:
    """The next due time of every scheduled job.

    Parameters
    ----------
    begin : callable
        Opens a transaction. Those that change a due time must be the leader's own (`Fence.begin`), so that no
        other process moves it.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._begin = begin

    def all(self) -> dict[str, NextRun]:
        """Return the stored jobs by name."""
        query = select(ScheduledJob.id, ScheduledJob.next_run_time, ScheduledJob.job_state)
        with self._begin() as connection:
            rows = connection.execute(query).all()
        return {row.id: NextRun(schedule_from(row.job_state["schedule"]), _time(row.next_run_time)) for row in rows}

    def next_runs(self) -> dict[str, datetime]:
        """Return when each job is due next; jobs that are never due again are left out."""
        with self._begin() as connection:
            rows = connection.execute(select(ScheduledJob.id, ScheduledJob.next_run_time)).all()
        return {row.id: due for row in rows if (due := _time(row.next_run_time)) is not None}

    def put(self, name: str, schedule: Schedule, due: datetime | None) -> None:
        """Store when a job is due next.

        Parameters
        ----------
        name : str
        schedule : Schedule
            By which `due` was computed: a later leader with another schedule computes it again.
        due : datetime, optional
            Aware; None for never again.
        """
        row = {
            "id": name,
            "next_run_time": None if due is None else due.timestamp(),
            "job_state": {"schedule": schedule.as_dict()},
        }
        with self._begin() as connection:
            upsert(connection, ScheduledJob, [row])

    def remove(self, name: str) -> None:
        """Remove a job that is no longer scheduled."""
        with self._begin() as connection:
            connection.execute(delete(ScheduledJob).where(ScheduledJob.id == name))


def passed_due_times(
    trigger: BaseTrigger, due: datetime | None, now: datetime
) -> tuple[list[datetime], datetime | None]:
    """List the due times up to now.

    Parameters
    ----------
    trigger : BaseTrigger
    due : datetime, optional
        The first due time; None for never.
    now : datetime
        Aware.

    Returns
    -------
    passed : list of datetime
        UTC, in order; empty if `due` is in the future.
    following : datetime or None
        The first due time after now, UTC; None for never.
    """
    passed = []
    while due is not None and due <= now:
        passed.append(due)
        due = next_due_time(trigger, due, now)
    return passed, due


def next_due_time(trigger: BaseTrigger, previous: datetime | None, now: datetime) -> datetime | None:
    """Return when a trigger fires next.

    Parameters
    ----------
    trigger : BaseTrigger
    previous : datetime, optional
        The due time after which the next one is wanted; without it, the first at `now` or later.
    now : datetime
        Aware.

    Returns
    -------
    datetime or None
        UTC; None for never again.
    """
    due: datetime | None = trigger.get_next_fire_time(previous, now)
    return None if due is None else due.astimezone(UTC)


def _time(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
