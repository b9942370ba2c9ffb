"""Asking receivers to confirm: how often that may be done, and for how long the answer is waited for.

Anybody with a key can name another's address. That costs its owner at most a few messages, whatever is deleted and made
again meanwhile, and they hold nothing that the subscriber wrote.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from hazecast.grids.errors import ConflictError
from hazecast.services.core.settings import Settings
from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.outbox import CONFIRMATION, record_addressed
from hazecast.services.store.tables.delivery import Confirmation, Subscription

log = logging.getLogger(__name__)

_DAY, _MONTH = timedelta(days=1), timedelta(days=30)


def mailbox_of(address: str) -> str:
    """Return what is counted for an e-mail address: the mailbox, with neither case nor a part after ``+``.

    Most servers deliver ``duty+anything@bureau.example`` to ``duty@bureau.example`` (RFC 5233), and none in use
    distinguishes case.

    Parameters
    ----------
    address : str

    Returns
    -------
    str
        SHA-256 of the mailbox, as 64 hexadecimal digits: it is kept when the address is deleted.
    """
    local, _, domain = address.casefold().rpartition("@")
    return hashlib.sha256(f"{local.partition('+')[0]}@{domain}".encode()).hexdigest()


def ask_to_confirm(session: Session, settings: Settings, row: Subscription, now: datetime) -> None:
    """Let a subscription wait for its receiver, and record the message that asks.

    Parameters
    ----------
    session : Session
        In a transaction that writes.
    settings : Settings
    row : Subscription
        Part of the session.
    now : datetime
        Aware.

    Raises
    ------
    ConflictError
        If the account has asked too often today, or the mailbox was asked too often this month, by whichever accounts.
    """
    lock_until_commit(session, "confirmations")
    limits = settings.subscriptions
    session.execute(delete(Confirmation).where(Confirmation.asked_at <= now - _MONTH))
    asked = _count(session, Confirmation.account_id == row.account_id, now - _DAY)
    if asked >= limits.confirmations_per_day:
        expected = f"fewer than {limits.confirmations_per_day}: try again tomorrow"
        raise ConflictError("confirmations that the account asked for in 24 h", asked, expected)
    target = mailbox_of(row.target) if row.channel == "email" else ""
    if target:
        asked = _count(session, Confirmation.target == target, now - _MONTH)
        if asked >= limits.confirmations_per_address:
            expected = f"fewer than {limits.confirmations_per_address}: its owner must not be pestered"
            raise ConflictError("confirmations that the address was asked for in 30 days", asked, expected)
    session.add(Confirmation(account_id=row.account_id, target=target, asked_at=now))
    row.state, row.state_reason, row.confirmed_at = "unconfirmed", "", None
    row.confirm_until = now + timedelta(days=limits.confirmation_days)
    session.flush()
    again = "" if now == row.created_at else f".{now:%Y%m%dT%H%M%S%fZ}"
    event_id = f"confirmation.{row.id}{again}"
    record_addressed(session, row.id, CONFIRMATION, event_id, now, {})


def stop_unconfirmed(sessions: sessionmaker[Session], now: datetime) -> None:
    """Stop the subscriptions whose receivers have not confirmed in time.

    Parameters
    ----------
    sessions : sessionmaker
    now : datetime
        Aware.
    """
    late = (Subscription.state == "unconfirmed", Subscription.confirm_until <= now)
    with sessions() as session:
        found = session.scalars(select(Subscription.id).where(*late)).all()
    if not found:
        return
    stopped = {"state": "stopped", "state_reason": "not confirmed in time", "updated_at": now}
    with sessions.begin() as session:
        session.execute(update(Subscription).where(Subscription.id.in_(found), *late).values(**stopped))
    log.info("stopped, since their receivers did not confirm: %s", ", ".join(found))


def _count(session: Session, whose: ColumnElement[bool], since: datetime) -> int:
    query = select(func.count()).select_from(Confirmation).where(whose, Confirmation.asked_at > since)
    return session.scalar(query) or 0
