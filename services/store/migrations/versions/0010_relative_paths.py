"""Paths of files relative to the data folder, so that it may be moved"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from hazecast.services.store.tables.forecasts import data_folder_of

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_RUN = sa.table("forecast_run", sa.column("id"), sa.column("netcdf_path"), sa.column("map_path"))
_FOLDERS = ("forecasts", "maps")


def upgrade() -> None:
    """Apply; also to a data folder that was moved before: a cycle writes to these two folders alone."""
    connection = op.get_bind()
    for row in connection.execute(sa.select(_RUN)).all():
        files = [Path(row.netcdf_path), Path(row.map_path)]
        kept = [f"{f.parent.name}/{f.name}" if f.is_absolute() and f.parent.name in _FOLDERS else str(f) for f in files]
        _set(connection, row.id, kept)


def downgrade() -> None:
    """Take back: absolute paths in the data folder as it is now."""
    connection = op.get_bind()
    folder = data_folder_of(connection.dialect) or Path()
    for row in connection.execute(sa.select(_RUN)).all():
        files = [Path(row.netcdf_path), Path(row.map_path)]
        _set(connection, row.id, [str(folder / f) if f.parent.name in _FOLDERS else str(f) for f in files])


def _set(connection: sa.Connection, run_id: int, files: list[str]) -> None:
    values = dict(zip(("netcdf_path", "map_path"), files, strict=True))
    connection.execute(sa.update(_RUN).where(_RUN.c.id == run_id).values(**values))
