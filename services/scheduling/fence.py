"""Transactions that only the leader can make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from hazecast.services.store.locks import AdvisoryLock, LockLost, StoreLock


class Fence:
    """Transactions that only the leader can make; after one that failed, none.

    A leader whose transaction failed may have lost its lock. It writes nothing more: its jobs stay due, and the
    next leader starts from what is stored.

    Parameters
    ----------
    lock : StoreLock
        The leader's lock. With PostgreSQL's, transactions are made by the session that holds it.
    engine : Engine
        Makes the transactions where the lock is a file.

    Attributes
    ----------
    broken : bool
        Whether a transaction has failed.
    """

    def __init__(self, lock: StoreLock, engine: Engine) -> None:
        self._begin = lock.begin if isinstance(lock, AdvisoryLock) else engine.begin
        self.broken = False

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction.

        Yields
        ------
        Connection

        Raises
        ------
        LockLost
            If this process no longer leads, or an earlier transaction failed.
        """
        if self.broken:
            raise LockLost("an earlier transaction failed")
        try:
            with self._begin() as connection:
                yield connection
        except IntegrityError:
            # A row that is there already, such as an earlier claim: the transaction did its work.
            raise
        except Exception:
            self.broken = True
            raise
