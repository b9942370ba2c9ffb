"""The tables of studies that take minutes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hazecast.services.store.tables.forecasts import Base

QUEUED, RUNNING, DONE, FAILED, CANCELLED = STATES = ("queued", "running", "done", "failed", "cancelled")
OPEN = (QUEUED, RUNNING)


class StudyJob(Base):
    """A study that was asked for as a job, by whom and when, and how it ended.

    `state` is ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``. `body` is what was asked, until the job has ended.
    `slot` numbers the runner that runs it. `errors` names the wrong fields of a body: objects of field and reason.
    """

    __tablename__ = "study_job"
    __table_args__ = (
        UniqueConstraint("account_id", "idempotency_key", name="uq_study_job_key"),
        Index("ix_study_job_account", "account_id", "created_at", "id"),
        Index("ix_study_job_state", "state", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    key_id: Mapped[str] = mapped_column(String(16))
    study: Mapped[str] = mapped_column(String(64))
    simulated: Mapped[bool]
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    progress: Mapped[str | None] = mapped_column(String(200))
    error: Mapped[str | None] = mapped_column(Text)
    errors: Mapped[list[dict[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    slot: Mapped[int | None]
    cancelled_by: Mapped[str | None] = mapped_column(String(16))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class StudyFile(Base):
    """A result of a job, as it is given out: JSON, a report or the tables."""

    __tablename__ = "study_file"

    job_id: Mapped[str] = mapped_column(ForeignKey("study_job.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
