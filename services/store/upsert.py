"""Insert rows or, where their key is there already, update them: one statement for all databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from hazecast.services.store.tables.forecasts import Base

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def upsert(connection: Connection, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Store rows, in place of those of the same primary key.

    Parameters
    ----------
    connection : Connection
        Within a transaction.
    table : type of Base
    rows : sequence of mapping
        All with the same columns; those not given keep their value where a row is updated. The
        last of two rows of one key counts.

    Raises
    ------
    ValueError
        If the database is neither SQLite nor PostgreSQL.
    """
    if rows:
        keys = [column.name for column in table.__table__.primary_key]
        # In the order of their keys: two writers that take the same rows in different orders wait for each other.
        ordered = sorted(rows, key=lambda row: tuple(row[name] for name in keys))
        statement = upsert_statement(table, connection.dialect.name, list(rows[0]))
        connection.execute(statement, [dict(row) for row in ordered])


def upsert_statement(table: type[Base], dialect: str, columns: Sequence[str]) -> Insert:
    """Return the statement for a database.

    Parameters
    ----------
    table : type of Base
    dialect : str
        Name of the SQLAlchemy dialect.
    columns : sequence of str
        Those that rows will have.

    Returns
    -------
    sqlalchemy.sql.dml.Insert

    Raises
    ------
    ValueError
        If the database is neither SQLite nor PostgreSQL.
    """
    if dialect not in _INSERTS:
        raise ValueError(f"no upsert for the database {dialect}: use SQLite or PostgreSQL")
    statement: Any = _INSERTS[dialect](table)
    keys = [column.name for column in table.__table__.primary_key]
    changed = {name: statement.excluded[name] for name in columns if name not in keys}
    result: Insert = statement.on_conflict_do_update(index_elements=keys, set_=changed)
    return result
