"""The dispatcher: sends the due messages of each subscription, in order, until they are delivered or given up.

Any number of dispatchers may run at once, in any number of processes. A subscription is served under a lease. That
of a killed dispatcher expires; messages that it had sent but not recorded are sent again, under the same id.
"""

from __future__ import annotations

import json
import logging
import random
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from hazecast.grids.places.cities import Registry
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.settings import Settings
from hazecast.services.delivery.channel import Channel, Message, Outcome
from hazecast.services.delivery.confirmations import stop_unconfirmed
from hazecast.services.delivery.lateness import note_failure
from hazecast.services.delivery.queries import has_waiting, is_servable, prune, update_rows, waiting_deliveries
from hazecast.services.delivery.routing import ACCOUNT_ENABLED, route, schedule_bulletins
from hazecast.services.delivery.subscription_rows import activate
from hazecast.services.store.outbox import CONFIRMATION
from hazecast.services.store.tables.delivery import Delivery, OutboxEvent, Subscription

log = logging.getLogger(__name__)

Render = Callable[[Subscription, OutboxEvent, str], str]
# Longer than any one attempt: only a dispatcher that has died, or hangs, loses its lease.
_LEASE_MARGIN = timedelta(seconds=60)
# After this many messages a subscription waits for its next turn, so that others are served.
_MESSAGES_PER_TURN = 100


class Outlets(NamedTuple):
    """What a dispatcher sends by, made for one registry of cities; see `Dispatcher`."""

    registry: Registry
    channels: Mapping[str, Channel]
    render: Render


class Dispatcher:
    """Sends due messages.

    Parameters
    ----------
    sessions : sessionmaker
    registry : Registry
    settings : Settings
    channels : mapping of str to Channel
        By the name that subscriptions give.
    render : callable
        Returns the JSON text of an event for a subscription, under a delivery's id.
    clock : callable
        Gives the time, aware.
    rng : random.Random, optional
        Spreads the delays between attempts.
    renewed : callable, optional
        Returns these three as they are now, for cities that are added while the dispatcher runs.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        registry: Registry,
        settings: Settings,
        channels: Mapping[str, Channel],
        render: Render,
        *,
        clock: Clock = utc_now,
        rng: random.Random | None = None,
        renewed: Callable[[], Outlets] | None = None,
    ) -> None:
        self.owner = secrets.token_hex(8)
        self._sessions, self._registry, self._settings = sessions, registry, settings
        self._channels, self._render, self._renewed = channels, render, renewed
        self._clock, self._rng = clock, rng or random.SystemRandom()
        self._lease = _LEASE_MARGIN + timedelta(seconds=2 * settings.webhooks.timeout_seconds)
        self._busy: dict[str, Future[int]] = {}
        self._pruned_at: datetime | None = None

    def prepare(self) -> None:
        """Turn new events into deliveries, give up those that have waited too long, remove old ones."""
        now = self._clock()
        if self._renewed is not None:
            self._registry, self._channels, self._render = self._renewed()
        schedule_bulletins(self._sessions, self._settings, now)
        route(self._sessions, self._registry, self._settings, now)
        self._give_up_unserved(now)
        if self._pruned_at is None or now - self._pruned_at > timedelta(hours=1):
            prune(self._sessions, now - timedelta(days=self._settings.delivery.keep_days))
            stop_unconfirmed(self._sessions, now)
            self._pruned_at = now

    def due(self) -> list[str]:
        """Return the ids of the subscriptions with messages to send now, the longest due first."""
        now = self._clock()
        query = select(Subscription.id).where(is_servable(now), has_waiting())
        with self._sessions() as session:
            return list(session.scalars(query.order_by(Subscription.next_attempt_at, Subscription.id)))

    def run_once(self) -> int:
        """Send all messages that are due now, one subscription after the other; return how many were delivered."""
        self.prepare()
        return sum(self.serve(subscription_id) for subscription_id in self.due())

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set, several subscriptions at a time: a slow receiver delays no other.

        If the store fails, that is logged and tried again.
        """
        with ThreadPoolExecutor(self._settings.delivery.workers, "delivery") as pool:
            while not stop.is_set():
                try:
                    self.prepare()
                    self._busy = {name: future for name, future in self._busy.items() if not future.done()}
                    for subscription_id in self.due():
                        if subscription_id not in self._busy and not stop.is_set():
                            self._busy[subscription_id] = pool.submit(self._serve_safely, subscription_id, stop)
                except Exception:
                    log.exception("delivery: the store failed; due messages wait")
                stop.wait(self._settings.delivery.poll_seconds)
            wait(self._busy.values())

    def serve(self, subscription_id: str, stop: threading.Event | None = None) -> int:
        """Send the due messages of one subscription, in order.

        Parameters
        ----------
        subscription_id : str
        stop : threading.Event, optional
            If it is set, no further message is sent.

        Returns
        -------
        int
            How many messages were delivered; 0 if another dispatcher serves the subscription.
        """
        if not self._take_lease(subscription_id):
            return 0
        delivered = 0
        try:
            for _ in range(_MESSAGES_PER_TURN):
                if stop is not None and stop.is_set():
                    break
                found = self._next_messages(subscription_id)
                if found is None:
                    break
                subscription, pairs = found
                outcome = self._attempt(subscription, pairs)
                goes_on = self._record(subscription_id, [row.id for row, _ in pairs], outcome, pairs[0][1].type)
                delivered += len(pairs) if outcome.kind == "delivered" else 0
                if not goes_on:
                    break
        finally:
            self._release_lease(subscription_id)
        return delivered

    def _serve_safely(self, subscription_id: str, stop: threading.Event) -> int:
        try:
            return self.serve(subscription_id, stop)
        except Exception:
            log.exception("delivery to %s failed; it is tried again", subscription_id)
            return 0

    def _take_lease(self, subscription_id: str) -> bool:
        now = self._clock()
        with self._sessions.begin() as session:
            return update_rows(
                session,
                update(Subscription)
                .where(Subscription.id == subscription_id, is_servable(now))
                .values(lease_owner=self.owner, lease_until=now + self._lease),
            )

    def _release_lease(self, subscription_id: str) -> None:
        with self._sessions.begin() as session:
            session.execute(
                update(Subscription)
                .where(Subscription.id == subscription_id, Subscription.lease_owner == self.owner)
                .values(lease_owner=None, lease_until=None)
            )

    def _next_messages(self, subscription_id: str) -> tuple[Subscription, list[tuple[Delivery, OutboxEvent]]] | None:
        """Renew the lease and return the first waiting messages, as many as the channel takes at a time."""
        now = self._clock()
        with self._sessions.begin() as session:
            held = update_rows(
                session,
                update(Subscription)
                .where(Subscription.id == subscription_id, Subscription.lease_owner == self.owner)
                .values(lease_until=now + self._lease),
            )
            subscription = session.get(Subscription, subscription_id)
            if not held or subscription is None:
                log.warning("delivery to %s: another dispatcher has taken over", subscription_id)
                return None
            channel = self._channels.get(subscription.channel)
            query = waiting_deliveries(subscription_id, subscription.state == "unconfirmed")
            rows = session.execute(query.limit(channel.batch_size if channel else 1)).all()
            if subscription.state not in ("active", "unconfirmed") or not rows:
                return None
            batch = rows[0][1].batch
            return subscription, [(row[0], row[1]) for row in takewhile(lambda row: row[1].batch == batch, rows)]

    def _attempt(self, subscription: Subscription, pairs: Sequence[tuple[Delivery, OutboxEvent]]) -> Outcome:
        channel = self._channels.get(subscription.channel)
        if channel is None:
            return Outcome("failed", error=f"this service does not send by {subscription.channel}")
        try:
            messages = [message_of(subscription, event, row.id, self._render) for row, event in pairs]
            return channel.send(subscription, messages, self._clock())
        except Exception as error:
            # A message that can't be rendered must not stop the dispatcher, nor be lost.
            log.exception("delivery %s failed", pairs[0][0].id)
            return Outcome("failed", error=f"{type(error).__name__}: {error}"[:500])

    def _record(self, subscription_id: str, ids: Sequence[str], outcome: Outcome, event_type: str) -> bool:
        """Store the outcome of an attempt; return whether the next message may follow at once."""
        now = self._clock()
        with self._sessions.begin() as session:
            held = update_rows(
                session,
                update(Subscription)
                .where(Subscription.id == subscription_id, Subscription.lease_owner == self.owner)
                .values(lease_until=now + self._lease),
            )
            own = (Delivery.id.in_(ids), Delivery.state == "pending")
            tried = {
                "attempts": Delivery.attempts + 1, "last_attempt_at": now, "status": outcome.status,
                "error": outcome.error,
            }  # fmt: skip
            if outcome.kind == "delivered":
                # True even if another dispatcher holds the lease by now: it spares the receiver a repetition.
                session.execute(update(Delivery).where(*own).values(**tried, state="delivered", delivered_at=now))
            if not held:
                log.warning("delivery to %s: another dispatcher has taken over", subscription_id)
                return False
            subscription = session.get_one(Subscription, subscription_id)
            if outcome.kind == "delivered":
                subscription.failures, subscription.next_attempt_at = 0, now
                if outcome.confirmed and event_type == CONFIRMATION and subscription.state == "unconfirmed":
                    activate(subscription, now)
                return True
            subscription.failures += 1
            subscription.next_attempt_at = now + self._retry_delay(subscription.failures, outcome)
            if outcome.kind == "gone" and subscription.state in ("active", "unconfirmed"):
                subscription.state, subscription.state_reason = "stopped", "the receiver answered 410 Gone"
                log.warning("subscription %s stopped: the receiver answered 410 Gone", subscription_id)
            refused = func.coalesce(Delivery.refused_since, now) if outcome.kind == "refused" else None
            session.execute(update(Delivery).where(*own).values(**tried, refused_since=refused))
            note_failure(session, subscription_id, ids, outcome)
            return self._give_up(session, subscription, ids, outcome, now)

    def _give_up(
        self, session: Session, subscription: Subscription, ids: Sequence[str], outcome: Outcome, now: datetime
    ) -> bool:
        if outcome.kind == "refused":
            limit = now - timedelta(hours=self._settings.delivery.refused_hours)
            dead = update_rows(
                session,
                update(Delivery)
                .where(Delivery.id.in_(ids), Delivery.state == "pending",
                       or_(Delivery.refused_since <= limit, Delivery.give_up_at <= now))
                .values(state="dead"),
            )  # fmt: skip
            if dead:
                log.error("delivery %s to %s given up: %s", ids[0], subscription.id, outcome.error)
                # The receiver can be reached: the messages behind this one need not wait.
                subscription.failures, subscription.next_attempt_at = 0, now
            return dead
        # Messages behind this one that have waited as long are given up with it.
        lost = session.scalars(
            select(Delivery).where(
                Delivery.subscription_id == subscription.id, Delivery.state == "pending", Delivery.give_up_at <= now
            )
        )
        for row in lost:
            row.state, row.error = "dead", row.error or f"given up: {outcome.error}"
            log.error("delivery %s to %s given up: %s", row.id, subscription.id, outcome.error)
        return False

    def _give_up_unserved(self, now: datetime) -> None:
        """Give up messages of subscriptions that nothing is sent to, at the same age as all others."""
        unserved = select(Subscription.id).where(or_(Subscription.state.in_(("paused", "stopped")), ~ACCOUNT_ENABLED))
        old = (Delivery.state == "pending", Delivery.give_up_at <= now, Delivery.subscription_id.in_(unserved))
        with self._sessions() as session:
            if session.scalar(select(Delivery.id).where(*old).limit(1)) is None:
                return
        with self._sessions.begin() as session:
            session.execute(
                update(Delivery).where(*old).values(state="dead", error="given up: the subscription is not active")
            )

    def _retry_delay(self, failures: int, outcome: Outcome) -> timedelta:
        longest = self._settings.delivery.retry_max_seconds
        seconds = min(longest, self._settings.delivery.retry_seconds * 2.0 ** min(failures - 1, 30))
        # At least half of it: receivers that failed at the same time are not all tried again at the same time.
        seconds *= self._rng.uniform(0.5, 1.0)
        return timedelta(seconds=min(longest, max(seconds, outcome.retry_after or 0.0)))


def message_of(subscription: Subscription, event: OutboxEvent, delivery_id: str, render: Render) -> Message:
    """Return an event as the message that one subscription receives.

    Parameters
    ----------
    subscription : Subscription
    event : OutboxEvent
    delivery_id : str
    render : callable
        Returns the JSON text of the event for the subscription.

    Returns
    -------
    Message
    """
    return Message(
        id=delivery_id, event_id=event.id, type=event.type, occurred_at=event.occurred_at, simulated=event.simulated,
        batch=event.batch, content=json.loads(event.payload), body=render(subscription, event, delivery_id),
    )  # fmt: skip
