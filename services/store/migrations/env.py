"""Alembic's entry: migrations run on the connection that the store hands over."""

from alembic import context

# Their tables are part of the metadata.
import hazecast.services.store.tables.accounts
import hazecast.services.store.tables.delivery
import hazecast.services.store.tables.jobs
import hazecast.services.store.tables.places
import hazecast.services.store.tables.studies  # noqa: F401
from hazecast.services.store.tables.forecasts import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
