"""What the processes of a service share while they run: counts of requests, and open event streams.

Nothing in it outlives its hour: it may be lost at any time, is in no backup and has no migrations. PostgreSQL: unlogged
tables in a schema of their own. SQLite: a database of its own beside the store's, ``<database>.shared``, as a writer of the store,
such as a cycle, would hold up every request. Neither waits for the disk.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    MetaData,
    String,
    Table,
    Text,
    event,
    func,
    inspect,
    make_url,
    select,
    text,
)

from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.errors import StoreError
from hazecast.services.core.files import private_file
from hazecast.services.store.database import make_engine
from hazecast.services.store.locks import file_locked, lock_until_commit

log = logging.getLogger(__name__)

SCHEMA = "hazecast_shared"
# Longer than this no request waits for a count.
_SECONDS = 1
_metadata = MetaData()

# By kind of limit, window (its number since 1970) and caller: how many requests were given out, and how many of them last.
request_count = Table(
    "request_count",
    _metadata,
    Column("kind", String(16), primary_key=True),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("caller", Text, primary_key=True),
    Column("used", BigInteger, nullable=False),
    Column("granted", BigInteger, nullable=False),
)
# One row a reader; `until` (seconds since 1970) is moved on by the process that serves it: a killed one's rows end.
open_stream = Table(
    "open_stream",
    _metadata,
    Column("id", String(32), primary_key=True),
    Column("address", Text, nullable=False),
    Column("account", Text),
    Column("until", Float(53), nullable=False),
)


class Shared:
    """The tables that all processes on one store share; see the module.

    Parameters
    ----------
    database_url : str
        Of the store.
    clock : callable
        Gives the time, aware, on SQLite; PostgreSQL's own clock is that of all machines.
    """

    def __init__(self, database_url: str, clock: Clock = utc_now) -> None:
        self._clock = clock
        url = make_url(database_url)
        self._path = Path(f"{url.database}.shared") if url.get_backend_name() == "sqlite" else None
        if self._path is not None:
            self._engine = make_engine(f"sqlite:///{self._path.as_posix()}")
            event.listen(self._engine, "connect", _make_hasty)
        else:
            limits = f"-c statement_timeout={_SECONDS}s -c lock_timeout={_SECONDS}s -c synchronous_commit=off"
            self._engine = make_engine(database_url, session=f"{limits} -c search_path={SCHEMA}")
        # The store's answers don't depend on what is written here.
        self._engine.update_execution_options(uncounted=True)

    def prepare(self) -> None:
        """Make the tables where they are missing; where they can't be made, that is logged, and using them fails."""
        try:
            if self._path is None:
                with self._engine.begin() as connection:
                    lock_until_commit(connection, "shared tables")
                    self._make(connection)
            else:
                with file_locked(self._path.with_name(f"{self._path.name}.lock")):
                    self._remove_if_damaged()
                    with self._engine.begin() as connection:
                        self._make(connection)
        except (StoreError, OSError) as error:
            log.warning("limits hold for each process alone: what processes share can't be stored: %s", error)

    def _make(self, connection: Connection) -> None:
        there = inspect(connection)
        missing = [table for table in _metadata.sorted_tables if not there.has_table(table.name)]
        if missing and self._path is None:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        _metadata.create_all(connection, missing)
        for table in missing if self._path is None else ():
            connection.execute(text(f"ALTER TABLE {table.name} SET UNLOGGED"))

    def _remove_if_damaged(self) -> None:
        """Remove the file after a power cut that damaged it."""
        assert self._path is not None
        try:
            with self._engine.connect() as connection:
                sound = connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"
        except StoreError as error:
            # Held by another for long: it is in use.
            sound = "locked" in str(error)
        if not sound:
            log.warning("%s: damaged, as by a power cut; made anew", self._path)
            self._engine.dispose()
            for ending in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
            private_file(self._path)

    @contextmanager
    def begin(self, lock: str | None = None) -> Iterator[Connection]:
        """Open a transaction that writes.

        Parameters
        ----------
        lock : str, optional
            No other transaction with this name goes on until this one ends.

        Yields
        ------
        Connection

        Raises
        ------
        StoreError
            If the tables can't be used within a second.
        """
        with self._engine.begin() as connection:
            if lock is not None:
                lock_until_commit(connection, lock)
            yield connection

    def seconds(self, connection: Connection) -> float:
        """Return the time by which all processes count, in seconds since 1970."""
        if self._path is not None:
            return self._clock().timestamp()
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()


def _make_hasty(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute(f"PRAGMA busy_timeout={1000 * _SECONDS}")
