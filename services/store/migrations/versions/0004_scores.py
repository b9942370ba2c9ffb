"""Scores of forecasts that have come due"""

import sqlalchemy as sa
from alembic import op

from hazecast.services.store.tables.forecasts import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "forecast_score",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model_id", sa.String(length=128), nullable=False),
        sa.Column("city", sa.String(length=64), nullable=False),
        sa.Column("pollutant", sa.String(length=16), nullable=False),
        sa.Column("lead_time", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("se", sa.Double(), nullable=False),
        sa.Column("ae", sa.Double(), nullable=False),
        sa.Column("e", sa.Double(), nullable=False),
        sa.Column("inside", sa.Integer(), nullable=False),
        sa.Column("persistence_n", sa.Integer(), nullable=False),
        sa.Column("persistence_se", sa.Double(), nullable=False),
        sa.Column("persistence_ae", sa.Double(), nullable=False),
        sa.Column("persistence_e", sa.Double(), nullable=False),
        sa.Column("persistence_model_se", sa.Double(), nullable=False),
        sa.Column("climatology_n", sa.Integer(), nullable=False),
        sa.Column("climatology_se", sa.Double(), nullable=False),
        sa.Column("climatology_ae", sa.Double(), nullable=False),
        sa.Column("climatology_e", sa.Double(), nullable=False),
        sa.Column("climatology_model_se", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("day", "model_id", "city", "pollutant", "lead_time"),
    )
    op.create_table(
        "scored_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("scored_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("scored_day")
    op.drop_table("forecast_score")
