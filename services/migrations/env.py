"""What Alembic runs; the connection comes from the store, so there is no alembic.ini."""

from __future__ import annotations

from alembic import context

from services.tables import Base


def run() -> None:
    """Run the migrations on the store's own connection and inside its transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        # SQLite can't alter a table in place, and its DDL is transactional: the store's
        # engine sends BEGIN itself.
        render_as_batch=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
