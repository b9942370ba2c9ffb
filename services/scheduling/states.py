"""The state of the jobs and of their runs, as the API and the command line show it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_RUN_EXAMPLE: dict[str, Any] = {
    "id": 412, "due": "2026-01-15T21:40:00Z", "attempt": 1, "manual": False, "status": "done",
    "started_at": "2026-01-15T21:40:01Z", "finished_at": "2026-01-15T21:40:38Z", "lateness_seconds": 1.2,
    "duration_seconds": 36.9, "skipped": 0, "runner": "scheduler-1:7", "error": None,
    "detail": "init time 2026-01-15T21:00:00Z, 28 cities, 4 messages",
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
