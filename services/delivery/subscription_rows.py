"""A subscription's row: how it is found, activated, and when its bulletin is due."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from hazecast.grids.errors import UnknownError
from hazecast.services.store.tables.delivery import Subscription


def activate(row: Subscription, now: datetime) -> None:
    """Let a subscription receive messages: its receiver has confirmed.

    Parameters
    ----------
    row : Subscription
        Within a session that stores the change.
    now : datetime
        Aware.
    """
    row.state, row.state_reason, row.updated_at = "active", "", now
    row.confirmed_at, row.confirm_until = now, None
    row.next_bulletin_at = next_bulletin_time(row, now)


def next_bulletin_time(row: Subscription, after: datetime) -> datetime | None:
    """Return when a subscription's bulletin is due next.

    Parameters
    ----------
    row : Subscription
    after : datetime
        Aware.

    Returns
    -------
    datetime or None
        The first such time later than `after`; None if no bulletin is asked for.
    """
    if "bulletin" not in row.kinds:
        return None
    zone = ZoneInfo(row.time_zone)
    day = after.astimezone(zone).date()
    while True:
        due = datetime(day.year, day.month, day.day, row.bulletin_hour, tzinfo=zone).astimezone(after.tzinfo)
        if due > after:
            return due
        day += timedelta(days=1)


def find_subscription(session: Session, subscription_id: str, account_id: str | None) -> Subscription:
    """Return a subscription.

    Parameters
    ----------
    session : Session
    subscription_id : str
    account_id : str or None
        The subscription must be of this account; None for any.

    Returns
    -------
    Subscription

    Raises
    ------
    UnknownError
        If there is no such subscription, or it is of another account.
    """
    row = session.get(Subscription, subscription_id)
    if row is None or account_id not in (None, row.account_id):
        raise UnknownError("subscription", repr(subscription_id[:64]), "the id of a subscription")
    return row


def find_by_code(session: Session, subscription_id: str, code: str) -> Subscription:
    """Return a subscription to who knows its code: its receiver.

    Parameters
    ----------
    session : Session
    subscription_id : str
    code : str
        As the receiver was sent it.

    Returns
    -------
    Subscription

    Raises
    ------
    UnknownError
        If there is no such subscription, or the code is another.
    """
    row = session.get(Subscription, subscription_id)
    if row is None or not hmac.compare_digest(row.code.encode(), code.encode()):
        raise UnknownError("subscription", repr(subscription_id[:64]), "a subscription, with the code that it was sent")
    return row
