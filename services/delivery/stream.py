"""Streams of events for many readers at once: one look at the store serves all of a process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from hazecast.services.store.outbox import PUBLIC_TYPES
from hazecast.services.store.tables.delivery import Delivery, OutboxEvent

Item = TypeVar("Item")
# At most this many at a time; a reader that is far behind takes several rounds.
_AT_A_TIME = 500


class Tail(Generic[Item]):
    """A numbered list that grows, read by many from where each of them stands.

    Parameters
    ----------
    last : callable
        Gives the newest number.
    after : callable
        Gives the numbered items after a number, in order.
    seconds : float
        How often, at most, the newest number is asked for.
    """

    def __init__(
        self, last: Callable[[], int], after: Callable[[int], Sequence[tuple[int, Item]]], seconds: float
    ) -> None:
        self._last, self._after, self._seconds = last, after, seconds
        self._lock = asyncio.Lock()
        self._newest, self._asked_at = 0, float("-inf")
        self._known: dict[int, Sequence[tuple[int, Item]]] = {}

    async def newest(self) -> int:
        """Return the newest number, as of at most `seconds` ago."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= self._seconds:
                found = await asyncio.to_thread(self._last)
                if found != self._newest:
                    self._newest, self._known = found, {}
                self._asked_at = time.monotonic()
            return self._newest

    async def read(self, position: int, seconds: float = float("inf")) -> AsyncIterator[tuple[int, Item]]:
        """Give what comes after a number, for some time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            newest = await self.newest()
            if newest <= position:
                await asyncio.sleep(min(self._seconds, max(0.0, until - time.monotonic())))
                continue
            async with self._lock:
                items = self._known.get(position)
                if items is None:
                    items = self._known[position] = await asyncio.to_thread(self._after, position)
            for number, item in items:
                yield number, item
            read = items[-1][0] if items else position
            position = read if len(items) == _AT_A_TIME else max(newest, read)


class Seats:
    """A bound on the readers of a process."""

    def __init__(self, number: int) -> None:
        self.free = number

    @contextmanager
    def taken(self):  # type: ignore[no-untyped-def]
        """Hold one."""
        self.free -= 1
        try:
            yield
        finally:
            self.free += 1


def public_tail(sessions: sessionmaker[Session], seconds: float) -> Tail[OutboxEvent]:
    """Return the events that all may read, numbered as in the outbox."""

    def after(position: int) -> Sequence[tuple[int, OutboxEvent]]:
        query = select(OutboxEvent).where(OutboxEvent.seq > position, OutboxEvent.type.in_(PUBLIC_TYPES))
        with sessions() as session:
            return [(row.seq, row) for row in session.scalars(query.order_by(OutboxEvent.seq).limit(_AT_A_TIME))]

    return Tail(lambda: _newest(sessions, OutboxEvent.seq), after, seconds)


def own_tail(
    sessions: sessionmaker[Session], subscription_id: str, seconds: float
) -> Tail[tuple[Delivery, OutboxEvent]]:
    """Return the events of a subscription, numbered as its deliveries are."""
    own = Delivery.subscription_id == subscription_id

    def after(position: int) -> Sequence[tuple[int, tuple[Delivery, OutboxEvent]]]:
        query = (
            select(Delivery, OutboxEvent)
            .join(OutboxEvent, OutboxEvent.seq == Delivery.event_seq)
            .where(own, Delivery.position > position)
        )
        with sessions() as session:
            rows = session.execute(query.order_by(Delivery.position).limit(_AT_A_TIME))
            return [(row[0].position, (row[0], row[1])) for row in rows]

    return Tail(lambda: _newest(sessions, Delivery.position, own), after, seconds)


def oldest(sessions: sessionmaker[Session]) -> int:
    """Return the number of the oldest event that is still kept; 0 if there is none."""
    with sessions() as session:
        return session.scalar(select(func.min(OutboxEvent.seq))) or 0


def _newest(sessions, column, *conditions) -> int:  # type: ignore[no-untyped-def]
    with sessions() as session:
        return session.scalar(select(func.max(column)).where(*conditions)) or 0
