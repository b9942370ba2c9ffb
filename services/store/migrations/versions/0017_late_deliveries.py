"""Why a delivery was late"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("late_reason", sa.String(length=16), nullable=True))
        table.add_column(sa.Column("late_error", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("delivery") as table:
        table.drop_column("late_error")
        table.drop_column("late_reason")
