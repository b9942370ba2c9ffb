"""All locks of the service; the system frees a lock if the process that holds it is killed.

PostgreSQL: advisory locks, whose key is the first 64 bits of the SHA-256 of ``hazecast:<name>``. SQLite, and everything
that lies in a folder: lock files. Names and files:

======================  ==========================  ===========================================
lock                    advisory lock               lock file
======================  ==========================  ===========================================
a store's, by name      ``<name>``                  ``<database>.<name>.lock``
of a running cycle      ``running cycle <id>``      ``<database>.cycle<id>.lock``
until a commit          ``transaction <name>``      none: SQLite has one writer at a time
of a folder or a file   none                        as the caller chooses
======================  ==========================  ===========================================
"""

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
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from hazecast.grids.extras import requires
from hazecast.services.core.errors import StoreError
from hazecast.services.core.files import private_folder

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
_TRY = text("SELECT pg_try_advisory_lock(:key)")
_UNLOCK = text("SELECT pg_advisory_unlock(:key)")
_LOCK_UNTIL_COMMIT = text("SELECT pg_advisory_xact_lock(:key)")


class LockLost(RuntimeError):  # noqa: N818 a state, not a fault
    """The lock is no longer held: its connection is gone."""


class Lock(Protocol):
    """A lock of one process; not for several threads at once."""

    def acquire(self) -> bool:
        """Take the lock if it is free; return whether it is held now."""

    def release(self) -> None:
        """Give the lock back; nothing happens if it isn't held."""


class StoreLock(Lock, Protocol):
    """A lock that can be lost, since it depends on a connection."""

    def still_held(self) -> bool:
        """Ask whether the lock is held; one that was lost has to be taken again."""


@contextmanager
def file_locked(path: Path, busy: Exception | None = None) -> Iterator[None]:
    """Hold a lock file.

    Parameters
    ----------
    path : Path
        The lock file; its folder is made if absent.
    busy : Exception, optional
        Raised at once where another process holds the lock; by default its end is waited for.

    Yields
    ------
    None

    Raises
    ------
    Exception
        `busy`.
    """
    private_folder(path.parent)
    lock = FileLock(path, timeout=-1 if busy is None else 0)
    try:
        lock.acquire()
    except Timeout as error:
        assert busy is not None
        raise busy from error
    try:
        yield
    finally:
        lock.release()


def lock_until_commit(connection: Connection | Session, name: str) -> None:
    """Let no other transaction that asks for the same lock continue until this one ends.

    PostgreSQL only: SQLite has one writer at a time anyway.

    Parameters
    ----------
    connection : Connection or Session
        In a transaction.
    name : str
        All transactions that ask for it by this name share the lock.
    """
    bind = connection.get_bind() if isinstance(connection, Session) else connection
    if bind.dialect.name == "postgresql":
        connection.execute(_LOCK_UNTIL_COMMIT, {"key": _key(f"transaction {name}")})


def cycle_lock(engine: Engine, cycle_id: int) -> Lock:
    """Return the lock that a running cycle holds, not yet held.

    PostgreSQL: an advisory lock of one of the engine's connections. SQLite: a lock file beside the database, removed when
    the lock is released.

    Parameters
    ----------
    engine : Engine
        Of the store.
    cycle_id : int

    Returns
    -------
    Lock
        Its `acquire` raises `StoreError` where the lock file can't be written.
    """
    if engine.dialect.name == "postgresql":
        return _PooledAdvisoryLock(engine, f"running cycle {cycle_id}")
    return _CycleFileLock(Path(f"{engine.url.database}.cycle{cycle_id}.lock"))


def remove_stale_cycle_locks(engine: Engine) -> None:
    """Remove the lock files of cycles killed after they were finished, or before anyone could see them."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        database = Path(engine.url.database)
        for path in database.parent.glob(f"{database.name}.cycle[0-9]*.lock"):
            is_free(_CycleFileLock(path))


def is_free(lock: Lock) -> bool:
    """Return whether nobody holds a lock; it is taken for a moment."""
    if not lock.acquire():
        return False
    lock.release()
    return True


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

    Returns
    -------
    StoreLock

    Raises
    ------
    ValueError
        If the database is neither.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        return AdvisoryLock(database_url, name, hold_while_idle=hold_while_idle)
    if url.get_backend_name() == "sqlite" and url.database:
        return _StoreFileLock(Path(f"{url.database}.{name}.lock"))
    raise ValueError(f"no lock for the database {url.render_as_string()}: use SQLite in a file, or PostgreSQL")


@contextmanager
def store_locked(database_url: str, name: str, busy: Exception, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock `name` of a store.

    Parameters
    ----------
    database_url : str
    name : str
    busy : Exception
        Raised if another process still holds the lock after `wait_seconds`.
    wait_seconds : float

    Yields
    ------
    None

    Raises
    ------
    Exception
        `busy`.
    """
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


def _key(name: str) -> int:
    digest = hashlib.sha256(f"hazecast:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


class _FileLock:
    def __init__(self, path: Path) -> None:
        self._path = path
        # Any thread may ask: the lock is the process's, not a thread's.
        self._lock = FileLock(path, timeout=0, thread_local=False)

    def acquire(self) -> bool:
        try:
            self._lock.acquire()
        except Timeout:
            return False
        except OSError as error:
            raise StoreError(f"{self._path}: can't be written: {error}") from error
        return True

    def release(self) -> None:
        self._lock.release(force=True)


class _StoreFileLock(_FileLock):
    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        super().__init__(path)

    def still_held(self) -> bool:
        return bool(self._lock.is_locked)


class _CycleFileLock(_FileLock):
    def release(self) -> None:
        # Removed while held: whoever opened it before waits for nothing, since ids aren't used twice.
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        super().release()


class _PooledAdvisoryLock:
    """An advisory lock held by one of an engine's connections, which it keeps."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self._parameters = engine, {"key": _key(name)}
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if self._connection.execute(_TRY, self._parameters).scalar():
            return True
        self.release()
        return False

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(StoreError):
                connection.execute(_UNLOCK, self._parameters)
            connection.close()


class AdvisoryLock:
    """An advisory lock of PostgreSQL, held by a session of its own.

    What is written through `begin` is written by the very session that holds the lock: once the
    lock is lost, nothing can be.
    """

    def __init__(self, database_url: str, name: str, *, hold_while_idle: bool = True) -> None:
        requires("psycopg", "postgres")
        self._engine: Engine = create_engine(database_url, poolclass=NullPool, connect_args=dict(_CONNECT))
        self._parameters = {"key": _key(name)}
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
            return bool(connection.execute(_TRY, self._parameters).scalar())

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
            # An invalidated connection would open a new session: one without the lock.
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
