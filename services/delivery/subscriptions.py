"""Subscriptions in the store: made, confirmed, changed, stopped and removed."""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import ConflictError, InputError
from hazecast.grids.places.cities import Registry
from hazecast.services.accounts.accounts import existing
from hazecast.services.core.settings import Settings
from hazecast.services.delivery.confirmations import ask_to_confirm
from hazecast.services.delivery.lateness import hasten, note_pause
from hazecast.services.delivery.sealing import KEY_VARIABLE, seals_of
from hazecast.services.delivery.subscription_checks import checked_fields
from hazecast.services.delivery.subscription_fields import Change, NewSubscription, SubscriptionFields
from hazecast.services.delivery.subscription_rows import activate, find_by_code, find_subscription, next_bulletin_time
from hazecast.services.delivery.targets import Resolver, check_target, normal_email_address
from hazecast.services.delivery.webhook import new_secret, target_policy
from hazecast.services.store.outbox import TEST, record_addressed
from hazecast.services.store.tables.delivery import Delivery, Subscription

log = logging.getLogger(__name__)


class Subscriptions:
    """The subscriptions in the store.

    Parameters
    ----------
    sessions : sessionmaker
    settings : Settings
    registry : Registry
    book : RuleBook
        Rule sets and levels that may be asked for.
    resolve : callable, optional
        Returns the addresses of a host name.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        settings: Settings,
        registry: Registry,
        book: RuleBook,
        resolve: Resolver | None = None,
    ) -> None:
        self._sessions, self._settings, self._registry, self._resolve = sessions, settings, registry, resolve
        self._book, self._seals = book, seals_of(settings)

    def create(self, account_id: str, new: NewSubscription, now: datetime, *, confirmed: bool = False) -> Subscription:
        """Store a new subscription.

        A stream is active at once; any other waits until its receiver has confirmed it.

        Parameters
        ----------
        account_id : str
        new : NewSubscription
        now : datetime
            Aware.
        confirmed : bool
            Whether an operator vouches for the receiver, so that it need not confirm.

        Returns
        -------
        Subscription
            Of which `secret_of` returns the secret.

        Raises
        ------
        InputError
            If a city, region, rule set, level or time zone is unknown, or the target may not be used.
        UnknownError
            If there is no such account.
        ConflictError
            If the account has too many subscriptions, or the receiver may not be asked to confirm again.
        """
        target = self._target(new)
        wanted = checked_fields(
            SubscriptionFields(**new.model_dump(exclude={"channel", "target"})), self._registry, self._book
        )
        active = confirmed or new.channel == "stream"
        row = Subscription(
            id=f"sub_{secrets.token_hex(12)}", account_id=account_id, channel=new.channel, target=target,
            state="active" if active else "unconfirmed", state_reason="", code=secrets.token_urlsafe(24),
            secret=self._seals.seal(new_secret()) if new.channel == "webhook" else "", previous_secret=None, previous_secret_until=None, created_at=now, updated_at=now,
            confirmed_at=now if active else None, confirm_until=None, failures=0, next_attempt_at=now, lease_owner=None, lease_until=None, next_bulletin_at=None,
            **wanted.model_dump(),
        )  # fmt: skip
        row.next_bulletin_at = next_bulletin_time(row, now)
        with self._sessions.begin() as session:
            existing(session, account_id)
            count = session.scalar(
                select(func.count()).select_from(Subscription).where(Subscription.account_id == account_id)
            )
            limit = self._settings.subscriptions.subscriptions_per_account
            if count is not None and count >= limit:
                raise ConflictError("subscriptions of the account", count, f"fewer than {limit}")
            session.add(row)
            session.flush()
            if not active:
                ask_to_confirm(session, self._settings, row, now)
        return row

    def list(self, account_id: str | None) -> list[Subscription]:
        """Return the subscriptions of an account, or all, oldest first."""
        query = select(Subscription).order_by(Subscription.created_at, Subscription.id)
        if account_id is not None:
            query = query.where(Subscription.account_id == account_id)
        with self._sessions() as session:
            return list(session.scalars(query))

    def get(self, subscription_id: str, account_id: str | None = None) -> Subscription:
        """Return a subscription.

        Parameters
        ----------
        subscription_id : str
        account_id : str, optional
            The subscription must be of this account.

        Returns
        -------
        Subscription

        Raises
        ------
        UnknownError
            If there is no such subscription, or it is of another account.
        """
        with self._sessions() as session:
            return find_subscription(session, subscription_id, account_id)

    def change(self, row: Subscription, change: Change, now: datetime) -> Subscription:
        """Change a subscription.

        One that its receiver has unsubscribed, or never confirmed, is not made active: the receiver is asked again.

        Parameters
        ----------
        row : Subscription
        change : Change
        now : datetime
            Aware.

        Returns
        -------
        Subscription
            As changed.

        Raises
        ------
        InputError
            If a city, region, rule set, level or time zone is unknown.
        ConflictError
            If the state is to change before the receiver has confirmed, or it may not be asked again.
        """
        given = {name: value for name in change.model_fields_set if (value := getattr(change, name)) is not None}
        state = given.pop("state", None)
        known = {name: getattr(row, name) for name in SubscriptionFields.model_fields}
        values = checked_fields(SubscriptionFields(**known | given), self._registry, self._book).model_dump()
        ask = row.state == "stopped" and row.confirmed_at is None
        if state is not None and (row.state == "unconfirmed" or (ask and state != "active")):
            raise ConflictError("state", state, "no change before the receiver has confirmed")
        if state is not None and not ask:
            values |= {"state": state, "state_reason": "", "failures": 0, "next_attempt_at": now}
        with self._sessions.begin() as session:
            session.execute(
                update(Subscription).where(Subscription.id == row.id).values(**values, updated_at=now)
            )  # fmt: skip
            changed = session.get_one(Subscription, row.id)
            if changed.state == "paused":
                note_pause(session, row.id)
            if state is not None and ask:
                ask_to_confirm(session, self._settings, changed, now)
            if changed.next_bulletin_at is None or {"bulletin_hour", "time_zone", "kinds"} & set(given) or state:
                changed.next_bulletin_at = next_bulletin_time(changed, now)
        return changed

    def secret_of(self, row: Subscription) -> str:
        """Return what a subscription's webhooks are signed with; empty for other channels.

        Raises
        ------
        InputError
            If no key of the settings opens it.
        """
        return self._seals.open(row.secret)

    def rotate(self, row: Subscription, now: datetime) -> tuple[str, datetime]:
        """Give a subscription a new secret.

        Parameters
        ----------
        row : Subscription
        now : datetime
            Aware.

        Returns
        -------
        secret : str
        until : datetime
            Until when messages are signed with the previous secret too.

        Raises
        ------
        ConflictError
            If it is not a webhook's: no other channel has one.
        InputError
            If the settings have no key to seal it with.
        """
        if row.channel != "webhook":
            raise ConflictError("channel", row.channel, "webhook: no other has a secret")
        secret = new_secret()
        until = now + timedelta(hours=self._settings.webhooks.secret_overlap_hours)
        with self._sessions.begin() as session:
            session.execute(
                update(Subscription)
                .where(Subscription.id == row.id)
                .values(secret=self._seals.seal(secret), previous_secret=Subscription.secret, previous_secret_until=until,
                        updated_at=now)
            )  # fmt: skip
        return secret, until

    def remove(self, row: Subscription) -> None:
        """Remove a subscription with its deliveries."""
        with self._sessions.begin() as session:
            session.execute(delete(Delivery).where(Delivery.subscription_id == row.id))
            session.execute(delete(Subscription).where(Subscription.id == row.id))

    def test(self, row: Subscription, now: datetime) -> str:
        """Record a test message to a subscription, and let it be sent now with all that waits before it.

        Parameters
        ----------
        row : Subscription
        now : datetime
            Aware.

        Returns
        -------
        str
            The id of its delivery.

        Raises
        ------
        ConflictError
            If the receiver has not confirmed, or the subscription is stopped.
        """
        if row.state not in ("active", "paused"):
            raise ConflictError("subscription", row.state, "one that is active")
        event_id = f"test.{row.id}.{secrets.token_hex(6)}"
        with self._sessions.begin() as session:
            record_addressed(session, row.id, TEST, event_id, now, {})
            hasten(session, [row.id], now)
        return delivery_id(row.id, event_id)

    def confirm(self, subscription_id: str, code: str, now: datetime) -> None:
        """Activate a subscription whose receiver confirms it.

        Parameters
        ----------
        subscription_id : str
        code : str
            As the receiver was sent it.
        now : datetime
            Aware.

        Raises
        ------
        UnknownError
            If there is no such subscription, or the code is another.
        ConflictError
            If it no longer waits for its receiver.
        """
        with self._sessions.begin() as session:
            row = find_by_code(session, subscription_id, code)
            late = row.confirm_until is not None and row.confirm_until <= now
            if row.state == "stopped" or (row.state == "unconfirmed" and late):
                raise ConflictError("subscription", "one that is over", "one that waits for its receiver")
            if row.state == "unconfirmed":
                activate(row, now)

    def unsubscribe(self, subscription_id: str, code: str, now: datetime) -> None:
        """Stop a subscription at its receiver's wish.

        Parameters
        ----------
        subscription_id : str
        code : str
            As the subscription's messages carry it.
        now : datetime
            Aware.

        Raises
        ------
        UnknownError
            If there is no such subscription, or the code is another.
        """
        with self._sessions.begin() as session:
            row = find_by_code(session, subscription_id, code)
            row.state, row.state_reason, row.updated_at = "stopped", "unsubscribed by the receiver", now
            row.confirmed_at = None

    def _target(self, new: NewSubscription) -> str:
        if new.channel == "stream":
            if new.target:
                raise InputError("target", new.target, "none for a stream: it is fetched")
            return ""
        if new.channel == "webhook":
            if not self._seals.ready:
                raise InputError("channel", "webhook", f"email or stream: this service has no {KEY_VARIABLE}")
            check_target(new.target, target_policy(self._settings), self._resolve)
            return new.target
        if self._settings.smtp.host is None or self._settings.server.public_url is None:
            raise InputError("channel", "email", "webhook or stream: this service is not set up to send e-mail")
        return normal_email_address(new.target)


def delivery_id(subscription_id: str, event_id: str) -> str:
    """Return the id under which a subscription receives an event.

    It follows from the two ids alone, so that repeated routing gives the same id, and holds no dot, which the
    signature of webhooks uses as a separator.

    Parameters
    ----------
    subscription_id : str
    event_id : str

    Returns
    -------
    str
    """
    return "msg_" + hashlib.sha256(f"{subscription_id}/{event_id}".encode()).hexdigest()[:32]
