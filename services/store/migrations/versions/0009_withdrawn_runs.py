"""When, by whom and why a run was withdrawn"""

import sqlalchemy as sa
from alembic import op

from hazecast.services.store.tables.forecasts import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("forecast_run", sa.Column("withdrawn_at", UtcDateTime(), nullable=True))
    op.add_column("forecast_run", sa.Column("withdrawn_by", sa.String(length=128), nullable=True))
    op.add_column("forecast_run", sa.Column("withdrawn_why", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take back; an earlier version shows a withdrawn run again."""
    for name in ("withdrawn_why", "withdrawn_by", "withdrawn_at"):
        op.drop_column("forecast_run", name)
