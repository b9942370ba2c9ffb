"""Who changes a city by the command has no account"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_CHANGES = sa.table("city_change", sa.column("account_id", sa.String), sa.column("key_id", sa.String))
_COLUMNS = ("account_id", "key_id")


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("city_change") as table:
        for name in _COLUMNS:
            table.alter_column(name, existing_type=sa.String(length=64), nullable=True)


def downgrade() -> None:
    """Take back; what a command did stays in the audit, without an account's name."""
    for name in _COLUMNS:
        op.execute(sa.update(_CHANGES).where(_CHANGES.c[name].is_(None)).values({name: ""}))
    with op.batch_alter_table("city_change") as table:
        for name in _COLUMNS:
            table.alter_column(name, existing_type=sa.String(length=64), nullable=False)
