"""From events to deliveries: which subscription is notified of which event, and in which order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from hazecast.grids.places.cities import Registry
from hazecast.services.core.settings import Settings
from hazecast.services.delivery.lateness import reason_at_start
from hazecast.services.delivery.subscription_rows import next_bulletin_time
from hazecast.services.delivery.subscriptions import delivery_id
from hazecast.services.store.outbox import BULLETIN, FORECAST, lock_outbox, record_addressed
from hazecast.services.store.tables.accounts import Account
from hazecast.services.store.tables.delivery import Delivery, OutboxEvent, Subscription

log = logging.getLogger(__name__)

# Nothing is created for, or sent to, a disabled account.
ACCOUNT_ENABLED = Subscription.account_id.in_(select(Account.id).where(Account.disabled_at.is_(None)))


def wants(subscription: Subscription, event: OutboxEvent, registry: Registry) -> bool:
    """Return whether a subscription is to be notified of an event.

    Parameters
    ----------
    subscription : Subscription
    event : OutboxEvent
    registry : Registry
        Gives the region of the event's city.

    Returns
    -------
    bool
    """
    if event.subscription_id is not None:
        return event.subscription_id == subscription.id
    if subscription.state not in ("active", "paused") or (event.simulated and not subscription.simulated):
        return False
    if event.type == FORECAST:
        return "forecast" in subscription.kinds
    if "warning" not in subscription.kinds:
        return False
    if subscription.rule_sets and event.rule_set not in subscription.rule_sets:
        return False
    if subscription.levels and not set(event.levels) & set(subscription.levels):
        return False
    if not subscription.cities and not subscription.regions:
        return True
    city = registry.cities.get(event.city or "")
    return event.city in subscription.cities or (city is not None and city.region in subscription.regions)


def route(sessions: sessionmaker[Session], registry: Registry, settings: Settings, now: datetime) -> int:
    """Turn the events that have not been routed yet into deliveries.

    In one transaction: if the process is killed, nothing has changed. Several processes take turns.

    Parameters
    ----------
    sessions : sessionmaker
    registry : Registry
    settings : Settings
    now : datetime
        Aware.

    Returns
    -------
    int
        How many deliveries there are more.
    """
    with sessions() as session:
        if session.scalar(select(OutboxEvent.seq).where(OutboxEvent.routed_at.is_(None)).limit(1)) is None:
            return 0
    with sessions.begin() as session:
        lock_outbox(session)
        events = session.scalars(
            select(OutboxEvent).where(OutboxEvent.routed_at.is_(None)).order_by(OutboxEvent.seq)
        ).all()
        for event in events:
            event.routed_at = now
        subscriptions = session.scalars(select(Subscription).where(ACCOUNT_ENABLED).order_by(Subscription.id)).all()
        rows = [
            _delivery(subscription, event, settings, now)
            for event in events
            for subscription in subscriptions
            if wants(subscription, event, registry)
        ]
        append_to_queues(session, rows)
        session.add_all(rows)
        return len(rows)


def append_to_queues(session: Session, rows: Sequence[Delivery]) -> None:
    """Put deliveries at the end of their queues.

    Parameters
    ----------
    session : Session
        In a transaction that holds the lock of the outbox (`lock_outbox`).
    rows : sequence of Delivery
        In the order in which they are to be sent.
    """
    last = session.scalar(select(func.max(Delivery.position))) or 0
    for number, row in enumerate(rows, last + 1):
        row.position = number


def schedule_bulletins(sessions: sessionmaker[Session], settings: Settings, now: datetime) -> int:
    """Record an event for each bulletin whose local hour has passed.

    Of several that are due, after a stop of the service, only the last; none that is older than the settings let a
    bulletin wait.

    Parameters
    ----------
    sessions : sessionmaker
    settings : Settings
    now : datetime
        Aware.

    Returns
    -------
    int
        How many bulletins.
    """
    due = (Subscription.next_bulletin_at <= now, Subscription.state == "active", ACCOUNT_ENABLED)
    with sessions() as session:
        if session.scalar(select(Subscription.id).where(*due).limit(1)) is None:
            return 0
    with sessions.begin() as session:
        lock_outbox(session)
        rows = session.scalars(select(Subscription).where(*due).order_by(Subscription.id)).all()
        return sum(_bulletin(session, row, settings, now) for row in rows)


def _bulletin(session: Session, row: Subscription, settings: Settings, now: datetime) -> bool:
    due = row.next_bulletin_at
    assert due is not None
    while (following := next_bulletin_time(row, due)) is not None and following <= now:
        log.warning("subscription %s: the bulletin due %s is left out for the one due %s", row.id, due, following)
        due = following
    row.next_bulletin_at = following
    if following is None:
        return False
    if now - due > timedelta(hours=settings.subscriptions.bulletin_give_up_hours):
        log.warning("subscription %s: the bulletin due %s is left out: it is too late for it", row.id, due)
        return False
    # Named by the local day on which it is due: recorded once, however often this runs.
    day = f"{_local(due, row):%Y-%m-%d}"
    content = {"date": day, "time_zone": row.time_zone}
    return record_addressed(session, row.id, BULLETIN, f"bulletin.{row.id}.{day}", due, content) is not None


def _local(time: datetime, row: Subscription) -> datetime:
    return time.astimezone(ZoneInfo(row.time_zone))


def _delivery(subscription: Subscription, event: OutboxEvent, settings: Settings, now: datetime) -> Delivery:
    hours = settings.subscriptions.bulletin_give_up_hours if event.type == BULLETIN else settings.delivery.give_up_hours
    offered = subscription.channel == "stream"
    return Delivery(
        id=delivery_id(subscription.id, event.id), subscription_id=subscription.id, event_seq=event.seq,
        state="offered" if offered else "pending", attempts=0, replays=0, created_at=now,
        give_up_at=now + timedelta(hours=hours), late_reason=reason_at_start(subscription),
    )  # fmt: skip
