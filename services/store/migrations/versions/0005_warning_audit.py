"""Drafts of warnings and their audit"""

import sqlalchemy as sa
from alembic import op

from hazecast.services.store.tables.forecasts import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "warning_draft",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("rule_set", sa.String(length=64), nullable=False),
        sa.Column("city", sa.String(length=64), nullable=False),
        sa.Column("run_init_time", UtcDateTime(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", "simulated"),
    )
    op.create_index("ix_warning_draft_status", "warning_draft", ["simulated", "status"])
    op.create_table(
        "warning_audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("draft_id", sa.String(length=128), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_warning_audit_draft", "warning_audit", ["draft_id"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_warning_audit_draft", "warning_audit")
    op.drop_table("warning_audit")
    op.drop_index("ix_warning_draft_status", "warning_draft")
    op.drop_table("warning_draft")
