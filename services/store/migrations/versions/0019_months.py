"""Observations and scores in months: partitions of PostgreSQL

The rows are copied month by month, all in the one transaction of the migration: one that is killed leaves the tables as they were.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# Table: by which column, its key, its foreign key and its index.
_TABLES = {
    "observation": ("time", "city, time, simulated", None, "ix_observation_time"),
    "station_observation": ("time", "station_id, time, pollutant", "station_id", "ix_station_observation_time"),
    "station_observation_earlier": ("time", "station_id, time, pollutant, revision", "station_id", None),
    "forecast_score": ("day", "day, model_id, city, pollutant, lead_time", None, None),
}


def upgrade() -> None:
    """Apply."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, (column, *_) in _TABLES.items():
        _set_aside(table)
        op.execute(f"CREATE TABLE {table} (LIKE {table}_whole INCLUDING DEFAULTS) PARTITION BY RANGE ({column})")
        _add_keys(table)
        month = f"date_trunc('month', {column})"
        found = op.get_bind().execute(
            sa.text(
                f"SELECT DISTINCT to_char({column}, 'YYYY_MM'), CAST({month} AS date), "  # noqa: S608 (own names)
                f"CAST({month} + interval '1 month' AS date) FROM {table}_whole ORDER BY 1"
            )
        )
        for month, begin, end in found.all():
            op.execute(f"CREATE TABLE {table}_{month} (LIKE {table} INCLUDING DEFAULTS)")
            within = f"{column} >= '{begin}' AND {column} < '{end}'"
            op.execute(f"INSERT INTO {table}_{month} SELECT * FROM {table}_whole WHERE {within}")  # noqa: S608 (own names)
            # Indices are made of the rows that are there, which is quicker than row by row.
            op.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}_{month} FOR VALUES FROM ('{begin}') TO ('{end}')")
        op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
        op.execute(f"DROP TABLE {table}_whole")


def downgrade() -> None:
    """Take back."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _TABLES:
        _set_aside(table)
        op.execute(f"CREATE TABLE {table} (LIKE {table}_whole INCLUDING DEFAULTS)")
        op.execute(f"INSERT INTO {table} SELECT * FROM {table}_whole")  # noqa: S608 (own names)
        _add_keys(table)
        op.execute(f"DROP TABLE {table}_whole")


def _set_aside(table: str) -> None:
    """Rename a table and what has a name of its own in the schema."""
    index = _TABLES[table][3]
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_whole")
    op.execute(f"ALTER INDEX {table}_pkey RENAME TO {table}_whole_pkey")
    if index is not None:
        op.execute(f"ALTER INDEX {index} RENAME TO {index}_whole")


def _add_keys(table: str) -> None:
    column, key, refers, index = _TABLES[table]
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY ({key})")
    if index is not None:
        op.execute(f"CREATE INDEX {index} ON {table} ({column})")
    if refers is not None:
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_{refers}_fkey FOREIGN KEY ({refers}) REFERENCES station (id)"
        )
