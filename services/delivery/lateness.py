"""Why a message was, or is, late: noted where it is held up, since a later success overwrites the last answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from hazecast.services.delivery.channel import Outcome
from hazecast.services.delivery.subscription_fields import LateReason
from hazecast.services.store.tables.delivery import Delivery, Subscription

# The dispatcher asks every few seconds: after this, of a message that nothing held up, none was running or free.
# This service's choice.
_SOON = timedelta(seconds=60)


@dataclass(frozen=True)
class Lateness:
    """Why a message was late, and by how much.

    Attributes
    ----------
    reason : str
        ``failed``: an attempt failed or was refused; ``behind``: it waited for an earlier message whose attempts
        failed; ``paused``: the subscription was; ``sent_again``: a person sent it again; ``unserved``: no dispatcher was
        running, or all were busy.
    error : str or None
        What the last failed attempt met, with the receiver's status.
    seconds : float
        From when it was queued until it was delivered or given up or, where it waits, until now.
    """

    reason: LateReason
    error: str | None
    seconds: float


def lateness_of(delivery: Delivery, now: datetime) -> Lateness | None:
    """Return why a delivery was late.

    Parameters
    ----------
    delivery : Delivery
    now : datetime
        Aware.

    Returns
    -------
    Lateness or None
        None where nothing held it up, and for what is fetched.
    """
    ends = {"delivered": delivery.delivered_at, "dead": delivery.last_attempt_at or delivery.give_up_at}
    seconds = ((ends.get(delivery.state) or now) - delivery.created_at).total_seconds()
    if delivery.late_reason is not None:
        return Lateness(cast(LateReason, delivery.late_reason), delivery.late_error, seconds)
    if delivery.state in ("pending", "delivered") and seconds > _SOON.total_seconds():
        return Lateness("unserved", None, seconds)
    return None


def note_failure(session: Session, subscription_id: str, ids: Sequence[str], outcome: Outcome) -> None:
    """Note that an attempt failed, for its messages and for those that wait behind them.

    Parameters
    ----------
    session : Session
        In the transaction that stores the outcome.
    subscription_id : str
    ids : sequence of str
        Of the deliveries that were tried.
    outcome : Outcome
    """
    said = " ".join(str(part) for part in (outcome.status, outcome.error) if part is not None) or None
    waiting = (Delivery.subscription_id == subscription_id, Delivery.state == "pending")
    session.execute(
        update(Delivery).where(*waiting, Delivery.id.in_(ids)).values(late_reason="failed", late_error=said)
    )
    session.execute(
        update(Delivery)
        .where(*waiting, Delivery.id.not_in(ids), Delivery.late_reason.is_(None))
        .values(late_reason="behind")
    )


def note_pause(session: Session, subscription_id: str) -> None:
    """Note of a subscription's waiting messages that it is paused.

    Parameters
    ----------
    session : Session
        In the transaction that pauses it.
    subscription_id : str
    """
    session.execute(
        update(Delivery)
        .where(Delivery.subscription_id == subscription_id, Delivery.state == "pending", Delivery.late_reason.is_(None))
        .values(late_reason="paused")
    )


def reason_at_start(subscription: Subscription) -> LateReason | None:
    """Return why a message that is queued now will be late: the subscription is paused, or its receiver fails."""
    if subscription.channel == "stream":
        return None
    if subscription.state == "paused":
        return "paused"
    return "behind" if subscription.failures else None


def hasten(session: Session, subscription_ids: Sequence[str], now: datetime) -> int:
    """Let the next attempts be made now, not after the wait that follows failures; the order stays.

    Parameters
    ----------
    session : Session
        In a transaction that writes.
    subscription_ids : sequence of str
        Only those of them that are active.
    now : datetime
        Aware.

    Returns
    -------
    int
        How many messages wait in their queues.
    """
    active = (Subscription.id.in_(subscription_ids), Subscription.state == "active")
    # Without its failures the next wait is the shortest, should an attempt that is under way fail after this.
    session.execute(update(Subscription).where(*active).values(failures=0, next_attempt_at=now))
    waiting = select(func.count(Delivery.id)).join(Subscription, Subscription.id == Delivery.subscription_id)
    return session.scalar(waiting.where(*active, Delivery.state == "pending")) or 0
