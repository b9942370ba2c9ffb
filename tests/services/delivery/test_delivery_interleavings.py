"""Whatever happens in whatever order, every message arrives, in order, once by its id."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from hazecast.services.delivery.channel import Message, Outcome
from hazecast.services.delivery.dispatcher import Dispatcher
from hazecast.services.store.tables.delivery import Subscription
from tests.support.delivery_world import REGISTRY, Crash, World

CITIES = ("beijing", "tianjin", "shanghai")


class Mortal(Dispatcher):
    """A dispatcher that can be killed: it then gives nothing back."""

    dead = False

    def _release_lease(self, subscription_id: str) -> None:
        if not self.dead:
            super()._release_lease(subscription_id)


class Interleavings(RuleBasedStateMachine):
    """Two dispatchers, two subscribers and one clock."""

    template: Path | None = None

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        if self.template is None:
            # Migrated once: each example works on a copy.
            type(self).template = Path(tempfile.mkdtemp())
            World(self.template).close()
        shutil.copytree(self.template, self.folder, dirs_exist_ok=True)
        self.world = World(self.folder, delivery_give_up_hours=10_000.0)
        self.numbers = itertools.count()
        self.heard: dict[str, list[str]] = defaultdict(list)
        self.mode = "ok"
        self.repeats = self.refusals = 0
        self.events = 0
        self.dispatchers = [self.born(), self.born()]
        self.all = self.world.subscribe()
        self.one = self.world.subscribe(account="kitakyushu", cities=["beijing"])

    def born(self) -> Mortal:
        return Mortal(
            self.world.store.sessions, REGISTRY, self.world.settings, {"webhook": self}, lambda *_: "{}",
            clock=self.world.clock,
        )  # fmt: skip

    # The channel of both dispatchers.
    batch_size = 1

    def send(self, subscription: Subscription, messages: Sequence[Message], now: datetime) -> Outcome:
        mode, self.mode = self.mode, "ok"
        name = messages[0].id
        if mode == "fail":
            return Outcome("failed", 500, "down")
        if mode == "refuse":
            self.refusals += 1
            return Outcome("refused", 422, "not this one")
        if mode == "crash before":
            raise Crash
        if mode == "hang":
            # Long enough for the other dispatcher to take over and send all of it.
            self.world.clock.pass_(minutes=30)
            self.repeats += 1
            self.dispatchers[1 - self.active].run_once()
        self.heard[subscription.id].append(name)
        if mode == "crash after":
            self.repeats += 1
            raise Crash
        return Outcome("delivered", 200)

    @rule(cities=st.lists(st.sampled_from(CITIES), min_size=1, max_size=3))
    def happen(self, cities) -> None:
        for city in cities:
            self.world.warn(city, number=f"n{next(self.numbers)}")
            self.events += 1

    @rule(
        which=st.integers(0, 1), mode=st.sampled_from(["ok", "fail", "refuse", "crash before", "crash after", "hang"])
    )
    def dispatch(self, which, mode) -> None:
        self.mode, self.active = mode, which
        try:
            self.dispatchers[which].run_once()
        except Crash:
            self.dispatchers[which].dead = True
            self.dispatchers[which] = self.born()
        self.mode = "ok"

    @rule(minutes=st.sampled_from([0.05, 1.0, 5.0, 90.0]))
    def wait(self, minutes) -> None:
        self.world.clock.pass_(minutes=minutes)

    @rule(which=st.integers(0, 1))
    def prepare_only(self, which) -> None:
        self.dispatchers[which].prepare()

    @rule()
    def replay_dead(self) -> None:
        for row in self.world.deliveries():
            if row.state == "dead":
                self.world.queue.replay([row.id], self.world.clock())

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.active, self.mode = 0, "ok"
        for _ in range(3):
            self.world.clock.pass_(hours=3)
            self.dispatchers[0].run_once()
        rows = self.world.deliveries()
        assert len(self.world.events()) == self.events
        assert all(row.state in ("delivered", "dead") for row in rows)
        for subscription, expected in ((self.all, self.events), (self.one, None)):
            own = [row for row in rows if row.subscription_id == subscription.id]
            # Nothing lost: each event that it asked for is delivered, or kept among the dead letters.
            assert expected is None or len(own) == expected
            heard = self.heard[subscription.id]
            once = list(dict.fromkeys(heard))
            delivered = [row.id for row in own if row.state == "delivered"]
            assert set(delivered) == set(once) - {row.id for row in own if row.state == "dead"}
            if not any(row.replays for row in own):
                assert [name for name in once if name in set(delivered)] == delivered
        # Repeated only where a dispatcher died, or hung, between sending and noting it.
        total = sum(map(len, self.heard.values()))
        assert total - sum(len(set(names)) for names in self.heard.values()) <= self.repeats + self.refusals
        assert self.refusals or all(row.state == "delivered" for row in rows)
        self.world.close()
        shutil.rmtree(self.folder)


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=20, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
)
