"""Monitoring stations and their observations"""

import sqlalchemy as sa
from alembic import op

from hazecast.services.store.tables.forecasts import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "station",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("source_kind", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=96), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("city", sa.String(length=64), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("siting", sa.String(length=16), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("attribution", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("station", schema=None) as batch_op:
        batch_op.create_index("ix_station_city", ["city"], unique=False)

    op.create_table(
        "station_observation",
        sa.Column("station_id", sa.String(length=128), nullable=False),
        sa.Column("time", UtcDateTime(), nullable=False),
        sa.Column("pollutant", sa.String(length=8), nullable=False),
        sa.Column("raw", sa.Double(), nullable=True),
        sa.Column("units", sa.String(length=8), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("flag", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("retrieved_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["station_id"], ["station.id"]),
        sa.PrimaryKeyConstraint("station_id", "time", "pollutant"),
    )
    with op.batch_alter_table("station_observation", schema=None) as batch_op:
        batch_op.create_index("ix_station_observation_time", ["time"], unique=False)

    op.create_table(
        "station_observation_earlier",
        sa.Column("station_id", sa.String(length=128), nullable=False),
        sa.Column("time", UtcDateTime(), nullable=False),
        sa.Column("pollutant", sa.String(length=8), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("raw", sa.Double(), nullable=True),
        sa.Column("units", sa.String(length=8), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("flag", sa.Integer(), nullable=False),
        sa.Column("retrieved_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["station_id"], ["station.id"]),
        sa.PrimaryKeyConstraint("station_id", "time", "pollutant", "revision"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("station_observation_earlier")
    with op.batch_alter_table("station_observation", schema=None) as batch_op:
        batch_op.drop_index("ix_station_observation_time")

    op.drop_table("station_observation")
    with op.batch_alter_table("station", schema=None) as batch_op:
        batch_op.drop_index("ix_station_city")

    op.drop_table("station")
