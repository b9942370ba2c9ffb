"""The state of the jobs, read from their history."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.due import DueTimes
from hazecast.services.scheduling.history import ENDED_WELL, JobHistory
from hazecast.services.scheduling.jobs import all_jobs
from hazecast.services.scheduling.states import JobState, RunState
from hazecast.services.store.store import Store


def job_states(store: Store, settings: Settings) -> list[JobState]:
    """Return the state of all jobs that the settings ask for.

    Parameters
    ----------
    store : Store
    settings : Settings

    Returns
    -------
    list of JobState
    """
    history, due = JobHistory(store.engine.connect), DueTimes(store.engine.connect).next_runs()
    newest, well = history.latest(), history.latest(*ENDED_WELL)
    badly = history.latest("failed", "timeout", "interrupted", "missed")
    states = []
    for job in all_jobs(settings):
        last, success, error = newest.get(job.name), well.get(job.name), badly.get(job.name)
        states.append(
            JobState(
                name=job.name,
                description=job.description,
                schedule=str(job.schedule),
                limit_seconds=job.limit_seconds,
                missed=job.missed_rule,
                next_run=due.get(job.name),
                last_run=run_state(last) if last else None,
                last_success=success.finished_at if success else None,
                last_error=error.error if error else None,
                last_error_at=error.finished_at if error else None,
            )
        )
    return states


def job_runs(store: Store, name: str, limit: int, before: int | None = None) -> list[RunState]:
    """Return the newest runs of a job.

    Parameters
    ----------
    store : Store
    name : str
        The job.
    limit : int
    before : int, optional
        Only runs with a smaller id, for the next page.

    Returns
    -------
    list of RunState
        Newest first.
    """
    return [run_state(row) for row in JobHistory(store.engine.connect).runs(name, limit, before)]


def run_state(row: Row[Any]) -> RunState:
    """Return a run as the API and the command line show it."""
    started, finished = row.started_at, row.finished_at
    return RunState(
        id=row.id,
        due=row.due,
        attempt=row.attempt,
        manual=row.manual,
        status=row.status,
        started_at=started,
        finished_at=finished,
        lateness_seconds=(started - row.due).total_seconds() if started else None,
        duration_seconds=(finished - started).total_seconds() if started and finished else None,
        skipped=row.skipped,
        runner=row.runner,
        detail=row.detail,
        error=row.error,
    )
