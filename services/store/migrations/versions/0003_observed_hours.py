"""An index for the map of an observed hour"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_observation_time", "observation", ["time"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_observation_time", "observation")
