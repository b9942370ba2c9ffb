"""Places of readers of event streams: a limit for each process, and for an address and an account over all of them."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CancelScope
from anyio.to_thread import run_sync
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from hazecast.services.core.errors import StoreError
from hazecast.services.store.shared import Shared, open_stream

log = logging.getLogger(__name__)

# The places of a process that was killed are free again after this time.
HELD_SECONDS = 60.0
REFRESH_SECONDS = 15.0
_LOCK = "streams"


class TooManyReaders(Exception):  # noqa: N818 a state, not a fault
    """No further reader is taken; the message gives the reason."""


class StreamPlaces:
    """Upper limits on the readers of event streams.

    A place is taken when it is asked for, not once the reader has begun: readers that come at once exceed no limit.
    Where what the processes share can't be used, each counts for itself.

    Parameters
    ----------
    shared : Shared
    number : int
        Of readers of this process.
    per_address, per_account : int
        Of readers of all processes.
    """

    def __init__(self, shared: Shared, number: int, per_address: int, per_account: int) -> None:
        self._shared, self._number = shared, number
        self._limits = {"address": per_address, "account": per_account}
        self._held: dict[str, dict[str, str | None]] = {}

    @asynccontextmanager
    async def hold(self, address: str, account: str | None = None) -> AsyncIterator[None]:
        """Count one reader for as long as the context lasts.

        Parameters
        ----------
        address : str
            That the reader counts for.
        account : str, optional
            Whose key it showed.

        Yields
        ------
        None

        Raises
        ------
        TooManyReaders
            If a limit is reached.
        """
        if len(self._held) >= self._number:
            raise TooManyReaders("too many listeners")
        reader = {"address": address, "account": account}
        for kind, value in reader.items():
            self._check(kind, value, sum(own[kind] == value for own in self._held.values()))
        name = uuid.uuid4().hex
        self._held[name] = reader
        try:
            await run_sync(self._enter, name, reader)
        except TooManyReaders:
            del self._held[name]
            raise
        except BaseException:
            await self._give_back(name)
            raise
        try:
            yield
        finally:
            await self._give_back(name)

    async def _give_back(self, name: str) -> None:
        del self._held[name]
        # Also where the reader's own task was cancelled: its place is free at once.
        with CancelScope(shield=True):
            await run_sync(self._leave, name)

    def _check(self, kind: str, value: str | None, held: int) -> None:
        if value is not None and held >= self._limits[kind]:
            raise TooManyReaders(f"{self._limits[kind]} streams are open from this {kind}")

    def _enter(self, name: str, reader: dict[str, str | None]) -> None:
        try:
            with self._shared.begin(_LOCK) as connection:
                now = self._shared.seconds(connection)
                connection.execute(delete(open_stream).where(open_stream.c.until < now))
                for kind, value in reader.items():
                    self._check(kind, value, _count(connection, open_stream.c[kind] == value))
                connection.execute(insert(open_stream).values(id=name, until=now + HELD_SECONDS, **reader))
            if name not in self._held:
                # Its reader was cut off meanwhile.
                self._leave(name)
        except (StoreError, SQLAlchemyError) as error:
            log.warning("a stream counts for this process alone: %s", error)

    def _leave(self, name: str) -> None:
        try:
            # With the lock: `refresh` may be writing this row again.
            with self._shared.begin(_LOCK) as connection:
                connection.execute(delete(open_stream).where(open_stream.c.id == name))
        except (StoreError, SQLAlchemyError) as error:
            log.warning("the place of a stream is free only after %g s: %s", HELD_SECONDS, error)

    def refresh(self) -> None:
        """Say that the readers of this process are still there; to be called every `REFRESH_SECONDS`."""
        held = dict(self._held)
        if not held:
            return
        try:
            with self._shared.begin(_LOCK) as connection:
                until = self._shared.seconds(connection) + HELD_SECONDS
                connection.execute(delete(open_stream).where(open_stream.c.id.in_(held)))
                # Those that have left meanwhile would come back for a minute.
                rows = [{"id": name, "until": until, **reader} for name, reader in held.items() if name in self._held]
                if rows:
                    connection.execute(insert(open_stream), rows)
        except (StoreError, SQLAlchemyError) as error:
            log.warning("the streams of this process are not counted elsewhere: %s", error)

    @property
    def empty(self) -> bool:
        """Whether nobody holds a place of this process."""
        return not self._held


def _count(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(open_stream).where(condition)).scalar_one()
