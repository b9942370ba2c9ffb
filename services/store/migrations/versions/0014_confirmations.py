"""When a receiver confirmed, until when it may, and which confirmations were asked for"""

import unicodedata

import sqlalchemy as sa
from alembic import op

from hazecast.services.store.tables.forecasts import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "confirmation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_confirmation_target", "confirmation", ["target", "asked_at"])
    op.create_index("ix_confirmation_account", "confirmation", ["account_id", "asked_at"])
    op.add_column("subscription", sa.Column("confirmed_at", UtcDateTime(), nullable=True))
    op.add_column("subscription", sa.Column("confirm_until", UtcDateTime(), nullable=True))
    # Who has unsubscribed has taken the confirmation back; whoever else receives, or was stopped by 410, had confirmed.
    op.execute(
        "UPDATE subscription SET confirmed_at = updated_at "
        "WHERE state <> 'unconfirmed' AND state_reason <> 'unsubscribed by the receiver'"
    )
    # Names may hold no characters that are not seen, such as those that turn the direction of others.
    connection = op.get_bind()
    for key, name in connection.execute(sa.text("SELECT id, name FROM subscription")).all():
        seen = "".join(c for c in name if c.isprintable() or unicodedata.category(c) == "Zs").strip()
        if seen != name:
            connection.execute(
                sa.text("UPDATE subscription SET name = :name WHERE id = :id"), {"name": seen or key, "id": key}
            )


def downgrade() -> None:
    """Take back."""
    op.drop_column("subscription", "confirm_until")
    op.drop_column("subscription", "confirmed_at")
    op.drop_index("ix_confirmation_account", "confirmation")
    op.drop_index("ix_confirmation_target", "confirmation")
    op.drop_table("confirmation")
