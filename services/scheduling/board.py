"""The state of the jobs, as the API and the command line show it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.due import DueTimes
from hazecast.services.scheduling.history import ENDED_WELL, JobHistory
from hazecast.services.scheduling.jobs import all_jobs
from hazecast.services.store.store import Store

_RUN_EXAMPLE: dict[str, Any] = {
    "id": 412, "due": "2026-01-15T21:40:00Z", "attempt": 1, "manual": False, "status": "done",
    "started_at": "2026-01-15T21:40:01Z", "finished_at": "2026-01-15T21:40:38Z", "lateness_seconds": 1.2,
    "duration_seconds": 36.9, "skipped": 0, "runner": "scheduler-1:7", "error": None,
    "detail": "init time 2026-01-15T21:00:00+00:00, 28 cities, 4 messages",
}  # fmt: skip


class RunState(BaseModel):
    """One run of a job."""

    model_config = ConfigDict(json_schema_extra={"example": _RUN_EXAMPLE})

    id: int
    due: datetime
    attempt: int = Field(description="1, or more where an earlier one's process died")
    manual: bool = Field(description="whether it was started manually")
    status: str = Field(
        description="due, running, done, degraded, failed, timeout (stopped at its limit), interrupted (its process "
        "died or was stopped) or missed (never started)"
    )
    started_at: datetime | None
    finished_at: datetime | None
    lateness_seconds: float | None = Field(description="from due to started")
    duration_seconds: float | None
    skipped: int = Field(description="other due times that this run replaces")
    runner: str = Field(description="host and process")
    detail: str | None = Field(description="what it did")
    error: str | None


class JobState(BaseModel):
    """A scheduled job, and how it last ended."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "cycle", "description": "One forecast cycle: forecast, warnings, map.",
                "schedule": "hour 5,17, minute 40 (Asia/Shanghai)", "limit_seconds": 1800.0,
                "missed": "caught up within 3600 s, the latest of several stands for all; later ones are missed",
                "next_run": "2026-01-16T09:40:00Z", "last_run": _RUN_EXAMPLE,
                "last_success": "2026-01-15T21:40:38Z", "last_error": None, "last_error_at": None,
            }
        }
    )  # fmt: skip

    name: str
    description: str
    schedule: str
    limit_seconds: float = Field(description="after which a run is stopped")
    missed: str = Field(description="what happens to runs that were missed")
    next_run: datetime | None = Field(description="null until a scheduler has led")
    last_run: RunState | None
    last_success: datetime | None = Field(description="end of the last run that was done or degraded")
    last_error: str | None = Field(description="of the last run that was neither, whatever came after it")
    last_error_at: datetime | None


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
