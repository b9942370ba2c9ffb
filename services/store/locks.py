"""Locks that all processes on one store share; the system frees a lock if its process is killed."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from hazecast.grids.extras import requires

log = logging.getLogger(__name__)

# After this silence the server ends the session of a process that hangs, and its locks with it.
IDLE_SECONDS = 20
_CONNECT = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_SESSION = (
    "SET tcp_keepalives_idle = 5",
    "SET tcp_keepalives_interval = 2",
    "SET tcp_keepalives_count = 3",
    "SET statement_timeout = '10s'",
)
_RETRY_SECONDS = 0.1


class LockLost(RuntimeError):  # noqa: N818 a state, not a fault
    """The lock is no longer held: its connection is gone."""


class StoreLock(Protocol):
    """One lock of a store, by name; not for several threads at once."""

    def acquire(self) -> bool:
        """Take the lock if it is free; return whether it is held now."""

    def still_held(self) -> bool:
        """Ask whether the lock is held; one that was lost has to be taken anew."""

    def release(self) -> None:
        """Give the lock back; nothing happens if it isn't held."""


@contextmanager
def only_one(path: Path, busy: Exception) -> Iterator[None]:
    """Hold the lock file `path`, or raise `busy` at once if another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout as error:
        raise busy from error


def store_lock(database_url: str, name: str, *, hold_while_idle: bool = True) -> StoreLock:
    """Return the lock `name` of a store, not yet held.

    PostgreSQL: an advisory lock of a session of its own, which a connection pooler must not share out.
    SQLite: a lock file beside the database.

    Parameters
    ----------
    database_url : str
    name : str
        All processes that ask for it by this name and store share the lock.
    hold_while_idle : bool
        Without, whoever doesn't ask `still_held` for `IDLE_SECONDS` loses the lock (PostgreSQL).

    Raises
    ------
    ValueError
        If the database is neither.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        return AdvisoryLock(database_url, name, hold_while_idle=hold_while_idle)
    if url.get_backend_name() == "sqlite" and url.database:
        return _FileLock(Path(f"{url.database}.{name}.lock"))
    raise ValueError(f"no lock for the database {url.render_as_string()}: use SQLite in a file, or PostgreSQL")


@contextmanager
def store_locked(database_url: str, name: str, busy: Exception, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock `name` of a store, or raise `busy` if another process still holds it after `wait_seconds`."""
    lock = store_lock(database_url, name)
    end = time.monotonic() + wait_seconds
    while not lock.acquire():
        if time.monotonic() >= end:
            raise busy
        time.sleep(_RETRY_SECONDS)
    try:
        yield
    finally:
        lock.release()


class _FileLock:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Any thread may ask: the lock is the process's, not a thread's.
        self._lock = FileLock(path, timeout=0, thread_local=False)

    def acquire(self) -> bool:
        try:
            self._lock.acquire()
        except Timeout:
            return False
        return True

    def still_held(self) -> bool:
        return bool(self._lock.is_locked)

    def release(self) -> None:
        self._lock.release(force=True)


class AdvisoryLock:
    """An advisory lock of PostgreSQL, held by a session of its own.

    What is written through `begin` is written by the very session that holds the lock: once the
    lock is lost, nothing can be.
    """

    def __init__(self, database_url: str, name: str, *, hold_while_idle: bool = True) -> None:
        requires("psycopg", "postgres")
        self._engine: Engine = create_engine(database_url, poolclass=NullPool, connect_args=dict(_CONNECT))
        digest = hashlib.sha256(f"hazecast:{name}".encode()).digest()
        self._key = int.from_bytes(digest[:8], "big", signed=True)
        self._hold_while_idle = hold_while_idle
        self._guard = threading.RLock()
        self._connection: Connection | None = None
        self._backend = 0

    def acquire(self) -> bool:
        """Take the lock if it is free; False also where the server can't be reached."""
        with self._guard:
            if self._connection is not None:
                return self.still_held()
            try:
                self._connection = self._engine.connect()
                if self._try():
                    return True
            except SQLAlchemyError as error:
                log.warning("no lock without the database: %s", error)
            self.release()
            return False

    def _try(self) -> bool:
        with self.begin() as connection:
            for setting in _SESSION:
                connection.execute(text(setting))
            version = connection.dialect.server_version_info or (0,)
            if not self._hold_while_idle and version >= (14,):
                connection.execute(text(f"SET idle_session_timeout = '{IDLE_SECONDS}s'"))
            self._backend = int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
            return bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}).scalar())

    def still_held(self) -> bool:
        """Ask the server; where it doesn't answer, or another session does, the lock is lost."""
        try:
            with self.begin() as connection:
                if connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == self._backend:
                    return True
        except (LockLost, SQLAlchemyError) as error:
            log.warning("the lock is lost: %s", error)
        self.release()
        return False

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction in the session that holds the lock.

        Raises
        ------
        LockLost
            If there is none.
        """
        with self._guard:
            # An invalidated connection would open a new session by itself: one without the lock.
            if self._connection is None or self._connection.invalidated or self._connection.closed:
                raise LockLost("its session is gone")
            with self._connection.begin():
                yield self._connection

    def release(self) -> None:
        """End the session, and the lock with it."""
        with self._guard, suppress(SQLAlchemyError):
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
