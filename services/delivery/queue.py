"""The queue of deliveries: its history, its dead letters, and sending them again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, sessionmaker

from hazecast.grids.errors import ConflictError, UnknownError
from hazecast.services.core.settings import Settings
from hazecast.services.delivery.lateness import hasten
from hazecast.services.delivery.routing import append_to_queues
from hazecast.services.delivery.subscription_fields import State
from hazecast.services.store.outbox import BULLETIN, lock_outbox
from hazecast.services.store.tables.delivery import Delivery, OutboxEvent, Subscription

Row = tuple[Delivery, OutboxEvent]


class Queue:
    """The deliveries in the store.

    Parameters
    ----------
    sessions : sessionmaker
    settings : Settings
    """

    def __init__(self, sessions: sessionmaker[Session], settings: Settings) -> None:
        self._sessions, self._settings = sessions, settings

    def history(
        self,
        *,
        subscription_id: str | None = None,
        account_id: str | None = None,
        state: State | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Row]:
        """Return deliveries with their events, the newest first.

        Parameters
        ----------
        subscription_id : str, optional
            Only deliveries of this subscription.
        account_id : str, optional
            Only those of this account's subscriptions.
        state : str, optional
            Only those in this state.
        before : int, optional
            Only those of an earlier position, for the next page.
        limit : int

        Returns
        -------
        list of (Delivery, OutboxEvent)
        """
        query = select(Delivery, OutboxEvent).join(OutboxEvent, OutboxEvent.seq == Delivery.event_seq)
        if subscription_id is not None:
            query = query.where(Delivery.subscription_id == subscription_id)
        if account_id is not None:
            query = query.where(Delivery.subscription_id.in_(_subscriptions_of(account_id)))
        if state is not None:
            query = query.where(Delivery.state == state)
        if before is not None:
            query = query.where(Delivery.position < before)
        with self._sessions() as session:
            rows = session.execute(query.order_by(Delivery.position.desc()).limit(limit))
            return [(row[0], row[1]) for row in rows]

    def get(self, delivery_id: str, account_id: str | None = None) -> Row:
        """Return one delivery with its event.

        Parameters
        ----------
        delivery_id : str
        account_id : str, optional
            The delivery must be of one of this account's subscriptions.

        Returns
        -------
        tuple of (Delivery, OutboxEvent)

        Raises
        ------
        UnknownError
            If there is no such delivery, or it is of another account.
        """
        query = (
            select(Delivery, OutboxEvent)
            .join(OutboxEvent, OutboxEvent.seq == Delivery.event_seq)
            .where(Delivery.id == delivery_id)
        )
        if account_id is not None:
            query = query.where(Delivery.subscription_id.in_(_subscriptions_of(account_id)))
        with self._sessions() as session:
            row = session.execute(query).one_or_none()
        if row is None:
            raise UnknownError("delivery", repr(delivery_id[:64]), "the id of a delivery")
        return row[0], row[1]

    def replay(self, ids: Sequence[str], now: datetime) -> int:
        """Send deliveries now: those that are delivered or given up again, under their ids, after all that wait.

        One that waits keeps its place; it and those before it are tried now, not after the wait that follows failures.

        Parameters
        ----------
        ids : sequence of str
        now : datetime
            Aware.

        Returns
        -------
        int
            How many are sent.

        Raises
        ------
        ConflictError
            If one of them is offered as a stream, or waits for a subscription that is not active.
        """
        with self._sessions.begin() as session:
            lock_outbox(session)
            rows = session.scalars(
                select(Delivery).where(Delivery.id.in_(ids)).order_by(Delivery.position)
            ).all()  # fmt: skip
            for row in rows:
                if row.state == "offered":
                    raise ConflictError(f"delivery {row.id}", row.state, "one that is sent, not fetched")
                if row.state == "pending":
                    _must_be_active(session, row.subscription_id)
            bulletins = set(
                session.scalars(
                    select(OutboxEvent.seq).where(
                        OutboxEvent.seq.in_([row.event_seq for row in rows]), OutboxEvent.type == BULLETIN
                    )
                )
            )
            finished = [row for row in rows if row.state != "pending"]
            for row in finished:
                hours = self._settings.delivery.give_up_hours
                if row.event_seq in bulletins:
                    hours = self._settings.subscriptions.bulletin_give_up_hours
                row.state, row.replays, row.refused_since = "pending", row.replays + 1, None
                row.give_up_at, row.late_reason = now + timedelta(hours=hours), row.late_reason or "sent_again"
            append_to_queues(session, finished)
            hasten(session, list({row.subscription_id for row in rows}), now)
            return len(rows)

    def send_now(self, subscription_id: str, now: datetime) -> int:
        """Send what waits for a subscription now, in order, not after the wait that follows failures.

        Parameters
        ----------
        subscription_id : str
        now : datetime
            Aware.

        Returns
        -------
        int
            How many messages wait.

        Raises
        ------
        ConflictError
            If the subscription is not active, or its messages are fetched.
        """
        with self._sessions.begin() as session:
            _must_be_active(session, subscription_id)
            return hasten(session, [subscription_id], now)

    def replay_dead(self, subscription_id: str, now: datetime) -> int:
        """Send all dead letters of a subscription again, in their order.

        Parameters
        ----------
        subscription_id : str
        now : datetime
            Aware.

        Returns
        -------
        int
            How many are sent again.
        """
        query = select(Delivery.id).where(Delivery.subscription_id == subscription_id, Delivery.state == "dead")
        with self._sessions() as session:
            ids = session.scalars(query).all()
        return self.replay(ids, now)


def _must_be_active(session: Session, subscription_id: str) -> None:
    row = session.get_one(Subscription, subscription_id)
    if row.state != "active" or row.channel == "stream":
        found = row.state if row.state != "active" else "a stream"
        raise ConflictError(f"subscription {row.id}", found, "one that is active and is sent to")


def _subscriptions_of(account_id: str) -> Select[str]:
    return select(Subscription.id).where(Subscription.account_id == account_id)
