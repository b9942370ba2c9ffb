"""The database behind the store, SQLite or PostgreSQL: its connections, its schema, and readable messages of its faults."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.services.core.database_url import with_driver
from hazecast.services.core.errors import StoreError
from hazecast.services.core.files import private_file, private_folder
from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.tables.forecasts import keep_files_in

# How long a statement waits for what another process holds.
LOCK_SECONDS = 30
# Keepalives, so that the locks of a machine that has lost its power are freed within a minute.
_POSTGRES = (
    f"-c timezone=UTC -c lock_timeout={LOCK_SECONDS}s "
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)


class DatabaseFault(StoreError, OperationalError):  # noqa: N818 still SQLAlchemy's error, in clear words
    """A `StoreError` of the database itself."""

    def __init__(self, words: str, error: BaseException, invalidated: bool = False) -> None:
        OperationalError.__init__(self, None, None, error, connection_invalidated=invalidated)
        self._words = words

    def __str__(self) -> str:
        return self._words

    def __reduce__(self) -> tuple[type[StoreError], tuple[str]]:
        # Only the message is sent to another process: a driver's error may not be picklable.
        return StoreError, (self._words,)


def redacted(url: str | URL) -> str:
    """Return a database URL without its password, for messages and logs."""
    return make_url(url).render_as_string(hide_password=True)


def make_engine(database: str, files: Path | None = None, session: str = "") -> Engine:
    """Return the engine of a database.

    SQLite: WAL, so that readers and the one writer don't wait for each other; every commit is on disk before
    it counts; foreign keys are checked. Transactions are begun here, not by the driver, which would leave
    changes of the schema outside of them.

    PostgreSQL: connections are tested before use, so that a restart of the server costs no request; their
    time zone is UTC; nothing waits for a lock for ever.

    Parameters
    ----------
    database : str
        SQLAlchemy URL.
    files : Path, optional
        The data folder, to which the paths in the database are relative; by default that of SQLite's file.
    session : str
        Further options of PostgreSQL's sessions, such as ``-c statement_timeout=1s``; SQLite has none.

    Returns
    -------
    Engine

    Raises
    ------
    InputError
        If it is neither, or the extra "postgres" that it needs is not installed.
    StoreError
        If SQLite's folder can't be made.
    """
    try:
        url = make_url(with_driver(database))
    except ValueError as error:
        kind, expected = str(error).split("; expected ")
        raise InputError("database URL", kind, expected) from error
    if url.get_backend_name() == "sqlite":
        if url.database:
            files = files or Path(url.database).parent
            private_folder(Path(url.database).parent)
            if not url.database.startswith((":memory:", "file:")):
                # SQLite gives its other files the same mode.
                private_file(Path(url.database))
        engine = create_engine(url, connect_args={"timeout": LOCK_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        # As `Sessions.begin`: `begin` is for writing, `connect` for reading.
        engine.begin = partial(writing, engine)  # type: ignore[method-assign]
    else:
        load_driver()
        options = f"{url.query.get('options') or _POSTGRES} {session}".rstrip()
        engine = create_engine(
            url,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "application_name": "hazecast", "options": options},
        )
    event.listen(engine, "handle_error", _explain)
    if files is not None:
        private_folder(files)
        keep_files_in(engine.dialect, files)
    return engine


def load_driver() -> None:
    """Import psycopg, so that its libraries call their own functions, whatever was loaded before.

    The wheels of psycopg and of eccodes (eckit) each hold libldap, of another version. eccodes' are loaded for the whole process
    (RTLD_GLOBAL, by findlibs; also by xarray, with the first file that it opens, where cfgrib is installed). psycopg's libldap, if
    loaded after them, works on the other's variables, and its destructor frees what is none of its own: SIGSEGV when the
    process ends. Loaded first it doesn't see them; loaded second it must look into its own libraries first.

    Raises
    ------
    MissingExtraError
        If the extra "postgres" is not installed.
    """
    # Only then: this way of loading also passes by an allocator that was preloaded.
    deep = getattr(os, "RTLD_DEEPBIND", 0) if "gribapi" in sys.modules and "psycopg" not in sys.modules else 0
    flags = sys.getdlopenflags() if deep else 0
    try:
        if deep:
            sys.setdlopenflags(flags | deep)
        requires("psycopg", "postgres")
    finally:
        if deep:
            sys.setdlopenflags(flags)


class Sessions(sessionmaker[Session]):
    """Makes sessions: `begin` for a transaction that writes, a call for one that reads.

    A writer holds SQLite's one write lock from the start: what it has read then still holds when it writes.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, expire_on_commit=False)
        self._writing = engine.execution_options(writing=True)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open a transaction that writes; committed at the end, undone by an error."""
        with self(bind=self._writing) as session, session.begin():
            yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes, without a session."""
    with engine.execution_options(writing=True).begin() as connection:
        yield connection


def head_revision() -> str:
    """Return the newest schema that this version of Hazecast knows."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def known_revision(revision: str) -> bool:
    """Return whether this version of Hazecast knows a schema."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def current_revision(engine: Engine) -> str | None:
    """Return the schema that the database has, None if it has none."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up or down to a revision, completely or not at all; ``base`` drops all tables.

    One process migrates at a time; the next finds the work done.

    Parameters
    ----------
    engine : Engine
    revision : str
        ``head``, ``base`` or the number of a schema.

    Raises
    ------
    InputError
        If the revision isn't known, or the database has one that isn't: a newer Hazecast made it.
    """
    script = ScriptDirectory.from_config(_config())
    current = current_revision(engine)
    if current == (script.get_current_head() if revision == "head" else revision):
        return
    with schema_transaction(engine) as connection:
        move_schema(connection, revision)


def move_schema(connection: Connection, revision: str) -> None:
    """Bring the schema up or down to a revision, within the transaction of `schema_transaction`.

    Parameters
    ----------
    connection : Connection
    revision : str
        ``head``, ``base`` or the number of a schema.

    Raises
    ------
    InputError
        As `migrate`.
    """
    script = ScriptDirectory.from_config(_config())
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and not known_revision(current):
        expected = f"a schema up to {script.get_current_head()}: a newer Hazecast made this one"
        raise InputError(f"{redacted(connection.engine.url)}: schema", current, expected)
    config = _config()
    config.attributes["connection"] = connection
    try:
        down = revision != "head" and _is_below(script, revision, current)
        (command.downgrade if down else command.upgrade)(config, revision)
    except CommandError as error:
        raise InputError("revision", revision, f"base, head or a schema's number ({error})") from error


def _is_below(script: ScriptDirectory, revision: str, current: str | None) -> bool:
    if revision == "base":
        return True
    target = script.get_revision(revision)
    below = {step.revision for step in script.iterate_revisions(current, "base")} if current else set()
    return target is not None and target.revision in below and target.revision != current


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


@contextmanager
def schema_transaction(engine: Engine) -> Iterator[Connection]:
    """Open a transaction in which the schema may be changed; one process has it at a time.

    Raises
    ------
    StoreError
        If rows refer to nothing at its end (SQLite); nothing is then changed.
    """
    sqlite = engine.dialect.name == "sqlite"
    with engine.execution_options(writing=True).connect() as connection:
        if sqlite:
            # A table that a migration rewrites is dropped, and with it the rows that refer to it. This can only be switched
            # off outside of a transaction; the connection is not used again.
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
            connection.detach()
        with connection.begin():
            if not sqlite:
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                lock_until_commit(connection, "migration")
            yield connection
            if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
                raise StoreError(f"{redacted(engine.url)}: rows that refer to nothing after a migration: {broken[:3]}")


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None
    # While another process changes the journal SQLite says "locked" at once, whatever the time-out.
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.05)
    for pragma in ("foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN")


def _explain(context: ExceptionContext) -> None:
    error = context.original_exception
    if context.is_pre_ping or not _is_operational(error):
        return
    where = redacted(context.engine.url) if context.engine is not None else "the database"
    words = " ".join(str(error).split())
    for sign, advice in _ADVICE.items():
        if sign in words.lower():
            words += f" ({advice})"
            break
    raise DatabaseFault(f"{where}: {words}", error, context.is_disconnect) from error


def _is_operational(error: BaseException) -> bool:
    if isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError:
        return True
    # Not imported for this: only what is loaded can have raised it.
    driver = sys.modules.get("psycopg")
    return driver is not None and isinstance(error, driver.OperationalError)


_ADVICE = {
    "database is locked": f"another process has been writing for {LOCK_SECONDS} s; nothing was stored",
    "lock timeout": f"another transaction has held it for {LOCK_SECONDS} s; nothing was stored",
    "full": "make room on the disk; nothing was stored",
    "no space left": "make room on the disk; nothing was stored",
    "readonly": "the database and its folder must be writable",
    "unable to open": "the folder must exist and be writable",
    "malformed": "restore a backup: hazecast restore",
    "not a database": "restore a backup: hazecast restore",
    "connection": "is the server running, and does the URL name it?",
}
