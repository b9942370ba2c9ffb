"""Transactions that only the leader can make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from hazecast.services.store.locks import AdvisoryLock, LockLost, StoreLock


class Fence:
    """Transactions that only the leader can make; after one that failed, none.

    What APScheduler does when a due job can't be claimed is to move its due time on all the same.
    That must not be stored: the job is due still.
    """

    def __init__(self, lock: StoreLock, engine: Engine) -> None:
        self._begin = lock.begin if isinstance(lock, AdvisoryLock) else engine.begin
        self.broken = False

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction.

        Raises
        ------
        LockLost
            If the leader is one no more.
        """
        if self.broken:
            raise LockLost("an earlier transaction failed")
        try:
            with self._begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except Exception:
            self.broken = True
            raise
