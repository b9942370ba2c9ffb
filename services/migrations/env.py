"""Alembic's entry: migrations run on the connection that the store hands over."""

from alembic import context

# Their tables are part of the metadata.
import services.accounts.tables
import services.delivery.tables
import services.scheduling.tables  # noqa: F401
from services.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
