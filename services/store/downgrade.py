"""Going back to an earlier schema: what would be lost, and whether another process still works on the store."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, MetaData, Table, func, select, text

from hazecast.grids.errors import ConflictError
from hazecast.services.store.database import move_schema, redacted, schema_transaction
from hazecast.services.store.partitions import partitions

_VERSION = "alembic_version"
_ENDING_SECONDS = 2.0
_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = 'hazecast' AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True)
class _Found:
    tables: dict[str, Table]
    rows: dict[str, int]


class _Undo(Exception):  # noqa: N818 a state, not a fault
    """Ends a transaction that was only tried."""


def losses(engine: Engine, revision: str) -> dict[str, int]:
    """Return what a change of the schema would remove, by trying it in a transaction that is undone.

    Parameters
    ----------
    engine : Engine
    revision : str
        ``head``, ``base`` or the number of a schema.

    Returns
    -------
    dict of str to int
        Rows by table, and values that are not null by ``table.column`` for columns of tables that stay; without
        those of which there are none.

    Raises
    ------
    InputError
        If the revision isn't known.
    """
    try:
        with schema_transaction(engine) as connection:
            before = _found(connection)
            move_schema(connection, revision)
            after = _found(connection)
            raise _Undo
    except _Undo:
        pass
    lost = {name: rows - after.rows.get(name, 0) for name, rows in before.rows.items()}
    with engine.connect() as connection:
        for name, table in before.tables.items():
            for column in table.columns:
                if name in after.tables and column.name not in after.tables[name].columns:
                    lost[f"{name}.{column.name}"] = connection.scalar(select(func.count(column))) or 0
    return {name: number for name, number in sorted(lost.items()) if number > 0}


def _found(connection: Connection) -> _Found:
    metadata, parts = MetaData(), partitions(connection)
    metadata.reflect(connection, only=lambda name, _: name not in parts)
    tables = {name: table for name, table in metadata.tables.items() if name != _VERSION}
    rows = {name: connection.scalar(select(func.count()).select_from(table)) or 0 for name, table in tables.items()}
    return _Found(tables, rows)


def refuse_beside_others(engine: Engine) -> None:
    """Raise if another connection to the store is open: a service, a scheduler or a command would find its tables gone.

    Parameters
    ----------
    engine : Engine
        Its own idle connections are closed first.

    Raises
    ------
    ConflictError
    """
    engine.dispose()
    others = _others_on_sqlite(engine.url.database) if engine.dialect.name == "sqlite" else _others_on_postgres(engine)
    if others:
        found = f"{others} other connections" if engine.dialect.name == "postgresql" else "another connection"
        expected = "none: stop the services, schedulers and commands on this store first"
        raise ConflictError(redacted(engine.url), found, expected)


def _others_on_postgres(engine: Engine) -> int:
    # The server takes a moment to end the sessions that were closed just before.
    end = time.monotonic() + _ENDING_SECONDS
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while (others := int(connection.scalar(_OTHERS) or 0)) and time.monotonic() < end:
            time.sleep(0.1)
    engine.dispose()
    return others


def _others_on_sqlite(database: str | None) -> int:
    """Whoever has a database in WAL mode open keeps others from leaving that mode (https://www.sqlite.org/pragma.html)."""
    if not database:
        return 0
    with closing(sqlite3.connect(database, timeout=0.0, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            return 1
    return 0
