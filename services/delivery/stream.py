"""Streams of events for many readers at once: one query of the store serves all readers of a process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from anyio.to_thread import run_sync
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from hazecast.services.delivery.content import public_event
from hazecast.services.store.outbox import PUBLIC_TYPES
from hazecast.services.store.tables.delivery import Delivery, OutboxEvent

Item = TypeVar("Item")
# How long a reader whose key was revoked may read on.
RECHECK_SECONDS = 3.0
# At most this many at a time; a reader that is far behind takes several rounds.
_AT_A_TIME = 500
# Positions whose items are kept for the readers at the same one, each with as many items as are read at a time.
_MOST_KNOWN = 16


class EventFeed(Generic[Item]):
    """A growing, numbered list of events, read by many readers, each from its own position.

    Parameters
    ----------
    last : callable
        Returns the newest number.
    after : callable
        Returns the numbered items after a number, in order.
    seconds : float
        The newest number is queried at most once in this time.
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
                found = await run_sync(self._last)
                if found != self._newest:
                    self._newest, self._known = found, {}
                self._asked_at = time.monotonic()
            return self._newest

    async def read(
        self, position: int, seconds: float = float("inf"), allowed: Callable[[], bool] | None = None
    ) -> AsyncIterator[tuple[int, Item]]:
        """Yield the items after a position as they come.

        Parameters
        ----------
        position : int
            Items with a greater number are yielded.
        seconds : float
            For how long.
        allowed : callable, optional
            Asked in a thread every `RECHECK_SECONDS` whether the reader may read on; where not, the items end.

        Yields
        ------
        number : int
        item : Item
        """
        until = time.monotonic() + seconds
        gate = _Gate(allowed)
        while time.monotonic() < until and await gate.open():
            newest = await self.newest()
            if newest <= position:
                await asyncio.sleep(min(self._seconds, max(0.0, until - time.monotonic())))
                continue
            async with self._lock:
                items = self._known.get(position)
                if items is None:
                    items = self._known[position] = await run_sync(self._after, position)
                    if len(self._known) > _MOST_KNOWN:
                        del self._known[next(iter(self._known))]
            for number, item in items:
                if not await gate.open():
                    return
                yield number, item
            read = items[-1][0] if items else position
            position = read if len(items) == _AT_A_TIME else max(newest, read)


class _Gate:
    """Asks from time to time whether a reader may still read."""

    def __init__(self, allowed: Callable[[], bool] | None) -> None:
        self._allowed, self._asked_at = allowed, time.monotonic()

    async def open(self) -> bool:
        if self._allowed is None or time.monotonic() - self._asked_at < RECHECK_SECONDS:
            return True
        self._asked_at = time.monotonic()
        return await run_sync(self._allowed)


class PublicEvent(NamedTuple):
    """An event as all readers get it: whether it is a ``forecast`` or a ``warning``, and its JSON, made once for all of them."""

    kind: str
    body: str


def public_feed(sessions: sessionmaker[Session], seconds: float) -> EventFeed[PublicEvent]:
    """Return the feed of the events that everyone may read, numbered as in the outbox.

    Parameters
    ----------
    sessions : sessionmaker
    seconds : float
        The store is queried at most once in this time.

    Returns
    -------
    EventFeed of PublicEvent
    """

    def after(position: int) -> Sequence[tuple[int, PublicEvent]]:
        query = select(OutboxEvent).where(OutboxEvent.seq > position, OutboxEvent.type.in_(PUBLIC_TYPES))
        with sessions() as session:
            rows = session.scalars(query.order_by(OutboxEvent.seq).limit(_AT_A_TIME)).all()
        return [(row.seq, PublicEvent(row.type.split(".")[0], public_event(row))) for row in rows]

    return EventFeed(lambda: _newest(sessions, OutboxEvent.seq), after, seconds)


def subscription_feed(
    sessions: sessionmaker[Session], subscription_id: str, seconds: float
) -> EventFeed[tuple[Delivery, OutboxEvent]]:
    """Return the feed of a subscription's events, numbered by the positions of its deliveries.

    Parameters
    ----------
    sessions : sessionmaker
    subscription_id : str
    seconds : float
        The store is queried at most once in this time.

    Returns
    -------
    EventFeed of (Delivery, OutboxEvent)
    """
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

    return EventFeed(lambda: _newest(sessions, Delivery.position, own), after, seconds)


def oldest_event_number(sessions: sessionmaker[Session]) -> int:
    """Return the number of the oldest event that has not been removed; 0 if there is none."""
    with sessions() as session:
        return session.scalar(select(func.min(OutboxEvent.seq))) or 0


def _newest(
    sessions: sessionmaker[Session], column: InstrumentedAttribute[int], *conditions: ColumnElement[bool]
) -> int:
    with sessions() as session:
        return session.scalar(select(func.max(column)).where(*conditions)) or 0
