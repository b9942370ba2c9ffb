"""Reading from somebody else's database: read-only, within a time, and without its password in any error."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from hazecast.grids.errors import InputError
from hazecast.services.sources.errors import FetchError

SETTING = "HAZECAST_SQL_URL"
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
# What makes a session read-only and limits its statements; {ms} and {s} are the time limit.
_SESSION: dict[str, tuple[str, ...]] = {
    "postgresql": ("SET TRANSACTION READ ONLY", "SET LOCAL statement_timeout = {ms}", "SET LOCAL lock_timeout = {ms}"),
    "sqlite": ("PRAGMA query_only = ON",),
    "mysql": ("SET SESSION max_execution_time = {ms}", "SET SESSION TRANSACTION READ ONLY", "START TRANSACTION READ ONLY"),
    "mariadb": ("SET SESSION max_statement_time = {s}", "START TRANSACTION READ ONLY"),
    "oracle": ("SET TRANSACTION READ ONLY",),
}  # fmt: skip
_CONNECT_SECONDS = 10
# SQLite asks after so many steps of its machine whether to go on.
_STEPS = 20_000


class ReadOnlyDatabase:
    """A database that is read from; what it is asked can change nothing.

    Parameters
    ----------
    url : str
        SQLAlchemy URL.
    seconds : float
        The longest time of a statement.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._url, self._seconds = _url(url), seconds
        self.name = self._url.render_as_string(hide_password=True)
        self._engine = self._make()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a read-only transaction; it is rolled back at the end.

        Yields
        ------
        Connection

        Raises
        ------
        FetchError
            If the database can't be reached or refuses, or a statement takes too long.
        """
        try:
            with self._engine.connect() as connection:
                self._limit(connection)
                try:
                    yield connection
                finally:
                    connection.rollback()
        except SQLAlchemyError as error:
            raise FetchError(self.name, self._told(error), "an answer of the database") from error

    def _make(self) -> Engine:
        backend = self._url.get_backend_name()
        try:
            if backend == "sqlite":
                return create_engine(self._url, poolclass=NullPool, creator=_sqlite(self._url))
            known = {"connect_timeout": _CONNECT_SECONDS} if backend in ("postgresql", "mysql", "mariadb") else {}
            return create_engine(self._url, poolclass=NullPool, connect_args=known)
        except ImportError as error:
            raise InputError(SETTING, f"{backend}, and {error}", f"an installed driver of {backend}") from error

    def _limit(self, connection: Connection) -> None:
        name = "mariadb" if getattr(connection.dialect, "is_mariadb", False) else connection.dialect.name
        for statement in _SESSION[name]:
            connection.execute(text(statement.format(ms=int(self._seconds * 1000), s=self._seconds)))
        driver: Any = connection.connection.dbapi_connection
        if name == "oracle":
            driver.call_timeout = int(self._seconds * 1000)
        if name == "sqlite":
            end = time.monotonic() + self._seconds
            driver.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)

    def _told(self, error: SQLAlchemyError) -> str:
        """Return what went wrong without statement, parameters and password."""
        found = " ".join(str(getattr(error, "orig", None) or error).split())
        if found == "interrupted":
            found = f"no answer within {self._seconds:g} s"
        password = self._url.password
        return found.replace(password, "***") if password else found


def _url(given: str) -> URL:
    scheme, _, rest = given.partition("://")
    try:
        url = make_url(f"{_DRIVERS.get(scheme, scheme)}://{rest}")
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        # Whatever was given may hold a password.
        raise InputError(SETTING, "no URL", "such as postgresql://USER:PASSWORD@HOST/DATABASE") from None
    if backend not in _SESSION:
        raise InputError(
            SETTING, f"a URL of {backend}", f"one of {', '.join(_SESSION)}, which can be read without writing"
        )
    if backend == "sqlite" and not Path(url.database or "").is_file():
        raise InputError(SETTING, url.render_as_string(hide_password=True), "a file that exists")
    return url


def _sqlite(url: URL) -> Callable[[], sqlite3.Connection]:
    address = f"file:{quote(str(Path(url.database or '').absolute()))}?mode=ro"
    return lambda: sqlite3.connect(address, uri=True, timeout=_CONNECT_SECONDS, check_same_thread=False)
