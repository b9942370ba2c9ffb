"""What was done with cities, and the scope to do it"""

import json
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_KEYS = sa.table("api_key", sa.column("id", sa.String), sa.column("scopes", sa.JSON))
_OLD, _NEW = "accounts:admin", "cities:admin"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "city_change",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("city", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
    )
    op.create_index("ix_city_change_city", "city_change", ["city"])
    # Who administers accounts may do all: their keys would else not reach what is new, nor could they make one that does.
    _change(lambda scopes: [*scopes, _NEW] if _OLD in scopes and _NEW not in scopes else scopes)


def downgrade() -> None:
    """Take back."""
    _change(lambda scopes: [scope for scope in scopes if scope != _NEW])
    op.drop_index("ix_city_change_city", "city_change")
    op.drop_table("city_change")


def _change(changed: Callable[[list[str]], list[str]]) -> None:
    connection = op.get_bind()
    for name, scopes in connection.execute(sa.select(_KEYS.c.id, _KEYS.c.scopes)).all():
        scopes = json.loads(scopes) if isinstance(scopes, str) else scopes
        if changed(scopes) != scopes:
            connection.execute(sa.update(_KEYS).where(_KEYS.c.id == name).values(scopes=changed(scopes)))
