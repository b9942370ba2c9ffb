"""Scheduled jobs, their runs, and the scheduler's sign of life"""

import sqlalchemy as sa
from alembic import op

from hazecast.services.store.tables.forecasts import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "scheduled_job",
        sa.Column("id", sa.Unicode(length=64), nullable=False),
        sa.Column("next_run_time", sa.Float(precision=25), nullable=True),
        sa.Column("job_state", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_scheduled_job_next_run_time", "scheduled_job", ["next_run_time"])
    op.create_table(
        "job_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("manual", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("runner", sa.String(length=128), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", "due", "attempt", name="uq_job_run"),
    )
    op.create_index("ix_job_run_status", "job_run", ["status"])
    op.create_table(
        "scheduler_beat",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("runner", sa.String(length=128), nullable=False),
        sa.Column("leading_since", UtcDateTime(), nullable=False),
        sa.Column("beat_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("scheduler_beat")
    op.drop_index("ix_job_run_status", "job_run")
    op.drop_table("job_run")
    op.drop_index("ix_scheduled_job_next_run_time", "scheduled_job")
    op.drop_table("scheduled_job")
