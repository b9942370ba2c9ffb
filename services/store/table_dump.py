"""Tables as JSON lines, the same for SQLite and PostgreSQL: the first line names the columns, each other is a row."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any, TextIO

from sqlalchemy import JSON, Column, Connection, MetaData, Table, func, inspect, select, text

from hazecast.grids.errors import InputError
from hazecast.services.store.partitions import partitions

VERSION_TABLE = "alembic_version"
_ROWS_AT_ONCE = 2000


def tables_of(connection: Connection) -> list[Table]:
    """Return all tables as they are in the database, each after those that it refers to; partitions are no tables here."""
    metadata, parts = MetaData(), partitions(connection)
    metadata.reflect(connection, only=lambda name, _: name not in parts)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                # No value stays no value; without this it would become JSON's null.
                column.type = JSON(none_as_null=True)
    return [table for table in metadata.sorted_tables if table.name != VERSION_TABLE]


def dump_table(connection: Connection, table: Table, file: TextIO) -> int:
    """Write a table as JSON lines in the order of its key, after a line with its columns.

    Parameters
    ----------
    connection : Connection
    table : Table
    file : text file
        Open for writing.

    Returns
    -------
    int
        How many rows.
    """
    kinds = {column.name: _kind(column) for column in table.columns}
    json.dump({"columns": kinds}, file)
    writers = [_WRITE.get(kind) for kind in kinds.values()]
    query = select(table).order_by(*table.primary_key).execution_options(yield_per=_ROWS_AT_ONCE)
    count = 0
    for count, row in enumerate(connection.execute(query), start=1):  # noqa: B007
        cells = [v if v is None or write is None else write(v) for v, write in zip(row, writers, strict=True)]
        file.write("\n" + json.dumps(cells, ensure_ascii=False, separators=(",", ":")))
    file.write("\n")
    return count


def load_table(
    connection: Connection, table: Table, lines: Iterable[str], change: Callable[[dict[str, Any]], None] | None = None
) -> int:
    """Insert the rows of a dump.

    Parameters
    ----------
    connection : Connection
        In a transaction that writes.
    table : Table
    lines : iterable of str
        As `dump_table` wrote them.
    change : callable, optional
        Changes a row, a dict by column, before it is inserted.

    Returns
    -------
    int
        How many rows.

    Raises
    ------
    InputError
        If the columns are not those of the table.
    """
    rest = iter(lines)
    kinds: dict[str, str] = json.loads(next(rest))["columns"]
    if set(kinds) != {column.name for column in table.columns}:
        raise InputError(f"table {table.name}", sorted(kinds), f"the columns {sorted(c.name for c in table.columns)}")
    readers = [_READ.get(kind) for kind in kinds.values()]
    count = 0
    while some := list(islice(rest, _ROWS_AT_ONCE)):
        rows = [_row(line, kinds, readers) for line in some]
        for row in rows if change else ():
            change(row)  # type: ignore[misc]
        connection.execute(table.insert(), rows)
        count += len(rows)
    return count


def counters(connection: Connection, tables: Iterable[Table]) -> dict[str, int]:
    """Return the last number that each table has given to a row by itself.

    Parameters
    ----------
    connection : Connection
    tables : iterable of Table

    Returns
    -------
    dict of str to int
        By name of the table; those that have given none are left out.
    """
    found = {}
    for table, key in _numbered(tables):
        if connection.dialect.name == "postgresql":
            sequence = connection.execute(_SEQUENCE, {"name": table.name, "key": key.name}).scalar()
            query = f"SELECT last_value FROM {sequence} WHERE is_called" if sequence else None  # noqa: S608 (its own name)
        else:
            kept = inspect(connection).has_table("sqlite_sequence")
            query = f"SELECT seq FROM sqlite_sequence WHERE name = '{table.name}'" if kept else None  # noqa: S608 (its own name)
        last = connection.execute(text(query)).scalar() if query else None
        if last is not None:
            found[table.name] = int(last)
    return found


def set_counters(connection: Connection, tables: Iterable[Table], last: dict[str, int]) -> None:
    """Let each table continue counting after its last number and its last row: no number is given twice.

    Parameters
    ----------
    connection : Connection
    tables : iterable of Table
    last : dict of str to int
        As `counters` returns it.
    """
    for table, key in _numbered(tables):
        highest = max(connection.execute(select(func.max(key))).scalar() or 0, last.get(table.name, 0))
        if connection.dialect.name == "postgresql":
            sequence = connection.execute(_SEQUENCE, {"name": table.name, "key": key.name}).scalar()
            if sequence and highest:
                connection.execute(
                    text("SELECT setval(CAST(:sequence AS regclass), :last)"), {"sequence": sequence, "last": highest}
                )
        elif inspect(connection).has_table("sqlite_sequence") and table.name in last:
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
            row = {"name": table.name, "last": highest}
            connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), row)


_SEQUENCE = text("SELECT pg_get_serial_sequence(:name, :key)")


def _numbered(tables: Iterable[Table]) -> Iterator[tuple[Table, Column[Any]]]:
    for table in tables:
        keys = list(table.primary_key)
        if len(keys) == 1 and keys[0].type.python_type is int and not keys[0].foreign_keys:
            yield table, keys[0]


def _kind(column: Column[Any]) -> str:
    return "json" if isinstance(column.type, JSON) else column.type.python_type.__name__


def _row(line: str, kinds: dict[str, str], readers: list[Callable[[Any], Any] | None]) -> dict[str, Any]:
    cells = json.loads(line)
    return {
        name: cell if cell is None or read is None else read(cell)
        for name, cell, read in zip(kinds, cells, readers, strict=True)
    }


_WRITE: dict[str, Callable[[Any], Any]] = {
    "datetime": datetime.isoformat,
    "date": date.isoformat,
    "bytes": lambda value: base64.b64encode(value).decode(),
}
_READ: dict[str, Callable[[Any], Any]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "bytes": base64.b64decode,
}
