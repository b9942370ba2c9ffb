"""Room for sealed secrets of webhooks; other channels, which sign nothing, have none"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("subscription") as table:
        table.alter_column("secret", existing_type=sa.String(length=128), type_=sa.Text())
        table.alter_column("previous_secret", existing_type=sa.String(length=128), type_=sa.Text())
    op.execute("UPDATE subscription SET secret = '', previous_secret = NULL WHERE channel <> 'webhook'")


def downgrade() -> None:
    """Take back: the columns stay wide, since what is sealed in them can't be opened here."""
