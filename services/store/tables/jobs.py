"""The tables of the scheduler."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, Index, String, Text, Unicode, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hazecast.services.store.tables.forecasts import Base


class ScheduledJob(Base):
    """When a job is due next (seconds since 1970, UTC), and in `job_state` the schedule by which that was computed."""

    __tablename__ = "scheduled_job"

    id: Mapped[str] = mapped_column(Unicode(64), primary_key=True)
    next_run_time: Mapped[float | None] = mapped_column(Float(25), index=True)
    job_state: Mapped[dict[str, Any]] = mapped_column(JSON)


class JobRun(Base):
    """One attempt at a job that was due; no due time is claimed twice for the same attempt.

    `status` is ``due`` (claimed), ``running``, or how it ended: ``done``, ``degraded``, ``failed``,
    ``timeout``, ``interrupted`` (its process died or was stopped) or ``missed`` (never started).
    `skipped` counts other due times that this row replaces.
    """

    __tablename__ = "job_run"
    __table_args__ = (
        UniqueConstraint("name", "due", "attempt", name="uq_job_run"),
        Index("ix_job_run_status", "status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    due: Mapped[datetime]
    attempt: Mapped[int]
    manual: Mapped[bool]
    status: Mapped[str] = mapped_column(String(16))
    claimed_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    skipped: Mapped[int]
    runner: Mapped[str] = mapped_column(String(128))
    detail: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)


class SchedulerBeat(Base):
    """The heartbeat of the leading scheduler; one row."""

    __tablename__ = "scheduler_beat"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    runner: Mapped[str] = mapped_column(String(128))
    leading_since: Mapped[datetime]
    beat_at: Mapped[datetime]
