"""Indices that keep the reads of warnings and of the newest run as quick after years as after a day"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_warning_issued", "warning", ["simulated", "issued", "id"])
    op.create_index("ix_forecast_run_newest", "forecast_run", ["simulated", "init_time"])
    op.create_index("ix_forecast_run_cycle", "forecast_run", ["cycle_id"])
    few = sa.text("withdrawn_at IS NOT NULL")
    op.create_index(
        "ix_forecast_run_withdrawn", "forecast_run", ["withdrawn_at"], sqlite_where=few, postgresql_where=few
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_warning_issued", "warning")
    for name in ("withdrawn", "cycle", "newest"):
        op.drop_index(f"ix_forecast_run_{name}", "forecast_run")
