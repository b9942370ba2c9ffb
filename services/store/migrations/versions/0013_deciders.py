"""The account and the key by which a draft was decided"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("warning_audit", sa.Column("account_id", sa.String(length=64), nullable=True))
    op.add_column("warning_audit", sa.Column("key_id", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Take back."""
    op.drop_column("warning_audit", "key_id")
    op.drop_column("warning_audit", "account_id")
