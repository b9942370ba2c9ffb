"""The dispatcher's queries: who can be served, what waits, and the removal of what is old."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, CursorResult, Select, Update, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session, sessionmaker

from hazecast.services.delivery.routing import ACCOUNT_ENABLED
from hazecast.services.store.outbox import CONFIRMATION
from hazecast.services.store.tables.delivery import Delivery, OutboxEvent, Subscription


def prune(sessions: sessionmaker[Session], before: datetime) -> None:
    """Remove old events, and old deliveries that no longer wait.

    The newest row of each stays, since numbers go on from it.

    Parameters
    ----------
    sessions : sessionmaker
    before : datetime
        Aware; what is younger stays.
    """
    with sessions.begin() as session:
        last = select(func.max(Delivery.position)).scalar_subquery()
        session.execute(
            delete(Delivery).where(
                Delivery.state != "pending", Delivery.created_at < before,
                func.coalesce(Delivery.last_attempt_at, Delivery.created_at) < before, Delivery.position < last,
            )
        )  # fmt: skip
        newest = select(func.max(OutboxEvent.seq)).scalar_subquery()
        used = exists().where(Delivery.event_seq == OutboxEvent.seq)
        session.execute(
            delete(OutboxEvent)
            .where(OutboxEvent.routed_at < before, OutboxEvent.seq < newest, ~used)
            .execution_options(synchronize_session=False)
        )


def is_servable(now: datetime) -> ColumnElement[bool]:
    """Return the condition that messages may be sent to a subscription now, and no dispatcher serves it."""
    return and_(
        Subscription.state.in_(("active", "unconfirmed")),
        Subscription.channel != "stream",
        Subscription.next_attempt_at <= now,
        or_(Subscription.lease_until.is_(None), Subscription.lease_until <= now),
        ACCOUNT_ENABLED,
    )


def has_waiting() -> ColumnElement[bool]:
    """Return the condition that messages of a subscription wait; before it is confirmed, only its confirmation."""
    pending = and_(Delivery.subscription_id == Subscription.id, Delivery.state == "pending")
    confirmation = Delivery.event_seq.in_(select(OutboxEvent.seq).where(OutboxEvent.type == CONFIRMATION))
    return exists().where(pending, or_(Subscription.state == "active", confirmation))


def waiting_deliveries(subscription_id: str, unconfirmed: bool) -> Select[Delivery, OutboxEvent]:
    """Return the query of a subscription's waiting deliveries, with their events, in order.

    Parameters
    ----------
    subscription_id : str
    unconfirmed : bool
        Whether the subscription waits to be confirmed: then only its confirmation is sent.

    Returns
    -------
    Select
    """
    query = (
        select(Delivery, OutboxEvent)
        .join(OutboxEvent, OutboxEvent.seq == Delivery.event_seq)
        .where(Delivery.subscription_id == subscription_id, Delivery.state == "pending")
        .order_by(Delivery.position)
    )
    return query.where(OutboxEvent.type == CONFIRMATION) if unconfirmed else query


def update_rows(session: Session, statement: Update) -> bool:
    """Execute an update.

    Parameters
    ----------
    session : Session
    statement : Update

    Returns
    -------
    bool
        Whether it changed a row.
    """
    result = session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return bool(result.rowcount)
