"""A store with accounts, a clock that is set by hand, and receivers without a network, for the tests of delivery."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hazecast.alerts.engine.warning import Evidence, HazeWarning
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import load_registry
from hazecast.services.accounts.accounts import accounts_of, add_account
from hazecast.services.delivery.channel import Message, Outcome
from hazecast.services.delivery.dispatcher import Dispatcher
from hazecast.services.delivery.queue import Queue
from hazecast.services.delivery.subscription_fields import NewSubscription
from hazecast.services.delivery.subscriptions import Subscriptions
from hazecast.services.store.drafts import warning_row
from hazecast.services.store.outbox import record_message
from hazecast.services.store.store import Store
from hazecast.services.store.tables.delivery import Delivery, OutboxEvent, Subscription
from tests.support.settings import make_settings

START = datetime(2026, 1, 15, 22, tzinfo=UTC)
REGISTRY = load_registry()


@dataclass
class Clock:
    """The time, as it is set."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **given: float) -> None:
        self.now += timedelta(**given)


class Crash(BaseException):
    """A process that ends where it stands."""


@dataclass
class Ear:
    """A receiver that hears messages and answers as it is told to."""

    heard: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    answer: Callable[[Sequence[Message]], Outcome] = lambda _: Outcome("delivered", 200)
    batch_size: int = 1

    def send(self, subscription: Subscription, messages: Sequence[Message], now: datetime) -> Outcome:
        outcome = self.answer(messages)
        if outcome.kind == "delivered":
            self.heard.extend(message.id for message in messages)
            self.messages.extend(messages)
        return outcome

    @property
    def once(self) -> list[str]:
        """What it heard, each id the first time."""
        return list(dict.fromkeys(self.heard))


class World:
    """One store, and all that works on it."""

    def __init__(self, folder: Path, url: str | None = None, **given: Any) -> None:
        self.settings = make_settings(**{"data_dir": folder} | ({"database_url": url} if url else {}) | given)
        self.store = Store(self.settings.database_url)
        self.store.migrate()
        self.clock = Clock()
        known = {account.id for account in accounts_of(self.store.sessions)}
        for name in {"tianjin", "kitakyushu"} - known:
            add_account(self.store.sessions, name, name=name, role="subscriber", at=START)
        self.subscriptions = Subscriptions(
            self.store.sessions, self.settings, REGISTRY, RuleBook.shipped(), resolve=lambda *_: ["1.1.1.1"]
        )
        self.queue = Queue(self.store.sessions, self.settings)
        self.ear = Ear()

    def dispatcher(self, seed: int = 0, **channels: Any) -> Dispatcher:
        render = lambda subscription, event, name: json.dumps({"id": name})  # noqa: E731
        return Dispatcher(
            self.store.sessions, REGISTRY, self.settings, {"webhook": self.ear} | channels, render, clock=self.clock,
            rng=random.Random(seed),
        )  # fmt: skip

    def subscribe(self, account: str = "tianjin", confirmed: bool = True, **given: Any) -> Subscription:
        wanted = {"name": "duty", "channel": "webhook", "target": "https://hooks.example/x"} | given
        return self.subscriptions.create(account, NewSubscription(**wanted), self.clock(), confirmed=confirmed)

    def warn(self, city: str = "beijing", *, simulated: bool = False, **given: Any) -> HazeWarning:
        """Store a message as a person's approval does, the event in the same transaction."""
        warning = message(city, self.clock(), simulated=simulated, **given)
        with self.store.sessions.begin() as session:
            session.add(warning_row(warning))
            session.flush()
            record_message(session, warning)
        return warning

    def deliveries(self, row: Subscription | None = None) -> list[Delivery]:
        query = select(Delivery).order_by(Delivery.position)
        with self.store.sessions() as session:
            return list(session.scalars(query if row is None else query.where(Delivery.subscription_id == row.id)))

    def events(self) -> list[OutboxEvent]:
        with self.store.sessions() as session:
            return list(session.scalars(select(OutboxEvent).order_by(OutboxEvent.seq)))

    def reload(self, row: Subscription) -> Subscription:
        return self.subscriptions.get(row.id)

    def close(self) -> None:
        self.store.close()


def message(
    city: str, at: datetime, *, level: str = "orange", kind: str = "issue", rule_set: str = "cma_haze",
    simulated: bool = False, references: tuple[str, ...] = (), number: str = "",
) -> HazeWarning:  # fmt: skip
    """A warning message; `number` distinguishes those of one time."""
    place = REGISTRY.city(city)
    hour = Evidence(
        time=at + timedelta(hours=3), pm25=280.0, relative_humidity=70.0, visibility=1_500.0, level=2, basis="forecast",
        condition=1, quantile=0.5,
    )  # fmt: skip
    return HazeWarning(
        id=f"{rule_set}.{city}.{at:%Y%m%dT%H%M%SZ}{number}", rule_set=rule_set, level=level, kind=kind, city=city,
        area_zh=place.name_zh, area_ja=place.name_ja, area_en=place.name_en, issued=at, onset=at + timedelta(hours=2),
        expires=at + timedelta(hours=26), evidence=() if kind == "lift" else (hour,), run_init_time=at,
        references=references, simulated=simulated, weather_source="test", probability=0.7, threshold=0.4,
        level_since=at,
    )  # fmt: skip
