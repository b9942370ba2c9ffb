"""Months of observations and scores as partitions, in PostgreSQL; SQLite keeps whole tables.

A month of a table is a table of its own (``observation_2026_01``): a query of some days reads its months alone, and a month that is
too old is dropped as a file is, where deleting its rows would take minutes and leave their room behind. Rows of months that have no
table yet, as of years that are filled in, go into ``observation_rest``; the daily job `janitor` makes tables for them, and those of the
months ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, MetaData, delete, func, select, text

from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.tables.forecasts import (
    Base,
    EarlierValue,
    ForecastScore,
    Observation,
    StationObservation,
)

MONTHS_AHEAD = 2
# Of each table: the column whose months they are.
PARTITIONED: dict[type[Base], str] = {
    Observation: "time",
    StationObservation: "time",
    EarlierValue: "time",
    ForecastScore: "day",
}
_CHILDREN = text(
    "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
    "WHERE inhparent = to_regclass(:name) ORDER BY 1"
)
_ALL = text(
    "SELECT relname FROM pg_class WHERE relispartition AND relnamespace = current_schema()::regnamespace "
    "AND relkind IN ('r', 'p')"
)


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month, UTC."""

    year: int
    month: int

    @staticmethod
    def of(day: date) -> Month:
        """Return the month of a day or a time."""
        return Month(day.year, day.month)

    @property
    def begin(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    def later(self, months: int = 1) -> Month:
        """Return the month some months later."""
        number = 12 * self.year + self.month - 1 + months
        return Month(number // 12, number % 12 + 1)

    def name(self, table: str) -> str:
        """Return the name of its partition of a table."""
        return f"{table}_{self.year:04d}_{self.month:02d}"


def partitions(connection: Connection) -> frozenset[str]:
    """Return the names of all tables that are a partition of another; a table holds the rows of its partitions."""
    if connection.dialect.name != "postgresql":
        return frozenset()
    return frozenset(connection.scalars(_ALL))


def months_of(connection: Connection, table: str) -> list[Month]:
    """Return the months of a table that have a partition, the oldest first.

    Parameters
    ----------
    connection : Connection
    table : str

    Returns
    -------
    list of Month
        Empty where it isn't partitioned.
    """
    if connection.dialect.name != "postgresql":
        return []
    names = (name.removeprefix(f"{table}_") for name in connection.scalars(_CHILDREN, {"name": table}))
    return sorted(Month(*map(int, name.split("_"))) for name in names if name != "rest")


def make_month(connection: Connection, table: str, column: str, month: Month) -> None:
    """Make the partition of a month, and move into it what the rest holds of it.

    Readers and writers of other months go on meanwhile.

    Parameters
    ----------
    connection : Connection
        Within a transaction, to PostgreSQL.
    table : str
        Partitioned.
    column : str
        By whose months.
    month : Month
    """
    name, bounds = month.name(table), {"begin": month.begin, "end": month.later().begin}
    run = connection.exec_driver_sql
    run(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS)")
    moved = f"DELETE FROM {table}_rest WHERE {column} >= :begin AND {column} < :end RETURNING *"  # noqa: S608 (own names)
    connection.execute(text(f"WITH moved AS ({moved}) INSERT INTO {name} SELECT * FROM moved"), bounds)  # noqa: S608 (own names)
    run(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{bounds['begin']}') TO ('{bounds['end']}')")


def make_months(connection: Connection, now: datetime) -> int:
    """Make the partitions of the coming months, and of those that have rows in the rest.

    Parameters
    ----------
    connection : Connection
        Within a transaction that writes. SQLite has nothing to be made.
    now : datetime
        Aware.

    Returns
    -------
    int
        How many were made.
    """
    if connection.dialect.name != "postgresql":
        return 0
    lock_until_commit(connection, "partitions")
    made = 0
    for table, column in PARTITIONED.items():
        name = table.__tablename__
        held = connection.scalars(text(f"SELECT DISTINCT date_trunc('month', {column}) FROM {name}_rest"))  # noqa: S608 (own names)
        wanted = {Month.of(now).later(ahead) for ahead in range(MONTHS_AHEAD + 1)} | {Month.of(day) for day in held}
        for month in sorted(wanted - set(months_of(connection, name))):
            make_month(connection, name, column, month)
            made += 1
    return made


def remove_before(connection: Connection, table: type[Base], limit: datetime, *, dry_run: bool = False) -> int:
    """Remove the rows of a table that are older than a limit; of one in months the months that are older as a whole.

    Parameters
    ----------
    connection : Connection
        Within a transaction that writes.
    table : type of Base
        One of `PARTITIONED`, by times.
    limit : datetime
        Aware.
    dry_run : bool
        Only count.

    Returns
    -------
    int
        How many rows were removed, or would be.
    """
    name, column = table.__tablename__, PARTITIONED[table]
    old = [month.name(name) for month in months_of(connection, name) if month.later().begin <= limit.date()]
    count = 0
    for month in old:
        count += connection.scalar(select(func.count()).select_from(text(month))) or 0
        if not dry_run:
            connection.exec_driver_sql(f"DROP TABLE {month}")
    # What is in no month's table goes row by row: all of SQLite's.
    loose = f"{name}_rest" if connection.dialect.name == "postgresql" else name
    target = table.__table__.to_metadata(MetaData(), name=loose)  # type: ignore[attr-defined]
    older = target.c[column] < limit
    if dry_run:
        return count + int(connection.execute(select(func.count()).select_from(target).where(older)).scalar_one())
    return count + int(connection.execute(delete(target).where(older)).rowcount)
