"""Studies as jobs, and their results"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "study_job",
        sa.Column("id", sa.String(length=32), primary_key=True),
        sa.Column("account_id", sa.String(length=64), sa.ForeignKey("account.id"), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("study", sa.String(length=64), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("progress", sa.String(length=200), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("errors", sa.JSON(), nullable=True),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("cancelled_by", sa.String(length=16), nullable=True),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.UniqueConstraint("account_id", "idempotency_key", name="uq_study_job_key"),
    )
    op.create_index("ix_study_job_account", "study_job", ["account_id", "created_at", "id"])
    op.create_index("ix_study_job_state", "study_job", ["state", "created_at"])
    op.create_table(
        "study_file",
        sa.Column("job_id", sa.String(length=32), sa.ForeignKey("study_job.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.String(length=64), primary_key=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("study_file")
    op.drop_index("ix_study_job_state", "study_job")
    op.drop_index("ix_study_job_account", "study_job")
    op.drop_table("study_job")
