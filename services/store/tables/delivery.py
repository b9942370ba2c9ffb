"""The tables of delivery: events, subscriptions, and the deliveries of events to subscriptions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

import hazecast.services.store.tables.accounts  # noqa: F401 (the table of accounts, that subscriptions refer to)
from hazecast.services.store.tables.forecasts import Base


class OutboxEvent(Base):
    """An event, written in the transaction in which it happened. Rows are only added.

    `seq` rises in the order of commits and is never used twice. `subject` is what the event is about (the id
    of a warning); `revision` counts its events. `batch` is common to the events of one transaction.
    `subscription_id` is set where the event concerns one subscription alone. `levels` are the level of a
    warning and, where it differs, that of the message before it. `routed_at` is null until the event has been
    turned into deliveries.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_subject", "subject", "simulated"),
        Index("ix_outbox_unrouted", "seq", sqlite_where=text("routed_at IS NULL"),
              postgresql_where=text("routed_at IS NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(192), unique=True)
    type: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(128))
    revision: Mapped[int]
    batch: Mapped[str] = mapped_column(String(192))
    simulated: Mapped[bool]
    rule_set: Mapped[str | None] = mapped_column(String(64))
    city: Mapped[str | None] = mapped_column(String(64))
    levels: Mapped[list[str]] = mapped_column(JSON)
    subscription_id: Mapped[str | None] = mapped_column(String(32))
    occurred_at: Mapped[datetime]
    payload: Mapped[str] = mapped_column(Text)
    routed_at: Mapped[datetime | None]


class Subscription(Base):
    """What an account subscribes to, in which languages, and where messages are sent.

    `state` is "unconfirmed", "active", "paused" or "stopped" (by the receiver, or as it did not confirm until
    `confirm_until`). `confirmed_at` is null before the receiver has confirmed, and after it has unsubscribed. Empty lists of
    cities and regions mean all cities; of rule sets and levels, all of them. The lease names the dispatcher
    that is sending to it, so that no two do; `failures` counts attempts since the last success. `secret` is that of a webhook,
    sealed; empty for other channels.
    """

    __tablename__ = "subscription"
    __table_args__ = (Index("ix_subscription_account", "account_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(String(128))
    channel: Mapped[str] = mapped_column(String(16))
    target: Mapped[str] = mapped_column(Text)
    kinds: Mapped[list[str]] = mapped_column(JSON)
    cities: Mapped[list[str]] = mapped_column(JSON)
    regions: Mapped[list[str]] = mapped_column(JSON)
    rule_sets: Mapped[list[str]] = mapped_column(JSON)
    levels: Mapped[list[str]] = mapped_column(JSON)
    languages: Mapped[list[str]] = mapped_column(JSON)
    formats: Mapped[list[str]] = mapped_column(JSON)
    simulated: Mapped[bool]
    bulletin_hour: Mapped[int]
    time_zone: Mapped[str] = mapped_column(String(64))
    next_bulletin_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(16))
    state_reason: Mapped[str] = mapped_column(Text)
    confirmed_at: Mapped[datetime | None]
    confirm_until: Mapped[datetime | None]
    code: Mapped[str] = mapped_column(String(64))
    secret: Mapped[str] = mapped_column(Text)
    previous_secret: Mapped[str | None] = mapped_column(Text)
    previous_secret_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    failures: Mapped[int]
    next_attempt_at: Mapped[datetime]
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None]


class Confirmation(Base):
    """A receiver was asked to confirm. Rows outlive their subscriptions: they bound what is asked of a mailbox.

    `target` is a digest of an e-mail address's mailbox; empty for other channels.
    """

    __tablename__ = "confirmation"
    __table_args__ = (
        Index("ix_confirmation_target", "target", "asked_at"),
        Index("ix_confirmation_account", "account_id", "asked_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime]


class Delivery(Base):
    """One event for one subscription; `id` follows from the two, and is the same in every attempt.

    `state` is "pending", "delivered", "dead" (given up) or "offered" (a stream's: it is fetched, not sent).
    Deliveries of a subscription go out by `position`, each once the one before is delivered or dead. `late_reason` and
    `late_error` say what held it up (`hazecast.services.delivery.lateness`), also after it was delivered.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_queue", "subscription_id", "state", "position"),
        Index("ix_delivery_position", "position", unique=True),
        Index("ix_delivery_event", "event_seq"),
        Index("ix_delivery_state", "state", "give_up_at"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id", ondelete="CASCADE"))
    event_seq: Mapped[int] = mapped_column(ForeignKey("outbox.seq"))
    position: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int]
    replays: Mapped[int]
    created_at: Mapped[datetime]
    give_up_at: Mapped[datetime]
    refused_since: Mapped[datetime | None]
    last_attempt_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(Text)
    late_reason: Mapped[str | None] = mapped_column(String(16))
    late_error: Mapped[str | None] = mapped_column(Text)
