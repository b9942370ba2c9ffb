"""The chemistry model's forecast beside each forecast, and its scores"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_VALUES = ("pm25_cams", "o3_cams")
_SUMS = ("cams_se", "cams_ae", "cams_e", "cams_model_se")


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("forecast_value") as batch_op:
        for name in _VALUES:
            batch_op.add_column(sa.Column(name, sa.Double(), nullable=True))
    with op.batch_alter_table("forecast_score") as batch_op:
        batch_op.add_column(sa.Column("cams_n", sa.Integer(), nullable=False, server_default="0"))
        for name in _SUMS:
            batch_op.add_column(sa.Column(name, sa.Double(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("forecast_score") as batch_op:
        for name in ("cams_n", *_SUMS):
            batch_op.drop_column(name)
    with op.batch_alter_table("forecast_value") as batch_op:
        for name in _VALUES:
            batch_op.drop_column(name)
