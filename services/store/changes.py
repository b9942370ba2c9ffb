"""Whether somebody may have written to the store, found out without a query: answers kept in memory depend on it.

PostgreSQL: who writes what is public notifies all processes (`announce`), which listen. SQLite: each commit of any process
changes ``PRAGMA data_version``.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

CHANNEL = "hazecast_changes"
_LOOK_SECONDS = 0.01
_RETRY_SECONDS = 1.0
_STOP_SECONDS = 0.5
_NOTIFY = text("SELECT pg_notify(:channel, '')")
_commits = 0


@event.listens_for(Engine, "commit")
def _count(connection: Connection) -> None:
    global _commits
    if not connection.get_execution_options().get("uncounted"):
        _commits += 1


def announce(session: Session) -> None:
    """Tell all processes, once this transaction is committed, that public content has changed (PostgreSQL)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_NOTIFY, {"channel": CHANNEL})


class Changes:
    """What one process learns of the writing of all.

    Parameters
    ----------
    engine : Engine
        Of the store.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._guard = threading.Lock()
        self._version: Any = None
        self._looked_at = float("-inf")
        self._connection: sqlite3.Connection | None = None
        self._heard = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def token(self) -> Hashable:
        """Return what differs after a commit of this process, and soon after one of another; at most some microseconds.

        Soon is 10 ms on SQLite, and once PostgreSQL has delivered the notice where the process listens.
        """
        return _commits, self._file_version() if self._sqlite else self._heard

    def _file_version(self) -> Any:
        with self._guard:
            now = time.monotonic()
            if now - self._looked_at >= _LOOK_SECONDS:
                try:
                    self._version = self._open().execute("PRAGMA data_version").fetchone()
                except sqlite3.Error:
                    # Not known: as if it had changed.
                    self._version = object()
                self._looked_at = now
            return self._version

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            database = str(self._engine.url.database)
            # It waits for nobody: it is asked on the event loop.
            self._connection = sqlite3.connect(database, timeout=0, isolation_level=None, check_same_thread=False)
        return self._connection

    def start(self) -> None:
        """Listen in a thread of its own (PostgreSQL); see `close`."""
        if not self._sqlite:
            self._stop.clear()
            self._thread = threading.Thread(target=self._listen, name="changes", daemon=True)
            self._thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    try:
                        self._hear(connection)
                    finally:
                        # Nobody else gets a connection that listens.
                        connection.invalidate()
            except (SQLAlchemyError, OSError) as error:
                log.warning("changes by other processes are seen by asking alone: %s", error)
                self._stop.wait(_RETRY_SECONDS)

    def _hear(self, connection: Connection) -> None:
        import psycopg

        connection.exec_driver_sql(f"LISTEN {CHANNEL}")
        driver: Any = connection.connection.driver_connection
        # What was said while nobody listened.
        self._heard += 1
        while not self._stop.is_set():
            try:
                for _ in driver.notifies(timeout=_STOP_SECONDS, stop_after=1):
                    self._heard += 1
            except psycopg.Error as error:
                raise OSError(str(error)) from error

    def close(self) -> None:
        """Stop listening, and give the connection back."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with self._guard, suppress(sqlite3.Error):
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
